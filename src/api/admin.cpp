// /admin/resources/*, /admin/cleanup: the health, the figures and the two levers of an operator.
#include "api/admin.h"

#include <fmt/format.h>

#include <cmath>
#include <ctime>

#include "api/routes.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

double hit_rate(const ConfigFigures& figures) {
  const auto reads = figures.hits + figures.misses;
  if (reads == 0) return 0;
  // Two decimals, as a percentage.
  const double rate = 100.0 * static_cast<double>(figures.hits) / static_cast<double>(reads);
  return std::round(rate * 100) / 100;
}

Json config_cache(const ConfigFigures& figures) {
  return {{"hits", figures.hits},
          {"misses", figures.misses},
          {"hit_rate", hit_rate(figures)},
          {"cache_age_seconds", seconds(figures.age)},
          {"cached", true},
          {"version", figures.version},
          {"reloads", figures.reloads},
          {"failures", figures.failures},
          {"last_succeeded", figures.last_succeeded},
          {"waits_for_restart", texts(figures.waits_for_restart)}};
}

Json resource_manager(const Rooms& rooms, const ConfigFigures& figures) {
  const auto client = rooms.client.figures();
  const WallTime started = rooms.admin->program->started();
  const auto up = rooms.clock.wall() - started;
  return {{"http_clients_created", client.clients_created},
          {"http_requests_made", client.requests},
          {"http_connections_created", client.connections_created},
          {"http_connections_reused", client.connections_reused},
          {"http_connections_open", client.open},
          {"http_connections_idle", client.idle},
          {"http_connections_waiting", client.waiting},
          {"config_cache_hits", figures.hits},
          {"config_cache_misses", figures.misses},
          {"config_cache_hit_rate", hit_rate(figures)},
          {"cleanup_tasks_registered", rooms.admin->program->cleanups()},
          {"startup_time", static_cast<double>(micros(started)) / 1e6},
          {"shutdown_time", nullptr},
          {"uptime_seconds", std::chrono::duration<double>(up).count()}};
}

}  // namespace

std::string timestamp(WallTime at) {
  const auto us = micros(at);
  const std::time_t whole = us / 1'000'000;
  std::tm parts{};
  ::gmtime_r(&whole, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     us % 1'000'000 / 1000);
}

Json texts(const std::vector<std::string>& list) {
  Json out = Json::array();
  for (const auto& one : list) out.push_back(to_utf8(one));
  return out;
}

AuditEntry audit_of(const Context& context, std::string what) {
  AuditEntry entry;
  entry.who = context.caller.owner.user.text();
  entry.key = context.caller.key;
  entry.from = context.exchange.head().peer.to_string();
  entry.what = std::move(what);
  entry.request = context.id.text();
  return entry;
}

Co<Status> resource_health(const Rooms& rooms, Context& context) {
  const auto config = rooms.admin->program->config();
  const auto client = rooms.client.figures();
  const auto store = rooms.stores.figures();
  const bool upstream = client.clients_created > 0;
  const bool healthy = upstream && store.writable && config.last_succeeded;
  const Json out = {{"status", healthy ? "healthy" : "unhealthy"},
                    {"checks",
                     {{"healthy", healthy},
                      {"http_client", upstream},
                      {"config_cache", config.last_succeeded},
                      {"storage", store.writable},
                      {"cleanup_tasks", rooms.admin->program->cleanups()}}},
                    {"timestamp", timestamp(rooms.clock.wall())}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> resource_stats(const Rooms& rooms, Context& context) {
  auto machine = co_await rooms.admin->program->resources(context.by);
  if (!machine.ok()) co_return machine.error();
  const auto config = rooms.admin->program->config();
  const Json out = {{"resource_manager", resource_manager(rooms, config)},
                    {"config_cache", config_cache(config)},
                    {"resources", std::move(*machine)},
                    {"timestamp", timestamp(rooms.clock.wall())}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> invalidate_cache(const Rooms& rooms, Context& context) {
  AuditEntry entry = audit_of(context, "cache.invalidate");
  const auto before = rooms.admin->program->config().version;
  auto report = co_await rooms.admin->program->reload(entry.who, context.by);
  entry.before = "version " + std::to_string(before);
  entry.after = entry.before;
  if (!report.ok()) {
    entry.outcome = report.error().reason;
    rooms.admin->audit.record(std::move(entry));
    co_return report.error();
  }
  entry.after = "version " + std::to_string(report->version);
  rooms.admin->audit.record(std::move(entry));
  const Json out = {{"status", "success"},
                    {"message", "Configuration cache invalidated successfully"},
                    {"timestamp", timestamp(rooms.clock.wall())}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> clean_up(const Rooms& rooms, Context& context) {
  AuditEntry entry = audit_of(context, "cleanup.run");
  auto report = co_await rooms.admin->program->cleanup(context.by);
  if (!report.ok()) {
    entry.outcome = name(report.error().code);
    rooms.admin->audit.record(std::move(entry));
    co_return report.error();
  }
  entry.after = fmt::format("{} sessions, {} cached answers, {} bytes", report->sessions,
                            report->cached_answers, report->bytes);
  rooms.admin->audit.record(std::move(entry));
  const Json out = {{"status", "success"},
                    {"sessions_removed", report->sessions},
                    {"cached_answers_removed", report->cached_answers},
                    {"bytes_returned", report->bytes},
                    {"timestamp", timestamp(rooms.clock.wall())}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

}  // namespace mainstay::api
