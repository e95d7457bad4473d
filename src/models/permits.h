// Permits: a bound on how many calls run at once, which may change, with a bounded, fair wait.
// Used by upstream.h, one for each provider.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <utility>

#include "base/co.h"
#include "base/deadline.h"
#include "base/event.h"

namespace mainstay::models {

class Permits;

/// One permit; given back when destroyed.
class Permit {
 public:
  Permit() = default;
  explicit Permit(Permits* from) : from_(from) {}
  Permit(Permit&& other) noexcept : from_(std::exchange(other.from_, nullptr)) {}
  Permit& operator=(Permit&& other) noexcept {
    std::swap(from_, other.from_);
    return *this;
  }
  ~Permit();
  explicit operator bool() const noexcept { return from_ != nullptr; }

 private:
  Permits* from_ = nullptr;
};

/// Thread-safe; outlives its permits. First come, first served, across event loops.
class Permits {
 public:
  Permits(Clock& clock, std::uint32_t most, std::uint32_t waiting_max)
      : clock_(clock), most_(most), waiting_max_(waiting_max) {}

  /// A permit at once, or an empty one. Never overtakes those who wait.
  Permit try_take();
  /// Another bound. Fewer than are taken takes effect as permits come back.
  void set_limit(std::uint32_t most);
  std::uint32_t limit() const;
  /// Waits for a permit until `by`; empty when the time passed or too many wait already.
  Co<Permit> take(Deadline by);
  std::uint32_t taken() const;
  std::uint32_t waiting() const;

 private:
  friend class Permit;
  struct Waiter;
  struct Queued;
  void give();
  void hand_over(std::list<std::shared_ptr<Waiter>>& granted);
  static void wake(const std::list<std::shared_ptr<Waiter>>& granted);
  Clock& clock_;
  std::uint32_t most_;
  const std::uint32_t waiting_max_;
  mutable std::mutex mutex_;
  std::uint32_t taken_ = 0;
  std::list<std::shared_ptr<Waiter>> queue_;
};

}  // namespace mainstay::models
