// Bytes of a call's body that are not in memory: a file that is sent block by block.
// Implemented by models' inner rooms; used by the client's two transports.
#pragma once

#include <cstdint>
#include <string>

#include "base/co.h"
#include "base/deadline.h"
#include "base/result.h"

namespace mainstay::net {

/// Immutable while a call is under way; read from its start, again when the call is repeated.
class BodySource {
 public:
  virtual ~BodySource() = default;
  virtual std::uint64_t size() const noexcept = 0;
  /// Up to `most` bytes from `at` on, at least one before the end; does not block the loop.
  virtual Co<Result<std::string>> read(std::uint64_t at, std::size_t most, Deadline by) const = 0;
  /// The same at once, on libcurl's thread; how many bytes were read, -1: it failed.
  virtual std::int64_t read_now(std::uint64_t at, char* into, std::size_t most) const noexcept = 0;
};

}  // namespace mainstay::net
