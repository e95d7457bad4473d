// HTTP/1.1 framing and socket calls of the bench tools; see wire.h.
#include "wire.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace mainstay::bench {
namespace {

bool same_word(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view trimmed(std::string_view s) noexcept {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\r')) s.remove_suffix(1);
  return s;
}

sockaddr_in loopback(std::uint16_t port) noexcept {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

std::int64_t now_ns() noexcept {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

void MessageReader::restart() noexcept {
  state_ = State::head;
  pending_.clear();
  left_ = 0;
  status_ = 0;
  retry_after_ms_ = 0;
  keep_alive_ = true;
}

bool MessageReader::closed() noexcept {
  if (state_ == State::until_close) state_ = State::done;
  return state_ == State::done || fresh();
}

void MessageReader::after_data(std::size_t size) noexcept {
  if (state_ == State::until_close) return;
  left_ -= size;
  if (left_ == 0) state_ = state_ == State::body ? State::done : State::chunk_end;
}

std::size_t MessageReader::framing(std::string_view in) {
  return state_ == State::head ? read_head(in) : read_line(in);
}

std::size_t MessageReader::read_head(std::string_view in) {
  if (pending_.empty()) {
    const auto end = in.find("\r\n\r\n");
    if (end != in.npos) {
      take_head(in.substr(0, end + 2));
      return end + 4;
    }
    pending_.assign(in);
    return in.size();
  }
  // The end may lie across the seam, so look again from three bytes before it.
  const auto before = pending_.size();
  pending_.append(in);
  const auto end = pending_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  if (end == std::string::npos) return in.size();
  const auto used = end + 4 - before;
  take_head(std::string_view(pending_).substr(0, end + 2));
  pending_.clear();
  return used;
}

void MessageReader::take_head(std::string_view head) {
  const auto first = head.find("\r\n");
  const auto line = head.substr(0, first);
  if (kind_ == Kind::reply) {
    if (line.size() >= 12) std::from_chars(line.data() + 9, line.data() + 12, status_);
  } else {
    const auto space = line.find(' ');
    const auto path_end = line.find(' ', space + 1);
    post_ = line.starts_with("POST ");
    path_.assign(line.substr(space + 1, path_end - space - 1).substr(0, 63));
  }
  bool chunked = false;
  bool sized = false;
  for (auto rest = head.substr(first + 2); !rest.empty();) {
    const auto end = rest.find("\r\n");
    const auto field = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    const auto colon = field.find(':');
    if (colon == field.npos) continue;
    const auto name = field.substr(0, colon);
    // Only four names matter; their lengths dismiss nearly all others without a comparison.
    if (name.size() == 14 && same_word(name, "content-length")) {
      const auto value = trimmed(field.substr(colon + 1));
      std::from_chars(value.data(), value.data() + value.size(), left_);
      sized = true;
    } else if (name.size() == 14 && same_word(name, "retry-after-ms")) {
      const auto value = trimmed(field.substr(colon + 1));
      std::from_chars(value.data(), value.data() + value.size(), retry_after_ms_);
    } else if (name.size() == 17 && same_word(name, "transfer-encoding")) {
      chunked = same_word(trimmed(field.substr(colon + 1)), "chunked");
    } else if (name.size() == 10 && same_word(name, "connection")) {
      keep_alive_ = !same_word(trimmed(field.substr(colon + 1)), "close");
    }
  }
  if (chunked) {
    state_ = State::chunk_size;
  } else if (sized || kind_ == Kind::request) {
    state_ = left_ == 0 ? State::done : State::body;
  } else {
    state_ = status_ == 204 || status_ == 304 ? State::done : State::until_close;
    keep_alive_ = false;
  }
}

std::size_t MessageReader::read_line(std::string_view in) {
  const auto end = in.find('\n');
  if (end == in.npos) {
    pending_.append(in);
    return in.size();
  }
  if (pending_.empty()) {
    take_line(trimmed(in.substr(0, end)));
  } else {
    pending_.append(in.substr(0, end));
    take_line(trimmed(pending_));
    pending_.clear();
  }
  return end + 1;
}

void MessageReader::take_line(std::string_view line) noexcept {
  if (state_ == State::chunk_end) {
    state_ = State::chunk_size;
  } else if (state_ == State::trailer) {
    if (line.empty()) state_ = State::done;
  } else {
    left_ = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), left_, 16);
    if (error != std::errc{})
      state_ = State::broken;
    else
      state_ = left_ == 0 ? State::trailer : State::chunk;
  }
}

std::uint64_t lift_descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

void tune(int fd) noexcept {
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int listen_on(std::uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  const int one = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  auto address = loopback(port);
  socklen_t size = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) fail("bind");
  if (::listen(fd, 4096) != 0) fail("listen");
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  tune(fd);
  return fd;
}

int connect_to(std::uint16_t port) noexcept {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  auto address = loopback(port);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd);
    return -1;
  }
  tune(fd);
  return fd;
}

void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

}  // namespace mainstay::bench
