// The machine behind one supervised child.
#include "resources/child_life.h"

#include <algorithm>
#include <cstring>

namespace mainstay::resources {

const char* name(ChildPhase phase) noexcept {
  switch (phase) {
    case ChildPhase::resting:
      return "resting";
    case ChildPhase::starting:
      return "starting";
    case ChildPhase::running:
      return "running";
    case ChildPhase::stopping:
      return "stopping";
    case ChildPhase::given_up:
      return "degraded";
    case ChildPhase::ended:
      return "ended";
  }
  return "ended";
}

const char* why(ChildStep step) noexcept {
  switch (step) {
    case ChildStep::kill_hung:
      return "no sign of life";
    case ChildStep::kill_stuck:
      return "a part of it does not answer";
    case ChildStep::kill_slow_start:
      return "it did not get ready";
    case ChildStep::kill_slow_stop:
      return "it did not stop in time";
    case ChildStep::none:
    case ChildStep::start:
      break;
  }
  return "";
}

std::string describe(const ChildExit& how) {
  if (!how.killed_for.empty()) return "killed: " + how.killed_for;
  const std::string number = std::to_string(how.value);
  if (how.how == ChildExit::How::code) return "exit code " + number;
  if (how.how == ChildExit::How::not_started) {
    return std::string("could not be started: ") + std::strerror(how.value);
  }
  const std::string out = "signal " + number + " (" + ::strsignal(how.value) + ")";
  return how.out_of_memory ? out + ", out of memory" : out;
}

bool worth_a_restart(const ChildExit& how) noexcept {
  constexpr int kUsage = 2;
  constexpr int kConfig = 78;
  return how.how != ChildExit::How::code || (how.value != kUsage && how.value != kConfig);
}

ChildStep ChildLife::kill(ChildStep step) noexcept {
  if (killed_) return ChildStep::none;
  killed_ = true;
  return step;
}

ChildStep ChildLife::look(TimePoint now) {
  switch (phase_) {
    case ChildPhase::resting:
      return now >= next_start_ ? ChildStep::start : ChildStep::none;
    case ChildPhase::starting:
      if (now - began_ > rules_.start_timeout) return kill(ChildStep::kill_slow_start);
      break;
    case ChildPhase::running:
      if (now - alive_ > rules_.missed_max * rules_.heartbeat) return kill(ChildStep::kill_hung);
      if (now - well_ > rules_.stuck_after) return kill(ChildStep::kill_stuck);
      break;
    case ChildPhase::stopping:
      if (now >= stop_by_) return kill(ChildStep::kill_slow_stop);
      break;
    case ChildPhase::given_up:
    case ChildPhase::ended:
      break;
  }
  return ChildStep::none;
}

void ChildLife::started(TimePoint now) {
  phase_ = ChildPhase::starting;
  killed_ = false;
  began_ = now;
}

void ChildLife::heard(Sign sign, TimePoint now) {
  alive_ = now;
  if (sign == Sign::well || sign == Sign::ready) well_ = now;
  if (sign == Sign::leaving && phase_ != ChildPhase::stopping && has_process()) {
    phase_ = ChildPhase::stopping;
    stop_by_ = now + rules_.stop_timeout;
  }
  // Its first sign of life may come before it is ready: from then on it is looked after, but a
  // start that hangs with a beating heart is still bounded.
  if (sign == Sign::ready && phase_ == ChildPhase::starting) phase_ = ChildPhase::running;
}

void ChildLife::exited(const ChildExit& how, TimePoint now, Random& random) {
  if (told_) {
    phase_ = ChildPhase::ended;
    return;
  }
  while (!recent_.empty() && now - recent_.front() >= rules_.window) recent_.pop_front();
  if (!worth_a_restart(how) || recent_.size() >= rules_.restarts_max) {
    phase_ = ChildPhase::given_up;
    return;
  }
  // Uniform up to a bound that doubles with each restart of late: children that died together do
  // not start together.
  const Duration most = std::max(rules_.backoff_min, rules_.backoff_max);
  Duration bound = rules_.backoff_min;
  for (std::size_t i = 0; i <= recent_.size() && bound < most; ++i) {
    bound = std::min(bound * 2, most);
  }
  const auto span = static_cast<std::uint64_t>((bound - rules_.backoff_min).count()) + 1;
  const auto drawn = Duration(static_cast<std::int64_t>(random.below(span)));
  recent_.push_back(now);
  ++restarts_;
  next_start_ = now + rules_.backoff_min + drawn;
  phase_ = ChildPhase::resting;
}

void ChildLife::stop(TimePoint by) noexcept {
  told_ = true;
  stop_by_ = by;
  if (phase_ != ChildPhase::ended) {
    phase_ = has_process() ? ChildPhase::stopping : ChildPhase::ended;
  }
}

bool ChildLife::try_again() noexcept {
  if (phase_ != ChildPhase::given_up) return false;
  recent_.clear();
  next_start_ = {};
  phase_ = ChildPhase::resting;
  return true;
}

void ChildLife::forgive(TimePoint now) noexcept {
  alive_ = std::max(alive_, now);
  well_ = std::max(well_, now);
  if (phase_ == ChildPhase::starting) began_ = std::max(began_, now);
}

}  // namespace mainstay::resources
