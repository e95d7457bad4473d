// A streamed answer on its way to the client.
#include "unit/api/world.h"

namespace mainstay::api {
namespace {

using namespace test;

struct StreamTest : World {
  Reply stream(const std::function<void(FakeExchange&)>& prepare = {}) {
    return serve(chat(R"(,"stream":true)"), prepare);
  }
};

TEST_F(StreamTest, chunks_are_events_and_done_comes_after_a_clean_end) {
  auto reply = stream();
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->content_type, "text/event-stream");
  EXPECT_EQ(reply->header("cache-control"), "no-cache");
  EXPECT_EQ(reply->header("x-mainstay-provider"), "provider-x");
  EXPECT_TRUE(reply->header("x-request-id").starts_with("req_"));
  EXPECT_EQ(reply->pieces, (std::vector<std::string>{"data: {\"n\":1}\n\n", "data: {\"n\":2}\n\n",
                                                     "data: {\"n\":3}\n\n", "data: [DONE]\n\n"}));
  EXPECT_TRUE(reply->finished);
  EXPECT_EQ(reply->replies, 1);
}

TEST_F(StreamTest, a_stream_that_breaks_ends_with_an_error_event_and_no_done) {
  models.cut = Error::say(Errc::bad_upstream, "upstream_truncated", "The answer was cut short.");
  models.cut->detail = "10.0.0.7 closed";
  auto reply = stream();
  ASSERT_EQ(reply->pieces.size(), 4u);
  const std::string last = reply->pieces.back();
  ASSERT_TRUE(last.starts_with("data: ") && last.ends_with("\n\n")) << last;
  const Json error = json(last.substr(6))["error"];
  EXPECT_EQ(error["code"], "upstream_truncated");
  EXPECT_EQ(error["message"], "The answer was cut short.");
  EXPECT_EQ(reply->streamed().find("[DONE]"), std::string::npos);
  EXPECT_EQ(reply->streamed().find("10.0.0.7"), std::string::npos);
  EXPECT_TRUE(reply->finished)
      << "the transfer ends cleanly; the event says that the answer did not";
  EXPECT_EQ(reply->replies, 1) << "no second reply";
}

TEST_F(StreamTest, a_stream_that_breaks_before_its_first_chunk_says_so_too) {
  models.chunks.clear();
  models.cut = Error::say(Errc::deadline, "upstream_stalled", "The answer stalled.");
  auto reply = stream();
  ASSERT_EQ(reply->pieces.size(), 1u);
  EXPECT_NE(reply->pieces[0].find("upstream_stalled"), std::string::npos);
  EXPECT_EQ(reply->streamed().find("[DONE]"), std::string::npos);
}

TEST_F(StreamTest, an_error_before_the_stream_is_a_plain_reply_with_its_status) {
  models.error = Error::say(Errc::not_found, "unknown_model", "The model is not known.", "model");
  auto reply = stream();
  EXPECT_EQ(refused(reply), "404 unknown_model");
  EXPECT_TRUE(reply->pieces.empty());
}

TEST_F(StreamTest, line_breaks_inside_a_chunk_do_not_end_its_event) {
  models.chunks = {"{\n  \"n\": 1,\r\n  \"m\": 2\n}"};
  auto reply = stream();
  const std::string& event = reply->pieces.at(0);
  EXPECT_EQ(event.find('\n'), event.size() - 2) << event;
  EXPECT_EQ(event.find('\r'), std::string::npos);
  EXPECT_EQ(json(event.substr(6))["m"], 2);
}

TEST_F(StreamTest, when_the_client_has_gone_the_work_is_cancelled) {
  auto reply = stream([](FakeExchange& exchange) { exchange.goes_after = 1; });
  EXPECT_EQ(reply->pieces.size(), 1u);
  EXPECT_EQ(reply->cancelled, 1) << "the listener is told that nobody needs the rest";
  EXPECT_FALSE(reply->finished);
}

TEST_F(StreamTest, while_others_wait_for_the_answer_it_is_read_to_its_end_without_the_client) {
  models.keeps = true;
  auto reply = stream([](FakeExchange& exchange) { exchange.goes_after = 1; });
  EXPECT_EQ(reply->pieces.size(), 1u);
  EXPECT_EQ(reply->cancelled, 0);
  EXPECT_EQ(models.chunks_read, 3) << "the others get the rest";
  EXPECT_FALSE(reply->finished);
}

/// A client that takes one event a second.
struct SlowStreamTest : StreamTest {
  void begin() {
    models.chunks = {R"({"n":1})", R"({"n":2})", R"({"n":3})", R"({"n":4})", R"({"n":5})"};
    open();
    exchange.emplace(chat(R"(,"stream":true)"), clock.now());
    exchange->slow = &clock;
    asio::co_spawn(
        io.get_executor(), api->serve(*exchange),
        asio::bind_cancellation_slot(signal.slot(), [this](std::exception_ptr) { ended = true; }));
    clock.advance(0s);
  }
  std::optional<FakeExchange> exchange;
  asio::cancellation_signal signal;
  bool ended = false;
};

TEST_F(SlowStreamTest, who_reads_slowly_does_not_slow_those_who_share_the_answer) {
  models.keeps = true;
  begin();
  EXPECT_EQ(models.chunks_read, 5) << "the others get all of it at once";
  EXPECT_EQ(exchange->pieces.size(), 1u);
  clock.run(10s);
  EXPECT_TRUE(ended);
  EXPECT_EQ(exchange->pieces.size(), 6u);
  EXPECT_EQ(exchange->pieces[3], "data: {\"n\":4}\n\n");
  EXPECT_EQ(exchange->pieces[5], "data: [DONE]\n\n");
  EXPECT_TRUE(exchange->finished);
}

TEST_F(SlowStreamTest, who_reads_alone_sets_the_pace) {
  begin();
  EXPECT_EQ(models.chunks_read, 2);
  clock.run(10s);
  EXPECT_TRUE(ended && exchange->finished);
}

TEST_F(SlowStreamTest, what_waits_for_a_slow_reader_is_bounded) {
  models.keeps = true;
  settings.cache.stream_buffer_max = Bytes{40};  // an event has 15
  begin();
  EXPECT_EQ(models.chunks_read, 4);
  clock.advance(1s);
  EXPECT_EQ(models.chunks_read, 5);
  clock.run(10s);
  EXPECT_EQ(exchange->pieces.size(), 6u);
}

TEST_F(SlowStreamTest, a_slow_reader_that_goes_ends_nothing_for_the_others) {
  models.keeps = true;
  settings.cache.stream_buffer_max = Bytes{20};
  begin();
  exchange->goes_after = 2;
  clock.run(10s);
  EXPECT_TRUE(ended);
  EXPECT_EQ(exchange->pieces.size(), 2u);
  EXPECT_EQ(models.chunks_read, 5);
  EXPECT_FALSE(exchange->finished);
}

TEST_F(SlowStreamTest, what_is_cancelled_in_the_middle_leaves_nothing_behind) {
  models.keeps = true;
  begin();
  signal.emit(asio::cancellation_type::terminal);
  clock.advance(0s);
  EXPECT_TRUE(ended);
  EXPECT_LE(exchange->pieces.size(), 2u);
}

TEST_F(StreamTest, a_reader_that_takes_nothing_is_given_up) {
  auto reply = stream([](FakeExchange& exchange) {
    exchange.goes_after = 1;
    exchange.stalls = true;
  });
  EXPECT_EQ(reply->pieces.size(), 1u);
  EXPECT_EQ(models.chunks_read, 2) << "the chunk that could not be written was the last one read";
}

// proves Z17 (durable before [DONE])
TEST_F(StreamTest, a_streamed_turn_is_stored_when_done_is_sent) {
  models.chunks = {R"({"choices":[{"index":0,"delta":{"content":"Be"}}]})",
                   R"({"choices":[{"index":0,"delta":{"content":"rn."},"finish_reason":"stop"}]})"};
  auto reply = serve(chat(R"(,"stream":true,"conversation":"conv-9")"));
  EXPECT_EQ(reply->pieces.back(), "data: [DONE]\n\n");
  EXPECT_EQ(reply->header("x-conversation-id"), "conv-9");
  const Json stored = json(serve(get("/v1/conversations/conv-9"))->body);
  EXPECT_EQ(stored["messages"][1]["content"], "Bern.");
}

TEST_F(StreamTest, a_degraded_stream_says_so_in_its_head) {
  models.by.degraded = true;
  EXPECT_EQ(stream()->header("x-mainstay-degraded"), "true");
}

TEST_F(StreamTest, tokens_of_a_stream_are_counted) {
  stream();
  const std::string text = metrics.text();
  EXPECT_NE(text.find("mainstay_tokens_total{kind=\"prompt\"} 17\n"), std::string::npos);
  EXPECT_NE(text.find("mainstay_tokens_total{kind=\"completion\"} 5\n"), std::string::npos);
}

}  // namespace
}  // namespace mainstay::api
