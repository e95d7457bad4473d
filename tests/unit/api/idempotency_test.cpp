// Requests with an Idempotency-Key: what is given again, what is refused, what may be tried again.
#include <gtest/gtest.h>

#include "unit/api/world.h"

namespace mainstay::api {
namespace {

using namespace test;

struct IdempotencyTest : World {
  static Sent keyed(Sent sent, const std::string& key = "key-1") {
    return sent.with("idempotency-key", key);
  }
  Sent document(const std::string& text) {
    return post("/v1/documents", R"({"text":")" + text + R"(","title":"A title"})");
  }
};

TEST_F(IdempotencyTest, the_same_request_is_carried_out_once_and_answered_alike) {
  const auto first = serve(keyed(chat()));
  const auto again = serve(keyed(chat()));
  EXPECT_EQ(first->status, 200);
  EXPECT_EQ(again->status, 200);
  EXPECT_EQ(again->body, first->body);
  EXPECT_EQ(again->content_type, first->content_type);
  EXPECT_EQ(first->header("idempotent-replayed"), "absent");
  EXPECT_EQ(again->header("idempotent-replayed"), "true");
  EXPECT_EQ(again->header("x-mainstay-provider"), "provider-x");
  EXPECT_NE(again->header("x-request-id"), first->header("x-request-id"));
  EXPECT_EQ(models.asked.size(), 1U);
}

TEST_F(IdempotencyTest, another_key_or_none_is_another_request) {
  serve(keyed(chat()));
  serve(keyed(chat(), "key-2"));
  serve(chat());
  EXPECT_EQ(models.asked.size(), 3U);
}

TEST_F(IdempotencyTest, the_same_key_with_another_body_is_a_conflict) {
  serve(keyed(chat()));
  const auto other = serve(keyed(chat(R"(,"temperature":0.5)")));
  EXPECT_EQ(refused(other), "409 idempotency_key_reused");
  EXPECT_EQ(models.asked.size(), 1U);
}

TEST_F(IdempotencyTest, keys_have_1_to_255_printable_characters) {
  EXPECT_EQ(serve(keyed(chat(), "k"))->status, 200);
  EXPECT_EQ(serve(keyed(chat(), std::string(254, 'k')))->status, 200);
  EXPECT_EQ(serve(keyed(chat(), std::string(255, 'k')))->status, 200);
  for (const std::string& bad : {std::string(), std::string(256, 'k'), std::string("a\tb"),
                                 std::string("\xc3\xa9"), std::string("\x7f")}) {
    EXPECT_EQ(refused(serve(keyed(chat(), bad))), "400 invalid_idempotency_key") << bad.size();
  }
}

TEST_F(IdempotencyTest, of_two_keys_neither_is_meant) {
  EXPECT_EQ(refused(serve(keyed(keyed(chat(), "one"), "two"))), "400 invalid_idempotency_key");
  EXPECT_TRUE(models.asked.empty());
}

TEST_F(IdempotencyTest, a_key_is_its_owners) {
  settings.limits.enabled = false;
  serve(keyed(chat()));
  const auto admins = serve(keyed(admin(chat())));
  EXPECT_EQ(admins->status, 200);
  EXPECT_EQ(admins->header("idempotent-replayed"), "absent");
}

TEST_F(IdempotencyTest, a_stream_is_given_again_whole) {
  const auto first = serve(keyed(chat(R"(,"stream":true)")));
  const auto again = serve(keyed(chat(R"(,"stream":true)")));
  EXPECT_EQ(again->body, first->streamed());
  EXPECT_EQ(again->content_type, "text/event-stream");
  EXPECT_EQ(models.asked.size(), 1U);
}

TEST_F(IdempotencyTest, a_stream_that_broke_may_be_tried_again) {
  models.cut = Error::say(Errc::unavailable, "upstream_truncated", "The answer ended early.");
  serve(keyed(chat(R"(,"stream":true)")));
  models.cut.reset();
  models.chunks = {R"({"n":9})"};
  const auto again = serve(keyed(chat(R"(,"stream":true)")));
  EXPECT_EQ(again->header("idempotent-replayed"), "absent");
  EXPECT_NE(again->streamed().find("[DONE]"), std::string::npos);
  EXPECT_EQ(models.asked.size(), 2U);
}

TEST_F(IdempotencyTest, a_stream_whose_client_went_is_drawn_to_its_end_and_kept) {
  serve(keyed(chat(R"(,"stream":true)")), [](FakeExchange& e) { e.goes_after = 1; });
  EXPECT_EQ(models.chunks_read, 3);
  const auto again = serve(keyed(chat(R"(,"stream":true)")));
  EXPECT_EQ(again->header("idempotent-replayed"), "true");
  EXPECT_NE(again->body.find(R"({"n":3})"), std::string::npos);
  EXPECT_EQ(models.asked.size(), 1U);
}

TEST_F(IdempotencyTest, a_reply_that_the_client_did_not_take_is_kept) {
  serve(keyed(chat()), [](FakeExchange& e) { e.gone = true; });
  EXPECT_EQ(serve(keyed(chat()))->header("idempotent-replayed"), "true");
}

TEST_F(IdempotencyTest, refusals_that_may_pass_are_not_kept) {
  for (const Errc code : {Errc::unavailable, Errc::over_limit, Errc::internal}) {
    models.error = Error::say(code, "upstream_error", "Not now.");
    const auto first = serve(keyed(chat()));
    EXPECT_GE(first->status, 429);
    models.error.reset();
    const auto again = serve(keyed(chat()));
    EXPECT_EQ(again->status, 200);
    EXPECT_EQ(again->header("idempotent-replayed"), "absent");
    stores = nullptr;
    api.reset();
    stores = storage::memory::open(clock);
    assistant.reset();
    library.reset();
    admission.reset();
  }
}

TEST_F(IdempotencyTest, a_refusal_that_stays_is_given_again) {
  const auto first = serve(keyed(post("/chat", R"({"prompt":""})")));
  const auto again = serve(keyed(post("/chat", R"({"prompt":""})")));
  EXPECT_EQ(first->status, 400);
  EXPECT_EQ(again->status, 400);
  EXPECT_EQ(again->body, first->body);
  EXPECT_EQ(again->header("idempotent-replayed"), "true");
}

TEST_F(IdempotencyTest, a_reply_above_the_bound_is_not_kept_and_says_so) {
  for (const int more : {-1, 0, 1}) {
    const auto size = settings.idempotency.reply_max.value;
    models.body =
        std::string(static_cast<std::size_t>(static_cast<std::int64_t>(size) + more), ' ');
    const std::string key = "key of " + std::to_string(more);
    EXPECT_EQ(serve(keyed(chat(), key))->body.size(), models.body.size());
    const auto again = serve(keyed(chat(), key));
    if (more <= 0) {
      EXPECT_EQ(again->body.size(), models.body.size());
    } else {
      EXPECT_EQ(refused(again), "409 idempotent_reply_too_large");
    }
  }
  EXPECT_EQ(models.asked.size(), 3U);
}

TEST_F(IdempotencyTest, a_new_conversation_keeps_its_id) {
  const auto first = serve(keyed(chat(R"(,"conversation":"new")")));
  const auto again = serve(keyed(chat(R"(,"conversation":"new")")));
  EXPECT_NE(first->header("x-conversation-id"), "absent");
  EXPECT_EQ(again->header("x-conversation-id"), first->header("x-conversation-id"));
}

/// The server died after the turn was stored and before the reply was kept.
TEST_F(IdempotencyTest, a_turn_is_stored_once_though_its_reply_was_lost) {
  const std::string wish = R"(,"conversation":"new")";
  settings.idempotency.owner_entries_max = 1;
  const auto first = serve(keyed(chat(wish)));
  serve(keyed(chat(), "key-2"));  // the bound of one takes the kept reply away
  const auto again = serve(keyed(chat(wish)));
  EXPECT_EQ(again->header("idempotent-replayed"), "absent");
  EXPECT_EQ(models.asked.size(), 3U);
  const auto id = first->header("x-conversation-id");
  ASSERT_EQ(again->header("x-conversation-id"), id);
  const Json stored = json(serve(get("/v1/conversations/" + id))->body);
  EXPECT_EQ(stored["messages"].size(), 2U) << stored.dump();
}

TEST_F(IdempotencyTest, every_post_heeds_the_key_and_a_get_does_not) {
  const auto first = serve(keyed(document("Bern is the capital.")));
  EXPECT_EQ(first->status, 201) << first->body;
  const auto again = serve(keyed(document("Bern is the capital.")));
  EXPECT_EQ(again->status, 201);
  EXPECT_EQ(again->body, first->body);
  EXPECT_EQ(again->header("idempotent-replayed"), "true");
  serve(keyed(get("/v1/models")));
  EXPECT_EQ(serve(keyed(get("/v1/models")))->header("idempotent-replayed"), "absent");
}

TEST_F(IdempotencyTest, a_second_request_waits_for_the_first_and_gets_its_reply) {
  open();
  models.hangs = true;
  FakeExchange first(keyed(chat()), clock.now());
  FakeExchange second(keyed(chat()), clock.now());
  int ended = 0;
  const auto end = [&ended](std::exception_ptr) { ++ended; };
  asio::co_spawn(io.get_executor(), api->serve(first), end);
  asio::co_spawn(io.get_executor(), api->serve(second), end);
  clock.advance(0s);
  EXPECT_EQ(models.asked.size(), 1U);
  EXPECT_EQ(second.replies, 0);
  models.hangs = false;
  clock.advance(24h);
  clock.advance(24h);
  clock.advance(0s);
  EXPECT_EQ(ended, 2);
  EXPECT_EQ(first.status, 200);
  // The second gave up at its own deadline, long before a day: it says to come again.
  EXPECT_EQ(second.status, 409);
  EXPECT_EQ(serve(keyed(chat()))->header("idempotent-replayed"), "true");
}

Sent stop(const std::string& key = "key-1") {
  return World::post("/v1/chat/completions/cancel", R"({"idempotency_key":")" + key + R"("})");
}

TEST_F(IdempotencyTest, a_chat_that_runs_is_stopped_by_its_owner_alone) {
  settings.limits.enabled = false;
  open();
  models.hangs = true;
  FakeExchange first(keyed(chat()), clock.now());
  bool ended = false;
  asio::co_spawn(io.get_executor(), api->serve(first), [&](std::exception_ptr) { ended = true; });
  clock.advance(0s);
  ASSERT_EQ(models.asked.size(), 1U);
  EXPECT_EQ(refused(serve(admin(stop()))), "404 unknown_chat");
  EXPECT_EQ(first.cancelled, 0);
  EXPECT_EQ(serve(stop())->status, 200);
  EXPECT_EQ(first.cancelled, 1) << "though its reader is still there";
  EXPECT_EQ(serve(stop())->status, 200);
  EXPECT_EQ(first.cancelled, 1);
  models.hangs = false;
  clock.advance(24h);
  clock.advance(24h);
  ASSERT_TRUE(ended);
  EXPECT_EQ(refused(serve(stop())), "404 unknown_chat");
}

TEST_F(IdempotencyTest, a_chat_that_was_stopped_before_it_came_does_not_run) {
  EXPECT_EQ(refused(serve(stop())), "404 unknown_chat");
  EXPECT_EQ(refused(serve(keyed(chat()))), "499 chat_stopped");
  EXPECT_TRUE(models.asked.empty());
  EXPECT_EQ(serve(keyed(chat(), "key-2"))->status, 200) << "another chat";
  EXPECT_EQ(serve(keyed(post("/chat", R"({"prompt":"x"})")))->status, 200) << "another endpoint";
  clock.advance(RunningChats::kStopHolds);
  EXPECT_EQ(serve(keyed(chat()))->status, 200);
}

TEST_F(IdempotencyTest, stopping_names_a_key) {
  const auto at = [](const char* body) { return World::post("/v1/chat/completions/cancel", body); };
  EXPECT_EQ(refused(serve(at("{}"))), "400 missing_field");
  EXPECT_EQ(refused(serve(at(R"({"idempotency_key":"a","more":1})"))), "400 unknown_field");
  EXPECT_EQ(refused(serve(stop(std::string(255, 'k')))), "404 unknown_chat");
  EXPECT_EQ(serve(stop(std::string(256, 'k')))->status, 413);
}

}  // namespace
}  // namespace mainstay::api
