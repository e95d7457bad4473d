// Vectors in PostgreSQL, searched through indexes in each process's memory.
// Used by storage/postgres/open.cpp.
#pragma once

#include <memory>

#include "base/ids.h"
#include "base/offload.h"
#include "storage/postgres/client.h"
#include "storage/space_index.h"
#include "storage/vectors.h"

namespace mainstay::storage::postgres {

/// Rows are the truth; the indexes are read from them.
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
  Co<Result<std::vector<std::int64_t>>> contents_in_use(std::vector<std::int64_t> contents,
                                                        Deadline by) override;
  Co<Status> drop(std::int64_t space, Deadline by) override;
  VectorFigures figures() const override { return indexes_.figures(); }

 private:
  using Index = SpaceIndexes::Index;
  using Hits = std::vector<std::vector<VectorHit>>;
  struct Scan;
  Co<Status> refresh(Index index, std::int64_t space, Deadline by);
  Co<Status> rank(std::shared_ptr<Scan> scan, std::size_t first, std::size_t count, Deadline by);

  Client& client_;
  Clock& clock_;
  const std::string own_name_;  ///< of this process
  SpaceIndexes indexes_;
  OffloadPool scanners_;
};

/// The texts of the queries whose plans a test looks at.
std::vector<std::string> vector_queries();

}  // namespace mainstay::storage::postgres
