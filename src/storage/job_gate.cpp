// The shares of the classes, the hysteresis, and the smoothed rate at which jobs end.
#include "storage/job_gate.h"

#include <algorithm>
#include <cmath>

namespace mainstay::storage {
namespace {

constexpr double kSmoothedOver = 10;        // seconds
constexpr std::int64_t kRetryMax = 60'000;  // milliseconds
constexpr std::int64_t kRetryMin = 1'000;

std::uint64_t percent(JobClass priority) noexcept {
  switch (priority) {
    case JobClass::voice:
      return 100;
    case JobClass::interactive:
      return 90;
    case JobClass::batch:
    case JobClass::background:
      return 60;
  }
  return 60;
}

double decayed(double rate, Duration since) noexcept {
  const double seconds = std::chrono::duration<double>(since).count();
  return seconds <= 0 ? rate : rate * std::exp(-seconds / kSmoothedOver);
}

}  // namespace

std::uint32_t refused_from(const JobLimits& limits, JobClass priority) noexcept {
  const std::uint64_t share = limits.depth_high * percent(priority) / 100;
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(share, 1));
}

void JobGate::depth_is(std::uint64_t depth) noexcept {
  if (depth >= limits_.depth_high) shedding_ = true;
  if (depth < limits_.depth_low) shedding_ = false;
}

void JobGate::drained(TimePoint now) noexcept {
  rate_ = decayed(rate_, now - last_) + 1 / kSmoothedOver;
  last_ = std::max(last_, now);
}

double JobGate::drained_per_second(TimePoint now) const noexcept {
  return decayed(rate_, now - last_);
}

Status JobGate::admit(std::uint64_t depth, JobClass priority, TimePoint now) {
  const std::uint32_t from = refused_from(limits_, priority);
  if (!shedding_ && depth < from) return done();
  ++refused_;
  const std::uint64_t free_below =
      shedding_ ? std::min<std::uint64_t>(limits_.depth_low, from) : from;
  const auto surplus = static_cast<double>(depth - std::min(depth, free_below) + 1);
  const double rate = drained_per_second(now);
  std::int64_t wait = kRetryMax;
  if (rate * static_cast<double>(kRetryMax) / 1000 > surplus) {
    wait = std::max(kRetryMin, static_cast<std::int64_t>(std::ceil(1000 * surplus / rate)));
  }
  return queue_overloaded(std::chrono::milliseconds(wait));
}

Error queue_overloaded(std::chrono::milliseconds retry_after) {
  Error error = Error::say(Errc::unavailable, "queue_overloaded",
                           "Too much work is queued already; try again later.");
  error.retry_after = retry_after;
  return error;
}

Error too_many_waiting(std::uint32_t waiting, std::uint32_t waiting_max) {
  return Error::say(Errc::over_limit, "too_many_waiting_jobs",
                    "You have " + std::to_string(waiting) + " jobs waiting, of at most " +
                        std::to_string(waiting_max) + "; wait until one has begun or cancel one.");
}

}  // namespace mainstay::storage
