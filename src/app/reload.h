// Reload: one way from a changed configuration to one in force, whoever asked: the file itself, its
// age, SIGHUP, or the admin API. Validate, build, probe, swap; or change nothing and say why.
// Used by engine.cpp. Decisions about when are in config/watch.h.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/program.h"
#include "base/event.h"
#include "base/offload.h"
#include "config/load.h"
#include "config/watch.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::app {

/// Who asked.
enum class Origin : std::uint8_t { api, signal, file, age };
std::string_view name(Origin origin) noexcept;

/// What a reload needs done; each step is called by one reload at a time.
struct ReloadSteps {
  /// Something built, not in force yet.
  struct Built {
    std::shared_ptr<const void> what;
    bool new_models = false;
  };
  /// Reads and checks everything. Blocks; runs on the pool.
  std::function<Result<config::Loaded>()> load;
  /// Builds beside what is in force. Runs on the pool.
  std::function<Result<Built>(config::Loaded loaded, std::uint64_t version)> build;
  /// Asks new models whether they answer; names those that do not. On the reload's loop.
  std::function<Co<std::vector<std::string>>(Built built, Deadline by)> probe;
  /// Puts it in force; cannot fail. On the reload's loop.
  std::function<void(const Built& built, const Settings& settings)> swap;
  /// Takes what lies in files beside the configuration (certificates) anew after each reading that
  /// was accepted, changed or not. Blocks; runs on the pool. May be empty.
  std::function<Status()> renew;
  /// Hears of every reload that changed or failed and that no request asked for.
  std::function<void(Origin origin, const Result<api::ReloadReport>& outcome)> told;
};

class Reload {
 public:
  /// `first` is in force already. References outlive this.
  Reload(ReloadSteps steps, config::Loaded first, Clock& clock, Log& log, Metrics& metrics,
         OffloadPool& pool);

  /// Asks for a reload and waits for its outcome; several who ask at once share one.
  /// Errors: unprocessable "invalid_config", unavailable "reload_busy", deadline. Any loop.
  Co<Result<api::ReloadReport>> ask(Origin origin, Deadline by);
  /// Reloads when asked and when the file's state calls for it, until cancelled. One loop.
  Co<> run();
  /// All but hits and misses. Any thread.
  api::ConfigFigures figures() const;
  /// What is in force, with origins. Any thread.
  std::shared_ptr<const config::Loaded> loaded() const;

 private:
  struct Ticket;
  struct Read {
    config::Loaded loaded;
    config::FileStamp stamp;
  };
  std::vector<std::shared_ptr<Ticket>> take_tickets();
  Co<config::Due> look_at_file();
  Co<Result<api::ReloadReport>> once(Origin origin);
  Co<Result<api::ReloadReport>> bring_into_force(config::Loaded next, api::ReloadReport report);
  void succeeded(Origin origin, const api::ReloadReport& report);
  void failed(Origin origin, const Error& error);

  const ReloadSteps steps_;
  const config::Loaded boot_;
  Clock& clock_;
  Log& log_;
  OffloadPool& pool_;
  Gauge& success_;
  Gauge& version_gauge_;
  Counter& accepted_;
  Counter& refused_;
  Event wanted_;
  config::Watch watch_;  // run()'s loop alone
  /// Alive while a look or a reading runs. One that hangs, say in a dead network disk, holds one
  /// thread of the pool: no second one is begun beside it.
  std::weak_ptr<int> looking_;
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<Ticket>> tickets_;
  std::shared_ptr<const config::Loaded> loaded_;
  std::uint64_t version_ = 1;
  TimePoint accepted_at_{};
  std::string last_error_;
  bool last_succeeded_ = true;
  std::vector<std::string> restart_;
};

}  // namespace mainstay::app
