// Event: many coroutines on any executors wait, anyone wakes them.
// Used where one request's progress is another's news (coalescing, permits, streams).
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "base/deadline.h"

namespace mainstay {

/// Thread-safe. A version number closes the gap between looking and waiting:
///   const auto seen = event.version();  look at the state;  co_await event.wait(seen, by);
/// notify() after the change: a waiter that saw the old version is woken, or does not even wait.
class Event {
 public:
  explicit Event(Clock& clock) : clock_(clock) {}
  std::uint64_t version() const;
  /// Wakes all waiters; each resumes on its own executor. Destructors call this: it does not throw,
  /// and a waiter for whose wake-up there is no memory wakes at its deadline.
  void notify() noexcept;
  /// True when notified since `seen`, false when the deadline came first or on cancellation.
  /// The event must outlive the wait.
  Co<bool> wait(std::uint64_t seen, Deadline by);

 private:
  struct Waiter;
  Clock& clock_;
  mutable std::mutex mutex_;
  std::uint64_t version_ = 1;
  std::list<std::shared_ptr<Waiter>> waiters_;
};

}  // namespace mainstay
