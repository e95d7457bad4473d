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
  if (entry != nullptr && entry->life.token == 0) {
    write_rows(db);  // what has had no attempt may be a repetition of the job that has ended
    entry = book_->find(lease.id);
  }
  if (entry != nullptr) {
    auto moved = step(entry->life, by);
    if (!moved.ok()) {
      op.error = shared(stale());
      return nullptr;
    }
    next = *moved;
    return next == entry->life ? nullptr : entry;
  }
  write_rows(db);
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

/// What a job has become, with the beginning of its attempt when that is not written yet.
NowRow JobDesk::outcome(const Entry& entry, JobNow now) {
  now.priority = entry.priority;
  const auto claim = unwritten_.find(entry.n);
  if (claim != unwritten_.end() && !claim->second.written) {
    if (now.worker.empty()) now.worker = claim->second.worker;
    if (now.started == WallTime{}) now.started = claim->second.started;
    written_.push_back(entry.n);
    std::lock_guard lock(mutex_);
    claim->second.written = true;
  }
  return {entry.n, now};
}

void JobDesk::put(Connection& db, const Entry& entry, JobNow now) {
  now.finished = moment_.wall;  // if it is ready now, since when, which a start asks
  move_job(db, outcome(entry, now));
}

void JobDesk::end_job(Connection& db, Entry& entry, JobNow now) {
  now.finished = moment_.wall;
  ended_rows_.push_back(outcome(entry, now));
  if (ended_rows_.size() == kRowsTogether) write_rows(db);
  make_next(db, entry, now.life.state);
  drop_whole(entry);
  end(entry, now.life.state);
}

/// What the verbs have put off, so that one statement writes many rows.
void JobDesk::write_rows(Connection& db) {
  wrote_ = wrote_ || !ended_rows_.empty();
  move_jobs(db, ended_rows_);
  ended_rows_.clear();
  if (submitted_.empty()) return;
  std::vector<SubmitJob*> submitted;
  submitted.swap(submitted_);
  std::vector<NewRow> rows;
  rows.reserve(submitted.size());
  for (const SubmitJob* op : submitted) {
    rows.push_back({op->n, op->job.get(), op->job->created});
  }
  const auto repeated = insert_jobs(db, rows);
  for (const auto at : repeated) {
    take_out(*submitted[at]->job);
    if (!submitted[at]->job->batch.empty()) continue;
    // It was counted for those behind it.
    for (std::size_t later = at + 1; later < submitted.size(); ++later) {
      SubmitJob& op = *submitted[later];
      if (op.job->owner == submitted[at]->job->owner) --op.found.waiting;
    }
  }
  for (const auto at : repeated) answer_known(db, *submitted[at]);
  wrote_ = wrote_ || rows.size() > repeated.size();
}

void JobDesk::make_next(Connection& db, Entry& entry, JobState how) {
  if (!repeating_.contains(entry.n)) return;
  repeated_.push_back(entry.n);
  write_rows(db);
  auto row = job_by_n(db, entry.n, moment_.wall, true);
  if (!row || !makes_next(row->job, how)) return;
  row->job.job.expires = row->ordered_expires;
  auto next =
      std::make_shared<WholeJob>(next_occurrence_of(row->job.job, row->job.created, moment_.wall));
  if (job_by_id(db, next->id.text(), moment_.wall)) return;
  if (!next->key.empty()) release_key(db, next->owner, next->key);
  insert_new(db, next);
}

/// False when the id, or the key, is known.
bool JobDesk::insert_new(Connection& db, const std::shared_ptr<WholeJob>& whole) {
  write_rows(db);
  const NewJob& job = *whole;
  if (kept_keys_ && !job.key.empty() && key_of(db, job.owner, job.key, moment_.wall)) return false;
  whole->created = moment_.wall;
  const std::uint64_t n = next_n_++;
  if (!insert_job(db, {n, whole.get(), whole->created})) return false;
  enter(whole, n);
  return true;
}

/// Into the order of those that wait.
void JobDesk::enter(const std::shared_ptr<WholeJob>& whole, std::uint64_t n) {
  const NewJob& job = *whole;
  JobBook::NewEntry entry;
  entry.id = job.id;
  entry.owner = job.owner;
  entry.kind = job.kind;
  entry.batch = job.batch;
  entry.priority = job.priority;
  entry.life = first_life(job, moment_.wall);
  entry.n = n;
  if (has_room_for(job)) entry.whole = whole;
  insert(std::move(entry), moment_.at);
  if (job.repeat_every.count() > 0) repeating_.insert(n);
  std::lock_guard lock(mutex_);
  ++counts_.submitted;
}

/// A job that entered, and whose row shows now that its id, or its key, was known.
void JobDesk::take_out(const NewJob& job) {
  Entry& entry = *book_->find(job.id);
  repeating_.erase(entry.n);
  drop_whole(entry);
  std::lock_guard lock(mutex_);
  book_->remove(entry);
  --counts_.submitted;
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
  write_rows(db);
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

/// Whether a submission repeats an earlier one, and has its answer.
bool JobDesk::repeats(Connection& db, SubmitJob& op) {
  auto before = known(db, *op.job);
  if (before.same) op.found = *before.same;
  if (before.refused) op.error = shared(std::move(*before.refused));
  return before.same || before.refused;
}

/// For one whose id or key the tables have.
void JobDesk::answer_known(Connection& db, SubmitJob& op) {
  if (repeats(db, op)) return;
  op.error = shared(Error::log(Errc::internal, "a new job is neither new nor known"));
}

Status JobDesk::admit(const SubmitJob& op) {
  const NewJob& job = *op.job;
  Status admitted = check_expiry(job, moment_.wall);
  if (!admitted.ok() || job.follow_up) return admitted;
  std::lock_guard lock(mutex_);
  return book_->admit(job.owner, job.priority, op.waiting_max, moment_.at);
}

/// Whether a bound is so near that a job must be known to be new before it takes a place, or is
/// counted as refused.
bool JobDesk::tight(const SubmitJob& op) const {
  const NewJob& job = *op.job;
  const bool of_owner = op.waiting_max > 0 && book_->waiting(job.owner) >= op.waiting_max;
  const bool of_all = book_->depth() + 1 >= refused_from(rules_.limits, job.priority);
  return of_owner || of_all || book_->shedding() || book_->find(job.id) != nullptr;
}

bool JobDesk::submit(Connection& db, SubmitJob& op) {
  const NewJob& job = *op.job;
  // The common way asks nothing: the insertion itself finds a key or an id that is known.
  const bool at_once = tight(op) || (kept_keys_ && !job.key.empty());
  if (at_once && repeats(db, op)) return false;
  Status admitted = admit(op);
  if (!admitted.ok()) {
    if (at_once || !repeats(db, op)) op.error = shared(std::move(admitted.error()));
    return false;
  }
  if (at_once) {
    if (!insert_new(db, op.job)) {
      answer_known(db, op);
      return false;
    }
  } else {
    op.job->created = moment_.wall;
    op.n = next_n_++;
    enter(op.job, op.n);
    submitted_.push_back(&op);
  }
  op.found.id = job.id;
  op.found.state = first_life(job, moment_.wall).state;
  op.found.existed = false;
  op.found.waiting = book_->waiting(job.owner);
  if (submitted_.size() == kRowsTogether) write_rows(db);
  return at_once;
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
  const JobStep by{JobEvent::give_back, op.lease.token, moment_.wall, op.later, 0};
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
  write_rows(db);
  auto row = job_by_n(db, n, moment_.wall, true);
  if (row) op.found = std::move(row->job);
  return true;
}

/// What a retry by hand means for the repetition: only a cancelled occurrence has made no next one.
void JobDesk::repeat_again(Connection& db, JobRow& row) {
  if (row.job.job.repeat_every.count() == 0) return;
  row.job.followed = has_next(row.job);
  if (row.job.followed) {
    note_followed(db, row.n);
  } else {
    repeating_.insert(row.n);
    std::erase(repeated_, row.n);  // its end may be part of this very transaction
  }
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
  now.finished = moment_.wall;
  move_job(db, {row->n, now});
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
  insert(std::move(entry), moment_.at);
  repeat_again(db, *row);
  show_times(job, *next);
  row->job.state = next->state;
  row->job.attempts = next->attempts;
  row->job.token = next->token;
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
