// The kinds themselves: what they take, what they give, what their effects are.
#include "base/json_fields.h"
#include "jobs/completion.h"
#include "unit/jobs/tools_world.h"

namespace mainstay::jobs {
namespace {

using namespace test;

/// The built-in answerer in the place of other models.
class StandIn final : public models::Models {
 public:
  explicit StandIn(models::Models& words) : words_(words) {}
  Co<Result<models::Answer>> chat(models::ChatRequest request, Deadline by) override {
    auto answer = co_await words_.chat(std::move(request), by);
    if (answer.ok()) answer->by.degraded = true;
    co_return answer;
  }
  Co<Result<std::vector<models::ModelInfo>>> list(Deadline by) override {
    auto listed = co_await words_.list(by);
    co_return listed;
  }
  std::vector<models::ProviderState> providers() const override { return {}; }
  std::size_t forget(TenantId) override { return 0; }

 private:
  models::Models& words_;
};

/// Said without a call to a provider.
Error not_now(const char* why) {
  Error error = Error::log(Errc::unavailable, "scripted");
  error.reason = why;
  error.retry_after = 5s;
  return error;
}

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
    desk_.emplace(settings, clock, random, *log, admission, *real, store, signal);
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

TEST_F(KindsTest, a_key_for_chats_alone_orders_no_answers_from_documents) {
  admission::Caller chats = someone("ann");
  chats.scopes = {admission::Scope::chat, admission::Scope::jobs};
  const Kind& chat = *real->find("chat");
  EXPECT_EQ(field(*parse_json(*chat.check(question(), chats)), "documents"), false);
  EXPECT_FALSE(parse_json(*chat.check(question(), caller))->contains("documents"));
  Json asked = question();
  asked["collection"] = "notes";
  EXPECT_EQ(chat.check(asked, chats).error().code, Errc::forbidden);
  EXPECT_EQ(chat.check(asked, chats).error().field, "input.collection");
  EXPECT_TRUE(chat.check(asked, caller).ok());
  Json none = question();
  none["collection"] = nullptr;
  EXPECT_TRUE(chat.check(none, chats).ok());
  const Kind& item = *real->find("batch_item");
  const Json line = {{"custom_id", "a"}, {"url", "/v1/chat/completions"}, {"body", question()}};
  EXPECT_EQ(field(field(*parse_json(*item.check(line, chats)), "body"), "documents"), false);
  EXPECT_FALSE(field(*parse_json(*item.check(line, caller)), "body").contains("documents"));
  Json wants = line;
  wants["body"] = asked;
  EXPECT_EQ(item.check(wants, chats).error().field, "input.body.collection");
  EXPECT_TRUE(item.check(wants, caller).ok());
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
  EXPECT_FALSE(result.contains("degraded"));
  EXPECT_FALSE(result.contains("system_fingerprint")) << "the provider sent none";
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

// proves G: an outage that an attempt only hears of costs the job nothing.
TEST_F(KindsTest, a_refusal_of_our_own_bounds_is_waited_out_within_the_attempt) {
  use_real();
  models.error = not_now("circuit_open");
  const JobId id = submit(order(question(), "chat"));
  clock.advance(90s);  // three leases
  EXPECT_EQ(state(id), JobState::running);
  EXPECT_GE(models.asked.size(), 5u);
  EXPECT_LE(models.asked.size(), 16u) << "no sooner than the refusal said";
  models.error.reset();
  clock.advance(30s);
  const auto done = job(id);
  ASSERT_EQ(done.state, JobState::succeeded) << done.failure.message;
  EXPECT_EQ(done.attempts, 1u);
}

TEST_F(KindsTest, an_attempt_that_waited_for_all_its_time_is_not_charged) {
  use_real();
  models.error = not_now("provider_busy");
  const JobId id = submit(order(question(), "chat"));
  clock.advance(Duration(settings.jobs.timeout) - 20s);
  EXPECT_EQ(state(id), JobState::running);
  EXPECT_EQ(job(id).attempts, 1u);
  clock.advance(3h);
  EXPECT_FALSE(storage::ended(state(id)));
  EXPECT_LE(models.asked.size(), 2200u) << "no sooner than the refusal said";
  models.error.reset();
  clock.advance(30s);
  EXPECT_EQ(state(id), JobState::succeeded);
  EXPECT_EQ(job(id).attempts, 1u);
}

TEST_F(KindsTest, a_wait_that_is_longer_than_an_attempt_leaves_the_slot_and_charges_nothing) {
  use_real();
  models.error = not_now("circuit_open");
  models.error->retry_after = std::chrono::milliseconds(settings.jobs.timeout);
  Order what = order(question(), "chat");
  what.attempts_max = 1;
  const JobId id = submit(what);
  what.expires_in = 60s;
  const JobId brief = submit(what);
  clock.advance(1s);
  for (const JobId& one : {id, brief}) {
    EXPECT_EQ(state(one), JobState::scheduled);
    EXPECT_EQ(job(one).attempts, 0u);
    EXPECT_GE(job(one).job.run_at, clock.wall() + Duration(settings.jobs.timeout) - 1s);
  }
  EXPECT_EQ(workers.back()->figures().busy, 0u);
  EXPECT_EQ(models.asked.size(), 2u);
  clock.advance(1min);
  EXPECT_EQ(state(brief), JobState::expired);
  EXPECT_EQ(models.asked.size(), 2u) << "it waits in the queue";
  models.error.reset();
  clock.advance(Duration(settings.jobs.timeout) + 10s);
  EXPECT_EQ(state(id), JobState::succeeded);
  EXPECT_EQ(job(id).attempts, 1u);
}

TEST_F(KindsTest, a_batch_item_waits_in_its_last_attempt_too) {
  use_real();
  models.error = not_now("upstream_pool_full");
  Order what = order({{"custom_id", "c1"}, {"url", "/v1/chat/completions"}, {"body", question()}},
                     "batch_item");
  what.attempts_max = 1;
  auto made = run(desk().submit_own(caller, what, soon()));
  ASSERT_TRUE(made.ok());
  clock.advance(1min);
  models.error.reset();
  clock.advance(30s);
  ASSERT_EQ(state(made->id), JobState::succeeded);
  EXPECT_EQ((*parse_json(job(made->id).result))["status_code"], 200);
}

TEST_F(KindsTest, nothing_is_asked_for_a_job_after_its_expiry) {
  use_real();
  models.error = not_now("circuit_open");
  Order what = order(question(), "chat");
  what.expires_in = 20s;
  const JobId id = submit(what);
  clock.advance(20s);
  const std::size_t asked = models.asked.size();
  clock.advance(5min);
  EXPECT_EQ(state(id), JobState::expired);
  EXPECT_EQ(models.asked.size(), asked);
}

TEST_F(KindsTest, a_stop_hands_a_job_back_that_waits_for_its_provider) {
  use_real();
  models.error = not_now("circuit_open");
  const JobId id = submit(order(question(), "chat"));
  clock.advance(1s);
  ASSERT_EQ(state(id), JobState::running);
  const TimePoint began = clock.now();
  EXPECT_EQ(run(workers.back()->drain(Deadline::in(clock, 30s)), 31s), 1u);
  EXPECT_LE(clock.now() - began, 100ms);
  EXPECT_EQ(state(id), JobState::queued);
  EXPECT_EQ(job(id).attempts, 0u);
}

TEST(NotNow, is_what_our_own_bounds_say_and_a_pause_with_its_end) {
  for (const char* why : {"circuit_open", "provider_busy", "upstream_pool_full", "host_busy",
                          "host_not_ready", "host_degraded", "upstream_rate_limited"}) {
    EXPECT_TRUE(is_not_now(not_now(why))) << why;
  }
  for (const char* why : {"", "upstream_refused", "upstream_overloaded", "host_too_large"}) {
    EXPECT_FALSE(is_not_now(not_now(why))) << why;
  }
  Error no_time = not_now("upstream_rate_limited");
  no_time.retry_after = 0ms;
  EXPECT_FALSE(is_not_now(no_time)) << "the provider refused, and says not for how long";
}

TEST_F(KindsTest, a_result_says_when_the_built_in_answerer_stood_in) {
  StandIn stand_in(models);
  assistant::Assistant standing(settings, clock, random, stand_in, passages, conversations);
  Tools with = tools();
  with.in_force = [&] { return InForce{{}, &settings, &standing, &stand_in, &library}; };
  real = all_kinds(with);
  use_real();
  Json several = question();
  several["n"] = 2;
  for (const Json& asked : {question(), several, question("new")}) {
    const JobId id = submit(order(asked, "chat"));
    clock.advance(1s);
    const Json result = *parse_json(job(id).result);
    EXPECT_EQ(result["degraded"], true) << dump(asked);
    EXPECT_EQ(result["choices"][0]["message"]["content"], "Bern.");
    EXPECT_EQ(result.contains("conversation"), asked.contains("conversation"));
  }
  Json input = {{"custom_id", "c1"}, {"url", "/v1/chat/completions"}, {"body", question()}};
  auto item = run(desk().submit_own(caller, order(input, "batch_item"), soon()));
  ASSERT_TRUE(item.ok());
  clock.advance(1s);
  EXPECT_EQ((*parse_json(job(item->id).result))["body"]["degraded"], true);
  close_workers();
}

TEST_F(KindsTest, an_item_of_a_batch_is_asked_anew_and_other_jobs_take_what_is_cached) {
  use_real();
  Order item = order({{"custom_id", "c1"}, {"url", "/v1/chat/completions"}, {"body", question()}},
                     "batch_item");
  item.batch = "batch_1";
  ASSERT_TRUE(run(desk().submit_own(caller, std::move(item), soon())).ok());
  clock.advance(1s);
  submit(order(question(), "chat"));
  clock.advance(1s);
  ASSERT_EQ(models.asked.size(), 2u);
  EXPECT_TRUE(models.asked[0].cache.no_cache);
  EXPECT_FALSE(models.asked[0].cache.no_store);
  EXPECT_FALSE(models.asked[1].cache.no_cache);
}

TEST_F(KindsTest, later_occurrences_and_retries_by_hand_are_asked_anew) {
  use_real();
  Order what = order(question(), "chat");
  what.repeat_every = 60s;
  const JobId id = submit(what);
  clock.advance(1s);
  clock.advance(60s);
  ASSERT_EQ(models.asked.size(), 2u);
  EXPECT_FALSE(models.asked[0].cache.no_cache);
  EXPECT_TRUE(models.asked[1].cache.no_cache);
  ASSERT_TRUE(run(desk().cancel(caller, id, soon())).ok());
  models.error = Error::say(Errc::invalid, "invalid_value", "Scripted: no.");
  const JobId dead = submit(order(question(), "chat"));
  clock.advance(1s);
  ASSERT_EQ(state(dead), JobState::dead);
  models.error.reset();
  ASSERT_TRUE(run(desk().retry(caller, dead, soon())).ok());
  clock.advance(1s);
  ASSERT_EQ(models.asked.size(), 4u);
  EXPECT_FALSE(models.asked[2].cache.no_cache);
  EXPECT_TRUE(models.asked[3].cache.no_cache);
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

TEST(CompletionTest, keeps_the_fingerprint_that_the_provider_sent) {
  Completion completion;
  models::ChatChunk chunk;
  chunk.json = R"({"id":"c1","created":7,"model":"m","system_fingerprint":"fp_9",)"
               R"("choices":[{"index":0,"delta":{"content":"Hi"}}]})";
  EXPECT_EQ(*completion.add(chunk), "Hi");
  EXPECT_EQ((*parse_json(completion.text()))["system_fingerprint"], "fp_9");
}

TEST(CompletionTest, keeps_the_thoughts_of_the_model_and_what_they_cost) {
  Completion completion;
  models::ChatChunk chunk;
  const auto delta = [&](const std::string& text) {
    chunk.json =
        R"({"id":"c1","created":7,"model":"m","choices":[{"index":0,"delta":)" + text + "}]}";
    return *completion.add(chunk);
  };
  EXPECT_EQ(delta(R"({"role":"assistant","content":"","reasoning_content":null})"), "");
  EXPECT_EQ(delta(R"({"reasoning_content":"Let me "})"), "");
  EXPECT_EQ(delta(R"({"reasoning_content":"think."})"), "");
  EXPECT_EQ(completion.size(), 13U);
  chunk.usage = {5, 9, true, 2, 4};
  EXPECT_EQ(delta(R"({"content":"Bern."})"), "Bern.");
  const Json whole = *parse_json(completion.text());
  EXPECT_EQ(whole["choices"][0]["message"]["reasoning_content"], "Let me think.");
  EXPECT_EQ(whole["choices"][0]["message"]["content"], "Bern.");
  EXPECT_FALSE(whole["choices"][0]["message"].contains("reasoning"));
  EXPECT_EQ(whole["usage"]["completion_tokens_details"]["reasoning_tokens"], chunk.usage.reasoning);
  EXPECT_EQ(whole["usage"]["prompt_tokens_details"]["cached_tokens"], chunk.usage.cached);
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
