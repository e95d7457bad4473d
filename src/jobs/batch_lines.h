// Reading a batch's input line by line from the shelf, block by block.
// Used by jobs (batch_run.cpp).
#pragma once

#include <optional>
#include <string>

#include "storage/shelf.h"

namespace mainstay::jobs {

/// One line that is not blank.
struct InputLine {
  std::string text;          ///< without its line end
  std::uint64_t end = 0;     ///< where the next line begins
  std::uint64_t number = 0;  ///< counted from 1 where the reading began
};

/// Belongs to one coroutine; the shelf outlives it.
class InputLines {
 public:
  InputLines(storage::Shelf& shelf, std::string file, std::uint64_t from, std::size_t line_max)
      : shelf_(shelf), file_(std::move(file)), line_max_(line_max), read_to_(from), at_(from) {}
  /// None at the end. Errors: of Shelf::read(); too_large "line_too_long".
  Co<Result<std::optional<InputLine>>> next(Deadline by);
  std::uint64_t number() const noexcept { return number_; }

 private:
  storage::Shelf& shelf_;
  const std::string file_;
  const std::size_t line_max_;
  std::uint64_t read_to_;  ///< of the file, so far
  std::uint64_t at_;       ///< where the first byte of buffer_[used_] stands in the file
  std::string buffer_;
  std::size_t used_ = 0;
  std::uint64_t number_ = 0;
  bool ended_ = false;
};

}  // namespace mainstay::jobs
