// Taking, keeping and giving up a role, under one mutex.
#include "storage/local_leader.h"

namespace mainstay::storage {

LocalLeader::~LocalLeader() {
  std::lock_guard lock(roles_.mutex_);
  for (auto& [name, role] : roles_.roles_) {
    if (role.holder == this) role.holder = nullptr;
  }
}

Co<Result<std::optional<std::uint64_t>>> LocalLeader::hold(std::string role, Duration for_how_long,
                                                           Deadline) {
  std::lock_guard lock(roles_.mutex_);
  if (!roles_.roles_.contains(role) && roles_.roles_.size() >= LocalRoles::kRolesMax) {
    co_return Error::log(Errc::unavailable, "too many roles");
  }
  LocalRoles::Role& one = roles_.roles_[role];
  const TimePoint now = clock_.now();
  const bool held = one.holder != nullptr && one.until > now;
  if (held && one.holder != this) co_return std::nullopt;
  if (!held) ++one.term;  // also after a lapse of its own: another could have been there
  one.holder = this;
  one.until = now + for_how_long;
  co_return one.term;
}

Co<Status> LocalLeader::release(std::string role, Deadline) {
  std::lock_guard lock(roles_.mutex_);
  const auto found = roles_.roles_.find(role);
  if (found != roles_.roles_.end() && found->second.holder == this) {
    found->second.holder = nullptr;
  }
  co_return done();
}

}  // namespace mainstay::storage
