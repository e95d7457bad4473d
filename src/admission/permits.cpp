// The driver of the queue: an atomic count for the quiet times, a mutex when somebody waits.
#include "admission/permits.h"

#include <algorithm>

namespace mainstay::admission {
namespace {

constexpr std::uint32_t in_use_of(std::uint64_t state) {
  return static_cast<std::uint32_t>(state);
}
constexpr std::uint32_t waiting_of(std::uint64_t state) {
  return static_cast<std::uint32_t>(state >> 32);
}
/// While nothing is known of how long an answer takes.
constexpr Duration kUnknownWait = std::chrono::seconds(1);

std::chrono::milliseconds told(Duration wait) {
  if (wait <= Duration::zero()) wait = kUnknownWait;
  return std::chrono::ceil<std::chrono::milliseconds>(wait);
}

std::uint32_t share(std::uint32_t of, double factor) {
  const double part = static_cast<double>(of) * std::clamp(factor, 0.0, 1.0);
  return std::max(std::min<std::uint32_t>(1, of), static_cast<std::uint32_t>(part));
}

}  // namespace

/// One that waits. Shared with who wakes it: it may go away while it is being woken.
struct Permits::Waiter : FairQueue::Ticket, std::enable_shared_from_this<Waiter> {
  explicit Waiter(Clock& clock) : turn(clock), seen(turn.version()) {}
  Event turn;
  const std::uint64_t seen;
  Deadline end = Deadline::never();
  bool granted = false;  // these are under the mutex of Permits
  bool claimed = false;
  bool displaced = false;
};

/// A waiter's place in the queue, left however the wait ends.
struct Permits::Place {
  Place(Permits& in, std::shared_ptr<Waiter> who) : permits(in), waiter(std::move(who)) {}
  ~Place() { permits.leave_queue(*waiter); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  Result<Permit> claim() {
    std::lock_guard lock(permits.mutex_);
    const TimePoint now = permits.clock_.now();
    if (waiter->granted) {
      waiter->claimed = true;
      return Permit(&permits, waiter->user, now);
    }
    if (!waiter->displaced && !waiter->end.passed(now)) {
      return Error::log(Errc::cancelled, "left the queue");
    }
    return overloaded(permits.pace().wait(waiter_count()));
  }
  std::uint32_t waiter_count() const { return permits.queue_.waiting(waiter->priority); }
  Permits& permits;
  std::shared_ptr<Waiter> waiter;
};

Permit::~Permit() {
  if (from_ != nullptr) from_->give_back(*this);
}

Permits::Permits(const LimitSettings& settings, Clock& clock)
    : capacity_(settings.concurrent_max),
      counts_users_(settings.user.concurrent != 0),
      clock_(clock),
      settings_(settings),
      queue_(settings.share_every) {
  queue_.set_concurrent(settings.user.concurrent);
}

bool Permits::take_at_once() {
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  while (waiting_of(state) == 0 && in_use_of(state) < capacity()) {
    if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

bool Permits::give_at_once() {
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  while (waiting_of(state) == 0) {
    if (state_.compare_exchange_weak(state, state - 1, std::memory_order_release,
                                     std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

Permit Permits::try_enter() {
  if (counts_users_.load(std::memory_order_relaxed) || !take_at_once()) return {};
  return Permit(this, nullptr, clock_.now());
}

bool Permits::free_for(const std::string& user) const {
  return !counts_users_.load(std::memory_order_relaxed) || queue_.may_work(user);
}

/// Under the mutex. Takes a permit when one is free, else joins the queue, in one step with those
/// that come and go without the mutex: the compare-exchange fails when one of them was faster.
Result<std::shared_ptr<Permits::Waiter>> Permits::enter_or_wait(const Entrant& entrant, Deadline by,
                                                                Permit& permit, Woken& woken) {
  const TimePoint now = clock_.now();
  bool asked = false;
  std::uint64_t state = state_.load(std::memory_order_acquire);
  for (;;) {
    if (in_use_of(state) < capacity() && free_for(entrant.user)) {
      if (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acquire)) continue;
      const bool counted = counts_users_.load(std::memory_order_relaxed);
      permit = Permit(this, counted ? queue_.start(entrant.user) : nullptr, now);
      return std::shared_ptr<Waiter>();
    }
    if (!asked) {
      auto may = may_wait(entrant, by, now, woken);
      if (!may.ok()) return may.error();
      asked = true;
      state = state_.load(std::memory_order_acquire);
      continue;
    }
    if (state_.compare_exchange_weak(state, state + kOneWaits, std::memory_order_acquire)) break;
  }
  auto waiter = std::make_shared<Waiter>(clock_);
  waiter->priority = entrant.priority;
  waiter->anonymous = entrant.anonymous;
  waiter->cost = entrant.cost;
  waiter->end = by.sooner(now, settings_.queue_timeout);
  queue_.add(*waiter, entrant.user);
  see_busy(now);
  return waiter;
}

/// How long a newcomer would wait: behind those before it, and until its user may work again.
Duration Permits::expected_wait(const Entrant& entrant, TimePoint now) const {
  const Pace pace = this->pace();
  const bool newest = entrant.anonymous && entrant.priority == Priority::interactive &&
                      busy_.sustained(settings_.overload_after, now);
  if (newest) return pace.wait(queue_.waiting(Priority::voice));
  const Duration behind = pace.wait(queue_.ahead(entrant.user, entrant.priority));
  if (queue_.may_work(entrant.user)) return behind;
  const auto own = std::int64_t(queue_.waiting_of(entrant.user)) + 1;
  return std::max(behind, pace.service * own / std::int64_t(settings_.user.concurrent));
}

Status Permits::may_wait(const Entrant& entrant, Deadline by, TimePoint now, Woken& woken) {
  const std::uint32_t mine = queue_.waiting_of(entrant.user);
  const Pace pace = this->pace();
  if (mine >= (entrant.queued_max != 0 ? entrant.queued_max : settings_.user.queued)) {
    Error e = Error::say(Errc::over_limit, "user_queue_full",
                         "You have " + std::to_string(mine) +
                             " messages waiting already. Let some of them finish first.");
    e.retry_after =
        told(pace.gap() * std::max<std::int64_t>(1, std::int64_t(queue_.lines(entrant.priority))));
    return e;
  }
  const Duration wait = expected_wait(entrant, now);
  const Duration may_take = std::min<Duration>(
      settings_.queue_timeout, std::max(Duration::zero(), by.left(now) - pace.service));
  if (pace.service > Duration::zero() && wait > may_take) {
    return overloaded(std::max(pace.gap(), wait - may_take));
  }
  if (waiting() < pace.queue_bound(settings_.queue_timeout, settings_.queued_max)) return done();
  FairQueue::Ticket* out = queue_.least_urgent(entrant.priority);
  if (out == nullptr) return overloaded(pace.gap());
  auto& displaced = static_cast<Waiter&>(*out);
  take_out(displaced);
  displaced.displaced = true;
  woken.push_back(displaced.shared_from_this());
  return done();
}

Error Permits::overloaded(Duration retry_after) {
  Error e = Error::say(Errc::unavailable, "overloaded",
                       "The server is at its capacity. Try again as Retry-After says.");
  e.retry_after = told(retry_after);
  return e;
}

Co<Result<Permit>> Permits::enter(Entrant entrant, Deadline by) {
  Permit permit = try_enter();
  if (permit) co_return permit;
  Woken woken;
  Result<std::shared_ptr<Waiter>> waiter;
  {
    std::lock_guard lock(mutex_);
    waiter = enter_or_wait(entrant, by, permit, woken);
  }
  wake(woken);
  if (!waiter.ok()) co_return waiter.error();
  if (permit) co_return permit;
  Place place(*this, std::move(*waiter));
  Waiter& me = *place.waiter;
  [[maybe_unused]] auto woke = co_await me.turn.wait(me.seen, me.end);
  co_return place.claim();
}

void Permits::take_out(Waiter& waiter) {
  queue_.remove(waiter);
  state_.fetch_sub(kOneWaits, std::memory_order_acq_rel);
}

void Permits::leave_queue(Waiter& waiter) {
  Woken woken;
  {
    std::lock_guard lock(mutex_);
    if (waiter.line != nullptr) {
      take_out(waiter);
    } else if (waiter.granted && !waiter.claimed) {
      queue_.finish(waiter.user);
      state_.fetch_sub(1, std::memory_order_acq_rel);
    }
    hand_over(clock_.now(), woken);
  }
  wake(woken);
}

void Permits::give_back(const Permit& permit) {
  const TimePoint now = clock_.now();
  service_.note(now - permit.since_);
  if (permit.user_ == nullptr && give_at_once()) return;
  Woken woken;
  {
    std::lock_guard lock(mutex_);
    if (permit.user_ != nullptr) queue_.finish(permit.user_);
    state_.fetch_sub(1, std::memory_order_acq_rel);
    hand_over(now, woken);
  }
  wake(woken);
}

/// Under the mutex. Afterwards no permit is free for anybody who waits.
void Permits::hand_over(TimePoint now, Woken& woken) {
  const bool sustained = busy_.sustained(settings_.overload_after, now);
  while (in_use() < capacity() && waiting() > 0) {
    auto* ticket = queue_.next(sustained ? Order::newest_first : Order::fair);
    if (ticket == nullptr) break;
    auto& waiter = static_cast<Waiter&>(*ticket);
    waiter.granted = true;
    state_.fetch_add(1 - kOneWaits, std::memory_order_acq_rel);
    woken.push_back(waiter.shared_from_this());
  }
  see_busy(now);
}

void Permits::see_busy(TimePoint now) {
  busy_.see(waiting() > 0 && in_use() >= capacity(), now);
}

void Permits::wake(Woken& woken) {
  for (auto& waiter : woken) waiter->turn.notify();
}

void Permits::set_capacity(std::uint32_t permits) {
  Woken woken;
  {
    std::lock_guard lock(mutex_);
    capacity_.store(permits, std::memory_order_relaxed);
    hand_over(clock_.now(), woken);
  }
  wake(woken);
}

void Permits::set_factor(double factor) {
  std::uint32_t permits = 0;
  {
    std::lock_guard lock(mutex_);
    factor_ = factor;
    permits = share(settings_.concurrent_max, factor);
  }
  set_capacity(permits);
}

void Permits::apply(const LimitSettings& settings) {
  std::uint32_t permits = 0;
  {
    std::lock_guard lock(mutex_);
    settings_ = settings;
    counts_users_.store(settings.user.concurrent != 0, std::memory_order_relaxed);
    queue_.set_concurrent(settings.user.concurrent);
    queue_.set_share_every(settings.share_every);
    permits = share(settings.concurrent_max, factor_);
  }
  set_capacity(permits);
}

std::uint32_t Permits::in_use() const noexcept {
  return in_use_of(state_.load(std::memory_order_relaxed));
}
std::uint32_t Permits::waiting() const noexcept {
  return waiting_of(state_.load(std::memory_order_relaxed));
}

std::uint32_t Permits::waiting(Priority priority) const {
  std::lock_guard lock(mutex_);
  return queue_.waiting(priority);
}

std::size_t Permits::users() const {
  std::lock_guard lock(mutex_);
  return queue_.users();
}

std::uint32_t Permits::queue_bound() const {
  std::lock_guard lock(mutex_);
  return pace().queue_bound(settings_.queue_timeout, settings_.queued_max);
}

}  // namespace mainstay::admission
