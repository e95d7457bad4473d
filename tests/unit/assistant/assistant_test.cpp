// A turn with a whole reply: what is asked, what is stored, what is cited.
#include "unit/assistant/world.h"

namespace mainstay::assistant {
namespace {

using namespace test;
struct AssistantTest : World {};

TEST_F(AssistantTest, a_stateless_question_passes_straight_through) {
  Question question = World::question("Capital?");
  const std::string body = question.chat.body;
  auto answer = ask(std::move(question));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->reply->body, models.body);
  ASSERT_EQ(models.asked.size(), 1u);
  EXPECT_EQ(models.asked[0].body, body);
  EXPECT_EQ(store.appends, 0);
  EXPECT_TRUE(passages.asked.empty());
}

TEST_F(AssistantTest, a_turn_is_stored_before_the_reply_comes_back) {
  store.delay = 2s;
  Asked asked;
  begin(in_conversation("Capital?"), asked);
  clock.advance(2s - 1ms);
  EXPECT_EQ(store.appends, 1);
  EXPECT_FALSE(asked.done) << "the store is still writing";
  EXPECT_TRUE(messages().empty());
  clock.advance(1ms);
  ASSERT_TRUE(asked.done);
  ASSERT_TRUE(asked.value->ok());
  EXPECT_EQ(messages().size(), 2u);
}

TEST_F(AssistantTest, a_stored_turn_holds_question_answer_and_how_it_came_about) {
  Question question = in_conversation("Capital?");
  clock.advance(3s);
  ASSERT_TRUE(ask(std::move(question)).ok());
  ASSERT_EQ(store.turns.size(), 1u);
  const storage::Turn& turn = store.turns[0];
  EXPECT_EQ(turn.conversation.text(), "conv_a");
  EXPECT_EQ(turn.title, "Capital?");
  EXPECT_TRUE(turn.request.text().starts_with("turn_")) << "an id of our own, not the client's";
  EXPECT_EQ(turn.provider, "provider-x");
  EXPECT_EQ(turn.model, "model-x");
  EXPECT_EQ(turn.prompt_tokens, Tokens{11});
  EXPECT_EQ(turn.completion_tokens, Tokens{7});
  EXPECT_EQ(turn.first_token, Duration(42ms));
  EXPECT_EQ(turn.total, Duration(3s));
  EXPECT_EQ(turn.citations, "");
  EXPECT_EQ(turn.finished, clock.wall());
  ASSERT_EQ(turn.messages.size(), 2u);
  EXPECT_EQ(turn.messages[0].json, R"({"role":"user","content":"Capital?"})");
  EXPECT_EQ(turn.messages[1].role, "assistant");
  EXPECT_EQ(turn.messages[1].json, R"({"role":"assistant","content":"Bern."})");
  EXPECT_EQ(turn.messages[1].tokens, Tokens{7});
  EXPECT_TRUE(turn.messages[0].id.text().starts_with("msg_"));
  EXPECT_NE(turn.messages[0].id, turn.messages[1].id);
}

TEST_F(AssistantTest, the_next_question_is_asked_behind_the_stored_turn) {
  settings.conversations.window_tokens = 777;
  ASSERT_TRUE(ask(in_conversation("Capital?")).ok());
  ASSERT_TRUE(ask(in_conversation("And its river?")).ok());
  EXPECT_EQ(store.last_budget, Tokens{777});
  EXPECT_EQ(models.asked[1].body,
            R"({"messages":[{"role":"system","content":"Be brief."},)"
            R"({"role":"user","content":"Capital?"},{"role":"assistant","content":"Bern."},)"
            R"({"role":"user","content":"And its river?"}]})");
  const auto stored = messages();
  ASSERT_EQ(stored.size(), 4u) << "history is not stored again";
  EXPECT_EQ(stored[2].json, R"({"role":"user","content":"And its river?"})");
}

TEST_F(AssistantTest, a_tools_result_is_never_sent_without_its_call) {
  settings.conversations.window_tokens = 1'000;
  ASSERT_TRUE(ask(in_conversation(std::string(40'000, 'x'))).ok());
  auto result = in_conversation("unused");
  result.chat.body = R"({"messages":[{"role":"tool","tool_call_id":"c","content":"7"}]})";
  result.chat.index();
  ASSERT_TRUE(ask(std::move(result)).ok());
  EXPECT_NE(models.asked[1].body.find(R"({"role":"assistant","content":"Bern."},{"role":"tool")"),
            std::string::npos)
      << models.asked[1].body.substr(0, 200);
  ASSERT_TRUE(ask(in_conversation("Next?")).ok());
  EXPECT_EQ(models.asked[2].body.find("xxx"), std::string::npos) << "else the window holds";
}

TEST_F(AssistantTest, a_call_far_beyond_the_window_is_not_fetched) {
  settings.conversations.window_tokens = 100;
  ASSERT_TRUE(ask(in_conversation(std::string(40'000, 'x'))).ok());
  auto result = in_conversation("unused");
  result.chat.body = R"({"messages":[{"role":"tool","tool_call_id":"c","content":"7"}]})";
  result.chat.index();
  ASSERT_TRUE(ask(std::move(result)).ok());
  EXPECT_EQ(models.asked[1].body.find("xxx"), std::string::npos) << "sixteen windows at most";
}

TEST_F(AssistantTest, a_store_that_fails_fails_the_question) {
  Error full = Error::say(Errc::disk_full, "disk_full", "The disk is full.");
  store.append_error = full;
  auto answer = ask(in_conversation("Capital?"));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Errc::disk_full);
  EXPECT_EQ(answer.error().reason, "disk_full");
  EXPECT_EQ(answer.error().message, "The disk is full.");
  EXPECT_NE(answer.error().detail.find("turn not stored"), std::string::npos);
}

TEST_F(AssistantTest, a_history_that_cannot_be_read_means_that_no_model_is_asked) {
  store.window_error = Error::log(Errc::unavailable, "scripted");
  EXPECT_FALSE(ask(in_conversation("Capital?")).ok());
  EXPECT_TRUE(models.asked.empty());
}

TEST_F(AssistantTest, a_question_that_no_model_answers_is_not_stored) {
  models.error = Error::log(Errc::bad_upstream, "scripted");
  auto answer = ask(in_conversation("Capital?"));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Errc::bad_upstream);
  EXPECT_EQ(store.appends, 0);
}

TEST_F(AssistantTest, a_reply_without_a_message_is_an_upstream_error_and_is_not_stored) {
  for (const char* body : {R"({"choices":[]})", R"({"choices":[{"message":null}]})", "{}"}) {
    models.body = body;
    auto answer = ask(in_conversation("Capital?"));
    ASSERT_FALSE(answer.ok()) << body;
    EXPECT_EQ(answer.error().code, Errc::bad_upstream) << body;
  }
  EXPECT_EQ(store.appends, 0);
}

TEST_F(AssistantTest, storing_has_a_deadline_of_its_own) {
  settings.storage.operation_timeout = 5s;
  ASSERT_TRUE(ask(in_conversation("Capital?")).ok());
  EXPECT_EQ(store.append_by.at(), clock.now() + 5s);
}

TEST_F(AssistantTest, passages_are_put_before_the_question_and_cited_in_the_reply) {
  settings.knowledge.passages = 3;
  auto answer = ask(over_documents("Capital?"));
  ASSERT_TRUE(answer.ok());
  ASSERT_EQ(passages.asked.size(), 1u);
  EXPECT_EQ(passages.asked[0].tenant.text(), "tenant-a");
  EXPECT_EQ(passages.asked[0].text, "Capital?");
  EXPECT_EQ(passages.asked[0].collection->text(), "notes");
  EXPECT_EQ(passages.asked[0].limit, 3u);
  EXPECT_NE(models.asked[0].body.find("Bern is the capital."), std::string::npos);
  auto body = parse_json(answer->reply->body);
  ASSERT_TRUE(body.ok());
  EXPECT_EQ((*body)["citations"][0]["document"], "doc_7");
  EXPECT_EQ((*body)["citations"][0]["position"]["end"], 34);
  EXPECT_EQ((*body)["choices"][0]["message"]["content"], "Bern.");
  EXPECT_EQ(store.appends, 0) << "without a conversation nothing is stored";
}

TEST_F(AssistantTest, a_question_that_may_not_read_documents_finds_no_passages) {
  auto question = over_documents("Capital?");
  question.chat.documents = false;
  auto answer = ask(std::move(question));
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(passages.asked.empty());
  EXPECT_EQ(models.asked[0].body.find("Bern is the capital."), std::string::npos);
}

TEST_F(AssistantTest, history_comes_before_the_passages_question_and_the_citations_are_stored) {
  ASSERT_TRUE(ask(in_conversation("Capital?")).ok());
  Question question = over_documents("And its river?");
  question.conversation = ConversationId("conv_a");
  ASSERT_TRUE(ask(std::move(question)).ok());
  EXPECT_EQ(passages.asked[0].text, "And its river? Capital?") << "alone it asks for nothing";
  ASSERT_EQ(store.turns.size(), 2u);
  auto cited = parse_json(store.turns[1].citations);
  ASSERT_TRUE(cited.ok());
  EXPECT_EQ((*cited)[0]["document"], "doc_7");
  for (const auto& message : store.turns[1].messages) {
    EXPECT_EQ(message.json.find("Bern is the capital."), std::string::npos)
        << "passages are not part of the conversation";
  }
}

TEST_F(AssistantTest, passages_that_cannot_be_found_fail_the_question) {
  Question question = over_documents("Capital?");
  passages.error = Error::log(Errc::deadline, "scripted");
  auto answer = ask(std::move(question));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Errc::deadline);
  EXPECT_TRUE(models.asked.empty());
}

TEST_F(AssistantTest, no_passage_found_gives_an_answer_with_an_empty_list_of_citations) {
  Question question = over_documents("Capital?");
  passages.found.clear();
  auto answer = ask(std::move(question));
  ASSERT_TRUE(answer.ok());
  auto body = parse_json(answer->reply->body);
  ASSERT_TRUE(body.ok());
  EXPECT_EQ(dump((*body)["citations"]), "[]");
}

TEST_F(AssistantTest, the_built_in_answerers_own_citations_are_kept) {
  models.provider = "mainstay/extractive";
  models.body = R"({"choices":[{"message":{"role":"assistant","content":"Bern [1]"}}],)"
                R"("citations":[{"document":"doc_own"}]})";
  Question question = over_documents("Capital?");
  question.conversation = ConversationId("conv_a");
  auto answer = ask(std::move(question));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->reply->body, models.body);
  EXPECT_EQ(store.turns.at(0).citations, R"([{"document":"doc_own"}])");
}

TEST_F(AssistantTest, asked_by_name_the_built_in_answerer_looks_for_itself) {
  Question question = over_documents("Capital?");
  question.chat.model = "mainstay/extractive";
  ASSERT_TRUE(ask(std::move(question)).ok());
  EXPECT_TRUE(passages.asked.empty());
}

TEST_F(AssistantTest, a_title_is_one_line_of_80_bytes_at_most) {
  const auto title_of = [this](const std::string& words) {
    requests += 1000;
    Question question = in_conversation(words);
    question.conversation = ConversationId("conv_" + std::to_string(requests));
    EXPECT_TRUE(ask(std::move(question)).ok());
    return store.turns.back().title;
  };
  EXPECT_EQ(title_of("  two\\nlines\\t "), "two lines");
  EXPECT_EQ(title_of(std::string(79, 'a')).size(), 79u);
  EXPECT_EQ(title_of(std::string(80, 'a')).size(), 80u);
  EXPECT_EQ(title_of(std::string(81, 'a')).size(), 80u);
  EXPECT_EQ(title_of(std::string(79, 'a') + "ü"), std::string(79, 'a')) << "no half character";
  EXPECT_EQ(title_of("  "), "New conversation");
}

TEST_F(AssistantTest, two_turns_under_one_request_id_of_the_client_are_both_stored) {
  Question first = in_conversation("Capital?");
  Question again = in_conversation("Capital?");
  again.chat.request = first.chat.request;
  ASSERT_TRUE(ask(std::move(first)).ok());
  ASSERT_TRUE(ask(std::move(again)).ok());
  EXPECT_EQ(messages().size(), 4u);
}

}  // namespace
}  // namespace mainstay::assistant
