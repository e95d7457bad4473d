// What tests over real child processes share: a loop, a real clock, coroutines run to their end.
// Used by unit/audio/rig.h and unit/decoder/rig.h.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <memory>
#include <optional>

#include "base/co.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::media::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct ChildRig : ::testing::Test {
  asio::io_context io;
  RealClock clock;
  Metrics metrics;
  std::unique_ptr<Log> log;

  ChildRig() {
    LogSettings quiet;
    quiet.sink = "none";
    log = std::move(*Log::open(quiet, clock));
  }
  /// For one call.
  Deadline soon() const { return Deadline::in(clock, seconds(60)); }

  template <class T>
  T run(Co<T> work) {
    std::optional<T> out;
    asio::co_spawn(io.get_executor(), std::move(work), [&out](std::exception_ptr thrown, T value) {
      EXPECT_EQ(thrown, nullptr);
      out.emplace(std::move(value));
    });
    const Deadline end = Deadline::in(clock, seconds(90));
    while (!out && !end.passed(clock.now())) {
      io.restart();
      io.run_one_for(milliseconds(10));
    }
    EXPECT_TRUE(out.has_value()) << "did not end";
    return out ? std::move(*out) : T();
  }
};

}  // namespace mainstay::media::test
