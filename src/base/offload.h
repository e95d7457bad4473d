// A pool of threads for what would block an event loop: files, databases, long computation.
// Used by storage, knowledge, config reload. Its size and its queue are bounded.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <boost/asio/post.hpp>

#include "base/event.h"
#include "base/result.h"

namespace mainstay {

/// Fixed threads over one bounded queue. Thread-safe. stop() finishes what is queued.
class OffloadPool {
 public:
  OffloadPool(std::string name, std::size_t threads, std::size_t queue_max);
  ~OffloadPool();
  OffloadPool(const OffloadPool&) = delete;
  OffloadPool& operator=(const OffloadPool&) = delete;

  /// Queues `job`; false when the queue is full or the pool has stopped.
  bool submit(std::function<void()> job);
  void stop();
  std::size_t waiting() const;
  std::size_t threads() const noexcept { return threads_.size(); }

 private:
  void work();
  const std::string name_;
  const std::size_t queue_max_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

/// Runs `work` (returns Result<T> or Status) on the pool and resumes the caller on its executor.
/// `work` must own what it touches: when the deadline comes first the caller is answered
/// Errc::deadline and the work goes on by itself. A full queue answers Errc::unavailable.
template <class Work>
Co<std::invoke_result_t<Work&>> offload(Clock& clock, OffloadPool& pool, Work work, Deadline by) {
  using Outcome = std::invoke_result_t<Work&>;
  struct Shared {
    explicit Shared(Clock& c, Work w) : finished(c), work(std::move(w)) {}
    Event finished;
    Work work;
    std::mutex mutex;
    std::optional<Outcome> outcome;
    bool ended = false;  ///< also when not even the error found memory
  };
  auto shared = std::make_shared<Shared>(clock, std::move(work));
  const auto seen = shared->finished.version();
  const bool queued = pool.submit([shared] {
    std::optional<Outcome> outcome;
    try {
      try {
        outcome.emplace(shared->work());
      } catch (const std::exception& e) {
        outcome.emplace(
            Error::log(Errc::internal, std::string("offloaded work threw: ") + e.what()));
      }
    } catch (...) {
      // Told by `ended`: an exception must not end the pool's thread, nor leave the caller waiting.
    }
    {
      std::lock_guard lock(shared->mutex);
      shared->outcome = std::move(outcome);
      shared->ended = true;
    }
    shared->finished.notify();
  });
  if (!queued) co_return Error::log(Errc::unavailable, "worker queue is full");
  [[maybe_unused]] auto woken = co_await shared->finished.wait(seen, by);
  std::optional<Outcome> outcome;
  bool ended = false;
  {
    std::lock_guard lock(shared->mutex);
    outcome = std::move(shared->outcome);
    shared->outcome.reset();
    ended = shared->ended;
  }
  if (!outcome && ended) co_return Error::log(Errc::internal, "offloaded work threw");
  if (!outcome) co_return Error::log(Errc::deadline, "offloaded work did not finish in time");
  co_return std::move(*outcome);
}

}  // namespace mainstay
