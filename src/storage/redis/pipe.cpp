// The life of a connection: connecting, sending, receiving, breaking, and the watch over it.
#include "storage/redis/pipe.h"

#include <algorithm>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>

namespace mainstay::storage::redis {
namespace {

constexpr std::uint32_t kTriesMax = 4;
/// Bytes that are put into one write; the rest follows with the next.
constexpr std::size_t kWriteMax = 1 << 20;

}  // namespace

PipeFigures::PipeFigures(Metrics& m)
    : metrics(m),
      commands(m.counter("mainstay_redis_commands_total", "Commands sent to Redis.")),
      connects(m.counter("mainstay_redis_connects_total", "Connections made to Redis.")),
      breaks(m.counter("mainstay_redis_breaks_total", "Connections to Redis that broke.")),
      up(m.gauge("mainstay_redis_connections", "Connections to Redis that are up.")),
      waiting(m.gauge("mainstay_redis_commands_waiting", "Commands without a reply yet.")),
      latency(m.histogram("mainstay_redis_reply_seconds",
                          "Time from sending a command to its reply; blocking ones left out.")) {}

Counter& PipeFigures::error_of_kind(const std::string& kind) {
  return metrics.counter("mainstay_redis_errors_total", "Error replies of Redis by kind.",
                         {{"kind", kind}});
}

Pipe::Pipe(PipeSetup& setup, Executor executor, std::string name, Push pushed,
           std::function<void()> connected)
    : setup_(setup),
      executor_(executor),
      name_(std::move(name)),
      pushed_(std::move(pushed)),
      connected_(std::move(connected)),
      socket_(executor),
      resolver_(executor),
      retry_(setup.clock.alarm(executor)),
      tick_(setup.clock.alarm(executor)),
      lost_at_(setup.clock.now()) {}

Error Pipe::unavailable() const {
  Error error = Error::say(Errc::unavailable, "redis_unavailable",
                           "The job queue cannot be reached; try again shortly.");
  error.detail = trouble_.detail;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(Deadline(next_try_).left(setup_.clock.now()));
  error.retry_after = std::max(std::chrono::milliseconds(1'000), left);
  return error;
}

void Pipe::send(Call call) {
  const auto now = setup_.clock.now();
  // The breaker: a connection that has been gone for longer than `patience` takes no calls until
  // it is back; the tries to connect are its probes.
  const bool open = !up_ && failures_ > 0 && now - lost_at_ >= Duration(setup_.settings.patience);
  setup_.figures.waiting.add(1);
  if (stopping_ || open) return finish(std::move(call), unavailable());
  if (load() >= setup_.settings.queue_max) {
    return finish(std::move(call),
                  Error::log(Errc::unavailable, "redis: too many commands are waiting"));
  }
  waiting_.push_back(std::move(call));
  flush();
}

void Pipe::finish(Call call, Result<Reply> result) {
  setup_.figures.waiting.add(-1);
  if (call.done) call.done(std::move(result));
}

void Pipe::flush() {
  if (!up_ || writing_ || waiting_.empty()) return;
  const auto now = setup_.clock.now();
  out_.clear();
  while (!waiting_.empty() && out_.size() < kWriteMax) {
    Call call = std::move(waiting_.front());
    waiting_.pop_front();
    if (now >= call.give_up) {
      finish(std::move(call), Error::log(Errc::deadline, "redis: not sent in time"));
      continue;
    }
    call.command.write_to(out_);
    call.sent = now;
    ++call.tries;
    setup_.figures.commands.add();
    if (call.no_reply) {
      setup_.figures.waiting.add(-1);
    } else {
      sent_.push_back(std::move(call));
    }
  }
  if (out_.empty()) return;
  writing_ = true;
  asio::async_write(socket_, asio::buffer(out_),
                    [this, era = era_](error_code failed, std::size_t) { written(failed, era); });
}

void Pipe::written(error_code failed, std::uint64_t era) {
  if (era != era_) return;
  writing_ = false;
  if (failed) {
    error_code ignored;
    socket_.close(ignored);  // the reader finds out and does the rest
    return;
  }
  flush();
}

/// A reply that says that nothing was done, and that another try may do it.
bool Pipe::send_again(Call& call, const Reply& reply) {
  if (!reply.failed() || call.tries >= kTriesMax) return false;
  if (!reply.text.starts_with("NOSCRIPT")) return false;
  for (auto script = setup_.scripts.rbegin(); script != setup_.scripts.rend(); ++script) {
    Call load;
    load.command.add("SCRIPT").add("LOAD").add(*script);
    load.give_up = TimePoint::max();
    setup_.figures.waiting.add(1);
    waiting_.push_front(std::move(load));
  }
  const auto behind = waiting_.begin() + static_cast<std::ptrdiff_t>(setup_.scripts.size());
  waiting_.insert(behind, std::move(call));
  flush();
  return true;
}

void Pipe::take(Reply reply) {
  heard_ = setup_.clock.now();
  setup_.heard = heard_;
  if (reply.failed()) setup_.figures.error_of_kind(kind_of(reply)).add();
  const bool push =
      reply.list() && reply.at(0).kind == Reply::Kind::text && reply.at(0).text != "pong";
  const bool refused = reply.failed() && sent_.empty();  // a call with no_reply
  if (push && reply.at(0).text.ends_with("subscribe")) channels_ = reply.at(2).count();
  if (pushed_ && (push || refused)) return pushed_(std::move(reply));
  if (sent_.empty()) return;
  Call call = std::move(sent_.front());
  sent_.pop_front();
  if (send_again(call, reply)) return;
  if (call.block == Duration::zero()) setup_.figures.latency.observe(heard_ - call.sent);
  if (reply.failed()) {
    // The server became a replica: only a new connection may find the one that takes writes.
    if (reply.text.starts_with("READONLY")) why_ = "it is a replica now";
    const Error error = error_of(reply);
    finish(std::move(call), error);
    if (!why_.empty()) {
      error_code ignored;
      socket_.close(ignored);
    }
    return;
  }
  finish(std::move(call), std::move(reply));
}

Co<> Pipe::serve() {
  while (!stopping_) {
    auto [failed, size] = co_await socket_.async_read_some(asio::buffer(input_), use_co);
    if (failed) {
      if (why_.empty()) why_ = failed.message();
      co_return;
    }
    parser_->feed(std::string_view(input_.data(), size));
    while (true) {
      auto reply = parser_->next();
      if (!reply.ok()) {
        why_ = reply.error().detail;
        co_return;
      }
      if (!*reply) break;
      take(std::move(**reply));
    }
  }
}

void Pipe::lost(const std::string& why) {
  error_code ignored;
  socket_.close(ignored);
  ++era_;
  if (up_) {
    setup_.figures.up.add(-1);
    setup_.figures.breaks.add();
    lost_at_ = setup_.clock.now();
    if (!stopping_) {
      setup_.log.warn("redis.lost", {{"connection", name_}, {"why", why}});
    }
  }
  up_ = false;
  writing_ = false;
  channels_ = 0;
  trouble_ = Error::log(Errc::unavailable, "redis: connection lost: " + why);
  const auto now = setup_.clock.now();
  while (!sent_.empty()) {  // newest first, so that the order stays
    Call call = std::move(sent_.back());
    sent_.pop_back();
    const bool again = call.again && call.tries < kTriesMax && now < call.give_up && !stopping_;
    if (again) {
      waiting_.push_front(std::move(call));
    } else {
      finish(std::move(call), unavailable());
    }
  }
}

void Pipe::refuse_waiting() {
  std::deque<Call> all;
  all.swap(waiting_);
  for (auto& call : all) finish(std::move(call), unavailable());
}

/// Full jitter over a bound that doubles with each failure.
Duration Pipe::pause() {
  const auto first = static_cast<std::uint64_t>(setup_.settings.retry_base.count());
  const auto most = static_cast<std::uint64_t>(setup_.settings.retry_cap.count());
  const std::uint64_t doubled = first << std::min<std::uint32_t>(failures_, 16);
  const std::uint64_t bound = std::max<std::uint64_t>(std::min(doubled, most), 1);
  return std::chrono::milliseconds(setup_.random.below(bound) + 1);
}

Co<> Pipe::run() {
  while (!stopping_) {
    why_.clear();
    parser_ = std::make_unique<Parser>(setup_.settings.reply_max.value);
    opening_by_ = setup_.clock.now() + Duration(setup_.settings.connect_timeout);
    auto connected = co_await connect();
    opening_by_ = TimePoint{};
    if (stopping_) break;
    if (connected.ok()) {
      failures_ = 0;
      refused_ = false;
      up_ = true;
      heard_ = setup_.clock.now();
      setup_.figures.up.add(1);
      setup_.figures.connects.add();
      if (connected_) connected_();
      flush();
      co_await serve();
      const std::string why = why_;
      lost(why);
    } else {
      lost(connected.error().detail);
      trouble_ = connected.error();
      refused_ = trouble_.reason == "redis_misconfigured" || trouble_.code == Errc::denied;
    }
    if (stopping_) break;
    if (!connected.ok()) ++failures_;
    const auto now = setup_.clock.now();
    if (failures_ > 0 && now - lost_at_ >= Duration(setup_.settings.patience)) refuse_waiting();
    next_try_ = now + pause();
    [[maybe_unused]] auto reached = co_await retry_->wait_until(next_try_);
  }
}

/// Closes what has been silent for too long, checks what has been idle, and ends what cannot be
/// sent any more.
Co<> Pipe::watch() {
  const Duration step = std::min(Duration(setup_.settings.reply_timeout) / 4,
                                 Duration(setup_.settings.connect_timeout) / 4);
  while (!stopping_) {
    [[maybe_unused]] auto reached = co_await tick_->wait_until(setup_.clock.now() + step);
    const auto now = setup_.clock.now();
    const bool opening = opening_by_ != TimePoint{} && now >= opening_by_;
    bool silent = false;
    if (up_ && !sent_.empty()) {
      const auto since = std::max(sent_.front().sent, heard_);
      const Duration limit = Duration(setup_.settings.reply_timeout) + sent_.front().block;
      silent = now - since >= limit;
    }
    if (opening || silent) {
      why_ = opening ? "could not connect in time" : "no reply in time";
      error_code ignored;
      socket_.close(ignored);
      resolver_.cancel();
      continue;
    }
    if (!up_ && failures_ > 0 && now - lost_at_ >= Duration(setup_.settings.patience)) {
      refuse_waiting();
    }
    // What subscribes waits for what nobody asked for: that others hear the server says nothing.
    const TimePoint heard = channels_ > 0 ? heard_ : std::max(heard_, setup_.heard);
    if (up_ && sent_.empty() && now - heard >= Duration(setup_.settings.check_interval)) {
      Call ping;
      ping.command.add("PING");
      ping.give_up = now + Duration(setup_.settings.reply_timeout);
      send(std::move(ping));
    }
  }
}

void Pipe::stop() {
  stopping_ = true;
  lost("closed");
  refuse_waiting();
  resolver_.cancel();
  retry_->ring();
  tick_->ring();
}

}  // namespace mainstay::storage::redis
