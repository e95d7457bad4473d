// Multipart events to memory or to blocks on the shelf.
#include "api/audio_form.h"

#include <algorithm>

#include "api/gate.h"
#include "base/text.h"
#include "storage/shelf.h"

namespace mainstay::api {
namespace {

constexpr std::size_t kInMemory = 1 << 20;  ///< a recording up to this size never sees the disk
constexpr std::size_t kBlock = 512 * 1024;
constexpr std::size_t kFieldsMax = 24;
constexpr const char* kFile = "file";

Error bad_form(const char* reason, const std::string& sentence, const std::string& param) {
  return Error::say(Errc::invalid, reason, sentence, param);
}

/// Fields of which a list may be sent.
bool is_list(std::string_view name) {
  return name.ends_with("[]");
}

}  // namespace

AudioForm::~AudioForm() {
  if (!shelf_name_.empty()) rooms_.shelf->drop(shelf_name_);
}

const std::vector<std::string>& AudioForm::values(std::string_view name) const noexcept {
  static const std::vector<std::string> none;
  const auto found = fields_.find(name);
  return found == fields_.end() ? none : found->second;
}

const std::string& AudioForm::field(std::string_view name) const noexcept {
  static const std::string none;
  const auto& all = values(name);
  return all.empty() ? none : all.back();
}

Result<std::string*> AudioForm::begin_field(const std::string& name) {
  auto& all = fields_[std::string(cut_utf8(name, 64))];
  if (!all.empty() && !is_list(name)) {
    return bad_form("duplicate_field",
                    "The form gives '" + std::string(cut_utf8(name, 64)) + "' twice.", name);
  }
  if (fields_.size() > kFieldsMax || all.size() > kFieldsMax) {
    return bad_form("too_many", "The form has too many fields.", name);
  }
  all.emplace_back();
  return &all.back();
}

Co<Status> AudioForm::put(Context& context) {
  auto writable = check_writable(rooms_);
  if (!writable.ok()) co_return writable;
  if (shelf_name_.empty()) shelf_name_ = make_id("recording-", rooms_.clock, rooms_.random);
  const std::size_t size = block_.size();
  std::string block = std::move(block_);
  block_ = std::string();
  const Deadline by =
      context.by.sooner(rooms_.clock.now(), rooms_.settings.storage.operation_timeout);
  auto put = co_await rooms_.shelf->put(shelf_name_, stored_, std::move(block), false, by);
  stored_ += size;
  co_return put;
}

Co<Status> AudioForm::take(Context& context, std::string bytes) {
  const AudioSettings& settings = rooms_.settings.audio;
  const std::uint64_t size = stored_ + block_.size() + bytes.size();
  const bool spills = size > kInMemory && rooms_.shelf != nullptr;
  const std::uint64_t most =
      spills ? settings.upload_max.value : std::min(settings.upload_max, settings.memory_max).value;
  if (size > most) {
    co_return Error::say(Errc::too_large, "recording_too_large",
                         "A recording may have at most " + std::to_string(most) +
                             " bytes (audio.upload_max). Send it in parts, or packed as mp3 or "
                             "opus.",
                         kFile);
  }
  block_ += bytes;
  if (!spills || block_.size() < kBlock) co_return done();
  co_return co_await put(context);
}

/// What was received as a recording; its name on the shelf goes at once.
Co<Status> AudioForm::seal(Context& context) {
  if (stored_ == 0) {
    auto kept = models::Recording::in_memory(block_, rooms_.clock);
    block_ = std::string();
    if (!kept.ok()) co_return kept.error();
    recording_ = std::move(*kept);
    co_return done();
  }
  if (!block_.empty()) {
    auto last = co_await put(context);
    if (!last.ok()) co_return last;
  }
  const Deadline by =
      context.by.sooner(rooms_.clock.now(), rooms_.settings.storage.operation_timeout);
  auto content = co_await rooms_.shelf->open_content(shelf_name_, by);
  if (!content.ok()) co_return content.error();
  recording_ = std::make_shared<const models::Recording>(std::move(*content), stored_, rooms_.pool,
                                                         rooms_.clock);
  rooms_.shelf->drop(shelf_name_);
  shelf_name_.clear();
  co_return done();
}

Result<FormParts::Place> AudioForm::begin(const PartHead& head) {
  Place out;
  out.file = head.name == kFile;
  if (!out.file) {
    auto field = begin_field(head.name);
    if (!field.ok()) return field.error();
    out.text = *field;
    return out;
  }
  if (has_file_) return bad_form("duplicate_field", "The form holds two files.", kFile);
  has_file_ = true;
  name_ = shown_file_name(head.file_name);
  mime_ = std::string(cut_utf8(head.content_type, 100));
  return out;
}

Co<Status> AudioForm::receive(Context& context) {
  auto whole = co_await read_form(context, *this, rooms_.settings.audio.upload_max, kFile);
  if (!whole.ok()) co_return whole;
  if (!has_file_) co_return bad_form("missing_field", "The form holds no 'file'.", kFile);
  if (stored_ + block_.size() == 0) {
    co_return bad_form("empty_audio", "The recording is empty.", kFile);
  }
  co_return co_await seal(context);
}

}  // namespace mainstay::api
