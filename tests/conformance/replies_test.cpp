// What every back end of kept replies must do.
#include "storage/replies.h"
#include "conformance/back_ends.h"

namespace mainstay::storage {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

ReplyPlace place_of(int n, const std::string& user = "ann") {
  const std::string tag = std::to_string(n);
  return {owner_of("tenant of " + user, user), "route", "key " + tag};
}

/// A reply in which every field has a value of its own, from `n`.
KeptReply reply_of(int n) {
  const std::string tag = std::to_string(n);
  KeptReply reply;
  reply.status = 200 + n;
  reply.content_type = "type/" + tag;
  reply.headers = "x-n: " + tag + "\r\n";
  reply.body = "body " + tag + std::string("\0\r\n\xff", 4);
  return reply;
}

class RepliesFace : public testing::TestWithParam<const char*> {
 protected:
  Replies& face() { return back_end_->stores().replies(); }
  std::string begin(Replies& on, const ReplyPlace& place, const std::string& digest = "d",
                    Duration wait = seconds(20)) {
    auto got = ground_.run(on.begin(place, digest, Deadline::in(ground_.clock, wait)));
    if (!got.ok()) return got.error().reason;
    return got->has_value() ? (*got)->body : "fresh";
  }
  std::string begin(const ReplyPlace& place, const std::string& digest = "d") {
    return begin(face(), place, digest, seconds(20));
  }
  void keep(const ReplyPlace& place, KeptReply reply, const std::string& digest = "d") {
    Replies& on = face();  // one store for both: a restart in between would end the turn
    ASSERT_EQ(begin(on, place, digest, seconds(20)), "fresh");
    auto kept = ground_.run(on.finish(place, std::move(reply), limits_, ground_.soon()));
    ASSERT_TRUE(kept.ok()) << kept.error().detail;
  }
  bool known(int n, const std::string& user = "ann") {
    Replies& on = face();
    const std::string got = begin(on, place_of(n, user), "d", seconds(20));
    if (got == "fresh") on.forget(place_of(n, user));
    return got != "fresh";
  }

  Ground ground_;
  ReplyLimits limits_;
  std::unique_ptr<BackEnd> back_end_ = back_end(GetParam(), ground_);
};
INSTANTIATE_TEST_SUITE_P(Over, RepliesFace, testing::ValuesIn(kBackEnds), back_end_name);

TEST_P(RepliesFace, a_kept_reply_is_given_again_in_every_field) {
  keep(place_of(1), reply_of(1));
  keep(place_of(2), reply_of(2));
  auto got = ground_.run(face().begin(place_of(1), "d", ground_.soon()));
  ASSERT_TRUE(got.ok() && got->has_value());
  const KeptReply wanted = reply_of(1);
  EXPECT_EQ((*got)->status, wanted.status);
  EXPECT_EQ((*got)->content_type, wanted.content_type);
  EXPECT_EQ((*got)->headers, wanted.headers);
  EXPECT_EQ((*got)->body, wanted.body);
  EXPECT_FALSE((*got)->left_out);
  EXPECT_EQ(begin(place_of(2)), reply_of(2).body);
}

TEST_P(RepliesFace, a_reply_that_was_left_out_is_known_as_such) {
  KeptReply large;
  large.left_out = true;
  keep(place_of(1), large);
  auto got = ground_.run(face().begin(place_of(1), "d", ground_.soon()));
  ASSERT_TRUE(got.ok() && got->has_value());
  EXPECT_TRUE((*got)->left_out);
}

TEST_P(RepliesFace, a_key_with_another_digest_is_a_conflict_before_and_after_the_end) {
  Replies& on = face();
  ASSERT_EQ(begin(on, place_of(1), "one"), "fresh");
  EXPECT_EQ(begin(on, place_of(1), "two"), "idempotency_key_reused");
  on.forget(place_of(1));
  keep(place_of(1), reply_of(1), "one");
  EXPECT_EQ(begin(place_of(1), "two"), "idempotency_key_reused");
  EXPECT_EQ(begin(place_of(1), "one"), reply_of(1).body);
}

// A refusal must not leave the turn taken.
TEST_P(RepliesFace, a_refused_request_holds_nobody_up) {
  keep(place_of(1), reply_of(1), "one");
  Replies& on = face();
  EXPECT_EQ(begin(on, place_of(1), "two"), "idempotency_key_reused");
  EXPECT_EQ(begin(on, place_of(1), "one"), reply_of(1).body);
  EXPECT_EQ(begin(on, place_of(1), "one"), reply_of(1).body);
}

TEST_P(RepliesFace, owner_route_and_key_tell_replies_apart) {
  keep(place_of(1), reply_of(1));
  ReplyPlace other = place_of(1);
  other.route = "another route";
  EXPECT_EQ(begin(other), "fresh");
  other = place_of(1);
  other.owner.user = UserId("bob");
  EXPECT_EQ(begin(other), "fresh");
  other = place_of(1);
  other.owner.tenant = TenantId("bob");
  EXPECT_EQ(begin(other), "fresh");
  EXPECT_EQ(begin(place_of(1)), reply_of(1).body);
}

TEST_P(RepliesFace, who_comes_while_the_first_runs_gets_its_reply) {
  Replies& on = face();
  ASSERT_EQ(begin(on, place_of(1)), "fresh");
  std::optional<std::string> second;
  asio::co_spawn(ground_.io.get_executor(), on.begin(place_of(1), "d", ground_.soon()),
                 [&](std::exception_ptr, Result<std::optional<KeptReply>> got) {
                   second = got.ok() && got->has_value() ? (*got)->body : "nothing";
                 });
  while (ground_.io.poll_one() > 0) {
  }
  EXPECT_FALSE(second);
  auto kept = ground_.run(on.finish(place_of(1), reply_of(1), limits_, ground_.soon()));
  EXPECT_TRUE(kept.ok());
  EXPECT_EQ(second, reply_of(1).body);
}

TEST_P(RepliesFace, who_waits_for_one_that_is_forgotten_has_the_turn) {
  Replies& on = face();
  ASSERT_EQ(begin(on, place_of(1)), "fresh");
  std::optional<bool> fresh;
  asio::co_spawn(ground_.io.get_executor(), on.begin(place_of(1), "d", ground_.soon()),
                 [&](std::exception_ptr, Result<std::optional<KeptReply>> got) {
                   fresh = got.ok() && !got->has_value();
                 });
  while (ground_.io.poll_one() > 0) {
  }
  EXPECT_FALSE(fresh);
  on.forget(place_of(1));
  ground_.io.restart();
  ground_.io.run();
  EXPECT_EQ(fresh, true);
}

TEST_P(RepliesFace, the_wait_for_the_first_ends_at_the_deadline) {
  Replies& on = face();
  ASSERT_EQ(begin(on, place_of(1)), "fresh");
  EXPECT_EQ(begin(on, place_of(1), "d", std::chrono::milliseconds(20)),
            "idempotent_request_running");
  on.forget(place_of(1));
  EXPECT_EQ(begin(place_of(1)), "fresh");
}

TEST_P(RepliesFace, a_reply_is_kept_for_its_time_and_not_longer) {
  back_end_->stores();
  ground_.clock.stand_still();
  limits_.keep = hours(1);
  keep(place_of(1), reply_of(1));
  ground_.clock.move(hours(1) - std::chrono::milliseconds(1));
  EXPECT_TRUE(known(1));
  ground_.clock.move(std::chrono::milliseconds(1));
  EXPECT_FALSE(known(1));
  keep(place_of(1), reply_of(2));
  EXPECT_EQ(begin(place_of(1)), reply_of(2).body);
}

TEST_P(RepliesFace, what_is_over_is_removed_in_slices) {
  back_end_->stores();
  ground_.clock.stand_still();
  limits_.keep = hours(1);
  const int many = static_cast<int>(kReplySlice) + 3;
  for (int n = 0; n < many; ++n) keep(place_of(n), reply_of(n));
  ground_.clock.move(hours(1));
  for (const std::uint32_t wanted : {kReplySlice, 3u, 0u}) {
    auto swept = ground_.run(face().sweep(ground_.soon()));
    ASSERT_TRUE(swept.ok());
    EXPECT_EQ(*swept, wanted);
  }
}

TEST_P(RepliesFace, the_oldest_of_an_owner_go_above_its_count) {
  limits_.owner_entries_max = 2;
  keep(place_of(9, "bob"), reply_of(9));
  keep(place_of(1), reply_of(1));
  keep(place_of(2), reply_of(2));
  EXPECT_TRUE(known(1));
  keep(place_of(3), reply_of(3));
  EXPECT_FALSE(known(1));
  EXPECT_TRUE(known(2) && known(3));
  EXPECT_TRUE(known(9, "bob"));
}

TEST_P(RepliesFace, the_oldest_of_an_owner_go_above_its_bytes) {
  limits_.owner_bytes_max = size_of(place_of(1), reply_of(1)) * 2;
  keep(place_of(1), reply_of(1));
  keep(place_of(2), reply_of(2));
  EXPECT_TRUE(known(1));
  keep(place_of(3), reply_of(3));
  EXPECT_FALSE(known(1));
  EXPECT_TRUE(known(2) && known(3));
}

TEST_P(RepliesFace, the_oldest_of_all_go_above_the_whole) {
  limits_.entries_max = 2;
  keep(place_of(1, "ann"), reply_of(1));
  keep(place_of(2, "bob"), reply_of(2));
  EXPECT_TRUE(known(1, "ann"));
  keep(place_of(3, "eve"), reply_of(3));
  EXPECT_FALSE(known(1, "ann"));
  EXPECT_TRUE(known(2, "bob") && known(3, "eve"));
  limits_ = {};
  limits_.bytes_max = size_of(place_of(4), reply_of(4)) * 2;
  keep(place_of(4, "dan"), reply_of(4));
  EXPECT_FALSE(known(2, "bob"));
  EXPECT_TRUE(known(3, "eve") && known(4, "dan"));
}

// Removal and arrival many times over: a sum that went astray would let nothing stay, or all.
TEST_P(RepliesFace, the_sums_stay_true_over_many_replies) {
  limits_.owner_entries_max = 3;
  const int many = std::string(GetParam()) == "sqlite_reopened" ? 10 : 40;
  for (int n = 0; n < many; ++n) keep(place_of(n), reply_of(n % 7));
  EXPECT_FALSE(known(many - 4));
  for (int n = many - 3; n < many; ++n) EXPECT_TRUE(known(n));
}

}  // namespace
}  // namespace mainstay::storage
