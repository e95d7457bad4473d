// Reuse, the budget, the line of waiters, stale connections, two loops.
#include <gtest/gtest.h>

#include <array>

#include "client_rig.h"

namespace mainstay::net {
namespace {

using std::chrono::milliseconds;

// proves G14
TEST(ClientPool, a_hundred_calls_one_after_another_use_one_connection) {
  ScriptServer server(echo);
  Rig rig;
  for (int i = 0; i < 100; ++i) {
    const Got got = rig.get(call_to(server.url(), "body " + std::to_string(i)));
    ASSERT_TRUE(got.ok) << got.error.detail;
    EXPECT_EQ(got.body, "body " + std::to_string(i));
    EXPECT_EQ(got.reused, i > 0);
  }
  EXPECT_EQ(server.connections(), 1);
  const ClientFigures f = rig.client->figures();
  EXPECT_EQ(f.clients_created, 1U);
  EXPECT_EQ(f.requests, 100U);
  EXPECT_EQ(f.connections_created, 1U);
  EXPECT_EQ(f.connections_reused, 99U);
  EXPECT_EQ(f.open, 1U);
  EXPECT_EQ(f.idle, 1U);
  const std::string text = rig.metrics.text();
  EXPECT_NE(text.find("mainstay_upstream_connections_reused_total 99"), std::string::npos) << text;
  EXPECT_NE(text.find("mainstay_upstream_clients_created 1"), std::string::npos);
}

TEST(ClientPool, the_request_on_the_wire_is_what_was_asked) {
  std::string seen;
  ScriptServer server([&seen](Peer& peer, int) {
    seen = peer.request();
    peer.reply("x");
  });
  Rig rig;
  ASSERT_TRUE(rig.get(call_to(server.url(), "{\"a\":1}")).ok);
  EXPECT_EQ(seen, "POST /v1/chat?x=1 HTTP/1.1\r\nhost: 127.0.0.1:" + std::to_string(server.port()) +
                      "\r\nx-test: 7\r\ncontent-length: 7\r\n\r\n{\"a\":1}");
}

TEST(ClientPool, a_target_that_would_forge_a_line_is_not_sent) {
  ScriptServer server(echo);
  Rig rig;
  Call call = call_to(server.url());
  call.target = "/a HTTP/1.1\r\nx: y";
  EXPECT_EQ(rig.get(std::move(call)).error.code, Errc::internal);
  EXPECT_EQ(server.connections(), 0);
}

/// Holds every request until the gate opens.
ScriptServer::Script held(Gate& gate) {
  return [&gate](Peer& peer, int) {
    while (!peer.request().empty()) {
      gate.wait();
      peer.reply("done");
    }
  };
}

// proves G12: at most connections_max, the next waits, and gets the connection that comes free.
TEST(ClientPool, a_call_above_the_budget_waits_for_a_connection) {
  Gate gate;
  ScriptServer server(held(gate));
  UpstreamSettings settings;
  settings.connections_max = 3;
  Rig rig(settings);
  std::vector<std::future<Got>> calls;
  for (int i = 0; i < 3; ++i) calls.push_back(rig.begin(call_to(server.url())));
  ASSERT_TRUE(rig.until([](const auto& f) { return f.open == 3; }));
  EXPECT_EQ(rig.client->figures().waiting, 0U);
  calls.push_back(rig.begin(call_to(server.url())));
  ASSERT_TRUE(rig.until([](const auto& f) { return f.waiting == 1; }));
  gate.open();
  for (auto& call : calls) EXPECT_TRUE(call.get().ok);
  EXPECT_EQ(server.connections(), 3);
  EXPECT_EQ(rig.client->figures().waiting, 0U);
}

TEST(ClientPool, the_line_is_bounded_and_a_call_above_it_is_told_at_once) {
  Gate gate;
  ScriptServer server(held(gate));
  UpstreamSettings settings;
  settings.connections_max = 1;
  settings.waiting_max = 2;
  Rig rig(settings);
  std::vector<std::future<Got>> calls;
  for (int i = 0; i < 3; ++i) calls.push_back(rig.begin(call_to(server.url())));
  ASSERT_TRUE(rig.until([](const auto& f) { return f.waiting == 2; }));
  const Got refused = rig.get(call_to(server.url()));
  EXPECT_EQ(refused.error.code, Errc::unavailable);
  EXPECT_EQ(refused.error.reason, "upstream_pool_full");
  gate.open();
  for (auto& call : calls) EXPECT_TRUE(call.get().ok);
}

TEST(ClientPool, a_call_waits_no_longer_than_its_queue_time) {
  Gate gate;
  ScriptServer server(held(gate));
  UpstreamSettings settings;
  settings.connections_max = 1;
  Rig rig(settings);
  auto first = rig.begin(call_to(server.url()));
  ASSERT_TRUE(rig.until([](const auto& f) { return f.open == 1; }));
  CallTimers timers;
  timers.queue = milliseconds(20);
  const Got late = rig.get(call_to(server.url()), timers);
  EXPECT_EQ(late.error.code, Errc::unavailable);
  EXPECT_EQ(late.error.reason, "upstream_pool_full");
  EXPECT_EQ(rig.client->figures().waiting, 0U);
  auto by = rig.within(milliseconds(20));
  const Got out = rig.start(fetch(*rig.client, call_to(server.url()), {}, by)).get();
  EXPECT_EQ(out.error.code, Errc::deadline);
  EXPECT_EQ(out.error.reason, "upstream_timeout");
  gate.open();
  EXPECT_TRUE(first.get().ok);
}

TEST(ClientPool, calls_get_connections_in_the_order_they_came) {
  std::mutex mutex;
  std::vector<std::string> order;
  Gate gate;
  ScriptServer server([&](Peer& peer, int) {
    while (true) {
      const std::string request = peer.request();
      if (request.empty()) return;
      {
        std::lock_guard lock(mutex);
        order.push_back(request.substr(request.size() - 1));
      }
      gate.wait();
      peer.reply("x");
    }
  });
  UpstreamSettings settings;
  settings.connections_max = 1;
  Rig rig(settings);
  std::vector<std::future<Got>> calls;
  for (std::uint64_t i = 0; i < 5; ++i) {
    calls.push_back(rig.begin(call_to(server.url(), std::to_string(i))));
    ASSERT_TRUE(rig.until([&](const auto& f) { return f.open == 1 && f.waiting == i; }));
  }
  gate.open();
  for (auto& call : calls) EXPECT_TRUE(call.get().ok);
  EXPECT_EQ(order, (std::vector<std::string>{"0", "1", "2", "3", "4"}));
}

TEST(ClientPool, an_idle_connection_elsewhere_makes_room) {
  ScriptServer one(echo);
  ScriptServer two(echo);
  UpstreamSettings settings;
  settings.connections_max = 1;
  Rig rig(settings, 2);
  ASSERT_TRUE(rig.get(call_to(one.url())).ok);
  EXPECT_TRUE(rig.get(call_to(two.url())).ok) << "another origin of the same loop";
  EXPECT_EQ(rig.client->figures().open, 1U);
  rig.settle();
  EXPECT_TRUE(rig.get(call_to(two.url()), {}, 1).ok) << "another loop";
  EXPECT_EQ(rig.client->figures().open, 1U);
}

TEST(ClientPool, two_loops_share_the_budget_and_all_calls_are_answered) {
  ScriptServer server(echo);
  UpstreamSettings settings;
  settings.connections_max = 4;
  Rig rig(settings, 2);
  std::vector<std::future<Got>> calls;
  std::uint64_t most = 0;
  for (int i = 0; i < 400; ++i) {
    calls.push_back(
        rig.begin(call_to(server.url(), std::to_string(i)), {}, static_cast<std::size_t>(i % 2)));
    most = std::max(most, rig.client->figures().open);
  }
  for (int i = 0; i < 400; ++i) {
    const Got got = calls[static_cast<std::size_t>(i)].get();
    ASSERT_TRUE(got.ok) << got.error.reason;
    EXPECT_EQ(got.body, std::to_string(i));
  }
  EXPECT_LE(most, 4U);
  EXPECT_LE(rig.client->figures().open, 4U);
  EXPECT_EQ(rig.client->figures().waiting, 0U);
}

TEST(ClientPool, only_so_many_connections_are_kept_alive) {
  for (const std::uint32_t calls_at_once : {1U, 2U, 3U, 4U}) {
    Gate gate;
    ScriptServer server(held(gate));
    UpstreamSettings settings;
    settings.keepalive_max = 3;
    Rig rig(settings);
    std::vector<std::future<Got>> calls;
    for (std::uint32_t i = 0; i < calls_at_once; ++i)
      calls.push_back(rig.begin(call_to(server.url())));
    ASSERT_TRUE(rig.until([&](const auto& f) { return f.connections_created == calls_at_once; }));
    gate.open();
    for (auto& call : calls) ASSERT_TRUE(call.get().ok);
    const auto want = std::min(calls_at_once, 3U);
    EXPECT_LE(rig.client->figures().idle, want);
    EXPECT_TRUE(rig.until([&](const auto& f) { return f.idle == want && f.open == want; }));
  }
}

TEST(ClientPool, an_idle_connection_is_closed_when_its_time_is_over) {
  Gate closed;
  ScriptServer server([&closed](Peer& peer, int) {
    peer.request();
    peer.reply("x");
    peer.wait_closed();
    closed.open();
  });
  UpstreamSettings settings;
  settings.keepalive_timeout = Millis(1);
  Rig rig(settings);
  ASSERT_TRUE(rig.get(call_to(server.url())).ok);
  EXPECT_TRUE(closed.wait());
  EXPECT_TRUE(rig.until([](const auto& f) { return f.open == 0 && f.idle == 0; }));
}

TEST(ClientPool, a_connection_that_the_peer_closed_while_idle_is_replaced) {
  ScriptServer server([](Peer& peer, int) {
    peer.request();
    peer.reply("x");
  });
  Rig rig;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(rig.get(call_to(server.url())).ok);
  EXPECT_EQ(server.connections(), 5);
}

TEST(ClientPool, a_kept_connection_that_dies_on_the_request_is_replaced_once) {
  ScriptServer server([](Peer& peer, int n) {
    peer.request();
    peer.reply("first of " + std::to_string(n));
    if (n > 0) peer.reply("never");
    peer.request();  // reads the second request and closes: the call's bytes went nowhere
    peer.reset();
  });
  Rig rig;
  ASSERT_EQ(rig.get(call_to(server.url())).body, "first of 0");
  const Got again = rig.get(call_to(server.url()));
  ASSERT_TRUE(again.ok) << again.error.detail;
  EXPECT_EQ(again.body, "first of 1");
  EXPECT_FALSE(again.reused);
}

TEST(ClientPool, a_fresh_connection_that_dies_is_an_error_not_a_retry) {
  ScriptServer server([](Peer& peer, int) {
    peer.request();
    peer.reset();
  });
  Rig rig;
  const Got got = rig.get(call_to(server.url()));
  EXPECT_EQ(got.error.reason, "upstream_reset");
  EXPECT_EQ(got.error.code, Errc::bad_upstream);
  EXPECT_EQ(server.connections(), 1);
}

TEST(ClientPool, a_call_that_goes_out_once_is_not_sent_again_when_the_peer_closes) {
  std::atomic<int> requests{0};
  ScriptServer server([&](Peer& peer, int) {
    while (!peer.request().empty() && ++requests == 1) peer.reply("x");
    peer.reset();
  });
  Rig rig;
  ASSERT_TRUE(rig.get(call_to(server.url())).ok) << "its connection is kept";
  Call call = call_to(server.url());
  call.once = true;
  const Got got = rig.get(call);
  EXPECT_EQ(got.error.reason, "upstream_reset");
  EXPECT_EQ(requests, 2);
  EXPECT_EQ(server.connections(), 2);
}

TEST(ClientPool, the_connection_of_a_call_that_goes_out_once_is_not_kept) {
  ScriptServer server(echo);
  Rig rig;
  Call call = call_to(server.url());
  call.once = true;
  ASSERT_TRUE(rig.get(call).ok);
  EXPECT_TRUE(rig.until([](const auto& f) { return f.open == 0; }));
  EXPECT_FALSE(rig.get(call).reused);
}

TEST(ClientPool, bytes_that_nobody_asked_for_end_a_kept_connection) {
  const std::string answer = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n";
  for (const bool at_once : {true, false}) {
    std::array<Gate, 3> sent;
    ScriptServer server([&](Peer& peer, int n) {
      peer.request();
      if (at_once) {
        peer.send(answer + "x" + answer + "f");
      } else {
        peer.send(answer + "x");
        peer.send(answer + "f");
      }
      sent[static_cast<std::size_t>(n)].open();
      peer.wait_closed();
    });
    Rig rig;
    for (auto& gate : sent) {
      const Got got = rig.get(call_to(server.url()));
      ASSERT_TRUE(got.ok);
      EXPECT_EQ(got.body, "x");
      ASSERT_TRUE(gate.wait());
    }
    EXPECT_EQ(server.connections(), 3);
  }
}

TEST(ClientPool, connection_close_is_obeyed) {
  ScriptServer server([](Peer& peer, int) {
    peer.request();
    peer.send("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 1\r\n\r\nx");
    peer.wait_closed();
  });
  Rig rig;
  ASSERT_TRUE(rig.get(call_to(server.url())).ok);
  EXPECT_TRUE(rig.until([](const auto& f) { return f.open == 0; }));
  ASSERT_TRUE(rig.get(call_to(server.url())).ok);
  EXPECT_EQ(server.connections(), 2);
}

TEST(ClientPool, nobody_listening_is_refused) {
  std::uint16_t port = 0;
  {
    ScriptServer gone(echo);
    port = gone.port();
  }
  auto url = std::make_shared<const Url>(*Url::parse("http://127.0.0.1:" + std::to_string(port)));
  Rig rig;
  const Got got = rig.get(call_to(url));
  EXPECT_EQ(got.error.code, Errc::unavailable);
  EXPECT_EQ(got.error.reason, "upstream_refused");
  EXPECT_EQ(rig.client->figures().open, 0U);
}

TEST(ClientPool, names_are_resolved_and_an_unknown_one_is_told) {
  ScriptServer server(echo);
  Rig rig;
  EXPECT_TRUE(rig.get(call_to(server.url("localhost"))).ok) << "::1 refuses, 127.0.0.1 answers";
  CallTimers patient;
  patient.connect = std::chrono::seconds(15);
  const Got got = rig.get(call_to(server.url("no-such-host.invalid")), patient);
  EXPECT_EQ(got.error.code, Errc::unavailable);
  EXPECT_EQ(got.error.reason, "upstream_unresolved");
  EXPECT_EQ(rig.client->figures().open, 1U);
}

TEST(ClientPool, a_closed_client_refuses_calls_and_keeps_nothing) {
  ScriptServer server(echo);
  Rig rig;
  ASSERT_TRUE(rig.get(call_to(server.url())).ok);
  rig.client->close();
  EXPECT_TRUE(rig.until([](const auto& f) { return f.open == 0; }));
  EXPECT_EQ(rig.get(call_to(server.url())).error.code, Errc::unavailable);
}

TEST(ClientPool, closing_wakes_the_calls_that_wait) {
  Gate gate;
  ScriptServer server(held(gate));
  UpstreamSettings settings;
  settings.connections_max = 1;
  Rig rig(settings);
  auto running = rig.begin(call_to(server.url()));
  ASSERT_TRUE(rig.until([](const auto& f) { return f.open == 1; }));
  auto waiting = rig.begin(call_to(server.url()));
  ASSERT_TRUE(rig.until([](const auto& f) { return f.waiting == 1; }));
  rig.client->close();
  EXPECT_EQ(waiting.get().error.reason, "upstream_pool_full");
  gate.open();
  EXPECT_TRUE(running.get().ok) << "a running call ends by itself";
}

}  // namespace
}  // namespace mainstay::net
