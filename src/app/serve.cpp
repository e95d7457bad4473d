// mainstay serve: runs until a signal or a failed disk, then stops in order.
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "app/commands.h"
#include "app/engine.h"
#include "app/files.h"
#include "app/secrecy.h"
#include "base/version.h"

namespace mainstay::app {
namespace {

/// Signals are taken by the main thread alone; blocked before any other thread starts.
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return set;
}

void print_welcome(const Engine& engine) {
  const std::string at = engine.address();
  std::printf(
      "Mainstay %s is listening on %s\n"
      "Data: %s\n"
      "Try:  curl -s %s/chat -H 'Content-Type: application/json' -d '{\"prompt\":\"What is "
      "Mainstay?\"}'\n",
      version(), at.c_str(), engine.data_dir().c_str(), at.c_str());
  if (!engine.health_address().empty()) {
    std::printf("Health alone: %s/health\n", engine.health_address().c_str());
  }
  if (!engine.admin_address().empty()) {
    std::printf("Admin alone: %s/admin\n", engine.admin_address().c_str());
  }
  if (!engine.fresh_admin_key().empty()) {
    std::printf("Admin key, shown this once and kept in %s/admin.key: %s\n",
                engine.data_dir().c_str(), engine.fresh_admin_key().c_str());
  }
  std::fflush(stdout);
}

/// Log rotation moves the file and sends SIGHUP: go on in a new one. The configuration is read
/// again too, as operators expect of this signal.
void hang_up(Engine& engine) {
  engine.notify().reloading(engine.clock());
  Status reopened = engine.log().reopen();
  if (!reopened.ok()) engine.log().error("log.reopen_failed", {{"why", reopened.error().detail}});
  [[maybe_unused]] auto reloaded = engine.reload();  // says in the log what came of it
  engine.notify().ready("Listening on " + engine.address());
}

/// Waits for SIGTERM or SIGINT, or until the engine gave up.
void wait_for_end(const sigset_t& set, Engine& engine) {
  while (engine.failure().empty()) {
    int signal = 0;
    if (sigwait(&set, &signal) != 0) continue;
    if (!engine.failure().empty()) return;  // the signal is our own: see on_failure
    engine.log().info("signal.received", {{"signal", strsignal(signal)}});
    if (signal != SIGHUP) return;
    hang_up(engine);
  }
}

/// Stops the engine while a second signal can hurry it, and a third ends it.
bool stop_listening_for_signals(Engine& engine, const sigset_t& set) {
  std::atomic<bool> stopped{false};
  bool clean = false;
  std::thread stopper([&] {  // lint: thread the main thread goes on taking signals meanwhile
    clean = engine.stop();
    stopped.store(true);
    ::kill(::getpid(), SIGHUP);  // wakes the wait below
  });
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

EngineOptions options_of(const Common& common) {
  EngineOptions options;
  options.starter = common.starter;
  options.sources = sources_of(common);
  options.notify_socket = notify_socket();
  options.watchdog_period = watchdog_period();
  options.on_failure = [] { ::kill(::getpid(), SIGTERM); };
  return options;
}

Exit exit_at_start(const Error& e) {
  return e.code == Errc::invalid && e.reason == "exposed_without_keys" ? Exit::config : exit_for(e);
}

}  // namespace

Exit serve(const Common& common) {
  const sigset_t signals = block_signals();
  auto loaded = load_settings(common);
  if (!loaded) return Exit::config;
  EngineOptions options = options_of(common);  // keeps the environment: a reload reads it again
  hide_secrets();
  Engine engine(std::move(*loaded), std::move(options));
  Status started = engine.start();
  if (!started.ok()) {
    print_error(common, started.error());
    return exit_at_start(started.error());
  }
  note_start(engine.data_dir(), engine.clock().wall());
  print_welcome(engine);
  engine.notify().ready("Listening on " + engine.address());
  wait_for_end(signals, engine);
  const bool clean = stop_listening_for_signals(engine, signals);
  const std::string failure = engine.failure();
  if (!failure.empty()) std::fprintf(stderr, "mainstay: stopped: %s\n", failure.c_str());
  // A step that is stuck holds references into the engine: leave without destroying it.
  if (!clean) std::_Exit(static_cast<int>(Exit::failed));
  return failure.empty() ? Exit::ok : Exit::failed;
}

}  // namespace mainstay::app
