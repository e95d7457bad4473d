// What is known of the queue as a whole: asked for while somebody looks, seldom while nothing
// moves.
#include <algorithm>
#include <future>

#include "storage/redis/client.h"
#include "storage/redis/job_codec.h"
#include "storage/redis/jobs.h"
#include "storage/redis/scripts.h"

namespace mainstay::storage::redis {
namespace {

/// Age at which figures are asked for again; and while nothing moves, where the bell is heard and
/// where it is not.
constexpr Duration kFiguresAge = std::chrono::seconds(1);
constexpr Duration kFiguresHeard = std::chrono::seconds(60);
constexpr Duration kFiguresUnheard = std::chrono::seconds(5);

}  // namespace

void RedisJobs::learn(const Reply& reply) const {
  std::lock_guard lock(mutex_);
  JobFigures& out = known_.figures;
  out = JobFigures{};
  const auto& pairs = reply.at(0).items;
  bool shed = false;
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
    const std::string& field = pairs[i].text;
    const auto count = static_cast<std::uint64_t>(std::max<std::int64_t>(pairs[i + 1].count(), 0));
    if (field == "shed") shed = true;
    if (field == "died") out.died = count;
    if (field == "lapsed") out.expired_leases = count;
    if (field == "ends") drain_.saw(count, clock_.now());
    if (field.size() != 2 || field[0] < '0' || field[0] > '3') continue;
    const JobState state = state_of(field[1]);
    out.by_state[field[0] - '0'][static_cast<std::size_t>(state)] = count;
    if (!ended(state)) out.depth += count;
  }
  out.shedding = shed && out.depth >= limits_.depth_low;
  for (std::size_t c = 0; c < kJobClasses; ++c) {
    out.oldest_ready[c] = std::chrono::microseconds(reply.at(1).at(c).count());
  }
  if (known_.at == TimePoint{}) {
    known_.died_before = out.died;
    known_.lapsed_before = out.expired_leases;
  }
  out.died -= std::min(out.died, known_.died_before);
  out.expired_leases -= std::min(out.expired_leases, known_.lapsed_before);
  known_.at = clock_.now();
  known_.still = true;
  for (const auto& states : out.by_state) {
    known_.still &= states[static_cast<std::size_t>(JobState::queued)] == 0 &&
                    states[static_cast<std::size_t>(JobState::running)] == 0;
  }
}

/// Under the mutex. Any submission rings the bell; what this process did shows in its counts.
Duration RedisJobs::figures_age() const {
  const bool still = known_.still && known_.moves == moves();
  if (!still) return kFiguresAge;
  return bell_->heard() ? kFiguresHeard : kFiguresUnheard;
}

/// Grows with all that this process knows to have happened.
std::uint64_t RedisJobs::moves() const {
  return counts_.submitted + counts_.claimed + counts_.completed + counts_.failed_attempts +
         counts_.by_hand + bell_->version();
}

/// Asks for the queue's figures; `then` is called when they are known, or not to be had.
void RedisJobs::refresh(std::function<void()> then) const {
  Call call;
  call.command = command(Script::figures);
  call.again = true;
  call.give_up = clock_.now() + Duration(client_.settings().reply_timeout);
  call.done = [this, then = std::move(then)](Result<Reply> reply) {
    if (reply.ok()) learn(*reply);
    {
      std::lock_guard lock(mutex_);
      known_.asking = false;
      if (!reply.ok()) known_.still = false;  // what moved is not known yet
    }
    if (then) then();
  };
  client_.post([this, call = std::move(call)]() mutable { client_.send(std::move(call)); });
}

/// Blocks: only where the caller's clock decides, which is in tests.
JobFigures RedisJobs::look_now() const {
  auto known = std::make_shared<std::promise<void>>();
  auto ready = known->get_future();
  refresh([known] { known->set_value(); });
  ready.wait();
  std::lock_guard lock(mutex_);
  return known_.figures;
}

JobFigures RedisJobs::figures() const {
  JobFigures out;
  bool ask = false;
  {
    std::lock_guard lock(mutex_);
    ask = !known_.asking && clock_.now() - known_.at >= figures_age() && !client_.closed();
    if (ask) {
      known_.asking = true;
      known_.moves = moves();
    }
    out = known_.figures;
    out.drained_per_second = drain_.per_second();
  }
  if (time_ == TimeOf::caller && !client_.closed()) {
    out = look_now();
  } else if (ask) {
    refresh({});
  }
  out.submitted = counts_.submitted;
  out.replayed = counts_.replayed;
  out.claimed = counts_.claimed;
  out.completed = counts_.completed;
  out.failed_attempts = counts_.failed_attempts;
  out.stale = counts_.stale;
  out.refused_user = counts_.refused_user;
  out.refused_depth = counts_.refused_depth;
  return out;
}

}  // namespace mainstay::storage::redis
