// mainstay worker: the engine without a listener, for jobs of a queue that several processes share.
#include <cstdio>

#include "app/engine_process.h"
#include "base/version.h"
#include "jobs/kind_fields.h"

namespace mainstay::app {
namespace {

Error needs_redis() {
  return Error::say(Errc::invalid, "worker_needs_redis",
                    "A worker process needs jobs in Redis (storage.redis_url): with SQLite one "
                    "process owns the database, and the jobs run inside `mainstay serve`; set "
                    "jobs.workers there for more of them at once.",
                    "storage.redis_url");
}

Error bad_name() {
  return Error::say(Errc::invalid, "invalid_name",
                    "A worker's name has 1 to 128 characters of A-Z a-z 0-9 . _ : -", "name");
}

/// What makes a worker of the settings. It keeps nothing of its own: its folder holds a lock,
/// empty databases and the admin key of its own address.
void add_flags(Common& common, const WorkerOptions& options, const std::string& data_dir) {
  const auto set = [&common](const char* key, std::string value) {
    common.flags.emplace_back(key, std::move(value));
  };
  set("storage.data_dir", data_dir + "/worker-" + options.name);
  set("jobs.runs", "shared");
  set("resources.disk_ballast", "0");
  set("server.listen", "127.0.0.1:0");
  set("server.health_listen", "");
  set("server.admin_listen", options.listen);
  common.starter.clear();
}

}  // namespace

Exit worker(Common common, const WorkerOptions& options) {
  const sigset_t signals = block_signals();
  auto loaded = load_settings(common);
  if (!loaded) return Exit::config;
  const bool named = jobs::is_plain_name(options.name);
  if (!named || loaded->settings.storage.redis_url.empty()) {
    print_error(common, named ? needs_redis() : bad_name());
    return named ? Exit::config : Exit::usage;
  }
  add_flags(common, options, data_dir_of(loaded->settings));
  loaded = load_settings(common);
  if (!loaded) return Exit::config;
  EngineOptions engine = engine_options(common);
  engine.hosts = false;  // the web process has them
  engine.listens = options.listen.empty() ? Listens::nowhere : Listens::admin_alone;
  const std::string says = "Worker " + options.name + " takes jobs";
  const auto status = [&says](const Engine&) { return says; };
  const auto welcome = [&says](const Engine& running) {
    std::printf("Mainstay %s: %s\nData: %s\n", version(), says.c_str(), running.data_dir().c_str());
    if (const auto at = running.address(); !at.empty()) {
      std::printf("Health, metrics and /admin: %s (admin key in %s/admin.key)\n", at.c_str(),
                  running.data_dir().c_str());
    }
    std::fflush(stdout);
  };
  return run_engine({common, signals, status, welcome}, std::move(*loaded), std::move(engine));
}

}  // namespace mainstay::app
