// The Redis back end as the suites see it: one server for all tests of a program, a prefix for
// each. Used by redis_suites.cpp and redis_*test.cpp.
#pragma once

#include <atomic>

#include "conformance/back_ends.h"
#include "conformance/redis_server.h"
#include "storage/redis/open.h"

namespace mainstay::storage {

inline RedisServer& shared_redis() {
  static RedisServer server;
  return server;
}

/// Jobs, signal and leader in Redis, conversations in memory. Ground's clock decides.
class InRedis final : public BackEnd {
 public:
  explicit InRedis(Ground& ground) : ground_(ground) {
    static std::atomic<int> next{0};
    settings_.prefix = "test" + std::to_string(++next);
  }
  Stores& stores() override {
    if (!stores_) {
      StorageSettings storage;
      storage.redis_url = shared_redis().url();
      const redis::Limits limits{ground_.limits, ground_.signal};
      auto opened =
          redis::open(storage, settings_, limits, ground_.clock, ground_.random, *ground_.log,
                      ground_.metrics, memory::open(ground_.clock), redis::TimeOf::caller);
      if (!opened.ok()) throw std::runtime_error(opened.error().detail);
      stores_ = std::move(*opened);
    }
    return *stores_;
  }

 private:
  Ground& ground_;
  RedisSettings settings_;
  std::unique_ptr<Stores> stores_;
};

}  // namespace mainstay::storage
