// Identical questions in flight: one call upstream, whoever leaves.
#include "world.h"

namespace mainstay::models::test {
namespace {

class coalesce : public World {
 protected:
  std::vector<std::string> whole(std::vector<std::string> words) {
    words.insert(words.begin(), R"({"role":"assistant"})");
    words.push_back(R"({"finish_reason":"stop"})");
    return words;
  }
};

// proves Z3 and M10: parallel calls for one question are one call
TEST_F(coalesce, ten_identical_questions_are_one_call) {
  auto& one = provider("one", {"m-one"});
  one.always = reply("{\"n\":1}", 2s);
  build();
  for (int i = 0; i < 10; ++i) start(request(question("q")));
  clock.run(10s);
  EXPECT_EQ(one.calls, 1);
  for (const auto& each : asked) {
    ASSERT_TRUE(each->ok());
    EXPECT_EQ(each->body(), "{\"n\":1}");
    EXPECT_EQ((**each->answer).reply->usage.completion, 7U);
  }
  EXPECT_EQ(asked[0]->by().cache, CacheState::miss);
  EXPECT_EQ(asked[9]->by().cache, CacheState::coalesced);
  EXPECT_EQ(asked[9]->by().attempts, 0U);
  EXPECT_EQ(asked[9]->by().provider, "one");
  EXPECT_EQ(counted("mainstay_coalesced_total"), 9U);
}

TEST_F(coalesce, other_tenants_and_other_questions_fly_alone) {
  auto& one = provider("one", {"m-one"});
  one.always = reply("{}", 2s);
  build();
  start(request(question("q")));
  start(request(question("r")));
  auto other = request(question("q"));
  other.tenant = TenantId("tenant-b");
  start(std::move(other));
  clock.run(10s);
  EXPECT_EQ(one.calls, 3);
}

TEST_F(coalesce, the_leader_leaving_does_not_end_it_for_the_others) {
  auto& one = provider("one", {"m-one"});
  one.always = reply("{\"n\":1}", 5s);
  build();
  auto& leader = start(request(question("q")));
  auto& follower = start(request(question("q")));
  clock.advance(1s);
  leader.hold->client_gone();
  clock.run(10s);
  EXPECT_TRUE(follower.ok());
  EXPECT_EQ(one.calls, 1);
  EXPECT_FALSE(leader.cancelled());
}

TEST_F(coalesce, when_everybody_has_left_the_call_is_cancelled) {
  auto& one = provider("one", {"m-one"});
  one.always = reply("{\"n\":1}", 5s);
  build();
  auto& leader = start(request(question("q")));
  auto& follower = start(request(question("q")));
  clock.advance(1s);
  leader.hold->client_gone();
  clock.advance(1s);
  EXPECT_FALSE(leader.cancelled());
  follower.hold->client_gone();
  clock.advance(0s);
  EXPECT_TRUE(follower.cancelled());
  EXPECT_TRUE(leader.cancelled());
  EXPECT_EQ(router->providers()[0].in_flight, 0U);
}

TEST_F(coalesce, followers_share_the_leaders_error) {
  auto& one = provider("one", {"m-one"});
  one.always = fails(failure(Errc::invalid, "upstream_rejected"), 1s);
  build();
  for (int i = 0; i < 4; ++i) start(request(question("q")));
  clock.run(10s);
  EXPECT_EQ(one.calls, 1);
  for (const auto& each : asked) EXPECT_EQ(each->error().reason, "upstream_rejected");
}

TEST_F(coalesce, a_cancelled_leader_is_succeeded_by_a_follower) {
  auto& one = provider("one", {"m-one"});
  one.always = reply("{\"n\":1}", 5s);
  build();
  auto& leader = start(request(question("q")));
  start(request(question("q")));
  start(request(question("q")));
  clock.advance(1s);
  leader.signal.emit(asio::cancellation_type::terminal);  // as at shutdown: no hold is asked
  clock.run(20s);
  EXPECT_TRUE(leader.cancelled());
  EXPECT_TRUE(asked[1]->ok());
  EXPECT_TRUE(asked[2]->ok());
  EXPECT_EQ(one.calls, 2);
}

TEST_F(coalesce, a_follower_waits_no_longer_than_its_own_deadline) {
  auto& one = provider("one", {"m-one"});
  one.always = reply("{\"n\":1}", 20s);
  build();
  start(request(question("q")));
  auto& hasty = start(request(question("q")), 3s);
  clock.advance(4s);
  ASSERT_TRUE(hasty.answer);
  EXPECT_EQ(hasty.error().code, Errc::deadline);
  clock.run(30s);
  EXPECT_TRUE(asked[0]->ok());
}

TEST_F(coalesce, no_more_follow_than_allowed) {
  settings.cache.followers_max = 2;
  auto& one = provider("one", {"m-one"});
  one.always = reply("{\"n\":1}", 2s);
  build();
  for (int i = 0; i < 3; ++i) start(request(question("q")));
  clock.run(0s);
  EXPECT_EQ(one.calls, 1);
  start(request(question("q")));
  clock.run(0s);
  EXPECT_EQ(one.calls, 2);
  clock.run(10s);
}

TEST_F(coalesce, a_follower_who_joins_in_the_middle_gets_every_token_in_order) {
  auto& one = provider("one", {"m-one"});
  one.always = streams({"a", "b", "c", "d", "e"}, 1s);
  build();
  auto& leader = start(request(question("q"), true));
  clock.advance(3500ms);
  EXPECT_EQ(leader.chunks.size(), 4U);
  auto& follower = start(request(question("q"), true));
  clock.advance(0s);
  EXPECT_EQ(follower.chunks, leader.chunks);
  clock.run(10s);
  EXPECT_EQ(one.calls, 1);
  EXPECT_TRUE(follower.ended);
  EXPECT_EQ(follower.chunks, whole({"a", "b", "c", "d", "e"}));
  EXPECT_EQ(leader.chunks, follower.chunks);
  EXPECT_EQ(follower.by().cache, CacheState::coalesced);
  EXPECT_EQ(ask_stream("q").by().cache, CacheState::hit);
}

TEST_F(coalesce, a_stream_goes_on_for_its_followers_when_the_leaders_client_leaves) {
  auto& one = provider("one", {"m-one"});
  one.always = streams({"a", "b", "c"}, 1s);
  build();
  auto& leader = start(request(question("q"), true));
  auto& follower = start(request(question("q"), true));
  clock.advance(1500ms);
  leader.hold->client_gone();
  clock.run(10s);
  EXPECT_FALSE(leader.cancelled());
  EXPECT_TRUE(follower.ended);
  EXPECT_EQ(follower.chunks, whole({"a", "b", "c"}));
  EXPECT_EQ(one.open, 0);
}

TEST_F(coalesce, a_stream_ends_when_its_last_reader_has_left) {
  auto& one = provider("one", {"m-one"});
  one.always = streams({"a", "b", "c"}, 1s);
  build();
  auto& leader = start(request(question("q"), true));
  auto& follower = start(request(question("q"), true));
  clock.advance(1500ms);
  leader.hold->client_gone();
  follower.hold->client_gone();
  clock.advance(0s);
  EXPECT_TRUE(follower.cancelled());
  EXPECT_TRUE(leader.cancelled());
  EXPECT_EQ(one.open, 0);
}

TEST_F(coalesce, a_shared_stream_that_breaks_breaks_for_all) {
  auto& one = provider("one", {"m-one"});
  Step cut = streams({"a", "b"}, 1s);
  cut.pieces.pop_back();
  cut.cut = failure(Errc::bad_upstream, "upstream_truncated");
  one.always = cut;
  build();
  auto& leader = start(request(question("q"), true));
  auto& follower = start(request(question("q"), true));
  clock.run(10s);
  EXPECT_EQ(leader.stream_error->reason, "upstream_truncated");
  ASSERT_TRUE(follower.stream_error);
  EXPECT_EQ(follower.stream_error->reason, "upstream_truncated");
  EXPECT_EQ(follower.chunks, leader.chunks);
}

TEST_F(coalesce, a_leader_destroyed_in_the_middle_is_an_error_for_its_followers) {
  auto& one = provider("one", {"m-one"});
  one.always = streams({"a", "b", "c"}, 1s);
  build();
  auto& leader = start(request(question("q"), true));
  auto& follower = start(request(question("q"), true));
  clock.advance(1500ms);
  leader.signal.emit(asio::cancellation_type::terminal);
  clock.run(10s);
  ASSERT_TRUE(follower.stream_error);
  EXPECT_EQ(follower.stream_error->code, Errc::bad_upstream);
  EXPECT_EQ(follower.stream_error->reason, "upstream_truncated");
}

TEST_F(coalesce, a_follower_is_as_patient_as_the_provider_may_be_silent) {
  auto& one = provider("one", {"m-one"});
  one.always = streams({"a", "b"}, 200s);
  providers.back().settings.first_token_timeout = 250s;
  providers.back().settings.between_tokens_timeout = 250s;
  providers.back().settings.total_timeout = 900s;
  build();
  start(request(question("q"), true), 900s);
  auto& follower = start(request(question("q"), true), 900s);
  clock.run(600s);
  EXPECT_EQ(one.calls, 1);
  EXPECT_TRUE(follower.ended);
}

TEST_F(coalesce, a_failure_before_the_first_token_is_shared) {
  auto& one = provider("one", {"m-one"});
  one.always = fails(failure(Errc::invalid, "upstream_rejected"), 1s);
  build();
  start(request(question("q"), true));
  auto& follower = start(request(question("q"), true));
  clock.run(10s);
  EXPECT_EQ(one.calls, 1);
  EXPECT_EQ(follower.error().reason, "upstream_rejected");
}

TEST_F(coalesce, a_stream_past_its_buffer_takes_no_followers_and_is_not_kept) {
  settings.cache.stream_buffer_max = Bytes{800};
  auto& one = provider("one", {"m-one"});
  std::vector<std::string> words;
  for (int i = 0; i < 200; ++i) words.push_back("word-" + std::to_string(i * 7919));
  one.always = streams(words, 10ms);
  build();
  auto& leader = start(request(question("q"), true));
  clock.advance(1s);
  auto& other = start(request(question("q"), true));
  clock.run(30s);
  EXPECT_EQ(one.calls, 2);
  EXPECT_TRUE(leader.ended);
  EXPECT_TRUE(other.ended);
  EXPECT_EQ(leader.chunks, whole(words));
  EXPECT_EQ(ask_stream("q").by().cache, CacheState::miss);
}

TEST_F(coalesce, switched_off_everyone_calls) {
  settings.cache.coalesce = false;
  auto& one = provider("one", {"m-one"});
  one.always = reply("{}", 1s);
  build();
  for (int i = 0; i < 3; ++i) start(request(question("q")));
  clock.run(10s);
  EXPECT_EQ(one.calls, 3);
}

}  // namespace
}  // namespace mainstay::models::test
