// Face: news between coroutines, or processes: short histories by topic that anyone may follow.
// Back ends: memory (embedded), redis. Not durable: what must not be lost is in a store, and the
// last word of a job can always be read there.
// Used by jobs (progress and ends) and api (event streams, WebSockets, shared idempotent replies).
#pragma once

#include <string>
#include <vector>

#include "base/co.h"
#include "base/deadline.h"
#include "base/result.h"

namespace mainstay::storage {

/// `at` orders the events of one topic and is opaque: "<number>-<number>", as Redis has them.
struct News {
  std::string at;
  std::string type;
  std::string data;  ///< JSON
};

/// What came after the reader's place.
struct Heard {
  std::vector<News> news;  ///< oldest first; empty at the deadline
  bool missed = false;     ///< some of what came after the place is gone, or the place is unknown
};

/// Bounds of the histories; the same for all back ends.
struct SignalLimits {
  std::uint32_t events_max = 512;            ///< of one topic; the oldest go first
  std::uint32_t bytes_max = 1 << 18;         ///< of one topic
  std::uint32_t topics_max = 20'000;         ///< the least recently used quiet ones go first
  Duration keep = std::chrono::minutes(10);  ///< after the last event of a topic
};

/// Any loop may call; no call blocks it. Errors: unavailable.
class Signal {
 public:
  virtual ~Signal() = default;
  virtual Co<Status> tell(std::string topic, std::string type, std::string data, Deadline by) = 0;
  /// News after `place` (empty: from the oldest kept; "$": from now on), waiting until there are
  /// some or the deadline comes. Many readers cost one connection. A topic nobody told is empty.
  virtual Co<Result<Heard>> hear(std::string topic, std::string place, Deadline by) = 0;
  /// The place after the newest event: hear() from there misses nothing told later.
  virtual Co<Result<std::string>> place(std::string topic, Deadline by) = 0;
};

}  // namespace mainstay::storage
