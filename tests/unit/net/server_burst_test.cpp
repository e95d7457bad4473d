// Replies that wait for their turn on a crowded loop: order, wholeness, and clients that leave.
#include <poll.h>

#include "net/burst.h"
#include "unit/net/server_fixture.h"

namespace mainstay::net {
namespace {

/// A listener of one loop on which `busy` requests never end.
struct Crowd {
  explicit Crowd(int busy = static_cast<int>(kCrowd)) {
    for (int i = 0; i < busy; ++i) {
      hanging.push_back(std::make_unique<RawClient>(listener.port()));
      hanging.back()->send(get("/hang"));
    }
    EXPECT_TRUE(listener.service.started.reaches(busy));
  }
  std::uint64_t busy() const { return listener.server->figures().busy; }
  /// Waits until only the hanging ones are connected; bounded.
  bool alone() const {
    for (int i = 0; i < 4000; ++i) {
      if (listener.server->figures().open == hanging.size()) return true;
      ::poll(nullptr, 0, 5);
    }
    return false;
  }
  Listener listener;
  std::vector<std::unique_ptr<RawClient>> hanging;
};

TEST(server_burst, below_at_and_above_the_crowd_every_request_is_answered) {
  for (const int extra : {-1, 0, 1}) {
    Crowd crowd(static_cast<int>(kCrowd) + extra);
    RawClient client(crowd.listener.port());
    for (int i = 0; i < 5; ++i) {
      client.send(get("/n" + std::to_string(i)));
      EXPECT_EQ(client.reply().body, "ok GET /n" + std::to_string(i) + "?") << extra;
    }
    EXPECT_GE(crowd.busy(), kCrowd + static_cast<std::size_t>(extra));
  }
}

TEST(server_burst, pipelined_requests_of_many_are_answered_in_order) {
  Crowd crowd;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int c = 0; c < 8; ++c) clients.push_back(std::make_unique<RawClient>(crowd.listener.port()));
  for (int c = 0; c < 8; ++c) {
    std::string all;
    for (int i = 0; i < 25; ++i) {
      const std::string mark = std::to_string(c) + "." + std::to_string(i);
      all += post("/echo", "body " + mark) + get("/x" + mark);
    }
    clients[std::size_t(c)]->send(all);
  }
  for (int c = 0; c < 8; ++c) {
    for (int i = 0; i < 25; ++i) {
      const std::string mark = std::to_string(c) + "." + std::to_string(i);
      EXPECT_EQ(clients[std::size_t(c)]->reply().body, "body " + mark);
      EXPECT_EQ(clients[std::size_t(c)]->reply().body, "ok GET /x" + mark + "?");
    }
  }
}

TEST(server_burst, pieces_of_streams_that_run_at_once_stay_in_order) {
  Crowd crowd;
  crowd.listener.service.pieces = 200;
  std::string whole = "5\r\nfirst\r\n";
  for (int i = 0; i < 200; ++i) {
    const std::string piece = "<" + std::to_string(i) + ">";
    whole += std::to_string(piece.size()) + "\r\n" + piece + "\r\n";
  }
  whole += "0\r\n\r\n";
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int c = 0; c < 6; ++c) {
    clients.push_back(std::make_unique<RawClient>(crowd.listener.port()));
    clients.back()->send(get("/stream"));
  }
  for (auto& client : clients) {
    ASSERT_TRUE(client->until("\r\n\r\n"));
    ASSERT_TRUE(client->until("\r\n0\r\n\r\n"));
    EXPECT_EQ(client->taken, whole);
  }
}

TEST(server_burst, clients_that_leave_before_their_turn_leave_nothing) {
  Crowd crowd;
  for (int round = 0; round < 10; ++round) {
    // The loop stands still while the requests come and their clients go.
    Count stopped;
    Count go_on;
    asio::post(*crowd.listener.contexts[0], [&] {
      stopped.add();
      go_on.reaches(1);
    });
    ASSERT_TRUE(stopped.reaches(1));
    for (int c = 0; c < 8; ++c) {
      RawClient client(crowd.listener.port());
      client.send(get("/a") + get("/stream") + post("/echo", "b"));
      if (c % 2 == 0) client.reset();
    }
    go_on.add();
    RawClient stays(crowd.listener.port());
    stays.send(get("/stays"));
    EXPECT_EQ(stays.reply().body, "ok GET /stays?");
  }
  EXPECT_TRUE(crowd.alone());
  EXPECT_EQ(crowd.busy(), kCrowd);
}

TEST(server_burst, a_drain_while_replies_wait_their_turn_sends_whole_replies_or_none) {
  for (int round = 0; round < 10; ++round) {
    Crowd crowd;
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int c = 0; c < 16; ++c) {
      clients.push_back(std::make_unique<RawClient>(crowd.listener.port()));
      clients.back()->send(post("/echo", "body " + std::to_string(c)) + get("/y"));
    }
    crowd.listener.server->drain(std::chrono::milliseconds(0));
    for (int c = 0; c < 16; ++c) {
      const auto reply = clients[std::size_t(c)]->reply();
      if (reply.status == 200) EXPECT_EQ(reply.body, "body " + std::to_string(c));
    }
    EXPECT_TRUE(crowd.listener.service.cancelled.reaches(static_cast<int>(kCrowd)));
  }
}

}  // namespace
}  // namespace mainstay::net
