// Growth of memory within one request: which requests made the process much larger.
// Used by api around each request.
//
// Memory belongs to the process, not to a request, and many requests run at once. So this is what
// can be said honestly: the process grew by so much while this request ran, less what other
// requests were already told about, and so many others ran beside it. Growth that was reported once
// is taken off every request that was running then, so the reports never add up to more than the
// process really grew. A request that ran alone is named with certainty; one of fifty is a suspect,
// and the report says so. Memory that was taken and given back within the request is not seen.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/clock.h"

namespace mainstay::resources {

/// Thread-safe, without locks. The resident size is read again at most every 50 ms by whoever asks,
/// so a begin() or end() costs a few atomic operations.
class RequestMemory {
 public:
  using Resident = std::function<std::uint64_t()>;
  /// `resident`: bytes now, thread-safe; `report_above`: growth that is worth a word.
  RequestMemory(Clock& clock, std::uint64_t report_above, Resident resident);

  struct Start {
    std::uint64_t resident = 0;
    std::uint64_t explained = 0;
    std::uint64_t begun = 0;
    std::uint64_t beside = 0;
  };
  struct Report {
    std::uint64_t bytes = 0;
    std::uint64_t beside = 0;  ///< requests that ran for some of the time too; 0: it ran alone
  };
  Start begin() noexcept;
  /// Ends what begin() began, once. Empty: not above the limit.
  std::optional<Report> end(const Start& start) noexcept;

 private:
  std::uint64_t resident_now() noexcept;
  Clock& clock_;
  const std::uint64_t report_above_;
  const Resident resident_;
  std::atomic<std::int64_t> read_at_;
  std::atomic<std::uint64_t> last_{0};
  std::atomic<std::uint64_t> explained_{0};  ///< growth reported so far
  std::atomic<std::uint64_t> begun_{0};
  std::atomic<std::uint64_t> ended_{0};
};

/// Bytes resident now, by <proc>/self/statm; 0 when it cannot be read. Two microseconds or so.
std::uint64_t resident_bytes() noexcept;

}  // namespace mainstay::resources
