// What each verb decides and writes, inside the writer's transaction. The order in memory changes
// at once and is taken back when the transaction fails.
#include <algorithm>

#include "storage/sqlite/conversations.h"
#include "storage/sqlite/jobs_ops.h"

namespace mainstay::storage::sqlite {
namespace {

constexpr Duration kUpkeepMin = std::chrono::seconds(1);
constexpr Duration kUpkeepMax = std::chrono::minutes(1);
/// Jobs that one slice of upkeep removes of each end.
constexpr std::uint32_t kSlice = 256;
/// The stored start of the live jobs follows the true one at this distance.
constexpr std::uint64_t kLiveStep = 100;
constexpr JobState kEnds[] = {JobState::succeeded, JobState::dead, JobState::cancelled,
                              JobState::expired};

std::shared_ptr<const Error> shared(Error error) {
  return std::make_shared<const Error>(std::move(error));
}

std::chrono::microseconds whole_micros(Duration d) {
  return std::chrono::ceil<std::chrono::microseconds>(d);
}

bool may_see(const std::optional<Owner>& asking, const Owner& owner) {
  return !asking || *asking == owner;
}

}  // namespace

Error JobDesk::stale() {
  std::lock_guard lock(mutex_);
  ++counts_.stale;
  return stale_lease();
}

JobBook::Entry* JobDesk::leased(Connection& db, JobOp& op, const Lease& lease, const JobStep& by,
                                JobLife& next) {
  Entry* entry = book_->find(lease.id);
  if (entry != nullptr) {
    auto moved = step(entry->life, by);
    if (!moved.ok()) {
      op.error = shared(stale());
      return nullptr;
    }
    next = *moved;
    return next == entry->life ? nullptr : entry;
  }
  const auto row = job_by_id(db, lease.id.text(), moment_.wall);
  if (row) {
    auto moved = step(row->life, by);
    if (moved.ok() && *moved == row->life) {
      next = *moved;
      return nullptr;
    }
  }
  op.error = shared(stale());
  return nullptr;
}

/// Writes what a job has become, with the beginning of its attempt when that is not written yet.
void JobDesk::put(Connection& db, Entry& entry, JobNow now) {
  now.priority = entry.priority;
  const auto claim = unwritten_.find(entry.n);
  if (claim != unwritten_.end() && !claim->second.written) {
    if (now.worker.empty()) now.worker = claim->second.worker;
    if (now.started == WallTime{}) now.started = claim->second.started;
    written_.push_back(entry.n);
    std::lock_guard lock(mutex_);
    claim->second.written = true;
  }
  move_job(db, entry.n, now);
}

void JobDesk::end_job(Connection& db, Entry& entry, JobNow now) {
  now.finished = moment_.wall;
  const JobState how = now.life.state;
  put(db, entry, now);
  make_next(db, entry, how);
  drop_whole(entry);
  end(entry, how);
}

void JobDesk::make_next(Connection& db, Entry& entry, JobState how) {
  if (!repeating_.contains(entry.n)) return;
  repeated_.push_back(entry.n);
  const auto row = job_by_n(db, entry.n, moment_.wall, true);
  if (!row || !makes_next(row->job.job, how)) return;
  auto next =
      std::make_shared<WholeJob>(next_occurrence_of(row->job.job, row->job.created, moment_.wall));
  if (job_by_id(db, next->id.text(), moment_.wall)) return;
  if (!next->key.empty()) release_key(db, entry.n);
  insert_new(db, next);
}

/// False when the id, or the key, is known.
bool JobDesk::insert_new(Connection& db, const std::shared_ptr<WholeJob>& whole) {
  const NewJob& job = *whole;
  if (kept_keys_ && !job.key.empty() && key_of(db, job.owner, job.key, moment_.wall)) return false;
  const std::uint64_t n = next_n_++;
  whole->created = moment_.wall;
  if (!insert_job(db, n, job, moment_.wall)) return false;
  JobBook::NewEntry entry;
  entry.id = job.id;
  entry.owner = job.owner;
  entry.kind = job.kind;
  entry.batch = job.batch;
  entry.priority = job.priority;
  entry.life = first_life(job, moment_.wall);
  entry.n = n;
  if (has_room_for(job)) entry.whole = whole;
  insert(std::move(entry));
  if (job.repeat_every.count() > 0) repeating_.insert(n);
  std::lock_guard lock(mutex_);
  ++counts_.submitted;
  return true;
}

/// What the key, or the id itself, stands for since an earlier submission.
JobDesk::Known JobDesk::known(Connection& db, const NewJob& job) {
  const auto same = [&](const JobId& id, JobState state) {
    const Entry* entry = book_->find(id);
    if (entry != nullptr) state = entry->life.state;
    std::lock_guard lock(mutex_);
    ++counts_.replayed;
    return Known{Submitted{id, state, true, book_->waiting(job.owner)}, {}};
  };
  if (!job.key.empty()) {
    const auto key = key_of(db, job.owner, job.key, moment_.wall);
    if (key && key->digest != job.digest) return Known{{}, key_reused()};
    if (key) return same(key->id, key->state);
  }
  const auto row = job_by_id(db, job.id.text(), moment_.wall);
  if (!row) return {};
  const NewJob& first = row->job.job;
  if (first.owner == job.owner && first.key == job.key && first.digest == job.digest) {
    return same(job.id, row->life.state);
  }
  return Known{
      {}, Error::say(Errc::conflict, "already_exists", "Something with this id exists already.")};
}

bool JobDesk::submit(Connection& db, SubmitJob& op) {
  const NewJob& job = *op.job;
  const auto answered = [&] {
    auto before = known(db, job);
    if (before.same) op.found = *before.same;
    if (before.refused) op.error = shared(std::move(*before.refused));
    return before.same || before.refused;
  };
  // The common way asks nothing: the insertion itself finds a key or an id that is known.
  if (kept_keys_ && !job.key.empty() && answered()) return false;
  Status admitted = check_expiry(job, moment_.wall);
  if (admitted.ok() && !job.follow_up) {
    std::lock_guard lock(mutex_);
    admitted = book_->admit(job.owner, job.priority, op.waiting_max, moment_.at);
  }
  if (!admitted.ok()) {
    if (!answered()) op.error = shared(std::move(admitted.error()));
    return false;
  }
  if (!insert_new(db, op.job)) {
    if (!answered())
      op.error = shared(Error::log(Errc::internal, "a new job is neither new nor known"));
    return false;
  }
  op.found.id = job.id;
  op.found.state = first_life(job, moment_.wall).state;
  op.found.existed = false;
  op.found.waiting = book_->waiting(job.owner);
  return true;
}

/// False with the error when the turn was refused; nothing of it is left then.
bool JobDesk::store_turn(Connection& db, CompleteJob& op, const Owner& owner) {
  Query(db, "SAVEPOINT job_turn").finish();
  Status stored;
  try {
    stored = append_turn(db, owner, *op.effects.turn);
  } catch (const Failure& failure) {
    if (failure.code() != SQLITE_CONSTRAINT) throw;
    stored = to_error(failure);
  }
  if (!stored.ok()) Query(db, "ROLLBACK TO job_turn").finish();
  Query(db, "RELEASE job_turn").finish();
  if (!stored.ok()) op.error = shared(std::move(stored.error()));
  return op.error == nullptr;
}

bool JobDesk::complete(Connection& db, CompleteJob& op) {
  const JobStep by{JobEvent::complete, op.lease.token, moment_.wall, std::nullopt, 0};
  JobNow now;
  Entry* entry = leased(db, op, op.lease, by, now.life);
  if (entry == nullptr) return false;
  if (op.effects.turn && !store_turn(db, op, entry->owner())) return false;
  now.result = op.result;
  end_job(db, *entry, now);
  for (const auto& follow_up : op.effects.follow_ups) {
    insert_new(db, std::make_shared<WholeJob>(follow_up));
  }
  std::lock_guard lock(mutex_);
  ++counts_.completed;
  return true;
}

bool JobDesk::fail(Connection& db, FailJob& op) {
  const JobStep by{JobEvent::fail, op.lease.token, moment_.wall, op.again, 0};
  JobNow now;
  Entry* entry = leased(db, op, op.lease, by, now.life);
  if (op.error) return false;
  op.found = answer_of_fail(now.life);
  if (entry == nullptr) return false;
  now.failure = &op.failure;
  if (ended(now.life.state)) {
    end_job(db, *entry, now);
  } else {
    put(db, *entry, now);
    drop_whole(*entry);  // the next attempt is told of this failure, which the row has
    change(*entry, now.life);
  }
  std::lock_guard lock(mutex_);
  ++counts_.failed_attempts;
  return true;
}

bool JobDesk::give_back(Connection& db, GiveBackJob& op) {
  const JobStep by{JobEvent::give_back, op.lease.token, moment_.wall, std::nullopt, 0};
  JobNow now;
  Entry* entry = leased(db, op, op.lease, by, now.life);
  if (entry == nullptr) return false;
  put(db, *entry, now);
  change(*entry, now.life);
  return true;
}

bool JobDesk::cancel(Connection& db, CancelJob& op) {
  const JobStep by{JobEvent::cancel, std::nullopt, moment_.wall, std::nullopt, 0};
  Entry* entry = book_->find(op.job.id);
  if (entry == nullptr) {
    const auto row = job_by_id(db, op.job.id.text(), moment_.wall);
    const bool seen = row && may_see(op.job.owner, row->job.job.owner);
    op.error = shared(seen ? job_ended() : unknown_job());
    return false;
  }
  if (!may_see(op.job.owner, entry->owner())) {
    op.error = shared(unknown_job());
    return false;
  }
  auto next = step(entry->life, by);
  if (!next.ok()) {
    op.error = shared(std::move(next.error()));
    return false;
  }
  const std::uint64_t n = entry->n;
  JobNow now;
  now.life = *next;
  end_job(db, *entry, now);
  auto row = job_by_n(db, n, moment_.wall, true);
  if (row) op.found = std::move(row->job);
  return true;
}

bool JobDesk::retry(Connection& db, RetryJob& op) {
  auto row = job_by_id(db, op.job.id.text(), moment_.wall);
  if (!row || !may_see(op.job.owner, row->job.job.owner)) {
    op.error = shared(unknown_job());
    return false;
  }
  const Entry* live = book_->find(op.job.id);
  const JobStep by{JobEvent::retry, std::nullopt, moment_.wall, std::nullopt, 0};
  auto next = step(live != nullptr ? live->life : row->life, by);
  if (!next.ok()) {
    op.error = shared(std::move(next.error()));
    return false;
  }
  NewJob& job = row->job.job;
  if (op.job.owner) {
    std::lock_guard lock(mutex_);
    auto admitted = book_->admit(job.owner, job.priority, op.waiting_max, moment_.at);
    if (!admitted.ok()) {
      op.error = shared(std::move(admitted.error()));
      return false;
    }
  }
  JobNow now;
  now.priority = job.priority;
  now.life = *next;
  move_job(db, row->n, now);
  if (row->n < live_from(db)) set_live_from(db, row->n);
  uncount(job.priority, row->life.state);
  JobBook::NewEntry entry;
  entry.id = job.id;
  entry.owner = job.owner;
  entry.kind = job.kind;
  entry.batch = job.batch;
  entry.priority = job.priority;
  entry.life = *next;
  entry.n = row->n;
  entry.worker = row->job.worker;
  insert(std::move(entry));
  if (job.repeat_every.count() > 0) repeating_.insert(row->n);
  row->job.state = next->state;
  row->job.attempts = next->attempts;
  row->job.finished = {};
  op.found = std::move(row->job);
  return true;
}

bool JobDesk::erase(Connection& db, EraseJob& op) {
  const auto row = job_by_id(db, op.job.id.text(), moment_.wall);
  if (!row || !may_see(op.job.owner, row->job.job.owner)) {
    op.error = shared(unknown_job());
    return false;
  }
  if (book_->find(op.job.id) != nullptr) {
    op.error = shared(job_not_ended());
    return false;
  }
  if (keep_key(db, row->n, whole_micros(rules_.limits.keep_keys), moment_.wall)) kept_keys_ = true;
  delete_job(db, row->n);
  uncount(row->job.job.priority, row->life.state);
  return true;
}

std::uint64_t JobDesk::oldest_live() const {
  std::uint64_t oldest = next_n_;
  book_->each([&](const Entry& entry) { oldest = std::min(oldest, entry.n); });
  return oldest;
}

/// One slice of removal, as long as the transaction has time.
bool JobDesk::tend(Connection& db, TendJobs& op) {
  bool more = false;
  bool wrote = false;
  Duration ahead = kUpkeepMax;
  for (const JobState how : kEnds) {
    const Duration keep =
        how == JobState::dead ? rules_.limits.keep_dead : rules_.limits.keep_results;
    const WallTime last = moment_.wall - whole_micros(keep);
    const auto old = ended_before(db, how, last, kSlice);
    for (const auto& row : old) {
      if (clock_.now() >= until_) {
        more = true;
        break;
      }
      const auto keep_keys = whole_micros(rules_.limits.keep_keys);
      if (keep_keys > keep && keep_key(db, row.n, keep_keys, moment_.wall)) kept_keys_ = true;
      delete_job(db, row.n);
      uncount(row.priority, how);
      wrote = true;
    }
    more = more || old.size() == kSlice;
    const auto first = first_end(db, how);
    if (first) ahead = std::min<Duration>(ahead, *first - last);
  }
  if (kept_keys_) {
    const auto forgotten = delete_kept_keys(db, moment_.wall, kSlice);
    wrote = wrote || forgotten > 0;
    more = more || forgotten == kSlice;
    kept_keys_ = has_kept_keys(db);
  }
  const std::uint64_t oldest = oldest_live();
  if (oldest > live_from(db) + kLiveStep) {
    set_live_from(db, oldest);
    wrote = true;
  }
  op.found = more ? Duration{} : std::max(ahead, kUpkeepMin);
  return wrote;
}

}  // namespace mainstay::storage::sqlite
