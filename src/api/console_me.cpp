// GET /v1/me: who the caller is, what it may, what its limits are; what this address serves.
#include "api/routes.h"
#include "base/version.h"

namespace mainstay::api {
namespace {

using admission::Caller;
using admission::Scope;

std::string_view how(const Caller& caller) {
  if (caller.local) return "local";
  if (caller.key == "admin") return "admin_key";
  return caller.key.starts_with("jwt_") ? "token" : "key";
}

std::string_view name_of(admission::Priority priority) {
  switch (priority) {
    case admission::Priority::voice:
      return "voice";
    case admission::Priority::interactive:
      return "interactive";
    case admission::Priority::batch:
      return "batch";
    case admission::Priority::background:
      return "background";
  }
  return "background";
}

/// The key's own figures in place of the user's, as admission counts them; 0: no limit.
Json limits_json(const LimitSettings& settings, const Caller& caller) {
  const UserLimits none{0, 0, 0, 0, 0, 0};
  const UserLimits& user = settings.enabled ? settings.user : none;
  const admission::OwnLimits own = settings.enabled ? caller.limits : admission::OwnLimits{};
  const auto either = [](std::uint64_t mine, std::uint64_t common) {
    return mine != 0 ? mine : common;
  };
  return {{"requests_per_minute", either(own.requests_per_minute, user.requests_per_minute)},
          {"burst", either(own.burst, user.burst)},
          {"concurrent", either(own.concurrent, user.concurrent)},
          {"queued", either(own.queued, user.queued)},
          {"tokens_per_minute", either(own.tokens_per_minute, user.tokens_per_minute)},
          {"tokens_per_day", either(own.tokens_per_day, user.tokens_per_day)}};
}

/// With server.admin_listen each address serves its own part.
Json serves_json(const Rooms& rooms) {
  const auto& admin_listen = rooms.settings.server.admin_listen;
  const bool apart = !admin_listen.empty();
  const bool admin_side = apart && rooms.listen == admin_listen;
  return {{"api", !apart || !admin_side}, {"admin", !apart || admin_side}};
}

}  // namespace

Co<Status> who_am_i(const Rooms& rooms, Context& context) {
  const Caller& caller = context.caller;
  const auto& scopes = caller.scopes;
  const bool changes = scopes.has(Scope::admin);
  Json out = {{"object", "caller"},
              {"user", caller.owner.user.text()},
              {"tenant", caller.owner.tenant.text()},
              {"how", how(caller)},
              {"key", caller.key.empty() ? Json(nullptr) : Json(caller.key)},
              {"scopes", admission::names_of(scopes)},
              {"most_urgent", name_of(caller.most_urgent)},
              {"may",
               {{"chat", scopes.has(Scope::chat)},
                {"jobs", scopes.has(Scope::jobs)},
                {"knowledge", scopes.has(Scope::knowledge)},
                {"look", changes || scopes.has(Scope::admin_read)},
                {"change", changes}}},
              {"limits", limits_json(rooms.settings.limits, caller)},
              {"serves", serves_json(rooms)},
              {"version", version()},
              {"server_time", unix_seconds(rooms.clock.wall())}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

}  // namespace mainstay::api
