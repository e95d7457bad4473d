// /admin/audit, /admin/slow, /admin/tasks, /admin/alerts: what happened and what runs.
#include <charconv>

#include "api/admin.h"
#include "api/query.h"
#include "api/routes.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

/// Entries of one reply, unless ?limit= asks for more or less.
constexpr std::uint32_t kListed = 100;

Result<std::uint32_t> limit_asked(const Context& context, std::uint32_t most) {
  auto query = parse_query(context.exchange.head().query);
  if (!query.ok()) return query.error();
  return limit_of(*query, std::min(kListed, most), most);
}

Json list_of(Json data) {
  return {{"object", "list"}, {"data", std::move(data)}};
}

Json optional_time(const std::optional<WallTime>& at) {
  return at ? Json(timestamp(*at)) : Json(nullptr);
}

Error unknown_task() {
  return Error::say(Errc::not_found, "unknown_task",
                    "There is no such task. GET /admin/tasks lists them.");
}

}  // namespace

Co<Status> list_audit(const Rooms& rooms, Context& context) {
  auto limit = limit_asked(context, rooms.settings.admin.audit_max);
  if (!limit.ok()) co_return limit.error();
  Json data = Json::array();
  for (const auto& entry : rooms.admin->audit.recent(*limit)) {
    data.push_back({{"number", entry.number},
                    {"at", timestamp(entry.at)},
                    {"who", to_utf8(entry.who)},
                    {"key", to_utf8(entry.key)},
                    {"from", entry.from},
                    {"what", entry.what},
                    {"before", to_utf8(entry.before)},
                    {"after", to_utf8(entry.after)},
                    {"outcome", entry.outcome},
                    {"request", entry.request}});
  }
  Json out = list_of(std::move(data));
  out["total"] = rooms.admin->audit.total();
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> list_slow(const Rooms& rooms, Context& context) {
  auto limit = limit_asked(context, rooms.settings.admin.slow_max);
  if (!limit.ok()) co_return limit.error();
  Json data = Json::array();
  for (const auto& one : rooms.admin->slow.recent(*limit)) {
    data.push_back({{"id", one.id},
                    {"at", timestamp(one.ended)},
                    {"method", one.method},
                    {"route", one.route},
                    {"status", one.status},
                    {"total_ms", millis(one.total)},
                    {"queue_ms", millis(one.queue)},
                    {"first_token_ms", millis(one.first_token)},
                    {"provider", to_utf8(one.provider)},
                    {"model", to_utf8(one.model)},
                    {"stream", one.streamed}});
  }
  Json out = list_of(std::move(data));
  out["threshold_ms"] = rooms.settings.admin.slow_threshold.count();
  out["total"] = rooms.admin->slow.total();
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> list_tasks(const Rooms& rooms, Context& context) {
  Json data = Json::array();
  for (const auto& task : rooms.admin->program->tasks()) {
    data.push_back({{"id", std::to_string(task.id)},
                    {"name", task.name},
                    {"state", task.state},
                    {"cancellable", task.cancellable},
                    {"why", to_utf8(task.why)},
                    {"started_at", timestamp(task.started)},
                    {"ended_at", optional_time(task.ended)}});
  }
  auto sent = co_await reply_json(context, 200, dump(list_of(std::move(data))));
  co_return sent;
}

Co<Status> cancel_task(const Rooms& rooms, Context& context) {
  std::uint64_t id = 0;
  const char* end = context.param.data() + context.param.size();
  const auto read = std::from_chars(context.param.data(), end, id);
  if (read.ec != std::errc() || read.ptr != end) co_return unknown_task();
  AuditEntry entry = audit_of(context, "task.cancel");
  entry.before = "task " + std::to_string(id);
  auto cancelled = rooms.admin->program->cancel_task(id);
  if (!cancelled.ok()) entry.outcome = cancelled.error().reason;
  rooms.admin->audit.record(std::move(entry));
  if (!cancelled.ok()) co_return cancelled.error();
  const Json out = {{"id", std::to_string(id)}, {"object", "task"}, {"state", "cancelling"}};
  auto sent = co_await reply_json(context, 202, dump(out));
  co_return sent;
}

Co<Status> list_alerts(const Rooms& rooms, Context& context) {
  auto sent = co_await reply_json(context, 200, dump(list_of(rooms.admin->program->alerts())));
  co_return sent;
}

}  // namespace mainstay::api
