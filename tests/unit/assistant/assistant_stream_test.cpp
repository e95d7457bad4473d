// A turn with a streamed answer: the end is told only once the turn is stored.
#include "unit/assistant/world.h"

namespace mainstay::assistant {
namespace {

using namespace test;
struct AssistantStreamTest : World {
  /// A turn of a conversation that `early` may end.
  Question ends_early() {
    Question wanted = in_conversation("Capital?", true);
    wanted.early_end = early;
    return wanted;
  }
  std::vector<std::string> chunks;
  std::shared_ptr<EarlyEnd> early = std::make_shared<EarlyEnd>();
};

TEST_F(AssistantStreamTest, a_stateless_stream_passes_straight_through) {
  auto answer = ask(question("Capital?", true));
  ASSERT_TRUE(answer.ok());
  EXPECT_FALSE(read(*answer->stream, chunks));
  EXPECT_EQ(chunks,
            (std::vector<std::string>{words_chunk("Be"), words_chunk("rn."), kFinishChunk}));
  EXPECT_EQ(store.appends, 0);
}

// proves Z17 (a stream's turn is durable before its end)
TEST_F(AssistantStreamTest, the_end_is_told_only_once_the_turn_is_stored) {
  store.delay = 2s;
  auto answer = ask(in_conversation("Capital?", true));
  ASSERT_TRUE(answer.ok());
  for (int i = 0; i < 3; ++i) {
    Chunk chunk;
    start(io, answer->stream->next(Deadline::in(clock, 60s)), chunk);
    clock.advance(0s);
    ASSERT_TRUE(chunk.done) << "chunks do not wait for the store";
    ASSERT_TRUE((**chunk.value).has_value());
  }
  EXPECT_EQ(store.appends, 0);
  Chunk end;
  start(io, answer->stream->next(Deadline::in(clock, 60s)), end);
  clock.advance(2s - 1ms);
  EXPECT_EQ(store.appends, 1);
  EXPECT_FALSE(end.done);
  EXPECT_TRUE(messages().empty());
  clock.advance(1ms);
  ASSERT_TRUE(end.done);
  ASSERT_TRUE(end.value->ok());
  EXPECT_FALSE((**end.value).has_value());
  ASSERT_EQ(messages().size(), 2u);
  EXPECT_EQ(messages()[1].json, R"({"role":"assistant","content":"Bern."})");
}

TEST_F(AssistantStreamTest, the_stored_turn_has_the_streams_usage) {
  auto answer = ask(in_conversation("Capital?", true));
  ASSERT_TRUE(answer.ok());
  EXPECT_FALSE(read(*answer->stream, chunks));
  ASSERT_EQ(store.turns.size(), 1u);
  EXPECT_EQ(store.turns[0].prompt_tokens, Tokens{21});
  EXPECT_EQ(store.turns[0].completion_tokens, Tokens{13});
  EXPECT_EQ(store.turns[0].messages[1].tokens, Tokens{13});
}

TEST_F(AssistantStreamTest, a_conversation_deleted_under_its_answer_stays_deleted) {
  settings.conversations.window_tokens = 1'000;
  for (const std::size_t before : {10U, 40'000U}) {  // the second does not fit the window
    ASSERT_TRUE(ask(in_conversation(std::string(before, 'x'))).ok());
    auto answer = ask(in_conversation("Capital?", true));
    ASSERT_TRUE(answer.ok());
    erase_conversation();
    chunks.clear();
    EXPECT_FALSE(read(*answer->stream, chunks));
    EXPECT_EQ(chunks.size(), 3u) << "the answer is given all the same";
    EXPECT_TRUE(messages().empty()) << before;
    ASSERT_TRUE(ask(in_conversation("Anew?")).ok());
    EXPECT_EQ(messages().size(), 2u) << "a later question begins it anew";
    erase_conversation();
  }
}

TEST_F(AssistantStreamTest, a_turn_handed_over_says_whether_it_continues) {
  auto question = in_conversation("Capital?", true);
  question.finished = std::make_shared<storage::Turn>();
  const auto first = question.finished;
  auto answer = ask(std::move(question));
  ASSERT_TRUE(answer.ok());
  EXPECT_FALSE(read(*answer->stream, chunks));
  EXPECT_FALSE(first->continues);
  ASSERT_TRUE(ask(in_conversation("Capital?")).ok());
  question = in_conversation("And its river?", true);
  question.finished = std::make_shared<storage::Turn>();
  const auto second = question.finished;
  answer = ask(std::move(question));
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(second->continues) << "known at once, should the answer be interrupted";
  EXPECT_FALSE(read(*answer->stream, chunks));
  EXPECT_TRUE(second->continues);
}

TEST_F(AssistantStreamTest, a_store_that_fails_makes_the_stream_end_with_an_error) {
  store.append_error = Error::say(Errc::disk_full, "disk_full", "The disk is full.");
  auto answer = ask(in_conversation("Capital?", true));
  ASSERT_TRUE(answer.ok());
  const auto error = read(*answer->stream, chunks);
  EXPECT_EQ(chunks.size(), 3u);
  ASSERT_TRUE(error) << "a turn that is lost must not look like a success";
  EXPECT_EQ(error->code, Errc::disk_full);
}

TEST_F(AssistantStreamTest, an_early_end_stores_what_there_is_once_and_the_stream_goes_on) {
  EXPECT_FALSE(early->wish()) << "nothing is recorded yet";
  auto answer = ask(ends_early());
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(early->wish());
  EXPECT_FALSE(early->stored());
  EXPECT_FALSE(read(*answer->stream, chunks));
  EXPECT_TRUE(early->stored());
  EXPECT_EQ(chunks.size(), 3u) << "others may wait for the rest";
  EXPECT_EQ(store.appends, 1);
  ASSERT_EQ(messages().size(), 2u);
  EXPECT_EQ(messages()[1].json, R"({"role":"assistant","content":"Be"})");
}

TEST_F(AssistantStreamTest, an_early_end_before_the_first_word_stores_nothing_of_its_own) {
  models.chunks = {R"({"id":"c","choices":[{"index":0,"delta":{"role":"assistant"}}]})"};
  models.cut = Error::say(Errc::bad_upstream, "upstream_truncated", "The answer was cut short.");
  auto answer = ask(ends_early());
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(early->wish());
  EXPECT_TRUE(read(*answer->stream, chunks));
  EXPECT_TRUE(early->stored()) << "there is nothing to wait for";
  EXPECT_EQ(store.appends, 0);
}

TEST_F(AssistantStreamTest, an_early_end_inside_a_call_of_a_tool_stores_no_half_call) {
  const char* begun = R"({"id":"c","choices":[{"index":0,"delta":{"tool_calls":[)"
                      R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"ci"}}]}}]})";
  models.chunks = {begun, begun};
  auto answer = ask(ends_early());
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(early->wish());
  EXPECT_FALSE(read(*answer->stream, chunks));
  EXPECT_TRUE(early->stored());
  EXPECT_EQ(store.appends, 0);
}

TEST_F(AssistantStreamTest, a_stream_that_is_cut_is_not_stored) {
  models.chunks = {words_chunk("Be")};
  models.cut = Error::say(Errc::bad_upstream, "upstream_truncated", "The answer was cut short.");
  auto answer = ask(in_conversation("Capital?", true));
  ASSERT_TRUE(answer.ok());
  const auto error = read(*answer->stream, chunks);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->reason, "upstream_truncated");
  EXPECT_EQ(store.appends, 0);
}

TEST_F(AssistantStreamTest, a_chunk_that_is_no_json_ends_a_recorded_stream_with_an_error) {
  models.chunks = {words_chunk("Be"), "garbage", kFinishChunk};
  auto answer = ask(in_conversation("Capital?", true));
  ASSERT_TRUE(answer.ok());
  const auto error = read(*answer->stream, chunks);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Errc::bad_upstream);
  EXPECT_EQ(store.appends, 0);
}

TEST_F(AssistantStreamTest, citations_go_out_with_the_chunk_that_finishes) {
  auto answer = ask(over_documents("Capital?", true));
  ASSERT_TRUE(answer.ok());
  EXPECT_FALSE(read(*answer->stream, chunks));
  ASSERT_EQ(chunks.size(), 3u);
  EXPECT_EQ(chunks[0], words_chunk("Be")) << "other chunks stay as they were";
  EXPECT_EQ(chunks[1], words_chunk("rn."));
  auto last = parse_json(chunks[2]);
  ASSERT_TRUE(last.ok());
  EXPECT_EQ((*last)["citations"][0]["document"], "doc_7");
  EXPECT_EQ((*last)["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(store.appends, 0);
}

TEST_F(AssistantStreamTest, citations_of_a_conversation_are_stored_with_the_turn) {
  Question question = over_documents("Capital?", true);
  question.conversation = ConversationId("conv_a");
  auto answer = ask(std::move(question));
  ASSERT_TRUE(answer.ok());
  EXPECT_FALSE(read(*answer->stream, chunks));
  auto cited = parse_json(store.turns.at(0).citations);
  ASSERT_TRUE(cited.ok());
  EXPECT_EQ((*cited)[0]["title"], "Atlas");
}

TEST_F(AssistantStreamTest, the_built_in_answerers_own_citations_are_kept) {
  models.provider = "mainstay/extractive";
  const std::string last =
      R"({"choices":[{"delta":{},"finish_reason":"stop"}],"citations":[{"document":"doc_own"}]})";
  models.chunks = {words_chunk("Bern [1]"), last};
  Question question = over_documents("Capital?", true);
  question.conversation = ConversationId("conv_a");
  auto answer = ask(std::move(question));
  ASSERT_TRUE(answer.ok());
  EXPECT_FALSE(read(*answer->stream, chunks));
  EXPECT_EQ(chunks.back(), last);
  EXPECT_EQ(store.turns.at(0).citations, R"([{"document":"doc_own"}])");
}

TEST_F(AssistantStreamTest, hostile_tool_call_deltas_do_not_break_the_turn) {
  models.chunks = {R"({"choices":[{"delta":{"tool_calls":[{"index":"0","id":"x"}]}}]})",
                   R"({"choices":[{"delta":{"tool_calls":[{"index":999999999,"id":"y"}]}}]})",
                   words_chunk("Bern."), kFinishChunk};
  auto answer = ask(in_conversation("Capital?", true));
  ASSERT_TRUE(answer.ok());
  EXPECT_FALSE(read(*answer->stream, chunks));
  ASSERT_EQ(store.turns.size(), 1u);
  EXPECT_LT(store.turns[0].messages[1].json.size(), 300u);
}

TEST_F(AssistantStreamTest, an_abandoned_stream_stores_nothing) {
  auto answer = ask(in_conversation("Capital?", true));
  ASSERT_TRUE(answer.ok());
  Chunk chunk;
  start(io, answer->stream->next(Deadline::in(clock, 60s)), chunk);
  clock.advance(0s);
  answer->stream.reset();
  clock.run(1h);
  EXPECT_EQ(store.appends, 0);
}

}  // namespace
}  // namespace mainstay::assistant
