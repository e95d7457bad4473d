// Many threads at one door: nothing is lost, nothing is given twice. Worth most under TSan.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <thread>

#include <gtest/gtest.h>

#include "admission/limits.h"
#include "admission/permits.h"

namespace mainstay::admission {
namespace {

using namespace std::chrono_literals;

constexpr int kThreads = 4;
constexpr int kCallers = 8;  // on each thread
constexpr int kRounds = 200;

struct Shared {
  Shared() {
    settings.concurrent_max = 3;
    settings.queued_max = 1000;
    settings.user.queued = 1000;
    settings.queue_timeout = 60s;
    permits.emplace(settings, clock);
  }
  RealClock clock;
  LimitSettings settings;
  std::optional<Permits> permits;
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::atomic<int> served{0};
};

Co<> come_and_go(Shared& shared, std::string user) {
  auto executor = co_await asio::this_coro::executor;
  auto alarm = shared.clock.alarm(executor);
  for (int round = 0; round < kRounds; ++round) {
    const Entrant entrant{user, static_cast<Priority>(round % 4), user.back() == '1', 1};
    auto permit = co_await shared.permits->enter(entrant, Deadline::never());
    if (!permit.ok()) continue;
    const int now = ++shared.inside;
    int most = shared.most;
    while (now > most && !shared.most.compare_exchange_weak(most, now)) {
    }
    ++shared.served;
    const TimePoint soon = shared.clock.now() + 20us;
    [[maybe_unused]] auto reached = co_await alarm->wait_until(soon);
    --shared.inside;
  }
}

TEST(AdmissionThreads, permits_are_neither_lost_nor_given_twice) {
  Shared shared;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&shared, t] {  // lint: thread a test of thread safety
      asio::io_context io;
      for (int c = 0; c < kCallers; ++c) {
        asio::co_spawn(io.get_executor(), come_and_go(shared, "user-" + std::to_string(c % 3)),
                       [](std::exception_ptr) {});
      }
      if (t == 0) shared.permits->set_factor(0.7);
      io.run();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(shared.most, 3);
  EXPECT_EQ(shared.served, kThreads * kCallers * kRounds);
  EXPECT_EQ(shared.permits->in_use(), 0u);
  EXPECT_EQ(shared.permits->waiting(), 0u);
  EXPECT_EQ(shared.permits->users(), 0u);
}

TEST(AdmissionThreads, a_limit_holds_however_many_threads_ask) {
  RealClock clock;
  LimitSettings settings;
  settings.user.requests_per_minute = 1;
  settings.user.burst = 999;
  settings.key.requests_per_minute = 1;
  settings.key.burst = 4999;
  settings.address.concurrent = 100'000;
  Limits limits(settings, clock);
  std::atomic<int> passed{0};
  std::vector<std::thread> threads;
  const TimePoint now = clock.now();
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&limits, &passed, now] {  // lint: thread a test of thread safety
      for (int i = 0; i < 4000; ++i) {
        Caller caller;
        caller.owner.user = UserId("user-" + std::to_string(i % 4));
        caller.key = "key-" + std::to_string(i % 3);
        Reservation held;
        const Ask ask{.caller = caller, .address = i % 2 == 0 ? "192.0.2.1" : "192.0.2.2"};
        if (limits.take(ask, &held, now).allowed) ++passed;
        if (i % 100 == 0) limits.reclaim(now, 10);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(passed, 4000) << "four users with a thousand each";
}

}  // namespace
}  // namespace mainstay::admission
