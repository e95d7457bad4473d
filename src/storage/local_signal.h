// Signal within one process: bounded histories by topic, and an event for those who wait.
// Used by the embedded back ends.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/event.h"
#include "storage/signal.h"

namespace mainstay::storage {

/// Thread-safe. Topics are spread over shards by their names, each with its own mutex and its part
/// of topics_max. A place of an earlier process is unknown here.
/// An event larger than bytes_max is not kept: readers learn that they missed something.
/// When every topic has readers and there is no room, the least recently used one goes all the
/// same; its readers learn that they missed something.
class LocalSignal final : public Signal {
 public:
  /// `clock` outlives it.
  LocalSignal(Clock& clock, const SignalLimits& limits);
  ~LocalSignal() override;
  Co<Status> tell(std::string topic, std::string type, std::string data, Deadline by) override;
  Co<Result<Heard>> hear(std::string topic, std::string place, Deadline by) override;
  Co<Result<std::string>> place(std::string topic, Deadline by) override;

  /// Topics known now; for figures.
  std::size_t topics() const;

 private:
  struct Topic;
  struct Shard;
  class Reading;

  Shard& shard_of(const std::string& topic) const;
  Topic& topic_of(Shard& shard, const std::string& name, TimePoint now);
  void make_room(Shard& shard, TimePoint now);
  static void forget(Shard& shard, Topic& topic);
  void trim(Topic& topic, TimePoint now);
  Heard collect(const Topic& topic, const std::string& place, std::uint64_t newest) const;
  std::string at(std::uint64_t n) const;

  Clock& clock_;
  const SignalLimits limits_;
  const std::uint64_t born_;  ///< first part of each place
  std::size_t topics_of_shard_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace mainstay::storage
