// libarchive in streaming mode: no entry is ever whole in memory, and nothing is written anywhere.
#include "decoder/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include <clocale>
#include <memory>
#include <vector>

#include "base/json_fields.h"
#include "base/text.h"
#include "media/frames.h"

namespace mainstay::decoder {
namespace {

using child::Refusal;
using child::send;
using media::Is;

constexpr std::size_t kBlock = 64 * 1024;
constexpr std::size_t kNameMax = 1024;
/// Small files pack well without being bombs.
constexpr std::uint64_t kAnyRatio = 16 << 20;

struct Limits {
  std::uint64_t item = 0;
  std::uint64_t entries = 0;
  std::uint64_t entry_bytes = 0;
  std::uint64_t bytes = 0;
  std::uint64_t ratio = 0;
};

struct Close {
  void operator()(archive* open) const noexcept { archive_read_free(open); }
};
using Archive = std::unique_ptr<archive, Close>;

std::string said_by(archive* open) {
  const char* text = archive_error_string(open);
  return std::string(cut_utf8(to_utf8(text == nullptr ? "" : text), 200));
}

/// Null: there is no memory for it.
Archive new_archive() {
  Archive out(archive_read_new());
  if (!out) return out;
  archive_read_support_filter_gzip(out.get());
  archive_read_support_format_zip(out.get());
  archive_read_support_format_tar(out.get());
  return out;
}

std::string name_of(archive_entry* entry) {
  const char* name = archive_entry_pathname_utf8(entry);
  if (name == nullptr) name = archive_entry_pathname(entry);
  return to_utf8(name == nullptr ? "" : name);
}

/// Beneath where it would be unpacked, however it is written.
bool is_safe(const std::string& name) {
  if (name.empty() || name.size() > kNameMax) return false;
  if (name.front() == '/' || name.find('\\') != std::string::npos || name.find(':') == 1) {
    return false;
  }
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find('/', at), name.size());
    if (name.compare(at, end - at, "..") == 0) return false;
    at = end + 1;
  }
  return !has_control_characters(name) && name.find_first_of("\r\n\t") == std::string::npos;
}

/// Why an entry is not given, from its head alone; empty: it is.
const char* wrong_with(archive_entry* entry, const std::string& name, const Limits& limits) {
  if (archive_entry_hardlink(entry) != nullptr || archive_entry_filetype(entry) != AE_IFREG) {
    return "archive_entry_kind";
  }
  if (!is_safe(name)) return "archive_entry_name";
  if (archive_entry_is_encrypted(entry) == 1) return "archive_entry_encrypted";
  const bool known = archive_entry_size_is_set(entry) != 0;
  const auto size = known ? static_cast<std::uint64_t>(archive_entry_size(entry)) : 0;
  return size > limits.entry_bytes ? "archive_entry_too_large" : "";
}

/// One archive on its way out.
class Unpacking {
 public:
  Unpacking(Archive open, const Limits& limits, std::uint64_t packed)
      : open_(std::move(open)), limits_(limits), packed_(packed), block_(kBlock) {}
  std::optional<Refusal> run();

 private:
  void tell(const std::string& name, const char* wrong) const;
  std::optional<Refusal> give(const std::string& name);
  bool is_bomb(std::uint64_t unpacked, std::uint64_t began) const;
  std::uint64_t consumed() const {
    return static_cast<std::uint64_t>(
        std::max<la_int64_t>(archive_filter_bytes(open_.get(), -1), 0));
  }

  const Archive open_;
  const Limits limits_;
  const std::uint64_t packed_;
  std::vector<char> block_;
  std::uint64_t index_ = 0;
  std::uint64_t given_ = 0;  ///< bytes of all entries
  bool any_ = false;         ///< a head was read: it is an archive
};

void Unpacking::tell(const std::string& name, const char* wrong) const {
  Json head = media::frame_head(limits_.item, Is::page);
  head["entry"] = index_;
  head["name"] = std::string(cut_utf8(name, kNameMax));
  if (*wrong != '\0') head["wrong"] = wrong;
  send(head, "");
}

/// By what it took of the archive, and by the archive as a whole.
bool Unpacking::is_bomb(std::uint64_t unpacked, std::uint64_t began) const {
  const std::uint64_t took = consumed() - std::min(consumed(), began) + kBlock;
  return unpacked > kAnyRatio + limits_.ratio * took ||
         given_ > kAnyRatio + limits_.ratio * packed_;
}

std::optional<Refusal> Unpacking::give(const std::string& name) {
  const std::uint64_t began = consumed();
  std::uint64_t unpacked = 0;
  for (;;) {
    const la_ssize_t got = archive_read_data(open_.get(), block_.data(), block_.size());
    if (got == 0) return std::nullopt;
    if (got < 0) {
      tell(name, "archive_entry_damaged");
      return std::nullopt;
    }
    unpacked += static_cast<std::uint64_t>(got);
    given_ += static_cast<std::uint64_t>(got);
    if (given_ > limits_.bytes) {
      tell(name, "archive_entry_too_large");  // what was given of it is not all of it
      return Refusal{"archive_too_large", ""};
    }
    const char* wrong = unpacked > limits_.entry_bytes ? "archive_entry_too_large"
                        : is_bomb(unpacked, began)     ? "archive_entry_bomb"
                                                       : "";
    if (*wrong != '\0') {
      given_ -= unpacked;  // those behind it are not to pay for it
      tell(name, wrong);
      return std::nullopt;
    }
    send(media::frame_head(limits_.item, Is::data),
         std::string_view(block_.data(), static_cast<std::size_t>(got)));
  }
}

std::optional<Refusal> Unpacking::run() {
  archive_entry* entry = nullptr;
  for (;;) {
    const int read = archive_read_next_header(open_.get(), &entry);
    if (read == ARCHIVE_EOF) return std::nullopt;
    if (read < ARCHIVE_WARN) {
      return Refusal{any_ ? "archive_damaged" : "archive_format", said_by(open_.get())};
    }
    any_ = true;
    if (archive_entry_filetype(entry) == AE_IFDIR) continue;
    if (index_ >= limits_.entries) return Refusal{"archive_too_many", ""};
    const std::string name = name_of(entry);
    const char* wrong = wrong_with(entry, name, limits_);
    tell(name, wrong);
    if (*wrong == '\0') {
      auto refused = give(name);
      if (refused) return refused;
    }
    ++index_;
  }
}

}  // namespace

void warm_archives() {
  std::setlocale(LC_CTYPE, "C.UTF-8");
}

std::optional<Refusal> unpack(const Json& order, int file) {
  struct stat about{};
  if (::fstat(file, &about) != 0 || about.st_size == 0) return Refusal{"file_empty", ""};
  if (::lseek(file, 0, SEEK_SET) != 0) return Refusal{"archive_format", "it cannot be read anew"};
  Limits limits;
  limits.item = count_field(order, "item");
  limits.entries = count_field(order, "entries_max");
  limits.entry_bytes = count_field(order, "entry_max");
  limits.bytes = count_field(order, "bytes_max");
  limits.ratio = count_field(order, "ratio_max");
  Archive open = new_archive();
  if (!open) return Refusal{"decoder_memory", ""};
  if (archive_read_open_fd(open.get(), file, kBlock) < ARCHIVE_WARN) {
    return Refusal{"archive_format", said_by(open.get())};
  }
  Unpacking unpacking(std::move(open), limits, static_cast<std::uint64_t>(about.st_size));
  auto refused = unpacking.run();
  if (!refused) child::end_with(media::frame_head(limits.item, Is::end));
  return refused;
}

}  // namespace mainstay::decoder
