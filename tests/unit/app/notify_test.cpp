// Messages to the service manager, over real datagram sockets.
#include "app/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>

#include "base/sim_clock.h"

namespace mainstay::app {
namespace {

/// A service manager's end of the socket.
class Listener {
 public:
  explicit Listener(std::string name) : name_(std::move(name)) {
    fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, name_.data(), name_.size());
    if (name_.front() == '@') at.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    bound_ = ::bind(fd_, reinterpret_cast<const sockaddr*>(&at), size) == 0;
  }
  ~Listener() {
    ::close(fd_);
    if (name_.front() == '/') ::unlink(name_.c_str());
  }
  bool bound() const { return bound_; }
  /// The next message; empty when there is none.
  std::string next() const {
    std::array<char, 4096> buffer{};
    const auto got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : "";
  }

 private:
  std::string name_;
  int fd_ = -1;
  bool bound_ = false;
};

std::string unique(const std::string& start) {
  return start + "mainstay-notify-" + std::to_string(::getpid());
}

TEST(Notify, every_message_is_one_datagram_in_systemds_words) {
  const std::string path = unique(testing::TempDir());
  const Listener listener(path);
  ASSERT_TRUE(listener.bound());
  const Notify notify(path);
  EXPECT_TRUE(notify.active());
  notify.ready("Listening on http://127.0.0.1:1");
  EXPECT_EQ(listener.next(), "READY=1\nSTATUS=Listening on http://127.0.0.1:1");
  notify.stopping("Stopping");
  EXPECT_EQ(listener.next(), "STOPPING=1\nSTATUS=Stopping");
  notify.watchdog();
  EXPECT_EQ(listener.next(), "WATCHDOG=1");
  notify.extend(std::chrono::seconds(2));
  EXPECT_EQ(listener.next(), "EXTEND_TIMEOUT_USEC=2000000");
  notify.status("two\nlines");
  EXPECT_EQ(listener.next(), "STATUS=two lines") << "no status can forge a field";
  EXPECT_EQ(listener.next(), "");
}

TEST(Notify, a_reload_carries_the_monotonic_time_in_the_same_message) {
  const std::string path = unique(testing::TempDir());
  const Listener listener(path);
  asio::io_context io;
  const SimClock clock(io);
  Notify(path).reloading(clock);
  EXPECT_EQ(listener.next(), "RELOADING=1\nMONOTONIC_USEC=1000000000");
}

TEST(Notify, an_abstract_socket_is_reached_too) {
  const std::string name = unique("@");
  const Listener listener(name);
  ASSERT_TRUE(listener.bound());
  Notify(name).watchdog();
  EXPECT_EQ(listener.next(), "WATCHDOG=1");
}

TEST(Notify, without_a_socket_or_a_listener_nothing_happens) {
  for (const char* none : {"", "relative/path", "@", "/no/such/socket"}) {
    const Notify notify(none);
    notify.ready("x");
    notify.watchdog();
  }
  EXPECT_FALSE(Notify("").active());
  const Notify too_long("/" + std::string(200, 'x'));
  EXPECT_FALSE(too_long.active());
}

TEST(WatchdogPeriod, comes_from_the_environment_of_this_process_alone) {
  EXPECT_EQ(watchdog_period("30000000", nullptr, 7), Duration(std::chrono::seconds(30)));
  EXPECT_EQ(watchdog_period("30000000", "7", 7), Duration(std::chrono::seconds(30)));
  EXPECT_EQ(watchdog_period("30000000", "8", 7), std::nullopt) << "another process's";
  for (const char* bad : {"", "0", "-1", "30s"}) {
    EXPECT_EQ(watchdog_period(bad, nullptr, 7), std::nullopt) << bad;
  }
  EXPECT_EQ(watchdog_period(nullptr, nullptr, 7), std::nullopt);
}

}  // namespace
}  // namespace mainstay::app
