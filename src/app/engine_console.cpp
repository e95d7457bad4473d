// The engine's part in the console: one sample a second of what the program and the machine do, and
// the doctor asked over the API.
#include <new>

#include "api/console_series.h"
#include "app/doctor.h"
#include "app/engine.h"

namespace mainstay::app {
namespace {

using namespace std::chrono_literals;

/// A sample belongs to the second in whose middle it is taken, so that a timer that is a little
/// late or early does not leave one out.
Duration until_next_sample(WallTime now) {
  const auto into = std::chrono::microseconds(micros(now) % 1'000'000);
  const Duration wait = into < 500ms ? 500ms - into : 1500ms - into;
  return wait < 250ms ? wait + 1s : wait;
}

}  // namespace

/// On the first loop, some tenths of a millisecond a second. No request waits for it.
Co<> Engine::sample_figures() {
  api::ConsoleDesk& desk = admin_->console;
  HistorySampler sampler(metrics_, desk.history, api::console_series(),
                         [this](SampleRow& row) { add_to_sample(row); });
  // Where the counters stand before the first request, so that none is missed.
  sampler.step(unix_seconds(clock_.wall()), clock_.now());
  for (;;) {
    auto reached = co_await sleep(clock_, until_next_sample(clock_.wall()));
    if (!reached) co_return;
    try {
      sampler.step(unix_seconds(clock_.wall()), clock_.now());
    } catch (const std::bad_alloc&) {
      log_->warn("console.sample_lost");  // a gap in the charts, and the next second another try
    }
    desk.sampled.notify();
  }
}

void Engine::add_to_sample(SampleRow& row) const {
  if (const auto seen = governor_->snapshot()) api::add_machine(*seen, row);
  api::add_providers(live_->get()->models().models().providers(), row);
  if (hosts_) api::add_hosts(hosts_->figures(), row);
}

/// In the pool: it asks providers and starts the decoder.
Co<Result<Json>> EngineProgram::doctor(Deadline by) {
  auto work = [loaded = parts_.reload.loaded(), clock = &parts_.clock]() -> Result<Json> {
    const TimePoint began = clock->now();
    Json out = doctor_json(*loaded, all_findings(*loaded, *clock));
    out["took_ms"] = millis(clock->now() - began);
    return out;
  };
  auto said = co_await offload(parts_.clock, parts_.pool, std::move(work), by);
  co_return said;
}

}  // namespace mainstay::app
