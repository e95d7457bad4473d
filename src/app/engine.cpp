// Order of start, order of stop.
#include "app/engine.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "api/wyoming.h"
#include "app/files.h"
#include "app/issuer.h"
#include "base/memory_reserve.h"
#include "net/http.h"
#include "net/transport.h"
#include "resources/disk.h"
#include "resources/image.h"

namespace mainstay::app {
namespace {

/// For providers to answer at start; those that take longer are found by the watch.
constexpr auto kProbeTime = std::chrono::milliseconds(1500);
/// What the service manager grants beyond a stop step's own deadline.
constexpr auto kAfterStep = std::chrono::seconds(5);
/// What a first start writes: three databases with their journals, a key, an address.
constexpr std::uint64_t kStartRoom = 2 << 20;
constexpr std::uint64_t kStartFiles = 16;
/// Between looks at whether the disk still takes writes.
constexpr auto kStoreWatch = std::chrono::milliseconds(250);

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

/// The disk that would hold the folder, which need not be there.
std::optional<resources::DiskFigures> disk_of(std::filesystem::path folder) {
  for (;;) {
    auto figures = resources::read_disk(folder.string());
    if (figures || !folder.has_relative_path()) return figures;
    folder = folder.parent_path();
  }
}

/// What to say in place of `error` when it comes from a disk without room for a start.
std::optional<Error> full_disk(const std::string& data_dir, const Error& error) {
  const bool may_be = error.code == Errc::disk_full || error.code == Errc::internal ||
                      error.reason == "data_dir_unusable" || error.reason == "admin_key_unusable";
  const auto disk = may_be ? disk_of(data_dir) : std::nullopt;
  if (!disk) return std::nullopt;
  const bool inodes = disk->inodes_total > 0 && disk->inodes_free < kStartFiles;
  if (error.code != Errc::disk_full && disk->free >= kStartRoom && !inodes) return std::nullopt;
  Error out = Error::say(
      Errc::disk_full, "disk_full",
      fmt::format("No room to start on the disk of {}: {} KiB and {} are free, about {} KiB and {} "
                  "files are needed. Free some space and start again; {}/ballast.reserve may be "
                  "deleted for it.",
                  data_dir, disk->free / 1024,
                  disk->inodes_total > 0 ? std::to_string(disk->inodes_free) + " files"
                                         : std::string("any number of files"),
                  kStartRoom / 1024, kStartFiles, data_dir));
  out.detail = error.detail;
  return out;
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
      notify_(options_.notify_socket),
      lifecycle_(clock_, [this] { return log_.get(); }) {}

Engine::~Engine() {
  stop();
}

Status Engine::start() {
  raise_descriptor_limit();
  hold_memory_reserve();
  Status started = start_parts();
  if (started.ok()) return started;
  stop();
  // Which of a start's many writes failed first, and in whose words, helps nobody.
  auto full = full_disk(data_dir_, started.error());
  return full ? Status(std::move(*full)) : started;
}

Status Engine::start_parts() {
  for (auto step : {&Engine::start_foundation, &Engine::start_stores, &Engine::start_decoders,
                    &Engine::start_audio, &Engine::start_models, &Engine::start_hosts,
                    &Engine::start_api, &Engine::start_watches, &Engine::start_jobs,
                    &Engine::open_wyoming, &Engine::open_listener}) {
    Status status = (this->*step)();
    if (!status.ok()) return status;
  }
  return done();
}

/// Before the listener, so that they still run while it drains: the watchdog above all.
Status Engine::start_watches() {
  Part background{"background",
                  [this] {
                    start_background();
                    return done();
                  },
                  [this] { return end_background(); }};
  return lifecycle_.start(std::move(background));
}

Status Engine::start_foundation() {
  Part log{"log", [this]() -> Status {
             auto opened = Log::open(settings_.log, clock_);
             if (!opened.ok()) return opened.error();
             log_ = std::move(*opened);
             log_->keep_tail(settings_.console.log_tail);
             return done();
           }};
  Status status = lifecycle_.start(std::move(log));
  if (!status.ok()) return status;
  metrics_.counter_from("mainstay_log_dropped_total", "Log lines that found no room.", {},
                        [this] { return static_cast<double>(log_->dropped()); });
  Part loops{"loops",
             [this] {
               loops_ = std::make_unique<Loops>(loop_count(settings_), clock_, *log_);
               loops_->run();
               return done();
             },
             [this] { return loops_->stop(); }};
  status = lifecycle_.start(std::move(loops));
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
                auto opened = open_stores(settings_, data_dir_, clock_, random_, *log_, metrics_);
                if (!opened.ok()) return opened.error();
                stores_ = std::move(*opened);
                auto shelf = storage::Shelf::open(data_dir_ + "/files", *pool_, clock_);
                if (!shelf.ok()) return shelf.error();
                shelf_ = std::move(*shelf);
                return done();
              },
              [this] { return stores_->close(); }, std::chrono::seconds(10)};
  return lifecycle_.start(std::move(stores));
}

Status Engine::start_models() {
  Part client{"upstream",
              [this]() -> Status {
                auto authorities = net::check_ca_file(settings_.upstream);
                if (!authorities.ok()) return authorities;
                client_ = net::make_client(settings_.upstream, clock_, *log_, metrics_,
                                           loops_->contexts());
                return done();
              },
              [this] {
                client_->close();
                return done();
              }};
  return lifecycle_.start(std::move(client));
}

Status Engine::start_api() {
  Part api{"api", [this]() -> Status {
             admission_ = std::make_unique<admission::Admission>(settings_, clock_, metrics_);
             auto known = start_identity();
             if (!known.ok()) return known;
             admin_ = std::make_unique<api::AdminDesk>(settings_, clock_, *log_);
             start_governor();
             make_job_room();
             auto first = Generation::make(loaded_, ground(), 1, nullptr);
             if (!first.ok()) return first.error();
             live_ = std::make_unique<config::Live<Generation>>(std::move(*first));
             reload_ =
                 std::make_unique<Reload>(reload_steps(), loaded_, clock_, *log_, metrics_, *pool_);
             loops_->tasks().keep(settings_.admin.tasks_max);
             program_ = std::make_unique<EngineProgram>(EngineProgram::Parts{
                 clock_, *log_, *pool_, *stores_, *admission_, *admin_, *loops_, *live_, *reload_,
                 [this] { return lifecycle_.cleanups().size(); }, *governor_, *jobs_});
             admin_->program = program_.get();
             service_ = std::make_unique<LiveService>(*live_, api::Side::public_side);
             admin_service_ = std::make_unique<LiveService>(*live_, api::Side::admin_side);
             return done();
           }};
  return lifecycle_.start(std::move(api));
}

/// What gives memory back under pressure; the ladders and their figures are the governor's.
void Engine::start_governor() {
  governor_ = make_governor(settings_, data_dir_, clock_, *log_, metrics_);
  governor_->watch_loop_lag([this] { return loop_lag(); });
  governor_->watch_pool(
      "upstream", [this] { return client_->figures().open; }, settings_.upstream.connections_max);
  governor_->watch_pool(
      "readers", [this] { return stores_->figures().readers_busy; },
      2ULL * settings_.storage.readers);
  watch_hosts_pressure();
  governor_->watch_connections([this] { return open_connections(); });
  AccountReaders readers;
  readers.cache = [this] { return live_->once()->models().cache_bytes(); };
  readers.stores = [this] { return stores_->figures().memory; };
  readers.vectors = [this] { return stores_->vectors().figures().memory; };
  readers.log = [this] { return log_->queued_bytes(); };
  readers.sessions = [this] { return admin_->sessions.figures().active; };
  readers.limited = [this] { return admission_->limit_entries(); };
  readers.waiting = [this] { return admission_->permits().waiting(); };
  readers.connections = [this] { return open_connections(); };
  readers.upstream_connections = [this] { return client_->figures().open; };
  open_accounts(governor_->book(), settings_, std::move(readers));
  governor_->on_trim([this] {
    for (asio::io_context* loop : loops_->contexts()) asio::post(*loop, resources::trim_heap);
  });
  shrink_under_pressure(*governor_, settings_.resources.trim_interval,
                        [this](double share) { live_->once()->models().shrink_cache(share); });
}

std::uint64_t Engine::open_connections() const {
  std::lock_guard lock(mutex_);
  return server_ ? server_->figures().open : 0;
}

/// A write found no room: the reserve is given up, so that deletes and checkpoints go through.
void Engine::free_the_reserve() {
  [[maybe_unused]] const bool queued = pool_->submit([this] { governor_->write_failed(); });
}

Status Engine::open_listener() {
  if (options_.listens == Listens::nowhere) return done();
  Part listener{"listener",
                [this]() -> Status {
                  const bool admin = options_.listens == Listens::admin_alone;
                  ServerSettings settings = settings_.server;
                  if (admin) settings.listen = settings.admin_listen;
                  auto made = std::make_unique<net::Server>(settings, clock_, *log_, metrics_,
                                                            admin ? *admin_service_ : *service_,
                                                            loops_->contexts());
                  {
                    std::lock_guard lock(mutex_);
                    server_ = std::move(made);
                  }
                  server_->relieve([this] { return relief(); });
                  auto opened = server_->open();
                  if (!opened.ok()) return opened;
                  opened = open_admin_listener();
                  if (!opened.ok()) return opened;
                  auto told = write_address(data_dir_, address(), admin_address());
                  if (!told.ok()) return Status(told.error());
                  address_held_ = std::move(*told);
                  return done();
                },
                [this] { return drain(); },
                settings_.server.stop_timeout + std::chrono::seconds(5)};
  return lifecycle_.start(std::move(listener));
}

/// Short of descriptors: the admin listener, if there is one, stays as it is.
net::Relief Engine::relief() const noexcept {
  using resources::ShedPoint;
  return {governor_->sheds(ShedPoint::idle_keep_alive),
          governor_->sheds(ShedPoint::new_connections)};
}

/// Its own address for /admin alone, with the same certificate, bounds and timeouts.
Status Engine::open_admin_listener() {
  if (settings_.server.admin_listen.empty() || options_.listens == Listens::admin_alone) {
    return done();
  }
  ServerSettings settings = settings_.server;
  settings.listen = settings.admin_listen;
  settings.health_listen.clear();
  admin_server_ = std::make_unique<net::Server>(settings, clock_, *log_, admin_metrics_,
                                                *admin_service_, loops_->contexts());
  return admin_server_->open();
}

void Engine::start_background() {
  WatchdogOptions watched;
  watched.period = options_.watchdog_period;
  watchdog_ = std::make_unique<Watchdog>(watched, clock_, *log_, metrics_, notify_,
                                         loops_->contexts(), *pool_);
  loops_->spawn("watchdog", [this] { return watchdog_->run(); });
  loops_->spawn("storage.watch", [this] { return watch_stores(); });
  loops_->spawn("models.watch", [this] { return watch_models(); });
  loops_->spawn("config.watch", [this] { return reload_->run(); });
  if (settings_.resources.enabled) {
    loops_->spawn("resources.watch", [this] {
      return program_->watch_resources(settings_.resources.sample_interval);
    });
  }
  if (settings_.console.history) {
    loops_->spawn("console.sample", [this] { return sample_figures(); });
  }
  keep_audio();
  loops_->spawn("decoders.tidy", [this] { return decoders_->tidy(); });
  loops_->spawn("sessions.tidy", [this] { return program_->tidy(); });
  loops_->spawn("keys.watch", [this] {
    return admission_->identity().watch_keys(stores_->access_keys(), *log_);
  });
  loops_->spawn("issuer.watch", [this] {
    auto& identity = admission_->identity();
    return identity.watch_issuer(issuer_reader(*client_, identity), *log_);
  });
  if (notify_.launched() && options_.listens == Listens::everywhere) {
    loops_->spawn("launch.watch", [this] { return watch_launch(); });
  }
  if (!options_.starter.empty()) {
    loops_->spawn("starter.ingest", [this] { return ingest_starter(); }, Cancellable::yes);
  }
}

std::string Engine::address() const {
  if (!server_) return "";
  return (settings_.server.tls_certificate.empty() ? "http://" : "https://") + server_->address();
}

std::string Engine::health_address() const {
  return settings_.server.health_listen.empty() ? "" : "http://" + server_->health_address();
}

std::string Engine::admin_address() const {
  if (!admin_server_) return "";
  return (settings_.server.tls_certificate.empty() ? "http://" : "https://") +
         admin_server_->address();
}

bool Engine::stop() {
  not_ready_.store("stopping");
  notify_.stopping("Stopping");
  if (log_ && lifecycle_.cleanups().size() > 0) log_->info("engine.stopping");
  lifecycle_.cleanups().before_each([this](const Cleanup& step) {
    notify_.status("Stopping: " + step.name);
    notify_.extend(step.within + kAfterStep);
  });
  const bool clean = lifecycle_.stop();
  if (log_) {
    log_->info("engine.stopped", {{"clean", clean}});
    log_->stop(std::chrono::seconds(2));
  }
  return clean;
}

void Engine::hurry() {
  lifecycle_.cleanups().hurry();
  std::lock_guard lock(mutex_);
  hurry_ = true;
  changed_.notify_all();
}

std::string Engine::failure() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

/// A disk that failed a write or a sync cannot be trusted again by this process (the system may
/// have dropped what it could not write): report, and let the service manager start afresh.
Co<> Engine::watch_stores() {
  for (;;) {
    const auto figures = stores_->figures();
    if (figures.lost) {
      not_ready_.store("the disk failed");
      log_->error("engine.failed", {{"why", figures.why_not}});
      notify_.status("The disk failed: " + figures.why_not);
      {
        std::lock_guard lock(mutex_);
        failure_ = figures.why_not;
      }
      if (options_.on_failure) options_.on_failure();
      co_return;
    }
    co_await sleep(clock_, kStoreWatch);
  }
}

/// Under way on either listener.
std::vector<std::string> Engine::requests() const {
  auto out = server_->running();
  if (!admin_server_) return out;
  for (auto& name : admin_server_->running()) out.push_back(std::move(name));
  return out;
}

Status Engine::drain() {
  remove_address(data_dir_);
  jobs_->begin_drain(Deadline::in(clock_, settings_.server.stop_timeout));
  server_->stop_accepting();
  if (admin_server_) admin_server_->stop_accepting();
  const Deadline end = Deadline::in(clock_, settings_.server.stop_timeout);
  auto left = requests();
  while (!left.empty() && !end.passed(clock_.now())) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, std::chrono::milliseconds(20), [this] { return hurry_; })) break;
    lock.unlock();  // the loops, which are asked next, take it too
    left = requests();
  }
  for (const auto& request : left) {
    log_->warn("request.cancelled_at_stop", {{"request", request}});
  }
  const std::size_t cancelled = server_->drain(Duration::zero());
  if (admin_server_) admin_server_->drain(Duration::zero());
  admin_server_.reset();
  std::unique_ptr<net::Server> ended;
  {
    std::lock_guard lock(mutex_);  // the governor counts its connections
    ended = std::move(server_);
  }
  ended.reset();  // while the loops still run: connections end on them
  log_->info("listener.drained", {{"cancelled", cancelled}});
  return done();
}

Co<> Engine::watch_models() {
  // Whoever asks for `auto` first should meet the providers that are there: not ready before.
  const char* looking = "looking for model providers";
  not_ready_.store(looking);
  const auto first = live_->get();
  co_await first->models().probe(Deadline::in(clock_, kProbeTime));
  not_ready_.compare_exchange_strong(looking, "");  // unless the stop has begun
  {
    std::lock_guard lock(mutex_);
    ready_ = true;
    changed_.notify_all();
  }
  log_->info("engine.ready");
  take_work();
  resources::release_image();
  for (;;) {
    // Whichever models are in force: those a reload replaces are not looked after any more.
    const auto now = live_->get();
    co_await now->models().look();
    const Duration interval = now->settings().models.discover_interval;
    auto reached = co_await sleep(clock_, interval);
    if (!reached) co_return;
  }
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
    const auto generation = live_->get();
    auto added = co_await generation->library().add(TenantId("default"), std::move(document), by);
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
