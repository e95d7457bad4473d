// Jobs in plain containers: the rules of the face, written as plainly as possible, and the oracle
// of the other back ends. Used by storage/memory/open.cpp.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "base/event.h"
#include "storage/job_book.h"
#include "storage/jobs.h"
#include "storage/memory/conversations.h"

namespace mainstay::storage::memory {

/// Thread-safe; only claim() waits. Nothing survives it. Bounded by the limits' depth for what has
/// not ended, and by their times, which upkeep() applies, for what has.
class MemoryJobs final : public JobStore {
 public:
  /// Both outlive it.
  MemoryJobs(Clock& clock, const JobLimits& limits, MemoryConversations& conversations);

  Co<Result<Submitted>> submit(NewJob job, std::uint32_t waiting_max, Deadline by) override;
  Co<Result<std::vector<Claimed>>> claim(Claim claim, Deadline by) override;
  Co<Status> extend(Lease lease, Duration by_how_long, Deadline by) override;
  Co<Status> complete(Lease lease, std::string result, Effects effects, Deadline by) override;
  Co<Result<JobState>> fail(Lease lease, JobFailure failure, std::optional<Duration> again,
                            Deadline by) override;
  Co<Status> give_back(Lease lease, Duration later, Deadline by) override;
  Co<Result<Job>> cancel(std::optional<Owner> owner, JobId id, Deadline by) override;
  Co<Result<Job>> retry(std::optional<Owner> owner, JobId id, std::uint32_t waiting_max,
                        Deadline by) override;
  Co<Result<Job>> get(std::optional<Owner> owner, JobId id, Deadline by) override;
  Co<Result<PageOfJobs>> list(JobFilter filter, JobId after, std::uint32_t limit,
                              Deadline by) override;
  Co<Status> erase(std::optional<Owner> owner, JobId id, Deadline by) override;
  Co<Result<Duration>> upkeep(Deadline by) override;
  JobFigures figures() const override;

  /// Those who wait in claim() get unavailable "storage_closed"; nothing is given out any more.
  void close();

 private:
  struct Record {
    Job job;
    JobLife life;
    std::uint64_t n = 0;
  };
  /// What an idempotency key stands for.
  struct Key {
    JobId id;
    std::string digest;
    WallTime until{};                     ///< kept till then at least
    JobState last = JobState::succeeded;  ///< of a job that is no longer kept
  };
  struct Now {
    TimePoint at;
    WallTime wall;
  };
  using KeyName = std::pair<Owner, std::string>;
  using Arrivals = std::map<std::uint64_t, JobId>;

  Now now() const { return {clock_.now(), clock_.wall()}; }
  static Job shown(const Record& record);
  /// All below: under the mutex.
  Result<Submitted> submit_now(NewJob job, std::uint32_t waiting_max, Now now);
  std::optional<Result<Submitted>> known(const NewJob& job, Now now);
  void insert(NewJob job, Now now);
  void insert_if_new(NewJob job, Now now);
  std::vector<Claimed> take(const Claim& claim, Now now);
  Status complete_now(const Lease& lease, std::string result, Effects effects, Now now);
  void run_timers(Now now);
  /// Moves a record that has not ended to a new life, an end included.
  void move(Record& record, const JobLife& life, Now now, TimePoint lease_until = {});
  void finished(Record& record, Now now);
  void remove(Record& record);
  Record* find(const std::optional<Owner>& owner, const JobId& id);
  Result<Record*> leased(const Lease& lease);
  WallTime kept_until(const Record& record) const;
  void remove_old(Now now);
  Arrivals::const_reverse_iterator made_before(const std::string& mark) const;

  Clock& clock_;
  const JobLimits limits_;
  MemoryConversations& conversations_;
  mutable std::mutex mutex_;
  JobBook book_;
  std::map<JobId, Record> records_;
  Arrivals by_arrival_;
  std::set<std::pair<WallTime, JobId>> ends_;  ///< until when what has ended is kept
  std::map<KeyName, Key> keys_;
  JobFigures counts_;
  std::uint64_t next_n_ = 1;
  bool closed_ = false;
  Event work_;
};

}  // namespace mainstay::storage::memory
