// Tokens of jobs: taken when they are handed in or run again, given back when nothing comes of it.
#include "jobs/desk.h"
#include "unit/jobs/tools_world.h"

namespace mainstay::jobs::test {
namespace {

struct QuotaTest : ToolsWorld {
  QuotaTest() {
    limits.user.tokens_per_minute = 1000;
    limits.tokens_reserved = 100;
    admission.apply(limits);
    real = all_kinds(tools());
    desk_.emplace(settings, clock, random, *log, admission, *real, store, signal);
  }
  Order question(std::uint64_t max_tokens, std::string key = "") {
    Order out = order({{"model", "m"},
                       {"messages", {{{"role", "user"}, {"content", "Where?"}}}},
                       {"max_tokens", max_tokens}},
                      "chat");
    out.key = std::move(key);
    return out;
  }
  /// What is left of the caller's tokens.
  std::uint64_t left() {
    admission::RateView view;
    auto shown = admission.reserve(caller, view, "", "other", {.answer = 1});
    EXPECT_TRUE(shown.ok());
    if (shown.ok()) shown->settle(0);
    return view.tokens.remaining + 1;
  }
  LimitSettings limits;
  std::unique_ptr<Kinds> real;
};

TEST_F(QuotaTest, a_chat_job_takes_its_prompt_and_its_longest_answer) {
  ASSERT_TRUE(try_submit(question(600)).ok());
  EXPECT_LT(left(), 400u);
  EXPECT_GT(left(), 350u) << "a quarter of the prompt's bytes";
  const auto refused = try_submit(question(600));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "tokens_limited");
  EXPECT_GT(refused.error().retry_after, 10s);
  EXPECT_LT(refused.error().retry_after, 20s);
  clock.advance(20s);
  EXPECT_TRUE(try_submit(question(600)).ok());
  const auto never = try_submit(question(1001));
  ASSERT_FALSE(never.ok());
  EXPECT_EQ(never.error().reason, "tokens_limited");
  EXPECT_EQ(never.error().retry_after, 0s);
}

TEST_F(QuotaTest, several_choices_are_so_many_answers) {
  Order what = question(300);
  what.input["n"] = 3;
  ASSERT_TRUE(try_submit(std::move(what)).ok());
  EXPECT_LT(left(), 100u);
}

TEST_F(QuotaTest, an_order_that_is_told_again_or_not_taken_costs_nothing) {
  ASSERT_TRUE(try_submit(question(300, "k1")).ok());
  const std::uint64_t before = left();
  EXPECT_TRUE(try_submit(question(300, "k1"))->existed);
  EXPECT_EQ(left(), before);
  EXPECT_EQ(try_submit(question(301, "k1")).error().reason, "idempotency_key_reused");
  EXPECT_EQ(left(), before);
}

TEST_F(QuotaTest, an_order_that_is_told_again_has_its_answer_when_nothing_is_left) {
  const auto first = try_submit(question(900, "k1"));
  ASSERT_TRUE(first.ok());
  for (const std::uint32_t limit : {1000U, 100U}) {
    limits.user.tokens_per_minute = limit;
    admission.apply(limits);
    const auto again = try_submit(question(900, "k1"));
    ASSERT_TRUE(again.ok()) << again.error().detail;
    EXPECT_TRUE(again->existed);
    EXPECT_EQ(again->id, first->id);
    EXPECT_EQ(try_submit(question(901, "k1")).error().reason, "idempotency_key_reused");
    EXPECT_EQ(try_submit(question(900, "k2")).error().reason, "tokens_limited");
  }
  EXPECT_EQ(run(memory.list({}, {}, 10, soon()))->items.size(), 1u);
}

TEST_F(QuotaTest, running_a_job_again_is_paid_for_but_by_an_administrator) {
  const JobId id = submit(question(300));
  ASSERT_TRUE(run(desk().cancel(caller, id, soon())).ok());
  const std::uint64_t before = left();
  ASSERT_TRUE(run(desk().retry(caller, id, soon())).ok());
  EXPECT_LT(left(), before - 299);
  EXPECT_EQ(run(desk().retry(caller, id, soon())).error().reason, "job_not_ended");
  ASSERT_TRUE(run(desk().cancel(caller, id, soon())).ok());
  EXPECT_GT(left(), 300u) << "what was refused was given back";
  ASSERT_TRUE(try_submit(question(200)).ok());
  EXPECT_EQ(run(desk().retry(caller, id, soon())).error().reason, "tokens_limited");
  EXPECT_TRUE(run(desk().retry(admin(), id, soon())).ok());
}

TEST_F(QuotaTest, without_limits_nothing_is_counted) {
  limits.enabled = false;
  admission.apply(limits);
  EXPECT_TRUE(try_submit(question(5000)).ok());
  limits.enabled = true;
  admission.apply(limits);
  EXPECT_EQ(left(), 1000u);
}

}  // namespace
}  // namespace mainstay::jobs::test
