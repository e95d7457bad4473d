// temp and trip_point_N_{type,temp} are in thousandths of a degree.
#include "resources/heat.h"

#include <array>

#include "resources/small_file.h"

namespace mainstay::resources {
namespace {

constexpr int kTripsMax = 16;
constexpr double kLeast = -60;  // outside of these a sensor is broken or not connected
constexpr double kMost = 200;

std::optional<double> degrees(const std::string& path) {
  const auto value = read_number(path);
  if (!value) return std::nullopt;
  const double c = *value / 1000;
  if (c < kLeast || c > kMost) return std::nullopt;
  return c;
}

std::optional<double> trip_of(const std::string& folder) {
  constexpr std::array kKinds{"passive", "hot", "critical"};
  std::array<std::optional<double>, kKinds.size()> lowest;
  for (int i = 0; i < kTripsMax; ++i) {
    const std::string point = folder + "/trip_point_" + std::to_string(i);
    const std::string kind = read_word(point + "_type");
    if (kind.empty()) break;
    const auto at = degrees(point + "_temp");
    if (!at || *at <= 0) continue;  // 0 and below: switched off
    for (std::size_t k = 0; k < kKinds.size(); ++k) {
      if (kind == kKinds[k] && (!lowest[k] || *at < *lowest[k])) lowest[k] = at;
    }
  }
  for (const auto& trip : lowest) {
    if (trip) return trip;
  }
  return std::nullopt;
}

}  // namespace

std::vector<HeatZone> read_heat(const Roots& roots) {
  std::vector<HeatZone> zones;
  const std::string base = roots.sys + "/class/thermal";
  for (const std::string& zone : names_in(base)) {
    if (!zone.starts_with("thermal_zone")) continue;
    const std::string folder = base + "/" + zone;
    const auto temperature = degrees(folder + "/temp");
    if (!temperature) continue;
    zones.push_back({zone, read_word(folder + "/type"), *temperature, trip_of(folder)});
  }
  return zones;
}

}  // namespace mainstay::resources
