// /admin/reload and /admin/config: the settings in force and how to bring others into force.
#include "api/admin.h"
#include "api/routes.h"

namespace mainstay::api {
namespace {

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (const auto& one : list) {
    if (!out.empty()) out += ", ";
    out += one;
  }
  return out;
}

std::string sentence_of(const ReloadReport& report) {
  std::string out = report.changed.empty() ? "Nothing that is in force changed."
                                           : "In force now: " + joined(report.changed) + ".";
  if (!report.restart.empty()) {
    out += " Takes effect after a restart: " + joined(report.restart) + ".";
  }
  if (!report.unreachable.empty()) {
    out += " Did not answer yet: " + joined(report.unreachable) + ".";
  }
  return out;
}

}  // namespace

Co<Status> reload_settings(const Rooms& rooms, Context& context) {
  AuditEntry entry = audit_of(context, "config.reload");
  entry.before = "version " + std::to_string(rooms.admin->program->config().version);
  auto report = co_await rooms.admin->program->reload(entry.who, context.by);
  if (!report.ok()) {
    entry.after = entry.before;
    entry.outcome = report.error().reason.empty() ? std::string(name(report.error().code))
                                                  : report.error().reason;
    rooms.admin->audit.record(std::move(entry));
    co_return report.error();
  }
  entry.after = "version " + std::to_string(report->version) + ": " + joined(report->changed);
  rooms.admin->audit.record(std::move(entry));
  const Json out = {{"status", "success"},
                    {"message", sentence_of(*report)},
                    {"version", report->version},
                    {"changed", texts(report->changed)},
                    {"restart_needed", texts(report->restart)},
                    {"unreachable", texts(report->unreachable)},
                    {"cache_emptied", report->models_rebuilt},
                    {"took_ms", millis(report->took)},
                    {"timestamp", timestamp(rooms.clock.wall())}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> show_settings(const Rooms& rooms, Context& context) {
  const auto figures = rooms.admin->program->config();
  const Json out = {{"version", figures.version},
                    {"file", figures.file},
                    {"profile", figures.profile},
                    {"age_seconds", std::chrono::duration<double>(figures.age).count()},
                    {"last_error", figures.last_error},
                    {"restart_needed", texts(figures.waits_for_restart)},
                    {"settings", rooms.admin->program->settings()}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

}  // namespace mainstay::api
