// Leases, questions and the way to the driver; any thread.
#include "models/hosts.h"

#include <fmt/format.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "models/hosts_core.h"

namespace mainstay::models {
namespace {

HostRules rules_of(const HostSettings& host) {
  HostRules out;
  out.memory = host.memory.value;
  out.gpu_memory = host.gpu_memory.value;
  out.start_timeout = host.start_timeout;
  out.stop_timeout = host.stop_timeout;
  out.idle_timeout = host.idle_timeout;
  out.restarts_max = host.restarts_max;
  out.restart_window = host.restart_window;
  out.backoff_min = host.backoff_min;
  out.backoff_max = host.backoff_max;
  return out;
}

std::chrono::milliseconds round_up(Duration d) {
  return std::chrono::ceil<std::chrono::milliseconds>(std::max(Duration::zero(), d));
}

Error unavailable(const char* reason, std::string says, Duration again) {
  Error error = Error::say(Errc::unavailable, reason, std::move(says));
  error.retry_after = round_up(again);
  return error;
}

/// Why a host that is given up is refused.
Error refusal(const HostState& host, TimePoint now) {
  Error error;
  if (host.too_large) {
    const bool grew = host.memory_grown > 0;
    error = unavailable("host_too_large",
                        "The model server '" + host.name +
                            "' needs more memory than this machine or hosting.memory_max allows" +
                            (grew ? ", and more than its setting memory says." : "."),
                        host.again - now);
  } else {
    error = unavailable("host_degraded",
                        "The model server '" + host.name +
                            "' failed too often and rests. Ask for another model, or try later.",
                        host.again - now);
  }
  error.detail = error.message + " " + host.why;
  return error;
}

/// Why it is not ready at the end of a request's patience.
Error not_ready(const HostState& host, TimePoint now) {
  std::string says = "The model server '" + host.name + "' was not ready in time: ";
  Duration again = std::chrono::seconds(5);
  if (host.phase == HostPhase::resting) {
    again = std::max<Duration>(host.again - now, std::chrono::seconds(1));
    says += fmt::format(
        "it failed. GET /admin/hosts tells an administrator why. It is started again in {} s.",
        std::chrono::ceil<std::chrono::seconds>(again).count());
  } else if (host.phase == HostPhase::waiting) {
    says += "it waits for memory. Try again in a moment.";
  } else if (host.phase == HostPhase::starting || host.phase == HostPhase::probing) {
    says += "it is loading. Try again; it goes on.";
  } else {
    says += fmt::format("it is {}. Try again in a moment.", name(host.phase));
  }
  Error error = unavailable("host_not_ready", says, again);
  error.detail += " " + host.why;
  return error;
}

Error stopping() {
  return unavailable("stopping", "The server is stopping.", std::chrono::seconds(1));
}

/// One host's phase before and after a step.
struct Change {
  std::size_t host;
  HostPhase from;
  HostState now;
};

}  // namespace

HostMetrics::HostMetrics(const std::string& host, Metrics& metrics)
    : starts(metrics.counter("mainstay_host_starts_total", "Starts of a model host.",
                             {{"host", host}})),
      failures(metrics.counter("mainstay_host_failures_total",
                               "Ends of a model host that nobody asked for.", {{"host", host}})),
      evictions(metrics.counter("mainstay_host_evictions_total",
                                "Model hosts stopped because their memory was needed.",
                                {{"host", host}})),
      waits(metrics.counter("mainstay_host_waits_total", "Requests that waited for a model host.",
                            {{"host", host}})),
      refused(metrics.counter("mainstay_host_refused_total",
                              "Requests that got no lease of a model host.", {{"host", host}})),
      kept(metrics.counter("mainstay_host_memory_kept_total",
                           "Ends of a model host after which memory did not come back.",
                           {{"host", host}})),
      survivors(metrics.counter("mainstay_host_survivors_total",
                                "Processes that outlived their model host and were killed.",
                                {{"host", host}})),
      wait_seconds(metrics.histogram("mainstay_host_wait_seconds",
                                     "Time a request waited for a model host.", {{"host", host}})),
      load_seconds(metrics.histogram("mainstay_host_load_seconds",
                                     "Time from the start of a model host until it is ready.",
                                     {{"host", host}})),
      ready(
          metrics.gauge("mainstay_host_ready", "1 while a model host is ready.", {{"host", host}})),
      waiting(metrics.gauge("mainstay_host_waiting", "Requests that wait for a model host.",
                            {{"host", host}})),
      memory(metrics.gauge("mainstay_host_memory_bytes", "Memory of a model host as measured.",
                           {{"host", host}})) {
  for (std::size_t i = 0; i < kHostStops; ++i) {
    stops[i] = &metrics.counter("mainstay_host_stops_total", "Stops of a model host, by why.",
                                {{"host", host}, {"why", name(static_cast<HostStop>(i))}});
  }
}

Hosts::Core::Core(const std::vector<HostSettings>& given, const HostingSettings& shared,
                  HostMachine room_of, Clock& time, Random& chance, Log& lines, Metrics& metrics)
    : settings(given),
      hosting(shared),
      machine(std::move(room_of)),
      clock(time),
      random(chance),
      log(lines),
      pids(given.size()),
      kept(given.size()),
      said(given.size()),
      running(given.size()) {
  state.budget = {hosting.memory_max.value, hosting.memory_spare.value, hosting.gpu_spare.value,
                  hosting.patience};
  for (const HostSettings& host : settings) {
    HostState one;
    one.name = host.name;
    one.rules = rules_of(host);
    one.since = clock.now();
    state.hosts.push_back(std::move(one));
    counted.emplace_back(host.name, metrics);
    changed.push_back(std::make_unique<Event>(clock));
    owed.push_back(std::make_unique<Owed>());
  }
}

Hosts::Core::~Core() = default;

/// One request that waits; counted for as long as it lives.
class Hosts::Core::Waiting {
 public:
  Waiting(Core& core, std::size_t host) : core_(core), host_(host) {
    core_.happen(HostWanted{host_});
  }
  ~Waiting() { core_.owe(core_.owed[host_]->unwanted); }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  Core& core_;
  const std::size_t host_;
};

void Hosts::Core::nudge() {
  asio::post(io, [this] {
    drain_actions();
    if (bell) bell->ring();
  });
}

void Hosts::Core::happen(const HostEvent& event) {
  std::vector<Change> changes;
  std::vector<std::size_t> woken;
  bool look = false;
  {
    std::lock_guard lock(mutex);
    std::vector<HostPhase> before;
    for (const HostState& host : state.hosts) before.push_back(host.phase);
    for (HostAction& action : step(state, event, clock.now())) {
      if (action.kind == HostAction::Kind::wake) {
        woken.push_back(action.host);
      } else {
        todo.push_back(std::move(action));
      }
    }
    for (std::size_t i = 0; i < before.size(); ++i) {
      const HostState& host = state.hosts[i];
      counted[i].waiting.set(host.waiting);
      if (host.phase != before[i]) changes.push_back({i, before[i], host});
    }
    look = !todo.empty() || !changes.empty();
  }
  for (const std::size_t host : woken) changed[host]->notify();
  for (const Change& change : changes) {
    HostMetrics& metrics = counted[change.host];
    const HostState& host = change.now;
    metrics.ready.set(host.phase == HostPhase::ready ? 1 : 0);
    switch (host.phase) {
      case HostPhase::ready:
        metrics.load_seconds.observe(host.load_time);
        log.info("host.ready", {{"host", host.name}, {"after", host.load_time}});
        break;
      case HostPhase::stopping:
        metrics.stops[static_cast<std::size_t>(host.stopped_for)]->add();
        if (host.stopped_for != HostStop::idle && host.stopped_for != HostStop::asked &&
            host.stopped_for != HostStop::closing) {
          metrics.evictions.add();
        }
        if (host.stopped_for == HostStop::grew) {
          log.warn("host.grew", {{"host", host.name}, {"why", host.why}});
        }
        log.info("host.stopping", {{"host", host.name}, {"why", name(host.stopped_for)}});
        break;
      case HostPhase::resting:
        metrics.failures.add();
        log.warn("host.failed",
                 {{"host", host.name}, {"why", host.why}, {"again_in", host.again - clock.now()}});
        break;
      case HostPhase::degraded:
        if (!host.too_large) metrics.failures.add();
        log.error("host.degraded", {{"host", host.name}, {"why", host.why}});
        break;
      case HostPhase::starting:
        metrics.starts.add();
        break;
      case HostPhase::stopped:
      case HostPhase::waiting:
      case HostPhase::probing:
        break;
    }
  }
  if (look) nudge();
}

Co<Result<HostLease>> Hosts::Core::lease(Hosts& hosts, std::size_t host, Deadline by) {
  {
    std::lock_guard lock(mutex);
    if (take_lease(state, host, clock.now())) co_return HostLease(&hosts, host);
    const HostState& it = state.hosts[host];
    if (it.phase == HostPhase::degraded && clock.now() < it.again) {
      counted[host].refused.add();
      co_return refusal(it, clock.now());
    }
    if (it.waiting >= hosting.waiting_max) {
      counted[host].refused.add();
      co_return unavailable(
          "host_busy",
          "Too many requests wait for the model server '" + it.name + "'. Try again in a moment.",
          std::chrono::seconds(2));
    }
  }
  const TimePoint began = clock.now();
  const Deadline until = by.sooner(began, hosting.wait_timeout);
  counted[host].waits.add();
  Waiting waiting(*this, host);
  for (;;) {
    const auto seen = changed[host]->version();
    std::optional<Error> refused;
    {
      std::lock_guard lock(mutex);
      const TimePoint now = clock.now();
      const HostState& it = state.hosts[host];
      if (take_lease(state, host, now)) {
        counted[host].wait_seconds.observe(now - began);
        co_return HostLease(&hosts, host);
      }
      if (state.closing) refused = stopping();
      if (it.phase == HostPhase::degraded) refused = refusal(it, now);
      if (!refused && until.passed(now)) refused = not_ready(it, now);
    }
    if (refused) {
      counted[host].refused.add();
      co_return std::move(*refused);
    }
    auto woken = co_await changed[host]->wait(seen, until);
    if (!woken && !until.passed(clock.now())) {
      co_return Error::log(Errc::cancelled, "nobody waits for the model host any more");
    }
  }
}

void Hosts::Core::owe(std::atomic<std::uint32_t>& one) noexcept {
  one.fetch_add(1);
  try {
    settle();
  } catch (const std::exception&) {
    // No memory: it stays owed.
  }
}

void Hosts::Core::settle() {
  const auto tell = [this](std::atomic<std::uint32_t>& some, const HostEvent& event) {
    while (some.load() > 0) {
      std::uint32_t left = some.load();
      if (left == 0 || !some.compare_exchange_strong(left, left - 1)) continue;
      try {
        happen(event);
      } catch (...) {
        some.fetch_add(1);
        throw;
      }
    }
  };
  for (std::size_t i = 0; i < owed.size(); ++i) {
    tell(owed[i]->unwanted, HostUnwanted{i});
    tell(owed[i]->released, HostReleased{i});
  }
}

void Hosts::Core::release(std::size_t host) noexcept {
  bool due = false;
  {
    std::lock_guard lock(mutex);
    due = give_lease(state, host, clock.now());
  }
  if (due) owe(owed[host]->released);
}

HostLease::~HostLease() {
  if (from_ != nullptr) from_->core_->release(host_);
}

Co<Result<HostLease>> HostDoor::lease(Deadline by) const {
  if (hosts_ == nullptr) co_return HostLease();
  auto got = co_await hosts_->core_->lease(*hosts_, host_, by);
  co_return got;
}

HostLease HostDoor::if_ready() const {
  if (hosts_ == nullptr) return {};
  auto& core = *hosts_->core_;
  std::lock_guard lock(core.mutex);
  if (take_lease(core.state, host_, core.clock.now())) return {hosts_, host_};
  return {};
}

const char* HostDoor::state() const {
  if (hosts_ == nullptr) return "ready";
  auto& core = *hosts_->core_;
  std::lock_guard lock(core.mutex);
  switch (core.state.hosts[host_].phase) {
    case HostPhase::ready:
      return "ready";
    case HostPhase::waiting:
    case HostPhase::starting:
    case HostPhase::probing:
      return "loading";
    case HostPhase::stopped:
    case HostPhase::stopping:
    case HostPhase::resting:
      return "unavailable";
    case HostPhase::degraded:
      return "degraded";
  }
  return "unavailable";
}

Hosts::Hosts(const std::vector<HostSettings>& hosts, const HostingSettings& settings,
             HostMachine machine, Clock& clock, Random& random, Log& log, Metrics& metrics)
    : core_(std::make_shared<Core>(hosts, settings, std::move(machine), clock, random, log,
                                   metrics)) {}

Hosts::~Hosts() = default;

bool Hosts::empty() const noexcept {
  return core_->settings.empty();
}

Result<HostDoor> Hosts::door(const std::string& name) {
  if (name.empty()) return HostDoor();
  for (std::size_t i = 0; i < core_->settings.size(); ++i) {
    if (core_->settings[i].name == name) return HostDoor(this, i);
  }
  return Error::say(Errc::invalid, "invalid_config",
                    "A provider names the host '" + name +
                        "', which is not running here: hosts are read at the start.");
}

void Hosts::pressure(resources::Level memory, resources::Level gpu) {
  core_->happen(HostPressed{memory, gpu});
}

namespace {

Error unknown_host() {
  return Error::say(Errc::not_found, "unknown_host",
                    "There is no host of that name. GET /admin/hosts lists them.");
}

}  // namespace

Status Hosts::start_host(const std::string& name) {
  for (std::size_t i = 0; i < core_->settings.size(); ++i) {
    if (core_->settings[i].name != name) continue;
    core_->happen(HostAskedStart{i});
    return done();
  }
  return unknown_host();
}

Status Hosts::stop_host(const std::string& name) {
  for (std::size_t i = 0; i < core_->settings.size(); ++i) {
    if (core_->settings[i].name != name) continue;
    core_->happen(HostAskedStop{i});
    return done();
  }
  return unknown_host();
}

std::vector<HostFigures> Hosts::figures() const {
  std::vector<HostFigures> out;
  const Core& core = *core_;
  const TimePoint now = core.clock.now();
  std::lock_guard lock(core.mutex);
  for (std::size_t i = 0; i < core.state.hosts.size(); ++i) {
    const HostState& host = core.state.hosts[i];
    HostFigures one;
    one.name = host.name;
    one.phase = host.phase;
    one.why = host.why;
    one.said = core.said[i];
    one.pid = core.pids[i];
    one.port = core.settings[i].port;
    one.leases = host.leases;
    one.waiting = host.waiting;
    for (const GpuShare& share : host.placed) one.gpus.push_back(share.index);
    one.memory = host.memory;
    one.gpu_memory = host.gpu_memory;
    one.phase_for = now - host.since;
    one.load_time = host.load_time;
    const bool rests = host.phase == HostPhase::resting || host.phase == HostPhase::degraded;
    if (rests) one.again_in = std::max(Duration::zero(), host.again - now);
    one.starts = host.starts;
    one.failures = host.failures;
    one.evictions = host.evictions;
    one.kept_memory = core.kept[i];
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace mainstay::models
