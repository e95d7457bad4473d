// /admin/maintenance: new work refused with a message while what is under way finishes.
#include "api/admin.h"
#include "api/routes.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

constexpr std::size_t kMessageMax = 1000;
constexpr std::int64_t kRetryMaxSeconds = 86'400;

std::string described(const std::optional<admission::MaintenanceNote>& note) {
  if (!note) return "off";
  return "on" + (note->message.empty() ? std::string() : ": " + note->message);
}

Json state_of(const Rooms& rooms) {
  const auto note = rooms.admission.maintenance().note();
  const auto wait = note ? note->retry_after : std::chrono::milliseconds(0);
  return {{"enabled", note.has_value()},
          {"message", note ? to_utf8(note->message) : std::string()},
          {"retry_after_seconds", wait.count() / 1000},
          {"timestamp", timestamp(rooms.clock.wall())}};
}

/// What the body asks for; empty: off.
Result<std::optional<admission::MaintenanceNote>> asked(const std::string& body) {
  auto object = object_of(body, {"enabled", "message", "retry_after_seconds"});
  if (!object.ok()) return object.error();
  const auto enabled = object->find("enabled");
  if (enabled == object->end()) {
    return Error::say(Errc::invalid, "missing_field", "'enabled' is required.", "enabled");
  }
  if (!enabled->is_boolean()) {
    return Error::say(Errc::invalid, "invalid_type", "'enabled' must be true or false.", "enabled");
  }
  TextRule rule;
  rule.max = kMessageMax;
  auto message = text_member(*object, "message", rule);
  if (!message.ok()) return message.error();
  admission::MaintenanceNote note;
  note.message = std::move(*message);
  const auto wait = object->find("retry_after_seconds");
  if (wait != object->end() && !wait->is_null()) {
    if (!wait->is_number_integer()) {
      return Error::say(Errc::invalid, "invalid_type",
                        "'retry_after_seconds' must be a whole number.", "retry_after_seconds");
    }
    const auto seconds = wait->get<std::int64_t>();
    if (seconds < 1 || seconds > kRetryMaxSeconds) {
      return Error::say(Errc::invalid, "out_of_range",
                        "'retry_after_seconds' must be between 1 and 86400.",
                        "retry_after_seconds");
    }
    note.retry_after = std::chrono::seconds(seconds);
  }
  if (!enabled->get<bool>()) return std::optional<admission::MaintenanceNote>();
  return std::optional<admission::MaintenanceNote>(std::move(note));
}

}  // namespace

Co<Status> show_maintenance(const Rooms& rooms, Context& context) {
  auto sent = co_await reply_json(context, 200, dump(state_of(rooms)));
  co_return sent;
}

Co<Status> set_maintenance(const Rooms& rooms, Context& context) {
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto wanted = asked(*body);
  if (!wanted.ok()) co_return wanted.error();
  auto& maintenance = rooms.admission.maintenance();
  AuditEntry entry = audit_of(context, "maintenance.set");
  entry.before = described(maintenance.note());
  entry.after = described(*wanted);
  if (*wanted) {
    maintenance.on(std::move(**wanted));
  } else {
    maintenance.off();
  }
  rooms.admin->audit.record(std::move(entry));
  auto sent = co_await reply_json(context, 200, dump(state_of(rooms)));
  co_return sent;
}

}  // namespace mainstay::api
