// The offload pool and offload().
#include "base/offload.h"

#include <boost/asio/executor_work_guard.hpp>

#include <future>
#include <latch>

#include "unit/base/support.h"

namespace mainstay {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Runs offload() on a real clock and returns its outcome.
template <class Work>
std::invoke_result_t<Work&> offloaded(OffloadPool& pool, Work work, Duration limit = seconds(60)) {
  using T = std::invoke_result_t<Work&>;
  asio::io_context io(1);
  RealClock clock;
  Outcome<T> out;
  const Deadline by = Deadline::in(clock, limit);
  start(io, offload(clock, pool, std::move(work), by), out);
  // The wait's timer keeps the loop alive until the work is done or the deadline has come.
  io.run();
  EXPECT_TRUE(out.done && !out.thrown);
  return std::move(*out.value);
}

TEST(offload, work_runs_on_another_thread_and_its_value_comes_back) {
  OffloadPool pool("test", 1, 4);
  const auto here = std::this_thread::get_id();
  auto result =
      offloaded(pool, [here]() -> Result<bool> { return std::this_thread::get_id() != here; });
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(*result);
}

TEST(offload, errors_and_exceptions_of_the_work_are_errors) {
  OffloadPool pool("test", 1, 4);
  auto failed = offloaded(pool, []() -> Status { return Error::log(Errc::conflict, "c"); });
  EXPECT_EQ(failed.error().code, Errc::conflict);
  auto threw = offloaded(pool, []() -> Result<int> { throw std::runtime_error("boom"); });
  EXPECT_EQ(threw.error().code, Errc::internal);
  EXPECT_NE(threw.error().detail.find("boom"), std::string::npos);
  auto odd = offloaded(pool, []() -> Result<int> { throw 5; });
  EXPECT_EQ(odd.error().code, Errc::internal);
}

TEST(offload, the_queue_takes_its_limit_and_not_one_more) {
  std::latch release(1);
  std::latch busy(1);
  OffloadPool pool("test", 1, 2);
  ASSERT_TRUE(pool.submit([&] {
    busy.count_down();
    release.wait();
  }));
  busy.wait();
  EXPECT_TRUE(pool.submit([] {}));
  EXPECT_EQ(pool.waiting(), 1u);
  EXPECT_TRUE(pool.submit([] {}));
  EXPECT_FALSE(pool.submit([] {}));
  auto refused = offloaded(pool, []() -> Result<int> { return 1; });
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  release.count_down();
}

TEST(offload, at_the_deadline_the_caller_is_answered_and_the_work_goes_on) {
  std::latch release(1);
  std::promise<int> finished;
  auto end = finished.get_future();
  OffloadPool pool("test", 1, 2);
  auto late = offloaded(
      pool,
      [&]() -> Result<int> {
        release.wait();
        finished.set_value(7);
        return 7;
      },
      milliseconds(1));
  EXPECT_EQ(late.error().code, Errc::deadline);
  release.count_down();
  EXPECT_EQ(end.get(), 7);
}

TEST(offload, stop_finishes_what_is_queued_and_then_refuses) {
  std::atomic<int> ran{0};
  OffloadPool pool("test", 2, 100);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(pool.submit([&] { ++ran; }));
  pool.stop();
  EXPECT_EQ(ran, 50);
  EXPECT_FALSE(pool.submit([&] { ++ran; }));
  EXPECT_EQ(pool.threads(), 2u);
  pool.stop();
}

}  // namespace
}  // namespace mainstay
