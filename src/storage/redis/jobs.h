// Jobs on Redis Streams. Each verb is one Lua script; concurrent ones share a call.
// Used by open.cpp and tests.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>

#include "storage/jobs.h"
#include "storage/redis/batch.h"
#include "storage/redis/bell.h"
#include "storage/redis/drain.h"
#include "storage/redis/leader.h"

namespace mainstay::storage::redis {

/// Stores the turn of a completed job where conversations live; idempotent by the turn's request.
using StoreTurn = std::function<Co<Status>(Owner owner, Turn turn, Deadline by)>;

/// Whose clock decides: the server's, which all processes share, or the Clock given (tests).
enum class TimeOf : std::uint8_t { server, caller };

/// Of a job in one reply, beside its input and result: names, keys, the address of a webhook.
inline constexpr std::uint64_t kBesideInput = 64 << 10;

class RedisJobs final : public JobStore {
 public:
  /// References outlive it; `client` is closed before it goes.
  RedisJobs(Client& client, const JobLimits& limits, const RedisLeader& leader, StoreTurn turns,
            TimeOf time);
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
  /// Depths, ages, deaths and leases over are those of all processes, at most a second old while
  /// somebody looks.
  JobFigures figures() const override;

 private:
  struct Counts {
    std::atomic<std::uint64_t> submitted{0}, replayed{0}, claimed{0}, completed{0};
    std::atomic<std::uint64_t> failed_attempts{0}, stale{0};
    std::atomic<std::uint64_t> refused_user{0}, refused_depth{0};
    std::atomic<std::uint64_t> by_hand{0};
  };
  /// What the server said of the queue when last asked.
  struct Known {
    JobFigures figures;
    TimePoint at{};
    bool asking = false;
    std::uint64_t died_before = 0;  ///< when this store was opened
    std::uint64_t lapsed_before = 0;
    bool still = false;       ///< nothing waited or ran
    std::uint64_t moves = 0;  ///< before it was asked for
  };
  /// What an empty claim knows: until when nothing comes but by the bell.
  struct Nothing {
    std::uint64_t seen = 0;  ///< the bell's version before it
    std::string last;        ///< the bell's last ring
    TimePoint until{};       ///< zero: not known
  };
  void head(Command& command) const;
  Command command(Script script) const;
  std::vector<Reply> split_submit(Reply reply);
  Result<Submitted> submitted(const NewJob& job, std::uint32_t waiting_max, const Reply& reply);
  Co<Result<std::vector<Claimed>>> claim_once(Claim claim, std::string* bell, Duration* timer,
                                              Deadline by);
  void give_back_unclaimed(const Reply& reply, Owed owed);
  Co<Result<Reply>> by_hand(Script script, std::optional<Owner> owner, JobId id, Deadline by,
                            std::uint32_t waiting_max = 0);
  Co<Result<Job>> job_by_hand(Script script, std::optional<Owner> owner, JobId id, Deadline by);
  Co<Status> store_turn(Lease lease, Turn turn, Deadline by);
  Status outcome(const Reply& reply);
  Error overloaded(JobClass priority, std::uint64_t depth);
  void refresh(std::function<void()> then) const;
  JobFigures look_now() const;
  void learn(const Reply& reply) const;
  Duration figures_age() const;
  std::uint64_t moves() const;
  Nothing nothing_since(const std::string& wanted);
  void found_nothing(const std::string& wanted, const Nothing& nothing);

  Client& client_;
  Clock& clock_;
  const JobLimits limits_;
  const RedisLeader& leader_;
  const StoreTurn turns_;
  const TimeOf time_;
  Batch submits_;
  Batch completes_;
  Batch fails_;
  Batch give_backs_;
  Batch extends_;
  std::unique_ptr<Bell> bell_;
  std::atomic<std::uint32_t> claims_{0};    ///< that found something
  mutable std::mutex mutex_;                ///< of the four below; never held over I/O
  std::map<std::string, Nothing> nothing_;  ///< by what was wanted
  mutable Known known_;
  mutable Drain drain_;
  bool shedding_ = false;
  mutable Counts counts_;
};

}  // namespace mainstay::storage::redis
