// Each verb: the timers first, then step(), then record, book and counts, all under one mutex.
#include "storage/memory/jobs.h"

#include <algorithm>

namespace mainstay::storage::memory {
namespace {

constexpr Duration kUpkeepMin = std::chrono::seconds(1);
constexpr Duration kUpkeepMax = std::chrono::minutes(1);

std::chrono::microseconds whole_micros(Duration d) {
  return std::chrono::ceil<std::chrono::microseconds>(d);
}

Error closed() {
  return Error::say(Errc::unavailable, "storage_closed",
                    "The server is stopping; try again later.");
}

bool fits(const Job& job, const JobFilter& filter) {
  return (!filter.owner || job.job.owner == *filter.owner) &&
         (!filter.state || job.state == *filter.state) &&
         (filter.kind.empty() || job.job.kind == filter.kind) &&
         (filter.batch.empty() || job.job.batch == filter.batch);
}

Job without_payload(Job out) {
  out.job.input.clear();
  out.result.clear();
  return out;
}

}  // namespace

MemoryJobs::MemoryJobs(Clock& clock, const JobLimits& limits, MemoryConversations& conversations)
    : clock_(clock), limits_(limits), conversations_(conversations), book_(limits), work_(clock) {}

/// The record keeps the order as it was: the next occurrence is planned from that.
Job MemoryJobs::shown(const Record& record) {
  Job out = record.job;
  show_times(out.job, record.life);
  return out;
}

MemoryJobs::Record* MemoryJobs::find(const std::optional<Owner>& owner, const JobId& id) {
  const auto found = records_.find(id);
  if (found == records_.end()) return nullptr;
  return owner && found->second.job.job.owner != *owner ? nullptr : &found->second;
}

/// A verb with a lease of an unknown job is late like any other.
Result<MemoryJobs::Record*> MemoryJobs::leased(const Lease& lease) {
  Record* record = find(std::nullopt, lease.id);
  if (record != nullptr) return record;
  ++counts_.stale;
  return stale_lease();
}

// Coming in.

/// The answer when the key, or the id itself, has been handed in before.
std::optional<Result<Submitted>> MemoryJobs::known(const NewJob& job, Now now) {
  const auto answer = [&](const JobId& id, JobState gone) {
    ++counts_.replayed;
    const Record* record = find(job.owner, id);
    return Submitted{id, record != nullptr ? record->job.state : gone, true,
                     book_.waiting(job.owner)};
  };
  if (!job.key.empty()) {
    const auto found = keys_.find({job.owner, job.key});
    if (found != keys_.end()) {
      const Key& key = found->second;
      if (records_.contains(key.id) || key.until > now.wall) {
        if (key.digest != job.digest) return key_reused();
        return answer(key.id, key.last);
      }
      keys_.erase(found);
    }
  }
  const auto same = records_.find(job.id);
  if (same == records_.end()) return std::nullopt;
  const NewJob& first = same->second.job.job;
  if (first.owner == job.owner && first.key == job.key && first.digest == job.digest) {
    return answer(job.id, same->second.job.state);
  }
  return Error::say(Errc::conflict, "already_exists", "Something with this id exists already.");
}

void MemoryJobs::insert(NewJob job, Now now) {
  Record record;
  record.life = first_life(job, now.wall);
  record.n = next_n_++;
  record.job.state = record.life.state;
  record.job.created = now.wall;
  if (!job.key.empty()) {
    keys_[{job.owner, job.key}] =
        Key{job.id, job.digest, now.wall + whole_micros(limits_.keep_keys)};
  }
  JobBook::NewEntry entry;
  entry.id = job.id;
  entry.owner = job.owner;
  entry.kind = job.kind;
  entry.batch = job.batch;
  entry.priority = job.priority;
  entry.life = record.life;
  entry.n = record.n;
  book_.insert(std::move(entry), now.at);
  by_arrival_.emplace(record.n, job.id);
  record.job.job = std::move(job);
  JobId id = record.job.job.id;
  records_.emplace(std::move(id), std::move(record));
  ++counts_.submitted;
}

void MemoryJobs::insert_if_new(NewJob job, Now now) {
  if (!known(job, now)) insert(std::move(job), now);
}

Result<Submitted> MemoryJobs::submit_now(NewJob job, std::uint32_t waiting_max, Now now) {
  run_timers(now);
  auto before = known(job, now);
  if (before) return std::move(*before);
  auto admitted = check_expiry(job, now.wall);
  if (admitted.ok() && !job.follow_up) {
    admitted = book_.admit(job.owner, job.priority, waiting_max, now.at);
  }
  if (!admitted.ok()) return admitted.error();
  Submitted out;
  out.id = job.id;
  const Owner owner = job.owner;
  insert(std::move(job), now);
  out.state = records_.at(out.id).job.state;
  out.waiting = book_.waiting(owner);
  return out;
}

Co<Result<Submitted>> MemoryJobs::submit(NewJob job, std::uint32_t waiting_max, Deadline) {
  Result<Submitted> out;
  {
    std::lock_guard lock(mutex_);
    out = submit_now(std::move(job), waiting_max, now());
  }
  work_.notify();
  co_return out;
}

// Time.

void MemoryJobs::run_timers(Now now) {
  const auto move_by = [&](const JobBook::Entry& entry, JobEvent event) {
    Record& record = records_.at(entry.id);
    JobStep by{event, std::nullopt, now.wall, std::nullopt, limits_.poison_after};
    auto next = step(record.life, by);
    CHECK(next.ok() && !(*next == record.life));  // else this would not end
    Now since = now;
    if (event == JobEvent::due) since.at = back_at(now.at, now.wall, record.life.run_at);
    move(record, *next, since);
    return record.life.state;
  };
  while (const auto* entry = book_.expired(now.wall)) move_by(*entry, JobEvent::expire);
  while (const auto* entry = book_.due(now.wall)) move_by(*entry, JobEvent::due);
  while (const auto* entry = book_.lease_over(now.at)) {
    ++counts_.expired_leases;
    Record& record = records_.at(entry->id);
    record.job.failure = lost_attempt(JobEvent::lease_over);
    move_by(*entry, JobEvent::lease_over);
  }
  while (const auto* entry = book_.expired(now.wall)) move_by(*entry, JobEvent::expire);
}

void MemoryJobs::move(Record& record, const JobLife& life, Now now, TimePoint lease_until) {
  JobBook::Entry& entry = *book_.find(record.job.job.id);
  record.life = life;
  record.job.state = life.state;
  record.job.attempts = life.attempts;
  record.job.token = life.token;
  if (!ended(life.state)) {
    entry.worker = record.job.worker;
    book_.change(entry, life, now.at, lease_until);
    return;
  }
  book_.end(entry, life.state, now.at);
  finished(record, now);
}

WallTime MemoryJobs::kept_until(const Record& record) const {
  const Duration keep =
      record.job.state == JobState::dead ? limits_.keep_dead : limits_.keep_results;
  return record.job.finished + whole_micros(keep);
}

void MemoryJobs::finished(Record& record, Now now) {
  Job& job = record.job;
  job.finished = now.wall;
  ends_.emplace(kept_until(record), job.job.id);
  if (job.state == JobState::dead) ++counts_.died;
  if (!makes_next(job, job.state)) return;
  NewJob next = next_occurrence_of(job.job, job.created, now.wall);
  if (records_.contains(next.id)) return;
  if (!job.job.key.empty()) {
    keys_.erase({job.job.owner, job.job.key});  // it stands for the next one from here on
  }
  insert(std::move(next), now);
}

// Running.

std::vector<Claimed> MemoryJobs::take(const Claim& claim, Now now) {
  run_timers(now);
  std::vector<Claimed> out;
  std::uint32_t of_rationed = 0;
  while (out.size() < claim.slots) {
    const auto* entry = book_.next(claim.kinds, rationed_out(claim, of_rationed));
    if (entry == nullptr) break;
    if (entry->kind() == claim.rationed) ++of_rationed;
    Record& record = records_.at(entry->id);
    auto next = step(record.life, {JobEvent::claim, std::nullopt, now.wall, std::nullopt, 0});
    CHECK(next.ok());
    record.job.worker = claim.worker;
    record.job.started = now.wall;
    move(record, *next, now, now.at + claim.lease);
    ++counts_.claimed;
    out.push_back({shown(record), {record.job.job.id, record.life.token}});
  }
  return out;
}

Co<Result<std::vector<Claimed>>> MemoryJobs::claim(Claim claim, Deadline by) {
  for (;;) {
    const auto seen = work_.version();
    Deadline until = by;
    std::vector<Claimed> taken;
    {
      std::lock_guard lock(mutex_);
      if (closed_) co_return closed();
      const Now moment = now();
      taken = take(claim, moment);
      if (taken.empty() && (claim.slots == 0 || by.passed(moment.at))) co_return taken;
      const auto timer = book_.next_timer(moment.at, moment.wall);
      if (timer) until = by.sooner(Deadline(*timer));
    }
    if (!taken.empty()) {
      work_.notify();  // the others wait for these leases' ends, too
      co_return taken;
    }
    auto woken = co_await work_.wait(seen, until);
    if (!woken && !until.passed(clock_.now())) {
      co_return Error::log(Errc::cancelled, "claim was cancelled");
    }
  }
}

Co<Status> MemoryJobs::extend(Lease lease, Duration by_how_long, Deadline) {
  {
    std::lock_guard lock(mutex_);
    const Now moment = now();
    run_timers(moment);
    auto record = leased(lease);
    if (!record.ok()) co_return record.error();
    Record& one = **record;
    if (one.life.state != JobState::running || one.life.token != lease.token) {
      ++counts_.stale;
      co_return stale_lease();
    }
    move(one, one.life, moment, moment.at + by_how_long);
  }
  work_.notify();
  co_return done();
}

Status MemoryJobs::complete_now(const Lease& lease, std::string result, Effects effects, Now now) {
  run_timers(now);
  auto found = leased(lease);
  if (!found.ok()) return found.error();
  Record& record = **found;
  auto next = step(record.life, {JobEvent::complete, lease.token, now.wall, std::nullopt, 0});
  if (!next.ok()) {
    ++counts_.stale;
    return next.error();
  }
  if (*next == record.life) return done();
  if (effects.turn) {
    auto stored = conversations_.append_now(record.job.job.owner, std::move(*effects.turn));
    if (!stored.ok()) return stored;
  }
  record.job.result = std::move(result);
  ++counts_.completed;
  move(record, *next, now);
  for (auto& follow_up : effects.follow_ups) insert_if_new(std::move(follow_up), now);
  return done();
}

Co<Status> MemoryJobs::complete(Lease lease, std::string result, Effects effects, Deadline) {
  Status out;
  {
    std::lock_guard lock(mutex_);
    out = complete_now(lease, std::move(result), std::move(effects), now());
  }
  work_.notify();
  co_return out;
}

Co<Result<JobState>> MemoryJobs::fail(Lease lease, JobFailure failure,
                                      std::optional<Duration> again, Deadline) {
  Result<JobState> out;
  {
    std::lock_guard lock(mutex_);
    const Now moment = now();
    run_timers(moment);
    auto record = leased(lease);
    if (!record.ok()) co_return record.error();
    Record& one = **record;
    auto next = step(one.life, {JobEvent::fail, lease.token, moment.wall, again, 0});
    if (!next.ok()) {
      ++counts_.stale;
      co_return next.error();
    }
    out = answer_of_fail(*next);
    if (*next == one.life) co_return out;
    one.job.failure = std::move(failure);
    ++counts_.failed_attempts;
    move(one, *next, moment);
    run_timers(moment);  // `again` may be now
  }
  work_.notify();
  co_return out;
}

Co<Status> MemoryJobs::give_back(Lease lease, Duration later, Deadline) {
  {
    std::lock_guard lock(mutex_);
    const Now moment = now();
    run_timers(moment);
    auto record = leased(lease);
    if (!record.ok()) co_return record.error();
    Record& one = **record;
    auto next = step(one.life, {JobEvent::give_back, lease.token, moment.wall, later, 0});
    if (!next.ok()) {
      ++counts_.stale;
      co_return next.error();
    }
    if (*next == one.life) co_return done();
    move(one, *next, moment);
  }
  work_.notify();
  co_return done();
}

// By hand.

Co<Result<Job>> MemoryJobs::cancel(std::optional<Owner> owner, JobId id, Deadline) {
  std::lock_guard lock(mutex_);
  const Now moment = now();
  run_timers(moment);
  Record* record = find(owner, id);
  if (record == nullptr) co_return unknown_job();
  auto next = step(record->life, {JobEvent::cancel, std::nullopt, moment.wall, std::nullopt, 0});
  if (!next.ok()) co_return next.error();
  move(*record, *next, moment);
  co_return shown(*record);
}

Co<Result<Job>> MemoryJobs::retry(std::optional<Owner> owner, JobId id, std::uint32_t waiting_max,
                                  Deadline) {
  Job out;
  {
    std::lock_guard lock(mutex_);
    const Now moment = now();
    run_timers(moment);
    Record* record = find(owner, id);
    if (record == nullptr) co_return unknown_job();
    auto next = step(record->life, {JobEvent::retry, std::nullopt, moment.wall, std::nullopt, 0});
    if (!next.ok()) co_return next.error();
    Job& job = record->job;
    if (owner) {
      auto admitted = book_.admit(*owner, job.job.priority, waiting_max, moment.at);
      if (!admitted.ok()) co_return admitted.error();
    }
    ends_.erase({kept_until(*record), id});
    book_.count_ended(job.job.priority, job.state, -1);
    job.followed = has_next(job);
    record->life = *next;
    job.state = next->state;
    job.attempts = next->attempts;
    job.token = next->token;
    job.finished = {};
    JobBook::NewEntry entry;
    entry.id = id;
    entry.owner = job.job.owner;
    entry.kind = job.job.kind;
    entry.batch = job.job.batch;
    entry.priority = job.job.priority;
    entry.life = *next;
    entry.n = record->n;
    entry.worker = job.worker;
    book_.insert(std::move(entry), moment.at);
    out = shown(*record);
  }
  work_.notify();
  co_return out;
}

Co<Result<Job>> MemoryJobs::get(std::optional<Owner> owner, JobId id, Deadline) {
  std::lock_guard lock(mutex_);
  run_timers(now());
  const Record* record = find(owner, id);
  if (record == nullptr) co_return unknown_job();
  co_return shown(*record);
}

/// The newest of those whose ids are below the mark.
MemoryJobs::Arrivals::const_reverse_iterator MemoryJobs::made_before(
    const std::string& mark) const {
  auto found = records_.lower_bound(JobId(mark));
  while (found != records_.begin()) {
    --found;
    if (!orders_lists(found->first.text())) continue;
    return std::make_reverse_iterator(std::next(by_arrival_.find(found->second.n)));
  }
  return by_arrival_.rend();
}

Co<Result<PageOfJobs>> MemoryJobs::list(JobFilter filter, JobId after, std::uint32_t limit,
                                        Deadline) {
  std::lock_guard lock(mutex_);
  run_timers(now());
  Arrivals::const_reverse_iterator at = by_arrival_.rbegin();
  if (!after.empty()) {
    const Record* last = find(filter.owner, after);
    const std::string mark = last == nullptr ? list_mark(after) : std::string();
    if (last == nullptr && mark.empty()) co_return unknown_job();
    at =
        last == nullptr ? made_before(mark) : std::make_reverse_iterator(by_arrival_.find(last->n));
  }
  PageOfJobs out;
  for (; at != by_arrival_.rend(); ++at) {
    const Record& record = records_.at(at->second);
    if (!fits(record.job, filter)) continue;
    out.more = out.items.size() == limit;
    if (out.more) break;
    out.items.push_back(without_payload(shown(record)));
  }
  co_return out;
}

void MemoryJobs::remove(Record& record) {
  const Job& job = record.job;
  ends_.erase({kept_until(record), job.job.id});
  book_.count_ended(job.job.priority, job.state, -1);
  by_arrival_.erase(record.n);
  const auto key = keys_.find({job.job.owner, job.job.key});
  if (key != keys_.end() && key->second.id == job.job.id) key->second.last = job.state;
  records_.erase(JobId(job.job.id));
}

Co<Status> MemoryJobs::erase(std::optional<Owner> owner, JobId id, Deadline) {
  std::lock_guard lock(mutex_);
  run_timers(now());
  Record* record = find(owner, id);
  if (record == nullptr) co_return unknown_job();
  if (!ended(record->job.state)) co_return job_not_ended();
  remove(*record);
  co_return done();
}

void MemoryJobs::remove_old(Now now) {
  while (!ends_.empty() && ends_.begin()->first <= now.wall) {
    remove(records_.at(ends_.begin()->second));
  }
  std::erase_if(keys_, [&](const auto& one) {
    return one.second.until <= now.wall && !records_.contains(one.second.id);
  });
}

Co<Result<Duration>> MemoryJobs::upkeep(Deadline) {
  std::lock_guard lock(mutex_);
  const Now moment = now();
  run_timers(moment);
  remove_old(moment);
  if (ends_.empty()) co_return kUpkeepMax;
  const Duration ahead = ends_.begin()->first - moment.wall;
  co_return std::clamp(ahead, kUpkeepMin, kUpkeepMax);
}

JobFigures MemoryJobs::figures() const {
  std::lock_guard lock(mutex_);
  JobFigures out = counts_;
  book_.fill(out, clock_.now());
  return out;
}

void MemoryJobs::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  work_.notify();
}

}  // namespace mainstay::storage::memory
