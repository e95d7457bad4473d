// Requests and replies over real sockets: framing, keep-alive, limits, refusals.
#include "unit/net/server_fixture.h"

namespace mainstay::net {
namespace {

TEST(server, keeps_the_connection_and_answers_in_order) {
  Listener listener;
  RawClient client(listener.port());
  for (int i = 0; i < 3; ++i) {
    client.send(get("/a" + std::to_string(i) + "?q=" + std::to_string(i)));
    const auto reply = client.reply();
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "ok GET /a" + std::to_string(i) + "?q=" + std::to_string(i));
    EXPECT_TRUE(reply.has("\r\ndate: "));
    EXPECT_TRUE(reply.has("x-target: /a"));
    EXPECT_FALSE(reply.has("connection: close"));
  }
  EXPECT_EQ(listener.server->figures().accepted, 1u);
}

TEST(server, pipelined_requests_are_answered_in_order) {
  Listener listener;
  RawClient client(listener.port());
  std::string all;
  for (int i = 0; i < 50; ++i) all += post("/echo", "body " + std::to_string(i)) + get("/x");
  client.send(all);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(client.reply().body, "body " + std::to_string(i));
    EXPECT_EQ(client.reply().body, "ok GET /x?");
  }
}

TEST(server, a_request_may_come_byte_by_byte) {
  Listener listener;
  RawClient client(listener.port());
  for (const char c : "\r\n" + post("/echo", "slow body")) client.send(std::string(1, c));
  EXPECT_EQ(client.reply().body, "slow body");
}

TEST(server, large_bodies_arrive_whole) {
  ServerSettings settings;
  Listener listener(settings);
  std::string body;
  for (int i = 0; body.size() < 900'000; ++i) body += std::to_string(i) + ",";
  RawClient client(listener.port());
  client.send(post("/echo", body));
  EXPECT_EQ(client.reply().body, body);
  std::string chunked = "POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size();) {
    const auto n = std::min<std::size_t>(body.size() - at, 777 + at % 5000);
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", n);
    chunked += size + body.substr(at, n) + "\r\n";
    at += n;
  }
  client.send(chunked + "0\r\n\r\n" + get("/after"));
  EXPECT_EQ(client.reply().body, body);
  EXPECT_EQ(client.reply().body, "ok GET /after?");
}

TEST(server, chunked_requests_can_be_pipelined) {
  Listener listener;
  RawClient client(listener.port());
  const std::string one =
      "POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  client.send(one + get("/x") + one);
  EXPECT_EQ(client.reply().body, "abc");
  EXPECT_EQ(client.reply().body, "ok GET /x?");
  EXPECT_EQ(client.reply().body, "abc");
}

// proves security row 35
TEST(server, smuggled_requests_are_refused_and_never_served) {
  Listener listener;
  const std::string start = "POST /echo HTTP/1.1\r\nhost: h\r\n";
  const std::string evil = get("/evil");
  for (const std::string& bad :
       {start + "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + evil,
        start + "content-length: 0\r\ncontent-length: 0\r\n\r\n" + evil,
        start + "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n" + evil,
        start + "x: a\r\n content-length: 3\r\n\r\n" + evil,
        start + "x: a\ntransfer-encoding: chunked\r\n\r\n" + evil,
        start + "content-length : 3\r\n\r\n" + evil, "GET / HTTP/1.1\n\n" + evil}) {
    RawClient client(listener.port());
    client.send(bad);
    const auto reply = client.reply();
    EXPECT_EQ(reply.status, 400) << bad;
    EXPECT_TRUE(reply.has("connection: close")) << bad;
    EXPECT_EQ(client.rest(), "") << bad;
  }
  EXPECT_EQ(listener.service.served.now(), 0);
  EXPECT_EQ(listener.server->figures().refused, 7u);
}

TEST(server, a_broken_chunk_is_refused_and_the_connection_closes) {
  for (const char* bad : {"5\nhello\r\n0\r\n\r\n", "xyz\r\n", "5\r\nhelloXX\r\n0\r\n\r\n"}) {
    Listener listener;
    RawClient client(listener.port());
    client.send("POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n" +
                std::string(bad) + get("/evil"));
    const auto reply = client.reply();
    EXPECT_EQ(reply.body, "failed invalid");
    EXPECT_EQ(client.rest(), "");
    EXPECT_EQ(listener.service.served.now(), 1);
  }
}

TEST(server, refusals_have_their_own_status) {
  ServerSettings settings;
  settings.header_max = Bytes{2000};
  settings.headers_max = 10;
  Listener listener(settings);
  const auto status = [&](const std::string& request) {
    RawClient client(listener.port());
    client.send(request);
    return client.reply().status;
  };
  for (const int extra : {-1, 0, 1}) {
    std::string big = "GET / HTTP/1.1\r\nhost: h\r\nx: \r\n\r\n";
    const auto fill = static_cast<std::size_t>(2000 + extra) - big.size();
    big.insert(big.size() - 4, std::string(fill, 'x'));
    EXPECT_EQ(status(big), extra > 0 ? 431 : 200) << extra;
    std::string many = "GET / HTTP/1.1\r\nhost: h\r\n";
    for (int i = 0; i < 9 + extra; ++i) many += "x: y\r\n";
    EXPECT_EQ(status(many + "\r\n"), extra > 0 ? 431 : 200) << extra;
  }
  EXPECT_EQ(status("GET / HTTP/3.0\r\nhost: h\r\n\r\n"), 505);
  EXPECT_EQ(
      status("POST / HTTP/1.1\r\nhost: h\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx"),
      415);
  EXPECT_EQ(status("POST / HTTP/1.1\r\nhost: h\r\nexpect: x\r\ncontent-length: 1\r\n\r\nx"), 417);
}

TEST(server, bodies_have_a_limit) {
  ServerSettings settings;
  settings.body_max = Bytes{5000};
  Listener listener(settings);
  for (const int extra : {-1, 0, 1}) {
    const std::string body(static_cast<std::size_t>(5000 + extra), 'y');
    RawClient client(listener.port());
    client.send(post("/echo", body));
    EXPECT_EQ(client.reply().status, extra > 0 ? 413 : 200) << extra;
    RawClient other(listener.port());
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", body.size());
    other.send("POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n" +
               std::string(size) + body + "\r\n0\r\n\r\n");
    EXPECT_EQ(other.reply().status, extra > 0 ? 413 : 200) << extra;
  }
}

TEST(server, an_early_reply_drains_a_small_body_and_closes_on_a_large_one) {
  Listener listener;
  RawClient client(listener.port());
  client.send(post("/early", std::string(60'000, 'z')) + get("/next"));
  EXPECT_EQ(client.reply().status, 200);
  EXPECT_EQ(client.reply().body, "ok GET /next?");
  RawClient other(listener.port());
  other.send(post("/early", std::string(65'537, 'z')) + get("/next"));
  const auto reply = other.reply();
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.has("connection: close"));
  EXPECT_EQ(other.rest(), "");
  EXPECT_EQ(listener.service.served.now(), 3);
}

TEST(server, head_gets_no_body) {
  Listener listener;
  RawClient client(listener.port());
  client.send("HEAD /a HTTP/1.1\r\nhost: h\r\n\r\n" + get("/b"));
  const auto reply = client.reply(true);
  EXPECT_TRUE(reply.has("content-length: 11\r\n"));
  EXPECT_EQ(client.reply().body, "ok GET /b?");
  client.send("HEAD /stream HTTP/1.1\r\nhost: h\r\n\r\n" + get("/c"));
  EXPECT_TRUE(client.reply(true).has("transfer-encoding: chunked"));
  EXPECT_EQ(client.reply().body, "ok GET /c?");
}

TEST(server, http_1_0_is_closed_unless_asked_otherwise) {
  Listener listener;
  RawClient client(listener.port());
  client.send("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(client.reply().has("connection: close"));
  EXPECT_EQ(client.rest(), "");
  RawClient kept(listener.port());
  kept.send("GET /a HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(kept.reply().has("connection: keep-alive"));
  kept.send("GET /stream HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
  const auto reply = kept.reply(true);
  EXPECT_FALSE(reply.has("transfer-encoding"));
  EXPECT_EQ(kept.rest(), "first<0><1><2>");
}

TEST(server, connection_close_is_honoured) {
  Listener listener;
  RawClient client(listener.port());
  client.send(get("/a", "connection: close\r\n"));
  EXPECT_TRUE(client.reply().has("connection: close"));
  EXPECT_EQ(client.rest(), "");
}

TEST(server, continue_is_sent_when_the_body_is_wanted) {
  Listener listener;
  RawClient client(listener.port());
  client.send(
      "POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n");
  ASSERT_TRUE(client.until("HTTP/1.1 100 Continue\r\n\r\n"));
  client.send("abc");
  EXPECT_EQ(client.reply().body, "abc");
  client.send("POST /no HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n");
  const auto reply = client.reply();
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.has("connection: close"));
}

TEST(server, a_stream_is_chunked_and_ends_cleanly) {
  Listener listener;
  RawClient client(listener.port());
  client.send(get("/stream") + get("/next"));
  ASSERT_TRUE(client.until("\r\n\r\n"));
  EXPECT_NE(client.taken.find("transfer-encoding: chunked"), std::string::npos);
  ASSERT_TRUE(client.until("0\r\n\r\n"));
  EXPECT_EQ(client.taken, "5\r\nfirst\r\n3\r\n<0>\r\n3\r\n<1>\r\n3\r\n<2>\r\n0\r\n\r\n");
  EXPECT_EQ(client.reply().body, "ok GET /next?");
}

TEST(server, an_aborted_stream_has_no_end) {
  Listener listener;
  RawClient client(listener.port());
  client.send(get("/half"));
  const std::string all = client.rest();
  EXPECT_NE(all.find("<2>\r\n"), std::string::npos);
  EXPECT_EQ(all.find("0\r\n\r\n"), std::string::npos);
}

TEST(server, an_exception_becomes_a_bare_500) {
  Listener listener;
  for (const char* path : {"/throw", "/silent"}) {
    RawClient client(listener.port());
    client.send(get(path));
    const auto reply = client.reply();
    EXPECT_EQ(reply.status, 500) << path;
    EXPECT_EQ(reply.body.find("boom"), std::string::npos);
    EXPECT_EQ(client.rest(), "");
  }
}

TEST(server, large_replies_arrive_whole_at_a_slow_reader) {
  Listener listener;
  RawClient client(listener.port());
  client.send(get("/big") + get("/next"));
  EXPECT_EQ(client.reply().body.size(), std::size_t{32} << 20);
  EXPECT_EQ(client.reply().body, "ok GET /next?");
}

TEST(server, serves_on_several_loops) {
  Listener listener({}, 2);
  for (int i = 0; i < 20; ++i) {
    RawClient client(listener.port());
    client.send(get("/a"));
    EXPECT_EQ(client.reply().status, 200);
  }
  EXPECT_EQ(listener.server->figures().accepted, 20u);
}

}  // namespace
}  // namespace mainstay::net
