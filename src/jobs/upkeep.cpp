// The upkeep loop.
#include "jobs/upkeep.h"

#include <algorithm>

namespace mainstay::jobs {
namespace {

constexpr Duration kSliceTime = std::chrono::seconds(10);
constexpr Duration kShortest = std::chrono::milliseconds(1);
constexpr Duration kLongest = std::chrono::minutes(1);
/// Between two tries of one that does not lead.
constexpr Duration kFollow = std::chrono::seconds(30);
constexpr Duration kAfterFailure = std::chrono::seconds(1);
/// A leader that vanished is followed after this, beside the sleep it announced.
constexpr Duration kGrace = std::chrono::seconds(10);

}  // namespace

Co<> keep_up(Clock& clock, Log& log, storage::JobStore& store, storage::Leader& leader) {
  const std::string role(kUpkeepRole);
  Duration pause = kShortest;
  for (;;) {
    auto term = co_await leader.hold(role, pause + kGrace, Deadline::in(clock, kSliceTime));
    if (!term.ok()) {
      log.debug("jobs.upkeep_leader", {{"error", term.error().detail}});
      pause = kAfterFailure;
    } else if (!term->has_value()) {
      pause = kFollow;
    } else {
      const Duration held_for = pause;
      auto told = co_await store.upkeep(Deadline::in(clock, kSliceTime));
      if (told.ok()) {
        pause = std::clamp<Duration>(*told, kShortest, kLongest);
        if (pause > std::max(held_for, kGrace)) {
          // Held until the next slice, so that nobody takes over while there is nothing to do.
          auto held = co_await leader.hold(role, pause + kGrace, Deadline::in(clock, kSliceTime));
          if (!held.ok()) log.debug("jobs.upkeep_leader", {{"error", held.error().detail}});
        }
      } else {
        log.warn("jobs.upkeep_failed", {{"error", told.error().detail}});
        pause = kAfterFailure;
      }
    }
    auto slept = co_await sleep(clock, pause);
    if (!slept) co_return;
  }
}

}  // namespace mainstay::jobs
