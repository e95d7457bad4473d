// The breaker's transitions.
#include "models/breaker.h"

#include <algorithm>

namespace mainstay::models {
namespace {
/// Successes that close a half-open breaker: the single probe, then three more.
constexpr std::uint32_t kSuccessesToClose = 4;
constexpr std::uint32_t kCallsAfterProbe = 3;
}  // namespace

std::string_view name(Breaker::State state) noexcept {
  switch (state) {
    case Breaker::State::closed:
      return "closed";
    case Breaker::State::open:
      return "open";
    case Breaker::State::half_open:
      return "half_open";
  }
  return "closed";
}

Breaker::Breaker(const ModelSettings& settings)
    : calls_min_(settings.breaker_calls_min),
      failure_ratio_(settings.breaker_failure_ratio),
      open_first_(settings.breaker_open),
      open_max_(settings.breaker_open_max),
      window_(std::max<std::uint32_t>(settings.breaker_window, 1)) {}

Breaker::State Breaker::state(TimePoint now) const {
  return state_ == State::open && now >= until_ ? State::half_open : state_;
}

Duration Breaker::open_for(TimePoint now) const {
  if (state_ != State::open || now >= until_) return Duration::zero();
  return until_ - now;
}

Breaker::Pass Breaker::ask(TimePoint now) {
  if (state_ == State::open && now >= until_) {
    state_ = State::half_open;
    ++era_;
    probes_ = 0;
    successes_ = 0;
  }
  if (state_ == State::closed) return {true, era_, {}};
  if (state_ == State::open) return {false, era_, until_ - now};
  const std::uint32_t together = successes_ == 0 ? 1 : kCallsAfterProbe;
  if (probes_ >= together || probes_ + successes_ >= kSuccessesToClose) {
    return {false, era_, open_first_};
  }
  ++probes_;
  return {true, era_, {}};
}

void Breaker::success(const Pass& pass) {
  if (!pass.allowed || pass.era != era_) return;
  if (state_ == State::closed) return count(false);
  if (state_ != State::half_open) return;
  --probes_;
  if (++successes_ >= kSuccessesToClose) close();
}

void Breaker::answers(Pass& pass) {
  if (!pass.allowed || pass.era != era_ || state_ != State::half_open) return;
  success(pass);
  pass.allowed = false;
}

void Breaker::failure(const Pass& pass, TimePoint now, Random& random) {
  if (!pass.allowed || pass.era != era_) return;
  if (state_ == State::half_open) return open(now, random);
  if (state_ != State::closed) return;
  count(true);
  if (calls_ >= calls_min_ && failures_ >= failure_ratio_ * calls_) open(now, random);
}

void Breaker::ignored(const Pass& pass) {
  if (pass.allowed && pass.era == era_ && state_ == State::half_open) --probes_;
}

void Breaker::count(bool failed) {
  if (calls_ == window_.size()) {
    if (window_[next_]) --failures_;
  } else {
    ++calls_;
  }
  window_[next_] = failed;
  if (failed) ++failures_;
  next_ = (next_ + 1) % window_.size();
}

void Breaker::open(TimePoint now, Random& random) {
  Duration wait = open_first_;
  for (std::uint32_t i = 0; i < openings_ && wait < open_max_; ++i) wait *= 2;
  wait = std::min(wait, open_max_);
  const auto spread = static_cast<std::uint64_t>(wait.count() / 2);
  wait += Duration(static_cast<std::int64_t>(random.below(spread + 1))) - wait / 4;
  until_ = now + std::min(wait, open_max_);
  ++openings_;
  ++era_;
  state_ = State::open;
}

void Breaker::close() {
  state_ = State::closed;
  ++era_;
  openings_ = 0;
  calls_ = failures_ = 0;
  next_ = 0;
  std::fill(window_.begin(), window_.end(), false);
}

}  // namespace mainstay::models
