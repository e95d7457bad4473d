// The least rate of a body, over real sockets.   proves security row 34
#include "unit/net/server_fixture.h"

namespace mainstay::net {
namespace {

using std::chrono::milliseconds;

ServerSettings slow_after_200_ms() {
  ServerSettings settings;
  settings.body_rate_window = milliseconds(200);
  settings.body_rate_min = Bytes{1000};  // 200 bytes in a window
  settings.body_timeout = milliseconds(20'000);
  return settings;
}

constexpr const char* kFixed = "POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 1000\r\n\r\n";

TEST(server, a_body_that_trickles_is_given_up_after_a_window) {
  Listener listener(slow_after_200_ms());
  RawClient client(listener.port());
  client.send(std::string(kFixed) + "abc");
  EXPECT_EQ(client.reply().body, "failed deadline");
  EXPECT_EQ(client.rest(), "");
  RawClient chunked(listener.port());
  chunked.send("POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc");
  EXPECT_EQ(chunked.reply().body, "failed deadline");
}

TEST(server, a_quick_start_does_not_pay_for_a_stop) {
  Listener listener(slow_after_200_ms());
  RawClient client(listener.port());
  client.send(kFixed);
  client.send(std::string(900, 'x'));
  EXPECT_EQ(client.reply().body, "failed deadline");
}

TEST(server, a_body_that_comes_at_once_knows_nothing_of_windows) {
  Listener listener(slow_after_200_ms());
  RawClient client(listener.port());
  for (int i = 0; i < 3; ++i) {
    client.send(std::string(kFixed) + std::string(1000, 'y'));
    EXPECT_EQ(client.reply().status, 200);
  }
}

TEST(server, without_a_least_rate_only_the_timeout_ends_a_body) {
  ServerSettings settings = slow_after_200_ms();
  settings.body_rate_min = Bytes{0};
  settings.body_timeout = milliseconds(900);
  Listener listener(settings);
  RawClient client(listener.port());
  client.send(std::string(kFixed) + "abc");
  const auto began = std::chrono::steady_clock::now();  // lint: clock the test's own
  EXPECT_EQ(client.reply().body, "failed deadline");
  EXPECT_GE(std::chrono::steady_clock::now() - began, milliseconds(600));
}

}  // namespace
}  // namespace mainstay::net
