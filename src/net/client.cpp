// The client: chooses the transport, keeps the loops, gives the figures.
#include "net/client.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

#include <utility>

#include <simdjson.h>

#include "net/client_curl.h"
#include "net/client_plain.h"
#include "net/client_pool.h"

namespace mainstay::net {
namespace {

bool is_loopback(const std::string& host) {
  error_code not_literal;
  const auto address = asio::ip::make_address(host, not_literal);
  return not_literal ? host == "localhost" : address.is_loopback();
}

class PooledClient final : public Client {
 public:
  PooledClient(const UpstreamSettings& settings, Clock& clock, Log& log, Metrics& metrics,
               const std::vector<asio::io_context*>& loops)
      : budget_(std::make_shared<Budget>(settings, clock)), curl_(budget_, log) {
    for (asio::io_context* io : loops) loops_.push_back(std::make_shared<LoopPool>(*io, budget_));
    for (const auto& loop : loops_) {
      std::vector<std::weak_ptr<LoopPool>> peers;
      for (const auto& other : loops_) {
        if (other != loop) peers.push_back(other);
      }
      loop->set_peers(std::move(peers));
    }
    budget_->ask_curl = [this] { curl_.trim(); };
    budget_->ask_loops = [this] {
      for (const auto& loop : loops_) asio::post(loop->io(), [loop] { loop->evict_one(); });
    };
    publish(metrics);
  }
  ~PooledClient() override { close(); }

  Co<Result<std::unique_ptr<Reply>>> send(Call call, CallTimers timers, Deadline by) override {
    budget_->requests.fetch_add(1, std::memory_order_relaxed);
    if (budget_->closed()) {
      return refused(
          upstream_error(Errc::unavailable, "upstream_pool_full", "the client is closed"));
    }
    if (call.public_only ? call.url->scheme == "https" : over_curl(*call.url)) {
      if (by.passed(budget_->clock().now())) return refused(no_time_left());
      return curl_.send(std::move(call), timers, by);
    }
    return send_plain(loops_, std::move(call), timers, by);
  }

  ClientFigures figures() const override { return budget_->figures(); }

  void close() override {
    if (budget_->closed()) return;
    budget_->close();
    for (const auto& loop : loops_) {
      asio::post(loop->io(), [loop] { loop->close_idle(); });
    }
    curl_.close();
  }

 private:
  bool over_curl(const Url& url) const {
    if (url.scheme == "https") return true;
    return !budget_->settings().proxy.empty() && !is_loopback(url.host);
  }

  static Co<Result<std::unique_ptr<Reply>>> refused(Error error) { co_return error; }

  void publish(Metrics& metrics) {
    using Figure = std::uint64_t ClientFigures::*;
    const auto read = [budget = budget_](Figure figure) {
      return [budget, figure] { return static_cast<double>(budget->figures().*figure); };
    };
    metrics.gauge_from("mainstay_upstream_clients_created", "HTTP clients made since the start.",
                       {}, read(&ClientFigures::clients_created));
    metrics.counter_from("mainstay_upstream_requests_total", "Calls to providers.", {},
                         read(&ClientFigures::requests));
    metrics.counter_from("mainstay_upstream_connections_created_total",
                         "Connections opened to providers.", {},
                         read(&ClientFigures::connections_created));
    metrics.counter_from("mainstay_upstream_connections_reused_total",
                         "Calls answered over a connection that was open already.", {},
                         read(&ClientFigures::connections_reused));
    metrics.gauge_from("mainstay_upstream_connections_open", "Connections open to providers.", {},
                       read(&ClientFigures::open));
    metrics.gauge_from("mainstay_upstream_connections_idle", "Connections kept alive for later.",
                       {}, read(&ClientFigures::idle));
    metrics.gauge_from("mainstay_upstream_connections_waiting", "Calls waiting for a connection.",
                       {}, read(&ClientFigures::waiting));
  }

  const std::shared_ptr<Budget> budget_;
  CurlTransport curl_;
  std::vector<std::shared_ptr<LoopPool>> loops_;
};

}  // namespace

std::unique_ptr<Client> make_client(const UpstreamSettings& settings, Clock& clock, Log& log,
                                    Metrics& metrics, std::vector<asio::io_context*> loops) {
  return std::make_unique<PooledClient>(settings, clock, log, metrics, loops);
}

Co<Result<std::string>> read_all(Reply& reply, Bytes max, Deadline by) {
  std::string body;
  while (true) {
    auto piece = co_await reply.read(by);
    if (!piece.ok()) co_return std::move(piece.error());
    if (piece->empty()) {
      body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
      co_return body;
    }
    if (piece->size() > max.value - body.size()) {
      co_return upstream_error(Errc::bad_upstream, "upstream_too_large", "reply above its limit");
    }
    body.append(*piece);
  }
}

}  // namespace mainstay::net
