// The metrics of each operation of a database.
// Used by back ends whose operations take time.
#pragma once

#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "storage/stores.h"
#include "telemetry/metrics.h"

namespace mainstay::storage {

/// Looked up once. Thread-safe.
class VerbFigures {
 public:
  VerbFigures(Metrics& metrics, std::string database)
      : metrics_(metrics), database_(std::move(database)) {}
  /// `verb` is a constant word.
  void finished(const char* verb, Duration took);
  void failed(const std::string& reason);
  /// What was measured so far, by verb.
  std::vector<OperationTiming> timings() const;

 private:
  struct Handles {
    Histogram* seconds = nullptr;
    Counter* total = nullptr;
  };
  Metrics& metrics_;
  const std::string database_;
  mutable std::mutex mutex_;
  std::unordered_map<const char*, Handles> handles_;
};

}  // namespace mainstay::storage
