// /admin/database/stats, /health/database, /health/sessions: stores and callers in figures.
#include <algorithm>

#include "api/admin.h"
#include "api/routes.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

double rounded_ms(double seconds) {
  return static_cast<double>(static_cast<std::int64_t>(seconds * 1e6)) / 1e3;
}

Json timings_of(const storage::DatabaseFigures& database) {
  Json out = Json::array();
  for (const auto& timing : database.timings) {
    out.push_back({{"operation", timing.operation},
                   {"count", timing.count},
                   {"mean_ms", rounded_ms(timing.mean_seconds)},
                   {"p50_ms", rounded_ms(timing.p50_seconds)},
                   {"p99_ms", rounded_ms(timing.p99_seconds)}});
  }
  return out;
}

Json stats_of(const storage::DatabaseFigures& database) {
  return {
      {"name", database.name},
      {"pages",
       {{"size", database.page_size}, {"count", database.pages}, {"free", database.free_pages}}},
      {"file_bytes", database.file_bytes},
      {"wal_bytes", database.wal_bytes},
      {"pool",
       {{"size", database.readers_max},
        {"open", database.readers_open},
        {"in_use", database.readers_busy}}},
      {"writer",
       {{"waiting", database.writes_waiting},
        {"commits", database.commits},
        {"operations", database.operations},
        {"failed", database.failed},
        {"writable", database.why_not.empty()},
        {"why_not", to_utf8(database.why_not)}}},
      {"queries", timings_of(database)}};
}

}  // namespace

Co<Status> database_stats(const Rooms& rooms, Context& context) {
  auto databases = co_await rooms.admin->program->databases(context.by);
  if (!databases.ok()) co_return databases.error();
  Json list = Json::array();
  for (const auto& database : *databases) list.push_back(stats_of(database));
  const Json out = {{"databases", std::move(list)}, {"timestamp", timestamp(rooms.clock.wall())}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> database_health(const Rooms& rooms, Context& context) {
  // Open to all, so it costs a few atomic loads and no read of a database.
  const auto store = rooms.stores.figures();
  const double used = store.readers_max == 0 ? 0
                                             : static_cast<double>(store.readers_busy) /
                                                   static_cast<double>(store.readers_max);
  const std::uint32_t idle = store.readers_open - std::min(store.readers_open, store.readers_busy);
  const Json out = {{"status", store.writable ? "healthy" : "read_only"},
                    {"writable", store.writable},
                    {"pool",
                     {{"size", store.readers_max},
                      {"open", store.readers_open},
                      {"in_use", store.readers_busy},
                      {"idle", idle},
                      {"waiting", store.reads_waiting},
                      {"utilization", used}}},
                    {"writes_waiting", store.waiting},
                    {"timestamp", timestamp(rooms.clock.wall())}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> session_health(const Rooms& rooms, Context& context) {
  const auto figures = rooms.admin->sessions.figures();
  const auto& settings = rooms.settings.sessions;
  const Json out = {{"status", "healthy"},
                    {"active", figures.active},
                    {"limit", settings.sessions_max},
                    {"started_total", figures.started},
                    {"expired_total", figures.expired},
                    {"evicted_total", figures.evicted},
                    {"idle_timeout_seconds", settings.idle_timeout.count() / 1000},
                    {"timestamp", timestamp(rooms.clock.wall())}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

}  // namespace mainstay::api
