// Types and ranges of an order's members.
#include "api/job_order.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "api/context.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "storage/jobs.h"

namespace mainstay::api {
namespace {

constexpr std::size_t kNameMax = 128;
constexpr std::size_t kUrlMax = 2048;
// Far beyond any sense, and short of overflow: more is taken for this, and the desk, which knows
// the bounds, refuses it.
constexpr double kMomentMax = 1e11;
constexpr double kSpanMax = 9e9;

/// A number of seconds, zero or more; none when absent.
Result<std::optional<double>> seconds(const Json& object, const char* key, double most) {
  const Json& found = field(object, key);
  if (found.is_null()) return std::optional<double>();
  const double value = found.is_number() ? found.get<double>() : -1;
  if (!std::isfinite(value) || value < 0) {
    return Error::say(Errc::invalid, "out_of_range",
                      std::string("'") + key + "' must be a number of seconds, zero or more.", key);
  }
  return std::optional<double>(std::min(value, most));
}

Duration duration_of(double s) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(s * 1000));
}
WallTime wall_of(double s) {
  return wall_from_micros(static_cast<std::int64_t>(s * 1'000'000));
}

Error not_both(const char* one, const char* other) {
  return Error::say(Errc::invalid, "invalid_value",
                    "Give '" + std::string(one) + "' or '" + other + "', not both.", one);
}

Status read_times(const Json& object, jobs::Order& order) {
  std::array<std::optional<double>, 5> found;
  const std::array keys = {std::pair{"run_at", kMomentMax}, std::pair{"delay", kSpanMax},
                           std::pair{"expires", kMomentMax}, std::pair{"expires_in", kSpanMax},
                           std::pair{"repeat_every", kSpanMax}};
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto value = seconds(object, keys[i].first, keys[i].second);
    if (!value.ok()) return value.error();
    found[i] = *value;
  }
  if (found[0] && found[1]) return not_both("delay", "run_at");
  if (found[2] && found[3]) return not_both("expires_in", "expires");
  if (found[0]) order.run_at = wall_of(*found[0]);
  if (found[1]) order.delay = duration_of(*found[1]);
  if (found[2]) order.expires = wall_of(*found[2]);
  // Zero would mean: never. And for what lies too far ahead the desk has no bound.
  if (found[2] && (order.expires == WallTime{} || *found[2] >= kMomentMax)) {
    return Error::say(Errc::invalid, "out_of_range",
                      "'expires' must be a moment later than now and before the year 5138, in "
                      "seconds since 1970; without it the job never expires.",
                      "expires");
  }
  if (found[3]) order.expires_in = duration_of(*found[3]);
  if (!found[4]) return done();
  order.repeat_every = std::chrono::seconds(static_cast<std::int64_t>(*found[4]));
  if (*found[4] >= 1 && std::trunc(*found[4]) == *found[4]) return done();
  return Error::say(Errc::invalid, "out_of_range",
                    "'repeat_every' must be a whole number of seconds, one or more.",
                    "repeat_every");
}

Status read_names(const Json& object, jobs::Order& order) {
  const std::array texts = {std::pair{"kind", &order.kind}, std::pair{"client", &order.client},
                            std::pair{"key", &order.key}};
  for (const auto& [key, to] : texts) {
    auto text = text_member(object, key, {.required = to == &order.kind, .max = kNameMax});
    if (!text.ok()) return text.error();
    *to = std::move(*text);
  }
  auto priority = text_member(object, "priority", {.max = kNameMax});
  if (!priority.ok()) return priority.error();
  if (field(object, "priority").is_null()) return done();
  order.priority = storage::job_class(*priority);
  if (order.priority) return done();
  return Error::say(Errc::invalid, "invalid_value",
                    "'priority' is voice, interactive, batch or background.", "priority");
}

Status read_webhook(const Json& object, jobs::Order& order) {
  const Json& webhook = field(object, "webhook");
  if (webhook.is_null()) return done();
  if (!webhook.is_object()) {
    return Error::say(Errc::invalid, "invalid_type", "'webhook' must be an object with a 'url'.",
                      "webhook");
  }
  for (const auto& [key, value] : webhook.items()) {
    if (key == "url") continue;
    return Error::say(Errc::invalid, "unknown_field",
                      "The field is not known; a webhook has a 'url'.",
                      "webhook." + std::string(cut_utf8(key, 64)));
  }
  auto url = text_member(webhook, "url", {.required = true, .max = kUrlMax});
  if (!url.ok()) {
    url.error().field = "webhook.url";
    return url.error();
  }
  order.webhook = std::move(*url);
  return done();
}

}  // namespace

Result<jobs::Order> order_of(const Json& object) {
  jobs::Order order;
  auto fine = read_names(object, order);
  if (!fine.ok()) return fine.error();
  fine = read_times(object, order);
  if (!fine.ok()) return fine.error();
  fine = read_webhook(object, order);
  if (!fine.ok()) return fine.error();
  const Json& attempts = field(object, "attempts_max");
  if (!attempts.is_null()) {
    const auto n = count_field(object, "attempts_max");
    const bool whole = !attempts.is_number_float() || attempts == static_cast<double>(n);
    if (!whole || n < 1 || n > 1000) {
      return Error::say(Errc::invalid, "out_of_range",
                        "'attempts_max' must be a whole number from 1 to 1000.", "attempts_max");
    }
    order.attempts_max = static_cast<std::uint32_t>(n);
  }
  order.input = field(object, "input");
  if (order.input.is_null()) order.input = Json::object();
  return order;
}

std::string order_digest(Json object) {
  for (const char* beside : {"type", "id", "key", "client"}) object.erase(beside);
  std::map<std::string, std::string> members;  // in an order of their own
  for (const auto& [key, value] : object.items()) members[key] = dump(value);
  return sha256_hex(dump(Json(members)));
}

}  // namespace mainstay::api
