// The last requests that took long, with where their time went.
// Used by service.cpp (records) and the admin endpoints (list).
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"

namespace mainstay::api {

struct SlowRequest {
  std::string id;
  std::string method;
  std::string route;  ///< the table's path, not the one asked for: ids may be private
  int status = 0;
  std::string provider;
  std::string model;
  bool streamed = false;
  Duration total{};
  Duration queue{};        ///< waiting for permits
  Duration first_token{};  ///< zero when no model was asked
  WallTime ended{};
};

/// Thread-safe; a quick request costs one comparison by the caller.
class SlowRequests {
 public:
  explicit SlowRequests(std::size_t entries_max) : entries_max_(entries_max) {}
  void record(SlowRequest request);
  /// The newest first, at most `most`.
  std::vector<SlowRequest> recent(std::size_t most) const;
  std::uint64_t total() const noexcept { return total_.load(std::memory_order_relaxed); }

 private:
  const std::size_t entries_max_;
  std::atomic<std::uint64_t> total_{0};
  mutable std::mutex mutex_;
  std::deque<SlowRequest> entries_;
};

}  // namespace mainstay::api
