// The whole program, wired: started once, stopped once.
// Used by app's commands (serve; ask, search and ingest when no server runs).
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "admission/admission.h"
#include "api/running_chats.h"
#include "app/generation.h"
#include "app/job_room.h"
#include "app/launch_state.h"
#include "app/lifecycle.h"
#include "app/loops.h"
#include "app/notify.h"
#include "app/program.h"
#include "app/reload.h"
#include "app/watchdog.h"
#include "app/wire.h"
#include "config/load.h"
#include "knowledge/meaning.h"
#include "media/archive.h"
#include "media/audio.h"
#include "media/decoders.h"
#include "models/hosts.h"
#include "net/client.h"
#include "net/server.h"
#include "storage/audio_store.h"
#include "telemetry/history_sampler.h"

namespace mainstay::api {
class WyomingServer;
}

namespace mainstay::app {

/// Where an engine takes requests: `admin_alone` opens server.admin_listen and nothing else.
enum class Listens : std::uint8_t { everywhere, admin_alone, nowhere };

struct EngineOptions {
  std::string
      starter;  ///< directory whose README.md and docs/*.md are kept as documents; may be empty
  /// Where a reload reads from; unset: the configuration stays as it was given.
  std::optional<config::Sources> sources = {};
  std::string notify_socket = {};                ///< of the service manager; empty: none
  std::optional<Duration> watchdog_period = {};  ///< how often it wants to hear from us
  /// Called once, on a loop, when the engine cannot go on (failure() says why); must not block.
  std::function<void()> on_failure = {};
  bool jobs = true;  ///< runs jobs; false: only takes and shows them
  Listens listens = Listens::everywhere;
  bool hosts = true;  ///< starts model hosts; false: another process of this machine does
  std::vector<std::string> job_kinds = {};  ///< runs these alone; empty: as the settings say
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
  /// "http://127.0.0.1:41234"; empty when it listens nowhere.
  std::string address() const;
  /// The same of server.health_listen; empty when none is configured.
  std::string health_address() const;
  /// The same of server.admin_listen.
  std::string admin_address() const;
  const Settings& settings() const noexcept { return settings_; }  ///< of the start
  const std::string& data_dir() const noexcept { return data_dir_; }
  /// The admin key when this start made it, to be shown once; else empty.
  const std::string& fresh_admin_key() const noexcept { return fresh_admin_key_; }
  /// Reads the configuration again, as for SIGHUP, and waits for the outcome (seconds at most).
  /// Main thread.
  Status reload();
  /// Waits until providers were looked for and the starter documents are in, at most `for_at_most`.
  bool wait_until_ready(Duration for_at_most);
  Log& log() { return *log_; }
  const Clock& clock() const noexcept { return clock_; }
  const Notify& notify() const noexcept { return notify_; }
  /// Why the engine gave up by itself (the disk failed); empty while it has not. Any thread.
  std::string failure() const;
  /// Worst of the event loops, as last measured. Any thread, between start() and stop().
  Duration loop_lag() const noexcept { return watchdog_ ? watchdog_->lag() : Duration::zero(); }

 private:
  Status start_parts();
  Status start_foundation();
  Status start_stores();
  Status start_decoders();
  Status start_audio();
  void keep_audio();
  void make_meaning();
  void keep_knowledge();
  Status start_models();
  Status start_hosts();
  void watch_hosts_pressure();
  Status start_api();
  Status start_identity();
  Status start_watches();
  Status start_jobs();
  void make_job_room();
  void take_work();
  jobs::InForce in_force() const;
  Co<Result<std::string>> clean_up(Deadline by);
  void start_governor();
  void free_the_reserve();
  std::uint64_t open_connections() const;
  Co<> read_keys(std::shared_ptr<std::promise<Status>> read);
  Status end_background();
  Co<> note_key_uses(std::shared_ptr<std::promise<void>> noted, Deadline by);
  Co<> reload_for_signal(std::shared_ptr<std::promise<Status>> told);
  Co<std::vector<std::string>> probe(ReloadSteps::Built built, Deadline by);
  ReloadSteps reload_steps();
  Result<config::Loaded> read_configuration();
  Result<ReloadSteps::Built> build(config::Loaded loaded, std::uint64_t version);
  void put_in_force(const ReloadSteps::Built& built, const Settings& settings);
  Status renew_certificates();
  void note_reload(Origin origin, const Result<api::ReloadReport>& outcome);
  Ground ground();
  net::Relief relief() const noexcept;
  Status open_wyoming();
  Status open_listener();
  Status open_admin_listener();
  void start_background();
  std::vector<std::string> requests() const;
  Status drain();
  Co<> watch_models();
  Co<> watch_stores();
  Co<> watch_launch();
  Co<> sample_figures();
  void add_to_sample(SampleRow& row) const;
  Co<> ingest_starter();

  const config::Loaded loaded_;
  const EngineOptions options_;
  const Settings& settings_;
  const std::string data_dir_;
  resources::Descriptor address_held_;  ///< see write_address()
  const Notify notify_;
  RealClock clock_;
  RealRandom random_;
  Metrics metrics_;
  Metrics admin_metrics_;  ///< of the admin listener, whose figures would mix with the main one's
  std::unique_ptr<Log> log_;
  std::unique_ptr<OffloadPool> pool_;
  std::unique_ptr<Loops> loops_;
  std::unique_ptr<Watchdog> watchdog_;
  std::unique_ptr<storage::Stores> stores_;
  std::unique_ptr<storage::Shelf> shelf_;
  std::unique_ptr<media::Decoders> decoders_;
  std::unique_ptr<media::Audio> sound_;
  std::unique_ptr<storage::AudioStore> audio_store_;  ///< null: this process serves nobody
  std::unique_ptr<media::Archives> archives_;
  std::unique_ptr<knowledge::Meaning> meaning_;  ///< null: search is by words alone
  std::unique_ptr<net::Client> client_;
  std::unique_ptr<models::Hosts> hosts_;  ///< null: none is configured
  std::unique_ptr<admission::Admission> admission_;
  std::string fresh_admin_key_;
  std::atomic<const char*> not_ready_{"starting"};
  std::unique_ptr<resources::Governor> governor_;
  std::unique_ptr<JobRoom> jobs_;
  LaunchView launched_;
  std::unique_ptr<api::AdminDesk> admin_;
  api::RunningChats running_chats_{clock_};
  std::unique_ptr<config::Live<Generation>> live_;
  std::unique_ptr<Reload> reload_;
  std::unique_ptr<EngineProgram> program_;
  std::unique_ptr<LiveService> service_;
  std::unique_ptr<LiveService> admin_service_;
  std::unique_ptr<net::Server> server_;
  std::unique_ptr<api::WyomingServer> wyoming_;  ///< null: it is off
  std::unique_ptr<net::Server> admin_server_;    ///< on server.admin_listen; null without
  Lifecycle lifecycle_;

  mutable std::mutex mutex_;
  std::string failure_;
  std::condition_variable changed_;
  bool hurry_ = false;
  bool ready_ = false;
  bool starter_done_ = false;
};

/// Where data lives: the setting, else $XDG_DATA_HOME/mainstay, else ~/.local/share/mainstay.
std::string data_dir_of(const Settings& settings);

}  // namespace mainstay::app
