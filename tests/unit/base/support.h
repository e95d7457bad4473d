// Shared by the base tests: a coroutine started on an io_context, with its outcome kept.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <optional>

#include "base/clock.h"
#include "base/sim_clock.h"

namespace mainstay {

/// What became of a coroutine; `done` is set however it ended.
template <class T>
struct Outcome {
  bool done = false;
  std::exception_ptr thrown;
  std::optional<T> value;
};

template <class T>
void start(asio::io_context& io, Co<T> work, Outcome<T>& out) {
  asio::co_spawn(io.get_executor(), std::move(work), [&out](std::exception_ptr thrown, T value) {
    out.done = true;
    out.thrown = thrown;
    if (!thrown) out.value = std::move(value);
  });
}

struct SimTest : ::testing::Test {
  asio::io_context io;
  SimClock clock{io};
};

}  // namespace mainstay
