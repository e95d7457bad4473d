// Is every loop alive, and how late is it? Pings each event loop and the offload pool, keeps the
// times, and tells the service manager only when all of them answered. Used by app/engine.cpp.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/notify.h"
#include "base/offload.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::app {

/// The pings of one loop or pool. Written by the watchdog and the pinged thread, read by any.
class Pulse {
 public:
  explicit Pulse(std::string name) : name_(std::move(name)) {}
  const std::string& name() const noexcept { return name_; }
  void sent(TimePoint now) noexcept;
  void answered(TimePoint now) noexcept;
  bool waiting() const noexcept { return sent_.load(std::memory_order_acquire) != kNone; }
  /// From ping to answer: of the last one, or of the present one when that is older already.
  Duration lag(TimePoint now) const noexcept;
  /// How long the present ping has been waiting; zero when none is.
  Duration waited(TimePoint now) const noexcept;
  std::uint64_t answers() const noexcept { return answers_.load(std::memory_order_acquire); }

 private:
  static constexpr std::int64_t kNone = INT64_MIN;
  const std::string name_;
  std::atomic<std::int64_t> sent_{kNone};
  std::atomic<std::int64_t> lag_{0};
  std::atomic<std::uint64_t> answers_{0};
};

struct WatchdogOptions {
  Duration every = std::chrono::seconds(1);        ///< between pings
  Duration stuck_after = std::chrono::seconds(5);  ///< then a line is logged
  /// How often the service manager must hear of us; none: nobody waits. Pings come four times as
  /// often.
  std::optional<Duration> period;
};

/// run() lives on the first loop; lag() and alive() are for any thread. What is passed in outlives
/// run(); pings in flight own what they touch.
class Watchdog {
 public:
  Watchdog(WatchdogOptions options, Clock& clock, Log& log, Metrics& metrics, const Notify& notify,
           std::vector<asio::io_context*> loops, OffloadPool& pool);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// Pings until cancelled.
  Co<> run();
  /// The latest event loop: how long a handler that is ready now has to wait, as last measured.
  Duration lag() const noexcept;
  /// No loop and not the pool has kept a ping waiting for longer than `stuck_after`.
  bool alive() const noexcept;
  /// One round: looks at the answers, tells the service manager, pings again. First loop's thread.
  void beat();

 private:
  struct Watched {
    std::shared_ptr<Pulse> pulse;
    asio::io_context* loop = nullptr;  ///< null: the pool
    std::uint64_t told = 0;            ///< answers at the last WATCHDOG=1
    bool queued = true;                ///< the last ping found a place
    bool stuck = false;
  };
  void ping(Watched& watched);
  void look_after(Watched& watched, TimePoint now);

  const WatchdogOptions options_;
  const Duration every_;
  Clock& clock_;
  Log& log_;
  const Notify& notify_;
  OffloadPool& pool_;
  std::vector<Watched> watched_;
};

}  // namespace mainstay::app
