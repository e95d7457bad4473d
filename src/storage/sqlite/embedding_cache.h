// Kept embeddings in knowledge.db. Used by storage/sqlite/open.cpp.
#pragma once

#include <mutex>
#include <vector>

#include "storage/embedding_cache.h"
#include "storage/sqlite/readers.h"
#include "storage/vectors.h"

namespace mainstay::storage::sqlite {

/// What was used is written down with the next keep(), many at once: a hit costs no commit.
class SqliteEmbeddingCache final : public EmbeddingCache {
 public:
  SqliteEmbeddingCache(Writer& writer, Readers& readers, Clock& clock, const VectorLimits& limits)
      : writer_(writer), readers_(readers), clock_(clock), limits_(limits) {}
  Co<Result<std::vector<std::optional<std::vector<float>>>>> find(std::vector<EmbeddingKey> keys,
                                                                  Deadline by) override;
  Co<Status> keep(std::vector<KeptEmbedding> embeddings, Deadline by) override;
  Co<Result<KeptContents>> contents(std::int64_t after, WallTime since, std::uint32_t limit,
                                    Deadline by) override;
  Co<Status> erase(std::vector<std::int64_t> rows, Deadline by) override;

 private:
  void touch(std::vector<std::int64_t> used);
  std::vector<std::int64_t> touched();
  Writer& writer_;
  Readers& readers_;
  Clock& clock_;
  const VectorLimits limits_;
  std::mutex mutex_;
  std::vector<std::int64_t> touched_;  ///< rows that were used and are not written down as such
};

std::vector<std::string> embedding_queries();

}  // namespace mainstay::storage::sqlite
