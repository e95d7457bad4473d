// Descriptors of the log. Standard error may be a pipe or a socket that its reader has forgotten,
// and its file description is shared with other programs, so O_NONBLOCK must not be set on it: it
// is opened anew through /proc, or written with send(MSG_DONTWAIT), or in steps that poll() allows.
#include "telemetry/log_sink.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

namespace mainstay {
namespace {
constexpr int kStepMs = 100;
}

Result<LogSink> LogSink::open(const std::string& sink) {
  LogSink out;
  if (sink == "none") return out;
  struct stat what{};
  if (sink != "stderr" && sink != "stdout") {
    // O_NONBLOCK: a named pipe without a reader is an error now, not a start that hangs.
    out.fd_ = ::open(sink.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
    if (out.fd_ < 0) {
      const std::string why = std::strerror(errno);
      return Error::say(Errc::invalid, "log_sink",
                        "The log file " + sink + " cannot be opened: " + why + ".");
    }
    out.owned_ = true;
    out.kind_ = Kind::nonblocking;
    return out;
  }
  const int standard = sink == "stderr" ? STDERR_FILENO : STDOUT_FILENO;
  if (::fstat(standard, &what) != 0) {
    return Error::say(Errc::invalid, "log_sink", "The log sink " + sink + " is closed.");
  }
  out.fd_ = standard;
  if (S_ISREG(what.st_mode)) return out;
  if (S_ISSOCK(what.st_mode)) {
    out.kind_ = Kind::socket;
    return out;
  }
  const std::string again = "/proc/self/fd/" + std::to_string(standard);
  const int own = ::open(again.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (own >= 0) {
    out.fd_ = own;
    out.owned_ = true;
    out.kind_ = Kind::nonblocking;
  } else {
    out.kind_ = Kind::stepwise;
  }
  return out;
}

LogSink::LogSink(LogSink&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      owned_(std::exchange(other.owned_, false)),
      kind_(other.kind_) {}

LogSink& LogSink::operator=(LogSink&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
    owned_ = std::exchange(other.owned_, false);
    kind_ = other.kind_;
  }
  return *this;
}

LogSink::~LogSink() {
  close();
}

void LogSink::close() noexcept {
  if (owned_ && fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

long LogSink::write_some(std::string_view text) const {
  if (kind_ == Kind::socket) {
    return ::send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  if (kind_ == Kind::stepwise) {
    pollfd ready{fd_, POLLOUT, 0};
    if (::poll(&ready, 1, 0) == 0) {
      errno = EAGAIN;
      return -1;
    }
    text = text.substr(0, PIPE_BUF);  // what a writable pipe takes without blocking
  }
  return ::write(fd_, text.data(), text.size());
}

bool LogSink::write(std::string_view text, const std::function<bool()>& give_up) {
  while (!text.empty()) {
    const long wrote = write_some(text);
    if (wrote >= 0) {
      text.remove_prefix(static_cast<std::size_t>(wrote));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return false;
    if (give_up()) return false;
    pollfd ready{fd_, POLLOUT, 0};
    ::poll(&ready, 1, kStepMs);
  }
  return true;
}

}  // namespace mainstay
