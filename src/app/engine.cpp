// Order of start, order of stop.
#include "app/engine.h"

#include <sys/resource.h>

#include <cstdlib>
#include <thread>

#include "app/files.h"
#include "net/http.h"

namespace mainstay::app {
namespace {

/// For providers to answer at start; those that take longer are found by the watch.
constexpr auto kProbeTime = std::chrono::milliseconds(1500);

std::size_t loop_count(const Settings& settings) {
  if (settings.server.threads > 0) return settings.server.threads;
  return std::max(1U, std::thread::hardware_concurrency());
}

/// Every connection needs a descriptor: take what the system lets us have.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Refuses to be reachable by others without saying who may call.
Status check_exposure(const Settings& settings) {
  const auto& listen = settings.server.listen;
  const auto host = listen.substr(0, listen.rfind(':'));
  const bool loopback = host == "localhost" || host.starts_with("127.") || host == "[::1]";
  if (loopback || !settings.auth.keys.empty()) return done();
  return Error::say(
      Errc::invalid, "exposed_without_keys",
      "Refusing to listen on " + listen +
          " without API keys: anyone could use this server. Put keys into a file, one "
          "a line, and set MAINSTAY_AUTH__KEYS_FILE to it, or listen on 127.0.0.1.");
}

}  // namespace

std::string data_dir_of(const Settings& settings) {
  if (!settings.storage.data_dir.empty()) return settings.storage.data_dir;
  if (const char* xdg = std::getenv("XDG_DATA_HOME"); xdg != nullptr && *xdg != '\0') {
    return std::string(xdg) + "/mainstay";
  }
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr ? home : "/var/lib") + "/.local/share/mainstay";
}

Engine::Engine(config::Loaded loaded, EngineOptions options)
    : loaded_(std::move(loaded)),
      options_(std::move(options)),
      settings_(loaded_.settings),
      data_dir_(data_dir_of(settings_)),
      lifecycle_(clock_, [this] { return log_.get(); }) {}

Engine::~Engine() {
  stop();
}

Status Engine::start() {
  raise_descriptor_limit();
  Status started = check_exposure(settings_);
  if (started.ok()) started = start_parts();
  if (!started.ok()) stop();
  return started;
}

Status Engine::start_parts() {
  for (auto step : {&Engine::start_foundation, &Engine::start_stores, &Engine::start_models,
                    &Engine::start_api, &Engine::open_listener}) {
    Status status = (this->*step)();
    if (!status.ok()) return status;
  }
  Part background{"background",
                  [this] {
                    start_background();
                    return done();
                  },
                  [this] { return loops_->end_background(std::chrono::seconds(4)); }};
  return lifecycle_.start(std::move(background));
}

Status Engine::start_foundation() {
  auto log = Log::open(settings_.log, clock_);
  if (!log.ok()) return log.error();
  log_ = std::move(*log);
  Part loops{"loops",
             [this] {
               loops_ = std::make_unique<Loops>(loop_count(settings_), clock_, *log_);
               loops_->run();
               return done();
             },
             [this] { return loops_->stop(); }};
  Status status = lifecycle_.start(std::move(loops));
  if (!status.ok()) return status;
  Part offload{"offload",
               [this] {
                 pool_ = std::make_unique<OffloadPool>("offload", settings_.offload.threads,
                                                       settings_.offload.queue_max);
                 return done();
               },
               [this] {
                 pool_->stop();
                 return done();
               }};
  return lifecycle_.start(std::move(offload));
}

Status Engine::start_stores() {
  Part stores{"storage",
              [this]() -> Status {
                auto opened =
                    open_stores(settings_.storage, data_dir_, clock_, random_, *log_, metrics_);
                if (!opened.ok()) return opened.error();
                stores_ = std::move(*opened);
                return done();
              },
              [this] { return stores_->close(); }, std::chrono::seconds(10)};
  return lifecycle_.start(std::move(stores));
}

Status Engine::start_models() {
  Part client{"upstream",
              [this] {
                client_ = net::make_client(settings_.upstream, clock_, *log_, metrics_,
                                           loops_->contexts());
                return done();
              },
              [this] {
                client_->close();
                return done();
              }};
  Status status = lifecycle_.start(std::move(client));
  if (!status.ok()) return status;
  Part models{"models", [this]() -> Status {
                library_ = std::make_unique<knowledge::Library>(
                    settings_.knowledge, clock_, random_, *pool_, stores_->documents());
                auto wired =
                    wire_models(settings_, clock_, random_, *log_, metrics_, *client_, *library_);
                if (!wired.ok()) return wired.error();
                models_ = std::move(*wired);
                return done();
              }};
  return lifecycle_.start(std::move(models));
}

Status Engine::start_api() {
  Part api{
      "api", [this] {
        assistant_ = std::make_unique<assistant::Assistant>(
            settings_, clock_, random_, models_->models(), *library_, stores_->conversations());
        admission_ = std::make_unique<admission::Admission>(settings_, clock_, metrics_);
        rooms_ = std::make_unique<api::Rooms>(api::Rooms{
            settings_, clock_, random_, *log_, metrics_, *admission_, *assistant_,
            models_->models(), *library_, *stores_, *client_, not_ready_, settings_.server.listen});
        api_ = std::make_unique<api::Api>(*rooms_);
        return done();
      }};
  return lifecycle_.start(std::move(api));
}

Status Engine::open_listener() {
  Part listener{"listener",
                [this]() -> Status {
                  server_ = std::make_unique<net::Server>(settings_.server, clock_, *log_, metrics_,
                                                          *api_, loops_->contexts());
                  auto opened = server_->open();
                  if (!opened.ok()) return opened;
                  return write_address(data_dir_, address());
                },
                [this] { return drain(); },
                settings_.server.stop_timeout + std::chrono::seconds(5)};
  return lifecycle_.start(std::move(listener));
}

void Engine::start_background() {
  loops_->spawn("models.watch", [this] { return watch_models(); });
  if (!options_.starter.empty()) {
    loops_->spawn("starter.ingest", [this] { return ingest_starter(); });
  }
}

std::string Engine::address() const {
  return (settings_.server.tls_certificate.empty() ? "http://" : "https://") + server_->address();
}

std::string Engine::health_address() const {
  return settings_.server.health_listen.empty() ? "" : "http://" + server_->health_address();
}

bool Engine::stop() {
  not_ready_.store("stopping");
  const bool clean = lifecycle_.stop();
  if (log_) {
    log_->info("engine.stopped", {{"clean", clean}});
    log_->stop(std::chrono::seconds(2));
  }
  return clean;
}

void Engine::hurry() {
  std::lock_guard lock(mutex_);
  hurry_ = true;
  changed_.notify_all();
}

Status Engine::drain() {
  remove_address(data_dir_);
  server_->stop_accepting();
  const Deadline end = Deadline::in(clock_, settings_.server.stop_timeout);
  std::unique_lock lock(mutex_);
  while (!hurry_ && !end.passed(clock_.now()) && !server_->running().empty()) {
    changed_.wait_for(lock, std::chrono::milliseconds(20));
  }
  lock.unlock();
  for (const auto& request : server_->running()) {
    log_->warn("request.cancelled_at_stop", {{"request", request}});
  }
  const std::size_t cancelled = server_->drain(Duration::zero());
  server_.reset();  // while the loops still run: connections end on them
  log_->info("listener.drained", {{"cancelled", cancelled}});
  return done();
}

Co<> Engine::watch_models() {
  // Whoever asks for `auto` first should meet the providers that are there: not ready before.
  const char* looking = "looking for model providers";
  not_ready_.store(looking);
  co_await models_->probe(Deadline::in(clock_, kProbeTime));
  not_ready_.compare_exchange_strong(looking, "");  // unless the stop has begun
  {
    std::lock_guard lock(mutex_);
    ready_ = true;
    changed_.notify_all();
  }
  log_->info("engine.ready");
  co_await models_->watch();
}

Co<> Engine::ingest_starter() {
  auto files = starter_files(options_.starter);
  for (auto& file : files) {
    auto text = read_file(file.path, settings_.knowledge.document_max);
    if (!text.ok()) continue;
    knowledge::NewText document;
    document.collection = CollectionName(settings_.knowledge.default_collection);
    document.source = file.name;
    document.format = "markdown";
    document.text = std::move(*text);
    const Deadline by = Deadline::in(clock_, std::chrono::seconds(30));
    auto added = co_await library_->add(TenantId("default"), std::move(document), by);
    if (!added.ok()) {
      log_->warn("starter.failed", {{"file", file.name}, {"why", added.error().detail}});
    }
  }
  log_->info("starter.done", {{"files", files.size()}});
  std::lock_guard lock(mutex_);
  starter_done_ = true;
  changed_.notify_all();
}

bool Engine::wait_until_ready(Duration for_at_most) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(
      lock, for_at_most, [this] { return ready_ && (options_.starter.empty() || starter_done_); });
}

}  // namespace mainstay::app
