// Replies: framing in any pieces, malformed ones, cut ones, timers, cancellation, large bodies.
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "client_rig.h"

namespace mainstay::net {
namespace {

using std::chrono::milliseconds;

/// One request, then these bytes, then the end of the connection.
Got after(const std::string& bytes, UpstreamSettings settings = {},
          std::string_view method = "POST") {
  ScriptServer server([&bytes](Peer& peer, int) {
    peer.request();
    peer.send(bytes);
  });
  Rig rig(settings);
  Call call = call_to(server.url());
  call.method = method;
  return rig.get(std::move(call));
}

TEST(ClientReply, every_framing_is_read) {
  EXPECT_EQ(after("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc").body, "abc");
  EXPECT_EQ(after("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n"
                  "00A\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n")
                .body,
            "abc0123456789");
  EXPECT_EQ(after("HTTP/1.1 200 OK\r\n\r\nuntil the end").body, "until the end");
  EXPECT_EQ(after("HTTP/1.0 200\r\n\r\nold").body, "old");
  const Got none = after("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_TRUE(none.ok);
  EXPECT_EQ(none.status, 204);
  EXPECT_TRUE(after("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n", {}, "HEAD").ok);
  EXPECT_EQ(after("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
                  "HTTP/1.1 429 Slow\r\ncontent-length: 1\r\n\r\nx")
                .status,
            429);
}

/// What rest_here() gives at once, and read() after it.
Co<std::string> rest_and_read(Client& client, Call call, Bytes max) {
  const CallTimers timers;
  const Deadline by = Deadline::never();
  auto reply = co_await client.send(std::move(call), timers, by);
  if (!reply.ok()) co_return reply.error().reason;
  const auto here = (*reply)->rest_here(max);
  auto rest = co_await read_all(**reply, 1_MiB, by);
  std::string out = here ? "here " + *here : "later";
  out += rest.ok() ? ", then " + *rest : ", then " + rest.error().reason;
  co_return out;
}

TEST(ClientReply, a_body_that_came_with_its_head_is_taken_at_once_and_only_then) {
  const auto ask = [](std::string bytes, Bytes max) {
    ScriptServer server([bytes](Peer& peer, int) {
      peer.request();
      peer.send(bytes);
    });
    Rig rig;
    return rig.start(rest_and_read(*rig.client, call_to(server.url()), max)).get();
  };
  const std::string length = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n";
  EXPECT_EQ(ask(length + "abc", 3_B), "here abc, then ");
  EXPECT_EQ(ask(length + "abc", 4_B), "here abc, then ");
  EXPECT_EQ(ask(length + "abc", 2_B), "later, then abc") << "above max nothing is taken";
  EXPECT_EQ(ask(length + "ab", 3_B), "later, then upstream_truncated");
  const std::string chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n";
  EXPECT_EQ(ask(chunked + "1\r\nc\r\n0\r\n\r\n", 3_B), "here abc, then ");
  EXPECT_EQ(ask(chunked + "1\r\nc\r\n", 3_B), "later, then upstream_truncated");
  EXPECT_EQ(ask(chunked + "x\r\n", 3_B), "later, then upstream_bad_reply");
  EXPECT_EQ(ask("HTTP/1.1 200 OK\r\n\r\nabc", 3_B), "later, then abc")
      << "only its close says where it ends";
}

TEST(ClientReply, a_reply_says_when_it_came) {
  const RealClock clock;
  const WallTime before = clock.wall();
  const Got got = after("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx");
  EXPECT_GE(got.at, before);
  EXPECT_LE(got.at, clock.wall());
}

TEST(ClientReply, pieces_of_one_byte_change_nothing) {
  const std::vector<std::string> replies{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                                         "HTTP/1.1 200 OK\r\nx: y\r\nTransfer-Encoding: "
                                         "chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"};
  ScriptServer server([&replies](Peer& peer, int) {
    for (const auto& reply : replies) {
      peer.request();
      peer.send_bytewise(reply);
    }
    peer.wait_closed();
  });
  Rig rig;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    const Got got = rig.get(call_to(server.url()));
    ASSERT_TRUE(got.ok) << got.error.detail;
    EXPECT_EQ(got.body, "hello");
    EXPECT_EQ(got.reused, i > 0);
  }
}

TEST(ClientReply, headers_are_found_without_case_and_trimmed) {
  ScriptServer server([](Peer& peer, int) {
    peer.request();
    peer.send(
        "HTTP/1.1 200 OK\r\nRetry-After: \t 7 \r\nX-Two: a\r\nx-two: b\r\n"
        "content-length: 0\r\n\r\n");
  });
  Rig rig;
  auto ask = [](Client& client, Call call, Deadline by) -> Co<std::string> {
    const CallTimers timers;
    auto reply = co_await client.send(std::move(call), timers, by);
    if (!reply.ok()) co_return reply.error().reason;
    std::string text((*reply)->header("retry-after"));
    text.append("|").append((*reply)->header("x-two")).append("|").append((*reply)->header("none"));
    co_return text;
  };
  auto by = rig.within(std::chrono::seconds(10));
  EXPECT_EQ(rig.start(ask(*rig.client, call_to(server.url()), by)).get(), "7|a|");
}

TEST(ClientReply, a_malformed_reply_is_bad_upstream) {
  for (const std::string bytes :
       {"garbage\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\na : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n", "HTTP/1.1 200 OK\r\na: b\rc\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: b\r\n\r\n", "HTTP/1.1 200 O\rK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n"}) {
    const Got got = after(bytes);
    EXPECT_EQ(got.error.code, Errc::bad_upstream) << bytes;
    EXPECT_EQ(got.error.reason, "upstream_bad_reply") << bytes;
  }
}

TEST(ClientReply, a_broken_chunk_is_bad_upstream) {
  const std::string head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
  for (const std::string body :
       {"x\r\n", "\r\n", "3\nabc\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nabc\n0\r\n\r\n",
        "11111111111111111\r\n", "-3\r\nabc", "0x3\r\nabc\r\n"}) {
    const Got got = after(head + body);
    EXPECT_EQ(got.error.reason, "upstream_bad_reply") << body;
  }
  EXPECT_EQ(after(head + "3;" + std::string(2000, 'x') + "\r\nabc\r\n0\r\n\r\n").error.reason,
            "upstream_bad_reply");
}

TEST(ClientReply, a_body_cut_before_its_end_is_never_a_success) {
  const std::string chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
  for (const std::string& bytes :
       {std::string("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc"), chunked + "5\r\nabc",
        chunked + "3\r\nabc\r\n", chunked + "3\r\nabc\r\n0\r\n", chunked + "3\r\nabc\r\n0\r\n\r"}) {
    const Got got = after(bytes);
    EXPECT_FALSE(got.ok);
    EXPECT_EQ(got.body, "abc");
    EXPECT_EQ(got.error.code, Errc::bad_upstream);
    EXPECT_EQ(got.error.reason, "upstream_truncated");
  }
}

TEST(ClientReply, a_connection_closed_inside_the_head_is_a_reset) {
  for (const std::string bytes : {"", "HTTP/1.1 200 OK\r\ncontent-le"}) {
    EXPECT_EQ(after(bytes).error.reason, "upstream_reset");
  }
}

TEST(ClientReply, a_reset_inside_the_body_is_told) {
  ScriptServer server([](Peer& peer, int) {
    peer.request();
    peer.send("HTTP/1.1 200 OK\r\n\r\nabc");
    peer.reset();
  });
  Rig rig;
  const Got got = rig.get(call_to(server.url()));
  EXPECT_FALSE(got.ok) << "a body that runs until the close must not end by a reset";
  EXPECT_EQ(got.error.reason, "upstream_reset");
}

TEST(ClientReply, the_head_is_bounded) {
  UpstreamSettings settings;
  settings.header_max = 16_KiB;
  for (const int over : {-1, 0, 1}) {
    std::string head = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nx: ";
    head.append(16 * 1024 + static_cast<std::size_t>(over + 4) - head.size() - 8, 'x');
    head.append("\r\n\r\n");
    ASSERT_EQ(head.size(), static_cast<std::size_t>(16 * 1024 + over));
    const Got got = after(head + "y", settings);
    EXPECT_EQ(got.ok, over <= 0) << over;
    if (over > 0)
      EXPECT_EQ(got.error.reason, "upstream_bad_reply");
    else
      EXPECT_EQ(got.body, "y");
  }
  EXPECT_EQ(after("HTTP/1.1 200 OK\r\nx: " + std::string(100'000, 'x'), settings).error.reason,
            "upstream_bad_reply");
}

TEST(ClientReply, each_timer_ends_its_own_phase) {
  Gate gate;
  ScriptServer silent([&gate](Peer& peer, int) {
    peer.request();
    gate.wait();
  });
  ScriptServer stalls([&gate](Peer& peer, int) {
    peer.request();
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
    gate.wait();
  });
  Rig rig;
  CallTimers timers;
  timers.first_byte = milliseconds(10);
  const Got first = rig.get(call_to(silent.url()), timers);
  EXPECT_EQ(first.error.code, Errc::deadline);
  EXPECT_EQ(first.error.reason, "upstream_first_byte_timeout");
  timers = {};
  timers.between_bytes = milliseconds(10);
  const Got between = rig.get(call_to(stalls.url()), timers);
  EXPECT_EQ(between.body, "abc");
  EXPECT_EQ(between.error.code, Errc::deadline);
  EXPECT_EQ(between.error.reason, "upstream_stalled");
  for (const auto* server : {&silent, &stalls}) {
    auto by = rig.within(milliseconds(30));
    const Got total = rig.start(fetch(*rig.client, call_to(server->url()), {}, by)).get();
    EXPECT_EQ(total.error.code, Errc::deadline);
    EXPECT_EQ(total.error.reason, "upstream_timeout");
  }
  EXPECT_TRUE(rig.until([](const auto& f) { return f.open == 0; })) << "late calls are closed";
  gate.open();
}

TEST(ClientReply, a_connection_that_nobody_accepts_runs_into_the_connect_timer) {
  const FullListener full;
  Rig rig;
  CallTimers timers;
  timers.connect = milliseconds(30);
  const Got got = rig.get(call_to(full.url("http")), timers);
  EXPECT_EQ(got.error.code, Errc::deadline);
  EXPECT_EQ(got.error.reason, "upstream_connect_timeout");
  EXPECT_EQ(rig.client->figures().open, 0U);
}

/// Starts a call that can be cancelled, cancels it when the server has the request, and waits for
/// the server to see the close.
void cancel_while(std::string_view sent_before) {
  Gate has_request;
  Gate saw_close;
  ScriptServer server([&](Peer& peer, int) {
    peer.request();
    peer.send(sent_before);
    has_request.open();
    peer.wait_closed();
    saw_close.open();
  });
  Rig rig;
  asio::cancellation_signal signal;
  std::promise<bool> threw;
  auto by = rig.within(std::chrono::seconds(20));
  asio::post(rig.io(), [&] {
    asio::co_spawn(rig.io(), fetch(*rig.client, call_to(server.url()), {}, by),
                   asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e, Got got) {
                     threw.set_value(e != nullptr || got.error.code == Errc::cancelled);
                   }));
  });
  ASSERT_TRUE(has_request.wait());
  rig.settle();
  asio::post(rig.io(), [&] { signal.emit(asio::cancellation_type::terminal); });
  EXPECT_TRUE(threw.get_future().get());
  EXPECT_TRUE(saw_close.wait());
  EXPECT_TRUE(rig.until([](const auto& f) { return f.open == 0; }));
}

TEST(ClientReply, cancelling_the_caller_closes_the_connection_at_once) {
  cancel_while("");
  cancel_while("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
}

TEST(ClientReply, dropping_a_reply_before_its_end_closes_the_connection) {
  Gate saw_close;
  ScriptServer server([&](Peer& peer, int) {
    peer.request();
    peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
    peer.wait_closed();
    saw_close.open();
  });
  Rig rig;
  auto ask = [](Client& client, Call call, Deadline by) -> Co<int> {
    const CallTimers timers;
    auto reply = co_await client.send(std::move(call), timers, by);
    if (!reply.ok()) co_return 0;
    co_return (*reply)->status();
  };
  auto by = rig.within(std::chrono::seconds(10));
  EXPECT_EQ(rig.start(ask(*rig.client, call_to(server.url()), by)).get(), 200);
  EXPECT_TRUE(saw_close.wait());
}

TEST(ClientReply, a_reply_whose_end_has_arrived_unread_keeps_its_connection) {
  ScriptServer server([](Peer& peer, int) {
    while (!peer.request().empty()) {
      peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    }
  });
  Rig rig;
  auto ask = [](Client& client, Call call, Deadline by) -> Co<bool> {
    const CallTimers timers;
    auto reply = co_await client.send(std::move(call), timers, by);
    if (!reply.ok()) co_return false;
    auto piece = co_await (*reply)->read(by);
    co_return piece.ok();
  };
  for (int i = 0; i < 3; ++i) {
    auto by = rig.within(std::chrono::seconds(10));
    EXPECT_TRUE(rig.start(ask(*rig.client, call_to(server.url()), by)).get());
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(ClientReply, an_end_that_comes_after_the_caller_left_keeps_the_connection) {
  Gate left;
  ScriptServer server([&left](Peer& peer, int) {
    while (!peer.request().empty()) {
      peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
      left.wait();
      peer.send("0\r\n\r\n");
    }
  });
  Rig rig;
  auto by = rig.within(std::chrono::seconds(10));
  EXPECT_EQ(rig.start(leave_after_a_piece(*rig.client, call_to(server.url()), by)).get(), "abc");
  left.open();
  EXPECT_TRUE(rig.until([](const auto& f) { return f.idle == 1; }));
  EXPECT_TRUE(rig.get(call_to(server.url())).reused);
}

TEST(ClientReply, an_end_that_does_not_come_closes_the_connection) {
  for (const std::string rest : {"", "3\r\ndef\r\n0\r\n\r\n", "garbage", "0\r\n\r\nHTTP/1.1 200"}) {
    Gate left;
    Gate saw_close;
    ScriptServer server([&](Peer& peer, int) {
      peer.request();
      peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
      left.wait();
      peer.send(rest);
      peer.wait_closed();
      saw_close.open();
    });
    Rig rig;
    auto by = rig.within(std::chrono::seconds(10));
    EXPECT_EQ(rig.start(leave_after_a_piece(*rig.client, call_to(server.url()), by)).get(), "abc");
    left.open();
    EXPECT_TRUE(saw_close.wait()) << rest;
    EXPECT_TRUE(rig.until([](const auto& f) { return f.open == 0; }));
  }
}

TEST(ClientReply, a_large_request_is_written_whole_and_a_refusal_in_the_middle_is_heard) {
  ScriptServer server(echo);
  Rig rig;
  std::string body(5'000'000, 'b');
  body.back() = 'e';
  const Got got = rig.get(call_to(server.url(), body));
  ASSERT_TRUE(got.ok) << got.error.detail;
  EXPECT_TRUE(got.body == body);
  ScriptServer refuses([](Peer& peer, int) {
    peer.send("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno");
    peer.wait_closed();
  });
  const Got refused = rig.get(call_to(refuses.url(), body));
  ASSERT_TRUE(refused.ok) << refused.error.detail;
  EXPECT_EQ(refused.status, 413);
}

Co<std::pair<std::uint64_t, std::size_t>> count(Client& client, Call call, Deadline by) {
  std::pair<std::uint64_t, std::size_t> seen{0, 0};
  const CallTimers timers;
  auto reply = co_await client.send(std::move(call), timers, by);
  if (!reply.ok()) co_return seen;
  while (true) {
    auto piece = co_await (*reply)->read(by);
    if (!piece.ok() || piece->empty()) co_return seen;
    seen.first += piece->size();
    seen.second = std::max(seen.second, piece->size());
  }
}

TEST(ClientReply, a_hundred_megabytes_stream_through_a_small_buffer) {
  constexpr std::size_t kSize = 100'000'000;
  ScriptServer server([](Peer& peer, int) {
    peer.request();
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(kSize) + "\r\n\r\n");
    const std::string block(1'000'000, 'x');
    for (std::size_t i = 0; i < kSize / block.size(); ++i) peer.send(block);
  });
  Rig rig;
  auto by = rig.within(std::chrono::seconds(60));
  const auto seen = rig.start(count(*rig.client, call_to(server.url()), by)).get();
  EXPECT_EQ(seen.first, kSize);
  EXPECT_LE(seen.second, 64U * 1024U) << "a piece is a view into the connection's buffer";
}

TEST(ClientReply, read_all_is_bounded) {
  ScriptServer server(echo);
  Rig rig;
  auto ask = [](Client& client, Call call, Bytes max, Deadline by) -> Co<std::string> {
    const CallTimers timers;
    auto reply = co_await client.send(std::move(call), timers, by);
    if (!reply.ok()) co_return reply.error().reason;
    auto body = co_await read_all(**reply, max, by);
    if (!body.ok()) co_return body.error().reason;
    co_return std::move(*body);
  };
  auto by = rig.within(std::chrono::seconds(10));
  const std::string text(100, 'y');
  for (const std::uint64_t max : {99U, 100U, 101U}) {
    EXPECT_EQ(rig.start(ask(*rig.client, call_to(server.url(), text), Bytes{max}, by)).get(),
              max < 100 ? "upstream_too_large" : text);
  }
}

}  // namespace
}  // namespace mainstay::net
