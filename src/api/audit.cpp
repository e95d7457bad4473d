// Writing and keeping of audit entries.
#include "api/audit.h"

#include <algorithm>

namespace mainstay::api {

void Audit::record(AuditEntry entry) {
  entry.at = clock_.wall();
  std::lock_guard lock(mutex_);
  entry.number = ++total_;
  log_.warn("audit", {{"number", entry.number},
                      {"who", entry.who},
                      {"key", entry.key},
                      {"from", entry.from},
                      {"what", entry.what},
                      {"before", entry.before},
                      {"after", entry.after},
                      {"outcome", entry.outcome},
                      {"id", entry.request}});
  entries_.push_front(std::move(entry));
  if (entries_.size() > entries_max_) entries_.pop_back();
}

std::vector<AuditEntry> Audit::recent(std::size_t most) const {
  std::lock_guard lock(mutex_);
  const auto count = std::min(most, entries_.size());
  return {entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(count)};
}

std::uint64_t Audit::total() const {
  std::lock_guard lock(mutex_);
  return total_;
}

}  // namespace mainstay::api
