// Live: the current immutable snapshot of something that is read often and replaced seldom.
// Used for the settings; a reader keeps what it got for as long as it needs it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/check.h"

namespace mainstay::config {

/// Thread-safe. get() costs one atomic load and the counting of a pointer whose counter no other
/// thread touches, because each thread has its own control block over the shared snapshot: copying
/// one shared_ptr from all cores would move its counter's cache line at every request.
/// A thread that never reads again keeps the snapshot it saw last alive, at most one each.
template <class T>
class Live {
 public:
  explicit Live(std::shared_ptr<const T> first) : current_(std::move(first)) {
    CHECK(current_ != nullptr);
  }
  /// After its readers have ended (threads joined, or never to read again): what they saw last goes
  /// with it and does not wait for their threads' end.
  ~Live() {
    for (const auto& reader : readers_) reader->snapshot.reset();
  }
  Live(const Live&) = delete;
  Live& operator=(const Live&) = delete;

  /// The snapshot in force; unchanged for as long as the pointer is kept.
  std::shared_ptr<const T> get() const { return current(); }
  /// The same for a thread that reads seldom: it keeps nothing alive afterwards. Takes a lock; not
  /// counted.
  std::shared_ptr<const T> once() const {
    std::lock_guard lock(mutex_);
    return current_;
  }
  /// The same without counting a pointer, for one look: valid until this thread's next get() or
  /// peek(), so never over a co_await.
  const T& peek() const { return *current(); }

  /// Puts the next snapshot in force; readers see it at their next get().
  void swap(std::shared_ptr<const T> next) {
    CHECK(next != nullptr);
    std::lock_guard lock(mutex_);
    current_.swap(next);  // what it replaces dies after the lock
    version_.fetch_add(1, std::memory_order_release);
  }

  /// Number of swaps.
  std::uint64_t reloads() const noexcept { return version_.load(std::memory_order_relaxed) - 1; }
  /// Reads that found their thread's copy current, and those that had to fetch.
  std::uint64_t hits() const { return sum(&Reader::hits); }
  std::uint64_t misses() const { return sum(&Reader::misses); }

 private:
  /// One thread's copy. Only its thread touches version and snapshot; anyone reads the counters.
  struct Reader {
    std::uint64_t version = 0;
    std::shared_ptr<const T> snapshot;
    std::atomic<std::uint64_t> hits{0};
    std::atomic<std::uint64_t> misses{0};
  };
  struct Mine {
    std::uint64_t live = 0;  // id of the Live that `reader` belongs to
    std::shared_ptr<Reader> reader;
  };

  const std::shared_ptr<const T>& current() const {
    Reader& mine = reader();
    if (mine.version != version_.load(std::memory_order_acquire)) {
      refresh(mine);
    } else {
      bump(mine.hits);
    }
    return mine.snapshot;
  }

  static std::uint64_t next_id() {
    static std::atomic<std::uint64_t> ids{0};
    return ids.fetch_add(1) + 1;
  }

  /// Single writer: no locked instruction is needed.
  static void bump(std::atomic<std::uint64_t>& counter) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  Reader& reader() const {
    thread_local Mine mine;
    if (mine.live != id_) {
      // A program has one Live of a type; tests that use several in turn pay a new copy.
      mine.reader = std::make_shared<Reader>();
      mine.live = id_;
      std::lock_guard lock(mutex_);
      readers_.push_back(mine.reader);
    }
    return *mine.reader;
  }

  void refresh(Reader& mine) const {
    std::shared_ptr<const T> old = std::move(mine.snapshot);  // dies after the lock
    std::lock_guard lock(mutex_);
    auto own = std::make_shared<const std::shared_ptr<const T>>(current_);
    mine.snapshot = std::shared_ptr<const T>(own, own->get());
    mine.version = version_.load(std::memory_order_relaxed);
    bump(mine.misses);
  }

  std::uint64_t sum(std::atomic<std::uint64_t> Reader::* counter) const {
    std::lock_guard lock(mutex_);
    std::uint64_t out = 0;
    for (const auto& one : readers_) out += ((*one).*counter).load(std::memory_order_relaxed);
    return out;
  }

  const std::uint64_t id_ = next_id();
  std::atomic<std::uint64_t> version_{1};
  mutable std::mutex mutex_;
  std::shared_ptr<const T> current_;
  mutable std::vector<std::shared_ptr<Reader>> readers_;  // one for each thread that ever read
};

}  // namespace mainstay::config
