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
static_assert(static_cast<std::size_t>(playing_audio) + 1 == kShedPoints);

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
    {Resource::memory,
     {up_to(bulk_embeddings) | bit(large_models), 1},
     {up_to(long_generations) | bit(large_models) | bit(uploads) | bit(model_load) |
          bit(child_start),
      0.5}},
    {Resource::stall,
     {up_to(hedges), 0.5},
     {up_to(anonymous_chat) | bit(large_models) | bit(model_load), 0.5}},
    {Resource::io, {up_to(hedges), 0.5}, {up_to(bulk_embeddings) | bit(uploads), 0.5}},
    {Resource::cpu, {up_to(hedges), 0.5}, {up_to(hedges), 0.5}},
    {Resource::disk, {bit(reindex) | bit(uploads), 1}, {up_to(batch_jobs) | bit(uploads), 1}},
    {Resource::descriptors,
     {bit(hedges) | bit(idle_keep_alive), 1},
     {up_to(bulk_embeddings) | bit(idle_keep_alive) | bit(new_connections) | bit(child_start), 1}},
    {Resource::tasks, {up_to(hedges), 1}, {up_to(bulk_embeddings) | bit(child_start), 1}},
    {Resource::heat,
     {up_to(hedges) | bit(large_models), 0.5},
     {up_to(bulk_embeddings) | bit(large_models), 0}},
    {Resource::gpu, {bit(large_models), 1}, {bit(large_models) | bit(model_load), 1}},
};

Level at(const Levels& levels, Resource resource) {
  return levels[static_cast<std::size_t>(resource)];
}

}  // namespace

std::string_view name(ShedPoint point) noexcept {
  switch (point) {
    case reindex:
      return "reindex";
    case batch_jobs:
      return "batch_jobs";
    case hedges:
      return "hedges";
    case bulk_embeddings:
      return "bulk_embeddings";
    case anonymous_chat:
      return "anonymous_chat";
    case authenticated_chat:
      return "authenticated_chat";
    case long_generations:
      return "long_generations";
    case voice_turns:
      return "voice_turns";
    case uploads:
      return "uploads";
    case idle_keep_alive:
      return "idle_keep_alive";
    case new_connections:
      return "new_connections";
    case large_models:
      return "large_models";
    case model_load:
      return "model_load";
    case child_start:
      return "child_start";
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
    case playing_audio:
      return "playing_audio";
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
