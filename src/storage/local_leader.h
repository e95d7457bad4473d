// Leader within one process: a table of roles and the moments until which they are held.
// Used by the embedded back ends, where the one process holds every role it asks for.
#pragma once

#include <map>
#include <mutex>

#include "base/clock.h"
#include "storage/leader.h"

namespace mainstay::storage {

/// Who holds what. Shared by the LocalLeaders of one process, and outlives them. Thread-safe.
/// At most kRolesMax roles are known at once; what is asked for beyond gets unavailable.
class LocalRoles {
 public:
  static constexpr std::size_t kRolesMax = 256;

 private:
  friend class LocalLeader;
  struct Role {
    const void* holder = nullptr;  ///< null: given up
    TimePoint until{};
    std::uint64_t term = 0;
  };
  std::mutex mutex_;
  std::map<std::string, Role> roles_;
};

/// One candidate. Thread-safe; never waits.
class LocalLeader final : public Leader {
 public:
  LocalLeader(Clock& clock, LocalRoles& roles) : clock_(clock), roles_(roles) {}
  ~LocalLeader() override;
  Co<Result<std::optional<std::uint64_t>>> hold(std::string role, Duration for_how_long,
                                                Deadline by) override;
  Co<Status> release(std::string role, Deadline by) override;

 private:
  Clock& clock_;
  LocalRoles& roles_;
};

}  // namespace mainstay::storage
