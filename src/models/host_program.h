// A model server as a program: where it is, its command line, its environment.
// Used by hosts_driver.cpp and app/doctor.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/settings.h"

namespace mainstay::models {

/// Its program's path; empty when there is none. Blocks for a moment.
std::string find_program(const std::string& command);
/// Its command line, with {port} put in.
std::vector<std::string> host_arguments(const HostSettings& host);
/// What it gets of our environment (never what may be a secret), the GPUs it may see (empty: as it
/// is), and its own pairs, which go first.
std::vector<std::string> host_environment(const HostSettings& host,
                                          const std::vector<std::uint32_t>& gpus);

}  // namespace mainstay::models
