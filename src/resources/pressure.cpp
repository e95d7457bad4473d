// The scale and the ladder.
#include "resources/pressure.h"

#include <algorithm>
#include <cmath>

namespace mainstay::resources {
namespace {

constexpr Duration kMinute = std::chrono::minutes(1);

double between(double figure, double from, double to, double low, double high) {
  if (from == to) return high;
  return low + (high - low) * std::clamp((figure - from) / (to - from), 0.0, 1.0);
}

int switches(const Ladder& ladder, TimePoint now) {
  int n = 0;
  for (const auto& at : ladder.switched) n += at && now - *at < kMinute ? 1 : 0;
  return n;
}

void change(Ladder& ladder, Level level, TimePoint now) {
  ladder.level = level;
  ladder.calm_since.reset();
  ladder.switched[1] = ladder.switched[0];
  ladder.switched[0] = now;
}

Level wanted(double pressure) {
  if (pressure >= kHard) return Level::hard;
  return pressure >= kSoft ? Level::soft : Level::normal;
}

}  // namespace

std::string_view name(Resource resource) noexcept {
  switch (resource) {
    case Resource::memory:
      return "memory";
    case Resource::stall:
      return "stall";
    case Resource::io:
      return "io";
    case Resource::cpu:
      return "cpu";
    case Resource::disk:
      return "disk";
    case Resource::descriptors:
      return "descriptors";
    case Resource::tasks:
      return "tasks";
    case Resource::heat:
      return "heat";
    case Resource::gpu:
      return "gpu";
  }
  return "memory";
}

std::string_view name(Level level) noexcept {
  switch (level) {
    case Level::normal:
      return "normal";
    case Level::soft:
      return "soft";
    case Level::hard:
      return "hard";
  }
  return "normal";
}

double pressure_of(double figure, const Scale& scale) noexcept {
  if (std::isnan(figure)) return 0;
  const double sign = scale.end >= scale.calm ? 1 : -1;
  const double x = sign * figure;
  const double soft = sign * scale.soft;
  const double hard = sign * scale.hard;
  if (x >= hard) return between(x, hard, sign * scale.end, kHard, 1);
  if (x >= soft) return between(x, soft, hard, kSoft, kHard);
  return std::min(between(x, sign * scale.calm, soft, 0, kSoft), std::nextafter(kSoft, 0.0));
}

Ladder step(Ladder ladder, double pressure, TimePoint now, const LadderRules& rules) noexcept {
  const Level target = std::min(wanted(pressure), rules.worst);
  if (target > ladder.level) {
    ladder.calm_since.reset();
    if (rules.rise == Rise::at_once || switches(ladder, now) < 2) change(ladder, target, now);
    return ladder;
  }
  const double enter = ladder.level == Level::hard ? kHard : kSoft;
  if (ladder.level == Level::normal || pressure >= enter - rules.leave_gap) {
    ladder.calm_since.reset();
    return ladder;
  }
  if (!ladder.calm_since) ladder.calm_since = now;
  if (now - *ladder.calm_since < rules.hold) return ladder;
  if (!rules.falls_freely && switches(ladder, now) >= 2) return ladder;
  change(ladder, ladder.level == Level::hard ? Level::soft : Level::normal, now);
  return ladder;
}

}  // namespace mainstay::resources
