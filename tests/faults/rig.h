// Kills programs that work on a job store, again and again, at named points, in the middle of a
// write and at any moment, and holds the store against what the outside was told.
// Used by kill_test.cpp and soak/jobs.cpp.
#pragma once

#include <cstdint>
#include <string>

#include "faults/truth.h"

namespace mainstay::faults {

struct Plan {
  int cycles = 50;
  std::uint64_t seed = 1;
  bool power = false;      ///< what was not synced is lost with each kill
  bool disk_lies = false;  ///< nothing is ever synced
  std::string claims = "lazy";
  int look_each = 25;  ///< kills between two looks at the whole store
  std::string folder = "/tmp";
  bool talk = false;  ///< says how far it is, on standard error
};

/// One process hands in, runs and stores; each cycle starts it and ends with its death.
Report kill_on_sqlite(const Plan& plan);
/// Server (appendfsync always, over TCP), producer and two workers; each cycle kills one of them.
/// With `power` always the server.
Report kill_on_redis(const Plan& plan);

}  // namespace mainstay::faults
