// Heat: the thermal zones of <sys>/class/thermal.
// Used by the governor and machine facts. A zone that cannot be read is left out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "resources/roots.h"

namespace mainstay::resources {

/// Degrees Celsius.
struct HeatZone {
  std::string zone;  ///< thermal_zone0
  std::string type;  ///< "cpu-thermal"
  double temperature = 0;
  std::optional<double> trip;  ///< where the machine slows itself down: passive, else hot, else
                               ///< critical
};
std::vector<HeatZone> read_heat(const Roots& roots);

}  // namespace mainstay::resources
