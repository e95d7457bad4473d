// The caller's side of the libcurl transport: waits for the curl thread's news, gives out the body.
#include "net/client_curl.h"

#include <algorithm>
#include <utility>

#include "net/client_curl_engine.h"

namespace mainstay::net {

CurlTransport::CurlTransport(std::shared_ptr<Budget> budget, Log& log)
    : engine_(std::make_shared<Engine>(std::move(budget), log)) {}

CurlTransport::~CurlTransport() { close(); }

void CurlTransport::close() { engine_->close(); }

namespace {

/// Takes the transfer off the curl thread when the caller goes before its end.
class Running {
 public:
  Running(std::shared_ptr<CurlTransport::Engine> engine, TransferPtr transfer)
      : engine_(std::move(engine)), transfer_(std::move(transfer)) {}
  Running(Running&&) noexcept = default;
  ~Running() {
    if (!transfer_) return;
    {
      std::lock_guard lock(transfer_->mutex);
      if (transfer_->finished) return;
      transfer_->abandoned = true;
    }
    engine_->abandon(transfer_);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  CurlTransport::Engine& engine() const noexcept { return *engine_; }
  const TransferPtr& transfer() const noexcept { return transfer_; }

 private:
  std::shared_ptr<CurlTransport::Engine> engine_;
  TransferPtr transfer_;
};

/// Waits for the transfer's next news; an error when the time is up or the caller cancelled.
Co<Status> news(TransferPtr transfer, std::uint64_t seen, Clock& clock, Deadline phase,
                Deadline by, const char* reason) {
  const Deadline end = phase.sooner(by);
  auto woken = co_await transfer->changed.wait(seen, end);
  if (woken) co_return done();
  if (!end.passed(clock.now())) co_return Error::log(Errc::cancelled, "upstream call cancelled");
  co_return upstream_error(Errc::deadline, by.at() <= phase.at() ? "upstream_timeout" : reason,
                           transfer->call.url->authority() + ": " + reason);
}

class CurlReply final : public Reply {
 public:
  CurlReply(Running running, Duration between, const CallTimings& took)
      : running_(std::move(running)), between_(between), took_(took) {}

  int status() const noexcept override { return running_.transfer()->status; }
  std::string_view header(std::string_view name) const noexcept override {
    for (const auto& header : running_.transfer()->headers) {
      if (header.name == name) return header.value;
    }
    return {};
  }
  const CallTimings& timings() const noexcept override { return took_; }

  Co<Result<std::string_view>> read(Deadline by) override {
    Transfer& t = *running_.transfer();
    Clock& clock = running_.engine().budget->clock();
    const Deadline phase = Deadline::in(clock, between_);
    piece_.clear();
    while (true) {
      const std::uint64_t seen = t.changed.version();
      if (take()) co_return std::string_view(piece_);
      {
        std::lock_guard lock(t.mutex);
        if (t.error) co_return *t.error;
        if (t.finished) co_return std::string_view();
      }
      auto status = co_await news(running_.transfer(), seen, clock, phase, by,
                                  "between_bytes_timeout");
      if (!status.ok()) co_return std::move(status.error());
    }
  }

 private:
  // Swaps the filled buffer for the empty one; a paused transfer goes on.
  bool take() {
    Transfer& t = *running_.transfer();
    bool resume = false;
    {
      std::lock_guard lock(t.mutex);
      std::swap(piece_, t.body);
      resume = std::exchange(t.paused, false);
    }
    if (resume) running_.engine().resume(running_.transfer());
    return !piece_.empty();
  }

  Running running_;
  const Duration between_;
  const CallTimings took_;
  std::string piece_;
};

Co<Result<std::unique_ptr<Reply>>> send_over(std::shared_ptr<CurlTransport::Engine> engine,
                                             Call call, CallTimers timers, Deadline by) {
  Clock& clock = engine->budget->clock();
  const TimePoint began = clock.now();
  auto transfer = std::make_shared<Transfer>(clock);
  transfer->call = std::move(call);
  transfer->connect_ms = std::max(1L, static_cast<long>(millis(timers.connect)));
  Running running(engine, transfer);
  if (!engine->submit(transfer)) {
    transfer->finished = true;
    co_return upstream_error(Errc::unavailable, "upstream_pool_full", "too many transfers");
  }
  const Deadline phase = Deadline::in(clock, timers.connect + timers.first_byte);
  while (true) {
    const std::uint64_t seen = transfer->changed.version();
    {
      std::lock_guard lock(transfer->mutex);
      if (transfer->head_done) break;
      if (transfer->error) co_return *transfer->error;
    }
    auto status = co_await news(transfer, seen, clock, phase, by, "upstream_first_byte_timeout");
    if (!status.ok()) co_return std::move(status.error());
  }
  CallTimings took;
  took.connect = transfer->connect;
  took.reused = transfer->reused;
  took.first_byte = clock.now() - began - took.connect;
  co_return std::make_unique<CurlReply>(std::move(running), timers.between_bytes, took);
}

}  // namespace

Co<Result<std::unique_ptr<Reply>>> CurlTransport::send(Call call, CallTimers timers, Deadline by) {
  return send_over(engine_, std::move(call), timers, by);
}

}  // namespace mainstay::net
