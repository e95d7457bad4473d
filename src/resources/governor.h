// The governor: looks at the machine, steps the ladders, tells everybody what to do less of.
// Used by app (samples it, wires reactions), and by every place that sheds work.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/settings.h"
#include "resources/accounts.h"
#include "resources/alerts.h"
#include "resources/disk_reserve.h"
#include "resources/pressure.h"
#include "resources/readings.h"
#include "resources/shed.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::resources {

struct DataPath {
  std::string name;  ///< "data", "log", "tmp"
  std::string path;  ///< a folder that is there
};
struct GovernorParts {
  ResourceSettings settings;
  Roots roots;
  std::vector<DataPath> disks;  ///< the first holds the data: it has the reserve
  std::uint32_t cores = 1;
  ReadDisk read_disk = read_disk_of_system();
  static ReadDisk read_disk_of_system() { return &resources::read_disk; }
};

/// What was seen last, and what follows from it. Immutable.
struct Snapshot {
  Readings readings;
  Pressures pressures{};
  Levels levels{};
  Shedding shedding;
  Accounts accounts;
  ReserveState reserve;
  std::uint64_t samples = 0;
  std::uint64_t switches = 0;  ///< changes of level since the start
};

/// `sample` runs on one thread at a time and blocks for some milliseconds: app calls it each
/// `sample_interval` in the offload pool. Questions are thread-safe; those of the hot path are one
/// relaxed load each. Registration is done before the first sample.
class Governor {
 public:
  Governor(GovernorParts parts, Clock& clock, Log& log, Metrics& metrics);
  ~Governor();
  Governor(const Governor&) = delete;
  Governor& operator=(const Governor&) = delete;

  void sample();

  // The hot path.
  bool sheds(ShedPoint point) const noexcept {
    return ((points_.load(std::memory_order_relaxed) >> static_cast<unsigned>(point)) & 1U) != 0;
  }
  /// 1, 0.5 or 0 of the usual permits.
  double permit_factor() const noexcept { return factor_.load(std::memory_order_relaxed); }
  /// The permits that are left of `usual`: at least one.
  std::uint32_t permits(std::uint32_t usual) const noexcept;
  /// False: refuse what would store something new (507, disk_full); deletes go on.
  bool writes_allowed() const noexcept { return !reserve_ || reserve_->writes_allowed(); }

  /// A write ended with "no space left". Blocks for file operations.
  void write_failed();
  /// Gives free heap back now. Any thread; blocks for some milliseconds.
  void trim();
  std::shared_ptr<const Snapshot> snapshot() const;
  Alerts& alerts() noexcept { return alerts_; }
  MemoryBook& book() noexcept { return book_; }

  // Registration. Functions run on the sampling thread, with no lock held, and must be quick.
  void on_level(Resource resource, std::function<void(Level from, Level to)> react);
  /// Called each `period` while the resource is at `at_least` or worse, first at once.
  void while_at(Resource resource, Level at_least, Duration period, std::function<void()> react);
  /// Called whenever free memory goes back to the system: at the first look, each `trim_interval`,
  /// and when memory's level rises. The calling thread's heap has been trimmed; the function sees
  /// to those of other threads.
  void on_trim(std::function<void()> trim);
  void watch_pool(std::string name, std::function<std::uint64_t()> used, std::uint64_t max);
  void watch_connections(std::function<std::uint64_t()> open);
  void watch_loop_lag(std::function<Duration()> lag);

 private:
  struct Reactions;
  struct Gauges;
  void look(Readings& readings);
  void step_ladders(Snapshot& next, TimePoint now);
  void switched(Resource resource, Level from, Level to, double pressure, const Readings& readings);
  void judge(const Snapshot& now);
  void judge_process(const Snapshot& now);
  void tell(Alerts::Change change, const char* name);
  void show(const Snapshot& now);
  void give_back(const Snapshot& before, const Snapshot& seen, TimePoint now);
  void react(const Snapshot& before, const Snapshot& now, TimePoint at);

  const GovernorParts parts_;
  Clock& clock_;
  Log& log_;
  Alerts alerts_;
  MemoryBook book_;
  GpuSensor gpu_;
  Growth growth_;
  std::unique_ptr<DiskReserve> reserve_;
  std::unique_ptr<Reactions> reactions_;
  std::unique_ptr<Gauges> gauges_;
  std::array<Ladder, kResources> ladders_;
  StallWindow stall_memory_;
  StallWindow stall_io_;
  StallWindow stall_cpu_;
  std::optional<TimePoint> trimmed_;
  std::optional<TimePoint> cpu_at_;
  double cpu_seconds_ = 0;
  Duration loop_lag_before_{};  ///< of the sample before
  std::optional<WriteStop> told_stop_;
  std::atomic<std::uint32_t> points_{0};
  std::atomic<double> factor_{1};
  mutable std::mutex mutex_;  ///< guards snapshot_
  std::shared_ptr<const Snapshot> snapshot_;
};

/// The pressure of each resource that these readings tell; pure. What is not there has none.
Pressures pressures_of(const Readings& readings, const ResourceSettings& settings);
LadderRules rules_of(Resource resource, const ResourceSettings& settings) noexcept;

}  // namespace mainstay::resources
