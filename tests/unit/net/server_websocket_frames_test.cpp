// The bytes of WebSocket: what is read, what is refused, what waits.
#include <gtest/gtest.h>

#include "unit/net/websocket_client.h"

namespace mainstay::net {
namespace {

using Got = FrameReader::Got;

/// Everything that `bytes` give, as words; fed in pieces of `step`.
std::string read_all(std::string_view bytes, std::size_t step = SIZE_MAX,
                     std::size_t message_max = 1000) {
  FrameReader reader(message_max);
  std::string out;
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    while (!piece.empty()) {
      switch (reader.feed(piece)) {
        case Got::more:
          break;
        case Got::message: {
          const auto message = reader.take_message();
          out += (message.text ? "text:" : "binary:") + message.payload + ";";
          break;
        }
        case Got::ping:
          out += "ping:" + reader.control() + ";";
          break;
        case Got::pong:
          out += "pong:" + reader.control() + ";";
          break;
        case Got::close:
          out += "close:" + close_words(reader.control()) + ";";
          break;
        case Got::bad:
          return out + std::to_string(static_cast<int>(reader.fault())) + " " + reader.why();
      }
    }
  }
  return out;
}

RequestHead head_of(std::vector<HeaderView>& fields) {
  RequestHead head;
  head.method = "GET";
  head.headers = fields;
  return head;
}
std::vector<HeaderView> good_fields() {
  return {{"Connection", "keep-alive, upgrade"},
          {"Upgrade", "WebSocket"},
          {"Sec-WebSocket-Version", "13"},
          {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
}

TEST(WebSocketHandshake, the_key_is_answered_as_in_rfc_6455) {
  auto fields = good_fields();
  auto accept = check_websocket_request(head_of(fields));
  ASSERT_TRUE(accept.ok());
  EXPECT_EQ(*accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocketHandshake, what_is_missing_or_wrong_is_named) {
  const struct {
    std::size_t field;
    const char* value;
    const char* reason;
  } kCases[] = {
      {0, "close", "upgrade_required"},
      {1, "h2c", "upgrade_required"},
      {2, "8", "websocket_version"},
      {2, "", "websocket_version"},
      {3, "", "websocket_key"},
      {3, "dGhlIHNhbXBsZSBub25jZQ=", "websocket_key"},
      {3, "dGhlIHNhbXBsZSBub25jZQ!=", "websocket_key"},
      {3, "dGhlIHNhbXBsZSBub25jZQAA", "websocket_key"},
  };
  for (const auto& one : kCases) {
    auto fields = good_fields();
    fields[one.field].value = one.value;
    auto accept = check_websocket_request(head_of(fields));
    ASSERT_FALSE(accept.ok()) << one.reason << " " << one.value;
    EXPECT_EQ(accept.error().reason, one.reason);
  }
  auto fields = good_fields();
  fields.push_back({"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="});
  EXPECT_EQ(check_websocket_request(head_of(fields)).error().reason, "websocket_key");
  for (const char* second : {"13", "8"}) {
    fields = good_fields();
    fields.push_back({"sec-websocket-version", second});
    EXPECT_EQ(check_websocket_request(head_of(fields)).error().reason, "bad_header");
  }
  fields = good_fields();
  RequestHead posted = head_of(fields);
  posted.method = "POST";
  EXPECT_EQ(check_websocket_request(posted).error().reason, "upgrade_required");
}

TEST(WebSocketFrames, messages_of_every_length_form_are_read_whatever_the_pieces) {
  for (const std::size_t size : {0u, 1u, 125u, 126u, 127u, 65535u, 65536u, 65537u}) {
    const std::string text(size, 'x');
    const std::string bytes = text_frame(text) + masked(0x82, "b");
    const std::string want = "text:" + text + ";binary:b;";
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, bytes.size()}) {
      EXPECT_EQ(read_all(bytes, step, 70000), want) << size << " by " << step;
    }
  }
}

TEST(WebSocketFrames, fragments_make_one_message_and_control_frames_pass_between_them) {
  const std::string bytes = masked(0x01, "Gr\xc3") + masked(0x89, "p") + masked(0x00, "\xbc") +
                            masked(0x8a, "q") + masked(0x80, "n") + text_frame("next");
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    EXPECT_EQ(read_all(bytes, step), "ping:p;pong:q;text:Gr\xc3\xbcn;text:next;");
  }
}

TEST(WebSocketFrames, a_message_may_have_as_many_bytes_as_allowed_and_no_more) {
  EXPECT_EQ(read_all(text_frame("1234"), SIZE_MAX, 5), "text:1234;");
  EXPECT_EQ(read_all(text_frame("12345"), SIZE_MAX, 5), "text:12345;");
  EXPECT_EQ(read_all(text_frame("123456"), SIZE_MAX, 5), "1009 message_too_big");
  EXPECT_EQ(read_all(masked(0x01, "123") + masked(0x80, "45"), SIZE_MAX, 5), "text:12345;");
  EXPECT_EQ(read_all(masked(0x01, "123") + masked(0x80, "456"), SIZE_MAX, 5),
            "1009 message_too_big");
}

TEST(WebSocketFrames, a_promised_length_costs_no_memory_and_is_refused_before_its_bytes) {
  const std::string bytes = text_frame(std::string(100'000, 'x'));
  EXPECT_EQ(read_all(bytes.substr(0, 14), SIZE_MAX, 99'999), "1009 message_too_big");
  FrameReader reader(100'000);
  std::string_view in(bytes.data(), 20);
  EXPECT_EQ(reader.feed(in), Got::more);
  EXPECT_EQ(reader.held(), 6u);
}

TEST(WebSocketFrames, every_broken_rule_closes_with_its_code) {
  std::string unmasked;
  append_frame(unmasked, Opcode::text, "hi");
  std::string long_form = masked(0x81, "a");
  long_form = std::string("\x81\xfe\x00\x01", 4) + long_form.substr(2);
  const std::string huge = std::string("\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00", 10) + "mask";
  const struct {
    std::string bytes;
    const char* want;
  } kCases[] = {
      {unmasked, "1002 unmasked_frame"},
      {masked(0xc1, "a"), "1002 reserved_bits"},
      {masked(0xa1, "a"), "1002 reserved_bits"},
      {masked(0x91, "a"), "1002 reserved_bits"},
      {masked(0x83, "a"), "1002 opcode"},
      {masked(0x8b, "a"), "1002 opcode"},
      {long_form, "1002 frame_length"},
      {huge, "1002 frame_length"},
      {masked(0x09, "a"), "1002 control_frame"},
      {masked(0x89, std::string(126, 'a')), "1002 control_frame"},
      {masked(0x80, "a"), "1002 continuation"},
      {masked(0x00, "a"), "1002 continuation"},
      {masked(0x01, "a") + text_frame("b"), "1002 continuation"},
      {masked(0x01, "a") + masked(0x82, "b"), "1002 continuation"},
      {text_frame("\xff"), "1007 not_utf8"},
      {text_frame("\xed\xa0\x80"), "1007 not_utf8"},
      {masked(0x01, "\xc3") + masked(0x80, "a"), "1007 not_utf8"},
      {masked(0x88, "x"), "1002 close_code"},
      {masked(0x88, std::string("\x03\xe7", 2)), "1002 close_code"},
      {masked(0x88, std::string("\x03\xed", 2)), "1002 close_code"},
      {masked(0x88, std::string("\x13\x88", 2)), "1002 close_code"},
      {masked(0x88, std::string("\x03\xe8\xff", 3)), "1007 not_utf8"},
  };
  for (const auto& one : kCases) {
    EXPECT_EQ(read_all(one.bytes), one.want);
    EXPECT_EQ(read_all(one.bytes, 1), one.want);
  }
  EXPECT_EQ(read_all(masked(0x82, "\xff")), "binary:\xff;");
  EXPECT_EQ(read_all(masked(0x88, std::string("\x03\xe8", 2) + "bye")), "close:1000 bye;");
  EXPECT_EQ(read_all(masked(0x88, "")), "close:none;");
  EXPECT_EQ(read_all(masked(0x89, std::string(125, 'a'))), "ping:" + std::string(125, 'a') + ";");
}

TEST(WebSocketOutbox, frames_leave_in_pieces_and_memory_is_given_back) {
  Outbox box;
  EXPECT_TRUE(box.empty());
  box.add(Opcode::text, "abc", 2);  // two bytes have gone
  box.add(Opcode::text, std::string(300, 'x'));
  EXPECT_EQ(box.frames(), 2u);
  EXPECT_EQ(box.unsent(), 3 + 304u);
  EXPECT_EQ(box.view().substr(0, 3), "abc");
  box.sent(3);
  EXPECT_EQ(box.frames(), 1u);
  box.sent(303);
  EXPECT_EQ(box.frames(), 1u);
  box.sent(1);
  EXPECT_TRUE(box.empty());
  EXPECT_EQ(box.frames(), 0u);
}

TEST(WebSocketOutbox, sent_bytes_do_not_pile_up_in_front_of_what_waits) {
  Outbox box;
  std::string want;
  for (int i = 0; i < 2000; ++i) {
    const std::string text(100, static_cast<char>('a' + i % 26));
    box.add(Opcode::text, text);
    append_frame(want, Opcode::text, text);
  }
  std::string got;
  while (!box.empty()) {
    const std::size_t n = std::min<std::size_t>(box.unsent(), 777);
    got += box.view().substr(0, n);
    box.sent(n);
  }
  EXPECT_EQ(got, want);
}

TEST(WebSocketOutbox, cutting_keeps_the_frame_on_its_way_whole) {
  Outbox box;
  for (const char* text : {"one", "two", "three"}) box.add(Opcode::text, text);
  box.sent(5 + 2);  // "one" and two bytes of "two"
  box.cut(0);
  EXPECT_EQ(box.view(), "two");
  EXPECT_EQ(box.frames(), 1u);
  box.sent(3);
  EXPECT_TRUE(box.empty());

  Outbox at_border;
  for (const char* text : {"one", "two"}) at_border.add(Opcode::text, text);
  at_border.sent(5);
  at_border.cut(0);
  EXPECT_TRUE(at_border.empty());
  EXPECT_EQ(at_border.frames(), 0u);

  Outbox kept;
  for (const char* text : {"one", "two", "three", "four"}) kept.add(Opcode::text, text);
  kept.sent(1);
  kept.cut(6);
  EXPECT_EQ(kept.frames(), 2u);  // TLS must repeat its bytes: the second frame stays too
}

}  // namespace
}  // namespace mainstay::net
