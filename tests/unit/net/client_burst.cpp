// Calls that wait for their turn on a crowded loop.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "net/burst.h"
#include "unit/net/client_rig.h"

namespace mainstay::net {
namespace {

using std::chrono::seconds;

TEST(ClientBurst, calls_that_run_at_once_each_get_their_own_answer) {
  ScriptServer server(echo);
  Rig rig;
  for (int round = 0; round < 5; ++round) {
    std::vector<std::future<Got>> calls;
    for (int i = 0; i < 32; ++i) {
      calls.push_back(rig.begin(call_to(server.url(), "own " + std::to_string(i))));
    }
    for (int i = 0; i < 32; ++i) {
      const Got got = calls[std::size_t(i)].get();
      EXPECT_TRUE(got.ok) << got.error.detail;
      EXPECT_EQ(got.body, "own " + std::to_string(i));
    }
  }
  EXPECT_LE(server.connections(), 32);
}

/// Answers "hold" only when the test says so, everything else at once.
struct Holding {
  ScriptServer server{[this](Peer& peer, int) {
    for (;;) {
      const std::string request = peer.request();
      if (request.empty()) return;
      const std::string body = request.substr(request.find("\r\n\r\n") + 4);
      if (body == "hold") {
        ++held;
        go_on.wait();
      }
      peer.reply(body);
    }
  }};
  std::atomic<int> held{0};
  Gate go_on;
};

TEST(ClientBurst, a_call_cancelled_before_its_turn_leaves_the_others_alone) {
  Holding peer;
  Rig rig;
  std::vector<std::future<Got>> held;
  for (std::size_t i = 0; i < kCrowd; ++i) {
    held.push_back(rig.begin(call_to(peer.server.url(), "hold")));
  }
  for (int i = 0; i < 4000 && peer.held < static_cast<int>(kCrowd); ++i) ::poll(nullptr, 0, 5);
  ASSERT_EQ(peer.held, static_cast<int>(kCrowd));
  EXPECT_EQ(rig.get(call_to(peer.server.url(), "a kept connection")).body, "a kept connection");
  for (int round = 0; round < 5; ++round) {
    asio::cancellation_signal signal;
    std::promise<bool> cancelled;
    const Deadline by = rig.within(seconds(20));
    asio::post(rig.io(), [&] {
      // It starts at once, up to the wait for its turn, and is cancelled there.
      asio::co_spawn(
          rig.io(), fetch(*rig.client, call_to(peer.server.url(), "left"), {}, by),
          asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr thrown, Got got) {
            cancelled.set_value(thrown || got.error.code == Errc::cancelled);
          }));
      signal.emit(asio::cancellation_type::terminal);
    });
    EXPECT_TRUE(cancelled.get_future().get());
    EXPECT_EQ(rig.get(call_to(peer.server.url(), "next")).body, "next");
  }
  peer.go_on.open();
  for (auto& one : held) EXPECT_EQ(one.get().body, "hold");
  EXPECT_TRUE(rig.until([](const auto& f) { return f.open == f.idle; }));
}

}  // namespace
}  // namespace mainstay::net
