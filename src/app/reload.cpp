// Tickets, the loop that serves them, and the steps of one reload.
#include "app/reload.h"

#include "base/text.h"

namespace mainstay::app {
namespace {

/// Requests that wait for a reload at once; they share its outcome, so more is a mistake.
constexpr std::size_t kTicketsMax = 256;
/// For reading and building, which take milliseconds: longer means a file system that hangs.
constexpr Duration kWorkTime = std::chrono::seconds(20);

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (const auto& one : list) {
    if (!out.empty()) out += ' ';
    out += one;
  }
  return out;
}

/// The problems' sentences reach the administrator; the old settings stay.
Error refusal_of(const Error& error) {
  Error out = Error::say(Errc::unprocessable, "invalid_config",
                         "The configuration was not taken over; the old one stays in force. " +
                             (error.message.empty() ? error.detail : error.message));
  out.detail = error.detail;
  return out;
}

}  // namespace

std::string_view name(Origin origin) noexcept {
  switch (origin) {
    case Origin::api:
      return "api";
    case Origin::signal:
      return "signal";
    case Origin::file:
      return "file";
    case Origin::age:
      return "age";
  }
  return "api";
}

struct Reload::Ticket {
  Ticket(Clock& clock, Origin by) : origin(by), answered(clock) {}
  const Origin origin;
  Event answered;
  std::mutex mutex;
  std::optional<Result<api::ReloadReport>> outcome;
};

Reload::Reload(ReloadSteps steps, config::Loaded first, Clock& clock, Log& log, Metrics& metrics,
               OffloadPool& pool)
    : steps_(std::move(steps)),
      boot_(first),
      clock_(clock),
      log_(log),
      pool_(pool),
      success_(metrics.gauge("mainstay_config_reload_success",
                             "Whether the last reading of the configuration was accepted.")),
      version_gauge_(
          metrics.gauge("mainstay_config_version", "Counts configurations put in force, from 1.")),
      accepted_(metrics.counter("mainstay_config_reloads_total", "Readings of the configuration.",
                                {{"outcome", "accepted"}})),
      refused_(metrics.counter("mainstay_config_reloads_total", "Readings of the configuration.",
                               {{"outcome", "refused"}})),
      wanted_(clock),
      loaded_(std::make_shared<const config::Loaded>(std::move(first))),
      accepted_at_(clock.now()) {
  success_.set(1);
  version_gauge_.set(1);
  config::was_read(watch_, config::stamp_of(boot_.file), clock.now());
}

Co<Result<api::ReloadReport>> Reload::ask(Origin origin, Deadline by) {
  auto ticket = std::make_shared<Ticket>(clock_, origin);
  const auto seen = ticket->answered.version();
  {
    std::lock_guard lock(mutex_);
    if (tickets_.size() >= kTicketsMax) {
      co_return Error::say(Errc::unavailable, "reload_busy",
                           "Too many reloads are asked for already; try again.");
    }
    tickets_.push_back(ticket);
  }
  wanted_.notify();
  [[maybe_unused]] auto woken = co_await ticket->answered.wait(seen, by);
  std::lock_guard lock(ticket->mutex);
  if (!ticket->outcome) {
    co_return Error::log(Errc::deadline, "the reload did not end in time; it may still happen");
  }
  co_return *ticket->outcome;
}

std::vector<std::shared_ptr<Reload::Ticket>> Reload::take_tickets() {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Ticket>> out(tickets_.begin(), tickets_.end());
  tickets_.clear();
  return out;
}

Co<> Reload::run() {
  for (;;) {
    const auto seen = wanted_.version();
    const auto tickets = take_tickets();
    if (tickets.empty()) {
      const Duration interval = loaded()->settings.reload.check_interval;
      auto woken = co_await wanted_.wait(seen, Deadline::in(clock_, interval));
      if (woken) continue;
      const auto due = co_await look_at_file();
      if (due == config::Due::no) continue;
      const Origin origin = due == config::Due::changed ? Origin::file : Origin::age;
      [[maybe_unused]] auto outcome = co_await once(origin);
      continue;
    }
    auto outcome = co_await once(tickets.front()->origin);
    for (const auto& ticket : tickets) {
      {
        std::lock_guard lock(ticket->mutex);
        ticket->outcome = outcome;
      }
      ticket->answered.notify();
    }
  }
}

Co<config::Due> Reload::look_at_file() {
  if (!looking_.expired()) co_return config::Due::no;
  auto held = std::make_shared<int>();
  looking_ = held;
  auto look = [file = boot_.file, held = std::move(held)]() mutable -> Result<config::FileStamp> {
    const auto until_done = std::move(held);  // gone before the caller is answered
    return config::stamp_of(file);
  };
  const Deadline by = Deadline::in(clock_, kWorkTime);
  auto stamp = co_await offload(clock_, pool_, std::move(look), by);
  if (!stamp.ok()) co_return config::Due::no;  // the pool is busy: the next look will tell
  co_return config::look(watch_, *stamp, clock_.now(), loaded()->settings.reload.ttl);
}

Co<Result<api::ReloadReport>> Reload::once(Origin origin) {
  const TimePoint started = clock_.now();
  if (!looking_.expired()) {
    const Error hangs = Error::say(Errc::unavailable, "reload_busy",
                                   "The configuration is still being read; its disk may hang.");
    failed(origin, hangs);
    co_return hangs;
  }
  auto held = std::make_shared<int>();
  looking_ = held;
  auto work = [file = boot_.file, load = steps_.load,
               held = std::move(held)]() mutable -> Result<Read> {
    const auto until_done = std::move(held);
    // Stamped before it is read: a change in between is seen as a change again.
    Read out;
    out.stamp = config::stamp_of(file);
    auto loaded = load();
    if (!loaded.ok()) return loaded.error();
    out.loaded = std::move(*loaded);
    return out;
  };
  const Deadline by = Deadline::in(clock_, kWorkTime);
  auto read = co_await offload(clock_, pool_, std::move(work), by);
  // After a refusal too: the same text is not read again each second.
  config::was_read(watch_, read.ok() ? read->stamp : watch_.seen, clock_.now());
  if (!read.ok()) {
    const Error error = refusal_of(read.error());
    failed(origin, error);
    co_return error;
  }
  api::ReloadReport report;
  report.restart = config::keep_until_restart(read->loaded.settings, boot_.settings);
  report.changed = config::differences(loaded()->settings, read->loaded.settings);
  auto outcome = co_await bring_into_force(std::move(read->loaded), std::move(report));
  if (!outcome.ok()) {
    const Error error = refusal_of(outcome.error());
    failed(origin, error);
    co_return error;
  }
  if (steps_.renew) {
    auto renewed = co_await offload(clock_, pool_, steps_.renew, by);
    if (!renewed.ok()) log_.error("config.renewal_failed", {{"detail", renewed.error().message}});
  }
  outcome->took = clock_.now() - started;
  succeeded(origin, *outcome);
  co_return outcome;
}

Co<Result<api::ReloadReport>> Reload::bring_into_force(config::Loaded next,
                                                       api::ReloadReport report) {
  auto now_loaded = std::make_shared<const config::Loaded>(next);
  report.version = figures().version;
  if (!report.changed.empty()) {
    ++report.version;
    auto work = [build = steps_.build, loaded = std::move(next),
                 version = report.version]() mutable -> Result<ReloadSteps::Built> {
      return build(std::move(loaded), version);
    };
    const Deadline by = Deadline::in(clock_, kWorkTime);
    auto built = co_await offload(clock_, pool_, std::move(work), by);
    if (!built.ok()) co_return built.error();
    report.models_rebuilt = built->new_models;
    if (built->new_models) {
      const Duration patience = now_loaded->settings.reload.probe_timeout;
      auto silent = co_await steps_.probe(*built, Deadline::in(clock_, patience));
      report.unreachable = std::move(silent);
    }
    steps_.swap(*built, now_loaded->settings);
  }
  std::lock_guard lock(mutex_);
  loaded_ = std::move(now_loaded);
  version_ = report.version;
  restart_ = report.restart;
  accepted_at_ = clock_.now();
  last_succeeded_ = true;
  last_error_.clear();
  co_return report;
}

void Reload::succeeded(Origin origin, const api::ReloadReport& report) {
  success_.set(1);
  version_gauge_.set(static_cast<std::int64_t>(report.version));
  accepted_.add();
  const bool quiet = report.changed.empty() && origin == Origin::age;
  if (quiet) return;
  log_.info("config.reloaded", {{"why", name(origin)},
                                {"version", report.version},
                                {"changed", joined(report.changed)},
                                {"restart_needed", joined(report.restart)},
                                {"unreachable", joined(report.unreachable)},
                                {"ms", report.took}});
  if (origin != Origin::api && !report.changed.empty()) steps_.told(origin, report);
}

void Reload::failed(Origin origin, const Error& error) {
  success_.set(0);
  refused_.add();
  {
    std::lock_guard lock(mutex_);
    last_succeeded_ = false;
    last_error_ = error.message;
  }
  log_.error("config.reload_failed", {{"why", name(origin)}, {"detail", error.message}});
  if (origin != Origin::api) steps_.told(origin, error);
}

api::ConfigFigures Reload::figures() const {
  std::lock_guard lock(mutex_);
  api::ConfigFigures out;
  out.version = version_;
  out.reloads = accepted_.value();
  out.failures = refused_.value();
  out.last_succeeded = last_succeeded_;
  out.last_error = last_error_;
  out.file = loaded_->file;
  out.profile = loaded_->profile;
  out.age = clock_.now() - accepted_at_;
  out.waits_for_restart = restart_;
  return out;
}

std::shared_ptr<const config::Loaded> Reload::loaded() const {
  std::lock_guard lock(mutex_);
  return loaded_;
}

}  // namespace mainstay::app
