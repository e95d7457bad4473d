// The transitions of model hosts.
#include <algorithm>
#include <type_traits>

#include "models/host_state.h"

namespace mainstay::models {
namespace {

using resources::Level;
using Kind = HostAction::Kind;

/// Between two hosts that are given up for pressure.
constexpr Duration kReliefSoft = std::chrono::seconds(10);
constexpr Duration kReliefHard = std::chrono::seconds(2);
/// What can never fit may fit on a machine that was changed: looked at again after this.
constexpr Duration kTooLargeFor = std::chrono::seconds(30);
/// A host grew when it holds so much more than it was configured with, or held when it last grew.
constexpr double kGrown = 1.25;
constexpr std::uint64_t kGrownLeast = 64U << 20;

class Stepper {
 public:
  Stepper(HostsState& state, TimePoint now) : state_(state), now_(now) {}

  void take(const HostEvent& event) {
    std::visit([this](const auto& one) { on(one); }, event);
    look();
  }
  std::vector<HostAction> actions;

 private:
  HostState& at(std::size_t host) { return state_.hosts[host]; }
  void act(Kind kind, std::size_t host) { actions.push_back({kind, host, {}}); }
  void enter(HostState& host, HostPhase phase) {
    host.phase = phase;
    host.since = now_;
  }

  void on(const HostWanted& e) { ++at(e.host).waiting; }
  void on(const HostUnwanted& e) {
    if (at(e.host).waiting > 0) --at(e.host).waiting;
  }
  void on(const HostReleased&) {}
  void on(const HostsTick&) {}
  void on(const HostConnected& e) {
    if (at(e.host).phase == HostPhase::starting) enter(at(e.host), HostPhase::probing);
  }
  void on(const HostAnswered& e) {
    HostState& host = at(e.host);
    if (host.phase != HostPhase::starting && host.phase != HostPhase::probing) return;
    if (host.killed) return;  // too late: it is on its way out
    host.load_time = now_ - host.began;
    host.last_used = now_;
    host.asked = false;
    host.why = growth_of(state_, host);
    enter(host, HostPhase::ready);
    act(Kind::wake, e.host);
  }
  void on(const HostEnded& e);
  void on(const HostMeasured& e) {
    HostState& host = at(e.host);
    if (!host.has_process()) return;
    host.memory = e.memory;
    host.gpu_memory = e.gpu_memory;
    host.memory_last = std::max(host.memory_last, e.memory);
    host.memory_peak = std::max(host.memory_peak, e.memory);
  }
  void on(const HostLooked& e) {
    state_.room = e.room;
    state_.room_old = false;
  }
  void on(const HostPressed& e) {
    state_.memory_level = e.memory;
    state_.gpu_level = e.gpu;
  }
  void on(const HostAskedStart& e) {
    HostState& host = at(e.host);
    if (state_.closing) return;
    if (host.phase == HostPhase::degraded || host.phase == HostPhase::resting) {
      host.failed.clear();
      // Whoever starts it all the same has changed something, or wants to see.
      if (host.too_large) host.memory_grown = 0;
      host.too_large = false;
      enter(host, HostPhase::stopped);
    }
    if (host.yields == HostStop::asked) host.yields.reset();
    host.asked = host.phase != HostPhase::ready;
  }
  void on(const HostAskedStop& e) {
    HostState& host = at(e.host);
    host.asked = false;
    if (host.has_process() && host.phase != HostPhase::stopping) host.yields = HostStop::asked;
  }
  void on(const HostsClose&) {
    state_.closing = true;
    for (std::size_t i = 0; i < state_.hosts.size(); ++i) {
      if (at(i).has_process()) {
        if (at(i).phase != HostPhase::stopping) end(i, HostStop::closing);
      } else {
        enter(at(i), HostPhase::stopped);
      }
      act(Kind::wake, i);
    }
  }

  void end(std::size_t i, HostStop why);
  void kill(std::size_t i, const char* why);
  void look();
  void look_at(std::size_t i);
  void want_room(std::size_t i);
  void start(std::size_t i, std::vector<GpuShare> gpus);
  void relieve();

  HostsState& state_;
  const TimePoint now_;
};

void Stepper::end(std::size_t i, HostStop why) {
  HostState& host = at(i);
  host.stopped_for = why;
  host.stop_by = now_ + host.rules.stop_timeout;
  host.yields.reset();
  host.killed = false;
  if (why == HostStop::grew) {
    host.memory_grown = host.memory;
    host.why = growth_of(state_, host);
  }
  if (why != HostStop::idle && why != HostStop::asked && why != HostStop::closing) {
    ++host.evictions;
  }
  enter(host, HostPhase::stopping);
  act(Kind::terminate, i);
}

void Stepper::kill(std::size_t i, const char* why) {
  HostState& host = at(i);
  if (host.killed) return;
  host.killed = true;
  host.why = why;
  act(Kind::kill, i);
}

void Stepper::on(const HostEnded& e) {
  HostState& host = at(e.host);
  if (!host.has_process()) return;
  const bool told = host.phase == HostPhase::stopping;
  const std::string killed_for = host.killed ? host.why : std::string();
  host.memory = 0;
  host.gpu_memory = 0;
  host.placed.clear();
  host.killed = false;
  host.yields.reset();
  state_.room_old = true;
  if (told) {
    // A run that stayed smaller tells more than the one that grew: that may have been a leak.
    if (host.memory_peak > 0) host.memory_grown = std::min(host.memory_grown, host.memory_peak);
    if (host.memory_grown <= memory_told(state_, host)) host.memory_grown = 0;
    host.why = killed_for.empty() ? growth_of(state_, host) : killed_for;
    enter(host, HostPhase::stopped);
    return;
  }
  ++host.failures;
  host.why = killed_for.empty() ? e.why : "killed: " + killed_for;
  const Duration window = host.rules.restart_window;
  while (!host.failed.empty() && now_ - host.failed.front() >= window) host.failed.pop_front();
  host.failed.push_back(now_);
  if (state_.closing) {
    enter(host, HostPhase::stopped);
  } else if (!e.mendable || host.failed.size() > host.rules.restarts_max) {
    host.failed.clear();
    host.again = now_ + window;
    host.asked = false;
    enter(host, HostPhase::degraded);
  } else {
    Duration pause = host.rules.backoff_min;
    for (std::size_t n = 1; n < host.failed.size() && pause < host.rules.backoff_max; ++n) {
      pause *= 2;
    }
    host.again = now_ + std::min(pause, std::max(host.rules.backoff_min, host.rules.backoff_max));
    enter(host, HostPhase::resting);
  }
  act(Kind::wake, e.host);
}

void Stepper::look() {
  // Who must yield for room is found anew each time: who asked for the room may have gone.
  for (HostState& host : state_.hosts) {
    if (host.yields == HostStop::room) host.yields.reset();
  }
  if (!state_.closing) relieve();
  for (std::size_t i = 0; i < state_.hosts.size(); ++i) look_at(i);
  if (state_.closing || state_.room_old) return;
  // The longest wait first, so that the room made for one is not taken by another.
  std::vector<std::size_t> line;
  for (std::size_t i = 0; i < state_.hosts.size(); ++i) {
    if (at(i).phase == HostPhase::waiting) line.push_back(i);
  }
  std::sort(line.begin(), line.end(), [this](std::size_t a, std::size_t b) {
    return at(a).since != at(b).since ? at(a).since < at(b).since : a < b;
  });
  for (const std::size_t i : line) want_room(i);
}

void Stepper::look_at(std::size_t i) {
  HostState& host = at(i);
  const bool over = now_ >= host.again;
  if ((host.phase == HostPhase::resting || host.phase == HostPhase::degraded) && over) {
    host.too_large = false;
    enter(host, HostPhase::stopped);
  }
  const bool wanted = (host.waiting > 0 || host.asked) && !state_.closing;
  switch (host.phase) {
    case HostPhase::stopped:
      if (!wanted) break;
      enter(host, HostPhase::waiting);
      state_.room_old = true;
      break;
    case HostPhase::waiting:
      if (!wanted) enter(host, HostPhase::stopped);
      break;
    case HostPhase::starting:
    case HostPhase::probing:
      if (host.yields) {
        end(i, *host.yields);
      } else if (now_ - host.began >= host.rules.start_timeout) {
        kill(i, "it did not get ready in time");
      }
      break;
    case HostPhase::ready: {
      if (host.leases > 0) break;
      const Duration idle = host.rules.idle_timeout;
      if (host.yields) {
        end(i, *host.yields);
      } else if (host.waiting == 0 && idle > Duration::zero() && now_ - host.last_used >= idle) {
        end(i, HostStop::idle);
      }
      break;
    }
    case HostPhase::stopping:
      if (now_ >= host.stop_by) kill(i, "it did not stop in time");
      break;
    case HostPhase::resting:
    case HostPhase::degraded:
      break;
  }
}

void Stepper::want_room(std::size_t i) {
  HostState& host = at(i);
  if (state_.memory_level == Level::hard) {
    host.why = "the machine is short of memory";
    return;
  }
  const bool busy_too = now_ - host.since >= state_.budget.patience;
  HostPlan plan = plan_host(state_, i, busy_too, now_);
  host.why = plan.why;
  const std::string growth = growth_of(state_, host);
  if (!growth.empty() && !plan.fits) host.why += ": " + growth;
  if (plan.never) {
    host.too_large = true;
    host.asked = false;
    host.again = now_ + kTooLargeFor;
    enter(host, HostPhase::degraded);
    act(Kind::wake, i);
    return;
  }
  if (plan.fits) {
    start(i, std::move(plan.gpus));
    return;
  }
  for (const std::size_t victim : plan.victims) {
    if (at(victim).idle()) {
      end(victim, HostStop::room);
    } else if (!at(victim).yields) {
      at(victim).yields = HostStop::room;
      // Nobody uses it, some only wait to: they wait behind the one that waited longer.
      if (at(victim).leases == 0) end(victim, HostStop::room);
    }
  }
}

void Stepper::start(std::size_t i, std::vector<GpuShare> gpus) {
  HostState& host = at(i);
  HostAction action{Kind::start, i, {}};
  for (const GpuShare& share : gpus) action.gpus.push_back(share.index);
  host.placed = std::move(gpus);
  host.began = now_;
  host.killed = false;
  host.memory_peak = 0;
  host.why.clear();
  ++host.starts;
  enter(host, HostPhase::starting);
  actions.push_back(std::move(action));
}

/// Under pressure one host is given up after the other, the least worth first; a host that grew
/// goes by itself.
void Stepper::relieve() {
  const auto& budget = state_.budget;
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < state_.hosts.size(); ++i) {
    const HostState& host = at(i);
    all += host.memory;
    const std::uint64_t need = memory_need(state_, host);
    const auto most = static_cast<double>(need) * kGrown;
    const bool grown = host.rules.memory > 0 && static_cast<double>(host.memory) > most &&
                       host.memory > need + kGrownLeast;
    if (grown && host.idle()) end(i, HostStop::grew);
  }
  const Level level = std::max(state_.memory_level, state_.gpu_level);
  const bool over = budget.memory_max > 0 && all > budget.memory_max;
  if (level == Level::normal && !over) return;
  const bool hard = level == Level::hard || over;
  const Duration pause = hard ? kReliefHard : kReliefSoft;
  if (state_.relieved != TimePoint{} && now_ - state_.relieved < pause) return;
  const bool memory = state_.memory_level != Level::normal || over;
  std::optional<std::size_t> least;
  for (std::size_t i = 0; i < state_.hosts.size(); ++i) {
    const HostState& host = at(i);
    if (!host.idle() || (!memory && host.placed.empty())) continue;
    if (!hard && now_ - host.last_used < kReliefSoft) continue;  // it is in use, between two calls
    if (!least || worth(host, now_) < worth(at(*least), now_)) least = i;
  }
  if (!least) return;
  state_.relieved = now_;
  end(*least, memory ? HostStop::memory : HostStop::gpu);
}

}  // namespace

const char* name(HostPhase phase) noexcept {
  switch (phase) {
    case HostPhase::stopped:
      return "stopped";
    case HostPhase::waiting:
      return "waiting";
    case HostPhase::starting:
      return "starting";
    case HostPhase::probing:
      return "probing";
    case HostPhase::ready:
      return "ready";
    case HostPhase::stopping:
      return "stopping";
    case HostPhase::resting:
      return "failed";
    case HostPhase::degraded:
      return "degraded";
  }
  return "stopped";
}

const char* name(HostStop why) noexcept {
  switch (why) {
    case HostStop::idle:
      return "idle";
    case HostStop::room:
      return "room";
    case HostStop::memory:
      return "memory_pressure";
    case HostStop::gpu:
      return "gpu_pressure";
    case HostStop::grew:
      return "grew";
    case HostStop::asked:
      return "asked";
    case HostStop::closing:
      return "shutdown";
  }
  return "idle";
}

std::vector<HostAction> step(HostsState& state, const HostEvent& event, TimePoint now) {
  Stepper stepper(state, now);
  stepper.take(event);
  return std::move(stepper.actions);
}

bool take_lease(HostsState& state, std::size_t host, TimePoint now) noexcept {
  HostState& it = state.hosts[host];
  if (it.phase != HostPhase::ready || it.yields || state.closing) return false;
  ++it.leases;
  it.last_used = now;
  return true;
}

bool give_lease(HostsState& state, std::size_t host, TimePoint now) noexcept {
  HostState& it = state.hosts[host];
  if (it.leases > 0) --it.leases;
  it.last_used = now;
  if (it.leases > 0) return false;
  if (it.yields) return true;
  for (const HostState& other : state.hosts) {
    if (other.phase == HostPhase::waiting) return true;
  }
  return false;
}

}  // namespace mainstay::models
