// A client's end of a WebSocket in memory: what it was told can be read afterwards.
// Used by the tests of sockets.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "base/event.h"
#include "base/json.h"
#include "net/websocket.h"

namespace mainstay::api::test {

class FakeSocket final : public net::WebSocket {
 public:
  explicit FakeSocket(Clock& clock) : clock_(clock), changed_(clock) {}
  Co<Result<net::WebSocketMessage>> read(Deadline by) override {
    for (;;) {
      const auto seen = changed_.version();
      if (!closed.empty()) co_return Error::log(Errc::cancelled, "closed");
      if (!inbox_.empty()) {
        auto message = std::move(inbox_.front());
        inbox_.pop_front();
        co_return message;
      }
      if (by.passed(clock_.now())) co_return Error::log(Errc::deadline, "nothing came");
      [[maybe_unused]] auto woken = co_await changed_.wait(seen, by);
    }
  }
  Status send(std::string_view text) override {
    if (!closed.empty()) return Error::log(Errc::cancelled, "closed");
    auto parsed = parse_json(text);
    EXPECT_TRUE(parsed.ok()) << text;
    if (parsed.ok()) got.push_back(std::move(*parsed));
    return done();
  }
  Status send_bytes(std::string_view bytes) override {
    if (!closed.empty()) return Error::log(Errc::cancelled, "closed");
    sound += bytes;
    ++frames;
    return done();
  }
  void raise_rate(std::uint32_t frames_a_second) override { rate = frames_a_second; }
  void close(net::CloseCode code, std::string_view why) override {
    if (!closed.empty()) return;
    closed = std::to_string(static_cast<int>(code)) + " " + std::string(why);
    changed_.notify();
  }
  std::size_t unsent() const noexcept override { return waiting; }

  void say(std::string text, bool is_text = true) {
    inbox_.push_back({is_text, std::move(text)});
    changed_.notify();
  }
  /// What was told since the last call.
  std::vector<Json> take() { return std::exchange(got, {}); }

  std::vector<Json> got;
  std::string sound;        ///< binary messages, one behind the other
  int frames = 0;           ///< of them
  std::uint32_t rate = 0;   ///< frames a second that were allowed
  std::size_t waiting = 0;  ///< bytes that the client has not taken
  std::string closed;

 private:
  Clock& clock_;
  Event changed_;
  std::deque<net::WebSocketMessage> inbox_;
};

}  // namespace mainstay::api::test
