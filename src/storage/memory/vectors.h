// Vectors in plain containers, compared one by one: the oracle of the SQLite ones.
// Used by storage/memory/open.cpp.
#pragma once

#include <map>
#include <mutex>

#include "storage/embedding_cache.h"
#include "storage/vectors.h"

namespace mainstay::storage::memory {

class MemoryDocuments;

/// Thread-safe; no call waits. The vectors of chunks that are gone go when a verb meets them.
class MemoryVectors final : public Vectors {
 public:
  explicit MemoryVectors(const MemoryDocuments& documents) : documents_(documents) {}
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
  VectorFigures figures() const override;

 private:
  struct Space {
    std::string model;
    std::uint32_t dimension = 0;
    SpaceState state = SpaceState::building;
    struct Stored {
      std::vector<float> values;
      std::int64_t content = 0;
    };
    std::map<std::int64_t, Stored> vectors;  ///< by chunk
  };
  VectorSpace shown(std::int64_t number, Space& space);
  void purge(Space& space);
  const MemoryDocuments& documents_;
  mutable std::mutex mutex_;
  std::map<std::int64_t, Space> spaces_;
  std::int64_t next_ = 1;
};

/// Thread-safe; no call waits.
class MemoryEmbeddingCache final : public EmbeddingCache {
 public:
  MemoryEmbeddingCache(Clock& clock, const VectorLimits& limits) : clock_(clock), limits_(limits) {}
  Co<Result<std::vector<std::optional<std::vector<float>>>>> find(std::vector<EmbeddingKey> keys,
                                                                  Deadline by) override;
  Co<Status> keep(std::vector<KeptEmbedding> embeddings, Deadline by) override;
  Co<Result<KeptContents>> contents(std::int64_t after, WallTime since, std::uint32_t limit,
                                    Deadline by) override;
  Co<Status> erase(std::vector<std::int64_t> rows, Deadline by) override;

 private:
  struct Kept {
    std::vector<float> values;
    std::int64_t content = 0;
    std::int64_t row = 0;
    std::uint64_t used = 0;  ///< the how manieth use
    WallTime used_at{};
  };
  using All = std::map<EmbeddingKey, Kept>;
  All::iterator remove(All::iterator at);
  Clock& clock_;
  const VectorLimits limits_;
  std::mutex mutex_;
  All all_;
  std::int64_t last_row_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t uses_ = 0;
};

}  // namespace mainstay::storage::memory
