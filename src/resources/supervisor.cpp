// The driver behind ChildLife: processes, pipes, signs of life.
#include "resources/supervisor.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "resources/line_cutter.h"

namespace mainstay::resources {

using Stream = asio::posix::basic_stream_descriptor<Executor>;

/// One process of a child. Its descriptors are closed when it has ended, which ends the coroutines
/// that read them.
struct Supervisor::Running {
  Running(ChildProcess made, Executor executor, std::size_t line_max)
      : pid(made.pid),
        life(executor, made.life.release()),
        out(executor, made.out.release()),
        err(executor, made.err.release()),
        signs(executor, made.signs.release()),
        out_lines(line_max),
        err_lines(line_max) {}
  Stream& stream(Printed which) { return which == Printed::out ? out : err; }
  LineCutter& lines(Printed which) { return which == Printed::out ? out_lines : err_lines; }
  void close() {
    error_code ignored;
    for (Stream* one : {&life, &out, &err, &signs}) one->close(ignored);
  }

  const pid_t pid;
  Stream life;
  Stream out;
  Stream err;
  Stream signs;
  LineCutter out_lines;
  LineCutter err_lines;
  TimePoint began{};
  std::uint64_t kernel_kills = 0;  ///< when it was made
  std::string killed_for;
};

struct Supervisor::Child {
  explicit Child(ChildSpec given) : spec(std::move(given)), life(spec.rules) {}
  const ChildSpec spec;
  ChildLife life;
  std::shared_ptr<Running> running;
  WallTime started{};
  std::string last_exit;
  std::string status;
  bool mendable = true;
  int exit_code = 0;
  bool killed = false;  ///< its last process, by the supervisor
  bool told = false;    ///< to stop
};

Supervisor::Supervisor(SupervisorOptions options, Clock& clock, Random& random, Log& log,
                       Executor executor)
    : options_(std::move(options)),
      clock_(clock),
      random_(random),
      log_(log),
      executor_(executor),
      changed_(clock),
      tasks_(clock, executor, [&log](const std::string& task, const std::string& what) {
        log.error("task.failed", {{"task", task}, {"why", what}});
      }) {}

Supervisor::~Supervisor() = default;

void Supervisor::add(ChildSpec spec) {
  children_.push_back(std::make_unique<Child>(std::move(spec)));
}

void Supervisor::start() {
  if (options_.adopt_orphans) ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  tasks_.spawn("supervisor", look_after());
}

Supervisor::Child* Supervisor::find(const std::string& name) const {
  for (const auto& child : children_) {
    if (child->spec.name == name) return child.get();
  }
  return nullptr;
}

void Supervisor::tell() {
  changed_.notify();
  if (options_.on_change) options_.on_change();
}

Co<> Supervisor::look_after() {
  auto alarm = clock_.alarm(executor_);
  looked_ = clock_.now();
  for (;;) {
    const TimePoint now = clock_.now();
    // When this process was stopped or starved, its children's signs wait unread: nobody is blamed
    // for a silence that was ours.
    const bool slept = now - looked_ > options_.tick + std::chrono::seconds(1);
    looked_ = now;
    for (const auto& child : children_) {
      if (slept) child->life.forgive(now);
      look(*child, now);
    }
    if (options_.adopt_orphans) reap_orphans();
    const TimePoint next = now + options_.tick;
    [[maybe_unused]] auto reached = co_await alarm->wait_until(next);
  }
}

void Supervisor::look(Child& child, TimePoint now) {
  const ChildStep step = child.life.look(now);
  if (step == ChildStep::none) return;
  if (step == ChildStep::start) {
    start(child);
    return;
  }
  if (!child.running) return;
  child.running->killed_for = why(step);
  log_.error("child.killed",
             {{"child", child.spec.name}, {"pid", child.running->pid}, {"why", why(step)}});
  kill_group(child.running->pid);
}

void Supervisor::start(Child& child) {
  const std::uint64_t kills = kernel_kills();
  Spawned spawned = spawn(child.spec.program);
  child.started = clock_.wall();
  child.status.clear();
  child.killed = false;
  if (spawned.error != 0) {
    ended(child, {ChildExit::How::not_started, spawned.error, false, ""});
    return;
  }
  auto running =
      std::make_shared<Running>(std::move(spawned.process), executor_, options_.line_max);
  running->began = clock_.now();
  running->kernel_kills = kills;
  child.running = running;
  child.life.started(clock_.now());
  log_.info(
      "child.started",
      {{"child", child.spec.name}, {"pid", running->pid}, {"restarts", child.life.restarts()}});
  tasks_.spawn("child.out", read_lines(child, running, Printed::out));
  tasks_.spawn("child.err", read_lines(child, running, Printed::err));
  tasks_.spawn("child.signs", read_signs(child, running));
  tasks_.spawn("child.end", await_end(child, running));
  tell();
}

Co<> Supervisor::await_end(Child& child, std::shared_ptr<Running> running) {
  auto [failed] =
      co_await running->life.async_wait(asio::posix::descriptor_base::wait_read, use_co);
  if (!failed) end(child, *running);
}

Co<> Supervisor::read_lines(Child& child, std::shared_ptr<Running> running, Printed which) {
  Stream& stream = running->stream(which);
  const auto take = [this, &child, which](std::string_view line) {
    if (options_.on_line) options_.on_line(child.spec.name, which, line);
  };
  std::array<char, 16384> bytes{};
  TimePoint second = clock_.now();
  std::size_t spent = 0;
  for (;;) {
    auto [failed, got] = co_await stream.async_read_some(asio::buffer(bytes), use_co);
    if (failed) co_return;
    running->lines(which).feed(std::string_view(bytes.data(), got), take);
    const TimePoint now = clock_.now();
    if (now - second >= std::chrono::seconds(1)) {
      second = now;
      spent = 0;
    }
    spent += got;
    if (spent < options_.bytes_per_second) continue;
    const Duration rest = second + std::chrono::seconds(1) - now;
    co_await sleep(clock_, rest);
  }
}

Co<> Supervisor::read_signs(Child& child, std::shared_ptr<Running> running) {
  std::array<char, 1024> bytes{};
  for (;;) {
    auto [failed] =
        co_await running->signs.async_wait(asio::posix::descriptor_base::wait_read, use_co);
    if (failed) co_return;
    const auto got =
        ::recv(running->signs.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got < 0 && errno != EAGAIN && errno != EINTR) co_return;
    if (got > 0) take_sign(child, std::string_view(bytes.data(), static_cast<std::size_t>(got)));
  }
}

void Supervisor::take_sign(Child& child, std::string_view message) {
  const ChildPhase before = child.life.phase();
  const TimePoint now = clock_.now();
  child.life.heard(Sign::alive, now);
  while (!message.empty()) {
    const std::string_view line = message.substr(0, message.find('\n'));
    message.remove_prefix(std::min(message.size(), line.size() + 1));
    if (line == "READY=1") child.life.heard(Sign::ready, now);
    if (line == "WATCHDOG=1") child.life.heard(Sign::well, now);
    if (line == "STOPPING=1") child.life.heard(Sign::leaving, now);
    if (line.starts_with("STATUS=")) child.status = line.substr(7);
  }
  if (child.life.phase() == before) return;
  const bool ready = child.life.phase() == ChildPhase::running;
  log_.info(ready ? "child.ready" : "child.leaving", {{"child", child.spec.name}});
  tell();
}

/// What it printed last is still in the pipe.
void Supervisor::drain(Child& child, Running& running, Printed which) {
  const auto take = [this, &child, which](std::string_view line) {
    if (options_.on_line) options_.on_line(child.spec.name, which, line);
  };
  std::array<char, 16384> bytes{};
  for (std::size_t left = 4; left > 0; --left) {
    const auto got = ::read(running.stream(which).native_handle(), bytes.data(), bytes.size());
    if (got <= 0) break;
    running.lines(which).feed(std::string_view(bytes.data(), static_cast<std::size_t>(got)), take);
  }
  running.lines(which).finish(take);
}

void Supervisor::end(Child& child, Running& running) {
  ChildExit how = reap(running.pid);
  how.killed_for = running.killed_for;
  how.out_of_memory = how.how == ChildExit::How::signal && how.value == SIGKILL &&
                      kernel_kills() > running.kernel_kills;
  drain(child, running, Printed::out);
  drain(child, running, Printed::err);
  running.close();
  child.running.reset();
  ended(child, std::move(how));
}

void Supervisor::ended(Child& child, ChildExit how) {
  child.life.exited(how, clock_.now(), random_);
  child.last_exit = describe(how);
  child.mendable = worth_a_restart(how);
  child.killed = !how.killed_for.empty();
  if (how.how == ChildExit::How::code) child.exit_code = how.value;
  const ChildPhase phase = child.life.phase();
  if (phase == ChildPhase::given_up) {
    log_.error("child.degraded", {{"child", child.spec.name},
                                  {"why", child.last_exit},
                                  {"restarts", child.life.restarts()}});
  } else if (phase == ChildPhase::resting) {
    log_.warn("child.ended", {{"child", child.spec.name},
                              {"why", child.last_exit},
                              {"again_in_ms", child.life.next_start() - clock_.now()}});
  } else {
    log_.info("child.ended", {{"child", child.spec.name}, {"why", child.last_exit}});
  }
  tell();
}

/// Those that left their parent's group, or whose parent is gone.
void Supervisor::reap_orphans() {
  for (int most = 64; most > 0; --most) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
    const bool ours = std::any_of(children_.begin(), children_.end(), [&](const auto& child) {
      return child->running && child->running->pid == info.si_pid;
    });
    if (ours) return;  // await_end() has it
    ::waitpid(info.si_pid, nullptr, WNOHANG);
  }
}

/// Told once: a second SIGTERM would cut its stop short.
void Supervisor::begin_stop(Child& child, Deadline by) {
  if (child.told) return;
  child.told = true;
  child.life.stop(by.at());
  if (child.running) ::kill(child.running->pid, SIGTERM);
}

void Supervisor::begin_stop(const std::vector<std::string>& names, Deadline by) {
  for (const auto& name : names) {
    if (Child* child = find(name)) begin_stop(*child, by);
  }
}

Co<bool> Supervisor::stop(std::string name, Deadline by) {
  Child* child = find(name);
  if (child == nullptr) co_return true;
  begin_stop(*child, by);
  for (;;) {
    const auto seen = changed_.version();
    if (child->life.phase() == ChildPhase::ended) break;
    [[maybe_unused]] auto woken = co_await changed_.wait(seen, Deadline::never());
  }
  tell();
  co_return !child->killed;
}

void Supervisor::signal(int number) {
  for (const auto& child : children_) {
    if (child->running) ::kill(child->running->pid, number);
  }
}

void Supervisor::kill_all(const std::string& why_) {
  for (const auto& child : children_) {
    if (!child->running) continue;
    if (child->running->killed_for.empty()) child->running->killed_for = why_;
    kill_group(child->running->pid);
  }
}

void Supervisor::try_again() {
  for (const auto& child : children_) {
    if (child->life.try_again()) log_.info("child.again", {{"child", child->spec.name}});
  }
}

Co<> Supervisor::close() {
  for (const auto& child : children_) {
    const Deadline now(clock_.now());
    begin_stop(*child, now);
    child->life.stop(now.at());  // also when it was told before, with more time
    [[maybe_unused]] auto clean = co_await stop(child->spec.name, now);
  }
  co_await tasks_.close();
}

std::vector<ChildFigures> Supervisor::figures() const {
  std::vector<ChildFigures> out;
  const TimePoint now = clock_.now();
  for (const auto& child : children_) {
    ChildFigures one;
    one.name = child->spec.name;
    one.phase = child->life.phase();
    one.pid = child->running ? child->running->pid : 0;
    one.restarts = child->life.restarts();
    one.started = child->started;
    one.last_exit = child->last_exit;
    one.status = child->status;
    one.mendable = child->mendable;
    one.exit_code = child->exit_code;
    if (one.phase == ChildPhase::resting) {
      one.next_start = std::max(Duration::zero(), child->life.next_start() - now);
    }
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace mainstay::resources
