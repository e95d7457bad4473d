// The caller's side of the libcurl transport: waits for the curl thread's news, gives out the body.
#include "net/client_curl.h"

#include <algorithm>
#include <utility>

#include "net/client_curl_engine.h"

namespace mainstay::net {

CurlTransport::CurlTransport(std::shared_ptr<Budget> budget, Log& log)
    : engine_(std::make_shared<Engine>(std::move(budget), log)) {}

CurlTransport::~CurlTransport() {
  close();
}

void CurlTransport::close() {
  engine_->close();
}

void CurlTransport::trim() {
  engine_->trim();
}

namespace {

/// Takes the transfer off the curl thread when the caller goes before its end.
class Running {
 public:
  Running(std::shared_ptr<CurlTransport::Engine> engine, TransferPtr transfer)
      : engine_(std::move(engine)), transfer_(std::move(transfer)) {}
  Running(Running&&) noexcept = default;
  void wind_up() noexcept { wound_up_ = true; }
  ~Running() {
    if (!transfer_) return;
    {
      std::lock_guard lock(transfer_->mutex);
      if (transfer_->finished) return;
      transfer_->abandoned = true;
      transfer_->wound_up = wound_up_ && !transfer_->paused && transfer_->body.empty();
    }
    if (transfer_->wound_up)
      engine_->wind_up(transfer_);
    else
      engine_->abandon(transfer_);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  CurlTransport::Engine& engine() const noexcept { return *engine_; }
  const TransferPtr& transfer() const noexcept { return transfer_; }

 private:
  std::shared_ptr<CurlTransport::Engine> engine_;
  TransferPtr transfer_;
  bool wound_up_ = false;
};

/// Waits for the transfer's next news; an error when the time is up or the caller cancelled.
Co<Status> news(TransferPtr transfer, std::uint64_t seen, Clock& clock, Deadline phase, Deadline by,
                const char* reason) {
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
  void wind_up() noexcept override { running_.wind_up(); }

  Co<Result<std::string_view>> read(Deadline by) override {
    Transfer& t = *running_.transfer();
    Clock& clock = running_.engine().budget->clock();
    const Deadline phase = Deadline::in(clock, between_);
    piece_.clear();
    while (true) {
      const std::uint64_t seen = t.changed.version();
      const State state = take();
      if (state == State::piece) co_return std::string_view(piece_);
      if (state == State::failed) co_return *t.error;  // set once, before `finished`
      if (state == State::end) co_return std::string_view();
      auto status = co_await news(running_.transfer(), seen, clock, phase, by, "upstream_stalled");
      if (!status.ok()) co_return std::move(status.error());
    }
  }

 private:
  enum class State { piece, failed, end, wait };
  // Swaps the filled buffer for the empty one; a paused transfer goes on.
  State take() {
    Transfer& t = *running_.transfer();
    State state = State::wait;
    bool resume = false;
    {
      std::lock_guard lock(t.mutex);
      std::swap(piece_, t.body);
      resume = std::exchange(t.paused, false);
      if (!piece_.empty())
        state = State::piece;
      else if (t.error)
        state = State::failed;
      else if (t.finished)
        state = State::end;
    }
    if (resume) running_.engine().resume(running_.transfer());
    return state;
  }

  Running running_;
  const Duration between_;
  const CallTimings took_;
  std::string piece_;
};

/// A place in the line for a right to one more connection.
class InLine {
 public:
  explicit InLine(std::shared_ptr<Budget> budget)
      : budget_(std::move(budget)), waiter_(budget_->clock()) {
    waiter_.since = budget_->clock().now();
  }
  ~InLine() {
    budget_->leave(waiter_);
    if (waiter_.slot) budget_->give_back();
  }
  InLine(const InLine&) = delete;
  InLine& operator=(const InLine&) = delete;
  Waiter& waiter() noexcept { return waiter_; }

 private:
  std::shared_ptr<Budget> budget_;
  Waiter waiter_;
};

Error pool_full(const Transfer& t, const char* why) {
  return upstream_error(Errc::unavailable, "upstream_pool_full",
                        t.call.url->authority() + ": " + why);
}

/// Waits for a right to a connection and gives it to the transfer.
Co<Status> stand_in_line(std::shared_ptr<Budget> budget, TransferPtr transfer, Duration queue,
                         Deadline by) {
  InLine place(budget);
  Waiter& waiter = place.waiter();
  const std::uint64_t seen = waiter.woken.version();
  if (!budget->join(waiter)) co_return pool_full(*transfer, "too many calls wait");
  if (!waiter.slot) {
    if (budget->ask_loops) budget->ask_loops();
    const Deadline end = by.sooner(budget->clock().now(), queue);
    [[maybe_unused]] auto woken = co_await waiter.woken.wait(seen, end);
    budget->leave(waiter);
    if (!waiter.slot) co_return pool_full(*transfer, "no connection came free");
  }
  transfer->reserved = std::exchange(waiter.slot, false);
  co_return done();
}

/// Runs the transfer until its head is there.
Co<Status> run_to_head(std::shared_ptr<CurlTransport::Engine> engine, TransferPtr transfer,
                       CallTimers timers, Deadline by) {
  Clock& clock = engine->budget->clock();
  const Deadline phase = Deadline::in(clock, timers.connect + timers.first_byte);
  if (!engine->submit(transfer)) {
    transfer->finished = true;
    if (std::exchange(transfer->reserved, false)) engine->budget->give_back();
    co_return pool_full(*transfer, "too many transfers");
  }
  while (true) {
    const std::uint64_t seen = transfer->changed.version();
    {
      std::lock_guard lock(transfer->mutex);
      if (transfer->head_done) co_return done();
      if (transfer->error) co_return *transfer->error;
    }
    auto status = co_await news(transfer, seen, clock, phase, by, "upstream_first_byte_timeout");
    if (!status.ok()) co_return status;
  }
}

TransferPtr new_transfer(Clock& clock, Call call, const CallTimers& timers) {
  auto transfer = std::make_shared<Transfer>(clock);
  transfer->call = std::move(call);
  transfer->connect_ms = std::max(1L, static_cast<long>(millis(timers.connect)));
  return transfer;
}

Co<Result<std::unique_ptr<Reply>>> send_over(std::shared_ptr<CurlTransport::Engine> engine,
                                             Call call, CallTimers timers, Deadline by) {
  Clock& clock = engine->budget->clock();
  auto transfer = new_transfer(clock, std::move(call), timers);
  CallTimings took;
  for (int attempt = 0;; ++attempt) {
    const TimePoint began = clock.now();
    Running running(engine, transfer);
    auto status = co_await run_to_head(engine, transfer, timers, by);
    if (status.ok()) {
      took.connect = transfer->connect;
      took.reused = transfer->reused;
      took.first_byte = clock.now() - began - took.connect;
      took.at = clock.wall();
      co_return std::make_unique<CurlReply>(std::move(running), timers.between_bytes, took);
    }
    if (!transfer->no_slot || attempt > 0) co_return std::move(status.error());
    // No connection was open for it and the budget is spent: once more with a right of its own.
    transfer = new_transfer(clock, std::move(transfer->call), timers);
    auto granted = co_await stand_in_line(engine->budget, transfer, timers.queue, by);
    took.queue = clock.now() - began;
    if (!granted.ok()) co_return std::move(granted.error());
  }
}

}  // namespace

Co<Result<std::unique_ptr<Reply>>> CurlTransport::send(Call call, CallTimers timers, Deadline by) {
  return send_over(engine_, std::move(call), timers, by);
}

}  // namespace mainstay::net
