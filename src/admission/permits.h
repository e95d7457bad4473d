// Permits: how many requests are answered at once, and who waits.
// Used by admission; a Permit is held by a request from admission to its last byte.
#pragma once

#include <mutex>
#include <unordered_map>

#include "base/event.h"
#include "base/ids.h"
#include "base/result.h"
#include "config/settings.h"

namespace mainstay::admission {

class Permits;

/// One place among the requests answered at once; given back by the destructor, on any thread.
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

 private:
  Permits* from_ = nullptr;
};

/// Bounded concurrency with a bounded wait. Thread-safe.
class Permits {
 public:
  Permits(const LimitSettings& settings, Clock& clock);
  /// At once when there is a place; else waits, at most settings.queue_timeout or `by`.
  /// Errors: unavailable "overloaded" (queue full or no place in time, with retry_after);
  /// over_limit "user_queue_full" (this user waits with too many already); cancelled.
  Co<Result<Permit>> enter(UserId user, Deadline by);
  std::uint32_t in_use() const;
  std::uint32_t waiting() const;

 private:
  friend class Permit;
  struct Place;
  bool try_take();
  Status queue_up(const UserId& user);
  void leave_queue(const UserId& user);
  void give_back();
  const LimitSettings settings_;
  Clock& clock_;
  Event freed_;
  mutable std::mutex mutex_;
  std::uint32_t in_use_ = 0;
  std::uint32_t waiting_ = 0;
  std::unordered_map<UserId, std::uint32_t> waiting_of_;
};

}  // namespace mainstay::admission
