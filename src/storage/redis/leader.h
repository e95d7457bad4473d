// Roles in Redis: a key that expires names the holder, a counter numbers the terms.
// Used by open.cpp and jobs.cpp (the term fences the upkeep).
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "storage/leader.h"
#include "storage/redis/client.h"

namespace mainstay::storage::redis {

/// One candidate: this process, from now until it ends. Thread-safe.
class RedisLeader final : public Leader {
 public:
  RedisLeader(Client& client, Random& random);
  Co<Result<std::optional<std::uint64_t>>> hold(std::string role, Duration for_how_long,
                                                Deadline by) override;
  Co<Status> release(std::string role, Deadline by) override;
  /// The last term in which this process held the role; 0: never.
  std::uint64_t term(const std::string& role) const;

 private:
  Command call(Script script, const std::string& role) const;
  Client& client_;
  const std::string name_;
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> terms_;  ///< as many as this program has roles
};

}  // namespace mainstay::storage::redis
