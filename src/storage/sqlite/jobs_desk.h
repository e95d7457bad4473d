// The desk of the job store on the writer's thread: it takes what the verbs hand in, decides each
// in memory, writes all of them in one transaction, and answers after the commit. Used by
// storage/sqlite/jobs.cpp; what the verbs hand in is in jobs_ops.h.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "storage/job_book.h"
#include "storage/sqlite/jobs_rows.h"
#include "storage/sqlite/writer.h"

namespace mainstay::storage::sqlite {

class JobDesk;

/// One call of a verb, shared by the coroutine that waits and the desk.
class JobOp {
 public:
  JobOp(const char* verb, Clock& clock, Executor on, Deadline until)
      : by(until),
        handed(clock.now()),
        executor(on),
        awaited(true),
        alarm(clock.alarm(on)),
        verb_(verb) {}
  /// One that nobody waits for: given back by the desk itself, or by a caller who went away.
  JobOp(const char* verb, Clock& clock, Executor on)
      : by(Deadline::never()), handed(clock.now()), executor(on), awaited(false), verb_(verb) {}
  virtual ~JobOp() = default;
  JobOp(const JobOp&) = delete;
  JobOp& operator=(const JobOp&) = delete;

  /// Inside the transaction; gives whether it wrote. May run again when the transaction failed, so
  /// it consumes nothing.
  virtual bool apply(JobDesk& desk, Connection& db) = 0;
  /// It will not be applied again.
  virtual void let_go() noexcept {}
  enum class Needs : std::uint8_t { transaction, memory, work };
  virtual Needs needs() const noexcept { return Needs::transaction; }
  /// What it writes may be put off within the transaction, and it reads no table before it has it
  /// written.
  virtual bool joins() const noexcept { return false; }
  const char* verb() const noexcept { return verb_; }

  enum class Where : std::uint8_t { waiting, answered, gone };
  /// The desk's: false when nobody waits any more.
  bool answer() noexcept { return leave(Where::answered); }
  /// The caller's: false when the answer is there already.
  bool give_up() noexcept { return leave(Where::gone); }
  bool answered() const noexcept {
    return where_.load(std::memory_order_acquire) == Where::answered;
  }
  bool gone() const noexcept { return where_.load(std::memory_order_acquire) == Where::gone; }

  const Deadline by;
  const TimePoint handed;
  const Executor executor;
  const bool awaited;            ///< somebody waits, or waited, for the answer
  std::unique_ptr<Alarm> alarm;  ///< the caller's; touched on its executor alone
  std::shared_ptr<const Error> error;

 private:
  bool leave(Where to) noexcept {
    Where was = Where::waiting;
    return where_.compare_exchange_strong(was, to, std::memory_order_acq_rel);
  }
  const char* verb_;
  std::atomic<Where> where_{Where::waiting};
};

/// A job that has not run yet, kept in memory whole, with what Claimed tells beside it.
struct WholeJob : NewJob {
  explicit WholeJob(NewJob job) : NewJob(std::move(job)) {}
  WallTime created{};
};

struct SubmitJob;
struct ClaimJobs;
struct ExtendLease;
struct CompleteJob;
struct FailJob;
struct GiveBackJob;
struct CancelJob;
struct RetryJob;
struct EraseJob;
struct TendJobs;

/// An attempt that has begun and is not yet on the disk.
struct UnwrittenClaim {
  JobLife life;
  JobClass priority = JobClass::interactive;
  std::string worker;
  WallTime started{};
  bool written = false;  ///< by the transaction that runs
};

using Unwritten = std::unordered_map<std::uint64_t, UnwrittenClaim>;

/// An attempt that began is on the disk after this long, when no other write came first …
constexpr Duration kClaimLinger = std::chrono::milliseconds(50);
/// … and no write takes it along before it is this old.
constexpr std::chrono::milliseconds kClaimYoung{10};

/// How a desk is set up.
struct DeskRules {
  JobLimits limits;
  bool strict_claims = false;       ///< an attempt is on the disk before it is handed out
  std::uint64_t inputs_memory = 0;  ///< bytes of whole jobs kept in memory
  std::size_t queue_max = 4096;     ///< verbs that wait
};

/// Only the writer's thread changes anything; what other threads may call says so.
class JobDesk final : public Rider {
 public:
  JobDesk(Clock& clock, const DeskRules& rules);
  ~JobDesk() override;

  /// Reads what has not ended, gives up the attempts of the last process. Before start(). Throws
  /// Failure.
  void load(Connection& db);
  void start(Writer& writer);

  // From any thread.
  Status hand(const std::shared_ptr<JobOp>& op);
  JobFigures figures() const;
  /// Whether the moment of a timer has passed that has not run yet.
  bool behind() const;
  /// What the disk does not know yet: attempts of about the last 50 ms, by the number of their job.
  Unwritten unwritten() const;
  /// The jobs of a filter whose state is not an end, the newest first.
  std::vector<std::uint64_t> live(const JobFilter& filter, std::uint64_t below) const;
  const JobLimits& limits() const noexcept { return rules_.limits; }
  Clock& clock() const noexcept { return clock_; }

  // Rider.
  bool urgent() const noexcept override { return !inbox_.empty() || more_; }
  TimePoint wakes() const noexcept override { return wakes_; }
  void take() override;
  bool prepare(bool last) override;
  bool apply(Connection& db, TimePoint until) override;
  void settled(const std::shared_ptr<const Error>& error, bool again) noexcept override;
  void closed(const std::shared_ptr<const Error>& why) noexcept override;

  // The verbs, inside the transaction; each gives whether it wrote. In jobs_verbs.cpp.
  bool submit(Connection& db, SubmitJob& op);
  bool complete(Connection& db, CompleteJob& op);
  bool fail(Connection& db, FailJob& op);
  bool give_back(Connection& db, GiveBackJob& op);
  bool cancel(Connection& db, CancelJob& op);
  bool retry(Connection& db, RetryJob& op);
  bool erase(Connection& db, EraseJob& op);
  bool tend(Connection& db, TendJobs& op);

 private:
  using Entry = JobBook::Entry;
  struct Moment {
    TimePoint at;
    WallTime wall;
  };
  /// How one change of the book is taken back.
  struct Undo {
    enum class What : std::uint8_t { inserted, changed, ended, uncounted } what;
    JobId id;
    JobLife life;
    TimePoint lease{};
    JobClass priority = JobClass::interactive;
    std::optional<JobBook::NewEntry> entry;
  };
  using Ops = std::vector<std::shared_ptr<JobOp>>;

  Moment look() const { return {clock_.now(), clock_.wall()}; }
  // Changes of the book: under the lock, with their undoing.
  Entry& insert(JobBook::NewEntry entry, TimePoint since);
  void change(Entry& entry, const JobLife& life, TimePoint lease = {});
  void end(Entry& entry, JobState how);
  void uncount(JobClass priority, JobState state);
  void take_back() noexcept;
  bool has_room_for(const NewJob& job) const;
  void drop_whole(Entry& entry);

  // Writing. In jobs_verbs.cpp.
  NowRow outcome(const Entry& entry, JobNow now);
  void put(Connection& db, const Entry& entry, JobNow now);
  void end_job(Connection& db, Entry& entry, JobNow now);
  bool insert_new(Connection& db, const std::shared_ptr<WholeJob>& job);
  void enter(const std::shared_ptr<WholeJob>& job, std::uint64_t n);
  void take_out(const NewJob& job);
  void write_rows(Connection& db);
  void put_nothing_off() noexcept;
  void make_next(Connection& db, Entry& entry, JobState how);
  void repeat_again(Connection& db, JobRow& row);
  struct Known {
    std::optional<Submitted> same;
    std::optional<Error> refused;
  };
  Known known(Connection& db, const NewJob& job);
  bool repeats(Connection& db, SubmitJob& op);
  void answer_known(Connection& db, SubmitJob& op);
  bool tight(const SubmitJob& op) const;
  Status admit(const SubmitJob& op);
  Error stale();
  /// The entry of a lease and its next life; null with the error, or without: told again.
  Entry* leased(Connection& db, JobOp& op, const Lease& lease, const JobStep& by, JobLife& next);
  bool store_turn(Connection& db, CompleteJob& op, const Owner& owner);
  std::uint64_t oldest_live() const;

  // Time.
  bool timers_due() const;
  void run_due();
  bool run_timers(Connection& db);
  bool claim_strictly(Connection& db);
  bool write_claims(Connection& db);
  void set_alarm();
  bool to_write() const;
  bool in_time() const;
  void look_around();

  // Claims.
  void sort_arrivals();
  void extend(ExtendLease& op);
  void serve();
  void serve_one(ClaimJobs& op);
  void answer_late_claimers();
  bool claim_one(Entry& entry, ClaimJobs& op);
  void return_claims(const ClaimJobs& op) noexcept;
  void forget_claims(const ClaimJobs& op);
  bool somebody_can_claim();

  // Answers.
  void finish(std::shared_ptr<JobOp> op, const std::shared_ptr<const Error>& error) noexcept;
  void send_answers() noexcept;
  void answer_staged(const std::shared_ptr<const Error>& error) noexcept;
  void undo_all() noexcept;

  Clock& clock_;
  const DeskRules rules_;
  Writer* writer_ = nullptr;
  Connection* db_ = nullptr;

  mutable std::mutex mutex_;  ///< other threads look at these three while the writer changes them
  std::unique_ptr<JobBook> book_;
  Unwritten unwritten_;  ///< by Entry::n
  JobFigures counts_;

  Ops inbox_;  ///< under the writer's lock
  Ops arrivals_;
  std::deque<std::shared_ptr<JobOp>> queue_;
  std::deque<std::shared_ptr<ClaimJobs>> claimers_;
  std::size_t staged_ = 0;  ///< of the queue, in the transaction that runs
  std::size_t singly_ = 0;  ///< that many go one by one, since together they failed
  std::vector<std::shared_ptr<ClaimJobs>> strict_;  ///< claims that wait for their commit
  std::vector<Undo> undo_;
  // Rows of the running transaction that are put off; anything that reads tables writes them first.
  std::vector<NowRow> ended_rows_;
  std::vector<SubmitJob*> submitted_;   ///< have entered, without a row yet
  bool wrote_ = false;                  ///< rows that had been put off
  std::vector<std::uint64_t> written_;  ///< of the unwritten claims, by the running transaction
  JobFigures counts_before_;
  std::unordered_set<std::uint64_t> repeating_;  ///< live jobs that make a next one
  std::vector<std::uint64_t> repeated_;          ///< of these, ended by the running transaction
  Moment moment_{};
  TimePoint until_{};
  TimePoint wakes_ = TimePoint::max();
  TimePoint quiet_until_{};                  ///< timers wait till then after a failure
  TimePoint claims_due_ = TimePoint::max();  ///< when unwritten claims go to the disk at the latest
  bool more_ = false;
  bool in_transaction_ = false;
  bool last_ = false;
  bool reload_ = false;  ///< memory may differ from the disk
  bool kept_keys_ = false;
  std::shared_ptr<const Error> dead_;
  std::uint64_t next_n_ = 1;
  std::uint64_t whole_bytes_ = 0;
  std::vector<std::pair<Executor, Ops>> answers_;
};

}  // namespace mainstay::storage::sqlite
