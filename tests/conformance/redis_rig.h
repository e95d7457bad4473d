// A store on a Redis server of its own, for tests that hurt the server.
// Used by redis_*test.cpp.
#pragma once

#include "conformance/jobs_rig.h"
#include "conformance/redis_back_end.h"

namespace mainstay::storage {

/// Server, settings with short times, and stores as two processes would have them.
class OnRedis : public testing::Test {
 protected:
  OnRedis() {
    settings_.reply_timeout = milliseconds(400);
    settings_.connect_timeout = milliseconds(400);
    settings_.patience = milliseconds(300);
    settings_.retry_cap = milliseconds(100);
    settings_.start_timeout = milliseconds(3000);
  }
  RedisServer& server() {
    if (!server_) server_ = std::make_unique<RedisServer>(options_);
    return *server_;
  }
  Result<std::unique_ptr<Stores>> try_open() {
    StorageSettings storage;
    storage.redis_url = url_.empty() ? server().url() : url_;
    storage.redis_durability = durability_;
    const redis::Limits limits{ground_.limits, ground_.signal};
    return redis::open(storage, settings_, limits, ground_.clock, ground_.random, *ground_.log,
                       ground_.metrics,
                       embedded_ ? std::move(embedded_) : memory::open(ground_.clock));
  }
  std::unique_ptr<Stores> open() {
    auto opened = try_open();
    if (!opened.ok()) throw std::runtime_error(opened.error().detail);
    return std::move(*opened);
  }
  JobStore& jobs() {
    if (!stores_) stores_ = open();
    return stores_->jobs();
  }
  Deadline in(Duration d) { return Deadline::in(ground_.clock, d); }
  Result<Submitted> submit(NewJob job, Duration within = seconds(10)) {
    return ground_.run(jobs().submit(std::move(job), 0, in(within)));
  }
  std::vector<Claimed> take(std::uint32_t slots = 1, Duration lease = minutes(1),
                            Duration within = seconds(10)) {
    Claim claim{"worker", {}, slots, lease};
    auto out = ground_.run(jobs().claim(std::move(claim), in(within)));
    EXPECT_TRUE(out.ok()) << (out.ok() ? "" : out.error().detail);
    return out.ok() ? *out : std::vector<Claimed>{};
  }
  Status complete(const Lease& lease) {
    Effects none;
    return ground_.run(jobs().complete(lease, "{}", none, in(seconds(10))));
  }
  std::string state(int n) {
    auto job = ground_.run(jobs().get(std::nullopt, job_of(n).id, in(seconds(10))));
    return job.ok() ? std::string(name(job->state)) : reason_of(job);
  }
  /// Submits again and again until it is accepted; false when it never is.
  bool accepts_again(int n) {
    for (int i = 0; i < 200; ++i) {
      if (submit(job_of(n), seconds(1)).ok()) return true;
      ground_.run(pause(milliseconds(25)));
    }
    return false;
  }
  Co<bool> pause(Duration d) {
    auto out = co_await sleep(ground_.clock, d);
    co_return out;
  }
  std::string key(const std::string& rest) { return "{" + settings_.prefix + "}:" + rest; }

  Ground ground_;
  RedisSettings settings_;
  std::vector<std::string> options_;
  std::string url_;
  std::string durability_ = "always";
  std::unique_ptr<RedisServer> server_;
  std::unique_ptr<Stores> embedded_;  ///< what is to be beside Redis; null: an empty one
  std::unique_ptr<Stores> stores_;
};

}  // namespace mainstay::storage
