// POST /v1/chat/completions and POST /chat with a whole reply.
#include "unit/api/world.h"

namespace mainstay::api {
namespace {

using namespace test;
struct ChatTest : World {};

TEST_F(ChatTest, the_models_reply_reaches_the_client_as_it_is_with_who_gave_it) {
  models.by.fallbacks = 1;
  models.by.first_token_time = 12345us;
  auto reply = serve(chat());
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->body, models.body);
  EXPECT_EQ(reply->content_type, "application/json");
  EXPECT_EQ(reply->header("x-mainstay-provider"), "provider-x");
  EXPECT_EQ(reply->header("x-mainstay-model"), "model-x");
  EXPECT_EQ(reply->header("x-mainstay-attempts"), "3");
  EXPECT_EQ(reply->header("x-mainstay-cache"), "miss");
  EXPECT_EQ(reply->header("x-mainstay-fallbacks"), "1");
  EXPECT_EQ(reply->header("x-mainstay-degraded"), "absent");
  EXPECT_EQ(reply->header("age"), "absent");
  EXPECT_NE(reply->header("server-timing").find("first_token;dur=12.345"), std::string::npos);
}

TEST_F(ChatTest, a_cached_reply_says_its_age) {
  models.by.cache = models::CacheState::hit;
  models.by.age = 77s;
  auto reply = serve(chat());
  EXPECT_EQ(reply->header("x-mainstay-cache"), "hit");
  EXPECT_EQ(reply->header("age"), "77");
}

TEST_F(ChatTest, a_degraded_reply_says_so_in_header_and_body) {
  models.by.degraded = true;
  auto reply = serve(chat());
  EXPECT_EQ(reply->header("x-mainstay-degraded"), "true");
  EXPECT_EQ(json(reply->body)["degraded"], true);
  EXPECT_EQ(json(reply->body)["choices"][0]["message"]["content"], "Bern.");
}

TEST_F(ChatTest, what_the_caller_says_reaches_the_models) {
  const std::string parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  serve(chat(R"(,"model":"wanted","collection":"notes")")
            .with("cache-control", "No-Cache , max-age=60")
            .with("traceparent", parent));
  ASSERT_EQ(models.asked.size(), 1u);
  const auto& asked = models.asked[0];
  EXPECT_EQ(asked.model, "wanted");
  EXPECT_EQ(asked.tenant.text(), "default");
  EXPECT_EQ(asked.user.text(), "local");
  EXPECT_TRUE(asked.cache.no_cache);
  EXPECT_FALSE(asked.cache.no_store);
  EXPECT_EQ(asked.cache.max_age, 60s);
  EXPECT_EQ(asked.collection->text(), "notes");
  EXPECT_TRUE(asked.traceparent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
  EXPECT_NE(asked.traceparent, parent) << "the call has a span of its own";
  EXPECT_EQ(asked.body.find("notes"), std::string::npos) << "own members go to nobody";
}

TEST_F(ChatTest, several_lines_of_cache_control_are_one_list) {
  serve(chat().with("cache-control", "max-age=60").with("Cache-Control", "no-store"));
  ASSERT_EQ(models.asked.size(), 1u);
  EXPECT_TRUE(models.asked[0].cache.no_store);
  EXPECT_EQ(models.asked[0].cache.max_age, 60s);
}

TEST_F(ChatTest, the_models_errors_keep_their_code_and_hide_their_detail) {
  models.error = Error::say(Errc::bad_upstream, "upstream_error", "The provider failed.");
  models.error->detail = "sk-secret in an upstream body";
  auto reply = serve(chat());
  EXPECT_EQ(refused(reply), "502 upstream_error");
  EXPECT_EQ(reply->body.find("sk-secret"), std::string::npos);
}

TEST_F(ChatTest, a_conversation_named_by_body_or_header_is_stored_and_echoed) {
  EXPECT_EQ(serve(chat(R"(,"conversation":"conv-1")"))->header("x-conversation-id"), "conv-1");
  EXPECT_EQ(serve(chat().with("x-conversation-id", "conv-1"))->header("x-conversation-id"),
            "conv-1");
  const Json stored = json(serve(get("/v1/conversations/conv-1"))->body);
  EXPECT_EQ(stored["message_count"], 4);
  EXPECT_EQ(stored["messages"][1]["content"], "Bern.");
  EXPECT_EQ(serve(chat())->header("x-conversation-id"), "absent");
}

TEST_F(ChatTest, new_starts_a_conversation_of_its_own) {
  const auto first = serve(chat(R"(,"conversation":"new")"))->header("x-conversation-id");
  const auto second = serve(chat(R"(,"conversation":"new")"))->header("x-conversation-id");
  EXPECT_TRUE(first.starts_with("conv_")) << first;
  EXPECT_NE(first, second);
  EXPECT_EQ(serve(get("/v1/conversations/" + first))->status, 200);
}

TEST_F(ChatTest, a_conversations_name_is_checked_wherever_it_comes_from) {
  auto by_header = serve(chat().with("x-conversation-id", "two words"));
  EXPECT_EQ(refused(by_header), "400 invalid_name");
  EXPECT_EQ(json(by_header->body)["error"]["param"], "x-conversation-id");
  auto by_body = serve(chat(R"(,"conversation":"two words")"));
  EXPECT_EQ(by_body->status, 400);
  EXPECT_EQ(json(by_body->body)["error"]["param"], "conversation");
  EXPECT_EQ(serve(chat().with("x-conversation-id", std::string(128, 'c')))->status, 200);
  EXPECT_EQ(serve(chat().with("x-conversation-id", std::string(129, 'c')))->status, 400);
  EXPECT_EQ(models.asked.size(), 1u);
}

// proves V1 (POST /chat)
TEST_F(ChatTest, a_prompt_is_answered_with_one_text) {
  auto reply = serve(post("/chat", R"({"prompt":"Capital?","conversation":"conv-2"})"));
  EXPECT_EQ(reply->status, 200);
  const Json body = json(reply->body);
  EXPECT_EQ(body["response"], "Bern.");
  EXPECT_EQ(body["model"], "model-x");
  EXPECT_EQ(body["provider"], "provider-x");
  EXPECT_EQ(body["conversation"], "conv-2");
  EXPECT_EQ(dump(body["citations"]), "[]");
  EXPECT_FALSE(body.contains("degraded"));
  EXPECT_EQ(models.asked[0].body, R"({"messages":[{"role":"user","content":"Capital?"}]})");
}

TEST_F(ChatTest, a_prompt_has_the_limit_of_a_message) {
  settings.limits.message_max = Bytes{100};
  const auto status = [this](std::size_t size) {
    return serve(post("/chat", R"({"prompt":")" + std::string(size, 'p') + R"("})"))->status;
  };
  EXPECT_EQ(status(99), 200);
  EXPECT_EQ(status(100), 200);
  EXPECT_EQ(status(101), 413);
}

TEST_F(ChatTest, a_reply_of_an_unknown_shape_is_an_empty_text_and_no_crash) {
  for (const char* body : {"{}", "[]", R"({"choices":[]})", R"({"choices":[null]})",
                           R"({"choices":["x"]})", R"({"choices":[{"message":5}]})",
                           R"({"choices":[{"message":{"content":5}}]})", "not json"}) {
    models.body = body;
    auto reply = serve(post("/chat", R"({"prompt":"Capital?"})"));
    EXPECT_EQ(reply->status, 200) << body;
    EXPECT_EQ(json(reply->body)["response"], "") << body;
  }
}

TEST_F(ChatTest, hostile_bodies_get_an_answer_or_a_refusal_and_never_an_exception) {
  for (
      const char* body : {
          R"({"messages":[{"role":"user","content":[{"type":"text","text":"a","text":5}]}],"conversation":"c1"})",
          R"({"messages":[{"role":"user","content":[{"type":"text","type":5,"text":"a"}]}],"conversation":"c2"})",
          R"({"messages":[{"role":"user","role":5,"content":"a"}],"conversation":"c3"})",
          R"({"messages":[{"role":"user","content":"a","content":5}],"conversation":"c4"})",
          R"({"messages":[{"role":"user","content":"a","\u0072ole":5}],"conversation":"c5"})",
          R"({"messages":[{"role":"user","content":"a"}],"mess\u0061ges":5,"conversation":"c6"})",
          R"({"messages":[{"role":"user","content":"a"}],"conversation":"c7","conversati\u006fn":"c8"})",
      }) {
    const int status = serve(post("/v1/chat/completions", body))->status;
    EXPECT_TRUE(status == 200 || status == 400) << status << " for " << body;
  }
}

}  // namespace
}  // namespace mainstay::api
