// Pressure stall information: the share of time in which work waited for memory, disk or a core.
// Used by the governor. Never throws; a kernel without it gives "not there".
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "resources/roots.h"

namespace mainstay::resources {

/// One file of PSI. Totals grow for ever, in microseconds.
struct StallFigures {
  double some_avg10 = 0;  ///< percent, as the kernel averages it
  double full_avg10 = 0;
  std::uint64_t some_us = 0;
  std::uint64_t full_us = 0;
};
struct Stalls {
  std::optional<StallFigures> memory;
  std::optional<StallFigures> io;
  std::optional<StallFigures> cpu;
};
/// Of the own control group where it has them, else of the machine.
Stalls read_stalls(const Roots& roots);

/// Shares of time, 0 to 1.
struct StallShares {
  double some = 0;
  double full = 0;
};
/// Turns the growing totals into shares of the time since about two seconds ago. The kernel's own
/// averages need ten seconds to rise, and triggers need a capability that a hardened unit lacks.
class StallWindow {
 public:
  StallShares step(const std::optional<StallFigures>& now_at, TimePoint now) noexcept;

 private:
  struct Point {
    TimePoint at;
    std::uint64_t some_us = 0;
    std::uint64_t full_us = 0;
  };
  std::optional<Point> old_;     ///< start of the window
  std::optional<Point> middle_;  ///< becomes the start once it is a window old
  StallShares last_;
};

}  // namespace mainstay::resources
