// One blocking read for all claims of this process that wait for work.
// Used by jobs.cpp.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "storage/redis/client.h"

namespace mainstay::storage::redis {

/// The bell is a stream of one entry; whoever makes jobs ready adds to it. A claim that found
/// nothing learns the last entry in the same step, so that a ring in between is not missed.
/// Thread-safe.
class Bell {
 public:
  Bell(Client& client);
  /// Wakes those that wait here: what they know of the next timer may be out of date.
  void nudge() { rung_.notify(); }
  std::uint64_t version() const { return rung_.version(); }
  /// Whether rings are heard now, because somebody waits.
  bool heard() const;
  /// Waits for a ring after `last` (an id of the stream); `seen` was taken before that was learnt.
  Co<bool> wait(std::string last, std::uint64_t seen, Deadline by);

 private:
  class Waiting;
  void listen();
  void answered(Result<Reply> reply);
  Co<> wake_later();
  Client& client_;
  Event rung_;
  Pipe& pipe_;
  mutable std::mutex mutex_;
  std::string last_;  ///< newest id known here
  std::uint32_t waiting_ = 0;
  bool reading_ = false;
};

/// Whether id a is later than b, both "<number>-<number>".
bool later(const std::string& a, const std::string& b);

}  // namespace mainstay::storage::redis
