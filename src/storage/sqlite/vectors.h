// Vectors in knowledge.db, searched through indexes in memory. Used by storage/sqlite/open.cpp.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "storage/sqlite/readers.h"
#include "storage/sqlite/space_index.h"
#include "storage/vectors.h"

namespace mainstay::storage::sqlite {

/// Rows are the truth. An index is read from them by the first search that needs it and kept in
/// step after each commit; whatever row it holds that is gone from the file is noticed when its
/// floats are asked for.
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
  Co<Status> drop(std::int64_t space, Deadline by) override;
  Co<Status> forget(std::vector<std::int64_t> documents, Deadline by) override;
  VectorFigures figures() const override;

 private:
  using Index = std::shared_ptr<SpaceIndex>;
  void unload(std::int64_t space);
  Co<Result<Index>> index_of(std::int64_t space, Deadline by);
  Co<Status> load(Index index, std::int64_t space, Deadline by);
  Co<Status> make_ready(Index index, std::int64_t space, Deadline by);
  Co<Result<std::uint64_t>> put_slice(Index index, std::int64_t space,
                                      std::vector<PackedVector> slice, Deadline by);
  Writer& writer_;
  Readers& readers_;
  Clock& clock_;
  IndexMemory memory_;
  std::int64_t next_number_ = 0;  ///< of a row; the writer's thread alone
  mutable std::mutex mutex_;
  std::map<std::int64_t, Index> indexes_;
  std::atomic<std::uint64_t> searches_{0};
  std::atomic<std::uint64_t> loads_{0};
};

}  // namespace mainstay::storage::sqlite
