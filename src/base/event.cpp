// Event over one alarm per waiter; waking goes through the waiter's executor.
#include "base/event.h"

#include <boost/asio/post.hpp>
#include <new>

namespace mainstay {

struct Event::Waiter {
  Waiter(Clock& clock, Executor on) : executor(on), alarm(clock.alarm(on)) {}
  Executor executor;
  std::unique_ptr<Alarm> alarm;
};

namespace {
/// How often the wake-up of one waiter is tried when there is no memory for it.
constexpr int kTries = 3;

/// Takes the waiter out of the list however the wait ends, an exception included.
template <class Mutex, class List, class Item>
class Listed {
 public:
  Listed(Mutex& mutex, List& list, Item item) : mutex_(mutex), list_(list), item_(item) {}
  ~Listed() {
    std::lock_guard lock(mutex_);
    list_.remove(item_);
  }
  Listed(const Listed&) = delete;
  Listed& operator=(const Listed&) = delete;

 private:
  Mutex& mutex_;
  List& list_;
  Item item_;
};
}  // namespace

std::uint64_t Event::version() const {
  std::lock_guard lock(mutex_);
  return version_;
}

void Event::notify() noexcept {
  std::list<std::shared_ptr<Waiter>> woken;
  {
    std::lock_guard lock(mutex_);
    ++version_;
    woken.swap(waiters_);  // rung once, a waiter waits no more
  }
  while (!woken.empty()) {
    // The shared_ptr keeps the alarm alive until the posted ring has run. It is moved, so that the
    // last one dies on the waiter's executor and not here, after that executor may have ended.
    std::shared_ptr<Waiter> waiter = std::move(woken.front());
    woken.pop_front();
    const Executor executor = waiter->executor;
    const std::weak_ptr<Waiter> again = waiter;
    for (int tries = 0; tries < kTries && waiter; ++tries, waiter = again.lock()) {
      try {
        asio::post(executor, [waiter = std::move(waiter)] { waiter->alarm->ring(); });
        break;
      } catch (const std::bad_alloc&) {
        continue;
      }
    }
  }
}

Co<bool> Event::wait(std::uint64_t seen, Deadline by) {
  auto executor = co_await asio::this_coro::executor;
  auto waiter = std::make_shared<Waiter>(clock_, executor);
  {
    std::lock_guard lock(mutex_);
    if (version_ != seen) co_return true;
    waiters_.push_back(waiter);
  }
  Listed listed(mutex_, waiters_, waiter);
  [[maybe_unused]] auto reached = co_await waiter->alarm->wait_until(by.at());
  const std::uint64_t now = version();  // not under a lock: `listed` takes it at the end
  co_return now != seen;
}

}  // namespace mainstay
