// Face: the bytes of a document that is to be read, wherever they are.
// Implemented in source.cpp (a text in memory, a content of the shelf); used by extract.cpp.
#pragma once

#include <cstdint>
#include <string>

#include "base/co.h"
#include "base/deadline.h"
#include "base/result.h"
#include "storage/shelf.h"

namespace mainstay::knowledge {

/// Used by one coroutine at a time.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::uint64_t size() const noexcept = 0;
  /// Up to `most` bytes from `at` on; empty at the end. Errors: as Shelf::read().
  virtual Co<Result<std::string>> read(std::uint64_t at, std::size_t most, Deadline by) = 0;
  /// For a reader in another process. Errors: as Shelf::open_content(), unsupported where there is
  /// no file.
  virtual Co<Result<storage::OpenContent>> open(Deadline by) = 0;
};

/// A text that a client sent in one piece.
class TextSource final : public ByteSource {
 public:
  explicit TextSource(std::string text) : text_(std::move(text)) {}
  std::uint64_t size() const noexcept override { return text_.size(); }
  Co<Result<std::string>> read(std::uint64_t at, std::size_t most, Deadline by) override;
  Co<Result<storage::OpenContent>> open(Deadline by) override;

 private:
  const std::string text_;
};

/// A content of the shelf, which outlives it.
class ShelfSource final : public ByteSource {
 public:
  ShelfSource(storage::Shelf& shelf, std::string name, std::uint64_t size)
      : shelf_(shelf), name_(std::move(name)), size_(size) {}
  std::uint64_t size() const noexcept override { return size_; }
  Co<Result<std::string>> read(std::uint64_t at, std::size_t most, Deadline by) override;
  Co<Result<storage::OpenContent>> open(Deadline by) override;

 private:
  storage::Shelf& shelf_;
  const std::string name_;
  const std::uint64_t size_;
};

}  // namespace mainstay::knowledge
