// The governor's lists of reactions and its metrics. Used by governor*.cpp alone.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "resources/governor.h"

namespace mainstay::resources {

struct Governor::Reactions {
  struct OnLevel {
    Resource resource;
    std::function<void(Level, Level)> react;
  };
  struct Repeated {
    Resource resource;
    Level at_least;
    Duration period;
    std::function<void()> react;
    std::optional<TimePoint> last;
  };
  struct Pool {
    std::string name;
    std::function<std::uint64_t()> used;
    std::uint64_t max;
  };
  std::vector<OnLevel> levels;
  std::vector<Repeated> repeated;
  std::vector<std::function<void()>> trims;
  std::vector<Pool> pools;
  std::function<std::uint64_t()> connections;
  std::function<Duration()> loop_lag;
};

/// Handles are looked up once. Pressures are read at scrape time from an array that the registry's
/// functions own too, because the registry may live longer than the governor.
struct Governor::Gauges {
  Gauges(Metrics& metrics, const std::vector<DataPath>& paths);
  using Shared = std::array<std::atomic<double>, kResources>;
  std::shared_ptr<Shared> pressure = std::make_shared<Shared>();
  std::shared_ptr<std::atomic<double>> growth = std::make_shared<std::atomic<double>>(0);
  std::array<Gauge*, kResources> level{};
  std::array<Counter*, kResources> switches{};
  std::vector<Gauge*> disk_free;  ///< one for each data path
  Gauge* memory_used = nullptr;
  Gauge* memory_limit = nullptr;
  Gauge* heap = nullptr;
  Gauge* heap_kept = nullptr;
  Gauge* alerts = nullptr;
  Gauge* writes = nullptr;
  Gauge* permits = nullptr;
  Counter* samples = nullptr;
  Counter* trims = nullptr;
};

}  // namespace mainstay::resources
