// The levers behind /admin.
#include "app/program.h"

#include <algorithm>

#include "resources/process.h"

namespace mainstay::app {
namespace {

using namespace std::chrono_literals;

/// Between two rounds of forgetting idle limits; a round takes each lock shortly.
constexpr int kReclaimEverySeconds = 60;

std::int64_t resident() {
  auto figures = resources::read_process();
  return figures.ok() ? static_cast<std::int64_t>(figures->resident.value) : 0;
}

}  // namespace

api::ConfigFigures EngineProgram::config() const {
  api::ConfigFigures out = parts_.reload.figures();
  // Every request reads its configuration through `live`: that is the cache whose hits count.
  out.hits = parts_.live.hits();
  out.misses = parts_.live.misses();
  return out;
}

Json EngineProgram::settings() const {
  return config::show(*parts_.reload.loaded());
}

Co<Result<api::ReloadReport>> EngineProgram::reload(std::string who, Deadline by) {
  parts_.log.info("config.reload_asked", {{"who", who}});
  auto outcome = co_await parts_.reload.ask(Origin::api, by);
  co_return outcome;
}

Co<Result<api::CleanupReport>> EngineProgram::cleanup(Deadline by) {
  api::CleanupReport report;
  const auto generation = parts_.live.get();
  const Duration idle = generation->settings().sessions.idle_timeout;
  for (;;) {
    const auto removed = parts_.admin.sessions.expire(parts_.clock.now(), idle);
    report.sessions += removed;
    if (removed == 0) break;
  }
  parts_.admission.reclaim();
  auto give_back = [generation, governor = &parts_.governor]() -> Result<api::CleanupReport> {
    api::CleanupReport out;
    const auto before = resident();
    out.cached_answers = generation->models().models().forget(TenantId());
    governor->trim();
    out.bytes = before - resident();
    return out;
  };
  auto given = co_await offload(parts_.clock, parts_.pool, std::move(give_back), by);
  if (!given.ok()) co_return given.error();
  report.cached_answers = given->cached_answers;
  report.bytes = given->bytes;
  co_return report;
}

std::vector<api::TaskInfo> EngineProgram::tasks() const {
  return parts_.loops.tasks().list();
}

Status EngineProgram::cancel_task(std::uint64_t id) {
  return parts_.loops.cancel(id);
}

Co<Result<std::vector<storage::DatabaseFigures>>> EngineProgram::databases(Deadline by) {
  auto work = [stores = &parts_.stores]() -> Result<std::vector<storage::DatabaseFigures>> {
    return stores->databases();
  };
  auto out = co_await offload(parts_.clock, parts_.pool, std::move(work), by);
  co_return out;
}

Co<Result<Json>> EngineProgram::resources([[maybe_unused]] Deadline by) {
  const auto seen = parts_.governor.snapshot();
  co_return seen ? resources_json(*seen) : Json::object();
}

Json EngineProgram::alerts() const {
  return alerts_json(parts_.governor.alerts().list());
}

Co<> EngineProgram::watch_resources(Duration interval) {
  // Alive while a look runs. One that hangs, say in a dead network disk, holds one thread of the
  // pool: no second one is begun beside it.
  std::weak_ptr<int> looking;
  for (;;) {
    if (looking.expired()) {
      auto held = std::make_shared<int>();
      looking = held;
      auto sample = [governor = &parts_.governor, held = std::move(held)]() -> Status {
        governor->sample();
        return done();
      };
      const Deadline by = Deadline::in(parts_.clock, std::max<Duration>(interval, 5s));
      auto sampled = co_await offload(parts_.clock, parts_.pool, std::move(sample), by);
      if (sampled.ok()) parts_.admission.set_factor(parts_.governor.permit_factor());
    }
    auto reached = co_await sleep(parts_.clock, interval);
    if (!reached) co_return;
  }
}

Co<> EngineProgram::tidy() {
  for (int second = 0;; ++second) {
    auto reached = co_await sleep(parts_.clock, std::chrono::seconds(1));
    if (!reached) co_return;
    const Duration idle = parts_.live.get()->settings().sessions.idle_timeout;
    parts_.admin.sessions.expire(parts_.clock.now(), idle);
    if (second % kReclaimEverySeconds == 0) parts_.admission.reclaim();
  }
}

}  // namespace mainstay::app
