// Permits: how many requests are answered at once, and who waits.
// Used by admission; a Permit is held by a request from admission to its last byte.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "admission/overload.h"
#include "admission/queue.h"
#include "base/event.h"
#include "base/result.h"
#include "config/settings.h"

namespace mainstay::admission {

class Permits;

/// One place among the requests answered at once; given back by the destructor, on any thread.
class Permit {
 public:
  Permit() = default;
  Permit(Permit&& other) noexcept { swap(other); }
  Permit& operator=(Permit&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Permit();
  explicit operator bool() const noexcept { return from_ != nullptr; }

 private:
  friend class Permits;
  Permit(Permits* from, FairQueue::User* user, TimePoint since)
      : from_(from), user_(user), since_(since) {}
  void swap(Permit& other) noexcept {
    std::swap(from_, other.from_);
    std::swap(user_, other.user_);
    std::swap(since_, other.since_);
  }
  Permits* from_ = nullptr;
  FairQueue::User* user_ = nullptr;  ///< whose work is counted; null: nobody's
  TimePoint since_{};
};

/// Who asks for a permit, and how it may wait.
struct Entrant {
  std::string user;  ///< with its tenant, so that two tenants' users differ
  Priority priority = Priority::interactive;
  bool anonymous = false;
  std::uint32_t cost = 1;        ///< turns that it takes among users; 1 to 8
  std::uint32_t queued_max = 0;  ///< of its user's that may wait; 0: limits.user.queued
};

/// Bounded concurrency with a short, bounded and fair wait (FairQueue says in which order).
/// Thread-safe, and outlives its permits. While nobody waits, entering and leaving are one atomic
/// operation each; a permit given back while somebody waits goes straight to who is next.
/// A newcomer is refused when its user has queued_max waiting, when the queue holds its
/// bound (min(queued_max, queue_timeout x rate / 2); the least urgent waiter makes room for more
/// urgent work), or when its expected wait would outlast the wait it may have, or the wait and the
/// service its deadline.
class Permits {
 public:
  Permits(const LimitSettings& settings, Clock& clock);
  /// The cheap way, for any caller: a permit when nobody waits, one is free and users' work is not
  /// counted; else an empty one, and enter() decides.
  Permit try_enter();
  /// Waits at most settings.queue_timeout or until `by`.
  /// Errors, all with retry_after: unavailable "overloaded"; over_limit "user_queue_full".
  /// Without it: cancelled (the waiter is out of the queue at once).
  Co<Result<Permit>> enter(Entrant entrant, Deadline by);
  /// Fewer than are in use takes effect as permits come back.
  void set_capacity(std::uint32_t permits);
  /// The share of limits.concurrent_max that pressure leaves, 0 to 1; at least one permit stays.
  void set_factor(double factor);
  /// Takes new figures.
  void apply(const LimitSettings& settings);

  std::uint32_t capacity() const noexcept { return capacity_.load(std::memory_order_relaxed); }
  std::uint32_t in_use() const noexcept;
  std::uint32_t waiting() const noexcept;
  std::uint32_t waiting(Priority priority) const;
  /// Users of which something waits, or works while users' work is counted.
  std::size_t users() const;
  /// The mean time that a permit is held; zero before the first.
  Duration service_time() const noexcept { return service_.mean(); }
  /// How many may wait now.
  std::uint32_t queue_bound() const;

 private:
  friend class Permit;
  struct Waiter;
  struct Place;
  using Woken = std::vector<std::shared_ptr<Waiter>>;
  bool take_at_once();
  bool give_at_once();
  bool free_for(const std::string& user) const;
  Result<std::shared_ptr<Waiter>> enter_or_wait(const Entrant& entrant, Deadline by, Permit& permit,
                                                Woken& woken);
  Status may_wait(const Entrant& entrant, Deadline by, TimePoint now, Woken& woken);
  Duration expected_wait(const Entrant& entrant, TimePoint now) const;
  void take_out(Waiter& waiter);
  void leave_queue(Waiter& waiter);
  void give_back(const Permit& permit);
  void hand_over(TimePoint now, Woken& woken);
  void see_busy(TimePoint now);
  static void wake(Woken& woken);
  static Error overloaded(Duration retry_after);
  Pace pace() const noexcept { return {service_.mean(), capacity()}; }
  // In use in the low half, waiting in the high half; while anybody waits it changes under mutex_.
  static constexpr std::uint64_t kOneWaits = std::uint64_t(1) << 32;
  std::atomic<std::uint64_t> state_{0};
  std::atomic<std::uint32_t> capacity_;
  std::atomic<bool> counts_users_;
  ServiceTime service_;
  Clock& clock_;
  mutable std::mutex mutex_;
  LimitSettings settings_;
  double factor_ = 1;
  FairQueue queue_;
  Busy busy_;
};

}  // namespace mainstay::admission
