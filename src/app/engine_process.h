// A process that is one engine: started, kept until a signal or a failed disk, stopped in order.
// Used by serve.cpp and worker.cpp.
#pragma once

#include <csignal>
#include <functional>

#include "app/commands.h"
#include "app/engine.h"

namespace mainstay::app {

/// Signals are taken by the main thread alone; to be blocked before any other thread starts.
sigset_t block_signals();

/// What the environment says of the service manager or of `mainstay launch`, and where a reload
/// reads from.
EngineOptions engine_options(const Common& common);

struct EngineProcess {
  const Common& common;
  sigset_t signals;
  std::function<std::string(const Engine&)> status;  ///< for the service manager, once it runs
  std::function<void(const Engine&)> welcome;        ///< prints for people
};
/// Returns when the engine has stopped; does not when a step of the stop is stuck.
Exit run_engine(const EngineProcess& process, config::Loaded loaded, EngineOptions options);

}  // namespace mainstay::app
