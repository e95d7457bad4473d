// For each resource and level: how far down the shed order, which other points, which permits.
#include "resources/shed.h"

#include <algorithm>

namespace mainstay::resources {
namespace {

using enum ShedPoint;

constexpr std::uint32_t bit(ShedPoint point) {
  return std::uint32_t{1} << static_cast<unsigned>(point);
}
/// Every point of the shed order from the first to `last`.
constexpr std::uint32_t up_to(ShedPoint last) {
  return (bit(last) << 1U) - 1;
}
static_assert(up_to(voice_turns) == (1U << kShedOrder) - 1);
static_assert(static_cast<std::size_t>(result_read) + 1 == kShedPoints);

struct Answer {
  std::uint32_t points = 0;
  double permit_factor = 1;
};
struct Row {
  Resource resource;
  Answer soft;
  Answer hard;  ///< holds the soft one's points too
};

constexpr Row kRows[] = {
    // Voice stays: a person is talking to it, and a turn is short.
    {Resource::memory, {bit(batch_jobs), 1}, {up_to(authenticated_chat) | bit(uploads), 0.5}},
    {Resource::stall, {bit(batch_jobs), 0.5}, {up_to(anonymous_chat), 0.5}},
    {Resource::io, {bit(batch_jobs), 0.5}, {bit(batch_jobs) | bit(uploads), 0.5}},
    // Soft comes from any program's want of a core, and most requests only wait for a model
    // elsewhere: permits stay. Hard comes from our own loops alone: then every request is late.
    {Resource::cpu, {bit(batch_jobs), 1}, {bit(batch_jobs) | bit(uploads), 0.5}},
    {Resource::disk, {bit(uploads), 1}, {bit(batch_jobs) | bit(uploads), 1}},
    {Resource::descriptors,
     {bit(idle_keep_alive), 1},
     {bit(batch_jobs) | bit(idle_keep_alive) | bit(new_connections), 1}},
    {Resource::tasks, {bit(batch_jobs), 1}, {bit(batch_jobs) | bit(uploads), 1}},
    {Resource::heat, {bit(batch_jobs), 0.5}, {bit(batch_jobs), 0}},
};

Level at(const Levels& levels, Resource resource) {
  return levels[static_cast<std::size_t>(resource)];
}

}  // namespace

std::string_view name(ShedPoint point) noexcept {
  switch (point) {
    case batch_jobs:
      return "batch_jobs";
    case anonymous_chat:
      return "anonymous_chat";
    case authenticated_chat:
      return "authenticated_chat";
    case voice_turns:
      return "voice_turns";
    case uploads:
      return "uploads";
    case idle_keep_alive:
      return "idle_keep_alive";
    case new_connections:
      return "new_connections";
    case health:
      return "health";
    case admin:
      return "admin";
    case cancel:
      return "cancel";
    case remove:
      return "remove";
    case result_read:
      return "result_read";
  }
  return "health";
}

Shedding shedding_of(const Levels& levels) noexcept {
  Shedding out;
  for (const Row& row : kRows) {
    const Level level = at(levels, row.resource);
    if (level == Level::normal) continue;
    const Answer& answer = level == Level::hard ? row.hard : row.soft;
    out.points |= answer.points;
    out.permit_factor = std::min(out.permit_factor, answer.permit_factor);
  }
  // The last to go: two of the things without which nothing runs are at their end at once.
  const int ends = int(at(levels, Resource::memory) == Level::hard) +
                   int(at(levels, Resource::descriptors) == Level::hard) +
                   int(at(levels, Resource::tasks) == Level::hard);
  if (ends >= 2) out.points |= up_to(voice_turns);
  return out;
}

}  // namespace mainstay::resources
