// What is remembered of a batch, as it is stored and as clients see it; and the lines of its files.
// Used by jobs (batches.cpp, batch_run.cpp) and api (batches.cpp). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "storage/batches.h"
#include "storage/jobs.h"

namespace mainstay::jobs {

/// In the order of a batch's life; from `failed` on it has ended.
enum class BatchStatus : std::uint8_t {
  validating,
  in_progress,
  finalizing,
  cancelling,
  failed,
  completed,
  expired,
  cancelled,
};
constexpr std::size_t kBatchStatuses = 8;
std::string_view name(BatchStatus status) noexcept;
constexpr bool ended(BatchStatus status) noexcept {
  return status >= BatchStatus::failed;
}

struct BatchRecord {
  BatchStatus status = BatchStatus::validating;
  std::string input_file;
  std::string endpoint;
  std::string window;
  Json metadata;                        ///< null or an object of texts
  std::chrono::seconds output_keep{0};  ///< its files, once they are made; zero: files.keep
  bool documents = true;                ///< whoever ordered it may read documents
  std::string key;                      ///< whose quotas its items take from, beside the owner's
  std::uint64_t tokens_per_minute = 0;  ///< the key's own figures then; 0: the settings'
  std::uint64_t tokens_per_day = 0;
  Json errors = Json::array();  ///< of the input: code, line, message, param
  std::string output_file;      ///< empty: none
  std::string error_file;
  WallTime created{};
  WallTime expires{};
  WallTime since[kBatchStatuses] = {};  ///< when each status began; zero: it did not
  std::uint64_t total = 0;
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;
  /// Progress: so many items have their line, the next one's line begins at `offset` of the input;
  /// the output files are this long, whatever else stands behind.
  std::uint64_t collected = 0;
  std::uint64_t offset = 0;
  std::uint64_t output_bytes = 0;
  std::uint64_t error_bytes = 0;
};

std::string record_text(const BatchRecord& record);
/// Errors: corrupt.
Result<BatchRecord> record_of(const std::string& text);
/// The batch object of OpenAI's API.
Json batch_json(const storage::BatchId& id, const BatchRecord& record);

/// Names of its files; the same whenever they are made.
std::string output_id(const storage::BatchId& id);
std::string error_id(const storage::BatchId& id);

/// One request of the input.
struct BatchLine {
  std::string custom_id;
  std::string url;
  Json body;
};
/// Why a line is refused: a stable code and a sentence.
struct LineFault {
  std::string code;
  std::string message;
  std::string param;
};
/// A line of the input, or what is wrong with it.
struct ReadLine {
  BatchLine line;
  std::optional<LineFault> fault;
};
ReadLine read_line(const std::string& text, std::string_view endpoint);

/// How an item ended, as a line of the output or the error file (with its line end).
struct ItemLine {
  std::string text;
  bool is_error = false;  ///< belongs to the error file
};
/// Of a job that has ended.
ItemLine line_of(const std::string& custom_id, const storage::Job& job);
/// Of an item without a job's end: "batch_expired", "batch_cancelled", or why it was refused.
ItemLine error_line(const storage::BatchId& batch, std::uint64_t index,
                    const std::string& custom_id, const std::string& code,
                    const std::string& message);

}  // namespace mainstay::jobs
