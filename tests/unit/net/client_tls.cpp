// The libcurl transport against a TLS server (Node) with a certificate of the test's own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <cstdlib>
#include <filesystem>

#include "client_rig.h"

namespace mainstay::net {
namespace {

using std::chrono::milliseconds;

/// The certificate and the server, once for all tests of the file.
class TlsServer {
 public:
  static TlsServer& get() {
    static TlsServer server;
    return server;
  }
  std::shared_ptr<const Url> url(const std::string& host = "127.0.0.1") const {
    return std::make_shared<const Url>(*Url::parse("https://" + host + ":" + port_));
  }
  std::string certificate() const { return dir_ + "/cert.pem"; }

 private:
  TlsServer() {
    char name[] = "/tmp/mainstay-tls-XXXXXX";
    dir_ = ::mkdtemp(name);
    const std::string make =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=mainstay-test -addext subjectAltName=IP:127.0.0.1 -keyout " +
        dir_ + "/key.pem -out " + dir_ + "/cert.pem 2>/dev/null";
    CHECK(std::system(make.c_str()) == 0);
    int in[2];
    int out[2];
    CHECK(::pipe2(in, O_CLOEXEC) == 0 && ::pipe2(out, O_CLOEXEC) == 0);
    const std::string script = (std::filesystem::path(__FILE__).parent_path() / "tls_server.mjs");
    const std::string key = dir_ + "/key.pem";
    const std::string cert = dir_ + "/cert.pem";
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(in[0], 0);
      ::dup2(out[1], 1);
      ::execlp("node", "node", script.c_str(), key.c_str(), cert.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    stdin_ = in[1];
    char c = 0;
    while (::read(out[0], &c, 1) == 1 && c != '\n') port_.push_back(c);
    ::close(out[0]);
    CHECK(!port_.empty());  // node is one of the test suite's packages
  }
  ~TlsServer() {
    ::close(stdin_);
    ::waitpid(child_, nullptr, 0);
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }
  std::string dir_;
  std::string port_;
  pid_t child_ = -1;
  int stdin_ = -1;
};

UpstreamSettings trusting(bool http2) {
  UpstreamSettings settings;
  settings.ca_file = TlsServer::get().certificate();
  settings.http2 = http2;
  return settings;
}

Call tls_call(const std::string& target, std::string body = "hello") {
  Call call = call_to(TlsServer::get().url(), std::move(body));
  call.target = target;
  return call;
}

TEST(ClientTls, bodies_and_headers_cross_both_ways_over_either_version) {
  for (const bool http2 : {false, true}) {
    Rig rig(trusting(http2));
    const WallTime before = RealClock().wall();
    const Got got = rig.get(tls_call("/echo", "echoed"));
    ASSERT_TRUE(got.ok) << got.error.detail;
    EXPECT_GE(got.at, before);
    EXPECT_EQ(got.body, "echoed");
    EXPECT_EQ(got.status, 200);
    const Got version = rig.get(tls_call("/version"));
    EXPECT_TRUE(version.body.starts_with(http2 ? "2.0 POST" : "1.1 POST")) << version.body;
    Call get = tls_call("/version", "");
    get.method = "GET";
    EXPECT_NE(rig.get(std::move(get)).body.find(" GET "), std::string::npos);
  }
}

TEST(ClientTls, a_hundred_calls_use_one_connection) {
  for (const bool http2 : {false, true}) {
    Rig rig(trusting(http2));
    for (int i = 0; i < 100; ++i) {
      const Got got = rig.get(tls_call("/echo", std::to_string(i)));
      ASSERT_TRUE(got.ok) << got.error.detail;
      EXPECT_EQ(got.body, std::to_string(i));
      EXPECT_EQ(got.reused, i > 0);
    }
    EXPECT_TRUE(rig.until([](const auto& f) {
      return f.connections_created == 1 && f.connections_reused == 99 && f.open == 1 && f.idle == 1;
    }));
  }
}

TEST(ClientTls, a_call_that_goes_out_once_has_a_connection_of_its_own) {
  for (const bool http2 : {false, true}) {
    Rig rig(trusting(http2));
    ASSERT_TRUE(rig.get(tls_call("/echo")).ok);
    for (int i = 0; i < 2; ++i) {
      Call call = tls_call("/echo");
      call.once = true;
      const Got got = rig.get(std::move(call));
      ASSERT_TRUE(got.ok) << got.error.detail;
      EXPECT_FALSE(got.reused);
    }
    EXPECT_TRUE(rig.until([](const auto& f) { return f.connections_created == 3 && f.open == 1; }));
  }
}

TEST(ClientTls, calls_at_once_share_one_connection_over_http2) {
  Rig rig(trusting(true), 2);
  std::vector<std::future<Got>> calls;
  for (int i = 0; i < 60; ++i) {
    calls.push_back(rig.begin(tls_call("/gone"), {}, static_cast<std::size_t>(i % 2)));
  }
  for (auto& call : calls) EXPECT_EQ(call.get().body, "late");
  EXPECT_EQ(rig.client->figures().connections_created, 1U);
}

TEST(ClientTls, the_budget_binds_http1_connections_too) {
  UpstreamSettings settings = trusting(false);
  settings.connections_max = 2;
  Rig rig(settings);
  std::vector<std::future<Got>> calls;
  for (int i = 0; i < 6; ++i) calls.push_back(rig.begin(tls_call("/gone")));
  for (auto& call : calls) {
    const Got got = call.get();
    EXPECT_EQ(got.body, "late") << got.error.detail;
  }
  EXPECT_LE(rig.client->figures().connections_created, 2U);
}

TEST(ClientTls, an_idle_plain_connection_makes_room) {
  ScriptServer plain(echo);
  UpstreamSettings settings = trusting(false);
  settings.connections_max = 1;
  Rig rig(settings);
  ASSERT_TRUE(rig.get(call_to(plain.url())).ok);
  const Got got = rig.get(tls_call("/echo"));
  EXPECT_TRUE(got.ok) << got.error.detail;
  EXPECT_LE(rig.client->figures().open, 1U);
}

TEST(ClientTls, an_idle_secure_connection_makes_room) {
  ScriptServer plain(echo);
  UpstreamSettings settings = trusting(true);
  settings.connections_max = 1;
  Rig rig(settings);
  ASSERT_TRUE(rig.get(tls_call("/echo")).ok);
  const Got got = rig.get(call_to(plain.url()));
  EXPECT_TRUE(got.ok) << got.error.detail;
  EXPECT_LE(rig.client->figures().open, 1U);
  EXPECT_TRUE(rig.get(tls_call("/echo")).ok) << "and back again";
}

TEST(ClientTls, no_room_at_all_is_told_after_the_queue_time) {
  Gate gate;
  ScriptServer plain([&gate](Peer& peer, int) {
    peer.request();
    gate.wait();
    peer.reply("x");
  });
  UpstreamSettings settings = trusting(false);
  settings.connections_max = 1;
  Rig rig(settings);
  auto running = rig.begin(call_to(plain.url()));
  ASSERT_TRUE(rig.until([](const auto& f) { return f.open == 1; }));
  CallTimers timers;
  timers.queue = milliseconds(20);
  const Got full = rig.get(tls_call("/echo"), timers);
  EXPECT_EQ(full.error.reason, "upstream_pool_full");
  auto waiting = rig.begin(tls_call("/echo"));
  ASSERT_TRUE(rig.until([](const auto& f) { return f.waiting == 1; }));
  gate.open();
  EXPECT_TRUE(running.get().ok);
  EXPECT_TRUE(waiting.get().ok) << "the plain call's connection was given up for it";
}

TEST(ClientTls, a_certificate_that_nobody_vouches_for_is_refused) {
  Rig rig;
  const Got got = rig.get(tls_call("/echo"));
  EXPECT_EQ(got.error.code, Errc::bad_upstream);
  EXPECT_EQ(got.error.reason, "upstream_tls_failed");
  Rig named(trusting(true));
  const Got other = named.get(call_to(TlsServer::get().url("localhost")));
  EXPECT_EQ(other.error.reason, "upstream_tls_failed") << "the name is not the certificate's";
}

TEST(ClientTls, a_redirect_is_not_followed) {
  Rig rig(trusting(true));
  const Got got = rig.get(tls_call("/moved"));
  EXPECT_EQ(got.status, 302);
  EXPECT_EQ(got.body, "moved");
}

TEST(ClientTls, a_large_body_comes_whole_in_bounded_pieces) {
  for (const bool http2 : {false, true}) {
    Rig rig(trusting(http2));
    const Got got = rig.get(tls_call("/big"));
    ASSERT_TRUE(got.ok) << got.error.detail;
    EXPECT_EQ(got.body.size(), 20U << 20);
    EXPECT_GE(got.pieces, (20U << 20) / (256U * 1024U));
  }
}

TEST(ClientTls, a_cut_body_is_an_error) {
  for (const bool http2 : {false, true}) {
    Rig rig(trusting(http2));
    const Got got = rig.get(tls_call("/cut"));
    EXPECT_FALSE(got.ok);
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.error.code, Errc::bad_upstream);
    EXPECT_EQ(got.error.reason, "upstream_truncated") << got.error.detail;
  }
}

TEST(ClientTls, an_end_that_comes_after_the_caller_left_keeps_the_connection) {
  Rig rig(trusting(false));
  for (std::uint64_t i = 0; i < 3; ++i) {
    auto by = rig.within(std::chrono::seconds(10));
    EXPECT_EQ(rig.start(leave_after_a_piece(*rig.client, tls_call("/late-end"), by)).get(), "abc");
    EXPECT_TRUE(rig.until([i](const auto& f) { return f.connections_reused == i && f.idle == 1; }));
  }
  EXPECT_EQ(rig.client->figures().connections_created, 1U);
  auto by = rig.within(std::chrono::seconds(10));
  EXPECT_EQ(rig.start(leave_after_a_piece(*rig.client, tls_call("/stall"), by)).get(), "abc");
  EXPECT_TRUE(rig.until([](const auto& f) { return f.open == 0; })) << "no end in time";
}

TEST(ClientTls, the_head_is_bounded) {
  UpstreamSettings settings = trusting(false);
  settings.header_max = 16_KiB;
  Rig rig(settings);
  EXPECT_EQ(rig.get(tls_call("/head")).error.reason, "upstream_bad_reply");
}

TEST(ClientTls, timers_end_their_phases) {
  Rig rig(trusting(true));
  ASSERT_TRUE(rig.get(tls_call("/echo")).ok);
  CallTimers timers;
  timers.first_byte = milliseconds(10);
  timers.connect = milliseconds(10);
  EXPECT_EQ(rig.get(tls_call("/hang"), timers).error.reason, "upstream_first_byte_timeout");
  timers = {};
  timers.between_bytes = milliseconds(10);
  const Got stalled = rig.get(tls_call("/stall"), timers);
  EXPECT_EQ(stalled.body, "abc");
  EXPECT_EQ(stalled.error.reason, "upstream_stalled");
  auto by = rig.within(milliseconds(20));
  const Got total = rig.start(fetch(*rig.client, tls_call("/hang"), {}, by)).get();
  EXPECT_EQ(total.error.reason, "upstream_timeout");
}

TEST(ClientTls, nobody_listening_is_refused) {
  std::uint16_t port = 0;
  {
    ScriptServer gone(echo);
    port = gone.port();
  }
  auto url = std::make_shared<const Url>(*Url::parse("https://127.0.0.1:" + std::to_string(port)));
  Rig rig;
  const Got got = rig.get(call_to(url));
  EXPECT_EQ(got.error.code, Errc::unavailable);
  EXPECT_EQ(got.error.reason, "upstream_refused");
  auto nowhere = std::make_shared<const Url>(*Url::parse("https://no-such-host.invalid"));
  CallTimers patient;
  patient.connect = std::chrono::seconds(15);
  EXPECT_EQ(rig.get(call_to(nowhere), patient).error.reason, "upstream_unresolved");
}

TEST(ClientTls, a_server_that_closes_before_its_head_is_a_failed_handshake_or_a_reset) {
  ScriptServer rude([](Peer& peer, int) {
    peer.some();
    peer.reset();
  });
  auto url =
      std::make_shared<const Url>(*Url::parse("https://127.0.0.1:" + std::to_string(rude.port())));
  Rig rig;
  EXPECT_EQ(rig.get(call_to(url)).error.code, Errc::bad_upstream);
}

TEST(ClientTls, calls_that_end_before_they_are_connected_give_their_connections_back) {
  const FullListener full;
  UpstreamSettings settings = trusting(false);
  settings.connections_max = 2;
  Rig rig(settings);
  CallTimers timers;
  timers.connect = milliseconds(20);
  for (int i = 0; i < 2; ++i) {
    auto one = rig.begin(call_to(full.url("https")), timers);
    auto other = rig.begin(call_to(full.url("https")), timers);
    EXPECT_EQ(one.get().error.reason, "upstream_connect_timeout");
    EXPECT_EQ(other.get().error.reason, "upstream_connect_timeout");
  }
  auto by = rig.within(milliseconds(20));
  const Got left = rig.start(fetch(*rig.client, call_to(full.url("https")), {}, by)).get();
  EXPECT_EQ(left.error.reason, "upstream_timeout");
  EXPECT_TRUE(rig.until([](const auto& f) { return f.open == 0; }));
}

TEST(ClientTls, cancelling_the_caller_ends_the_transfer) {
  Rig rig(trusting(false));
  asio::cancellation_signal signal;
  std::promise<void> ended;
  auto by = rig.within(std::chrono::seconds(20));
  asio::post(rig.io(), [&] {
    asio::co_spawn(rig.io(), fetch(*rig.client, tls_call("/hang"), {}, by),
                   asio::bind_cancellation_slot(
                       signal.slot(), [&](std::exception_ptr, const Got&) { ended.set_value(); }));
  });
  ASSERT_TRUE(rig.until([](const auto& f) { return f.open == 1; }));
  asio::post(rig.io(), [&] { signal.emit(asio::cancellation_type::terminal); });
  ended.get_future().get();
  EXPECT_TRUE(rig.until([](const auto& f) { return f.open == 0; }));
}

TEST(ClientTls, a_plain_address_elsewhere_goes_through_the_proxy) {
  std::string seen;
  ScriptServer proxy([&seen](Peer& peer, int) {
    seen = peer.request();
    peer.reply("from the proxy");
  });
  UpstreamSettings settings;
  settings.proxy = "http://127.0.0.1:" + std::to_string(proxy.port());
  Rig rig(settings);
  auto far = std::make_shared<const Url>(*Url::parse("http://models.example:8000"));
  const Got got = rig.get(call_to(far));
  ASSERT_TRUE(got.ok) << got.error.detail;
  EXPECT_EQ(got.body, "from the proxy");
  EXPECT_TRUE(seen.starts_with("POST http://models.example:8000/v1/chat?x=1 HTTP/1.1\r\n")) << seen;
  ScriptServer near(echo);
  EXPECT_EQ(rig.get(call_to(near.url())).body, "hello") << "loopback is never sent to a proxy";
}

TEST(ClientTls, closing_ends_running_transfers) {
  Rig rig(trusting(true));
  auto call = rig.begin(tls_call("/hang"));
  ASSERT_TRUE(rig.until([](const auto& f) { return f.open == 1; }));
  rig.client->close();
  EXPECT_FALSE(call.get().ok);
  EXPECT_EQ(rig.client->figures().open, 0U);
}

}  // namespace
}  // namespace mainstay::net
