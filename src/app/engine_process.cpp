// Signals, start, wait, stop.
#include "app/engine_process.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <thread>

#include "app/files.h"
#include "app/secrecy.h"

namespace mainstay::app {
namespace {

/// Log rotation moves the file and sends SIGHUP: go on in a new one. The configuration is read
/// again too, as operators expect of this signal.
void hang_up(Engine& engine, const std::string& status) {
  engine.notify().reloading(engine.clock());
  Status reopened = engine.log().reopen();
  if (!reopened.ok()) engine.log().error("log.reopen_failed", {{"why", reopened.error().detail}});
  [[maybe_unused]] auto reloaded = engine.reload();  // says in the log what came of it
  engine.notify().ready(status);
}

/// Waits for SIGTERM or SIGINT, or until the engine gave up.
void wait_for_end(const sigset_t& set, Engine& engine, const std::string& status) {
  while (engine.failure().empty()) {
    int signal = 0;
    if (sigwait(&set, &signal) != 0) continue;
    if (!engine.failure().empty()) return;  // the signal is our own: see on_failure
    engine.log().info("signal.received", {{"signal", strsignal(signal)}});
    if (signal != SIGHUP) return;
    hang_up(engine, status);
  }
}

/// Stops the engine while a second signal can hurry it, and a third ends it.
bool stop_listening_for_signals(Engine& engine, const sigset_t& set) {
  std::atomic<bool> stopped{false};
  bool clean = false;
  const auto stop = [&] {
    clean = engine.stop();
    stopped.store(true);
    ::kill(::getpid(), SIGHUP);  // wakes the wait below
  };
  std::thread stopper;  // lint: thread the main thread goes on taking signals meanwhile
  try {
    stopper = std::thread(stop);  // lint: thread see above
  } catch (const std::system_error&) {
    return engine.stop();  // no thread is to be had: a stop that cannot be hurried is one as well
  }
  int further = 0;
  while (!stopped.load()) {
    int signal = 0;
    sigwait(&set, &signal);
    if (stopped.load() || signal == SIGHUP) continue;
    engine.hurry();
    if (++further > 1) std::_Exit(static_cast<int>(Exit::failed));
  }
  stopper.join();
  return clean;
}

Exit exit_at_start(const Error& e) {
  return e.code == Errc::invalid && e.reason == "exposed_without_keys" ? Exit::config : exit_for(e);
}

}  // namespace

sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return set;
}

EngineOptions engine_options(const Common& common) {
  EngineOptions options;
  options.starter = common.starter;
  options.sources = sources_of(common);
  options.notify_socket = notify_socket();
  options.watchdog_period = watchdog_period();
  options.on_failure = [] { ::kill(::getpid(), SIGTERM); };
  return options;
}

Exit run_engine(const EngineProcess& process, config::Loaded loaded, EngineOptions options) {
  hide_secrets();  // the options keep the environment: a reload reads it again
  Engine engine(std::move(loaded), std::move(options));
  Status started = engine.start();
  if (!started.ok()) {
    print_error(process.common, started.error());
    return exit_at_start(started.error());
  }
  note_start(engine.data_dir(), engine.clock().wall());
  process.welcome(engine);
  const std::string status = process.status(engine);
  engine.notify().ready(status);
  wait_for_end(process.signals, engine, status);
  const bool clean = stop_listening_for_signals(engine, process.signals);
  const std::string failure = engine.failure();
  if (!failure.empty()) std::fprintf(stderr, "mainstay: stopped: %s\n", failure.c_str());
  // A step that is stuck holds references into the engine: leave without destroying it.
  if (!clean) std::_Exit(static_cast<int>(Exit::failed));
  return failure.empty() ? Exit::ok : Exit::failed;
}

}  // namespace mainstay::app
