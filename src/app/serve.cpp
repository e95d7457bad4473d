// mainstay serve: runs until a signal, then stops in order.
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "app/commands.h"
#include "app/engine.h"

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
      "Mainstay 0.1.0 is listening on %s\n"
      "Data: %s\n"
      "Try:  curl -s %s/chat -H 'Content-Type: application/json' -d '{\"prompt\":\"What is "
      "Mainstay?\"}'\n",
      at.c_str(), engine.data_dir().c_str(), at.c_str());
  if (!engine.health_address().empty()) {
    std::printf("Health alone: %s/health\n", engine.health_address().c_str());
  }
  std::fflush(stdout);
}

/// Waits for SIGTERM or SIGINT; SIGHUP is noted, settings are read at start only.
void wait_for_end(const sigset_t& set, Log& log) {
  for (;;) {
    int signal = 0;
    if (sigwait(&set, &signal) != 0) continue;
    log.info("signal.received", {{"signal", strsignal(signal)}});
    if (signal != SIGHUP) return;
  }
}

/// Stops the engine while a second signal can hurry it.
bool stop_listening_for_signals(Engine& engine, const sigset_t& set) {
  std::atomic<bool> stopped{false};
  bool clean = false;
  std::thread stopper([&] {  // lint: thread the main thread goes on taking signals meanwhile
    clean = engine.stop();
    stopped.store(true);
    ::kill(::getpid(), SIGHUP);  // wakes the wait below
  });
  while (!stopped.load()) {
    int signal = 0;
    sigwait(&set, &signal);
    if (!stopped.load() && signal != SIGHUP) engine.hurry();
  }
  stopper.join();
  return clean;
}

}  // namespace

Exit serve(const Common& common) {
  const sigset_t signals = block_signals();
  auto loaded = load_settings(common);
  if (!loaded) return Exit::config;
  Engine engine(std::move(*loaded), EngineOptions{common.starter});
  Status started = engine.start();
  if (!started.ok()) {
    print_error(common, started.error());
    const Error& e = started.error();
    return e.code == Errc::invalid && e.reason == "exposed_without_keys" ? Exit::config
                                                                         : exit_for(e);
  }
  print_welcome(engine);
  wait_for_end(signals, engine.log());
  const bool clean = stop_listening_for_signals(engine, signals);
  // A step that is stuck holds references into the engine: leave without destroying it.
  if (!clean) std::_Exit(static_cast<int>(Exit::failed));
  return Exit::ok;
}

}  // namespace mainstay::app
