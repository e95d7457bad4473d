// Cache and accounting as a caller of the router sees them.
#include "world.h"

namespace mainstay::models::test {
namespace {

class router_cache : public World {};

// proves Z3
TEST_F(router_cache, the_second_identical_question_is_a_hit) {
  auto& one = provider("one", {"m-one"});
  one.script = {reply("{\"n\":1}", 2s)};
  build();
  auto& first = ask("q");
  EXPECT_EQ(first.by().cache, CacheState::miss);
  clock.advance(7s);
  auto& second = ask("q");
  EXPECT_EQ(second.by().cache, CacheState::hit);
  EXPECT_GE(second.by().age, 7s);
  EXPECT_EQ(second.body(), first.body());
  EXPECT_EQ((**second.answer).reply->usage.prompt, 11U);
  EXPECT_EQ(second.by().provider, "one");
  EXPECT_EQ(second.by().attempts, 0U);
  EXPECT_EQ(one.calls, 1);
  EXPECT_EQ(counted("mainstay_cache_hits_total"), 1U);
  EXPECT_EQ(counted("mainstay_cache_misses_total"), 1U);
}

TEST_F(router_cache, is_never_shared_between_tenants) {
  auto& one = provider("one", {"m-one"});
  one.script = {reply("{\"n\":1}"), reply("{\"n\":2}")};
  build();
  ask("q");
  auto other = request(question("q"));
  other.tenant = TenantId("tenant-b");
  EXPECT_EQ(ask(std::move(other)).body(), "{\"n\":2}");
  EXPECT_EQ(router->forget(TenantId("tenant-a")), 1U);
  EXPECT_EQ(router->forget(TenantId("tenant-a")), 0U);
  EXPECT_EQ(router->forget(TenantId()), 1U);
}

TEST_F(router_cache, no_store_neither_looks_nor_keeps) {
  auto& one = provider("one", {"m-one"});
  build();
  ask("q");
  auto what = request(question("q"));
  what.cache.no_store = true;
  EXPECT_EQ(ask(std::move(what)).by().cache, CacheState::bypass);
  auto fresh = request(question("other"));
  fresh.cache.no_store = true;
  ask(std::move(fresh));
  EXPECT_EQ(ask("other").by().cache, CacheState::miss);
  EXPECT_EQ(one.calls, 4);
}

TEST_F(router_cache, no_cache_does_not_look_but_keeps) {
  auto& one = provider("one", {"m-one"});
  one.script = {reply("{\"n\":1}"), reply("{\"n\":2}")};
  build();
  ask("q");
  auto what = request(question("q"));
  what.cache.no_cache = true;
  auto& second = ask(std::move(what));
  EXPECT_EQ(second.by().cache, CacheState::bypass);
  EXPECT_EQ(second.body(), "{\"n\":2}");
  EXPECT_EQ(ask("q").body(), "{\"n\":2}");
  EXPECT_EQ(one.calls, 2);
}

TEST_F(router_cache, max_age_refuses_an_older_answer) {
  auto& one = provider("one", {"m-one"});
  build();
  ask("q");
  clock.advance(100s);
  auto what = request(question("q"));
  what.cache.max_age = 30s;
  EXPECT_EQ(ask(std::move(what)).by().cache, CacheState::miss);
  EXPECT_EQ(one.calls, 2);
}

TEST_F(router_cache, an_answer_older_than_the_ttl_is_asked_for_again) {
  auto& one = provider("one", {"m-one"});
  build();
  ask("q");
  clock.advance(settings.cache.ttl);
  ask("q");
  EXPECT_EQ(one.calls, 2);
}

TEST_F(router_cache, errors_are_not_kept) {
  auto& one = provider("one", {"m-one"});
  one.script = {fails(failure(Errc::invalid, "upstream_rejected"))};
  build();
  EXPECT_FALSE(ask("q").ok());
  EXPECT_TRUE(ask("q").ok());
}

TEST_F(router_cache, answers_from_documents_are_not_kept) {
  build();
  ask("q");
  EXPECT_EQ(ask("q").by().cache, CacheState::miss);
  EXPECT_EQ(built_in->calls, 2);
}

TEST_F(router_cache, degraded_answers_are_not_kept) {
  auto& one = provider("one", {"m-one"});
  one.always = fails(failure(Errc::bad_upstream, "upstream_bad_reply"));
  build();
  EXPECT_TRUE(ask("q").by().degraded);
  one.always = reply("{\"back\":1}");
  auto& second = ask("q");
  EXPECT_FALSE(second.by().degraded);
  EXPECT_EQ(second.body(), "{\"back\":1}");
}

TEST_F(router_cache, a_stale_answer_serves_when_every_provider_fails) {
  settings.cache.stale_if_error = true;
  auto& one = provider("one", {"m-one"});
  one.script = {reply("{\"n\":1}")};
  one.always = fails(failure(Errc::bad_upstream, "upstream_bad_reply"));
  build();
  ask("q");
  clock.advance(settings.cache.ttl + 5s);
  auto& got = ask("q");
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got.by().cache, CacheState::stale);
  EXPECT_EQ(got.body(), "{\"n\":1}");
  EXPECT_FALSE(got.by().degraded);
  EXPECT_GE(got.by().age, settings.cache.ttl);
  EXPECT_EQ(built_in->calls, 0);
}

TEST_F(router_cache, switched_off_it_keeps_nothing) {
  settings.cache.enabled = false;
  auto& one = provider("one", {"m-one"});
  build();
  EXPECT_EQ(ask("q").by().cache, CacheState::off);
  ask("q");
  EXPECT_EQ(one.calls, 2);
}

TEST_F(router_cache, a_complete_stream_is_replayed_as_it_was) {
  auto& one = provider("one", {"m-one"});
  one.always = streams({"alpha ", "beta ", "gamma"}, 50ms);
  build();
  auto& first = ask_stream("q");
  ASSERT_TRUE(first.ended);
  auto& second = ask_stream("q");
  ASSERT_TRUE(second.ended);
  EXPECT_EQ(second.by().cache, CacheState::hit);
  EXPECT_EQ(second.chunks, first.chunks);
  EXPECT_EQ(one.calls, 1);
}

TEST_F(router_cache, a_stream_kept_without_coalescing_is_the_same) {
  settings.cache.coalesce = false;
  auto& one = provider("one", {"m-one"});
  one.always = streams({"alpha ", "beta"}, 50ms);
  build();
  auto& first = ask_stream("q");
  auto& second = ask_stream("q");
  EXPECT_EQ(second.by().cache, CacheState::hit);
  EXPECT_EQ(second.chunks, first.chunks);
}

TEST_F(router_cache, a_cut_stream_is_not_kept) {
  auto& one = provider("one", {"m-one"});
  Step cut = streams({"alpha "});
  cut.pieces.pop_back();
  cut.cut = failure(Errc::bad_upstream, "upstream_truncated");
  one.script = {cut};
  one.always = streams({"whole"});
  build();
  EXPECT_TRUE(ask_stream("q").stream_error.has_value());
  EXPECT_EQ(ask_stream("q").by().cache, CacheState::miss);
}

TEST_F(router_cache, a_whole_reply_and_a_stream_are_kept_apart) {
  auto& one = provider("one", {"m-one"});
  one.script = {reply("{\"n\":1}"), streams({"word"})};
  build();
  ask("q");
  EXPECT_EQ(ask_stream("q").by().cache, CacheState::miss);
  EXPECT_EQ(one.calls, 2);
}

std::string choice(const std::string& message, const std::string& finish) {
  return R"({"choices":[{"index":0,"message":{"role":"assistant",)" + message +
         R"(},"finish_reason":")" + finish + R"("}]})";
}

TEST_F(router_cache, answers_that_are_empty_or_filtered_are_not_kept) {
  auto& one = provider("one", {"m-one"});
  build();
  const auto kept = [&](const std::string& text, const std::string& body) {
    one.always = reply(body);
    EXPECT_EQ(ask(text).body(), body);
    return ask(text).by().cache == CacheState::hit;
  };
  EXPECT_FALSE(kept("empty", choice(R"("content":"")", "stop")));
  EXPECT_FALSE(kept("nothing", choice(R"("content":null,"tool_calls":[])", "length")));
  EXPECT_FALSE(kept("thoughts", choice(R"("content":"","reasoning_content":"hm")", "length")));
  EXPECT_FALSE(kept("filtered", choice(R"("content":"half an")", "content_filter")));
  EXPECT_TRUE(kept("text", choice(R"("content":"yes")", "stop")));
  EXPECT_TRUE(kept("cut", choice(R"("content":"yes")", "length")));
  EXPECT_TRUE(kept("call", choice(R"("content":null,"tool_calls":[{"id":"c"}])", "tool_calls")));
  EXPECT_TRUE(kept("refusal", choice(R"("content":null,"refusal":"no")", "stop")));
}

Step streams_choices(const std::vector<std::string>& deltas, const std::string& finish) {
  Step step;
  for (const auto& delta : deltas) {
    step.pieces.push_back({{}, R"({"choices":[{"delta":)" + delta + "}]}", true, false});
  }
  step.pieces.push_back(
      {{}, R"({"choices":[{"delta":{},"finish_reason":")" + finish + "\"}]}", false, true});
  return step;
}

TEST_F(router_cache, streams_that_are_empty_or_filtered_are_not_kept) {
  auto& one = provider("one", {"m-one"});
  build();
  const auto kept = [&](const std::string& text, Step step) {
    one.always = std::move(step);
    EXPECT_TRUE(ask_stream(text).ended);
    return ask_stream(text).by().cache == CacheState::hit;
  };
  const std::string word = R"({"content":"yes"})";
  EXPECT_FALSE(kept("empty", streams_choices({}, "stop")));
  EXPECT_FALSE(kept("thoughts", streams_choices({R"({"reasoning_content":"hm"})"}, "length")));
  EXPECT_FALSE(kept("filtered", streams_choices({word, word}, "content_filter")));
  EXPECT_TRUE(kept("text", streams_choices({word}, "stop")));
  EXPECT_TRUE(kept("late", streams_choices({R"({"reasoning_content":"hm"})", word}, "stop")));
  EXPECT_TRUE(kept("call", streams_choices({R"({"tool_calls":[{"index":0}]})"}, "tool_calls")));
}

TEST_F(router_cache, a_filtered_stream_is_not_kept_without_coalescing_either) {
  settings.cache.coalesce = false;
  auto& one = provider("one", {"m-one"});
  one.always = streams_choices({R"({"content":"half"})"}, "content_filter");
  build();
  EXPECT_TRUE(ask_stream("q").ended);
  EXPECT_EQ(ask_stream("q").by().cache, CacheState::miss);
  EXPECT_EQ(one.calls, 2);
}

TEST_F(router_cache, gives_memory_back) {
  provider("one", {"m-one"});
  build();
  ask("q");
  EXPECT_GT(router->shrink_cache(1.0), 0U);
  EXPECT_EQ(ask("q").by().cache, CacheState::miss);
}

}  // namespace
}  // namespace mainstay::models::test
