// Face: embeddings kept by their content, so that the same text is not embedded twice. Back ends:
// memory, sqlite. Used by models (embeddings).
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/co.h"
#include "base/deadline.h"
#include "base/result.h"

namespace mainstay::storage {

/// SHA-256 over all that decides an embedding: text, model, dimension, purpose.
using EmbeddingKey = std::array<std::uint8_t, 32>;

struct KeptEmbedding {
  EmbeddingKey key{};
  std::vector<float> values;
};

/// Keys of one find() or keep().
inline constexpr std::size_t kEmbeddingKeysMax = 4096;

/// Any loop may call; no call blocks it. Errors of both verbs: unavailable, deadline, disk_full,
/// corrupt; a caller does without what it cannot have.
class EmbeddingCache {
 public:
  virtual ~EmbeddingCache() = default;
  /// For each key its floats, where they are kept.
  virtual Co<Result<std::vector<std::optional<std::vector<float>>>>> find(
      std::vector<EmbeddingKey> keys, Deadline by) = 0;
  /// Keeps them; beyond the bounds of VectorLimits the least lately used go, many at once.
  virtual Co<Status> keep(std::vector<KeptEmbedding> embeddings, Deadline by) = 0;
};

}  // namespace mainstay::storage
