// Maintenance: new work is refused with a message, what is under way finishes.
// Used by admission; switched by the admin API.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.h"

namespace mainstay::admission {

/// What callers are told while it lasts.
struct MaintenanceNote {
  std::string message;  ///< empty: a general sentence
  std::chrono::milliseconds retry_after{60'000};
};

/// Thread-safe; a question while it is off costs one load.
class Maintenance {
 public:
  void on(MaintenanceNote note);
  void off();
  /// Empty: off.
  std::optional<MaintenanceNote> note() const;
  /// Whether new work may start. Errors: unavailable "maintenance", with retry_after.
  Status check() const;

 private:
  std::atomic<bool> on_{false};
  mutable std::mutex mutex_;
  MaintenanceNote note_;
};

}  // namespace mainstay::admission
