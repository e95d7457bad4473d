// The watchdog: the service manager hears of us only when every loop and the pool answered.
#include "app/watchdog.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <future>

#include "base/sim_clock.h"

namespace mainstay::app {
namespace {

using namespace std::chrono_literals;

class WatchdogTest : public testing::Test {
 protected:
  WatchdogTest() : path_(testing::TempDir() + "watchdog-" + std::to_string(::getpid())) {
    ::unlink(path_.c_str());
    fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, path_.data(), path_.size());
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
    LogSettings quiet;
    quiet.sink = "none";
    log_ = std::move(*Log::open(quiet, clock_));
    notify_ = std::make_unique<Notify>(path_);
    WatchdogOptions options;
    options.period = 4s;
    watchdog_ = std::make_unique<Watchdog>(options, clock_, *log_, metrics_, *notify_,
                                           std::vector<asio::io_context*>{&one_, &two_}, pool_);
  }
  ~WatchdogTest() override {
    ::close(fd_);
    ::unlink(path_.c_str());
  }
  std::size_t heard() const {
    std::size_t count = 0;
    std::array<char, 64> buffer{};
    while (::recv(fd_, buffer.data(), buffer.size(), 0) > 0) ++count;
    return count;
  }
  void answer(asio::io_context& loop) {
    loop.restart();
    loop.poll();
  }
  /// Waits until the pool's thread has run what was queued before.
  void pool_catches_up() {
    std::promise<void> done;
    ASSERT_TRUE(pool_.submit([&done] { done.set_value(); }));
    done.get_future().wait();
  }

  std::string path_;
  int fd_ = -1;
  asio::io_context one_;
  asio::io_context two_;
  asio::io_context time_;
  SimClock clock_{time_};
  std::unique_ptr<Log> log_;
  Metrics metrics_;
  OffloadPool pool_{"pool", 1, 8};
  std::unique_ptr<Notify> notify_;
  std::unique_ptr<Watchdog> watchdog_;
};

TEST_F(WatchdogTest, it_reports_only_after_every_loop_and_the_pool_passed_a_ping) {
  watchdog_->beat();
  EXPECT_EQ(heard(), 0u) << "nobody has answered yet";
  answer(one_);
  pool_catches_up();
  clock_.advance(1s);
  watchdog_->beat();
  EXPECT_EQ(heard(), 0u) << "one loop is missing";
  answer(one_);
  answer(two_);
  pool_catches_up();
  clock_.advance(1s);
  watchdog_->beat();
  EXPECT_EQ(heard(), 1u);
  clock_.advance(1s);
  watchdog_->beat();
  EXPECT_EQ(heard(), 0u) << "no new answers, no new word";
}

TEST_F(WatchdogTest, a_blocked_pool_silences_it) {
  std::promise<void> gate;
  auto open = gate.get_future().share();
  ASSERT_TRUE(pool_.submit([open] { open.wait(); }));
  for (int i = 0; i < 5; ++i) {
    watchdog_->beat();
    answer(one_);
    answer(two_);
    clock_.advance(1s);
  }
  EXPECT_EQ(heard(), 0u);
  gate.set_value();
  pool_catches_up();
  watchdog_->beat();
  EXPECT_EQ(heard(), 1u);
}

TEST_F(WatchdogTest, a_full_pool_is_asked_again_and_counts_as_late_from_the_first_try) {
  std::promise<void> gate;
  auto open = gate.get_future().share();
  while (pool_.submit([open] { open.wait(); })) {
  }
  watchdog_->beat();
  clock_.advance(6s);
  EXPECT_FALSE(watchdog_->alive());
  gate.set_value();
  while (pool_.waiting() > 0) std::this_thread::yield();
  answer(one_);
  answer(two_);
  watchdog_->beat();
  pool_catches_up();
  answer(one_);
  answer(two_);
  clock_.advance(1s);
  watchdog_->beat();
  EXPECT_EQ(heard(), 1u);
  EXPECT_TRUE(watchdog_->alive());
}

TEST_F(WatchdogTest, lag_is_the_time_from_ping_to_answer_and_grows_while_a_loop_is_stuck) {
  watchdog_->beat();
  answer(one_);
  EXPECT_EQ(watchdog_->lag(), 0s);
  clock_.advance(300ms);
  EXPECT_EQ(watchdog_->lag(), 300ms) << "loop two has not answered yet";
  answer(two_);
  EXPECT_EQ(watchdog_->lag(), 300ms) << "as last measured";
  EXPECT_NE(metrics_.text().find("mainstay_loop_lag_seconds{loop=\"1\"} 0.3"), std::string::npos);
  watchdog_->beat();
  answer(two_);
  EXPECT_EQ(watchdog_->lag(), 0s);
}

TEST_F(WatchdogTest, a_loop_counts_as_dead_above_its_limit_not_at_it) {
  watchdog_->beat();
  answer(two_);
  pool_catches_up();
  clock_.advance(5s);
  EXPECT_TRUE(watchdog_->alive());
  clock_.advance(1ns);
  EXPECT_FALSE(watchdog_->alive());
  answer(one_);
  EXPECT_TRUE(watchdog_->alive());
}

}  // namespace
}  // namespace mainstay::app
