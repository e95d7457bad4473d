// The stores of one back end, opened and closed together.
// Used by app. Inner rooms provide open functions that return this.
#pragma once

#include <memory>
#include <string>

#include "storage/conversations.h"
#include "storage/documents.h"

namespace mainstay::storage {

/// How the database is doing, for /health/ready and metrics.
struct StoreFigures {
  std::uint64_t commits = 0;
  std::uint64_t operations = 0;  ///< written; operations / commits is the group size
  std::uint64_t waiting = 0;     ///< writes queued now
  std::uint64_t failed = 0;
  bool writable = true;
  std::string why_not;
};

class Stores {
 public:
  virtual ~Stores() = default;
  virtual Conversations& conversations() = 0;
  virtual Documents& documents() = 0;
  virtual StoreFigures figures() const = 0;
  /// Finishes queued writes, checkpoints, closes. Blocks; call after the loops' work has ended.
  virtual Status close() = 0;
};

}  // namespace mainstay::storage
