// The desk's loop: arrivals, timers, one transaction, claims, answers; and how memory goes back to
// what the disk has when a transaction fails.
#include "storage/sqlite/jobs_desk.h"

#include <algorithm>
#include <functional>

#include "storage/sqlite/jobs_ops.h"

namespace mainstay::storage::sqlite {
namespace {

/// After a failed transaction timers try again after this long.
constexpr Duration kAfterFailure = std::chrono::milliseconds(200);

std::uint64_t size_of(const NewJob& job) {
  return sizeof(NewJob) + job.input.size() + job.key.size() + job.digest.size() + job.batch.size() +
         job.client.size();
}

Error late_error() {
  return Error::say(Errc::deadline, "write_timeout",
                    "Storing waited too long; nothing was stored.");
}

JobBook::NewEntry entry_of(const JobRow& row) {
  const NewJob& job = row.job.job;
  JobBook::NewEntry entry;
  entry.id = job.id;
  entry.owner = job.owner;
  entry.kind = job.kind;
  entry.batch = job.batch;
  entry.priority = job.priority;
  entry.life = row.life;
  entry.n = row.n;
  entry.worker = row.job.worker;
  return entry;
}

JobBook::NewEntry entry_of(const JobBook::Entry& old) {
  JobBook::NewEntry entry;
  entry.id = old.id;
  entry.owner = old.owner();
  entry.kind = old.kind();
  entry.batch = old.batch;
  entry.priority = old.priority;
  entry.life = old.life;
  entry.n = old.n;
  entry.worker = old.worker;
  entry.lease_until = old.lease_until;
  return entry;
}

}  // namespace

JobDesk::JobDesk(Clock& clock, const DeskRules& rules)
    : clock_(clock), rules_(rules), book_(std::make_unique<JobBook>(rules.limits)) {}

JobDesk::~JobDesk() = default;

void JobDesk::load(Connection& db) {
  db_ = &db;
  moment_ = look();
  undo_.clear();
  written_.clear();
  whole_bytes_ = 0;
  repeating_.clear();
  repeated_.clear();
  put_nothing_off();
  {
    std::lock_guard lock(mutex_);
    unwritten_.clear();
    book_ = std::make_unique<JobBook>(rules_.limits);
  }
  Query(db, "BEGIN IMMEDIATE").finish();
  try {
    next_n_ = last_n(db) + 1;
    kept_keys_ = has_kept_keys(db);
    for (const auto& count : ended_counts(db)) {
      book_->count_ended(count.priority, count.state, static_cast<std::int64_t>(count.count));
    }
    const JobFailure failure = lost_attempt(JobEvent::restart);
    for (const auto& row : live_jobs(db, moment_.wall)) {
      Entry& entry = insert(entry_of(row), back_at(moment_.at, moment_.wall, row.ready));
      if (row.job.job.repeat_every.count() > 0 && !row.job.followed) repeating_.insert(row.n);
      if (row.life.state != JobState::running) continue;
      auto next = step(row.life, {JobEvent::restart, std::nullopt, moment_.wall, std::nullopt,
                                  rules_.limits.poison_after});
      JobNow now;
      now.life = next.ok() ? *next : row.life;
      now.failure = &failure;
      if (ended(now.life.state)) {
        end_job(db, entry, now);
      } else {
        put(db, entry, now);
        change(entry, now.life);
      }
    }
    write_rows(db);
    Query(db, "COMMIT").finish();
  } catch (const std::exception&) {
    if (db.in_transaction()) sqlite3_exec(db.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
    throw;
  }
}

void JobDesk::start(Writer& writer) {
  writer_ = &writer;
  set_alarm();
  writer.carry(*this);
}

// From any thread.

Status JobDesk::hand(const std::shared_ptr<JobOp>& op) {
  return writer_->hand([&] {
    if (inbox_.size() >= rules_.queue_max) return false;
    inbox_.push_back(op);
    return true;
  });
}

JobFigures JobDesk::figures() const {
  std::lock_guard lock(mutex_);
  JobFigures out = counts_;
  book_->fill(out, clock_.now());
  return out;
}

bool JobDesk::behind() const {
  const Moment now = look();
  std::lock_guard lock(mutex_);
  const auto timer = book_->next_timer(now.at, now.wall);
  return timer && *timer <= now.at;
}

Unwritten JobDesk::unwritten() const {
  std::lock_guard lock(mutex_);
  return unwritten_;
}

std::vector<std::uint64_t> JobDesk::live(const JobFilter& filter, std::uint64_t below) const {
  std::vector<std::uint64_t> out;
  {
    std::lock_guard lock(mutex_);
    book_->each([&](const Entry& entry) {
      const bool fits = entry.n < below && (!filter.owner || entry.owner() == *filter.owner) &&
                        (!filter.state || entry.life.state == *filter.state) &&
                        (filter.kind.empty() || entry.kind() == filter.kind) &&
                        (filter.batch.empty() || entry.batch == filter.batch);
      if (fits) out.push_back(entry.n);
    });
  }
  std::sort(out.begin(), out.end(), std::greater<>());
  return out;
}

// Changes of the book, and their undoing.

JobBook::Entry& JobDesk::insert(JobBook::NewEntry entry, TimePoint since) {
  if (in_transaction_) {
    undo_.push_back({Undo::What::inserted, entry.id, {}, {}, entry.priority, std::nullopt});
  }
  const std::uint64_t whole = entry.whole ? size_of(*entry.whole) : 0;
  std::lock_guard lock(mutex_);
  Entry& in = book_->insert(std::move(entry), since);
  whole_bytes_ += whole;
  return in;
}

void JobDesk::change(Entry& entry, const JobLife& life, TimePoint lease) {
  if (in_transaction_) {
    undo_.push_back({Undo::What::changed, entry.id, entry.life, entry.lease_until, entry.priority,
                     std::nullopt});
  }
  std::lock_guard lock(mutex_);
  book_->change(entry, life, moment_.at, lease);
}

void JobDesk::end(Entry& entry, JobState how) {
  if (in_transaction_) {
    JobLife as;
    as.state = how;
    undo_.push_back({Undo::What::ended, entry.id, as, {}, entry.priority, entry_of(entry)});
  }
  std::lock_guard lock(mutex_);
  if (how == JobState::dead) ++counts_.died;
  book_->end(entry, how, moment_.at);
}

void JobDesk::uncount(JobClass priority, JobState state) {
  JobLife as;
  as.state = state;
  undo_.push_back({Undo::What::uncounted, {}, as, {}, priority, std::nullopt});
  std::lock_guard lock(mutex_);
  book_->count_ended(priority, state, -1);
}

void JobDesk::undo_all() noexcept {
  try {
    std::lock_guard lock(mutex_);
    for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) {
      Entry* entry = book_->find(undo->id);
      switch (undo->what) {
        case Undo::What::inserted:
          if (entry == nullptr) break;
          drop_whole(*entry);
          book_->remove(*entry);
          break;
        case Undo::What::changed:
          if (entry != nullptr) book_->change(*entry, undo->life, moment_.at, undo->lease);
          break;
        case Undo::What::ended:
          if (entry != nullptr) break;
          book_->count_ended(undo->priority, undo->life.state, -1);
          book_->insert(std::move(*undo->entry), moment_.at);
          break;
        case Undo::What::uncounted:
          book_->count_ended(undo->priority, undo->life.state, 1);
          break;
      }
    }
    for (const auto n : written_) unwritten_.at(n).written = false;
    counts_ = counts_before_;
  } catch (const std::exception&) {
    reload_ = true;  // no memory for it: the disk knows
  }
  undo_.clear();
  written_.clear();
  repeated_.clear();
  kept_keys_ = true;  // perhaps: asking costs a look
}

bool JobDesk::has_room_for(const NewJob& job) const {
  return whole_bytes_ + size_of(job) <= rules_.inputs_memory;
}

void JobDesk::drop_whole(Entry& entry) {
  if (!entry.whole) return;
  whole_bytes_ -= size_of(*entry.whole);
  entry.whole.reset();
}

/// Of a transaction that is over, or has not begun.
void JobDesk::put_nothing_off() noexcept {
  ended_rows_.clear();
  submitted_.clear();
}

// Time.

bool JobDesk::timers_due() const {
  return moment_.at >= quiet_until_ &&
         (book_->expired(moment_.wall) != nullptr || book_->lease_over(moment_.at) != nullptr);
}

/// Nothing of this is written: a job whose time has come is ready by its run_at.
void JobDesk::run_due() {
  while (Entry* entry = book_->due(moment_.wall)) {
    JobLife life = entry->life;
    life.state = JobState::queued;
    const TimePoint since = back_at(moment_.at, moment_.wall, life.run_at);
    std::lock_guard lock(mutex_);
    book_->change(*entry, life, since);
  }
}

bool JobDesk::run_timers(Connection& db) {
  bool wrote = false;
  const auto move_by = [&](Entry& entry, JobEvent event, const JobFailure* failure) {
    auto next = step(entry.life,
                     {event, std::nullopt, moment_.wall, std::nullopt, rules_.limits.poison_after});
    CHECK(next.ok() && !(*next == entry.life));  // else this would not end
    JobNow now;
    now.life = *next;
    now.failure = failure;
    wrote = true;
    if (ended(next->state)) {
      end_job(db, entry, now);
    } else {
      put(db, entry, now);
      drop_whole(entry);
      change(entry, *next);
    }
  };
  const JobFailure lost = lost_attempt(JobEvent::lease_over);
  while (clock_.now() < until_) {
    if (Entry* expired = book_->expired(moment_.wall)) {
      move_by(*expired, JobEvent::expire, nullptr);
    } else if (Entry* over = book_->lease_over(moment_.at)) {
      move_by(*over, JobEvent::lease_over, &lost);
      std::lock_guard lock(mutex_);
      ++counts_.expired_leases;
    } else {
      break;
    }
  }
  write_rows(db);
  return wrote;
}

/// The attempts that began since the last transaction, but for the youngest: most of them end
/// before the next one, and one row then tells both.
bool JobDesk::write_claims(Connection& db) {
  const bool all = rules_.strict_claims || last_ || claims_due_ <= moment_.at;
  bool wrote = false;
  for (auto& [n, claim] : unwritten_) {
    if (claim.written) continue;
    if (!all && moment_.wall - claim.started < kClaimYoung) continue;
    JobNow now;
    now.priority = claim.priority;
    now.life = claim.life;
    now.worker = claim.worker;
    now.started = claim.started;
    move_job(db, {n, now});
    written_.push_back(n);
    std::lock_guard lock(mutex_);
    claim.written = true;
    wrote = true;
  }
  return wrote;
}

void JobDesk::set_alarm() {
  const Moment now = look();
  wakes_ = TimePoint::max();
  if (dead_) return;
  const auto timer = book_->next_timer(now.at, now.wall);
  if (timer) wakes_ = *timer;
  if (!unwritten_.empty()) wakes_ = std::min(wakes_, claims_due_);
  if (wakes_ != TimePoint::max()) wakes_ = std::max(wakes_, quiet_until_);
}

// The writer's loop.

void JobDesk::take() {
  if (arrivals_.empty()) {
    arrivals_.swap(inbox_);
    return;
  }
  // Arrivals were left over when memory ran out: the others wait behind them.
}

/// Claims and extended leases need no transaction; the rest waits for one.
void JobDesk::sort_arrivals() {
  for (auto& op : arrivals_) {
    if (!op) continue;
    if (op->needs() == JobOp::Needs::work) {
      std::erase_if(claimers_, [](const auto& one) { return one->gone(); });
      claimers_.push_back(std::static_pointer_cast<ClaimJobs>(op));
    } else if (op->needs() == JobOp::Needs::memory) {
      extend(static_cast<ExtendLease&>(*op));
      finish(op, nullptr);
    } else {
      queue_.push_back(op);
    }
    op.reset();
  }
  arrivals_.clear();
}

bool JobDesk::to_write() const {
  if (!queue_.empty()) return true;
  if (last_) return !unwritten_.empty();
  if (moment_.at < quiet_until_) return false;
  return timers_due() || (!unwritten_.empty() && claims_due_ <= moment_.at);
}

void JobDesk::look_around() {
  if (reload_) {
    load(*db_);
    reload_ = false;
  }
  moment_ = look();
  sort_arrivals();
  run_due();
  if (!rules_.strict_claims && !last_) serve();
}

bool JobDesk::prepare(bool last) {
  last_ = last;
  more_ = false;
  bool writes = false;
  try {
    if (dead_) {
      sort_arrivals();
      closed(dead_);
      return false;
    }
    look_around();
    writes = to_write() || (rules_.strict_claims && !last_ && somebody_can_claim());
    if (!writes) answer_late_claimers();
    set_alarm();
  } catch (const std::exception&) {
    quiet_until_ = clock_.now() + kAfterFailure;
    wakes_ = quiet_until_;
    writes = !reload_ && !queue_.empty();
  }
  send_answers();
  return writes;
}

/// Whether the transaction may grow; the clock costs as much as a tenth of an operation.
bool JobDesk::in_time() const {
  constexpr std::size_t kOperations = 8;
  return staged_ % kOperations != 0 || clock_.now() < until_;
}

bool JobDesk::apply(Connection& db, TimePoint until) {
  undo_.clear();
  written_.clear();
  strict_.clear();
  put_nothing_off();
  wrote_ = false;
  staged_ = 0;
  until_ = until;
  moment_ = look();
  counts_before_ = counts_;
  in_transaction_ = true;
  bool wrote = !last_ && moment_.at >= quiet_until_ && run_timers(db);
  if (rules_.strict_claims && !last_) wrote = claim_strictly(db) || wrote;
  while (staged_ < queue_.size() && (staged_ == 0 || (singly_ == 0 && in_time()))) {
    JobOp& op = *queue_[staged_++];
    op.error.reset();
    if (op.gone()) continue;
    if (op.by.passed(moment_.at)) {
      op.error = std::make_shared<const Error>(late_error());
      continue;
    }
    if (!op.joins()) write_rows(db);
    wrote = op.apply(*this, db) || wrote;
  }
  write_rows(db);
  return write_claims(db) || wrote || wrote_;
}

void JobDesk::answer_staged(const std::shared_ptr<const Error>& error) noexcept {
  for (; staged_ > 0; --staged_) {
    auto op = std::move(queue_.front());
    queue_.pop_front();
    op->let_go();
    finish(std::move(op), error);
    if (singly_ > 0) --singly_;
  }
}

void JobDesk::settled(const std::shared_ptr<const Error>& error, bool again) noexcept {
  in_transaction_ = false;
  try {
    if (!error) {
      undo_.clear();
      {
        std::lock_guard lock(mutex_);
        for (const auto n : written_) unwritten_.erase(n);
      }
      written_.clear();
      for (const auto n : repeated_) repeating_.erase(n);
      repeated_.clear();
      claims_due_ = unwritten_.empty() ? TimePoint::max() : moment_.at + kClaimLinger - kClaimYoung;
      moment_ = look();
      for (auto& claim : strict_) finish(std::move(claim), nullptr);
      strict_.clear();
      answer_staged(nullptr);
      run_due();
      if (!rules_.strict_claims && !last_) serve();
      answer_late_claimers();
    } else {
      undo_all();
      for (const auto& claim : strict_) forget_claims(*claim);
      for (auto claim = strict_.rbegin(); claim != strict_.rend(); ++claim) {
        (*claim)->found.clear();
        claimers_.push_front(std::move(*claim));
      }
      strict_.clear();
      quiet_until_ = clock_.now() + kAfterFailure;
      if (last_) {
        std::lock_guard lock(mutex_);
        unwritten_.clear();
      }
      // Together they failed: the next transactions hold one each, so that one cannot fail others.
      const bool one_by_one = again && staged_ > 1;
      if (one_by_one) {
        singly_ = staged_;
        staged_ = 0;
      } else {
        answer_staged(error);
      }
      if (!again) closed(error);
    }
    more_ = !queue_.empty() || (rules_.strict_claims && !error && somebody_can_claim());
    set_alarm();
  } catch (const std::exception&) {
    quiet_until_ = clock_.now() + kAfterFailure;
    wakes_ = quiet_until_;
    more_ = !queue_.empty();
  }
  send_answers();
}

void JobDesk::closed(const std::shared_ptr<const Error>& why) noexcept {
  dead_ = why;
  wakes_ = TimePoint::max();
  more_ = false;
  for (; !queue_.empty(); queue_.pop_front()) {
    queue_.front()->error = why;
    finish(queue_.front(), nullptr);
  }
  for (; !claimers_.empty(); claimers_.pop_front()) {
    claimers_.front()->error = why;
    finish(claimers_.front(), nullptr);
  }
  staged_ = singly_ = 0;
  send_answers();
}

}  // namespace mainstay::storage::sqlite
