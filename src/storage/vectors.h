// Face: vectors of chunks in spaces (one for each embedding model and dimension), and the search
// for the nearest of them. Back ends: memory, sqlite, postgres.
// Used by knowledge (embeds what is missing, searches) and api (inserts given vectors).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/co.h"
#include "base/deadline.h"
#include "base/result.h"
#include "storage/document_set.h"
#include "storage/documents.h"

namespace mainstay::storage {

/// What the stores allow of vectors; app fills it from [knowledge].
struct VectorLimits {
  std::uint64_t memory = 256ULL << 20;       ///< bytes of all indexes in memory
  std::uint64_t cache_entries = 200'000;     ///< embeddings kept by content
  std::uint64_t cache_bytes = 256ULL << 20;  ///< of their floats
};

inline constexpr std::uint32_t kDimensionMax = 16'384;
inline constexpr std::uint32_t kNearestMax = 1'000;        ///< hits of one query
inline constexpr std::uint32_t kVectorQueriesMax = 1'024;  ///< queries of one search
inline constexpr std::uint32_t kMissingMax = 1'024;

enum class SpaceState : std::uint8_t {
  building,  ///< being filled; searched by nobody yet
  serving,   ///< the one that searches use
  leaving,   ///< being dropped
};
std::string_view name(SpaceState state) noexcept;

/// Models of spaces that clients fill with vectors of their own begin so; nobody else drops them.
inline constexpr std::string_view kGivenPrefix = "given:";

struct VectorSpace {
  std::int64_t number = 0;
  std::string model;  ///< as configured: "provider/model" or a route's name
  std::uint32_t dimension = 0;
  SpaceState state = SpaceState::building;
  std::uint64_t vectors = 0;
};

/// A vector of one chunk, by the chunk's number. Its direction alone is kept: scores are cosines.
struct NewVector {
  std::int64_t chunk = 0;
  std::vector<float> values;
  std::int64_t content = 0;  ///< content_mark() of what was embedded; 0: given by a client
};

/// A chunk that a space has no vector of yet, with what is to be embedded.
struct ChunkToEmbed {
  std::int64_t chunk = 0;
  std::string title;
  std::string heading;
  std::string text;
};

struct VectorHit {
  std::int64_t chunk = 0;
  float score = 0;  ///< cosine, -1 to 1
};

struct VectorSearch {
  std::int64_t space = 0;  ///< 0: the one of `model` and the first query's dimension
  std::string model;
  std::vector<std::vector<float>> queries;  ///< answered in one pass over the vectors
  /// The documents that the caller may see and the filter wants; null: none, so no hits. Rows of
  /// others are left out before anything is scored.
  std::shared_ptr<const DocumentSet> documents;
  std::uint32_t nearest = 10;  ///< hits of each query, at most kNearestMax
};

struct VectorFigures {
  std::uint64_t memory = 0;  ///< bytes that indexes hold
  std::uint64_t memory_max = 0;
  std::uint64_t rows = 0;  ///< in memory, dead ones included
  std::uint64_t dead = 0;
  std::uint64_t searches = 0;
  std::uint64_t loads = 0;  ///< times an index was read from its rows
  std::string kernel;       ///< which instructions the scan uses
};

/// Any loop may call; no call blocks it. Errors of every verb: unavailable, deadline (a write may
/// still happen), disk_full, corrupt, and those named. Chunks have the numbers that Documents
/// gives them (chunk_number); the vectors of a document go with its chunks.
class Vectors {
 public:
  virtual ~Vectors() = default;
  /// By number, the oldest first; at most a few.
  virtual Co<Result<std::vector<VectorSpace>>> spaces(Deadline by) = 0;
  /// The space of model and dimension, made in state `building` when there is none; one that was
  /// leaving is building again. Errors: invalid "vector_dimension".
  virtual Co<Result<VectorSpace>> make(std::string model, std::uint32_t dimension, Deadline by) = 0;
  /// From now on this one serves, and the one before builds (the caller drops it or fills it on).
  /// Errors: not_found "unknown_vector_space".
  virtual Co<Status> serve(std::int64_t space, Deadline by) = 0;
  /// Stores vectors, each in place of the chunk's older one, in commits of bounded size: after an
  /// error some may be stored, and the same call again is safe. Those whose chunk is gone are left
  /// out. After Ok searches see them and they survive a crash. Gives how many were stored.
  /// Errors: not_found "unknown_vector_space"; invalid "vector_dimension", "vector_not_finite".
  virtual Co<Result<std::uint64_t>> put(std::int64_t space, std::vector<NewVector> vectors,
                                        Deadline by) = 0;
  /// Chunks of ready and ingesting documents that lack a vector, by number, after `after`; at
  /// most `limit`. Errors: not_found "unknown_vector_space".
  virtual Co<Result<std::vector<ChunkToEmbed>>> missing(std::int64_t space, std::int64_t after,
                                                        std::uint32_t limit, Deadline by) = 0;
  /// The hits of each query, best first; all vectors of the space are looked at, or it is an error.
  /// Errors: not_found "unknown_vector_space"; invalid "vector_dimension", "vector_not_finite",
  /// "too_many"; unavailable "vector_memory" (the index does not fit knowledge.vector_memory:
  /// search by words instead).
  virtual Co<Result<std::vector<std::vector<VectorHit>>>> search(VectorSearch search,
                                                                 Deadline by) = 0;
  /// Those of the contents (none is 0) that some vector of any space has, in no order.
  virtual Co<Result<std::vector<std::int64_t>>> contents_in_use(std::vector<std::int64_t> contents,
                                                                Deadline by) = 0;
  /// Removes the space and its vectors, in commits of bounded size; after an error it is `leaving`
  /// and the same call goes on. Errors: not_found "unknown_vector_space".
  virtual Co<Status> drop(std::int64_t space, Deadline by) = 0;
  /// Any thread, at once.
  virtual VectorFigures figures() const = 0;
};

/// What every back end says of a wrong argument; nothing when it is right.
Status check_vector(const std::vector<float>& values, std::uint32_t dimension);
Status check_put(const std::vector<NewVector>& vectors, std::uint32_t dimension);
Status check_search(const VectorSearch& search, std::uint32_t dimension);
Status check_dimension(std::uint32_t dimension);
Error unknown_space();
/// The one of `model` and `dimension` that is not being dropped. Errors: not_found
/// "unknown_vector_space"; invalid "vector_dimension" when the model's have another one.
Result<VectorSpace> choose_space(const std::vector<VectorSpace>& spaces, const std::string& model,
                                 std::size_t dimension);

}  // namespace mainstay::storage
