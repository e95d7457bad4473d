// One sample: look, step, publish, then log, measure, alert and react.
#include "resources/governor.h"

#include <algorithm>
#include <utility>

#include "resources/governor_inside.h"

namespace mainstay::resources {

Governor::Governor(GovernorParts parts, Clock& clock, Log& log, Metrics& metrics)
    : parts_(std::move(parts)),
      clock_(clock),
      log_(log),
      alerts_(clock, parts_.settings.alarm_hold, parts_.settings.alerts_max),
      gpu_(parts_.roots),
      growth_(parts_.settings.growth_warm_up, parts_.settings.growth_window),
      reactions_(std::make_unique<Reactions>()),
      gauges_(std::make_unique<Gauges>(metrics, parts_.disks)),
      snapshot_(std::make_shared<const Snapshot>()) {
  if (!parts_.disks.empty()) {
    reserve_ = std::make_unique<DiskReserve>(parts_.disks.front().path, parts_.settings, clock_);
  }
}

Governor::~Governor() = default;

std::uint32_t Governor::permits(std::uint32_t usual) const noexcept {
  const auto left = static_cast<std::uint32_t>(static_cast<double>(usual) * permit_factor());
  return std::max<std::uint32_t>(left, 1);
}

void Governor::write_failed() {
  if (!reserve_) return;
  reserve_->write_failed();
  log_.error("disk.full", {{"path", parts_.disks.front().path}});
}

std::shared_ptr<const Snapshot> Governor::snapshot() const {
  std::scoped_lock lock(mutex_);
  return snapshot_;
}

void Governor::on_level(Resource resource, std::function<void(Level, Level)> react) {
  reactions_->levels.push_back({resource, std::move(react)});
}
void Governor::while_at(Resource resource, Level at_least, Duration period,
                        std::function<void()> react) {
  reactions_->repeated.push_back({resource, at_least, period, std::move(react), std::nullopt});
}
void Governor::on_trim(std::function<void()> trim) {
  reactions_->trims.push_back(std::move(trim));
}
void Governor::watch_pool(std::string name, std::function<std::uint64_t()> used,
                          std::uint64_t max) {
  reactions_->pools.push_back({std::move(name), std::move(used), max});
}
void Governor::watch_connections(std::function<std::uint64_t()> open) {
  reactions_->connections = std::move(open);
}
void Governor::watch_loop_lag(std::function<Duration()> lag) {
  reactions_->loop_lag = std::move(lag);
}

void Governor::sample() {
  if (!parts_.settings.enabled) return;
  const TimePoint now = clock_.now();
  const std::shared_ptr<const Snapshot> before = snapshot();
  auto next = std::make_shared<Snapshot>();
  next->samples = before->samples + 1;
  next->switches = before->switches;
  look(next->readings);
  if (reserve_) {
    if (const auto& data = next->readings.disks.front().figures) reserve_->look(*data);
    next->reserve = reserve_->state();
  }
  next->pressures = pressures_of(next->readings, parts_.settings);
  step_ladders(*next, now);
  next->shedding = shedding_of(next->levels);
  points_.store(next->shedding.points, std::memory_order_relaxed);
  factor_.store(next->shedding.permit_factor, std::memory_order_relaxed);
  next->accounts = book_.read();
  if (const auto& process = next->readings.process) {
    growth_.add(static_cast<double>(process->resident.value), now);
    next->accounts.resident = process->resident.value;
  }
  next->accounts.growth = growth_.percent_an_hour();
  const std::uint64_t cap = parts_.settings.memory_max.value;
  next->accounts.cap = cap != 0 ? cap : next->readings.memory.least_limit;
  {
    std::scoped_lock lock(mutex_);
    snapshot_ = next;
  }
  show(*next);
  judge(*next);
  react(*before, *next, now);
  give_back(*before, *next, now);
}

/// After the reactions, so that what caches let go returns at once.
void Governor::give_back(const Snapshot& before, const Snapshot& seen, TimePoint now) {
  constexpr auto kMemory = static_cast<std::size_t>(Resource::memory);
  const bool worse = seen.levels[kMemory] > before.levels[kMemory];
  if (!worse && trimmed_ && now - *trimmed_ < parts_.settings.trim_interval) return;
  trimmed_ = now;
  trim();
}

void Governor::trim() {
  trim_heap();
  for (const auto& trim : reactions_->trims) trim();
  gauges_->trims->add();
}

void Governor::look(Readings& r) {
  const TimePoint now = clock_.now();
  r.at = clock_.wall();
  auto process = read_process(parts_.roots.proc + "/self");
  if (process.ok()) {
    r.process = *process;
    const double seconds = process->cpu_seconds;
    if (cpu_at_ && now > *cpu_at_ && seconds >= cpu_seconds_) {
      const double passed = std::chrono::duration<double>(now - *cpu_at_).count();
      r.cpu_share = (seconds - cpu_seconds_) / (passed * std::max(1U, parts_.cores));
    }
    cpu_at_ = now;
    cpu_seconds_ = seconds;
  }
  r.heap = read_heap();
  r.memory = read_memory(parts_.roots);
  const Stalls stalls = read_stalls(parts_.roots);
  r.stall.known = stalls.memory || stalls.io || stalls.cpu;
  r.stall.memory = stall_memory_.step(stalls.memory, now);
  r.stall.io = stall_io_.step(stalls.io, now);
  r.stall.cpu = stall_cpu_.step(stalls.cpu, now);
  for (const DataPath& disk : parts_.disks) {
    r.disks.push_back({disk.name, disk.path, parts_.read_disk(disk.path)});
  }
  r.tasks = read_tasks(parts_.roots);
  r.heat = read_heat(parts_.roots);
  r.gpus = gpu_.read();
  for (const auto& pool : reactions_->pools) r.pools.push_back({pool.name, pool.used(), pool.max});
  if (reactions_->connections) r.connections = reactions_->connections();
  if (reactions_->loop_lag) r.loop_lag = reactions_->loop_lag();
  r.loop_lag_kept = std::min(r.loop_lag, std::exchange(loop_lag_before_, r.loop_lag));
}

void Governor::step_ladders(Snapshot& next, TimePoint now) {
  for (std::size_t i = 0; i < kResources; ++i) {
    const auto resource = static_cast<Resource>(i);
    const Level from = ladders_[i].level;
    ladders_[i] = step(ladders_[i], next.pressures[i], now, rules_of(resource, parts_.settings));
    next.levels[i] = ladders_[i].level;
    if (next.levels[i] == from) continue;
    ++next.switches;
    switched(resource, from, next.levels[i], next.pressures[i], next.readings);
  }
}

void Governor::react(const Snapshot& before, const Snapshot& now, TimePoint at) {
  for (const auto& reaction : reactions_->levels) {
    const auto i = static_cast<std::size_t>(reaction.resource);
    if (before.levels[i] != now.levels[i]) reaction.react(before.levels[i], now.levels[i]);
  }
  for (auto& reaction : reactions_->repeated) {
    if (now.levels[static_cast<std::size_t>(reaction.resource)] < reaction.at_least) continue;
    if (reaction.last && at - *reaction.last < reaction.period) continue;
    reaction.last = at;
    reaction.react();
  }
}

}  // namespace mainstay::resources
