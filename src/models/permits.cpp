// A counter and a queue; a permit given back goes straight to the first in the queue.
#include "models/permits.h"

namespace mainstay::models {

Permit::~Permit() {
  if (from_ != nullptr) from_->give();
}

struct Permits::Waiter {
  explicit Waiter(Clock& clock) : granted_event(clock) {}
  Event granted_event;
  bool granted = false;  ///< under the mutex of Permits
};

/// A place in the queue. However the wait ends, the place is left, and a permit granted meanwhile
/// but not claimed is passed on.
struct Permits::Queued {
  Permits& permits;
  std::shared_ptr<Waiter> waiter;
  bool claimed = false;

  Permit claim() {
    std::lock_guard lock(permits.mutex_);
    if (!waiter->granted) return {};
    claimed = true;
    return Permit(&permits);
  }
  ~Queued() {
    bool unclaimed = false;
    {
      std::lock_guard lock(permits.mutex_);
      permits.queue_.remove(waiter);
      unclaimed = waiter->granted && !claimed;
    }
    if (unclaimed) permits.give();
  }
};

Permit Permits::try_take() {
  std::lock_guard lock(mutex_);
  if (taken_ >= most_ || !queue_.empty()) return {};
  ++taken_;
  return Permit(this);
}

void Permits::give() {
  std::shared_ptr<Waiter> next;
  {
    std::lock_guard lock(mutex_);
    if (queue_.empty()) {
      --taken_;
      return;
    }
    next = queue_.front();
    queue_.pop_front();
    next->granted = true;
  }
  next->granted_event.notify();
}

Co<Permit> Permits::take(Deadline by) {
  auto waiter = std::make_shared<Waiter>(clock_);
  const auto seen = waiter->granted_event.version();
  {
    std::lock_guard lock(mutex_);
    if (taken_ < most_ && queue_.empty()) {
      ++taken_;
      co_return Permit(this);
    }
    if (queue_.size() >= waiting_max_) co_return Permit();
    queue_.push_back(waiter);
  }
  Queued queued{*this, waiter};
  [[maybe_unused]] auto woken = co_await waiter->granted_event.wait(seen, by);
  co_return queued.claim();
}

std::uint32_t Permits::taken() const {
  std::lock_guard lock(mutex_);
  return taken_;
}

std::uint32_t Permits::waiting() const {
  std::lock_guard lock(mutex_);
  return static_cast<std::uint32_t>(queue_.size());
}

}  // namespace mainstay::models
