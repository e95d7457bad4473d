// The engine's part in jobs: when they start and stop, and what they work with.
#include "app/engine.h"
#include "jobs/desk.h"

namespace mainstay::app {
namespace {

/// Between two looks at what the launcher says of its processes.
constexpr auto kLaunchWatch = std::chrono::seconds(1);

}  // namespace

void Engine::make_job_room() {
  // Batches are files of the data directory: a process without it does not look for any.
  storage::Shelf* shelf = settings_.jobs.runs == "shared" ? nullptr : shelf_.get();
  jobs_ = std::make_unique<JobRoom>(JobRoom::Parts{
      settings_, clock_, random_, *log_, metrics_, *admission_, *stores_, *client_, *loops_,
      *governor_, [this] { return in_force(); }, [this](Deadline by) { return clean_up(by); },
      shelf, decoders_.get(), archives_.get(), options_.job_kinds});
}

/// Where there is a listener its stop only waits: the drain begins with that of the listener, so
/// that both take the same time. Work is taken once the providers were looked for (watch_models).
Status Engine::start_jobs() {
  Part part{"jobs", [] { return done(); },
            [this] {
              if (options_.listens == Listens::nowhere) {
                jobs_->begin_drain(Deadline::in(clock_, settings_.server.stop_timeout));
              }
              return jobs_->stop();
            },
            settings_.server.stop_timeout + std::chrono::seconds(5)};
  return lifecycle_.start(std::move(part));
}

void Engine::take_work() {
  if (options_.jobs) jobs_->start();
  keep_knowledge();
}

Co<> Engine::watch_launch() {
  for (;;) {
    const auto read = [file = data_dir_ + "/" + kLaunchState] { return read_launch_state(file); };
    const Deadline by = Deadline::in(clock_, kLaunchWatch);
    auto seen = co_await offload(clock_, *pool_, read, by);
    if (seen.ok()) launched_.set(std::move(*seen));
    auto reached = co_await sleep(clock_, kLaunchWatch);
    if (!reached) co_return;
  }
}

jobs::InForce Engine::in_force() const {
  auto generation = live_->get();
  jobs::InForce out;
  out.settings = &generation->settings();
  out.assistant = &generation->assistant();
  out.models = &generation->models().models();
  out.library = &generation->library();
  out.held = std::move(generation);
  return out;
}

Co<Result<std::string>> Engine::clean_up(Deadline by) {
  auto report = co_await program_->cleanup(by);
  if (!report.ok()) co_return report.error();
  co_return dump(Json{{"sessions_removed", report->sessions},
                      {"cached_answers_removed", report->cached_answers},
                      {"bytes_returned", report->bytes}});
}

}  // namespace mainstay::app
