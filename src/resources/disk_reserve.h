// The ballast file of one data folder: bytes that are given back when the disk is full, so that
// deletes and the database's checkpoint still find room. Used by the governor.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "config/settings.h"
#include "resources/reserve.h"

namespace mainstay::resources {

/// Thread-safe. `look` and `write_failed` block for file operations: call them off the loops.
class DiskReserve {
 public:
  DiskReserve(std::string folder, const ResourceSettings& settings, Clock& clock);
  /// Steps with what the sensor saw, and makes or gives back the ballast.
  void look(const DiskFigures& disk);
  /// A write ended with "no space left": gives the ballast back at once and turns writes off.
  void write_failed();

  /// For every request: one relaxed load.
  bool writes_allowed() const noexcept { return allowed_.load(std::memory_order_relaxed); }
  ReserveState state() const;
  const std::string& path() const noexcept { return path_; }

 private:
  void perform(ReserveAction action);  ///< needs mutex_
  ReserveEvent make() noexcept;
  void release() noexcept;
  const std::string path_;
  const ResourceSettings settings_;
  Clock& clock_;
  mutable std::mutex mutex_;
  ReserveState state_;
  DiskFigures disk_;
  DiskLimits limits_;
  std::atomic<bool> allowed_{true};
};

}  // namespace mainstay::resources
