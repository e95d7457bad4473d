// What the admin API sees and moves of the running engine.
// Used by engine.cpp.
#pragma once

#include <functional>

#include "api/admin.h"
#include "app/generation.h"
#include "app/governance.h"
#include "app/job_room.h"
#include "app/loops.h"
#include "app/reload.h"

namespace mainstay::app {

/// References outlive it. Any loop calls.
class EngineProgram final : public api::Program {
 public:
  struct Parts {
    Clock& clock;
    Log& log;
    OffloadPool& pool;
    storage::Stores& stores;
    admission::Admission& admission;
    api::AdminDesk& admin;
    Loops& loops;
    const config::Live<Generation>& live;
    Reload& reload;
    std::function<std::size_t()> cleanups;  ///< steps that the stop will run
    resources::Governor& governor;
    const JobRoom& jobs;
  };
  explicit EngineProgram(Parts parts)
      : parts_(std::move(parts)),
        started_(parts_.clock.wall()),
        started_steady_(parts_.clock.now()) {}

  api::ConfigFigures config() const override;
  Json settings() const override;
  Co<Result<api::ReloadReport>> reload(std::string who, Deadline by) override;
  Co<Result<api::CleanupReport>> cleanup(Deadline by) override;
  std::vector<api::TaskInfo> tasks() const override;
  Status cancel_task(std::uint64_t id) override;
  Co<Result<std::vector<storage::DatabaseFigures>>> databases(Deadline by) override;
  Co<Result<Json>> resources(Deadline by) override;
  Json alerts() const override;
  Co<Result<Json>> doctor(Deadline by) override;
  std::vector<jobs::WorkerFigures> workers() const override { return parts_.jobs.figures(); }
  std::size_t cleanups() const override { return parts_.cleanups(); }
  WallTime started() const override { return started_; }

  /// Ends silent sessions each second and forgets idle limits each minute, until cancelled.
  Co<> tidy();
  /// Samples the machine each resources.sample_interval and lowers or raises the permits.
  Co<> watch_resources(Duration interval);

 private:
  const Parts parts_;
  const WallTime started_;
  const TimePoint started_steady_;
};

}  // namespace mainstay::app
