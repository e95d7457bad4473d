// The desk of batches, and who works at them.
#include "jobs/batches.h"

#include <algorithm>
#include <set>

#include "base/json_fields.h"
#include "jobs/batch_run.h"
#include "storage/file_says.h"

namespace mainstay::jobs {
namespace {

constexpr auto kDay = std::chrono::hours(24);
constexpr auto kTidy = std::chrono::minutes(1);
constexpr auto kPause = std::chrono::seconds(1);
constexpr std::uint32_t kOver = 64;  ///< ended files removed at once
constexpr std::uint32_t kOpenMax = 10'000;
constexpr std::uint32_t kLookedAt = 1000;  ///< open batches, each time
constexpr int kTries = 20;                 ///< to change a record that its run changes too
constexpr std::size_t kMetadataMax = 16;
constexpr std::size_t kKeyMax = 64;
constexpr std::size_t kValueMax = 512;

Error invalid(const char* reason, const char* sentence, const char* param) {
  return Error::say(Errc::invalid, reason, sentence, param);
}

Status check_metadata(const Json& metadata) {
  if (metadata.is_null()) return done();
  bool fits = metadata.is_object() && metadata.size() <= kMetadataMax;
  for (auto it = metadata.begin(); fits && it != metadata.end(); ++it) {
    fits = it.key().size() <= kKeyMax && it->is_string() &&
           it->get_ref<const std::string&>().size() <= kValueMax;
  }
  if (fits) return done();
  return invalid("invalid_metadata",
                 "'metadata' is an object of at most 16 texts: names of up to 64 bytes, values of "
                 "up to 512.",
                 "metadata");
}

Status check_order(const BatchOrder& order) {
  if (order.endpoint != "/v1/chat/completions") {
    return invalid("invalid_value", "'endpoint' must be /v1/chat/completions.", "endpoint");
  }
  if (order.window != "24h") {
    return invalid("invalid_value", "'completion_window' must be 24h.", "completion_window");
  }
  return check_metadata(order.metadata);
}

Result<BatchView> view_of(const storage::BatchRow& row) {
  auto record = record_of(row.record);
  if (!record.ok()) return record.error();
  return BatchView{row.id, std::move(*record)};
}

}  // namespace

Co<Result<BatchView>> BatchDesk::create(admission::Caller caller, BatchOrder order,
                                        storage::BatchId id, Deadline by) {
  auto fine = check_order(order);
  if (!fine.ok()) co_return fine.error();
  auto file = co_await stores_.files().get(caller.owner, storage::FileId(order.input_file), by);
  if (!file.ok()) co_return file.error();
  if (file->purpose != "batch") {
    co_return invalid("invalid_value", "The input file's purpose must be batch.", "input_file_id");
  }
  BatchRecord record;
  record.input_file = std::move(order.input_file);
  record.endpoint = std::move(order.endpoint);
  record.window = std::move(order.window);
  record.metadata = std::move(order.metadata);
  record.output_keep = order.output_keep;
  record.documents = caller.scopes.has(admission::Scope::knowledge);
  record.key = caller.key;
  record.tokens_per_minute = caller.limits.tokens_per_minute;
  record.tokens_per_day = caller.limits.tokens_per_day;
  record.created = clock_.wall();
  record.expires = record.created + std::chrono::duration_cast<WallTime::duration>(kDay);
  record.since[static_cast<std::size_t>(BatchStatus::validating)] = record.created;
  storage::BatchRow row;
  row.id = id.empty() ? storage::BatchId(make_id("batch_", clock_, random_)) : std::move(id);
  row.owner = caller.owner;
  row.created = record.created;
  row.record = record_text(record);
  const storage::BatchId made = row.id;
  auto added = co_await stores_.batches().add(std::move(row), settings_.owner_open_max, by);
  if (!added.ok()) co_return added.error();
  auto told = co_await stores_.signal().tell(std::string(kBatchTopic), "new", "{}", by);
  if (!told.ok()) co_return told.error();
  auto view = co_await get(caller.owner, made, by);
  co_return view;
}

Co<Result<BatchView>> BatchDesk::get(storage::Owner owner, storage::BatchId id, Deadline by) {
  auto row = co_await stores_.batches().get(std::move(owner), std::move(id), by);
  if (!row.ok()) co_return row.error();
  co_return view_of(*row);
}

Co<Result<PageOfBatchViews>> BatchDesk::list(storage::Owner owner, storage::BatchId after,
                                             std::uint32_t limit, Deadline by) {
  auto page = co_await stores_.batches().list(std::move(owner), std::move(after), limit, by);
  if (!page.ok()) co_return page.error();
  PageOfBatchViews out;
  out.more = page->more;
  for (const auto& row : page->items) {
    auto view = view_of(row);
    if (!view.ok()) co_return view.error();
    out.items.push_back(std::move(*view));
  }
  co_return out;
}

Co<Result<BatchView>> BatchDesk::cancel(storage::Owner owner, storage::BatchId id, Deadline by) {
  Error last = storage::batch_changed();
  for (int i = 0; i < kTries && last.reason == "batch_changed"; ++i) {
    auto row = co_await stores_.batches().get(owner, id, by);
    if (!row.ok()) co_return row.error();
    auto view = view_of(*row);
    if (!view.ok()) co_return view.error();
    BatchRecord& record = view->record;
    if (record.status == BatchStatus::cancelling) co_return view;
    if (ended(record.status) || record.status == BatchStatus::finalizing) {
      co_return Error::say(Errc::conflict, "batch_ended",
                           "The batch has ended, so it cannot be cancelled.");
    }
    // Nothing of it was validated yet: there is nothing to collect.
    const bool early = record.status == BatchStatus::validating;
    record.status = early ? BatchStatus::cancelled : BatchStatus::cancelling;
    record.since[static_cast<std::size_t>(BatchStatus::cancelling)] = clock_.wall();
    record.since[static_cast<std::size_t>(record.status)] = clock_.wall();
    row->open = !early;
    row->record = record_text(record);
    auto saved = co_await stores_.batches().save(std::move(*row), by);
    if (saved.ok()) {
      auto told = co_await stores_.signal().tell(std::string(kBatchTopic), "cancel", "{}", by);
      if (!told.ok()) co_return told.error();
      co_return view;
    }
    last = saved.error();
  }
  co_return last;
}

Co<Result<bool>> is_read(storage::Batches& batches, storage::Owner owner, storage::FileId file,
                         Deadline by) {
  auto rows = co_await batches.open_of(std::move(owner), kOpenMax, by);
  if (!rows.ok()) co_return rows.error();
  for (const auto& row : *rows) {
    const auto record = record_of(row.record);
    if (record.ok() && record->input_file == file.text()) co_return true;
  }
  co_return false;
}

BatchFeeder::BatchFeeder(FeederParts parts, Executor executor)
    : parts_(parts),
      tasks_(parts.clock, executor,
             [&log = parts.log](const std::string& task, const std::string& what) {
               log.error("batches.task_threw", {{"task", task}, {"what", what}});
             }) {}
BatchFeeder::~BatchFeeder() = default;

Deadline BatchFeeder::soon() const {
  return Deadline::in(parts_.clock, parts_.settings.storage.operation_timeout);
}

void BatchFeeder::start() {
  tasks_.spawn("batches", lead());
}

Co<> BatchFeeder::close() {
  co_await tasks_.close();
}

/// Looks when it is told to, and at the latest after batches.recheck.
Co<> BatchFeeder::lead() {
  auto& signal = parts_.stores.signal();
  const std::string topic(kBatchTopic);
  Result<std::string> place = std::string();
  for (;;) {
    if (!place.ok() || place->empty()) place = co_await signal.place(topic, soon());
    auto looked = co_await look();
    co_await tidy();
    if (!place.ok() || !looked.ok()) {
      parts_.log.warn("batches.look_failed",
                      {{"error", place.ok() ? looked.error().detail : place.error().detail}});
      const bool slept = co_await sleep(parts_.clock, kPause);
      if (!slept) co_return;
      continue;
    }
    const auto until = Deadline::in(parts_.clock, parts_.settings.batches.recheck);
    auto heard = co_await signal.hear(topic, *place, until);
    if (!heard.ok()) {
      parts_.log.debug("batches.news", {{"error", heard.error().detail}});
    } else if (!heard->news.empty()) {
      place = heard->news.back().at;
    } else if (heard->missed) {
      place->clear();
    }
  }
}

Co<Status> BatchFeeder::look() {
  auto rows = co_await parts_.stores.batches().open(
      std::max(parts_.settings.batches.at_once, kLookedAt), soon());
  if (!rows.ok()) co_return rows.error();
  std::size_t place = 0;
  for (auto& row : *rows) {
    const auto known = running_.find(row.id);
    const bool rests = known != running_.end() && known->second->rests();
    co_await look_at(std::move(row), place);
    if (!rests) ++place;
  }
  co_return done();
}

/// A user of whom none is worked at does not wait for another's slow ones but begins beside them,
/// so that there are less than twice as many. Those that rest take no place.
bool BatchFeeder::may_begin(const storage::Owner& owner, std::size_t place) const {
  const std::size_t most = parts_.settings.batches.at_once;
  const auto theirs = [&](const auto& one) { return one.second->owner() == owner; };
  const auto works = [](const auto& one) { return !one.second->rests(); };
  if (place >= most) return false;
  const auto at_work = std::count_if(running_.begin(), running_.end(), works);
  return static_cast<std::size_t>(at_work) < most ||
         std::none_of(running_.begin(), running_.end(), theirs);
}

Co<> BatchFeeder::look_at(storage::BatchRow row, std::size_t place) {
  auto record = record_of(row.record);
  if (!record.ok()) {
    parts_.log.error("batches.record", {{"batch", row.id.text()}});
    co_return;
  }
  const auto found = running_.find(row.id);
  if (found == running_.end()) {
    // One that has begun goes on: its jobs are out, and their answers are not kept for ever.
    const bool begun = record->status != BatchStatus::validating;
    if (!begun && !may_begin(row.owner, place)) co_return;
    const storage::BatchId id = row.id;
    auto run = std::make_shared<BatchRun>(parts_, std::move(row), std::move(*record));
    running_.emplace(id, run);
    tasks_.spawn("batch " + id.text(), work_at(id, run));
    co_return;
  }
  const auto run = found->second;
  if (record->status != BatchStatus::cancelling || run->cancels()) co_return;
  run->give_up();
  if (run->waits_for().empty()) co_return;
  auto told = co_await parts_.stores.signal().tell(run->waits_for(), "batch", "{}", soon());
  if (!told.ok()) parts_.log.debug("batches.news", {{"error", told.error().detail}});
}

Co<> BatchFeeder::work_at(storage::BatchId id, std::shared_ptr<BatchRun> run) {
  auto ended = co_await run->run();
  if (!ended.ok()) {
    parts_.log.info("batch.begun_anew", {{"batch", id.text()}, {"why", ended.error().detail}});
    if (ended.error().code != Errc::conflict) {
      [[maybe_unused]] const bool slept = co_await sleep(parts_.clock, kPause);
    }
  }
  running_.erase(id);
  auto told = co_await parts_.stores.signal().tell(std::string(kBatchTopic), "next", "{}", soon());
  if (!told.ok()) parts_.log.debug("batches.news", {{"error", told.error().detail}});
}

/// Removes what was kept long enough: files, batches, replies.
Co<> BatchFeeder::tidy() {
  const TimePoint now = parts_.clock.now();
  if (tidied_ != TimePoint{} && now - tidied_ < kTidy) co_return;
  tidied_ = now;
  auto over = co_await remove_over();
  const auto before = parts_.clock.wall() - std::chrono::duration_cast<WallTime::duration>(
                                                Duration(parts_.settings.batches.keep));
  auto swept = co_await parts_.stores.batches().sweep(before, soon());
  auto replies = co_await parts_.stores.replies().sweep(soon());
  if (!over.ok() || !swept.ok() || !replies.ok()) parts_.log.debug("batches.tidy_failed", {});
  if (!swept_) co_await sweep_shelf();
}

/// Files whose time is over; those that an open batch reads wait for its end.
Co<Status> BatchFeeder::remove_over() {
  auto open = co_await parts_.stores.batches().open(kOpenMax, soon());
  if (!open.ok()) co_return open.error();
  std::set<std::string> read;
  for (const auto& row : *open) {
    auto record = record_of(row.record);
    if (record.ok()) read.insert(std::move(record->input_file));
  }
  const auto most = kOver + static_cast<std::uint32_t>(read.size());
  auto over = co_await parts_.stores.files().over(most, soon());
  if (!over.ok()) co_return over.error();
  for (const auto& file : *over) {
    if (read.contains(file.id.text())) continue;
    auto erased = co_await parts_.stores.files().erase(file.owner, file.id, soon());
    if (erased.ok()) parts_.shelf.drop(file.id.text());
  }
  co_return done();
}

/// Contents that a crash left without a file, a day old: nothing is under way that long.
Co<> BatchFeeder::sweep_shelf() {
  auto open = co_await parts_.stores.batches().open(kOpenMax, soon());
  auto names = co_await parts_.shelf.older_than(kDay, soon());
  if (!open.ok() || !names.ok()) co_return;
  swept_ = true;
  for (const auto& name : *names) {
    bool needed = false;
    for (const auto& row : *open) {
      needed = needed || name == output_id(row.id) || name == error_id(row.id);
    }
    if (needed) continue;
    auto held = co_await parts_.stores.uploads().holds(name, soon());
    if (!held.ok() || *held) continue;
    auto known = co_await parts_.stores.files().known(storage::FileId(name), soon());
    if (known.ok() && !*known) parts_.shelf.drop(name);
  }
}

}  // namespace mainstay::jobs
