// GET /admin/live: one sample a second as server-sent events, and what is no number whenever it
// changes. A watcher that comes back with Last-Event-ID gets what it missed; it holds in memory one
// batch of samples, and a slow one delays itself alone.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "api/console_stream.h"
#include "api/ready.h"
#include "api/routes.h"
#include "base/text.h"
#include "models/hosts.h"
#include "resources/governor.h"

namespace mainstay::api {
namespace {

/// Samples sent to one that comes back; who missed more asks /admin/history.
constexpr std::size_t kMissedMax = 300;
/// A stop, or the end of the request's time, is noticed within this.
constexpr Duration kLook = std::chrono::seconds(1);

Json providers_json(const Rooms& rooms) {
  Json out = Json::array();
  for (const auto& provider : rooms.models.providers()) {
    out.push_back({{"name", provider.name},
                   {"up", provider.up},
                   {"breaker", provider.breaker},
                   {"why", provider.why}});
  }
  return out;
}

/// Those that hold now.
Json alerts_json(const Rooms& rooms) {
  Json out = Json::array();
  for (auto& alert : rooms.admin->program->alerts()) {
    const auto cleared = alert.find("cleared_at");
    if (cleared == alert.end() || cleared->is_null()) out.push_back(std::move(alert));
  }
  return out;
}

Json hosts_json(const Rooms& rooms) {
  Json out = Json::array();
  if (rooms.hosts == nullptr) return out;
  for (const auto& host : rooms.hosts->figures()) {
    out.push_back({{"name", host.name}, {"state", name(host.phase)}, {"why", to_utf8(host.why)}});
  }
  return out;
}

void add_levels(const resources::Snapshot& seen, Json& out) {
  Json shedding = Json::array();
  for (std::size_t i = 0; i < resources::kShedPoints; ++i) {
    const auto point = static_cast<resources::ShedPoint>(i);
    if (seen.shedding.sheds(point)) shedding.push_back(name(point));
  }
  Json levels = Json::object();
  for (std::size_t i = 0; i < resources::kResources; ++i) {
    levels[std::string(name(static_cast<resources::Resource>(i)))] = name(seen.levels[i]);
  }
  Json caps = Json::object();
  for (const auto& part : seen.accounts.parts) caps[part.name] = part.cap;
  out["shedding"] = std::move(shedding);
  out["permit_factor"] = seen.shedding.permit_factor;
  out["levels"] = std::move(levels);
  out["memory_max"] = std::move(caps);
}

/// Figures that move all the time, as they are when the state is sent.
void add_moving(const resources::Snapshot& seen, Json& out) {
  Json pools = Json::object();
  for (const auto& pool : seen.readings.pools) {
    pools[pool.name] = {{"used", pool.used}, {"max", pool.max}};
  }
  Json heat = Json::array();
  for (const auto& zone : seen.readings.heat) {
    heat.push_back({{"zone", zone.zone},
                    {"type", zone.type},
                    {"celsius", zone.temperature},
                    {"trip_celsius", zone.trip ? Json(*zone.trip) : Json(nullptr)}});
  }
  Json gpus = Json::array();
  for (const auto& gpu : seen.readings.gpus) {
    gpus.push_back({{"index", gpu.index},
                    {"memory_total_bytes", gpu.memory_total},
                    {"memory_used_bytes", gpu.memory_used},
                    {"load", gpu.load ? Json(*gpu.load) : Json(nullptr)},
                    {"celsius", gpu.temperature ? Json(*gpu.temperature) : Json(nullptr)}});
  }
  out["pools"] = std::move(pools);
  out["heat"] = std::move(heat);
  out["gpus"] = std::move(gpus);
}

/// What is no figure of a chart and does not move by itself: its change is news.
Json state_json(const Rooms& rooms, const resources::Snapshot* seen) {
  Json reasons = ready_reasons(rooms);
  Json out = {{"ready", reasons.empty()},
              {"reasons", std::move(reasons)},
              {"providers", providers_json(rooms)},
              {"alerts", alerts_json(rooms)},
              {"hosts", hosts_json(rooms)},
              {"maintenance", rooms.admission.maintenance().note().has_value()},
              {"config_version", rooms.admin->program->config().version},
              {"started_at", unix_seconds(rooms.admin->program->started())}};
  if (seen != nullptr) add_levels(*seen, out);
  return out;
}

/// One watcher: what it has been sent.
struct Watcher {
  std::int64_t last = -1;  ///< the newest sample's second
  std::string state;
};

void add_samples(const History::Part& part, const std::vector<History::Column>& columns,
                 std::string& out) {
  auto to = std::back_inserter(out);
  for (std::size_t row = 0; row < part.times.size(); ++row) {
    const std::int64_t at = part.times[row];
    fmt::format_to(to, "id: {}\nevent: sample\ndata: {{\"at\":{},\"values\":{{", at, at);
    bool first = true;
    for (std::size_t column = 0; column < part.values.size(); ++column) {
      const float value = part.values[column][row];
      if (!std::isfinite(value)) continue;
      if (!first) out += ',';
      first = false;
      append_json_string(out, columns[column].name);
      out += ':';
      append_figure(out, value);
    }
    out += "}}\n\n";
  }
}

/// What the watcher has not seen yet.
std::string news_for(const Rooms& rooms, Watcher& watcher, std::size_t samples_max) {
  std::string out;
  const auto machine = rooms.governor != nullptr ? rooms.governor->snapshot() : nullptr;
  Json state = state_json(rooms, machine.get());
  std::string text = dump(state);
  if (text != watcher.state) {
    if (machine) add_moving(*machine, state);
    out += "event: state\ndata: " + dump(state) + "\n\n";
    watcher.state = std::move(text);
  }
  const History& history = rooms.admin->console.history;
  const auto columns = history.columns();
  std::vector<std::size_t> all(columns.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  const auto part = history.newest(Step::second, watcher.last, all, samples_max);
  if (part.times.empty()) return out;
  watcher.last = part.times.back();
  add_samples(part, columns, out);
  return out;
}

Co<> pump(const Rooms& rooms, Context& context, Watcher watcher) {
  const Deadline last = watch_end(context);
  Event& sampled = rooms.admin->console.sampled;
  while (goes_on(rooms, context)) {
    const auto seen = sampled.version();
    const std::string news = news_for(rooms, watcher, kMissedMax);
    if (!news.empty()) {
      auto sent = co_await context.exchange.write(news);
      if (!sent.ok()) co_return;
    }
    const Deadline until = last.sooner(rooms.clock.now(), kLook);
    [[maybe_unused]] auto woken = co_await sampled.wait(seen, until);
  }
  [[maybe_unused]] auto ended = co_await context.exchange.finish();
}

}  // namespace

Co<Status> live_figures(const Rooms& rooms, Context& context) {
  auto place = place_asked(context, "since");
  if (!place.ok()) co_return place.error();
  if (context.exchange.head().method == "HEAD") {
    net::Response head = watch_head(context, "");
    head.body.clear();
    auto told = co_await context.exchange.reply(std::move(head));
    co_return told;
  }
  auto seat = take_seat(rooms);
  if (!seat.ok()) co_return seat.error();
  Watcher watcher;
  if (*place) watcher.last = static_cast<std::int64_t>(**place);
  // One that is new begins with the newest sample; the past is at /admin/history.
  std::string begun = news_for(rooms, watcher, *place ? kMissedMax : 1);
  net::Response head = watch_head(context, std::move(begun));
  auto sent = co_await context.exchange.begin(std::move(head));
  if (sent.ok()) co_await pump(rooms, context, std::move(watcher));
  co_return done();
}

}  // namespace mainstay::api
