// Hold: work lives while its client or anyone else needs it.
#include "base/hold.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace mainstay {
namespace {

TEST(hold, work_is_cancelled_when_the_client_goes_and_nobody_keeps_it) {
  int cancelled = 0;
  Hold hold([&] { ++cancelled; });
  EXPECT_FALSE(hold.gone());
  hold.client_gone();
  EXPECT_TRUE(hold.gone());
  hold.client_gone();
  EXPECT_EQ(cancelled, 1);
  EXPECT_FALSE(hold.keep()) << "too late to join";
}

TEST(hold, work_that_others_keep_goes_on_until_the_last_drops_it) {
  int cancelled = 0;
  Hold hold([&] { ++cancelled; });
  EXPECT_FALSE(hold.kept());
  EXPECT_TRUE(hold.keep());
  EXPECT_TRUE(hold.keep());
  hold.client_gone();
  hold.drop();
  EXPECT_TRUE(hold.kept());
  EXPECT_EQ(cancelled, 0);
  EXPECT_TRUE(hold.keep()) << "still running: others may join";
  hold.drop();
  EXPECT_EQ(cancelled, 0);
  hold.drop();
  EXPECT_EQ(cancelled, 1);
}

TEST(hold, keepers_that_leave_first_cancel_nothing) {
  int cancelled = 0;
  Hold hold([&] { ++cancelled; });
  EXPECT_TRUE(hold.keep());
  hold.drop();
  EXPECT_EQ(cancelled, 0);
  hold.client_gone();
  EXPECT_EQ(cancelled, 1);
}

TEST(hold, from_many_threads_it_cancels_exactly_once) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> cancelled{0};
    Hold hold([&] { ++cancelled; });
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        if (hold.keep()) hold.drop();
      });
    }
    hold.client_gone();
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(cancelled, 1);
  }
}

}  // namespace
}  // namespace mainstay
