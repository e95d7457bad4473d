// HTTP/1.1 framing for the bench tools: one incremental reader for requests and replies, and the
// few socket calls that both sides share. Used by upstream.cpp, load.cpp and crowd.cpp alone; it
// trusts its peer (only programs this bench started on 127.0.0.1) and is written to cost far less
// than the servers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mainstay::bench {

/// CLOCK_MONOTONIC in nanoseconds; the same in every process of the machine.
std::int64_t now_ns() noexcept;

/// Reads one HTTP message after another. Body bytes go to the caller in parts, without chunk
/// framing.
class MessageReader {
 public:
  enum class Kind { request, reply };
  explicit MessageReader(Kind kind) noexcept : kind_(kind) {}

  /// Takes bytes until the message ends; returns how many were taken. `sink(std::string_view)` gets
  /// the body. Call restart() after done() before feeding the rest.
  template <class Sink>
  std::size_t feed(std::string_view in, Sink&& sink) {
    std::size_t used = 0;
    while (used < in.size() && state_ != State::done && state_ != State::broken) {
      const auto rest = in.substr(used);
      if (state_ == State::body || state_ == State::chunk || state_ == State::until_close) {
        const auto part =
            rest.substr(0, state_ == State::until_close ? rest.size() : take(rest.size()));
        sink(part);
        used += part.size();
        after_data(part.size());
      } else {
        used += framing(rest);
      }
    }
    return used;
  }

  bool done() const noexcept { return state_ == State::done; }
  bool broken() const noexcept { return state_ == State::broken; }
  /// True when nothing of a message has arrived.
  bool fresh() const noexcept { return state_ == State::head && pending_.empty(); }
  /// End of input: true when that is a legal end of the message.
  bool closed() noexcept;
  bool keep_alive() const noexcept { return keep_alive_; }
  int status() const noexcept { return status_; }  ///< of a reply
  /// What a reply's Retry-After-Ms says; 0: nothing.
  std::int64_t retry_after_ms() const noexcept { return retry_after_ms_; }
  bool is_post() const noexcept { return post_; }  ///< of a request
  /// The path of a request, at most 63 bytes of it.
  std::string_view path() const noexcept { return path_; }
  void restart() noexcept;

 private:
  enum class State { head, body, chunk_size, chunk, chunk_end, trailer, until_close, done, broken };

  std::size_t take(std::size_t available) const noexcept {
    return available < left_ ? available : static_cast<std::size_t>(left_);
  }
  void after_data(std::size_t size) noexcept;
  std::size_t framing(std::string_view in);
  std::size_t read_head(std::string_view in);
  std::size_t read_line(std::string_view in);
  void take_head(std::string_view head);
  void take_line(std::string_view line) noexcept;

  Kind kind_;
  State state_ = State::head;
  std::string pending_;  ///< an unfinished head or framing line
  std::uint64_t left_ = 0;
  std::string path_;
  int status_ = 0;
  std::int64_t retry_after_ms_ = 0;
  bool post_ = false;
  bool keep_alive_ = true;
};

/// Lifts the soft descriptor limit to the hard one; returns the limit.
std::uint64_t lift_descriptor_limit() noexcept;
/// Listens on 127.0.0.1 (port 0 picks one); returns the descriptor and sets `port`. Exits on
/// failure.
int listen_on(std::uint16_t& port);
/// Connects to 127.0.0.1:port, then makes the socket non-blocking. Returns -1 on failure.
int connect_to(std::uint16_t port) noexcept;
/// Non-blocking and without Nagle's delay.
void tune(int fd) noexcept;
/// Prints `what` with errno to standard error and exits with 1.
[[noreturn]] void fail(const char* what);

}  // namespace mainstay::bench
