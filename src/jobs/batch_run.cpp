// Validation, feeding, collecting, ending.
#include "jobs/batch_run.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <unordered_set>

#include "base/json_fields.h"
#include "base/text.h"

namespace mainstay::jobs {
namespace {

constexpr std::size_t kFaultsMax = 50;
constexpr std::size_t kUnsavedBytes = 256 * 1024;
constexpr std::uint32_t kUnsavedMax = 64;
constexpr std::uint32_t kListed = 100;  ///< jobs on one page
constexpr std::size_t kAheadMax = 4 * 1024 * 1024;
constexpr auto kRetry = std::chrono::seconds(1);
constexpr std::string_view kItemKind = "batch_item";

/// Whom the items run for: the owner, with the rights that they need and had at the order.
admission::Caller caller_of(const storage::Owner& owner, const BatchRecord& record) {
  admission::Caller out;
  out.owner = owner;
  out.key = record.key;
  out.limits.tokens_per_minute = record.tokens_per_minute;
  out.limits.tokens_per_day = record.tokens_per_day;
  out.scopes = {admission::Scope::chat, admission::Scope::jobs};
  if (record.documents) {
    out.scopes = {admission::Scope::chat, admission::Scope::jobs, admission::Scope::knowledge};
  }
  return out;
}

/// The number at the end of an item's key.
std::optional<std::uint64_t> index_of(const std::string& key) {
  const auto colon = key.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  std::uint64_t out = 0;
  const char* end = key.data() + key.size();
  const auto [stop, failed] = std::from_chars(key.data() + colon + 1, end, out);
  if (failed != std::errc() || stop != end) return std::nullopt;
  return out;
}

/// The queue or the disk is full, the store is away, the owner's tokens are used up: the item's
/// turn comes later.
bool may_pass(const Error& error) noexcept {
  if (error.reason == "tokens_limited" && error.retry_after == Duration::zero()) return false;
  return error.code == Errc::unavailable || error.code == Errc::over_limit ||
         error.code == Errc::deadline || error.code == Errc::disk_full ||
         error.code == Errc::cancelled;
}

std::string custom_id_of(const storage::Job& job) {
  auto input = parse_json(job.job.input);
  return input.ok() ? string_field(*input, "custom_id") : std::string();
}

}  // namespace

Deadline BatchRun::soon() const {
  return Deadline::in(parts_.clock, parts_.settings.storage.operation_timeout);
}

void BatchRun::enter(BatchStatus status) {
  record_.status = status;
  record_.since[static_cast<std::size_t>(status)] = parts_.clock.wall();
}

bool BatchRun::stops() const {
  return record_.status == BatchStatus::cancelling || parts_.clock.wall() >= record_.expires;
}

/// For what a batch that stops did not carry out.
ItemLine BatchRun::stopped_line(std::uint64_t index, const std::string& custom_id) const {
  const bool cancelled = record_.status == BatchStatus::cancelling;
  return error_line(row_.id, index, custom_id, cancelled ? "batch_cancelled" : "batch_expired",
                    std::string("The batch ") + (cancelled ? "was cancelled" : "expired") +
                        " before this request was carried out.");
}

Co<Status> BatchRun::run() {
  auto went = co_await go_on();
  if (went.ok() || went.error().code != Errc::corrupt) co_return went;
  parts_.log.error("batch.damaged", {{"batch", row_.id.text()}, {"why", went.error().detail}});
  auto ended = co_await end_damaged();
  co_return ended;
}

/// What is damaged stays so: begun anew, the batch would stop at the same place for ever.
Co<Status> BatchRun::end_damaged() {
  output_.clear();
  errors_.clear();
  auto stopped = co_await cancel_items();
  if (!stopped.ok()) co_return stopped;
  // What is given out is what is there.
  auto kept = co_await parts_.shelf.size(output_id(row_.id), soon());
  record_.output_bytes = std::min(record_.output_bytes, kept.ok() ? *kept : 0);
  kept = co_await parts_.shelf.size(error_id(row_.id), soon());
  record_.error_bytes = std::min(record_.error_bytes, kept.ok() ? *kept : 0);
  note_fault(0, {"batch_damaged", "What was kept of the batch on the server is damaged.", ""});
  auto finished = co_await finish();
  co_return finished;
}

Co<Status> BatchRun::go_on() {
  if (record_.status == BatchStatus::validating) {
    auto valid = co_await validate();
    if (!valid.ok()) co_return valid;
  }
  if (record_.status == BatchStatus::in_progress || record_.status == BatchStatus::cancelling) {
    auto fed = co_await feed();
    if (!fed.ok()) co_return fed;
  }
  if (ended(record_.status)) co_return done();
  auto finished = co_await finish();
  co_return finished;
}

void BatchRun::note_fault(std::uint64_t line, LineFault fault) {
  if (record_.errors.size() >= kFaultsMax) return;
  Json one = {
      {"code", fault.code}, {"line", nullptr}, {"message", fault.message}, {"param", nullptr}};
  if (line > 0) one["line"] = line;
  if (!fault.param.empty()) one["param"] = fault.param;
  record_.errors.push_back(std::move(one));
}

Co<Status> BatchRun::check_lines(InputLines& lines) {
  std::unordered_set<std::string> seen;
  for (;;) {
    auto line = co_await lines.next(soon());
    if (!line.ok()) co_return line.error();
    if (!line->has_value()) break;
    const InputLine& one = **line;
    auto read = read_line(one.text, record_.endpoint);
    if (read.fault) {
      note_fault(one.number, std::move(*read.fault));
    } else if (!seen.insert(sha256_hex(read.line.custom_id).substr(0, 32)).second) {
      note_fault(one.number,
                 {"duplicate_custom_id", "The 'custom_id' was used before.", "custom_id"});
    }
    if (++record_.total > parts_.settings.batches.requests_max) {
      note_fault(one.number, {"too_many_tasks",
                              "A batch may have at most " +
                                  std::to_string(parts_.settings.batches.requests_max) +
                                  " requests (batches.requests_max).",
                              ""});
      break;
    }
  }
  if (record_.total == 0) note_fault(0, {"empty_file", "The input holds no request.", ""});
  co_return done();
}

/// The whole input, before anything of it runs.
Co<Status> BatchRun::validate() {
  record_.errors = Json::array();
  record_.total = 0;
  InputLines lines(parts_.shelf, record_.input_file, 0,
                   static_cast<std::size_t>(parts_.settings.batches.line_max.value));
  auto checked = co_await check_lines(lines);
  if (!checked.ok()) {
    const Error& error = checked.error();
    if (may_pass(error)) co_return checked;
    note_fault(lines.number() + (error.code == Errc::too_large ? 1 : 0),
               {error.reason.empty() ? "input_unreadable" : error.reason, error.message, ""});
  }
  const bool valid = record_.errors.empty();
  enter(valid ? BatchStatus::in_progress : BatchStatus::failed);
  row_.open = valid;
  if (!valid) record_.total = 0;
  auto saved = co_await save();
  co_return saved;
}

Co<Status> BatchRun::feed() {
  InputLines lines(parts_.shelf, record_.input_file, record_.offset,
                   static_cast<std::size_t>(parts_.settings.batches.line_max.value));
  handed_in_ = record_.collected;
  auto found = co_await find_items(lines);
  if (!found.ok()) co_return found;
  while (record_.collected < lines_wanted()) {
    if (given_up_) co_return Error::log(Errc::conflict, "the batch is being cancelled");
    Status went;
    if (!stops()) {
      went = co_await fill(lines);
    } else {
      went = co_await cancel_items();
      if (went.ok() && items_.empty()) went = co_await skip_rest(lines);
    }
    if (!went.ok()) co_return went;
    went = co_await collect();
    if (!went.ok()) co_return went;
    if (record_.collected >= lines_wanted()) break;
    went = co_await wait_for_first();
    if (!went.ok()) co_return went;
  }
  if (lost_) {
    note_fault(0, {"input_unreadable",
                   "The input could not be read to its end. What was carried out before stands in "
                   "the output file.",
                   ""});
  }
  // A save that moves the batch on, with the last lines.
  if (record_.status != BatchStatus::cancelling) enter(BatchStatus::finalizing);
  auto saved = co_await save();
  co_return saved;
}

/// The jobs of this batch whose outcome is not collected, as the store knows them.
Co<Result<std::vector<storage::Job>>> BatchRun::uncollected() {
  std::vector<storage::Job> out;
  storage::JobFilter filter;
  filter.owner = row_.owner;
  filter.batch = row_.id.text();
  storage::JobId after;
  for (bool more = true; more;) {
    auto page = co_await parts_.stores.jobs().list(filter, after, kListed, soon());
    if (!page.ok()) co_return page.error();
    more = page->more && !page->items.empty();
    for (auto& one : page->items) {
      after = one.job.id;
      const auto index = index_of(one.job.key);
      // Newest first: what comes behind has its line already.
      if (index && *index < record_.collected) more = false;
      if (index && *index >= record_.collected) out.push_back(std::move(one));
    }
  }
  co_return out;
}

/// Items that an earlier run handed in: a batch that is stopped must not take them for new ones.
Co<Status> BatchRun::find_items(InputLines& lines) {
  auto jobs = co_await uncollected();
  if (!jobs.ok()) co_return jobs.error();
  std::map<std::uint64_t, storage::JobId> known;
  for (auto& one : *jobs) known[*index_of(one.job.key)] = one.job.id;
  for (auto it = known.find(handed_in_); it != known.end(); it = known.find(handed_in_)) {
    auto held = co_await hold_line(lines);
    if (!held.ok()) co_return held;
    Item item;
    item.job = it->second;
    item.end = items_.empty() ? record_.offset : items_.back().end;
    if (held_) {
      item.custom_id = read_line(held_->text, record_.endpoint).line.custom_id;
      item.end = held_->end;
    }
    items_.push_back(std::move(item));
    held_.reset();
    ++handed_in_;
  }
  co_return done();
}

Co<Status> BatchRun::fill(InputLines& lines) {
  while (items_.size() < parts_.settings.batches.outstanding && handed_in_ < lines_wanted()) {
    auto read = co_await hold_line(lines);
    if (!read.ok() || lost_) co_return read;
    auto handed = co_await hand_in(*held_);
    if (handed.ok()) {
      held_.reset();
      continue;
    }
    if (!items_.empty()) co_return done();  // an end of its own items will wake it
    auto waited = co_await wait_for_room();
    co_return waited;
  }
  co_return done();
}

/// Until the item that was refused may be handed in, or the batch is cancelled.
Co<Status> BatchRun::wait_for_room() {
  auto& signal = parts_.stores.signal();
  const std::string topic = std::string(kBatchTopic) + ":" + row_.id.text();
  waits_for_ = topic;
  auto place = co_await signal.place(topic, soon());
  if (!place.ok()) co_return place.error();
  if (given_up_) co_return done();
  const bool begins = refused_ && !rests_;
  rests_ = refused_;
  if (begins) {
    auto told = co_await signal.tell(std::string(kBatchTopic), "rests", "{}", soon());
    if (!told.ok()) co_return told.error();
  }
  auto heard = co_await signal.hear(topic, *place, Deadline::in(parts_.clock, pause_));
  if (!heard.ok()) co_return heard.error();
  co_return done();
}

/// The next line that was not handed in; none when the input is lost: it was removed or changed
/// behind our back, and no later attempt would read more of it.
Co<Status> BatchRun::hold_line(InputLines& lines) {
  if (held_ || lost_) co_return done();
  auto line = co_await lines.next(soon());
  if (!line.ok() && may_pass(line.error())) co_return line.error();
  if (line.ok() && line->has_value()) {
    held_ = std::move(*line);
    co_return done();
  }
  lost_ = true;
  parts_.log.error("batch.input_lost",
                   {{"batch", row_.id.text()},
                    {"why", line.ok() ? std::string("it became shorter") : line.error().detail}});
  co_return done();
}

/// The same key for the same item, however often: a repeated one gives the first job. An error
/// here means that the item could not be handed in yet.
Co<Status> BatchRun::hand_in(const InputLine& line) {
  auto read = read_line(line.text, record_.endpoint);
  Item item;
  item.custom_id = read.line.custom_id;
  item.end = line.end;
  Order order;
  order.kind = std::string(kItemKind);
  order.input = {{"custom_id", read.line.custom_id},
                 {"url", read.line.url},
                 {"body", std::move(read.line.body)}};
  order.key = row_.id.text() + ":" + std::to_string(handed_in_);
  order.batch = row_.id.text();
  order.expires = record_.expires;
  auto submitted =
      co_await parts_.desk.submit_own(caller_of(row_.owner, record_), std::move(order), soon());
  refused_ = !submitted.ok() && submitted.error().code == Errc::over_limit;
  rests_ = rests_ && refused_;
  if (submitted.ok()) {
    item.job = submitted->id;
  } else if (!may_pass(submitted.error())) {
    const Error& why = submitted.error();
    item.line =
        error_line(row_.id, handed_in_, item.custom_id,
                   why.reason.empty() ? std::string(name(why.code)) : why.reason, why.message);
  } else {
    pause_ = std::clamp<Duration>(submitted.error().retry_after, kRetry,
                                  parts_.settings.batches.recheck);
    co_return submitted.error();
  }
  items_.push_back(std::move(item));
  ++handed_in_;
  co_return done();
}

/// What was never handed in when the batch is stopped.
Co<Status> BatchRun::skip_rest(InputLines& lines) {
  while (handed_in_ < lines_wanted()) {
    auto held = co_await hold_line(lines);
    if (!held.ok() || lost_) co_return held;
    const auto read = read_line(held_->text, record_.endpoint);
    take_line(stopped_line(handed_in_, read.line.custom_id), held_->end);
    held_.reset();
    ++handed_in_;
    if (output_.size() + errors_.size() < kUnsavedBytes) continue;
    auto saved = co_await save();
    if (!saved.ok()) co_return saved;
  }
  co_return done();
}

Co<Status> BatchRun::cancel_items() {
  if (cancelled_items_) co_return done();
  cancelled_items_ = true;
  auto jobs = co_await uncollected();
  if (!jobs.ok()) co_return jobs.error();
  for (const auto& one : *jobs) {
    if (storage::ended(one.state)) continue;
    auto caller = caller_of(row_.owner, record_);
    auto cancelled = co_await parts_.desk.cancel(std::move(caller), one.job.id, soon());
    if (!cancelled.ok() && may_pass(cancelled.error())) co_return cancelled.error();
  }
  co_return done();
}

void BatchRun::take_line(ItemLine line, std::uint64_t end) {
  (line.is_error ? errors_ : output_) += line.text;
  (line.is_error ? record_.failed : record_.completed) += 1;
  ++record_.collected;
  ++unsaved_;
  record_.offset = end;
}

/// Fills in how an item ended, if it has.
Co<Status> BatchRun::look_at(std::size_t place) {
  Item& item = items_[place];
  if (item.line) co_return done();
  const std::uint64_t index = record_.collected + place;
  auto job = co_await parts_.stores.jobs().get(row_.owner, item.job, soon());
  if (job.ok()) {
    if (item.custom_id.empty()) item.custom_id = custom_id_of(*job);
    if (storage::ended(job->state)) {
      const bool with_batch = stops() && job->state == storage::JobState::cancelled;
      item.line = with_batch ? stopped_line(index, item.custom_id) : line_of(item.custom_id, *job);
    }
  } else if (may_pass(job.error())) {
    co_return job.error();
  } else {
    item.line = error_line(row_.id, index, item.custom_id, "result_lost",
                           "The request's job was deleted, or kept for too short a time "
                           "(jobs.keep_results), before its result was collected.");
  }
  co_return done();
}

/// Several times while the store keeps an answer.
Duration BatchRun::ahead_pause() const {
  return Duration(parts_.settings.jobs.keep_results) / 4;
}

/// Takes what has ended behind a slow first item before the store forgets it. The lines wait for
/// their turn in memory, so they are few: what is above the bound stays with the store.
Co<Status> BatchRun::look_ahead() {
  const TimePoint now = parts_.clock.now();
  if (looked_ahead_ != TimePoint{} && now - looked_ahead_ < ahead_pause()) co_return done();
  looked_ahead_ = now;
  std::size_t held = 0;
  for (const auto& item : items_) held += item.line ? item.line->text.size() : 0;
  for (std::size_t place = 1; place < items_.size() && held < kAheadMax; ++place) {
    if (items_[place].line) continue;
    auto looked = co_await look_at(place);
    if (!looked.ok()) co_return looked;
    if (items_[place].line) held += items_[place].line->text.size();
  }
  co_return done();
}

/// In the order of the input, so that one number says what is done.
Co<Status> BatchRun::collect() {
  while (!items_.empty()) {
    auto looked = co_await look_at(0);
    if (!looked.ok()) co_return looked;
    if (!items_.front().line) break;
    take_line(std::move(*items_.front().line), items_.front().end);
    items_.pop_front();
    if (output_.size() + errors_.size() < kUnsavedBytes && unsaved_ < kUnsavedMax) continue;
    auto saved = co_await save();
    if (!saved.ok()) co_return saved;
  }
  co_return done();
}

Co<Status> BatchRun::wait_for_first() {
  if (items_.empty()) co_return done();
  if (unsaved_ > 0) {
    auto saved = co_await save();
    if (!saved.ok()) co_return saved;
  }
  auto ahead = co_await look_ahead();
  if (!ahead.ok()) co_return ahead;
  const std::string topic = topic_of(items_.front().job);
  waits_for_ = topic;
  auto place = co_await parts_.stores.signal().place(topic, soon());
  if (!place.ok()) co_return place.error();
  auto looked = co_await look_at(0);
  if (!looked.ok() || items_.front().line || given_up_) co_return looked;
  // The batch's own end must not be slept through either.
  const auto left = std::chrono::duration_cast<Duration>(record_.expires - parts_.clock.wall());
  Duration wait = std::min<Duration>(parts_.settings.batches.recheck, ahead_pause());
  if (!stops()) wait = std::min(wait, std::max<Duration>(left, kRetry));
  auto heard = co_await parts_.stores.signal().hear(topic, std::move(*place),
                                                    Deadline::in(parts_.clock, wait));
  if (!heard.ok()) co_return heard.error();
  co_return done();
}

Co<Status> BatchRun::add_file(std::string id, std::string file_name, std::uint64_t size) {
  storage::FileInfo file;
  file.id = storage::FileId(std::move(id));
  file.owner = row_.owner;
  file.name = std::move(file_name);
  file.purpose = "batch_output";
  file.size = size;
  file.created = parts_.clock.wall();
  Duration keep(parts_.settings.files.keep);
  if (record_.output_keep.count() > 0) keep = record_.output_keep;
  file.expires = file.created + std::chrono::duration_cast<WallTime::duration>(keep);
  // Bounded by the input's requests; an answer that was paid for is not refused.
  constexpr auto kAny = std::numeric_limits<std::uint64_t>::max();
  const storage::FileLimits any{kAny, kAny};
  auto added = co_await parts_.stores.files().add(std::move(file), any, soon());
  co_return added;
}

/// The files first: whoever reads that the batch has ended finds them.
Co<Status> BatchRun::finish() {
  const std::string& id = row_.id.text();
  if (record_.output_bytes > 0) {
    record_.output_file = output_id(row_.id);
    auto added = co_await add_file(record_.output_file, id + "_output.jsonl", record_.output_bytes);
    if (!added.ok()) co_return added;
  }
  if (record_.error_bytes > 0) {
    record_.error_file = error_id(row_.id);
    auto added = co_await add_file(record_.error_file, id + "_error.jsonl", record_.error_bytes);
    if (!added.ok()) co_return added;
  }
  const bool was_cancelled = record_.status == BatchStatus::cancelling;
  const bool late =
      record_.since[static_cast<std::size_t>(BatchStatus::finalizing)] >= record_.expires;
  enter(was_cancelled             ? BatchStatus::cancelled
        : late                    ? BatchStatus::expired
        : !record_.errors.empty() ? BatchStatus::failed
                                  : BatchStatus::completed);
  row_.open = false;
  auto saved = co_await save();
  co_return saved;
}

/// Lines first, then the record that says how many bytes of them count.
Co<Status> BatchRun::save() {
  if (!output_.empty()) {
    const std::size_t size = output_.size();
    auto put = co_await parts_.shelf.put(output_id(row_.id), record_.output_bytes,
                                         std::move(output_), true, soon());
    output_.clear();
    if (!put.ok()) co_return put;
    record_.output_bytes += size;
  }
  if (!errors_.empty()) {
    const std::size_t size = errors_.size();
    auto put = co_await parts_.shelf.put(error_id(row_.id), record_.error_bytes, std::move(errors_),
                                         true, soon());
    errors_.clear();
    if (!put.ok()) co_return put;
    record_.error_bytes += size;
  }
  row_.record = record_text(record_);
  auto saved = co_await parts_.stores.batches().save(row_, soon());
  if (!saved.ok()) co_return saved;
  ++row_.version;
  unsaved_ = 0;
  co_return done();
}

}  // namespace mainstay::jobs
