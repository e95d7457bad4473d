// Statuses of providers and what they mean for us.
#include "models/provider_error.h"

#include "base/json_fields.h"
#include "base/text.h"

namespace mainstay::models {
namespace {

constexpr std::size_t kWordsMax = 500;

Error make(Errc code, std::string_view reason, std::string message, std::string words) {
  Error e = Error::say(code, reason, std::move(message));
  e.detail = std::move(words);
  return e;
}

}  // namespace

Error refused_by_provider(int status, std::string words, std::chrono::milliseconds retry_after,
                          std::string named) {
  const std::string said = "status " + std::to_string(status) + ": " + words;
  Error e;
  if (status == 429) {
    e = make(Errc::over_limit, "upstream_rate_limited",
             "The model provider's own limit is reached. Try again later.", said);
  } else if (status == 401 || status == 403) {
    e = make(Errc::bad_upstream, "upstream_credentials",
             "The model provider refused this server's credentials. Check the provider's API key.",
             said);
  } else if (status == 404) {
    e = make(Errc::not_found, "upstream_model_unknown", "The provider does not know this model.",
             said);
  } else if (status == 503 || status == 529) {
    e = make(Errc::unavailable, "upstream_overloaded",
             "The model provider is overloaded. Try again later.", said);
  } else if (status == 408 || status == 504) {
    e = make(Errc::deadline, "upstream_timeout", "The model provider ran out of time.", said);
  } else if (status == 400 || status == 413 || status == 422) {
    e = make(Errc::invalid, "upstream_rejected", "The model provider refused the request: " + words,
             said);
    e.field = std::move(named);
  } else {  // 5xx, and what is between the provider and us: a bill (402), a wrong path (405), …
    e = make(Errc::bad_upstream, "upstream_error", "The model provider failed.", said);
  }
  e.retry_after = retry_after;
  return e;
}

std::string words_of(std::string_view body) {
  std::string words;
  auto parsed = parse_json(body);
  if (parsed.ok() && parsed->is_array() && !parsed->empty()) parsed = Json(parsed->front());
  if (parsed.ok() && parsed->is_object()) {
    const Json& error = field(*parsed, "error");
    words = error.is_string() ? error.get<std::string>() : string_field(error, "message");
    if (words.empty()) words = string_field(*parsed, "message");
  }
  if (words.empty()) words = to_utf8(trim(body));
  return std::string(cut_utf8(words, kWordsMax));
}

Error not_understood(std::string detail) {
  return make(Errc::bad_upstream, "upstream_bad_reply",
              "The model provider answered with something that is not its protocol.",
              std::move(detail));
}

Error cut_off(std::string detail) {
  return make(Errc::bad_upstream, "upstream_truncated",
              "The model provider's answer broke off before its end.", std::move(detail));
}

Error failed_inside(std::string words) {
  return make(Errc::bad_upstream, "upstream_error", "The model provider failed.", std::move(words));
}

Error cannot(std::string message, std::string field) {
  return Error::say(Errc::unsupported, "upstream_cannot", std::move(message), std::move(field));
}

}  // namespace mainstay::models
