// Permits over one event; the wait is bounded in number, per user and in time.
#include "admission/permits.h"

namespace mainstay::admission {

/// A waiter's place in the queue, left however the wait ends.
struct Permits::Place {
  Place(Permits& in, UserId of) : permits(in), user(std::move(of)) {}
  ~Place() { permits.leave_queue(user); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  Permits& permits;
  UserId user;
};

Permit::~Permit() {
  if (from_ != nullptr) from_->give_back();
}

Permits::Permits(const LimitSettings& settings, Clock& clock)
    : settings_(settings), clock_(clock), freed_(clock) {}

bool Permits::try_take() {
  std::lock_guard lock(mutex_);
  if (in_use_ >= settings_.concurrent_max) return false;
  ++in_use_;
  return true;
}

Status Permits::queue_up(const UserId& user) {
  std::lock_guard lock(mutex_);
  if (waiting_ >= settings_.queued_max) {
    Error e = Error::say(Errc::unavailable, "overloaded",
                         "The server is at its capacity. Try again shortly.");
    e.retry_after = std::chrono::seconds(1);
    return e;
  }
  const auto found = waiting_of_.find(user);
  const std::uint32_t mine = found == waiting_of_.end() ? 0 : found->second;
  if (mine >= settings_.user.queued) {
    Error e = Error::say(Errc::over_limit, "user_queue_full",
                         "You have " + std::to_string(mine) +
                             " messages waiting already. Let some of them finish first.");
    e.retry_after = std::chrono::seconds(1);
    return e;
  }
  ++waiting_of_[user];
  ++waiting_;
  return done();
}

void Permits::leave_queue(const UserId& user) {
  std::lock_guard lock(mutex_);
  --waiting_;
  auto found = waiting_of_.find(user);
  if (found != waiting_of_.end() && --found->second == 0) waiting_of_.erase(found);
}

Co<Result<Permit>> Permits::enter(UserId user, Deadline by) {
  if (try_take()) co_return Permit(this);
  auto queued = queue_up(user);
  if (!queued.ok()) co_return queued.error();
  Place place(*this, std::move(user));
  const Deadline end = by.sooner(clock_.now(), settings_.queue_timeout);
  for (;;) {
    const auto seen = freed_.version();
    if (try_take()) co_return Permit(this);
    auto woken = co_await freed_.wait(seen, end);
    if (!woken && end.passed(clock_.now())) break;
  }
  Error e = Error::say(Errc::unavailable, "overloaded",
                       "No place became free in time. Try again shortly.");
  e.retry_after = std::chrono::seconds(2);
  co_return e;
}

void Permits::give_back() {
  bool anyone = false;
  {
    std::lock_guard lock(mutex_);
    --in_use_;
    anyone = waiting_ > 0;
  }
  if (anyone) freed_.notify();
}

std::uint32_t Permits::in_use() const {
  std::lock_guard lock(mutex_);
  return in_use_;
}

std::uint32_t Permits::waiting() const {
  std::lock_guard lock(mutex_);
  return waiting_;
}

}  // namespace mainstay::admission
