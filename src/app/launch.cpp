// mainstay launch: one web process and, with Redis, worker processes, kept running.
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/basic_signal_set.hpp>
#include <boost/asio/co_spawn.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "app/commands.h"
#include "app/engine.h"
#include "app/files.h"
#include "app/launch_state.h"
#include "app/secrecy.h"

extern char** environ;

namespace mainstay::app {
namespace {

using resources::ChildPhase;

constexpr const char* kWeb = "web";
/// What a child may take to stop beyond server.stop_timeout, for the steps after the drain.
constexpr auto kAfterDrain = std::chrono::seconds(10);

/// This process's environment, without what is meant for it alone.
std::vector<std::string> environment() {
  std::vector<std::string> out;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string one = *at;
    const bool own = one.starts_with("NOTIFY_SOCKET=") || one.starts_with("WATCHDOG_");
    if (!own) out.push_back(one);
  }
  return out;
}

/// One launcher for each data directory: its descriptor is held to the end of the process.
Result<resources::Descriptor> claim(const std::string& data_dir) {
  const mode_t before = ::umask(077);
  std::error_code failed;
  std::filesystem::create_directories(data_dir, failed);
  ::umask(before);
  resources::Descriptor lock(
      ::open((data_dir + "/launch.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock.get() < 0) {
    return Error::say(Errc::invalid, "data_dir_unusable",
                      "The data directory " + data_dir + " cannot be used.", "storage.data_dir");
  }
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return Error::say(Errc::conflict, "data_dir_in_use",
                      "Another `mainstay launch` uses the data directory " + data_dir +
                          ". Stop it, or give this one its own with --data.",
                      "storage.data_dir");
  }
  return lock;
}

/// Prints a child's line on our standard output, unless nobody reads it: a full pipe must not hold
/// up the looking after.
void print_line(std::string_view line) {
  pollfd room{STDOUT_FILENO, POLLOUT, 0};
  if (::poll(&room, 1, 0) != 1 || (room.revents & POLLOUT) == 0) return;
  std::string text(line);
  text += '\n';
  [[maybe_unused]] const auto written = ::write(STDOUT_FILENO, text.data(), text.size());
}

class Launcher {
 public:
  Launcher(const Common& common, const Settings& settings, Log& log)
      : common_(common),
        settings_(settings),
        log_(log),
        data_dir_(data_dir_of(settings)),
        environment_(environment()),
        notify_(notify_socket()),
        supervisor_(options(), clock_, random_, log_, io_.get_executor()),
        signals_(io_, SIGTERM, SIGINT) {
    for (const int one : {SIGHUP, SIGUSR1}) signals_.add(one);
  }

  int run() {
    const bool redis = !settings_.storage.redis_url.empty();
    const std::uint32_t workers = redis ? settings_.launch.worker_processes : 0;
    supervisor_.add(web(workers > 0));
    for (std::uint32_t i = 1; i <= workers; ++i) supervisor_.add(worker(std::to_string(i)));
    say_plan(redis, workers);
    supervisor_.start();
    asio::co_spawn(io_, hear_signals(), rethrow);
    asio::co_spawn(io_, live(), [this](std::exception_ptr failed) {
      rethrow(failed);
      io_.stop();
    });
    if (const auto period = watchdog_period()) asio::co_spawn(io_, beat(*period / 3), rethrow);
    io_.run();
    ::unlink(state_file().c_str());
    return exit_;
  }

 private:
  static void rethrow(std::exception_ptr failed) {
    if (failed) std::rethrow_exception(failed);
  }
  std::string state_file() const { return data_dir_ + "/" + kLaunchState; }

  resources::SupervisorOptions options() {
    resources::SupervisorOptions out;
    out.adopt_orphans = true;
    out.on_change = [this] { tell(); };
    out.on_line = [this](const std::string& child, resources::Printed which,
                         std::string_view line) { take_line(child, which, line); };
    return out;
  }

  resources::ChildRules rules() const {
    const auto& s = settings_.launch;
    resources::ChildRules out;
    out.restarts_max = s.restarts_max;
    out.window = s.restart_window;
    out.backoff_min = s.backoff_min;
    out.backoff_max = s.backoff_max;
    out.heartbeat = s.heartbeat;
    out.missed_max = s.missed_max;
    out.stuck_after = s.stuck_after;
    out.start_timeout = s.start_timeout;
    out.stop_timeout = settings_.server.stop_timeout + kAfterDrain;
    return out;
  }

  resources::ChildSpec child(std::string name, std::vector<std::string> words,
                             const std::vector<std::string>& leave_out) const {
    resources::ChildSpec out;
    out.name = std::move(name);
    out.rules = rules();
    out.program.path = "/proc/self/exe";
    out.program.argv = {"mainstay"};
    for (auto& word : words) out.program.argv.push_back(std::move(word));
    if (!common_.config_file.empty()) {
      out.program.argv.insert(out.program.argv.end(), {"--config", common_.config_file});
    }
    for (const auto& [key, value] : common_.flags) {
      if (std::find(leave_out.begin(), leave_out.end(), key) != leave_out.end()) continue;
      out.program.argv.insert(out.program.argv.end(), {"--set", key + "=" + value});
    }
    out.program.env = environment_;
    // It sends a sign at each quarter of this, and at least once in a second.
    const auto period = std::chrono::microseconds(Duration(settings_.launch.heartbeat) * 2 /
                                                  std::chrono::microseconds(1));
    out.program.env.push_back("WATCHDOG_USEC=" + std::to_string(period.count()));
    out.program.env.push_back("NOTIFY_SOCKET=fd:" + std::to_string(resources::kSignsDescriptor));
    return out;
  }

  resources::ChildSpec web(bool workers) const {
    std::vector<std::string> words = {"serve"};
    if (!common_.starter.empty()) words.insert(words.end(), {"--starter", common_.starter});
    auto out = child(kWeb, std::move(words), {});
    // A job that brings its process down is to bring down a worker.
    if (workers) out.program.argv.insert(out.program.argv.end(), {"--set", "jobs.runs=own"});
    return out;
  }
  resources::ChildSpec worker(const std::string& name) const {
    return child("worker-" + name, {"worker", "--name", name}, {"server.listen"});
  }

  void say_plan(bool redis, std::uint32_t workers) {
    if (redis) {
      log_.info("launch.started", {{"data", data_dir_}, {"workers", workers}});
      return;
    }
    const char* why = "jobs run inside the web process: worker processes need storage.redis_url";
    log_.info("launch.started", {{"data", data_dir_}, {"workers", 0}, {"why", why}});
    if (settings_.log.sink != "stderr") std::fprintf(stderr, "mainstay: %s\n", why);
  }

  void take_line(const std::string& name, resources::Printed which, std::string_view line) {
    if (which == resources::Printed::out) {
      print_line(line);
      return;
    }
    const bool formatted =
        settings_.log.format == "text" || (line.starts_with('{') && line.ends_with('}'));
    if (settings_.log.sink == "stderr" && formatted) {
      log_.pass(line);
    } else {
      log_.warn("child.said", {{"child", name}, {"line", line}});
    }
  }

  /// Something changed: the file, the service manager, and whether it is worth going on.
  void tell() {
    const auto children = supervisor_.figures();
    auto written = write_small(state_file(), dump(launch_state_json(children)));
    if (!written.ok()) log_.warn("launch.state_unwritten", {{"why", written.error().detail}});
    std::string status;
    for (const auto& one : children) {
      status += (status.empty() ? "" : ", ") + one.name + " " + resources::name(one.phase);
      if (one.name != kWeb) continue;
      if (one.phase == ChildPhase::running && !ready_) {
        ready_ = true;
        notify_.ready("web running");
      }
      if (one.phase == ChildPhase::given_up && !stopping_) give_up(one);
    }
    notify_.status(status);
  }

  /// Without the web process nothing is served: the service manager is to know.
  void give_up(const resources::ChildFigures& web) {
    log_.error("launch.gives_up", {{"why", web.last_exit}});
    std::fprintf(stderr, "mainstay: the web process was given up: %s\n", web.last_exit.c_str());
    exit_ = web.mendable ? static_cast<int>(Exit::failed) : web.exit_code;
    stopping_ = true;
    wake_.notify();
  }

  Co<> hear_signals() {
    int asked = 0;
    for (;;) {
      auto [failed, number] = co_await signals_.async_wait(use_co);
      if (failed) co_return;
      log_.info("signal.received", {{"signal", ::strsignal(number)}});
      if (number == SIGUSR1) {
        for (const auto& line : launch_lines(supervisor_.figures())) print_line(line);
      } else if (number == SIGHUP) {
        auto reopened = log_.reopen();
        if (!reopened.ok()) log_.error("log.reopen_failed", {{"why", reopened.error().detail}});
        supervisor_.signal(SIGHUP);
        supervisor_.try_again();
      } else {
        hurry(++asked);
      }
    }
  }

  /// The second request cuts what runs short, the third kills.
  void hurry(int asked) {
    stopping_ = true;
    wake_.notify();
    if (asked == 2) supervisor_.signal(SIGTERM);
    if (asked > 2) supervisor_.kill_all("the stop was cut short");
  }

  /// Until it is to stop; then the web process first, which takes work in, then the workers.
  Co<> live() {
    for (;;) {
      const auto seen = wake_.version();
      if (stopping_) break;
      [[maybe_unused]] auto woken = co_await wake_.wait(seen, Deadline::never());
    }
    notify_.stopping("Stopping");
    const Duration within = settings_.server.stop_timeout + kAfterDrain;
    notify_.extend(within + kAfterDrain);
    const Deadline web_by = Deadline::in(clock_, within);
    auto web_clean = co_await supervisor_.stop(kWeb, web_by);
    notify_.extend(within + kAfterDrain);
    // All at once: they stop beside each other.
    const Deadline by = Deadline::in(clock_, within);
    const bool workers_clean = co_await stop_workers(by);
    if ((!web_clean || !workers_clean) && exit_ == 0) exit_ = static_cast<int>(Exit::failed);
    co_await supervisor_.close();
  }

  Co<bool> stop_workers(Deadline by) {
    bool clean = true;
    std::vector<std::string> names;
    for (const auto& one : supervisor_.figures()) {
      if (one.name != kWeb) names.push_back(one.name);
    }
    supervisor_.begin_stop(names, by);
    for (const auto& name : names) {
      const bool by_itself = co_await supervisor_.stop(name, by);
      clean = clean && by_itself;
    }
    co_return clean;
  }

  Co<> beat(Duration every) {
    for (;;) {
      notify_.watchdog();
      auto reached = co_await sleep(clock_, every);
      if (!reached) co_return;
    }
  }

  const Common& common_;
  const Settings& settings_;
  Log& log_;
  const std::string data_dir_;
  const std::vector<std::string> environment_;
  RealClock clock_;
  asio::io_context io_{1};
  RealRandom random_;
  const Notify notify_;
  resources::Supervisor supervisor_;
  asio::basic_signal_set<Executor> signals_;
  Event wake_{clock_};
  bool ready_ = false;
  bool stopping_ = false;
  int exit_ = 0;
};

}  // namespace

Exit launch(const Common& common) {
  std::signal(SIGPIPE, SIG_IGN);
  auto loaded = load_settings(common);
  if (!loaded) return Exit::config;
  auto lock = claim(data_dir_of(loaded->settings));
  if (!lock.ok()) {
    print_error(common, lock.error());
    return exit_for(lock.error());
  }
  RealClock clock;
  auto log = Log::open(loaded->settings.log, clock);
  if (!log.ok()) {
    print_error(common, log.error());
    return Exit::config;
  }
  auto launcher = std::make_unique<Launcher>(common, loaded->settings, **log);
  hide_secrets();  // the launcher keeps them for its children
  const int code = launcher->run();
  launcher.reset();
  (*log)->info("launch.ended", {{"code", code}});
  (*log)->stop(std::chrono::seconds(2));
  return static_cast<Exit>(code);
}

}  // namespace mainstay::app
