// The whole program, wired: started once, stopped once.
// Used by app's commands (serve; ask, search and ingest when no server runs).
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "admission/admission.h"
#include "api/service.h"
#include "app/lifecycle.h"
#include "app/loops.h"
#include "app/wire.h"
#include "assistant/assistant.h"
#include "config/load.h"
#include "knowledge/library.h"
#include "net/client.h"
#include "net/server.h"

namespace mainstay::app {

struct EngineOptions {
  std::string
      starter;  ///< directory whose README.md and docs/*.md are kept as documents; may be empty
};

/// Owns every part. Used from the main thread.
class Engine {
 public:
  Engine(config::Loaded loaded, EngineOptions options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Starts all parts; after an error the started ones are stopped again.
  Status start();
  /// Drains and stops everything within the settings' deadlines. True when every step was clean.
  bool stop();
  /// Makes a running stop() give up waiting for requests. Any thread.
  void hurry();
  /// "http://127.0.0.1:41234"
  std::string address() const;
  /// The same of server.health_listen; empty when none is configured.
  std::string health_address() const;
  const std::string& data_dir() const noexcept { return data_dir_; }
  /// Waits until providers were looked for and the starter documents are in, at most `for_at_most`.
  bool wait_until_ready(Duration for_at_most);
  Log& log() { return *log_; }

 private:
  Status start_parts();
  Status start_foundation();
  Status start_stores();
  Status start_models();
  Status start_api();
  Status open_listener();
  void start_background();
  Status drain();
  Co<> watch_models();
  Co<> ingest_starter();

  const config::Loaded loaded_;
  const EngineOptions options_;
  const Settings& settings_;
  const std::string data_dir_;
  RealClock clock_;
  RealRandom random_;
  Metrics metrics_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<OffloadPool> pool_;
  std::unique_ptr<Loops> loops_;
  std::unique_ptr<storage::Stores> stores_;
  std::unique_ptr<net::Client> client_;
  std::unique_ptr<knowledge::Library> library_;
  std::unique_ptr<WiredModels> models_;
  std::unique_ptr<assistant::Assistant> assistant_;
  std::unique_ptr<admission::Admission> admission_;
  std::atomic<const char*> not_ready_{"starting"};
  std::unique_ptr<api::Rooms> rooms_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<net::Server> server_;
  Lifecycle lifecycle_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool hurry_ = false;
  bool ready_ = false;
  bool starter_done_ = false;
};

/// Where data lives: the setting, else $XDG_DATA_HOME/mainstay, else ~/.local/share/mainstay.
std::string data_dir_of(const Settings& settings);

}  // namespace mainstay::app
