// The calls at once that a provider gets follow what it says about its load.
#include "world.h"

namespace mainstay::models::test {
namespace {

class router_adapt : public World {
 protected:
  router_adapt() { concurrent_max = 10; }
  std::int64_t limit() {
    return metrics
        .held_gauge("mainstay_provider_limit", "Calls at once that the provider gets now",
                    {{"provider", "one"}})
        ->value();
  }
  /// So many questions at once, none of them like another; each takes the provider half a second.
  void ask_at_once(int n) {
    for (int i = 0; i < n; ++i) start(request(question("n" + std::to_string(asked_++))));
    clock.run(30s);
  }
  static Step too_much(Duration delay = {}) {
    return fails(failure(Errc::over_limit, "upstream_rate_limited", 100ms), delay);
  }
  int asked_ = 0;
};

TEST_F(router_adapt, a_429_takes_a_tenth_away_and_load_brings_it_back_one_by_one) {
  auto& one = provider("one", {"m-one"});
  one.always = reply("{}", 500ms);
  build();
  EXPECT_EQ(limit(), 10);
  one.script = {too_much(100ms)};
  ask_at_once(2);
  EXPECT_EQ(limit(), 9);
  one.script = {too_much(100ms)};
  ask_at_once(2);
  EXPECT_EQ(limit(), 8);
  one.most_running = 0;
  ask_at_once(8);
  EXPECT_EQ(limit(), 9);
  EXPECT_EQ(one.most_running, 8);
  clock.advance(5s);
  ask_at_once(9);
  EXPECT_EQ(limit(), 10);
  clock.advance(5s);
  one.most_running = 0;
  ask_at_once(30);
  EXPECT_EQ(limit(), 10) << "never above concurrent_max";
  EXPECT_EQ(one.most_running, 10);
}

TEST_F(router_adapt, a_429_to_a_call_that_was_alone_takes_nothing_away) {
  auto& one = provider("one", {"m-one"});
  one.always = too_much(100ms);
  build();
  for (int i = 0; i < 5; ++i) ask_at_once(1);
  EXPECT_EQ(limit(), 10);
}

TEST_F(router_adapt, the_lower_limit_holds_the_others_back) {
  auto& one = provider("one", {"m-one"});
  one.always = reply("{}", 500ms);
  build();
  one.script = {too_much(100ms)};
  ask_at_once(2);
  one.most_running = 0;
  ask_at_once(10);
  EXPECT_EQ(one.most_running, 9);
}

TEST_F(router_adapt, calls_refused_together_lower_it_once) {
  auto& one = provider("one", {"m-one"});
  one.always = reply("{}", 500ms);
  build();
  one.script = {too_much(200ms), too_much(200ms), too_much(200ms)};
  ask_at_once(3);
  EXPECT_EQ(limit(), 9);
}

TEST_F(router_adapt, a_timeout_is_too_much_and_other_failures_are_not) {
  auto& one = provider("one", {"m-one"});
  one.always = reply("{}", 500ms);
  build();
  one.script = {fails(broken(), 100ms)};
  ask_at_once(2);
  one.script = {fails(refused(), 100ms)};
  ask_at_once(2);
  EXPECT_EQ(limit(), 10);
  one.script = {fails(failure(Errc::deadline, "upstream_first_byte_timeout"), 100ms)};
  ask_at_once(2);
  EXPECT_EQ(limit(), 9);
  one.script = {fails(failure(Errc::unavailable, "upstream_overloaded"), 100ms)};
  ask_at_once(2);
  EXPECT_EQ(limit(), 8);
}

TEST_F(router_adapt, the_last_call_is_never_taken_away) {
  concurrent_max = 1;
  auto& one = provider("one", {"m-one"});
  one.always = reply("{}", 500ms);
  build();
  one.script = {too_much()};
  ask_at_once(1);
  EXPECT_EQ(limit(), 1);
  clock.advance(60s);
  auto& next = ask("another");
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(next.by().provider, "one");
}

}  // namespace
}  // namespace mainstay::models::test
