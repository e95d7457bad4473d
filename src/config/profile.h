// Profiles: sets of defaults for kinds of machines, and the choice that `auto` makes.
// Used by config's loading, by the reference, and by `doctor`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "config/settings.h"

namespace mainstay::config {

/// What `auto` looks at.
struct Machine {
  std::uint32_t cores = 1;
  std::uint64_t memory = 0;  ///< bytes; the control group's limit when there is one; 0: unknown
  bool arm64 = false;
};

/// One value that a profile changes.
struct ProfileValue {
  const char* profile;
  const char* key;
  const char* value;  ///< as in an environment variable
};

/// Reads the machine from /proc and /sys below `root` ("" for the real ones). Never fails: what is
/// not there counts as one core or unknown memory.
Machine read_machine(const std::string& root);
/// sbc: at most 4 GiB, or a 64-bit ARM with at most 4 cores; desktop: fewer than 8 cores or less
/// than 16 GiB; else server.
std::string_view profile_for(const Machine& machine) noexcept;
/// Everything that profiles change.
std::span<const ProfileValue> profile_values();

}  // namespace mainstay::config
