// The back ends a conformance suite runs over, and how a test calls coroutines from plain code.
// Used by the suites in this folder.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <boost/asio/co_spawn.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/random.h"
#include "conformance/test_clock.h"
#include "storage/memory/open.h"
#include "storage/sqlite/open.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::storage {

/// A new directory that is removed at the end.
class TemporaryDir {
 public:
  explicit TemporaryDir(const std::string& under = "/tmp") {
    std::string form = under + "/mainstay-test-XXXXXX";
    path_ = ::mkdtemp(form.data());
  }
  ~TemporaryDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDir(const TemporaryDir&) = delete;
  TemporaryDir& operator=(const TemporaryDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// The same numbers in each run, for stores that have threads of their own.
class LockedRandom final : public Random {
 public:
  std::uint64_t next() noexcept override {
    std::lock_guard lock(mutex_);
    return random_.next();
  }

 private:
  std::mutex mutex_;
  SeededRandom random_{7};
};

/// Clock, loop, log and metrics for a test.
struct Ground {
  Ground() {
    LogSettings quiet;
    quiet.sink = "none";
    log = std::move(*Log::open(quiet, clock));
  }
  TestClock clock;
  LockedRandom random;
  std::unique_ptr<Log> log;
  Metrics metrics;
  asio::io_context io{1};
  StorageSettings settings;
  JobLimits limits;  ///< of the job stores opened from now on
  SignalLimits signal;

  /// Runs a coroutine to its end and gives back its result.
  template <class T>
  T run(Co<T> work) {
    std::optional<T> out;
    std::exception_ptr thrown;
    const auto ended = [&](std::exception_ptr e, T value) {
      thrown = e;
      if (!e) out.emplace(std::move(value));
    };
    asio::co_spawn(io.get_executor(), std::move(work), ended);
    io.restart();
    io.run();
    if (thrown) std::rethrow_exception(thrown);
    return std::move(*out);
  }
  Deadline soon() { return Deadline::in(clock, std::chrono::seconds(20)); }
  Result<std::unique_ptr<Stores>> open(const std::string& dir) {
    return sqlite::open(settings, dir, clock, random, *log, metrics, limits, signal);
  }
};

/// One back end under test. stores() may close and open again what it gives.
class BackEnd {
 public:
  virtual ~BackEnd() = default;
  virtual Stores& stores() = 0;
  /// Whether a second stores() closed and opened the back end, ending all attempts.
  virtual bool restarts() const { return false; }
};

class InMemory final : public BackEnd {
 public:
  explicit InMemory(Ground& ground)
      : stores_(memory::open(ground.clock, ground.limits, ground.signal)) {}
  Stores& stores() override { return *stores_; }

 private:
  std::unique_ptr<Stores> stores_;
};

class OnDisk final : public BackEnd {
 public:
  OnDisk(Ground& ground, bool reopen) : ground_(ground), reopen_(reopen) {}
  bool restarts() const override { return reopen_; }
  Stores& stores() override {
    if (reopen_ && stores_) {
      auto closed = stores_->close();
      EXPECT_TRUE(closed.ok()) << (closed.ok() ? "" : closed.error().detail);
      stores_.reset();
    }
    if (!stores_) {
      auto opened = ground_.open(dir_.path() + "/data");
      if (!opened.ok()) throw std::runtime_error(opened.error().detail);
      stores_ = std::move(*opened);
    }
    return *stores_;
  }

 private:
  Ground& ground_;
  bool reopen_;
  TemporaryDir dir_;
  std::unique_ptr<Stores> stores_;
};

/// Back ends that bring a server along; each adds itself from a file of its own.
using MakeBackEnd = std::unique_ptr<BackEnd> (*)(Ground& ground);
inline std::map<std::string, MakeBackEnd>& more_back_ends() {
  static std::map<std::string, MakeBackEnd> all;
  return all;
}

inline std::unique_ptr<BackEnd> back_end(const std::string& name, Ground& ground) {
  const auto more = more_back_ends().find(name);
  if (more != more_back_ends().end()) return more->second(ground);
  if (name == "memory") return std::make_unique<InMemory>(ground);
  return std::make_unique<OnDisk>(ground, name == "sqlite_reopened");
}

inline const char* const kBackEnds[] = {"memory", "sqlite", "sqlite_reopened"};

/// Those that hold conversations, keys, documents and vectors.
inline const char* const kTalkBackEnds[] = {"memory", "sqlite", "sqlite_reopened", "postgres"};

/// Those that hold jobs.
inline const char* const kJobBackEnds[] = {"memory", "sqlite", "sqlite_reopened", "redis"};

inline std::string back_end_name(const testing::TestParamInfo<const char*>& info) {
  return info.param;
}

/// A turn in which every field has a value of its own, from `n`.
inline Turn turn_of(const std::string& conversation, int n, std::uint64_t tokens = 10) {
  const std::string tag = std::to_string(n);
  Turn turn;
  turn.conversation = ConversationId(conversation);
  turn.title = "title " + tag;
  turn.request = RequestId("request-" + conversation + "-" + tag);
  const WallTime at = wall_from_micros(1'700'000'000'000'000 + n * 1'000'003LL);
  turn.messages.push_back({MessageId("q" + tag), "user",
                           R"({"role":"user","content":"question )" + tag + R"("})",
                           Tokens{tokens + 1}, at - std::chrono::microseconds(500)});
  turn.messages.push_back({MessageId("a" + tag), "assistant",
                           R"({"role":"assistant","content":"answer )" + tag + R"("})",
                           Tokens{tokens + 2}, at - std::chrono::microseconds(20)});
  turn.provider = "provider " + tag;
  turn.model = "model " + tag;
  turn.prompt_tokens = Tokens{static_cast<std::uint64_t>(n) * 3 + 101};
  turn.completion_tokens = Tokens{static_cast<std::uint64_t>(n) * 5 + 202};
  turn.first_token = std::chrono::microseconds(n * 7 + 303);
  turn.total = std::chrono::microseconds(n * 11 + 404);
  turn.citations = R"([{"document":"d)" + tag + R"("}])";
  turn.finished = at;
  return turn;
}

inline Owner owner_of(const std::string& tenant, const std::string& user) {
  return Owner{TenantId(tenant), UserId(user)};
}

}  // namespace mainstay::storage
