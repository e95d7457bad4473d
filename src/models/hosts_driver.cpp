// The thread behind Hosts: makes the processes, hears them, looks whether they are ready, measures
// what they hold, ends them, and sees that their memory comes back.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cstring>

#include "base/text.h"
#include "models/hosts_core.h"
#include "resources/child_life.h"

namespace mainstay::models {
namespace {

using Stream = asio::posix::basic_stream_descriptor<Executor>;

constexpr std::size_t kLineMax = 2048;
constexpr std::size_t kWordsMax = 240;
/// What is read of one stream of a host in a second; one that prints more waits.
constexpr std::size_t kPrintedMax = 1U << 20;
constexpr auto kProbeTime = std::chrono::seconds(2);
constexpr auto kInMotion = std::chrono::milliseconds(100);
constexpr auto kAtRest = std::chrono::seconds(1);
/// Asking the GPUs takes some milliseconds of their driver.
constexpr auto kRoomAge = std::chrono::milliseconds(500);
/// Less than this is noise among all that the machine does.
constexpr std::uint64_t kWorthALook = 64U << 20;
constexpr std::int64_t kMegabyte = 1 << 20;

std::uint64_t less(std::uint64_t from, std::uint64_t what) {
  return from > what ? from - what : 0;
}

/// Memory in use on these GPUs.
std::uint64_t gpu_used(const HostRoom& room, const std::vector<std::uint32_t>& gpus) {
  std::uint64_t out = 0;
  for (const GpuRoom& gpu : room.gpus) {
    const bool ours = std::find(gpus.begin(), gpus.end(), gpu.index) != gpus.end();
    if (ours) out += less(gpu.total, gpu.free);
  }
  return out;
}

}  // namespace

/// One process of a host.
struct Hosts::Core::Process {
  Process(resources::ChildProcess made, Executor executor)
      : pid(made.pid),
        life(executor, made.life.release()),
        out(executor, made.out.release()),
        err(executor, made.err.release()),
        signs(std::move(made.signs)),
        out_lines(kLineMax),
        err_lines(kLineMax) {}
  void close() {
    error_code ignored;
    for (Stream* one : {&life, &out, &err}) one->close(ignored);
    if (probing) probing->close();
  }

  const pid_t pid;
  Stream life;
  Stream out;
  Stream err;
  resources::Descriptor signs;  ///< nothing comes of it; the program finds its end open
  resources::LineCutter out_lines;
  resources::LineCutter err_lines;
  std::string words;  ///< the last line it said
  std::vector<resources::ProcessId> members;
  std::vector<std::uint32_t> gpus;
  std::uint64_t memory = 0;
  std::uint64_t gpu_memory = 0;
  std::uint64_t gpu_before = 0;  ///< in use on its GPUs before it was made
  HostRoom last_seen;            ///< while it still held its memory
  std::shared_ptr<HostProbe> probing;
  TimePoint probe_by{};
  bool ended = false;
};

void Hosts::run() {
  Core& core = *core_;
  if (core.settings.empty()) return;
  core.work = std::make_unique<asio::executor_work_guard<Executor>>(core.io.get_executor());
  const auto failed = [&log = core.log](const std::string& task, const std::string& what) {
    log.error("task.failed", {{"task", task}, {"why", what}});
  };
  core.tasks = std::make_unique<TaskGroup>(core.clock, core.io.get_executor(), failed);
  core.bell = core.clock.alarm(core.io.get_executor());
  core.thread = std::thread([&core] {  // lint: thread processes die with the thread that made them
    core.tasks->spawn("hosts.look", core.look_after());
    core.io.run();
  });
}

bool Hosts::stop(Duration for_at_most) {
  Core& core = *core_;
  if (!core.thread.joinable()) return true;
  core.happen(HostsClose{});
  core.nudge();
  const auto all_gone = [&core] {
    return std::all_of(core.pids.begin(), core.pids.end(), [](auto pid) { return pid == 0; });
  };
  bool clean = false;
  {
    std::unique_lock lock(core.mutex);
    clean = core.without.wait_for(lock, for_at_most, all_gone);
  }
  if (!clean) {
    asio::post(core.io, [&core] { core.kill_all(); });
    std::unique_lock lock(core.mutex);
    core.without.wait_for(lock, std::chrono::seconds(2), all_gone);
  }
  const auto closing = [](Core& it) -> Co<> {
    co_await it.tasks->close();
    it.work.reset();
  };
  asio::co_spawn(core.io, closing(core), [](std::exception_ptr) {});
  core.thread.join();
  core.bell.reset();
  core.tasks.reset();
  return clean;
}

bool Hosts::Core::in_motion() const {
  std::lock_guard lock(mutex);
  return std::any_of(state.hosts.begin(), state.hosts.end(), [](const HostState& host) {
    return host.phase != HostPhase::stopped && host.phase != HostPhase::ready &&
           host.phase != HostPhase::degraded;
  });
}

/// Somebody waits for room, and what is known of it is old.
bool Hosts::Core::room_wanted(TimePoint now) const {
  std::lock_guard lock(mutex);
  const bool old = state.room_old || now - looked >= kRoomAge;
  return old && std::any_of(state.hosts.begin(), state.hosts.end(),
                            [](const HostState& host) { return host.phase == HostPhase::waiting; });
}

bool Hosts::Core::anybody_loads() const {
  std::lock_guard lock(mutex);
  return std::any_of(state.hosts.begin(), state.hosts.end(), [](const HostState& host) {
    return host.phase == HostPhase::starting || host.phase == HostPhase::probing;
  });
}

Co<> Hosts::Core::look_after() {
  for (;;) {
    const TimePoint now = clock.now();
    close_late_probes(now);
    bool any = false;
    if (now - measured >= hosting.measure_interval) {
      measured = now;
      for (std::size_t i = 0; i < running.size(); ++i) {
        any = any || running[i];
        if (running[i]) measure(i);
      }
    }
    if (any || room_wanted(now)) look_at_room();
    settle();
    happen(HostsTick{});
    drain_actions();
    const Duration probes = std::min<Duration>(hosting.probe_interval, kInMotion);
    const Duration pause = in_motion() ? probes : Duration(kAtRest);
    const TimePoint next = clock.now() + pause;
    [[maybe_unused]] auto reached = co_await bell->wait_until(next);
  }
}

void Hosts::Core::look_at_room() {
  room = machine.room ? machine.room() : HostRoom{};
  looked = clock.now();
  happen(HostLooked{room});
}

void Hosts::Core::measure(std::size_t host) {
  Process& process = *running[host];
  if (process.ended) return;
  resources::TreeFigures tree = resources::read_tree(process.pid, process.members);
  process.members = std::move(tree.members);
  process.memory = std::max(process.memory, tree.resident);
  process.last_seen = room;
  counted[host].memory.set(static_cast<std::int64_t>(tree.resident));
  happen(HostMeasured{host, tree.resident, process.gpu_memory});
}

void Hosts::Core::close_late_probes(TimePoint now) {
  for (const auto& process : running) {
    if (process && process->probing && now >= process->probe_by) process->probing->close();
  }
}

void Hosts::Core::drain_actions() {
  for (;;) {
    HostAction next;
    {
      std::lock_guard lock(mutex);
      if (todo.empty()) return;
      next = std::move(todo.front());
      todo.pop_front();
    }
    act(next);
  }
}

void Hosts::Core::act(const HostAction& action) {
  const auto& process = running[action.host];
  switch (action.kind) {
    case HostAction::Kind::start:
      start(action.host, action.gpus);
      break;
    case HostAction::Kind::terminate:
      if (!process) break;
      look_at_room();
      measure(action.host);
      ::kill(-process->pid, SIGTERM);
      break;
    case HostAction::Kind::kill:
      if (!process) break;
      log.error("host.killed", {{"host", settings[action.host].name}, {"pid", process->pid}});
      resources::kill_group(process->pid);
      break;
    case HostAction::Kind::wake:
      break;  // was done at once
  }
}

void Hosts::Core::start(std::size_t i, const std::vector<std::uint32_t>& gpus) {
  const HostSettings& host = settings[i];
  resources::ChildProgram program;
  program.path = find_program(host.command);
  program.argv = host_arguments(host);
  program.env = host_environment(host, gpus);
  std::string why;
  bool mendable = true;
  resources::Spawned spawned;
  if (program.path.empty()) {
    why = "there is no program " + host.command;
    mendable = false;
  } else if (port_taken(host.port)) {
    why = "another program listens on port " + std::to_string(host.port);
  } else {
    spawned = resources::spawn(program);
    if (spawned.error != 0)
      why = std::string("could not be started: ") + std::strerror(spawned.error);
    mendable = spawned.error == EAGAIN || spawned.error == ENOMEM;
  }
  if (!why.empty()) {
    happen(HostEnded{i, why, mendable});
    look_at_room();
    return;
  }
  auto process = std::make_shared<Process>(std::move(spawned.process), io.get_executor());
  process->gpus = gpus;
  process->gpu_before = gpu_used(room, gpus);
  process->last_seen = room;
  running[i] = process;
  std::string where;
  for (const auto gpu : gpus) where += (where.empty() ? "" : ",") + std::to_string(gpu);
  if (where.empty()) where = host.gpu_memory.value > 0 ? "none found" : "none asked for";
  log.info("host.started",
           {{"host", host.name}, {"pid", process->pid}, {"port", host.port}, {"gpu", where}});
  {
    std::lock_guard lock(mutex);
    pids[i] = process->pid;
    said[i].clear();
  }
  tasks->spawn("host.out", read_lines(i, process, false));
  tasks->spawn("host.err", read_lines(i, process, true));
  tasks->spawn("host.end", await_end(i, process));
  tasks->spawn("host.probe", probe(i, process));
}

Co<> Hosts::Core::probe(std::size_t i, std::shared_ptr<Process> process) {
  const HostSettings& host = settings[i];
  while (!process->ended) {
    process->probing = HostProbe::make(io.get_executor(), host.port, host.ready_path);
    process->probe_by = clock.now() + kProbeTime;
    const auto looking = process->probing;
    auto reply = co_await looking->look();
    process->probing.reset();
    looking->close();
    if (process->ended) co_return;
    if (reply != HostReply::closed) happen(HostConnected{i});
    if (reply == HostReply::ready) {
      look_at_room();
      process->gpu_memory = less(gpu_used(room, process->gpus), process->gpu_before);
      measure(i);
      happen(HostAnswered{i});
      co_return;
    }
    const Duration pause = hosting.probe_interval;
    auto reached = co_await sleep(clock, pause);
    if (!reached) co_return;
  }
}

void Hosts::Core::take_line(std::size_t i, Process& process, std::string_view line) {
  process.words = std::string(cut_utf8(to_utf8(line), kWordsMax));
  if (running[i].get() == &process) {
    std::lock_guard lock(mutex);
    said[i] = process.words;
  }
  if (log.wants(mainstay::Level::debug)) {
    log.debug("host.said", {{"host", settings[i].name}, {"line", process.words}});
  }
}

Co<> Hosts::Core::read_lines(std::size_t i, std::shared_ptr<Process> process, bool errors) {
  Stream& stream = errors ? process->err : process->out;
  resources::LineCutter& lines = errors ? process->err_lines : process->out_lines;
  const auto take = [this, i, &process](std::string_view line) { take_line(i, *process, line); };
  std::array<char, 4096> bytes{};
  TimePoint second = clock.now();
  std::size_t spent = 0;
  for (;;) {
    const auto into = asio::buffer(bytes);
    auto [failed, got] = co_await stream.async_read_some(into, use_co);
    if (failed) co_return;
    lines.feed(std::string_view(bytes.data(), got), take);
    const TimePoint now = clock.now();
    if (now - second >= std::chrono::seconds(1)) {
      second = now;
      spent = 0;
    }
    spent += got;
    if (spent < kPrintedMax) continue;
    const Duration rest = second + std::chrono::seconds(1) - now;
    co_await sleep(clock, rest);
  }
}

Co<> Hosts::Core::await_end(std::size_t i, std::shared_ptr<Process> process) {
  auto [failed] =
      co_await process->life.async_wait(asio::posix::descriptor_base::wait_read, use_co);
  if (!failed) end(i, process);
}

void Hosts::Core::end(std::size_t i, const std::shared_ptr<Process>& process) {
  process->ended = true;
  const resources::ChildExit how = resources::reap(process->pid);
  // What it said last is still in the pipe.
  std::array<char, 16'384> bytes{};
  const auto take = [&](std::string_view line) { take_line(i, *process, line); };
  for (int most = 4; most > 0; --most) {
    const auto got = ::read(process->err.native_handle(), bytes.data(), bytes.size());
    if (got <= 0) break;
    process->err_lines.feed(std::string_view(bytes.data(), static_cast<std::size_t>(got)), take);
  }
  process->err_lines.finish(take);
  process->close();
  running[i].reset();
  counted[i].memory.set(0);
  std::string why = resources::describe(how);
  log.info("host.ended", {{"host", settings[i].name}, {"why", why}, {"said", process->words}});
  {
    std::lock_guard lock(mutex);
    pids[i] = 0;
  }
  happen(HostEnded{i, std::move(why), resources::worth_a_restart(how)});
  look_at_room();
  tasks->spawn("host.verify", verify(i, process));
  without.notify_all();
}

/// Its memory must come back: whoever of it still runs is killed, and the machine is looked at
/// until it has what the host held, or hosting.settle has passed.
Co<> Hosts::Core::verify(std::size_t i, std::shared_ptr<Process> process) {
  const std::string& name = settings[i].name;
  resources::TreeFigures alive = resources::still_there(process->members);
  for (const auto& survivor : alive.members) {
    counted[i].survivors.add();
    log.warn("host.survivor", {{"host", name}, {"pid", survivor.pid}});
    resources::kill_one(survivor);
  }
  const Deadline until = Deadline::in(clock, hosting.settle);
  const HostRoom& before = process->last_seen;
  std::uint64_t kept_now = 0;
  for (;;) {
    alive = resources::still_there(process->members);
    const HostRoom now = machine.room ? machine.room() : HostRoom{};
    const std::uint64_t back = less(before.used, now.used);
    const std::uint64_t gpu_back =
        less(gpu_used(before, process->gpus), gpu_used(now, process->gpus));
    // While another one loads, what the machine has free says nothing.
    const bool told = before.used > 0 && now.used > 0 && !anybody_loads();
    kept_now = alive.resident;
    if (told && process->memory >= kWorthALook && back < process->memory / 2) {
      kept_now = std::max(kept_now, process->memory - back);
    }
    const std::uint64_t on_gpu = process->gpu_memory;
    if (told && on_gpu >= kWorthALook && gpu_back < on_gpu / 2) kept_now += on_gpu - gpu_back;
    if (kept_now == 0 || until.passed(clock.now())) break;
    const Duration pause = std::chrono::milliseconds(200);
    auto reached = co_await sleep(clock, pause);
    if (!reached) co_return;
  }
  {
    std::lock_guard lock(mutex);
    kept[i] = kept_now;
  }
  if (kept_now == 0) {
    log.info("host.freed", {{"host", name}, {"memory", process->memory}});
    co_return;
  }
  counted[i].kept.add();
  log.error("host.memory_kept", {{"host", name},
                                 {"held_mib", process->memory / kMegabyte},
                                 {"kept_mib", kept_now / kMegabyte}});
}

void Hosts::Core::kill_all() {
  for (std::size_t i = 0; i < running.size(); ++i) {
    if (!running[i]) continue;
    log.error("host.killed", {{"host", settings[i].name}, {"why", "the server stops"}});
    resources::kill_group(running[i]->pid);
  }
}

}  // namespace mainstay::models
