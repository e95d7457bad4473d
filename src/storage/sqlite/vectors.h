// Vectors in knowledge.db, searched through indexes in memory. Used by storage/sqlite/open.cpp.
#pragma once

#include "storage/space_index.h"
#include "storage/sqlite/readers.h"
#include "storage/sqlite/vector_rows.h"
#include "storage/vectors.h"

namespace mainstay::storage::sqlite {

/// Rows are the truth; the indexes are read from them.
class SqliteVectors final : public Vectors {
 public:
  SqliteVectors(Writer& writer, Readers& readers, Clock& clock, const VectorLimits& limits);
  Co<Result<std::vector<VectorSpace>>> spaces(Deadline by) override;
  Co<Result<VectorSpace>> make(std::string model, std::uint32_t dimension, Deadline by) override;
  Co<Status> serve(std::int64_t space, Deadline by) override;
  Co<Result<std::uint64_t>> put(std::int64_t space, std::vector<NewVector> vectors,
                                Deadline by) override;
  Co<Result<std::vector<ChunkToEmbed>>> missing(std::int64_t space, std::int64_t after,
                                                std::uint32_t limit, Deadline by) override;
  Co<Result<std::vector<std::vector<VectorHit>>>> search(VectorSearch search, Deadline by) override;
  Co<Result<std::vector<std::int64_t>>> contents_in_use(std::vector<std::int64_t> contents,
                                                        Deadline by) override;
  Co<Status> drop(std::int64_t space, Deadline by) override;
  VectorFigures figures() const override { return indexes_.figures(); }

 private:
  using Index = SpaceIndexes::Index;
  Co<Status> refresh(Index index, std::int64_t space, Deadline by);
  Co<Result<std::uint64_t>> put_slice(Index index, std::int64_t space,
                                      std::vector<PackedVector> slice, Deadline by);
  Writer& writer_;
  Readers& readers_;
  Clock& clock_;
  SpaceIndexes indexes_;
  std::int64_t next_number_ = 0;  ///< of a row; the writer's thread alone
};

}  // namespace mainstay::storage::sqlite
