// POST /v1/analyze: where texts are analysed, and how many at once.
// Used by api and app, which owns it.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/offload.h"

namespace mainstay::api {

/// Outlives the requests that use it. Thread-safe.
struct AnalyzeDesk {
  explicit AnalyzeDesk(OffloadPool& p) : pool(p) {}
  OffloadPool& pool;
  std::atomic<std::uint32_t> running{0};  ///< bounded by analysis.at_once
};

}  // namespace mainstay::api
