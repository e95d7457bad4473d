// A net::Client that plays scripted replies in pieces and keeps what it was sent, for the
// providers' tests: no socket, no thread, everything answers at once.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/text.h"
#include "net/client.h"

namespace mainstay::net {

/// What one call is answered with.
struct Script {
  int status = 200;
  std::map<std::string, std::string> headers = {};  ///< names in lower case
  std::vector<std::string> pieces = {};
  std::optional<Error> instead = std::nullopt;  ///< send() fails with this
  std::optional<Error> at_end = std::nullopt;   ///< read() fails with this after the pieces
  WallTime at{};                                ///< when it came
};

/// A reply of these bytes, cut every `step` bytes (0: one piece).
inline Script script(std::string content_type, const std::string& body, std::size_t step = 0,
                     int status = 200) {
  Script out;
  out.status = status;
  out.headers["content-type"] = std::move(content_type);
  if (step == 0) step = body.size() + 1;
  for (std::size_t at = 0; at < body.size(); at += step)
    out.pieces.push_back(body.substr(at, step));
  return out;
}

/// What a provider sent.
struct Sent {
  std::string method;
  std::string address;  ///< scheme, host, port and target
  std::string headers;  ///< lines
  std::string body;
  CallTimers timers;
  bool has(std::string_view line) const { return headers.find(line) != std::string::npos; }
};

class FakeClient final : public Client {
 public:
  std::deque<Script> scripts;  ///< one for each call, in order
  std::vector<Sent> sent;
  int open = 0;      ///< replies not destroyed yet
  int wound_up = 0;  ///< replies whose caller had all it needs

  Co<Result<std::unique_ptr<Reply>>> send(Call call, CallTimers timers, Deadline) override {
    Sent was;
    was.method = call.method;
    was.address = call.url->scheme + "://" + call.url->authority() + call.target;
    was.headers = call.headers.text();
    was.body = call.body;
    was.timers = timers;
    sent.push_back(std::move(was));
    if (scripts.empty()) co_return Error::log(Errc::internal, "no script left");
    Script next = std::move(scripts.front());
    scripts.pop_front();
    if (next.instead) co_return *next.instead;
    std::unique_ptr<Reply> reply = std::make_unique<Played>(std::move(next), *this);
    co_return reply;
  }
  ClientFigures figures() const override { return {}; }
  void close() override {}

 private:
  class Played final : public Reply {
   public:
    Played(Script script, FakeClient& client) : script_(std::move(script)), client_(client) {
      ++client_.open;
      timings_.queue = std::chrono::milliseconds(1);
      timings_.connect = std::chrono::milliseconds(2);
      timings_.first_byte = std::chrono::milliseconds(3);
      timings_.at = script_.at;
    }
    ~Played() override { --client_.open; }
    int status() const noexcept override { return script_.status; }
    std::string_view header(std::string_view name) const noexcept override {
      const auto found = script_.headers.find(std::string(name));
      return found == script_.headers.end() ? std::string_view() : found->second;
    }
    Co<Result<std::string_view>> read(Deadline) override {
      held_.reset();  // what was given out before dies here, as a real buffer would be written over
      if (at_ < script_.pieces.size()) {
        held_ = std::make_unique<std::string>(script_.pieces[at_++]);
        co_return std::string_view(*held_);
      }
      if (script_.at_end) co_return *script_.at_end;
      co_return std::string_view();
    }
    void wind_up() noexcept override { ++client_.wound_up; }
    const CallTimings& timings() const noexcept override { return timings_; }

   private:
    Script script_;
    FakeClient& client_;
    std::size_t at_ = 0;
    std::unique_ptr<std::string> held_;
    CallTimings timings_;
  };
};

/// Runs a coroutine that needs nobody else to its end.
template <class T>
T run(Co<T> work) {
  asio::io_context io;
  std::optional<T> out;
  asio::co_spawn(io, std::move(work), [&](std::exception_ptr thrown, T value) {
    if (thrown) std::rethrow_exception(thrown);
    out.emplace(std::move(value));
  });
  io.run();
  return std::move(*out);
}

}  // namespace mainstay::net
