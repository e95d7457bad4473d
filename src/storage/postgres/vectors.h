// Vectors in PostgreSQL, searched through indexes in each process's memory.
// Used by storage/postgres/open.cpp.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "base/ids.h"
#include "base/offload.h"
#include "storage/postgres/client.h"
#include "storage/postgres/space_index.h"
#include "storage/vectors.h"

namespace mainstay::storage::postgres {

/// Rows are the truth. Before each search the index reads what was put since the last one; whatever
/// row it holds that is gone from the table is noticed when its floats are asked for.
class PostgresVectors final : public Vectors {
 public:
  /// References outlive it; the client is closed before this goes.
  PostgresVectors(Client& client, Clock& clock, Random& random, const VectorLimits& limits);
  Co<Result<std::vector<VectorSpace>>> spaces(Deadline by) override;
  Co<Result<VectorSpace>> make(std::string model, std::uint32_t dimension, Deadline by) override;
  Co<Status> serve(std::int64_t space, Deadline by) override;
  Co<Result<std::uint64_t>> put(std::int64_t space, std::vector<NewVector> vectors,
                                Deadline by) override;
  /// Also: unavailable, while another process was given some within the last minute.
  Co<Result<std::vector<ChunkToEmbed>>> missing(std::int64_t space, std::int64_t after,
                                                std::uint32_t limit, Deadline by) override;
  Co<Result<std::vector<std::vector<VectorHit>>>> search(VectorSearch search, Deadline by) override;
  Co<Status> drop(std::int64_t space, Deadline by) override;
  Co<Status> forget(std::vector<std::int64_t> documents, Deadline by) override;
  VectorFigures figures() const override;

 private:
  using Index = std::shared_ptr<SpaceIndex>;
  using Hits = std::vector<std::vector<VectorHit>>;
  struct Scan;
  void unload(std::int64_t space);
  Co<Result<Index>> index_of(std::int64_t space, Deadline by);
  Co<Status> load(Index index, std::int64_t space, Deadline by);
  Co<Status> refresh(Index index, std::int64_t space, Deadline by);
  Co<Status> rank(std::shared_ptr<Scan> scan, std::size_t first, std::size_t count, Deadline by);

  Client& client_;
  Clock& clock_;
  const std::string own_name_;  ///< of this process
  IndexMemory memory_;
  OffloadPool scanners_;
  mutable std::mutex mutex_;
  std::map<std::int64_t, Index> indexes_;
  std::atomic<std::uint64_t> searches_{0};
  std::atomic<std::uint64_t> loads_{0};
};

/// The texts of the queries whose plans a test looks at.
std::vector<std::string> vector_queries();

}  // namespace mainstay::storage::postgres
