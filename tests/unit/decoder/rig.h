// Decoders over real processes: files out of memory, coroutines run to their end.
// Used by the tests of this folder.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <memory>
#include <optional>
#include <string>

#include "media/decoders.h"

namespace mainstay::media::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline resources::Descriptor file_of(const std::string& bytes) {
  const int fd = ::memfd_create("input", MFD_CLOEXEC);
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto n = ::write(fd, bytes.data() + at, bytes.size() - at);
    if (n <= 0) break;
    at += static_cast<std::size_t>(n);
  }
  return resources::Descriptor(fd);
}

struct Rig : ::testing::Test {
  asio::io_context io;
  RealClock clock;
  Metrics metrics;
  std::unique_ptr<Log> log;
  MediaSettings settings;
  std::unique_ptr<Decoders> decoders;

  Rig() {
    LogSettings quiet;
    quiet.sink = "none";
    log = std::move(*Log::open(quiet, clock));
    settings.decoders = 1;
  }
  void make(const std::string& program) {
    decoders = std::make_unique<Decoders>(settings, program, clock, *log, metrics);
  }
  Deadline soon() const { return Deadline::in(clock, seconds(30)); }

  template <class T>
  T run(Co<T> work) {
    std::optional<T> out;
    asio::co_spawn(io.get_executor(), std::move(work), [&out](std::exception_ptr thrown, T value) {
      EXPECT_EQ(thrown, nullptr);
      out.emplace(std::move(value));
    });
    const Deadline end = Deadline::in(clock, seconds(60));
    while (!out && !end.passed(clock.now())) {
      io.restart();
      io.run_one_for(milliseconds(10));
    }
    EXPECT_TRUE(out.has_value()) << "did not end";
    return out ? std::move(*out) : T();
  }
};

}  // namespace mainstay::media::test
