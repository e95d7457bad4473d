// The record of what administrators changed: one log line each, and the last ones in memory.
// Used by the admin endpoints and by app (reloads that no request asked for).
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "telemetry/log.h"

namespace mainstay::api {

/// One change. `before` and `after` never hold secrets: they name settings, they do not quote them.
struct AuditEntry {
  std::string who;   ///< user, or "signal", "file", "age"
  std::string key;   ///< id of the API key; empty when none
  std::string from;  ///< the client's address; empty when none
  std::string what;  ///< "config.reload", "cache.invalidate", "maintenance.set" …
  std::string before;
  std::string after;
  std::string outcome = "done";  ///< "done", or the error's stable code
  std::string request;           ///< the request's id
  WallTime at{};                 ///< set by record()
  std::uint64_t number = 0;      ///< set by record(); counts from 1, never repeats
};

/// Thread-safe. The log line is written at `warn`, so that the usual levels keep it.
class Audit {
 public:
  Audit(Clock& clock, Log& log, std::size_t entries_max)
      : clock_(clock), log_(log), entries_max_(entries_max) {}
  void record(AuditEntry entry);
  /// The newest first, at most `most`.
  std::vector<AuditEntry> recent(std::size_t most) const;
  std::uint64_t total() const;

 private:
  Clock& clock_;
  Log& log_;
  const std::size_t entries_max_;
  mutable std::mutex mutex_;
  std::uint64_t total_ = 0;
  std::deque<AuditEntry> entries_;
};

}  // namespace mainstay::api
