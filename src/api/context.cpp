// Headers and bodies that the endpoints share.
#include "api/context.h"

#include "base/short_text.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

/// Room for five timings, each with a number of any size.
using TimingText = ShortText<256>;

void add_timing(TimingText& out, std::string_view what, Duration d) {
  if (!out.view().empty()) out.add(", ");
  out.add(what).add(";dur=").add_millis(d);
}

/// OpenAI gives the reset as a duration, e.g. "1.500s".
ShortText<32> reset_text(Duration reset) {
  ShortText<32> out;
  out.add_millis(reset / 1000).add('s');  // a thousandth, so that millis read as seconds
  return out;
}

void add_token_limit(net::HeaderLines& headers, const admission::Figure& tokens) {
  if (tokens.limit == 0) return;
  headers.add("x-ratelimit-limit-tokens", static_cast<std::int64_t>(tokens.limit));
  headers.add("x-ratelimit-remaining-tokens", static_cast<std::int64_t>(tokens.remaining));
  headers.add("x-ratelimit-reset-tokens", reset_text(tokens.reset).view());
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out.append(out.empty() ? "" : ", ").append(name);
  return out;
}

Error unknown_field(std::string_view key, std::initializer_list<std::string_view> known) {
  const std::string shown(cut_utf8(key, 64));
  std::vector<std::string> names(known.begin(), known.end());
  const std::string near = nearest(shown, names);
  std::string says = "'" + shown + "' is not known here.";
  if (!near.empty()) {
    says += " Did you mean '" + near + "'?";
  } else if (!names.empty()) {
    says += " Known are: " + joined(names) + ".";
  }
  return Error::say(Errc::invalid, "unknown_field", std::move(says), shown);
}

}  // namespace

void add_common_headers(net::HeaderLines& headers, const Context& context) {
  headers.add("x-request-id", context.id.text());
  headers.append(context.cors);
  add_token_limit(headers, context.rate.tokens);
  if (context.rate.limit == 0) return;
  headers.add("x-ratelimit-limit-requests", static_cast<std::int64_t>(context.rate.limit));
  headers.add("x-ratelimit-remaining-requests", static_cast<std::int64_t>(context.rate.remaining));
  headers.add("x-ratelimit-reset-requests", reset_text(context.rate.reset).view());
}

void add_attribution(net::HeaderLines& headers, const Context& context, Duration total) {
  const auto& by = context.by_whom;
  headers.add("x-mainstay-provider", by.provider);
  headers.add("x-mainstay-model", by.model);
  headers.add("x-mainstay-attempts", by.attempts);
  headers.add("x-mainstay-cache", models::name(by.cache));
  if (by.cache == models::CacheState::hit || by.cache == models::CacheState::stale) {
    headers.add("age", by.age.count());
  }
  if (by.fallbacks > 0) headers.add("x-mainstay-fallbacks", by.fallbacks);
  if (by.degraded) headers.add("x-mainstay-degraded", "true");
  TimingText timing;
  add_timing(timing, "queue", context.queue_time + by.queue_time);
  add_timing(timing, "cache", by.cache_time);
  add_timing(timing, "connect", by.connect_time);
  add_timing(timing, "first_token", by.first_token_time);
  add_timing(timing, "total", total);
  headers.add("server-timing", timing.view());
}

Co<Status> reply_json(Context& context, int status, std::string body) {
  net::Response response;
  response.status = status;
  response.body = std::move(body);
  add_common_headers(response.headers, context);
  context.status = status;
  auto sent = co_await context.exchange.reply(std::move(response));
  co_return sent;
}

std::string list_header(const net::RequestHead& head, std::string_view name) {
  std::string out;
  for (const auto& field : head.headers) {
    if (!equal_ascii_nocase(field.name, name)) continue;
    if (!out.empty()) out += ", ";
    out += field.value;
  }
  return out;
}

Status check_json(const Context& context) {
  const auto type = context.exchange.head().header("content-type");
  const auto media = trim(type.substr(0, type.find(';')));
  if (equal_ascii_nocase(media, "application/json")) return done();
  return Error::say(Errc::unsupported, "unsupported_media_type",
                    "Send the body as JSON, with 'Content-Type: application/json'.");
}

Co<Result<std::string>> read_json_body(const Rooms& rooms, Context& context) {
  auto fine = check_json(context);
  if (!fine.ok()) co_return std::move(fine.error());
  auto body = co_await context.exchange.read_body(rooms.settings.server.body_max, context.by);
  co_return body;
}

Result<Json> object_of(const std::string& body, std::initializer_list<std::string_view> known) {
  auto parsed = read_json(body);
  if (!parsed.ok()) return parsed.error();
  simdjson::dom::object object;
  if (parsed->get(object) != simdjson::SUCCESS) {
    return Error::say(Errc::invalid, "invalid_type", "The body must be a JSON object.");
  }
  // Looked at before a tree is built: a body full of unknown members costs nothing more.
  std::vector<std::string_view> seen;
  for (const auto member : object) {
    if (std::find(known.begin(), known.end(), member.key) == known.end()) {
      return unknown_field(member.key, known);
    }
    if (std::find(seen.begin(), seen.end(), member.key) != seen.end()) {
      return Error::say(Errc::invalid, "duplicate_field", "The field is given twice.",
                        std::string(member.key));
    }
    seen.push_back(member.key);
  }
  return to_json(*parsed);
}

Result<std::string> text_member(const Json& object, const char* key, TextRule rule) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) {
    if (!rule.required) return std::string();
    return Error::say(Errc::invalid, "missing_field", std::string("'") + key + "' is required.",
                      key);
  }
  if (!found->is_string()) {
    return Error::say(Errc::invalid, "invalid_type", std::string("'") + key + "' must be a string.",
                      key);
  }
  const auto& text = found->get_ref<const std::string&>();
  if (rule.required && trim(text).empty()) {
    return Error::say(Errc::invalid, "empty_field", std::string("'") + key + "' must not be empty.",
                      key);
  }
  if (text.size() > rule.max) {
    return Error::say(
        Errc::too_large, "field_too_long",
        std::string("'") + key + "' must have at most " + std::to_string(rule.max) + " bytes.",
        key);
  }
  if (text.find('\0') != std::string::npos) {
    return Error::say(Errc::invalid, "control_character",
                      std::string("'") + key + "' must not hold NUL characters.", key);
  }
  return text;
}

}  // namespace mainstay::api
