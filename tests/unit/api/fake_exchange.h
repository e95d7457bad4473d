// A request and its reply without a socket: what the api did with them can be read afterwards.
// Used by the api's tests.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "net/server.h"

namespace mainstay::api::test {

/// What a client sends. Texts live as long as this.
struct Sent {
  std::string method = "GET";
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string peer = "127.0.0.1";

  Sent& with(std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
    return *this;
  }
};

class FakeExchange final : public net::Exchange {
 public:
  FakeExchange(Sent sent, TimePoint received) : sent_(std::move(sent)) {
    for (const auto& [name, value] : sent_.headers) views_.push_back({name, value});
    head_.method = sent_.method;
    head_.target = sent_.target;
    const std::string_view target = sent_.target;
    const auto mark = target.find('?');
    head_.path = target.substr(0, mark);
    if (mark != std::string_view::npos) head_.query = target.substr(mark + 1);
    head_.headers = views_;
    head_.host = head_.header("host");
    if (!sent_.body.empty()) head_.content_length = sent_.body.size();
    head_.peer = asio::ip::make_address(sent_.peer);
    head_.received = received;
  }

  const net::RequestHead& head() const noexcept override { return head_; }
  Co<Result<std::string>> read_body(Bytes max, Deadline) override {
    ++body_reads;
    if (body_error) co_return *body_error;
    if (sent_.body.size() > max.value) {
      co_return Error::say(Errc::too_large, "body_too_large", "The body is too large.");
    }
    std::string read = std::exchange(sent_.body, {});
    read.reserve(read.size() + 64);
    co_return read;
  }
  Co<Status> reply(net::Response response) override {
    ++replies;
    started_ = true;
    if (gone) co_return left();
    status = response.status;
    content_type = response.content_type;
    headers = response.headers.text();
    body = std::move(response.body);
    co_return done();
  }
  Co<Result<std::string>> read_piece(Bytes max, Deadline by) override {
    if (body_reads > 0) co_return std::string();
    auto whole = co_await read_body(max, by);
    co_return whole;
  }
  Co<Status> begin(net::Response head) override {
    ++replies;
    started_ = true;
    if (gone || goes_after == 0) co_return left();
    status = head.status;
    content_type = head.content_type;
    headers = head.headers.text();
    pieces.push_back(std::move(head.body));
    co_return done();
  }
  Co<Status> write(const std::string& piece) override {
    if (slow != nullptr) {
      [[maybe_unused]] auto taken = co_await sleep(*slow, std::chrono::seconds(1));
    }
    if (gone || pieces.size() >= goes_after) co_return left();
    pieces.push_back(piece);
    co_return done();
  }
  Co<Status> finish() override {
    finished = true;
    co_return done();
  }
  Co<Result<net::WebSocket*>> upgrade(net::HeaderLines lines) override {
    if (upgrade_error || socket == nullptr) {
      co_return upgrade_error.value_or(Error::log(Errc::invalid, "no socket is scripted"));
    }
    started_ = true;
    status = 101;
    headers = lines.text();
    co_return socket;
  }
  void allow(TimePoint until) override { allowed = until; }
  void abort() override { aborted = true; }
  bool started() const noexcept override { return started_; }
  const std::shared_ptr<Hold>& hold() const noexcept override { return hold_; }

  /// Value of a reply's header; "absent" when it is not there.
  std::string header(const std::string& name) const {
    const auto at = ("\r\n" + headers).find("\r\n" + name + ": ");
    if (at == std::string::npos) return "absent";
    const auto value = at + name.size() + 2;
    return headers.substr(value, headers.find("\r\n", value) - value);
  }
  std::string streamed() const {
    std::string out;
    for (const auto& piece : pieces) out += piece;
    return out;
  }

  std::optional<Error> body_error;
  std::optional<Error> upgrade_error;
  net::WebSocket* socket = nullptr;   ///< what upgrade() gives; lives as long as the exchange
  std::size_t goes_after = SIZE_MAX;  ///< pieces the client takes before it goes
  Clock* slow = nullptr;              ///< set: each write but the first takes a second
  bool gone = false;
  bool stalls = false;  ///< writes fail though the client is there: a reader that takes nothing
  int cancelled = 0;    ///< times the hold asked for the work's end
  int body_reads = 0;
  int replies = 0;
  int status = 0;
  std::string content_type;
  std::string headers;
  std::string body;
  std::vector<std::string> pieces;
  bool finished = false;
  bool aborted = false;
  std::optional<TimePoint> allowed;  ///< the last allow()

 private:
  Error left() {
    gone = true;
    if (!stalls) hold_->client_gone();
    return Error::log(Errc::cancelled, "the client has gone");
  }
  Sent sent_;
  std::vector<net::HeaderView> views_;
  net::RequestHead head_;
  bool started_ = false;
  std::shared_ptr<Hold> hold_ = std::make_shared<Hold>([this] { ++cancelled; });
};

}  // namespace mainstay::api::test
