// Multipart events to blocks on the shelf.
#include "api/file_form.h"

#include <algorithm>

#include "api/gate.h"
#include "api/query.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

constexpr std::size_t kBlock = 256 * 1024;  ///< written at once

Error bad_form(const char* reason, const std::string& sentence, const std::string& param) {
  return Error::say(Errc::invalid, reason, sentence, param);
}

}  // namespace

FileRule any_file(const Rooms& rooms) noexcept {
  FileRule out;
  out.most = rooms.settings.files.size_max.value;
  return out;
}

FileForm::FileForm(const Rooms& rooms, std::vector<std::string_view> fields, FileRule rule)
    : rooms_(rooms), rule_(rule), id_(make_id(rule.id_prefix, rooms.clock, rooms.random)) {
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
  if (has_file_) return bad_form("duplicate_field", "The form holds two files.", rule_.field);
  has_file_ = true;
  file_name_ = shown_file_name(file_name);
  return done();
}

Co<Status> FileForm::put(Context& context, bool last) {
  auto writable = check_writable(rooms_);
  if (!writable.ok()) co_return writable;
  const std::size_t size = block_.size();
  hash_.update(block_);
  const Deadline soon =
      context.by.sooner(rooms_.clock.now(), rooms_.settings.storage.operation_timeout);
  auto put = co_await rooms_.shelf->put(id_.text(), size_, std::move(block_), last, soon);
  block_ = std::string();
  size_ += size;
  co_return put;
}

Co<Status> FileForm::take(Context& context, std::string bytes) {
  if (size_ + block_.size() + bytes.size() > rule_.most) {
    co_return Error::say(
        Errc::too_large, "file_too_large",
        "This may have at most " + std::to_string(rule_.most) + " bytes (" + rule_.setting + ").",
        rule_.field);
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

Result<FormParts::Place> FileForm::begin(const PartHead& head) {
  Place out;
  auto place = place_of(head.name);
  if (!place.ok()) return place.error();
  out.text = *place;
  out.file = head.name == rule_.field;
  if (!out.file) return out;
  auto begun = begin_file(head.file_name);
  if (!begun.ok()) return begun.error();
  return out;
}

Co<Status> FileForm::receive(Context& context) {
  auto whole = co_await read_form(context, *this, Bytes(rule_.most), rule_.field);
  if (!whole.ok()) co_return whole;
  if (!has_file_) {
    const std::string field(rule_.field);
    co_return bad_form("missing_field", "The form holds no '" + field + "'.", field);
  }
  auto whole_file = co_await put(context, true);
  digest_ = hash_.hex();
  co_return whole_file;
}

}  // namespace mainstay::api
