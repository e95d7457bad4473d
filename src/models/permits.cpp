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

/// Under the mutex: what is free goes to the first in the queue.
void Permits::hand_over(std::list<std::shared_ptr<Waiter>>& granted) {
  while (taken_ < most_ && !queue_.empty()) {
    ++taken_;
    queue_.front()->granted = true;
    granted.splice(granted.end(), queue_, queue_.begin());
  }
}

void Permits::wake(const std::list<std::shared_ptr<Waiter>>& granted) {
  for (const auto& waiter : granted) waiter->granted_event.notify();
}

void Permits::give() {
  std::list<std::shared_ptr<Waiter>> granted;
  {
    std::lock_guard lock(mutex_);
    --taken_;
    hand_over(granted);
  }
  wake(granted);
}

void Permits::set_limit(std::uint32_t most) {
  std::list<std::shared_ptr<Waiter>> granted;
  {
    std::lock_guard lock(mutex_);
    most_ = most;
    hand_over(granted);
  }
  wake(granted);
}

std::uint32_t Permits::limit() const {
  std::lock_guard lock(mutex_);
  return most_;
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
