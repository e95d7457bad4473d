// Frames of an archive as steps. Names are looked at again here: a decoder is not believed.
#include "media/archive.h"

#include <array>

#include "base/json_fields.h"
#include "base/text.h"
#include "media/decoder_rules.h"
#include "media/reasons.h"

namespace mainstay::media {
namespace {

constexpr std::size_t kNameMax = 1024;

struct Reason {
  const char* reason;
  Errc code;
  const char* sentence;
};

constexpr std::array kReasons = {
    Reason{"archive_format", Errc::unsupported,
           "The file is no zip archive, tar archive or gzipped tar archive."},
    Reason{"archive_damaged", Errc::unprocessable, "The archive is cut off or damaged."},
    Reason{"archive_too_many", Errc::too_large,
           "The archive holds more files than archives.entries_max. Send it in parts."},
    Reason{"archive_too_large", Errc::too_large,
           "The files of the archive are larger than archives.bytes_max. Send it in parts."},
    Reason{"archive_entry_kind", Errc::unprocessable,
           "This is a link or a device in the archive, not a file."},
    Reason{"archive_entry_name", Errc::unprocessable,
           "The file's name in the archive leads out of it, is absolute, or cannot be a name."},
    Reason{"archive_entry_encrypted", Errc::unprocessable,
           "The file in the archive is encrypted. Send it without a password."},
    Reason{"archive_entry_too_large", Errc::too_large,
           "The file in the archive is larger than archives.entry_max."},
    Reason{"archive_entry_bomb", Errc::unprocessable,
           "The file in the archive unpacks to more than archives.ratio_max times its size."},
    Reason{"archive_entry_damaged", Errc::unprocessable,
           "The file in the archive is cut off or damaged."},
};

Error archive_error(const std::string& reason, const std::string& detail) {
  for (const auto& known : kReasons) {
    if (reason != known.reason) continue;
    Error error = Error::say(known.code, known.reason, known.sentence);
    error.detail = "decoder: " + reason + ": " + std::string(cut_utf8(to_utf8(detail), 300));
    return error;
  }
  return error_of(reason, detail);
}

Error missing() {
  return Error::say(Errc::unavailable, "decoder_missing",
                    "This server has no decoder for archives: mainstay-decoder is not beside it. "
                    "See media.decoder.");
}

Error busy() {
  return Error::say(Errc::unavailable, "decoders_busy",
                    "Another archive is being unpacked. Try again later.");
}

Error too_slow() {
  return Error::say(Errc::unprocessable, "decoder_deadline",
                    "Unpacking the archive takes longer than media.decoder_deadline.");
}

/// The waiting line of one process.
ChildRules rules_of(const MediaSettings& settings, std::string program) {
  ChildRules out = decoder_rules(settings, std::move(program));
  out.name = "archive";
  out.items = "Archives that decoders worked at";
  out.most = 1;
  out.errors.missing = &missing;
  out.errors.busy = &busy;
  out.errors.slow = &too_slow;
  out.errors.of = &archive_error;
  return out;
}

bool can_be_shown(const std::string& name) {
  return !name.empty() && name.size() <= kNameMax && !has_control_characters(name) && is_utf8(name);
}

bool is_safe(const std::string& name) {
  return can_be_shown(name) && name.front() != '/' &&
         ("/" + name + "/").find("/../") == std::string::npos;
}

}  // namespace

Result<ArchiveStep> Unpacking::begun(const Frame& frame) {
  ArchiveStep out;
  const std::string wrong = string_field(frame.head, "wrong");
  const std::uint64_t index = count_field(frame.head, "entry");
  out.name = string_field(frame.head, "name");
  // A file that turned out wrong on its way is named a second time.
  const bool same = open_ && index + 1 == entries_ && !wrong.empty();
  if (!same && index != entries_) return decoder_failed("entries out of their order");
  out.index = static_cast<std::uint32_t>(index);
  if (!same) ++entries_;
  open_ = wrong.empty();
  out.is = wrong.empty() ? ArchiveStep::Is::entry : ArchiveStep::Is::wrong;
  if (!wrong.empty()) {
    out.error = archive_error(wrong, out.name);
    if (!can_be_shown(out.name)) out.name = "(a name that cannot be shown)";
    return out;
  }
  if (!is_safe(out.name)) return decoder_failed("an entry with a name that leads out");
  return out;
}

Co<Result<ArchiveStep>> Unpacking::next(Deadline by) {
  if (!decoding_) co_return ArchiveStep();
  auto frame = co_await decoding_->next(by);
  const bool last = !frame.ok() || frame->is == Is::end;
  if (last) decoding_.reset();
  if (!frame.ok()) co_return frame.error();
  if (last) co_return ArchiveStep();
  if (frame->is == Is::page) {
    auto step = begun(*frame);
    if (!step.ok()) decoding_.reset();
    co_return step;
  }
  ArchiveStep out;
  out.is = ArchiveStep::Is::data;
  out.index = entries_ - 1;
  out.bytes = std::move(frame->body);
  if (frame->is == Is::data && open_) co_return out;
  decoding_.reset();
  co_return decoder_failed("an archive with something else in it");
}

Archives::Archives(const Settings& settings, std::string program, Clock& clock, Log& log,
                   Metrics& metrics)
    : settings_(settings.archives),
      pool_(rules_of(settings.media, std::move(program)), clock, log, metrics) {}

Co<Result<Unpacking>> Archives::open(resources::Descriptor file, Deadline by) {
  ChildWork work;
  work.file = std::move(file);
  work.order = {{"want", "archive"},
                {"entries_max", settings_.entries_max},
                {"entry_max", settings_.entry_max.value},
                {"bytes_max", settings_.bytes_max.value},
                {"ratio_max", settings_.ratio_max}};
  auto begun = co_await pool_.begin(std::move(work), by, IfBusy::wait);
  if (!begun.ok()) co_return begun.error();
  co_return Unpacking(std::move(*begun));
}

}  // namespace mainstay::media
