// Pings and what follows from their answers.
#include "app/watchdog.h"

#include <algorithm>
#include <boost/asio/post.hpp>

namespace mainstay::app {
namespace {

Duration interval(const WatchdogOptions& options) {
  if (!options.period) return options.every;
  return std::max<Duration>(std::min(options.every, *options.period / 4),
                            std::chrono::milliseconds(10));
}

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

}  // namespace

void Pulse::sent(TimePoint now) noexcept {
  sent_.store(now.time_since_epoch().count(), std::memory_order_release);
}

void Pulse::answered(TimePoint now) noexcept {
  lag_.store(now.time_since_epoch().count() - sent_.load(std::memory_order_relaxed),
             std::memory_order_relaxed);
  answers_.fetch_add(1, std::memory_order_release);
  sent_.store(kNone, std::memory_order_release);
}

Duration Pulse::lag(TimePoint now) const noexcept {
  const Duration last(lag_.load(std::memory_order_relaxed));
  return std::max(last, waited(now));
}

Duration Pulse::waited(TimePoint now) const noexcept {
  const auto sent = sent_.load(std::memory_order_acquire);
  return sent == kNone ? Duration::zero() : Duration(now.time_since_epoch().count() - sent);
}

Watchdog::Watchdog(WatchdogOptions options, Clock& clock, Log& log, Metrics& metrics,
                   const Notify& notify, std::vector<asio::io_context*> loops, OffloadPool& pool)
    : options_(options),
      every_(interval(options)),
      clock_(clock),
      log_(log),
      notify_(notify),
      pool_(pool) {
  const auto watch = [&](const std::string& name, asio::io_context* loop) {
    watched_.push_back({std::make_shared<Pulse>(name), loop});
    const auto read = [pulse = watched_.back().pulse, &clock] {
      return seconds(pulse->lag(clock.now()));
    };
    if (loop != nullptr) {
      metrics.gauge_from("mainstay_loop_lag_seconds",
                         "How long a ready handler waited for its event loop, last measured.",
                         {{"loop", name}}, read);
    } else {
      metrics.gauge_from("mainstay_offload_lag_seconds",
                         "How long a job waited for a thread of the offload pool, last measured.",
                         {}, read);
    }
  };
  for (std::size_t i = 0; i < loops.size(); ++i) watch(std::to_string(i), loops[i]);
  watch("offload", nullptr);
}

Co<> Watchdog::run() {
  auto executor = co_await asio::this_coro::executor;
  auto alarm = clock_.alarm(executor);
  for (;;) {
    beat();
    const TimePoint at = clock_.now() + every_;
    [[maybe_unused]] auto reached = co_await alarm->wait_until(at);
  }
}

void Watchdog::beat() {
  const TimePoint now = clock_.now();
  notify_.alive();
  bool all = true;
  for (auto& watched : watched_) {
    look_after(watched, now);
    all = all && watched.pulse->answers() > watched.told;
  }
  if (all) {
    for (auto& watched : watched_) watched.told = watched.pulse->answers();
    if (options_.period) notify_.watchdog();
  }
  for (auto& watched : watched_) {
    if (!watched.pulse->waiting() || !watched.queued) ping(watched);
  }
}

void Watchdog::ping(Watched& watched) {
  // The answer may come when this object is gone: it holds the pulse, and the clock outlives all.
  auto answer = [pulse = watched.pulse, &clock = clock_] { pulse->answered(clock.now()); };
  if (!watched.pulse->waiting()) watched.pulse->sent(clock_.now());
  if (watched.loop != nullptr) {
    asio::post(*watched.loop, std::move(answer));
  } else {
    // A full queue: the ping counts as waiting, and the next round tries again.
    watched.queued = pool_.submit(std::move(answer));
  }
}

void Watchdog::look_after(Watched& watched, TimePoint now) {
  const Duration lag = watched.pulse->lag(now);
  // Not by its last answer: one that was late and has come says nothing of the ping after it.
  const bool stuck = watched.pulse->waited(now) > options_.stuck_after;
  if (stuck != watched.stuck) {
    if (stuck) {
      log_.error("loop.stuck", {{"loop", watched.pulse->name()}, {"ms", lag}});
    } else {
      log_.warn("loop.back", {{"loop", watched.pulse->name()}, {"ms", lag}});
    }
  }
  watched.stuck = stuck;
}

Duration Watchdog::lag() const noexcept {
  const TimePoint now = clock_.now();
  Duration worst{};
  for (const auto& watched : watched_) {
    if (watched.loop != nullptr) worst = std::max(worst, watched.pulse->lag(now));
  }
  return worst;
}

bool Watchdog::alive() const noexcept {
  const TimePoint now = clock_.now();
  return std::none_of(watched_.begin(), watched_.end(), [&](const Watched& watched) {
    return watched.pulse->waited(now) > options_.stuck_after;
  });
}

}  // namespace mainstay::app
