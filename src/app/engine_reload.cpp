// The engine's part in a reload: what is read, what is built from it, what comes into force; and
// who may call, which a reload may change. The rest of the engine is in engine.cpp.
#include <algorithm>
#include <future>

#include "admission/admin_key.h"
#include "app/engine.h"
#include "app/settings_check.h"

namespace mainstay::app {

/// Keys first: nobody is to get in, or be kept out, by a listener that is up before its keys.
Status Engine::start_identity() {
  auto& identity = admission_->identity();
  auto configured = identity.configure(settings_);
  if (!configured.ok()) return configured;
  auto admin = admission::open_admin_key(data_dir_);
  if (!admin.ok()) return admin.error();
  identity.accept_admin(admin->digest);
  fresh_admin_key_ = admin->fresh;
  if (admin->exposed) log_->warn("admin_key.exposed", {{"file", admin->path}});
  auto read = std::make_shared<std::promise<Status>>();
  auto outcome = read->get_future();
  loops_->spawn("keys.read", [this, read] { return read_keys(read); });
  auto keys = outcome.get();
  if (!keys.ok()) return keys;
  return identity.check_exposure();
}

Co<> Engine::read_keys(std::shared_ptr<std::promise<Status>> read) {
  const Deadline by = Deadline::in(clock_, settings_.storage.operation_timeout);
  auto refreshed = co_await admission_->identity().refresh(stores_->access_keys(), by);
  read->set_value(std::move(refreshed));
}

/// The uses of keys since the last note first: those of requests that the stop let finish as well.
Status Engine::end_background() {
  constexpr auto kPatience = std::chrono::seconds(1);
  auto noted = std::make_shared<std::promise<void>>();
  auto ended = noted->get_future();
  const Deadline by = Deadline::in(clock_, kPatience);
  loops_->spawn("keys.note", [this, noted, by] { return note_key_uses(noted, by); });
  ended.wait_for(kPatience);
  return loops_->end_background(std::chrono::seconds(3));
}

Co<> Engine::note_key_uses(std::shared_ptr<std::promise<void>> noted, Deadline by) {
  auto written = co_await admission_->identity().note_uses(stores_->access_keys(), by);
  if (!written.ok()) log_->warn("auth.uses_not_noted", {{"why", written.error().detail}});
  noted->set_value();
}

ReloadSteps Engine::reload_steps() {
  ReloadSteps steps;
  steps.load = [this] { return read_configuration(); };
  steps.build = [this](config::Loaded loaded, std::uint64_t version) {
    return build(std::move(loaded), version);
  };
  steps.probe = [this](ReloadSteps::Built built, Deadline by) {
    return probe(std::move(built), by);
  };
  steps.swap = [this](const ReloadSteps::Built& built, const Settings& settings) {
    put_in_force(built, settings);
  };
  steps.renew = [this] { return renew_certificates(); };
  steps.told = [this](Origin origin, const Result<api::ReloadReport>& outcome) {
    note_reload(origin, outcome);
  };
  return steps;
}

Result<config::Loaded> Engine::read_configuration() {
  if (!options_.sources) return loaded_;
  config::Sources sources = *options_.sources;
  if (!loaded_.file.empty()) {
    // The file this program began with: should it vanish, that is a mistake and not a wish for the
    // defaults.
    sources.file = loaded_.file;
    sources.file_required = true;
  }
  auto loaded = config::reload(sources);
  if (!loaded.ok()) return loaded;
  // What the next start would refuse is refused now, in the same words.
  auto unusable = unusable_settings(loaded->settings);
  if (!unusable.empty()) return std::move(unusable.front());
  return loaded;
}

Result<ReloadSteps::Built> Engine::build(config::Loaded loaded, std::uint64_t version) {
  const auto before = live_->once();
  auto made = Generation::make(std::move(loaded), ground(), version, before);
  if (!made.ok()) return made.error();
  // Keys that leave nobody who may call are not taken.
  auto keys = admission_->identity().check((*made)->settings());
  if (!keys.ok()) return keys.error();
  return ReloadSteps::Built{*made, (*made)->new_models()};
}

Co<std::vector<std::string>> Engine::probe(ReloadSteps::Built built, Deadline by) {
  const auto next = std::static_pointer_cast<const Generation>(built.what);
  co_await next->models().probe(by);
  std::vector<std::string> silent;
  for (const auto& provider : next->models().models().providers()) {
    const auto& wanted = next->settings().providers;
    const bool configured = std::any_of(wanted.begin(), wanted.end(),
                                        [&](const auto& one) { return one.name == provider.name; });
    if (configured && !provider.up) silent.push_back(provider.name);
  }
  co_return silent;
}

void Engine::put_in_force(const ReloadSteps::Built& built, const Settings& settings) {
  // check() took them before; who may call changes with all else or not at all.
  auto known = admission_->identity().configure(settings);
  if (!known.ok()) log_->error("config.keys_kept", {{"why", known.error().detail}});
  admission_->apply(settings.limits);
  jobs_->desk().apply(settings.limits);
  auto level = level_from(settings.log.level);
  if (level.ok()) log_->set_level(*level);
  live_->swap(std::static_pointer_cast<const Generation>(built.what));
}

Status Engine::renew_certificates() {
  for (const auto* server : {&server_, &admin_server_}) {
    if (!*server) continue;
    auto renewed = (*server)->renew_certificate();
    if (!renewed.ok()) return renewed;
  }
  return done();
}

void Engine::note_reload(Origin origin, const Result<api::ReloadReport>& outcome) {
  api::AuditEntry entry;
  entry.who = name(origin);
  entry.what = "config.reload";
  if (outcome.ok()) {
    entry.after = "version " + std::to_string(outcome->version) + ":";
    for (const auto& key : outcome->changed) entry.after += " " + key;
  } else {
    entry.outcome = outcome.error().reason;
  }
  admin_->audit.record(std::move(entry));
}

Status Engine::reload() {
  auto told = std::make_shared<std::promise<Status>>();
  auto outcome = told->get_future();
  loops_->spawn("config.signal", [this, told] { return reload_for_signal(told); });
  constexpr auto kPatience = std::chrono::seconds(30);
  if (outcome.wait_for(kPatience) != std::future_status::ready) {
    return Error::log(Errc::deadline, "the reload goes on");
  }
  return outcome.get();
}

Co<> Engine::reload_for_signal(std::shared_ptr<std::promise<Status>> told) {
  const Deadline by = Deadline::in(clock_, std::chrono::seconds(25));
  auto outcome = co_await reload_->ask(Origin::signal, by);
  told->set_value(outcome.ok() ? done() : Status(outcome.error()));
}

Ground Engine::ground() {
  return {clock_,
          random_,
          *log_,
          metrics_,
          *pool_,
          *stores_,
          *client_,
          *admission_,
          *admin_,
          not_ready_,
          *governor_,
          jobs_->desk(),
          [this] { free_the_reserve(); },
          shelf_.get(),
          &jobs_->batches(),
          &launched_,
          decoders_.get(),
          meaning_.get(),
          hosts_.get(),
          sound_.get(),
          audio_store_.get(),
          &running_chats_};
}

}  // namespace mainstay::app
