// Timeouts, departing clients, pings, limits on connections and descriptors, draining, health.
#include <sys/resource.h>
#include <sys/wait.h>

#include "unit/net/server_fixture.h"

namespace mainstay::net {
namespace {

using std::chrono::milliseconds;

TEST(server, a_slow_head_is_refused_with_408) {  // proves security row 34
  ServerSettings settings;
  settings.header_timeout = milliseconds(150);
  Listener listener(settings);
  RawClient client(listener.port());
  client.send("GET / HTTP/1.1\r\nhost: ");
  const auto reply = client.reply();
  EXPECT_EQ(reply.status, 408);
  EXPECT_EQ(client.rest(), "");
}

TEST(server, a_silent_connection_is_closed) {
  ServerSettings settings;
  settings.header_timeout = milliseconds(150);
  settings.idle_timeout = milliseconds(200);
  Listener listener(settings);
  RawClient silent(listener.port());
  EXPECT_EQ(silent.rest(), "");
  RawClient idle(listener.port());
  idle.send(get("/a"));
  EXPECT_EQ(idle.reply().status, 200);
  EXPECT_EQ(idle.rest(), "");
}

// proves fault row 9 (the steps before no descriptor is left)
TEST(server, short_of_descriptors_it_keeps_no_idle_connection_and_serves_on) {
  std::atomic<bool> tight{false};
  Listener listener({}, 1, [&] { return Relief{.close_idle = tight}; });
  RawClient kept(listener.port());
  kept.send(get("/a"));
  const auto first = kept.reply();
  EXPECT_EQ(first.status, 200);
  EXPECT_FALSE(first.has("connection: close"));
  RawClient running(listener.port());
  running.send(get("/hang"));
  ASSERT_TRUE(listener.service.started.reaches(1));
  tight = true;
  EXPECT_EQ(kept.rest(), "") << "closed long before its idle timeout";
  RawClient fresh(listener.port());
  fresh.send(get("/b"));
  const auto reply = fresh.reply();
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.has("connection: close"));
  EXPECT_EQ(fresh.rest(), "");
  EXPECT_EQ(listener.service.cancelled.now(), 0) << "what runs goes on";
  tight = false;
  RawClient later(listener.port());
  later.send(get("/c"));
  EXPECT_FALSE(later.reply().has("connection: close"));
}

// proves fault row 9
TEST(server, at_the_end_of_descriptors_a_new_connection_gets_the_503_and_old_ones_go_on) {
  std::atomic<bool> refuse{false};
  Listener listener({}, 1, [&] { return Relief{.refuse_new = refuse}; });
  RawClient old(listener.port());
  old.send(get("/a"));
  EXPECT_EQ(old.reply().status, 200);
  refuse = true;
  RawClient fresh(listener.port());
  fresh.send(get("/b"));
  const auto reply = fresh.reply();
  EXPECT_EQ(reply.status, 503);
  EXPECT_TRUE(reply.has("retry-after: 1"));
  EXPECT_EQ(reply.body, "{\"code\":\"too_many_connections\"}");
  old.send(get("/c"));
  EXPECT_EQ(old.reply().status, 200);
  EXPECT_NE(listener.metrics.text().find("mainstay_http_refused_total{reason=\"pressure\"} 1"),
            std::string::npos);
  refuse = false;
  RawClient later(listener.port());
  later.send(get("/d"));
  EXPECT_EQ(later.reply().status, 200);
}

TEST(server, a_slow_body_fails_with_a_deadline) {  // proves security row 34
  ServerSettings settings;
  settings.body_timeout = milliseconds(150);
  Listener listener(settings);
  RawClient client(listener.port());
  client.send("POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nabc");
  EXPECT_EQ(client.reply().body, "failed deadline");
  EXPECT_EQ(client.rest(), "");
  RawClient chunked(listener.port());
  chunked.send("POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc");
  EXPECT_EQ(chunked.reply().body, "failed deadline");
}

TEST(server, the_callers_deadline_bounds_the_body_too) {
  Listener listener;
  listener.service.body_by = milliseconds(150);
  RawClient client(listener.port());
  client.send("POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nabc");
  EXPECT_EQ(client.reply().body, "failed deadline");
}

TEST(server, a_client_that_leaves_cancels_its_request) {  // proves fault row 41
  Listener listener;
  for (const bool reset : {false, true}) {
    RawClient client(listener.port());
    client.send(get("/hang"));
    ASSERT_TRUE(listener.service.started.reaches(reset ? 2 : 1));
    if (reset) {
      client.reset();
    } else {
      client.close();
    }
    EXPECT_TRUE(listener.service.cancelled.reaches(reset ? 2 : 1));
  }
}

TEST(server, a_client_that_leaves_behind_a_pipelined_request_is_noticed) {
  Listener listener;
  RawClient client(listener.port());
  client.send(get("/hang"));
  ASSERT_TRUE(listener.service.started.reaches(1));
  client.send(get("/next"));
  client.close();
  EXPECT_TRUE(listener.service.cancelled.reaches(1));
  EXPECT_EQ(listener.service.served.now(), 1);
}

TEST(server, a_hundred_clients_that_vanish_mid_stream_leave_nothing) {  // proves fault row 41
  Listener listener;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<RawClient>(listener.port()));
    clients.back()->send(get("/sse"));
    ASSERT_TRUE(clients.back()->until("<2>\r\n"));
  }
  for (auto& client : clients) client->reset();
  EXPECT_TRUE(listener.service.cancelled.reaches(100));
  EXPECT_EQ(listener.server->drain(std::chrono::seconds(10)), 0u);
  EXPECT_EQ(listener.server->figures().open, 0u);
  EXPECT_EQ(listener.server->figures().busy, 0u);
}

TEST(server, work_that_others_need_outlives_its_client) {
  Listener listener;
  RawClient client(listener.port());
  client.send(get("/kept"));
  ASSERT_TRUE(listener.service.started.reaches(1));
  client.close();
  ASSERT_TRUE(listener.service.finished.reaches(1));
  EXPECT_TRUE(listener.service.held->gone());
  EXPECT_EQ(listener.service.cancelled.now(), 0);
  listener.service.held->drop();
  EXPECT_TRUE(listener.service.cancelled.reaches(1));
}

TEST(server, a_silent_event_stream_gets_comment_pings) {
  ServerSettings settings;
  settings.stream_ping_interval = milliseconds(120);
  Listener listener(settings);
  RawClient client(listener.port());
  client.send(get("/sse"));
  EXPECT_TRUE(client.until("8\r\n: ping\n\n\r\n"));
  EXPECT_TRUE(client.until("8\r\n: ping\n\n\r\n"));
}

TEST(server, a_reader_that_stalls_is_dropped) {  // proves security row 34
  ServerSettings settings;
  settings.write_timeout = milliseconds(200);
  Listener listener(settings);
  RawClient client(listener.port());
  client.send(get("/big"));
  EXPECT_TRUE(listener.service.big_failed.reaches(1));
}

TEST(server, request_timeout_ends_a_request_that_never_does) {
  ServerSettings settings;
  settings.request_timeout = milliseconds(150);
  Listener listener(settings);
  RawClient client(listener.port());
  client.send(get("/hang"));
  EXPECT_NE(client.reply().status, 0);
  EXPECT_EQ(client.rest(), "");
  EXPECT_TRUE(listener.service.cancelled.reaches(1));
}

/// Answers long after request_timeout; "/other/longer" is allowed to.
Co<> answer_late(Clock& clock, Exchange& exchange) {
  const bool longer = exchange.head().path == "/other/longer";
  if (longer) exchange.allow(clock.now() + std::chrono::hours(1));
  [[maybe_unused]] auto whole = co_await sleep(clock, milliseconds(600));
  Response response;
  response.body = "late";
  [[maybe_unused]] auto sent = co_await exchange.reply(std::move(response));
}

TEST(server, a_request_that_is_allowed_more_time_outlives_request_timeout) {
  ServerSettings settings;
  settings.request_timeout = milliseconds(150);
  RealClock clock;
  Listener listener(settings);
  listener.service.other = [&clock](Exchange& exchange) { return answer_late(clock, exchange); };
  RawClient longer(listener.port());
  longer.send(get("/other/longer"));
  EXPECT_EQ(longer.reply().status, 200);
  RawClient usual(listener.port());
  usual.send(get("/other/usual"));
  EXPECT_NE(usual.reply().status, 200);
}

TEST(server, connections_above_the_limit_get_503_and_a_time_to_come_back) {
  ServerSettings settings;
  settings.connections_max = 3;
  Listener listener(settings);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<RawClient>(listener.port()));
    clients.back()->send(get("/a"));
    EXPECT_EQ(clients.back()->reply().status, 200);
  }
  RawClient fourth(listener.port());
  fourth.send(get("/a"));
  const auto reply = fourth.reply();
  EXPECT_EQ(reply.status, 503);
  EXPECT_TRUE(reply.has("retry-after: 1"));
  EXPECT_EQ(fourth.rest(), "");
  EXPECT_EQ(listener.service.served.now(), 3);
  EXPECT_EQ(listener.server->figures().refused, 1u);
  EXPECT_NE(listener.metrics.text().find("mainstay_http_refused_total{reason=\"connections\"} 1"),
            std::string::npos);
}

/// In a child process: takes every descriptor, then asks for one connection more than fits.
int run_out_of_descriptors() {
  const rlimit limit{64, 64};
  ::setrlimit(RLIMIT_NOFILE, &limit);
  Listener listener;
  RawClient first(listener.port());
  first.send(get("/a"));
  if (first.reply().status != 200) return 2;
  RawClient starved(listener.port());  // its own socket is open before the table is full
  starved.send(get("/b"));
  if (starved.reply().status != 200) return 3;
  const int late = ::socket(AF_INET, SOCK_STREAM, 0);
  std::vector<int> taken;
  for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) taken.push_back(fd);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(listener.port());
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(late, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return 4;
  char text[64] = {};
  if (::recv(late, text, 12, MSG_WAITALL) != 12 || std::string(text) != "HTTP/1.1 503") return 5;
  first.send(get("/c"));  // those inside are served
  if (first.reply().status != 200) return 6;
  for (const int fd : taken) ::close(fd);
  RawClient again(listener.port());
  again.send(get("/d"));
  return again.reply().status == 200 ? 0 : 7;
}

/// In a child process: no descriptor can be had, not even the one that the listener gives up.
int lose_the_reserve() {
  Listener listener;
  RawClient inside(listener.port());
  inside.send(get("/a"));
  if (inside.reply().status != 200) return 2;
  RawClient silent(listener.port());
  while (listener.server->figures().open < 2) std::this_thread::yield();
  const int late = ::socket(AF_INET, SOCK_STREAM, 0);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit none{3, limit.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(listener.port());
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(late, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return 3;
  if (silent.reply().status != 503) return 4;
  inside.send(get("/c"));
  if (inside.reply().status != 200) return 5;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const std::string request = get("/d");
  if (::send(late, request.data(), request.size(), 0) < 0) return 6;
  char text[64] = {};
  return ::recv(late, text, 12, MSG_WAITALL) == 12 && std::string(text) == "HTTP/1.1 200" ? 0 : 7;
}

/// What `run` returns in a child process; -1 if it died.
int in_child(int (*run)()) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(run());
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

// proves fault row 9
TEST(server, without_free_descriptors_clients_get_503_and_it_recovers) {
  EXPECT_EQ(in_child(run_out_of_descriptors), 0);
}

TEST(server, without_its_reserve_the_newest_silent_client_makes_room) {
  EXPECT_EQ(in_child(lose_the_reserve), 0);
}

TEST(server, health_answers_while_every_request_hangs) {
  ServerSettings settings;
  settings.health_listen = "127.0.0.1:0";
  Listener listener(settings);
  RawClient hanging(listener.port());
  hanging.send(get("/hang"));
  ASSERT_TRUE(listener.service.started.reaches(1));
  RawClient client(listener.port());
  client.send(get("/health") + "HEAD /health HTTP/1.1\r\nhost: h\r\n\r\n");
  EXPECT_EQ(client.reply().body, "{\"status\":\"ok\"}");
  EXPECT_TRUE(client.reply(true).has("content-length: 15"));
  const auto port = Listener::port_of(listener.server->health_address());
  EXPECT_NE(port, listener.port());
  RawClient other(port);
  other.send(get("/health"));
  EXPECT_EQ(other.reply().body, "{\"status\":\"ok\"}");
  other.send(get("/v1/models"));
  EXPECT_EQ(other.reply().status, 404);
  EXPECT_EQ(listener.service.served.now(), 1);
}

TEST(server, health_answers_on_its_own_port_while_the_loop_is_stuck) {
  ServerSettings settings;
  settings.health_listen = "127.0.0.1:0";
  Count stuck;
  Count release;
  Listener listener(settings);
  asio::post(*listener.contexts[0], [&] {
    stuck.add();
    release.reaches(1);
  });
  ASSERT_TRUE(stuck.reaches(1));
  RawClient client(Listener::port_of(listener.server->health_address()));
  client.send(get("/health"));
  EXPECT_EQ(client.reply().status, 200);
  release.add();
}

TEST(server, drain_lets_a_running_stream_finish) {
  Listener listener;
  RawClient idle(listener.port());
  idle.send(get("/a"));
  EXPECT_EQ(idle.reply().status, 200);
  RawClient client(listener.port());
  client.send(get("/kept"));
  ASSERT_TRUE(listener.service.started.reaches(1));
  listener.server->stop_accepting();
  EXPECT_EQ(idle.rest(), "");  // closed: it was between requests
  EXPECT_EQ(listener.server->running(), std::vector<std::string>{"GET /kept 127.0.0.1"});
  client.close();
  ASSERT_TRUE(listener.service.finished.reaches(1));
  listener.service.held->drop();
  EXPECT_EQ(listener.server->drain(std::chrono::seconds(20)), 0u);
}

TEST(server, drain_cancels_what_does_not_end_in_time) {  // proves fault row 36 (listener's part)
  Listener listener({}, 2);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<RawClient>(listener.port()));
    clients.back()->send(get("/hang"));
  }
  ASSERT_TRUE(listener.service.started.reaches(5));
  EXPECT_EQ(listener.server->drain(milliseconds(100)), 5u);
  EXPECT_EQ(listener.service.cancelled.now(), 5);
  EXPECT_EQ(listener.server->figures().open, 0u);
}

TEST(server, requests_in_flight_at_stop_are_told_to_close) {
  Listener listener;
  RawClient client(listener.port());
  client.send("POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\na");
  ASSERT_TRUE(listener.service.served.reaches(1));
  listener.server->stop_accepting();
  (void)listener.server->running();  // the stop has reached the loop
  client.send("bc");
  const auto reply = client.reply();
  EXPECT_EQ(reply.body, "abc");
  EXPECT_TRUE(reply.has("connection: close"));
}

TEST(server, says_why_it_cannot_listen) {
  Listener listener;
  RealClock clock;
  auto log = Listener::quiet_log(clock);
  Metrics metrics;
  TestService service(clock);
  asio::io_context a;
  asio::io_context b;
  const auto code = [&](const std::string& address) {
    ServerSettings settings;
    settings.listen = address;
    Server other(settings, clock, *log, metrics, service, {&a, &b});
    auto opened = other.open();
    return opened.ok() ? std::string("ok") : opened.error().reason;
  };
  EXPECT_EQ(code(listener.server->address()), "address_in_use");
  EXPECT_EQ(code("127.0.0.1"), "bad_address");
  EXPECT_EQ(code("127.0.0.1:99999"), "bad_address");
  EXPECT_EQ(code(":80"), "bad_address");
  EXPECT_EQ(code("192.0.2.1:0"), "cannot_listen");
}

}  // namespace
}  // namespace mainstay::net
