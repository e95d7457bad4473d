// Statements over the rows of vectors: one function for each thing to do, on the writer or on a
// reader. Used by vectors.cpp alone. All may throw Failure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/sqlite/connection.h"
#include "storage/vector_scan.h"
#include "storage/vectors.h"

namespace mainstay::storage::sqlite {

/// A vector on its way to the disk.
struct PackedVector {
  std::int64_t chunk = 0;
  std::string code;           ///< pack(Code)
  std::vector<float> floats;  ///< of unit length
  std::int64_t content = 0;
};

/// What a put changed.
struct PutRows {
  std::uint64_t stored = 0;            ///< those whose chunk exists
  std::vector<std::int64_t> replaced;  ///< numbers that are no more; sorted
};

/// Rows of one space, for its index.
struct LoadedRows {
  struct Row {
    std::int64_t number = 0;
    std::int64_t chunk = 0;
    std::string code;
  };
  std::vector<Row> rows;
  std::int64_t upto = 0;     ///< these are all up to this number …
  bool last = false;         ///< … and there are none beyond it now
  std::uint64_t stored = 0;  ///< vectors of the space
};

struct Ranked {
  std::vector<std::vector<VectorHit>> hits;
  std::vector<std::int64_t> lost;  ///< numbers of candidates that have no row; sorted
};

std::vector<VectorSpace> read_spaces(Connection& db);
std::optional<VectorSpace> read_space(Connection& db, std::int64_t space);
Result<VectorSpace> make_space(Connection& db, const std::string& model, std::uint32_t dimension);
Status serve_space(Connection& db, std::int64_t space);
/// Errors: not_found "unknown_vector_space", also for one that is leaving.
Result<PutRows> put_rows(Connection& db, std::int64_t space,
                         const std::vector<PackedVector>& vectors, std::int64_t& next_number);
/// One slice of the chunks after `after`: those that lack a vector, at most `limit`.
struct MissingRows {
  std::vector<ChunkToEmbed> chunks;
  std::int64_t upto = 0;  ///< looked at up to this chunk
  bool last = false;      ///< there are no chunks beyond it
};
Result<MissingRows> missing_rows(Connection& db, std::int64_t space, std::int64_t after,
                                 std::uint32_t limit);
/// Errors: not_found "unknown_vector_space", also for one that is leaving.
Result<LoadedRows> load_rows(Connection& db, std::int64_t space, std::int64_t after,
                             std::size_t limit);
/// Exact scores of the candidates of each query, the `nearest` best of them.
Ranked rank_rows(Connection& db, const std::vector<std::vector<float>>& queries,
                 const std::vector<std::vector<Candidate>>& candidates, std::uint32_t nearest);
/// Those of them that some vector has.
std::vector<std::int64_t> contents_of_vectors(Connection& db,
                                              const std::vector<std::int64_t>& contents);
/// Marks the space as leaving and removes a slice of its rows with chunks after `after`; gives
/// where the next slice begins. nullopt: that was all, and the space is gone. Errors: not_found.
Result<std::optional<std::int64_t>> drop_slice(Connection& db, std::int64_t space,
                                               std::int64_t after);

/// The texts of the queries whose plans a test looks at.
std::vector<std::string> vector_queries();

}  // namespace mainstay::storage::sqlite
