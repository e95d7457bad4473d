// Datagrams to the service manager.
#include "app/notify.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

namespace mainstay::app {
namespace {

std::int64_t in_micros(Duration d) {
  return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
}

/// A field's value ends at the line's end.
std::string one_line(std::string_view text) {
  std::string out(text);
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out;
}

std::optional<long> number(const char* text) {
  if (text == nullptr) return std::nullopt;
  long value = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, wrong] = std::from_chars(text, end, value);
  if (wrong != std::errc{} || stop != end) return std::nullopt;
  return value;
}

}  // namespace

Notify::Notify(std::string socket) : socket_(std::move(socket)) {
  if (socket_.starts_with("fd:")) {
    const auto inherited = number(socket_.c_str() + 3);
    if (!inherited || ::fcntl(static_cast<int>(*inherited), F_SETFD, FD_CLOEXEC) != 0) return;
    fd_ = static_cast<int>(*inherited);
    connected_ = true;
    return;
  }
  const bool known = socket_.size() > 1 && socket_.size() < sizeof(sockaddr_un::sun_path) &&
                     (socket_.front() == '/' || socket_.front() == '@');
  if (known) fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

Notify::~Notify() {
  if (fd_ >= 0) ::close(fd_);
}

bool Notify::send(const std::string& message) const {
  if (fd_ < 0) return false;
  if (connected_) {
    const auto sent = ::send(fd_, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent == static_cast<ssize_t>(message.size());
  }
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, socket_.data(), socket_.size());
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const auto sent = ::sendto(fd_, message.data(), message.size(), MSG_NOSIGNAL,
                             reinterpret_cast<const sockaddr*>(&to), size);
  return sent == static_cast<ssize_t>(message.size());
}

void Notify::ready(std::string_view status) const {
  send("READY=1\nSTATUS=" + one_line(status));
}

void Notify::stopping(std::string_view status) const {
  send("STOPPING=1\nSTATUS=" + one_line(status));
}

void Notify::reloading(const Clock& clock) const {
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(in_micros(clock.now().time_since_epoch())));
}

void Notify::status(std::string_view status) const {
  send("STATUS=" + one_line(status));
}

void Notify::watchdog() const {
  send("WATCHDOG=1");
}

void Notify::alive() const {
  if (connected_) send("ALIVE=1");
}

void Notify::extend(Duration for_how_long) const {
  send("EXTEND_TIMEOUT_USEC=" + std::to_string(in_micros(for_how_long)));
}

std::string notify_socket() {
  const char* socket = std::getenv("NOTIFY_SOCKET");
  return socket != nullptr ? socket : "";
}

std::optional<Duration> watchdog_period(const char* usec, const char* of_pid, long pid) {
  const auto period = number(usec);
  if (!period || *period <= 0) return std::nullopt;
  if (of_pid != nullptr && number(of_pid) != pid) return std::nullopt;
  return std::chrono::microseconds(*period);
}

std::optional<Duration> watchdog_period() {
  return watchdog_period(std::getenv("WATCHDOG_USEC"), std::getenv("WATCHDOG_PID"), ::getpid());
}

}  // namespace mainstay::app
