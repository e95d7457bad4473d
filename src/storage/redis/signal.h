// News over Redis: a short stream for each topic, and one subscription for all readers of this
// process.
// Used by open.cpp.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "storage/redis/client.h"
#include "storage/redis/jobs.h"
#include "storage/signal.h"

namespace mainstay::storage::redis {

/// Places are "<when the server's news began>-<number>", one count for all topics. Thread-safe.
class RedisSignal final : public Signal {
 public:
  RedisSignal(Client& client, const SignalLimits& limits, TimeOf time);
  ~RedisSignal() override;
  Co<Status> tell(std::string topic, std::string type, std::string data, Deadline by) override;
  Co<Result<Heard>> hear(std::string topic, std::string place, Deadline by) override;
  Co<Result<std::string>> place(std::string topic, Deadline by) override;
  /// Topics that this process listens to now.
  std::size_t followed() const;

 private:
  struct Followed;
  class Following;
  Command command(Script script) const;
  std::shared_ptr<Followed> follow(const std::string& topic);
  void unfollow_idle(TimePoint now);
  void pushed(Reply reply);
  void resubscribe();
  void say(const char* verb, const std::string& topic);
  void not_pushed(const std::string& why);
  TimePoint nothing_until(const Followed& one, const std::string& place, std::uint64_t seen);
  std::string same_place(const Followed& one, const std::string& place);
  TimePoint found_nothing(Followed& one, const std::string& place, const std::string& newest,
                          std::uint64_t seen);
  void found_missed(Followed& one);
  Co<Result<Reply>> look(std::string topic, std::string place, Deadline by);

  Client& client_;
  Clock& clock_;
  const SignalLimits limits_;
  const TimeOf time_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Followed>> followed_;  ///< at most limits.topics_max
  TimePoint swept_{};
  std::atomic<bool> said_not_pushed_{false};
  Pipe& pipe_;
};

}  // namespace mainstay::storage::redis
