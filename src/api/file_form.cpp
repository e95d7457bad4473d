// Multipart events to blocks on the shelf.
#include "api/file_form.h"

#include <algorithm>

#include "api/gate.h"
#include "api/multipart.h"
#include "api/query.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

constexpr std::size_t kBlock = 256 * 1024;     ///< written at once
constexpr std::uint64_t kFormMax = 64 * 1024;  ///< of a form beside its file
constexpr std::size_t kFieldMax = 4096;

Error bad_form(const char* reason, const std::string& sentence, const std::string& param) {
  return Error::say(Errc::invalid, reason, sentence, param);
}

}  // namespace

FileForm::FileForm(const Rooms& rooms, std::vector<std::string_view> fields)
    : rooms_(rooms), id_(make_id("file-", rooms.clock, rooms.random)) {
  for (const auto name : fields) fields_.emplace(name, "");
}

FileForm::~FileForm() {
  if (!kept_) rooms_.shelf->drop(id_.text());
}

const std::string& FileForm::field(std::string_view name) const noexcept {
  static const std::string none;
  const auto found = fields_.find(name);
  return found == fields_.end() ? none : found->second;
}

Result<std::string*> FileForm::place_of(const std::string& name) {
  const auto found = fields_.find(name);
  if (found == fields_.end()) return static_cast<std::string*>(nullptr);
  if (!found->second.empty()) {
    return bad_form("duplicate_field", "The form gives '" + name + "' twice.", name);
  }
  return &found->second;
}

Status FileForm::begin_file(const std::string& file_name) {
  if (has_file_) return bad_form("duplicate_field", "The form holds two files.", "file");
  has_file_ = true;
  file_name_ = shown_file_name(file_name);
  return done();
}

Co<Status> FileForm::put(Context& context, bool last) {
  auto writable = check_writable(rooms_);
  if (!writable.ok()) co_return writable;
  const std::size_t size = block_.size();
  digest_ = sha256_hex(digest_ + sha256_hex(block_));
  const Deadline soon =
      context.by.sooner(rooms_.clock.now(), rooms_.settings.storage.operation_timeout);
  auto put = co_await rooms_.shelf->put(id_.text(), size_, std::move(block_), last, soon);
  block_ = std::string();
  size_ += size;
  co_return put;
}

/// Full blocks only, so that the digest does not depend on how the bytes came.
Co<Status> FileForm::take(Context& context, std::string bytes) {
  const std::uint64_t most = rooms_.settings.files.size_max.value;
  if (size_ + block_.size() + bytes.size() > most) {
    co_return Error::say(
        Errc::too_large, "file_too_large",
        "A file may have at most " + std::to_string(most) + " bytes (files.size_max).", "file");
  }
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t n = std::min(kBlock - block_.size(), bytes.size() - at);
    block_.append(bytes, at, n);
    at += n;
    if (block_.size() < kBlock) continue;
    auto stored = co_await put(context, false);
    if (!stored.ok()) co_return stored;
  }
  co_return done();
}

Co<Status> FileForm::read(Context& context) {
  auto boundary = boundary_of(context.exchange.head().header("content-type"));
  if (!boundary.ok()) co_return boundary.error();
  Multipart reader(*boundary);
  const Bytes most(rooms_.settings.files.size_max.value + kFormMax);
  std::string* value = nullptr;
  bool in_file = false;
  bool ended = false;
  for (;;) {
    auto event = reader.next();
    if (!event.ok()) co_return event.error();
    if (*event == Multipart::Event::part) {
      in_file = reader.head().name == "file";
      auto place = place_of(reader.head().name);
      if (!place.ok()) co_return place.error();
      value = *place;
      if (in_file) {
        auto begun = begin_file(reader.head().file_name);
        if (!begun.ok()) co_return begun;
      }
    } else if (*event == Multipart::Event::data && in_file) {
      std::string bytes(reader.data());
      auto taken = co_await take(context, std::move(bytes));
      if (!taken.ok()) co_return taken;
    } else if (*event == Multipart::Event::data && value != nullptr) {
      value->append(reader.data());
      if (value->size() > kFieldMax) {
        co_return bad_form("field_too_long", "A field of the form is too long.",
                           reader.head().name);
      }
    } else if (*event == Multipart::Event::more || *event == Multipart::Event::end) {
      ended = *event == Multipart::Event::end;
      auto piece = co_await context.exchange.read_piece(most, context.by);
      if (!piece.ok()) co_return piece.error();
      if (piece->empty()) break;
      reader.feed(*piece);
    }
  }
  if (ended) co_return done();
  co_return bad_form("bad_multipart", "The multipart body ends before its last boundary.", "file");
}

Co<Status> FileForm::receive(Context& context) {
  auto whole = co_await read(context);
  if (!whole.ok()) co_return whole;
  if (!has_file_) co_return bad_form("missing_field", "The form holds no 'file'.", "file");
  co_return co_await put(context, true);
}

}  // namespace mainstay::api
