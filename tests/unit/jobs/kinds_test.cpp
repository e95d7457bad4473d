// The kinds themselves: what they take, what they give, what their effects are.
#include "base/json_fields.h"
#include "jobs/completion.h"
#include "unit/jobs/tools_world.h"

namespace mainstay::jobs {
namespace {

using namespace test;

struct KindsTest : ToolsWorld {
  KindsTest() {
    Tools with = tools();
    with.cleanup = [](Deadline) -> Co<Result<std::string>> {
      co_return std::string(R"({"removed":3})");
    };
    real = all_kinds(with);
  }
  Kind& kind(const char* name) { return *real->find(name); }
  /// Replaces the world's registry by the real one, for workers and desk.
  void use_real() {
    desk_.emplace(settings, clock, random, *log, *real, store, signal);
    WorkersSetup setup;
    setup.name = "real";
    setup.slots = 1;
    workers.push_back(std::make_unique<Workers>(settings, std::move(setup), clock, random, *log,
                                                metrics, *real, store, signal, io.get_executor()));
    workers.back()->start();
    clock.advance(0s);
  }
  Error refused(const char* name, const Json& input) {
    auto checked = kind(name).check(input, caller);
    EXPECT_FALSE(checked.ok()) << dump(input);
    return checked.ok() ? Error() : checked.error();
  }
  static Json question(const char* conversation = nullptr) {
    Json out = {{"messages", Json::array({{{"role", "user"}, {"content", "Capital?"}}})}};
    if (conversation != nullptr) out["conversation"] = conversation;
    return out;
  }
  std::vector<storage::StoredMessage> messages(const std::string& conversation) {
    auto out =
        run(conversations.messages(caller.owner, ConversationId(conversation), {}, 100, soon()));
    return out.ok() ? *out : std::vector<storage::StoredMessage>();
  }
  std::unique_ptr<Kinds> real;
};

TEST_F(KindsTest, are_registered_once_each) {
  EXPECT_EQ(real->names(), (Names{"chat", "ingest", "images", "webhook", "batch_item", "cleanup"}));
  EXPECT_EQ(real->find("other"), nullptr);
}

TEST_F(KindsTest, a_wrong_chat_is_named_below_the_input) {
  EXPECT_EQ(refused("chat", Json::array()).field, "input");
  EXPECT_EQ(refused("chat", Json::object()).field, "input.messages");
  Json odd = question();
  odd["messages"][0]["role"] = "robot";
  EXPECT_EQ(refused("chat", odd).field, "input.messages[0].role");
  EXPECT_EQ(refused("chat", question("a b")).field, "input.conversation");
}

// proves G: the answer streams to those who follow, and the result is the whole completion.
TEST_F(KindsTest, a_chat_streams_its_pieces_and_results_in_a_completion) {
  use_real();
  const JobId id = submit(order(question(), "chat"));
  clock.advance(1s);
  const auto done = job(id);
  ASSERT_EQ(done.state, JobState::succeeded) << done.failure.message;
  const Json result = *parse_json(done.result);
  EXPECT_EQ(result["object"], "chat.completion");
  EXPECT_EQ(result["choices"][0]["message"]["content"], "Bern.");
  EXPECT_EQ(result["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(result["usage"]["total_tokens"], 34);
  const auto names = told(id);
  EXPECT_EQ(names.front(), "queued");
  EXPECT_EQ(names.back(), "succeeded");
  EXPECT_NE(std::find(names.begin(), names.end(), "token"), names.end());
  ASSERT_EQ(models.asked.size(), 1u);
  EXPECT_TRUE(models.asked[0].stream);
  EXPECT_EQ(models.asked[0].request.text(), id.text());
  EXPECT_EQ(models.asked[0].user, caller.owner.user);
}

TEST_F(KindsTest, several_choices_come_as_one_reply) {
  use_real();
  Json wanted = question();
  wanted["n"] = 2;
  wanted["stream"] = true;
  wanted["stream_options"] = {{"include_usage", true}};
  const JobId id = submit(order(wanted, "chat"));
  clock.advance(1s);
  EXPECT_EQ(state(id), JobState::succeeded);
  EXPECT_FALSE(models.asked.at(0).stream);
  EXPECT_EQ(job(id).result, models.body);
}

// proves G: a conversation's turn is an effect of the job: stored with its outcome, once.
TEST_F(KindsTest, the_turn_is_stored_with_the_outcome_and_once) {
  use_real();
  store.faults["complete"] = {1, 2};  // answers are lost: the outcome is told three times
  const JobId id = submit(order(question("conv_1"), "chat"));
  clock.advance(10s);
  ASSERT_EQ(state(id), JobState::succeeded);
  const auto stored = messages("conv_1");
  ASSERT_EQ(stored.size(), 2u);
  EXPECT_EQ(string_field(*parse_json(stored[1].json), "content"), "Bern.");
  EXPECT_EQ(string_field(*parse_json(job(id).result), "conversation"), "conv_1");
}

TEST_F(KindsTest, a_turn_of_an_attempt_that_does_not_count_is_not_stored) {
  use_real();
  store.faults["complete"].before = 1000;
  const JobId id = submit(order(question("conv_1"), "chat"));
  clock.advance(10s);
  EXPECT_EQ(state(id), JobState::running);
  EXPECT_TRUE(messages("conv_1").empty());
  ASSERT_TRUE(run(desk().cancel(caller, id, soon())).ok());
  store.faults["complete"].before = 0;
  clock.advance(1min);
  EXPECT_TRUE(messages("conv_1").empty());
}

TEST_F(KindsTest, a_new_conversation_is_the_same_one_in_every_attempt) {
  use_real();
  models.error = Error::log(Errc::unavailable, "scripted");
  const JobId id = submit(order(question("new"), "chat"));
  clock.advance(500ms);
  models.error.reset();
  clock.advance(1min);
  ASSERT_EQ(state(id), JobState::succeeded);
  const std::string conversation = string_field(*parse_json(job(id).result), "conversation");
  EXPECT_EQ(conversation, "conv_" + id.text().substr(4));
  EXPECT_EQ(messages(conversation).size(), 2u);
}

TEST_F(KindsTest, a_document_is_ingested_and_named) {
  auto& ingest = kind("ingest");
  EXPECT_EQ(refused("ingest", Json::object()).field, "input.text");
  EXPECT_EQ(refused("ingest", {{"text", ""}}).field, "input.text");
  EXPECT_EQ(refused("ingest", {{"text", "x"}, {"format", "pdf"}}).field, "input.format");
  EXPECT_EQ(refused("ingest", {{"text", "x"}, {"collection", "a b"}}).field, "input.collection");
  EXPECT_EQ(refused("ingest", {{"text", "x"}, {"odd", 1}}).field, "input.odd");
  EXPECT_EQ(refused("ingest", {{"text", 5}}).field, "input.text");
  EXPECT_TRUE(ingest.check({{"text", "x"}}, caller).ok());
  use_real();
  const JobId id = submit(order(
      {{"text", "# Atlas\n\nBern is the capital."}, {"format", "markdown"}, {"source", "atlas.md"}},
      "ingest"));
  // The library's pool is a real thread: its end is waited for, not slept for.
  for (int i = 0; i < 2'000'000 && !storage::ended(state(id)); ++i) std::this_thread::yield();
  const auto done = job(id);
  ASSERT_EQ(done.state, JobState::succeeded) << done.failure.message;
  const Json result = *parse_json(done.result);
  EXPECT_EQ(result["title"], "Atlas");
  EXPECT_EQ(result["collection"], settings.knowledge.default_collection);
  EXPECT_EQ(result["existed"], false);
}

TEST_F(KindsTest, cleanup_is_for_administrators_and_takes_nothing) {
  use_real();
  EXPECT_EQ(try_submit(order(Json::object(), "cleanup")).error().reason, "scope_required");
  caller = admin();
  EXPECT_EQ(try_submit(order({{"x", 1}}, "cleanup")).error().field, "input.x");
  const JobId id = submit(order(Json(), "cleanup"));
  clock.advance(1s);
  EXPECT_EQ(job(id).result, R"({"removed":3})");
}

TEST_F(KindsTest, a_batch_item_gives_what_http_would_have_given) {
  use_real();
  EXPECT_EQ(try_submit(order({{"url", "/v1/chat/completions"}, {"body", question()}}, "batch_item"))
                .error()
                .reason,
            "unknown_kind")
      << "clients hand in batches";
  const auto own = [&](Json body) {
    Json input = {{"custom_id", "c1"}, {"url", "/v1/chat/completions"}, {"body", std::move(body)}};
    auto out = run(desk().submit_own(caller, order(input, "batch_item"), soon()));
    EXPECT_TRUE(out.ok());
    clock.advance(2h);
    return *parse_json(job(out->id).result);
  };
  const Json good = own(question());
  EXPECT_EQ(good["status_code"], 200);
  EXPECT_EQ(good["body"]["choices"][0]["message"]["content"], "Bern.");
  const Json bad = own({{"messages", 5}});
  EXPECT_EQ(bad["status_code"], 400);
  EXPECT_EQ(bad["body"]["error"]["code"], "invalid_type");
  models.asked.clear();
  models.error = Error::log(Errc::unavailable, "scripted");
  const Json down = own(question());
  EXPECT_EQ(down["status_code"], 503) << "the last attempt's refusal is the result";
  EXPECT_EQ(models.asked.size(), settings.jobs.attempts_max);
}

TEST(CompletionTest, collects_tool_calls_and_refuses_what_is_no_chunk) {
  Completion completion;
  models::ChatChunk chunk;
  chunk.json = R"({"id":"c1","created":7,"model":"m","choices":[{"index":0,"delta":{"tool_calls":)"
               R"([{"index":0,"id":"t1","function":{"name":"f","arguments":"{}"}}]}}]})";
  EXPECT_EQ(*completion.add(chunk), "");
  chunk.json = R"({"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]})";
  chunk.finish = true;
  EXPECT_TRUE(completion.add(chunk).ok());
  const Json whole = *parse_json(completion.text());
  EXPECT_EQ(whole["id"], "c1");
  EXPECT_EQ(whole["created"], 7);
  EXPECT_EQ(whole["choices"][0]["finish_reason"], "tool_calls");
  EXPECT_EQ(whole["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "f");
  EXPECT_FALSE(whole.contains("usage"));
  chunk.json = "{";
  EXPECT_FALSE(completion.add(chunk).ok());
}

}  // namespace
}  // namespace mainstay::jobs
