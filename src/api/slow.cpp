// A bounded list, newest first.
#include "api/slow.h"

#include <algorithm>

namespace mainstay::api {

void SlowRequests::record(SlowRequest request) {
  total_.fetch_add(1, std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  entries_.push_front(std::move(request));
  if (entries_.size() > entries_max_) entries_.pop_back();
}

std::vector<SlowRequest> SlowRequests::recent(std::size_t most) const {
  std::lock_guard lock(mutex_);
  const auto count = std::min(most, entries_.size());
  return {entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace mainstay::api
