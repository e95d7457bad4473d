// WebSockets over real sockets: how they open, talk, fall silent, fall behind and end.
#include <gtest/gtest.h>

#include <thread>

#include "unit/net/websocket_client.h"

namespace mainstay::net {
namespace {

using namespace std::chrono_literals;

/// Sends each message back; "flood" is answered with 4,000 messages of 1 KiB at once, "bye" with a
/// close, "throw" with an exception, "wait" with nothing for ever.
struct Echo {
  explicit Echo(ServerSettings settings = {}) : listener(std::move(settings)) {
    listener.service.other = [this](Exchange& exchange) { return serve(exchange); };
  }

  Co<> serve(Exchange& exchange) {
    HeaderLines headers;
    headers.add("x-mark", "m");
    auto upgraded = co_await exchange.upgrade(std::move(headers));
    if (!upgraded.ok()) {
      Response response;
      response.status = 400;
      response.body = upgraded.error().reason;
      [[maybe_unused]] auto sent = co_await exchange.reply(std::move(response));
      co_return;
    }
    open.add();
    WebSocket& socket = **upgraded;
    for (;;) {
      auto by = Deadline::in(listener.clock, patience.load());
      auto message = co_await socket.read(by);
      if (!message.ok() && message.error().code == Errc::deadline) {
        timeouts.add();
        continue;
      }
      if (!message.ok()) break;
      read.add();
      const std::string& text = message->payload;
      if (text == "bye") socket.close(CloseCode::try_again, "tired");
      if (text == "throw") throw std::runtime_error("boom");
      if (text == "flood") flood(socket);
      Status sent = socket.send(message->text ? text : "binary " + std::to_string(text.size()));
      if (!sent.ok()) refused.add();
    }
    ended.add();
  }

  void flood(WebSocket& socket) {
    const std::string much(1024, 'f');
    for (int i = 0; i < 4000; ++i) {
      if (!socket.send(much).ok()) break;
      sent_of_flood.store(i + 1);
    }
  }

  std::uint64_t counted(const char* reason) {
    return listener.metrics
        .counter("mainstay_websocket_closed_total", "WebSockets closed, by reason.",
                 {{"reason", reason}})
        .value();
  }

  Count open;
  Count read;
  Count refused;
  Count ended;
  Count timeouts;
  std::atomic<int> sent_of_flood{0};
  std::atomic<Duration> patience{std::chrono::hours(1)};
  Listener listener;
};

TEST(WebSocketServer, messages_go_both_ways) {
  Echo echo;
  WebSocketClient client(echo.listener.port());
  ASSERT_TRUE(client.open());
  EXPECT_NE(client.taken.find("x-mark: m\r\n"), std::string::npos);
  EXPECT_NE(client.taken.find("connection: Upgrade\r\n"), std::string::npos);
  client.send(
      text_frame("Gr\xc3\xbc\xc3\x9f"
                 "e"));
  EXPECT_EQ(client.frame().payload,
            "Gr\xc3\xbc\xc3\x9f"
            "e");
  client.send(masked(0x82, "123"));
  EXPECT_EQ(client.frame().payload, "binary 3");
  const std::string large(300'000, 'x');
  client.send(text_frame(large));
  EXPECT_EQ(client.frame().payload, large);
}

TEST(WebSocketServer, a_frame_that_came_with_the_request_is_not_lost) {
  Echo echo;
  WebSocketClient client(echo.listener.port());
  client.send(WebSocketClient::request() + text_frame("early") + text_frame("too"));
  ASSERT_TRUE(client.until("\r\n\r\n"));
  EXPECT_EQ(client.frame().payload, "early");
  EXPECT_EQ(client.frame().payload, "too");
}

TEST(WebSocketServer, a_request_that_asks_for_none_is_refused_and_the_connection_goes_on) {
  Echo echo;
  RawClient client(echo.listener.port());
  client.send(get("/other"));
  EXPECT_EQ(client.reply().body, "upgrade_required");
  client.send(get("/other", "connection: upgrade\r\nupgrade: websocket\r\n"));
  EXPECT_EQ(client.reply().body, "websocket_version");
  client.send(get("/fine"));
  EXPECT_EQ(client.reply().status, 200);
}

TEST(WebSocketServer, pings_are_answered_with_their_payload) {
  Echo echo;
  WebSocketClient client(echo.listener.port());
  ASSERT_TRUE(client.open());
  client.send(masked(0x89, "p1") + masked(0x89, ""));
  const Frame first = client.frame();
  EXPECT_EQ(first.opcode, static_cast<int>(Opcode::pong));
  EXPECT_EQ(first.payload, "p1");
  EXPECT_EQ(client.frame().payload, "");
}

TEST(WebSocketServer, a_close_is_answered_and_the_connection_ends) {
  Echo echo;
  WebSocketClient client(echo.listener.port());
  ASSERT_TRUE(client.open());
  client.send(masked(0x88, std::string("\x03\xe9", 2) + "leaving") + text_frame("late"));
  EXPECT_EQ(client.closed(), "1001 ");
  EXPECT_FALSE(client.more());
  EXPECT_TRUE(echo.ended.reaches(1));
  EXPECT_EQ(echo.read.now(), 0);
  EXPECT_EQ(echo.counted("client"), 1u);
}

TEST(WebSocketServer, the_service_closes_with_a_code_and_a_word) {
  Echo echo;
  WebSocketClient client(echo.listener.port());
  ASSERT_TRUE(client.open());
  client.send(text_frame("bye"));
  EXPECT_EQ(client.closed(), "1013 tired");
  EXPECT_TRUE(echo.refused.reaches(1));  // nothing is sent behind the goodbye
  EXPECT_FALSE(client.more());
}

TEST(WebSocketServer, a_service_that_throws_closes_with_1011) {
  Echo echo;
  WebSocketClient client(echo.listener.port());
  ASSERT_TRUE(client.open());
  client.send(text_frame("throw"));
  EXPECT_EQ(client.closed(), "1011 internal");
}

// proves security_39: oversize, broken text, unmasked frames, floods
TEST(WebSocketServer, security_39_what_breaks_a_rule_is_closed_by_name) {
  ServerSettings settings;
  settings.websocket.message_max = Bytes(1000);
  settings.websocket.message_rate = 10;
  Echo echo(settings);
  std::string unmasked;
  append_frame(unmasked, Opcode::text, "x");
  std::string flood;
  for (int i = 0; i < 101; ++i) flood += masked(0x8a, "");
  const struct {
    std::string bytes;
    const char* want;
  } kCases[] = {
      {unmasked, "1002 unmasked_frame"},
      {text_frame("\xff\xfe"), "1007 not_utf8"},
      {text_frame(std::string(1001, 'x')), "1009 message_too_big"},
      {flood, "1008 too_many_messages"},
  };
  for (const auto& one : kCases) {
    WebSocketClient client(echo.listener.port());
    ASSERT_TRUE(client.open());
    client.send(one.bytes);
    EXPECT_EQ(client.closed(), one.want);
    EXPECT_FALSE(client.more());
  }
  EXPECT_EQ(echo.read.now(), 0);
  EXPECT_EQ(echo.counted("unmasked_frame"), 1u);
  EXPECT_EQ(echo.counted("too_many_messages"), 1u);
}

TEST(WebSocketServer, what_breaks_the_protocol_is_counted_by_its_name) {
  Echo echo;
  const struct {
    std::string bytes;
    const char* why;
  } kCases[] = {
      {masked(0xc1, "x"), "reserved_bits"},
      {masked(0x83, "x"), "opcode"},
      {std::string("\x81\xfe\x00\x01", 4) + "mask", "frame_length"},
      {masked(0x09, "x"), "control_frame"},
      {masked(0x80, "x"), "continuation"},
      {masked(0x88, std::string("\x03\xed", 2)), "close_code"},
      {text_frame("\xff"), "not_utf8"},
  };
  for (const auto& one : kCases) {
    WebSocketClient client(echo.listener.port());
    ASSERT_TRUE(client.open());
    client.send(one.bytes);
    EXPECT_NE(client.closed().find(one.why), std::string::npos) << one.why;
    EXPECT_EQ(echo.counted(one.why), 1u) << one.why;
  }
  EXPECT_EQ(echo.counted("service"), 0u);
}

TEST(WebSocketServer, the_goodbye_arrives_though_a_huge_message_is_still_on_its_way) {
  Echo echo;
  WebSocketClient client(echo.listener.port());
  ASSERT_TRUE(client.open());
  client.send(text_frame(std::string(10'000'000, 'x')));
  EXPECT_EQ(client.closed(), "1009 message_too_big");
  EXPECT_FALSE(client.more());
}

TEST(WebSocketServer, as_many_frames_as_allowed_pass) {
  ServerSettings settings;
  settings.websocket.message_rate = 10;
  Echo echo(settings);
  WebSocketClient client(echo.listener.port());
  ASSERT_TRUE(client.open());
  std::string frames;
  for (int i = 0; i < 99; ++i) frames += masked(0x8a, "");
  client.send(frames + text_frame("the hundredth"));
  EXPECT_EQ(client.frame().payload, "the hundredth");
}

// proves fault_41: a slow reader is closed by name, and its memory is bounded
TEST(WebSocketServer, fault_41_a_reader_that_falls_behind_is_closed_with_1008) {
  ServerSettings settings;
  settings.websocket.outbound_max = Bytes(64 * 1024);
  Echo echo(settings);
  WebSocketClient client(echo.listener.port());
  ASSERT_TRUE(client.open());
  for (int i = 0; i < 8; ++i) client.send(text_frame("flood"));
  EXPECT_TRUE(echo.ended.reaches(1));
  EXPECT_EQ(client.closed(), "1008 slow_reader");
  EXPECT_FALSE(client.more());
  EXPECT_EQ(echo.counted("slow_reader"), 1u);
}

TEST(WebSocketServer, the_messages_kept_for_a_slow_reader_are_bounded_too) {
  ServerSettings settings;
  settings.websocket.outbound_messages = 10;
  settings.websocket.outbound_max = Bytes(1 << 30);
  Echo echo(settings);
  WebSocketClient client(echo.listener.port());
  ASSERT_TRUE(client.open());
  for (int i = 0; i < 8; ++i) client.send(text_frame("flood"));
  EXPECT_TRUE(echo.ended.reaches(1));
  EXPECT_EQ(client.closed(), "1008 slow_reader");
}

TEST(WebSocketServer, a_reader_that_catches_up_loses_nothing) {
  ServerSettings settings;
  settings.websocket.outbound_max = Bytes(8 << 20);
  Echo echo(settings);
  WebSocketClient client(echo.listener.port());
  ASSERT_TRUE(client.open());
  client.send(text_frame("flood"));
  ASSERT_TRUE(echo.read.reaches(1));
  int got = 0;
  for (Frame next = client.frame(); next.payload != "flood"; next = client.frame()) {
    ASSERT_EQ(next.payload, std::string(1024, 'f')) << got;
    ++got;
  }
  EXPECT_EQ(got, 4000);
}

TEST(WebSocketServer, a_reader_that_takes_nothing_at_all_is_dropped) {
  ServerSettings settings;
  settings.websocket.outbound_max = Bytes(1 << 30);
  settings.websocket.outbound_messages = 1'000'000;
  settings.write_timeout = 50ms;
  Echo echo(settings);
  WebSocketClient client(echo.listener.port());
  ASSERT_TRUE(client.open());
  for (int i = 0; i < 8; ++i) client.send(text_frame("flood"));
  EXPECT_TRUE(echo.ended.reaches(1));
  EXPECT_EQ(echo.counted("stalled"), 1u);
}

TEST(WebSocketServer, a_client_that_answers_no_ping_is_dropped) {
  ServerSettings settings;
  settings.websocket.ping = 10ms;
  settings.websocket.pongs_missed = 3;
  Echo echo(settings);
  WebSocketClient client(echo.listener.port());
  ASSERT_TRUE(client.open());
  int pings = 0;
  while (client.frame().opcode == static_cast<int>(Opcode::ping)) ++pings;
  EXPECT_EQ(pings, 3);
  EXPECT_TRUE(echo.ended.reaches(1));
  EXPECT_EQ(echo.counted("dead"), 1u);
}

TEST(WebSocketServer, a_client_that_answers_pings_stays) {
  ServerSettings settings;
  settings.websocket.ping = 10ms;
  settings.websocket.pongs_missed = 1;
  Echo echo(settings);
  WebSocketClient client(echo.listener.port());
  ASSERT_TRUE(client.open());
  for (int i = 0; i < 5; ++i) {
    const Frame ping = client.frame(Opcode::ping);
    ASSERT_EQ(ping.opcode, static_cast<int>(Opcode::ping)) << i;
    client.send(masked(0x8a, ping.payload));
  }
  client.send(text_frame("here"));
  EXPECT_EQ(client.frame(Opcode::text).payload, "here");
}

TEST(WebSocketServer, a_socket_without_messages_is_closed_as_idle) {
  ServerSettings settings;
  settings.websocket.idle_timeout = 50ms;
  Echo echo(settings);
  WebSocketClient client(echo.listener.port());
  ASSERT_TRUE(client.open());
  EXPECT_EQ(client.closed(), "1000 idle");
  EXPECT_FALSE(client.more());
}

TEST(WebSocketServer, the_timers_of_requests_do_not_hold_for_it) {
  ServerSettings settings;
  settings.request_timeout = 50ms;
  settings.idle_timeout = 50ms;
  Echo echo(settings);
  echo.patience.store(50ms);
  WebSocketClient client(echo.listener.port());
  ASSERT_TRUE(client.open());
  ASSERT_TRUE(echo.timeouts.reaches(4));
  client.send(text_frame("still here"));
  EXPECT_EQ(client.frame().payload, "still here");
}

TEST(WebSocketServer, a_deadline_of_the_reader_loses_no_part_of_a_message) {
  Echo echo;
  echo.patience.store(1ms);
  WebSocketClient client(echo.listener.port());
  ASSERT_TRUE(client.open());
  const std::string frame = text_frame("in two parts");
  client.send(frame.substr(0, 9));
  ASSERT_TRUE(echo.timeouts.reaches(echo.timeouts.now() + 2));
  client.send(frame.substr(9));
  EXPECT_EQ(client.frame().payload, "in two parts");
}

TEST(WebSocketServer, stopping_closes_with_1001_and_cancels_nobody) {
  Echo echo;
  WebSocketClient one(echo.listener.port());
  WebSocketClient two(echo.listener.port());
  ASSERT_TRUE(one.open());
  ASSERT_TRUE(two.open());
  ASSERT_TRUE(echo.open.reaches(2));
  EXPECT_EQ(echo.listener.server->figures().websockets, 2u);
  EXPECT_EQ(echo.listener.server->figures().busy, 0u);
  EXPECT_EQ(echo.listener.server->figures().open, 2u);
  std::size_t cancelled = 99;
  std::thread stopping([&] { cancelled = echo.listener.server->drain(10s); });
  EXPECT_EQ(one.closed(), "1001 stopping");
  EXPECT_EQ(two.closed(), "1001 stopping");
  one.close();
  two.close();
  stopping.join();
  EXPECT_EQ(cancelled, 0u);
  EXPECT_EQ(echo.listener.server->figures().websockets, 0u);
  EXPECT_EQ(echo.ended.now(), 2);
}

TEST(WebSocketServer, a_client_that_takes_no_goodbye_does_not_hold_up_the_stop) {
  ServerSettings settings;
  settings.websocket.close_timeout = 50ms;
  settings.websocket.outbound_max = Bytes(1 << 30);
  settings.websocket.outbound_messages = 1'000'000;
  Echo echo(settings);
  WebSocketClient client(echo.listener.port());
  ASSERT_TRUE(client.open());
  for (int i = 0; i < 8; ++i) client.send(text_frame("flood"));
  ASSERT_TRUE(echo.read.reaches(8));
  EXPECT_EQ(echo.listener.server->drain(20s), 0u);
  EXPECT_EQ(echo.counted("stopping"), 1u);
}

TEST(WebSocketServer, a_client_that_vanishes_ends_the_service) {
  Echo echo;
  WebSocketClient client(echo.listener.port());
  ASSERT_TRUE(client.open());
  client.reset();
  EXPECT_TRUE(echo.ended.reaches(1));
  EXPECT_EQ(echo.counted("client_gone"), 1u);
}

TEST(WebSocketServer, an_open_socket_counts_among_the_connections) {
  ServerSettings settings;
  settings.connections_max = 2;
  Echo echo(settings);
  WebSocketClient one(echo.listener.port());
  WebSocketClient two(echo.listener.port());
  ASSERT_TRUE(one.open());
  ASSERT_TRUE(two.open());
  RawClient third(echo.listener.port());
  EXPECT_EQ(third.reply().status, 503);
}

}  // namespace
}  // namespace mainstay::net
