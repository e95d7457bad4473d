// The breakers of one provider together: what counts for the server, and what for a model.
#include "models/breakers.h"

#include <gtest/gtest.h>

namespace mainstay::models {
namespace {

using namespace std::chrono_literals;
using State = Breaker::State;

class breakers : public ::testing::Test {
 protected:
  void fail(const std::string& model, int times = 5) {
    for (int i = 0; i < times; ++i) {
      it.failure(it.ask(model, now), model, "upstream_error", now, random);
    }
  }
  void miss(const std::string& model, int times = 5) {
    for (int i = 0; i < times; ++i) it.unreached(it.ask(model, now), now, random);
  }
  void succeed(const std::string& model) { it.success(it.ask(model, now), model, now); }
  bool allowed(const std::string& model) {
    const auto pass = it.ask(model, now);
    it.ignored(pass);
    return pass.allowed;
  }
  ModelSettings settings;  // window 20, 5 calls, half, 5 s doubling to 300 s
  SeededRandom random{3};
  TimePoint now{1000s};
  Breakers it{settings};
};

TEST_F(breakers, a_model_that_fails_is_left_alone_and_the_others_are_not) {
  fail("big");
  EXPECT_FALSE(allowed("big"));
  EXPECT_GT(it.ask("big", now).retry_after, 0s);
  EXPECT_TRUE(allowed("small"));
  EXPECT_EQ(it.state("big", now), State::open);
  EXPECT_EQ(it.state("small", now), State::closed);
}

TEST_F(breakers, a_server_that_is_away_is_away_for_all_its_models) {
  miss("one");
  EXPECT_FALSE(allowed("one"));
  EXPECT_FALSE(allowed("another"));
  EXPECT_EQ(it.state("another", now), State::open);
}

TEST_F(breakers, failures_of_both_kinds_are_not_added_up) {
  fail("m", 4);
  miss("m", 3);
  EXPECT_TRUE(allowed("m"));
}

TEST_F(breakers, one_call_at_a_time_tries_a_model_again) {
  fail("big");
  now += 10s;
  const auto probe = it.ask("big", now);
  EXPECT_TRUE(probe.allowed);
  EXPECT_FALSE(it.ask("big", now).allowed);
  EXPECT_TRUE(allowed("small"));
  EXPECT_TRUE(it.failure(probe, "big", "upstream_error", now, random));
  EXPECT_EQ(it.state("big", now), State::open);
}

TEST_F(breakers, one_call_at_a_time_tries_a_server_again_whatever_its_model) {
  miss("one");
  now += 10s;
  const auto probe = it.ask("one", now);
  EXPECT_TRUE(probe.allowed);
  EXPECT_FALSE(it.ask("two", now).allowed);
  it.success(probe, "one", now);
  EXPECT_TRUE(it.ask("two", now).allowed);
}

TEST_F(breakers, a_call_that_the_server_refuses_gives_the_models_probe_back) {
  fail("m");
  miss("other");
  now += 10s;
  const auto probe = it.ask("other", now);
  EXPECT_FALSE(it.ask("m", now).allowed);
  it.ignored(probe);
  EXPECT_TRUE(it.ask("m", now).allowed);
}

TEST_F(breakers, a_model_that_fails_shows_that_its_server_is_back) {
  miss("m");
  now += 10s;
  for (int i = 0; i < 4; ++i) fail("m", 1);
  EXPECT_TRUE(allowed("another"));
  EXPECT_EQ(it.state("another", now), State::closed);
}

TEST_F(breakers, the_provider_is_as_well_as_its_best_model) {
  EXPECT_EQ(it.state(now), State::closed);
  fail("big");
  EXPECT_EQ(it.state(now), State::open);
  EXPECT_EQ(it.why(), "upstream_error");
  succeed("small");
  EXPECT_EQ(it.state(now), State::closed);
  EXPECT_EQ(it.why(), "");
  EXPECT_EQ(it.why("big"), "upstream_error");
  it.clear_whys();
  EXPECT_EQ(it.why("big"), "");
}

TEST_F(breakers, a_model_of_ollama_is_the_same_with_and_without_its_tag) {
  fail("llama3:latest");
  EXPECT_FALSE(allowed("llama3"));
  EXPECT_TRUE(allowed("llama3:8b"));
}

TEST_F(breakers, of_many_models_those_that_are_left_alone_are_remembered) {
  fail("big");
  for (int i = 0; i < 63; ++i) {
    now += 1ms;
    fail("m-" + std::to_string(i), 4);
  }
  now += 1ms;
  succeed("one-more");
  EXPECT_FALSE(allowed("big")) << "used before all others, but open";
  fail("m-62", 1);
  EXPECT_FALSE(allowed("m-62")) << "four of its failures are still known";
  fail("m-0", 1);
  EXPECT_TRUE(allowed("m-0")) << "not used for longest";
}

TEST_F(breakers, a_call_of_a_forgotten_model_ends_without_a_trace) {
  fail("big");
  now += 10s;
  auto probe = it.ask("big", now);
  ASSERT_TRUE(probe.allowed);
  for (int i = 0; i < 64; ++i) {
    now += 1ms;
    fail("m-" + std::to_string(i));
  }
  EXPECT_EQ(it.state("big", now), State::closed) << "forgotten";
  it.failure(probe, "big", "upstream_error", now, random);
  EXPECT_EQ(it.state("big", now), State::closed);
}

TEST_F(breakers, asking_for_names_that_nobody_serves_is_not_remembered) {
  fail("big", 4);
  for (int i = 0; i < 1000; ++i) allowed("no-such-" + std::to_string(i));
  fail("big", 1);
  EXPECT_FALSE(allowed("big"));
}

}  // namespace
}  // namespace mainstay::models
