// Tells the service manager how we are: systemd's notification protocol, without its library.
// Used by app/serve.cpp, engine.cpp and watchdog.cpp. Without $NOTIFY_SOCKET every call does
// nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace mainstay::app {

/// One datagram socket. Thread-safe: each message is one sendto that never waits.
class Notify {
 public:
  /// `socket`: value of $NOTIFY_SOCKET, a path or "@name" (abstract), or "fd:N", a socket that was
  /// inherited from `mainstay launch`; empty: nobody listens.
  explicit Notify(std::string socket);
  ~Notify();
  Notify(const Notify&) = delete;
  Notify& operator=(const Notify&) = delete;

  bool active() const noexcept { return fd_ >= 0; }
  /// `mainstay launch` listens.
  bool launched() const noexcept { return connected_; }
  void ready(std::string_view status) const;
  void stopping(std::string_view status) const;
  /// A reload began; ready() ends it. Carries the time, without which systemd 253 waits for ever.
  void reloading(const Clock& clock) const;
  void status(std::string_view status) const;
  void watchdog() const;
  /// The process runs, whatever its parts do. For `mainstay launch`; others leave it unread.
  void alive() const;
  /// Asks for that much time from now, for what happens now (start, stop).
  void extend(Duration for_how_long) const;

 private:
  bool send(const std::string& message) const;
  const std::string socket_;
  int fd_ = -1;
  bool connected_ = false;  ///< inherited: it has its other end
};

/// Value of $NOTIFY_SOCKET; empty when it is not set.
std::string notify_socket();
/// How often the service manager wants to hear from us ($WATCHDOG_USEC, when $WATCHDOG_PID is unset
/// or `pid`); empty when it does not.
std::optional<Duration> watchdog_period(const char* usec, const char* of_pid, long pid);
std::optional<Duration> watchdog_period();

}  // namespace mainstay::app
