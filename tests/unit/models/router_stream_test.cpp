// Streams through the router: silent fallback before the first token, plain errors after it.
#include "world.h"

namespace mainstay::models::test {
namespace {

class router_stream : public World {};

TEST_F(router_stream, tokens_come_in_order_with_everything_before_them) {
  auto& one = provider("one", {"m-one"});
  one.always = streams({"alpha ", "beta"}, 40ms);
  build();
  auto& got = ask_stream("q");
  EXPECT_TRUE(got.ended);
  EXPECT_EQ(got.chunks, (std::vector<std::string>{R"({"role":"assistant"})", "alpha ", "beta",
                                                  R"({"finish_reason":"stop"})"}));
  EXPECT_EQ(got.by().first_token_time, 40ms);
  EXPECT_EQ(one.open, 0);
}

TEST_F(router_stream, a_failure_before_the_first_token_falls_back_silently) {
  auto& one = provider("one", {"m-one"});
  auto& two = provider("two", {"m-two"});
  Step early;
  early.pieces.push_back({{}, R"({"role":"assistant"})", false, false});
  early.cut = failure(Errc::bad_upstream, "upstream_bad_reply");
  one.always = early;
  two.always = streams({"only ", "this"});
  build();
  auto& got = ask_stream("q");
  EXPECT_TRUE(got.ended);
  EXPECT_EQ(got.by().provider, "two");
  EXPECT_EQ(got.chunks, (std::vector<std::string>{R"({"role":"assistant"})", "only ", "this",
                                                  R"({"finish_reason":"stop"})"}));
  EXPECT_EQ(one.open, 0);
}

TEST_F(router_stream, a_stream_that_ends_without_a_token_is_no_answer) {
  auto& one = provider("one", {"m-one"});
  one.always = Step();
  provider("two", {"m-two"}).always = streams({"word"});
  build();
  EXPECT_EQ(ask_stream("q").by().provider, "two");
}

TEST_F(router_stream, silence_before_the_first_token_falls_back_when_its_timer_ends) {
  auto& one = provider("one", {"m-one"});
  Step silent;
  silent.pieces.push_back({{}, R"({"role":"assistant"})", false, false});
  silent.silent = true;
  one.always = silent;
  provider("two", {"m-two"}).always = streams({"word"});
  build();
  auto& got = ask(request(question("q"), true), 200s);
  EXPECT_EQ(got.by().provider, "two");
  EXPECT_EQ(got.by().first_token_time, Duration(settings.models.first_token_timeout));
  EXPECT_EQ(router->providers()[0].why, "upstream_first_byte_timeout");
}

TEST_F(router_stream, a_provider_has_times_of_its_own) {
  Step slow = streams({"alpha ", "beta"}, 40s);
  slow.pieces[2].after = 25s;
  auto& one = provider("one", {"m-one"});
  one.always = slow;
  providers.back().settings.first_token_timeout = 50s;
  providers.back().settings.between_tokens_timeout = 30s;
  auto& two = provider("two", {"m-two"});
  two.always = slow;
  providers.back().settings.first_token_timeout = 2s;
  provider("three", {"m-three"}).always = streams({"word"});
  build();
  const auto asked_of = [&](const std::string& model) -> Asked& {
    auto what = request(question("q"), true);
    what.model = model;
    return ask(std::move(what), 200s);
  };
  auto& patient = asked_of("m-one");
  EXPECT_TRUE(patient.ended);
  EXPECT_EQ(patient.by().first_token_time, 40s);
  asked_of("m-two");
  EXPECT_EQ(router->providers()[1].why, "upstream_first_byte_timeout");
  EXPECT_EQ(two.open, 0);
}

TEST_F(router_stream, the_first_tokens_time_bounds_the_silence_after_the_head) {
  auto& one = provider("one", {"m-one"});
  Step thinks;
  thinks.pieces.push_back({.after = 29s, .text = "alpha"});
  thinks.pieces.push_back({.after = 9s, .text = "beta"});
  thinks.pieces.push_back({{}, R"({"finish_reason":"stop"})", false, true});
  one.always = thinks;
  build();
  auto& got = ask(request(question("q"), true), 200s);
  ASSERT_TRUE(got.ended);
  EXPECT_EQ(got.by().provider, "one");
  EXPECT_EQ(got.by().first_token_time, 29s);
  thinks.pieces[1].after = 11s;
  one.always = thinks;
  auto& stalled = ask(request(question("later"), true), 200s);
  ASSERT_TRUE(stalled.stream_error);
  EXPECT_EQ(stalled.stream_error->reason, "upstream_stalled");
  EXPECT_EQ(stalled.chunks, std::vector<std::string>{"alpha"});
}

// A call comes whole from Ollama and Gemini, however long their models write it.
TEST_F(router_stream, a_silence_may_be_longer_where_tools_can_be_called) {
  Step calls = streams({"I look.", " So."});
  calls.pieces[2].after = 25s;
  provider("one", {"m-one"}).always = calls;
  build();
  auto plain = request(question("q"), true);
  auto& stalled = ask(std::move(plain), 200s);
  ASSERT_TRUE(stalled.stream_error);
  EXPECT_EQ(stalled.stream_error->reason, "upstream_stalled");
  auto with_tools = request(question("q"), true);
  with_tools.has_tools = true;
  auto& got = ask(std::move(with_tools), 200s);
  EXPECT_TRUE(got.ended) << got.stream_error->reason;
}

// proves fault row 26: an error after a token, and no token twice
TEST_F(router_stream, fault_26_a_stream_cut_after_a_token_ends_with_an_error_and_no_replay) {
  auto& one = provider("one", {"m-one"});
  auto& two = provider("two", {"m-two"});
  Step cut = streams({"alpha ", "beta "});
  cut.pieces.pop_back();
  cut.cut = failure(Errc::bad_upstream, "upstream_truncated");
  one.always = cut;
  build();
  auto& got = ask_stream("q");
  ASSERT_TRUE(got.stream_error);
  EXPECT_EQ(got.stream_error->reason, "upstream_truncated");
  EXPECT_FALSE(got.ended);
  EXPECT_EQ(got.chunks, (std::vector<std::string>{R"({"role":"assistant"})", "alpha ", "beta "}));
  EXPECT_EQ(one.calls, 1);
  EXPECT_EQ(two.calls, 0);
}

TEST_F(router_stream, a_providers_quota_that_ends_within_a_stream_is_our_capacity) {
  Step cut = streams({"alpha "});
  cut.pieces.pop_back();
  cut.cut = failure(Errc::over_limit, "upstream_rate_limited");
  provider("one", {"m-one"}).always = cut;
  build();
  auto& got = ask_stream("q");
  ASSERT_TRUE(got.stream_error);
  EXPECT_EQ(got.stream_error->code, Errc::unavailable);
  EXPECT_EQ(got.stream_error->reason, "upstream_rate_limited");
}

TEST_F(router_stream, a_stream_that_stalls_after_a_token_ends_with_an_error_in_time) {
  auto& one = provider("one", {"m-one"});
  Step stalls = streams({"alpha "});
  stalls.pieces.pop_back();
  stalls.silent = true;
  one.always = stalls;
  build();
  const TimePoint before = clock.now();
  auto& got = ask_stream("q");
  ASSERT_TRUE(got.stream_error);
  EXPECT_EQ(got.stream_error->code, Errc::deadline);
  EXPECT_EQ(got.stream_error->reason, "upstream_stalled");
  EXPECT_EQ(got.answered, before);
  EXPECT_EQ(one.open, 0);
}

TEST_F(router_stream, slow_tokens_within_the_timer_are_fine) {
  auto& one = provider("one", {"m-one"});
  one.always = streams({"a", "b", "c"}, 10s - 1ms);
  build();
  EXPECT_TRUE(ask_stream("q").ended);
}

TEST_F(router_stream, pings_of_a_provider_at_work_start_the_wait_for_a_token_anew) {
  auto& one = provider("one", {"m-one"});
  Step pinged = streams({"a", "b"}, 8s);
  for (int i = 0; i < 3; ++i) {
    const Piece ping{.after = 8s, .text = ""};
    pinged.pieces.insert(pinged.pieces.end() - 2, ping);
  }
  one.always = pinged;
  build();
  auto& got = ask_stream("q");
  EXPECT_TRUE(got.ended);
  EXPECT_EQ(std::count(got.chunks.begin(), got.chunks.end(), ""), 0);
}

TEST_F(router_stream, a_token_one_moment_late_is_a_stall) {
  auto& one = provider("one", {"m-one"});
  one.always = streams({"a", "b", "c"}, 10s + 1ms);
  build();
  auto& got = ask_stream("q");
  EXPECT_EQ(got.chunks.size(), 2U);
  EXPECT_EQ(got.stream_error->reason, "upstream_stalled");
}

TEST_F(router_stream, streams_that_break_later_open_the_breaker_too) {
  auto& one = provider("one", {"m-one"});
  Step cut = streams({"alpha "});
  cut.pieces.pop_back();
  cut.cut = failure(Errc::bad_upstream, "upstream_truncated");
  one.always = cut;
  build();
  for (int i = 0; i < 5; ++i) ask_stream("q-" + std::to_string(i));
  EXPECT_EQ(router->providers()[0].breaker, "open");
}

TEST_F(router_stream, a_stream_holds_its_permit_until_it_ends) {
  concurrent_max = 1;
  auto& one = provider("one", {"m-one"});
  one.always = streams({"a", "b", "c"}, 2s);
  build();
  auto& first = start(request(question("q-1"), true));
  auto& second = start(request(question("q-2"), true));
  clock.advance(5s);
  EXPECT_TRUE(first.answer.has_value());
  EXPECT_FALSE(second.answer.has_value());
  clock.run(60s);
  EXPECT_TRUE(first.ended);
  EXPECT_TRUE(second.ended);
  EXPECT_EQ(one.calls, 2);
}

TEST_F(router_stream, a_reader_that_leaves_closes_the_call_upstream) {
  auto& one = provider("one", {"m-one"});
  one.always = streams({"a", "b", "c"}, 2s);
  build();
  auto& got = start(request(question("q"), true));
  clock.advance(3s);
  EXPECT_EQ(one.open, 1);
  got.hold->client_gone();
  clock.advance(0s);
  EXPECT_EQ(one.open, 0);
  EXPECT_EQ(router->providers()[0].in_flight, 0U);
  EXPECT_EQ(router->providers()[0].breaker, "closed");
}

TEST_F(router_stream, the_stand_in_streams_too) {
  provider("one", {"m-one"}).always = fails(refused());
  build();
  built_in->always = streams({"from documents"});
  auto& got = ask_stream("q");
  EXPECT_TRUE(got.ended);
  EXPECT_TRUE(got.by().degraded);
}

TEST_F(router_stream, endless_chunks_without_a_token_are_refused) {
  auto& one = provider("one", {"m-one"});
  Step chatter;
  for (int i = 0; i < 300; ++i) chatter.pieces.push_back({{}, "{}", false, false});
  one.always = chatter;
  provider("two", {"m-two"}).always = streams({"word"});
  build();
  EXPECT_EQ(ask_stream("q").by().provider, "two");
}

}  // namespace
}  // namespace mainstay::models::test
