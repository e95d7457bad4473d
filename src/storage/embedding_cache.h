// Face: embeddings kept by their content, so that the same text is not embedded twice. Back ends:
// memory, sqlite. Used by models (embeddings) and jobs (embedding_upkeep).
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/co.h"
#include "base/deadline.h"
#include "base/result.h"

namespace mainstay::storage {

/// SHA-256 over all that decides an embedding: text, model, dimension, purpose.
using EmbeddingKey = std::array<std::uint8_t, 32>;

/// The first eight bytes of the text's SHA-256, never 0: what joins a kept embedding of a passage
/// to the vectors of passages with that text.
std::int64_t content_mark(std::string_view text);

struct KeptEmbedding {
  EmbeddingKey key{};
  std::vector<float> values;
  std::int64_t content = 0;  ///< content_mark() of a passage's text; 0: it is no passage's
};

/// A kept embedding of a passage.
struct KeptContent {
  std::int64_t row = 0;
  std::int64_t content = 0;
};

struct KeptContents {
  std::vector<KeptContent> rows;
  std::int64_t upto = 0;  ///< looked at up to this row
  bool last = false;      ///< there are none beyond it
};

/// Keys of one find() or keep().
inline constexpr std::size_t kEmbeddingKeysMax = 4096;

/// Any loop may call; no call blocks it. Errors of all verbs: unavailable, deadline, disk_full,
/// corrupt; a caller does without what it cannot have.
class EmbeddingCache {
 public:
  virtual ~EmbeddingCache() = default;
  /// For each key its floats, where they are kept.
  virtual Co<Result<std::vector<std::optional<std::vector<float>>>>> find(
      std::vector<EmbeddingKey> keys, Deadline by) = 0;
  /// Keeps them; beyond the bounds of VectorLimits the least lately used go, many at once.
  virtual Co<Status> keep(std::vector<KeptEmbedding> embeddings, Deadline by) = 0;
  /// Of the next `limit` rows after `after`, those of passages that nobody used since `since` (to
  /// the hour).
  virtual Co<Result<KeptContents>> contents(std::int64_t after, WallTime since, std::uint32_t limit,
                                            Deadline by) = 0;
  virtual Co<Status> erase(std::vector<std::int64_t> rows, Deadline by) = 0;
};

}  // namespace mainstay::storage
