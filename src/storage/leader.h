// Face: one holder at a time for each role, of all processes that share a back end.
// Back ends: memory (embedded: one process), redis.
// Used by jobs for upkeep and batches.
#pragma once

#include <optional>
#include <string>

#include "base/co.h"
#include "base/deadline.h"
#include "base/result.h"

namespace mainstay::storage {

/// Any loop may call; no call blocks it. Errors: unavailable.
class Leader {
 public:
  virtual ~Leader() = default;
  /// Takes the role or keeps it, for `for_how_long` from now; none while another holds it. The
  /// term grows with each change of holder and fences what an earlier one still does.
  virtual Co<Result<std::optional<std::uint64_t>>> hold(std::string role, Duration for_how_long,
                                                        Deadline by) = 0;
  /// Gives it up at once, if it is held here.
  virtual Co<Status> release(std::string role, Deadline by) = 0;
};

}  // namespace mainstay::storage
