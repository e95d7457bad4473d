// The stores of one back end, opened and closed together.
// Used by app. Inner rooms provide open functions that return this.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "storage/access_keys.h"
#include "storage/batches.h"
#include "storage/conversations.h"
#include "storage/documents.h"
#include "storage/embedding_cache.h"
#include "storage/files.h"
#include "storage/jobs.h"
#include "storage/leader.h"
#include "storage/replies.h"
#include "storage/signal.h"
#include "storage/uploads.h"
#include "storage/vectors.h"

namespace mainstay::storage {

/// How the database is doing, for /health/ready and metrics.
struct StoreFigures {
  std::uint64_t commits = 0;
  std::uint64_t operations = 0;  ///< written; operations / commits is the group size
  std::uint64_t waiting = 0;     ///< writes queued now
  std::uint64_t failed = 0;
  std::uint32_t readers_max = 0;  ///< connections that read, of all databases together
  std::uint32_t readers_open = 0;
  std::uint32_t readers_busy = 0;
  std::uint64_t reads_waiting = 0;
  std::uint64_t memory = 0;  ///< bytes that the engine of the stores holds, page caches included
  bool writable = true;
  std::string why_not;
  bool lost = false;  ///< the disk failed: only a new process may trust it again
};

/// How long the operations of one kind took, wait included.
struct OperationTiming {
  std::string operation;
  std::uint64_t count = 0;
  double mean_seconds = 0;
  double p50_seconds = 0;  ///< upper bounds of the histogram's buckets
  double p99_seconds = 0;
};

/// One database: its file, its connections, its work. For /admin/database/stats and
/// /health/database.
struct DatabaseFigures {
  std::string name;
  std::uint64_t page_size = 0;
  std::uint64_t pages = 0;       ///< in the file; those in the write-ahead log come on top
  std::uint64_t free_pages = 0;  ///< of these, unused
  std::uint64_t file_bytes = 0;
  std::uint64_t wal_bytes = 0;  ///< size of the log's file; it is reused from its start
  std::uint32_t readers_max = 0;
  std::uint32_t readers_open = 0;
  std::uint32_t readers_busy = 0;
  std::uint64_t reads_waiting = 0;  ///< of all databases: they share the readers' threads
  std::uint64_t writes_waiting = 0;
  std::uint64_t commits = 0;
  std::uint64_t operations = 0;
  std::uint64_t failed = 0;
  std::string why_not;  ///< why nothing can be written; empty while it can
  std::vector<OperationTiming> timings;
};

class Stores {
 public:
  virtual ~Stores() = default;
  virtual Conversations& conversations() = 0;
  virtual Documents& documents() = 0;
  virtual AccessKeys& access_keys() = 0;
  /// A back end without these is never asked for them.
  virtual JobStore& jobs() { return missing<JobStore>(); }
  virtual Signal& signal() { return missing<Signal>(); }
  virtual Leader& leader() { return missing<Leader>(); }
  virtual Replies& replies() { return missing<Replies>(); }
  virtual Files& files() { return missing<Files>(); }
  virtual Uploads& uploads() { return missing<Uploads>(); }
  virtual Batches& batches() { return missing<Batches>(); }
  virtual Vectors& vectors() { return missing<Vectors>(); }
  virtual EmbeddingCache& embedding_cache() { return missing<EmbeddingCache>(); }
  virtual StoreFigures figures() const = 0;
  /// Why jobs cannot be taken or shown now, where they are kept apart from the rest; empty: they
  /// can. Any thread, at once.
  virtual std::string jobs_trouble() const { return {}; }
  /// Each database by itself. Looks at files: from the offload pool.
  virtual std::vector<DatabaseFigures> databases() const { return {}; }
  /// Finishes queued writes, checkpoints, closes. Blocks; call after the loops' work has ended.
  virtual Status close() = 0;

 private:
  template <class Face>
  static Face& missing() {
    Face* face = nullptr;
    CHECK(face != nullptr);
    return *face;
  }
};

}  // namespace mainstay::storage
