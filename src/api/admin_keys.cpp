// /admin/keys: the keys that `mainstay keys` makes, made and revoked over the API. What is done
// here holds at once in this process, within auth.keys_refresh in others; a secret is shown once.
#include "admission/queue.h"
#include "api/admin.h"
#include "api/routes.h"
#include "base/json_fields.h"

namespace mainstay::api {
namespace {

using admission::Scopes;
using storage::AccessKey;

constexpr std::int64_t kLastsMax = 3'153'600'000;  ///< a hundred years, in seconds
constexpr std::uint64_t kLimitMax = 4'000'000'000;

Deadline operation(const Rooms& rooms) {
  return Deadline::in(rooms.clock, rooms.settings.storage.operation_timeout);
}

Json time_json(WallTime at) {
  return at == WallTime{} ? Json(nullptr) : Json(unix_seconds(at));
}

const char* state_of(const AccessKey& key, WallTime now) {
  if (key.revoked != WallTime{}) return "revoked";
  if (key.expires != WallTime{} && now >= key.expires) return "expired";
  return "active";
}

const char* urgency_of(const AccessKey& key) {
  constexpr std::array kNames = {"voice", "interactive", "batch", "background"};
  return kNames[std::min<std::size_t>(key.priority, kNames.size() - 1)];
}

Json key_json(const AccessKey& key, WallTime now) {
  Scopes scopes;
  scopes.bits = key.scopes;
  return {{"id", key.id},
          {"object", "key"},
          {"prefix", key.prefix},
          {"name", key.name},
          {"state", state_of(key, now)},
          {"scopes", admission::names_of(scopes)},
          {"tenant", key.owner.tenant.text()},
          {"user", key.owner.user.text()},
          {"most_urgent", urgency_of(key)},
          {"created_at", time_json(key.created)},
          {"expires_at", time_json(key.expires)},
          {"last_used_at", time_json(key.last_used)},
          {"revoked_at", time_json(key.revoked)},
          {"limits",
           {{"requests_per_minute", key.requests_per_minute},
            {"burst", key.burst},
            {"concurrent", key.concurrent},
            {"queued", key.queued},
            {"tokens_per_minute", key.tokens_per_minute},
            {"tokens_per_day", key.tokens_per_day}}}};
}

Error bad_member(const std::string& field, const std::string& sentence) {
  return Error::say(Errc::invalid, "invalid_value", sentence, field);
}

/// A whole number of `object`, 0 to `most`; 0 when it is not there.
Result<std::uint64_t> number_in(const Json& object, const char* key, const std::string& path,
                                std::uint64_t most) {
  const Json& value = field(object, key);
  if (value.is_null()) return std::uint64_t{0};
  const bool whole = value.is_number_unsigned() && value.get<std::uint64_t>() <= most;
  if (whole) return value.get<std::uint64_t>();
  return bad_member(
      path, "'" + path + "' must be a whole number from 0 to " + std::to_string(most) + ".");
}

Result<admission::OwnLimits> limits_in(const Json& object) {
  admission::OwnLimits out;
  const Json& limits = field(object, "limits");
  if (limits.is_null()) return out;
  if (!limits.is_object()) {
    return Error::say(Errc::invalid, "invalid_type", "'limits' must be an object.", "limits");
  }
  const std::pair<const char*, std::uint32_t*> small[] = {
      {"requests_per_minute", &out.requests_per_minute},
      {"burst", &out.burst},
      {"concurrent", &out.concurrent},
      {"queued", &out.queued}};
  const std::pair<const char*, std::uint64_t*> large[] = {
      {"tokens_per_minute", &out.tokens_per_minute}, {"tokens_per_day", &out.tokens_per_day}};
  std::size_t known = 0;
  for (const auto& [key, place] : small) {
    auto value = number_in(limits, key, std::string("limits.") + key, kLimitMax);
    if (!value.ok()) return value.error();
    *place = static_cast<std::uint32_t>(*value);
    known += limits.contains(key) ? 1 : 0;
  }
  for (const auto& [key, place] : large) {
    auto value = number_in(limits, key, std::string("limits.") + key, kLimitMax);
    if (!value.ok()) return value.error();
    *place = *value;
    known += limits.contains(key) ? 1 : 0;
  }
  if (known == limits.size()) return out;
  return Error::say(Errc::invalid, "unknown_field",
                    "'limits' takes requests_per_minute, burst, concurrent, queued, "
                    "tokens_per_minute and tokens_per_day.",
                    "limits");
}

Status take_rights(const Json& object, admission::KeyWishes& wishes) {
  auto names = words_member(object, "scopes", "scopes");
  if (!names.ok()) return names.error();
  if (object.contains("scopes")) {
    auto scopes = admission::scopes_of(*names);
    if (!scopes.ok()) return scopes.error();
    wishes.scopes = *scopes;
  }
  auto urgent = text_member(object, "most_urgent", {false, 32});
  if (!urgent.ok()) return urgent.error();
  if (urgent->empty()) return done();
  const auto priority = admission::priority_of(*urgent);
  if (!priority) {
    return bad_member("most_urgent", "'most_urgent' is voice, interactive, batch or background.");
  }
  wishes.most_urgent = *priority;
  return done();
}

/// Names are checked by make_key().
Result<admission::KeyWishes> wishes_in(const std::string& body) {
  auto object = object_of(
      body, {"name", "scopes", "user", "tenant", "expires_in_seconds", "most_urgent", "limits"});
  if (!object.ok()) return object.error();
  admission::KeyWishes out;
  const std::pair<const char*, std::string*> texts[] = {
      {"name", &out.name}, {"user", &out.user}, {"tenant", &out.tenant}};
  for (const auto& [key, place] : texts) {
    auto text = text_member(*object, key, {place == &out.name, 256});
    if (!text.ok()) return text.error();
    if (object->contains(key)) *place = std::move(*text);
  }
  auto rights = take_rights(*object, out);
  if (!rights.ok()) return rights.error();
  auto limits = limits_in(*object);
  if (!limits.ok()) return limits.error();
  out.limits = *limits;
  auto lasts = number_in(*object, "expires_in_seconds", "expires_in_seconds", kLastsMax);
  if (!lasts.ok()) return lasts.error();
  out.lasts = std::chrono::seconds(*lasts);
  return out;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

void record(const Rooms& rooms, const Context& context, const char* what, const std::string& after,
            const Status& outcome) {
  AuditEntry entry = audit_of(context, what);
  entry.after = after;
  if (!outcome.ok()) {
    const Error& error = outcome.error();
    entry.outcome = error.reason.empty() ? std::string(name(error.code)) : error.reason;
  }
  rooms.admin->audit.record(std::move(entry));
}

}  // namespace

Co<Status> list_keys(const Rooms& rooms, Context& context) {
  auto list = co_await rooms.stores.access_keys().list(operation(rooms));
  if (!list.ok()) co_return list.error();
  const WallTime now = rooms.clock.wall();
  Json out = {{"object", "list"}, {"data", Json::array()}};
  for (const auto& key : list->keys) out["data"].push_back(key_json(key, now));
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> create_key(const Rooms& rooms, Context& context) {
  if (!context.exchange.head().header("idempotency-key").empty()) {
    co_return Error::say(Errc::invalid, "invalid_idempotency_key",
                         "A new key's reply is kept nowhere: send this request without "
                         "Idempotency-Key.",
                         "idempotency-key");
  }
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto wishes = wishes_in(*body);
  if (!wishes.ok()) co_return wishes.error();
  auto made = admission::make_key(std::move(*wishes), rooms.clock);
  if (!made.ok()) co_return made.error();
  auto& store = rooms.stores.access_keys();
  const std::uint32_t keys_max = rooms.settings.auth.keys_max;
  auto added = co_await store.add(made->row, keys_max, operation(rooms));
  Json out = key_json(made->row, rooms.clock.wall());
  record(rooms, context, "key.create",
         made->row.id + " " + made->row.name + ": " +
             joined(out["scopes"].get<std::vector<std::string>>()),
         added);
  if (!added.ok()) co_return added.error();
  // A failure only means that the key is known a little later.
  [[maybe_unused]] auto known =
      co_await rooms.admission.identity().refresh(store, operation(rooms));
  out["key"] = made->text;
  auto sent = co_await reply_json(context, 201, dump(out));
  co_return sent;
}

Co<Status> revoke_key(const Rooms& rooms, Context& context) {
  auto& store = rooms.stores.access_keys();
  std::string id = context.param;
  auto revoked = co_await store.revoke(std::move(id), rooms.clock.wall(), operation(rooms));
  record(rooms, context, "key.revoke", context.param, revoked);
  if (!revoked.ok()) co_return revoked.error();
  auto known = co_await rooms.admission.identity().refresh(store, operation(rooms));
  if (!known.ok()) co_return known.error();
  auto list = co_await store.list(operation(rooms));
  if (!list.ok()) co_return list.error();
  Json out = {{"id", context.param}, {"object", "key"}, {"state", "revoked"}};
  for (const auto& key : list->keys) {
    if (key.id == context.param) out = key_json(key, rooms.clock.wall());
  }
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

}  // namespace mainstay::api
