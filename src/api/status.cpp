// The one switch from Errc to HTTP, and OpenAI's error object.
#include "api/status.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/json.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

/// OpenAI's `type`, by which its clients choose their exception's words.
std::string_view type_of(Errc code) noexcept {
  switch (code) {
    case Errc::invalid:
    case Errc::too_large:
    case Errc::unsupported:
    case Errc::unprocessable:
    case Errc::conflict:
    case Errc::not_found:
      return "invalid_request_error";
    case Errc::denied:
      return "authentication_error";
    case Errc::forbidden:
      return "permission_error";
    case Errc::over_limit:
      return "rate_limit_error";
    case Errc::bad_upstream:
      return "upstream_error";
    case Errc::unavailable:
    case Errc::disk_full:
      return "overloaded_error";
    case Errc::deadline:
      return "timeout_error";
    case Errc::cancelled:
    case Errc::corrupt:
    case Errc::internal:
      return "server_error";
  }
  return "server_error";
}

/// The sentence when an error brings none of its own.
std::string_view sentence_of(Errc code) noexcept {
  switch (code) {
    case Errc::invalid:
      return "The request is not valid.";
    case Errc::denied:
      return "Send a valid API key.";
    case Errc::forbidden:
      return "This key may not do that.";
    case Errc::not_found:
      return "There is nothing under this name.";
    case Errc::conflict:
      return "This conflicts with what is there already.";
    case Errc::too_large:
      return "The request is larger than allowed.";
    case Errc::unsupported:
      return "This is not supported.";
    case Errc::unprocessable:
      return "The request cannot be acted on.";
    case Errc::over_limit:
      return "Too many requests. Try again later.";
    case Errc::cancelled:
      return "The request was cancelled.";
    case Errc::bad_upstream:
      return "The model provider answered with an error.";
    case Errc::unavailable:
      return "The service is not available right now. Try again shortly.";
    case Errc::deadline:
      return "The answer did not come in time.";
    case Errc::disk_full:
      return "The disk is full: nothing can be stored until space is freed.";
    case Errc::corrupt:
      return "Stored data failed its check. Run 'mainstay doctor'.";
    case Errc::internal:
      return "An unexpected error happened. The request id finds it in the log.";
  }
  return "An unexpected error happened.";
}

/// OpenAI's clients repeat what has one of the statuses 408, 409, 429 and from 500 by themselves,
/// twice by default. Here that would cost time and calls and change nothing.
bool is_final(const Error& error) noexcept {
  constexpr auto kConflictsThatPass = std::to_array<std::string_view>(
      {"chunks_missing", "document_changed", "document_ingesting", "idempotent_request_running",
       "job_not_ended", "not_started", "stale_lease"});
  constexpr auto kOursToMend = std::to_array<std::string_view>(
      {"upstream_credentials", "upstream_forbidden", "upstream_quota", "upstream_too_large",
       "upstream_wrong_path"});
  const auto is_one_of = [&](const auto& reasons) {
    return std::ranges::find(reasons, error.reason) != reasons.end();
  };
  if (error.retry_after.count() > 0) return false;
  if (error.code == Errc::conflict) return !is_one_of(kConflictsThatPass);
  if (error.code == Errc::bad_upstream) return is_one_of(kOursToMend);
  return error.reason == "tokens_limited";  // larger than the limit itself
}

}  // namespace

int http_status(Errc code) noexcept {
  switch (code) {
    case Errc::invalid:
      return 400;
    case Errc::denied:
      return 401;
    case Errc::forbidden:
      return 403;
    case Errc::not_found:
      return 404;
    case Errc::conflict:
      return 409;
    case Errc::too_large:
      return 413;
    case Errc::unsupported:
      return 415;
    case Errc::unprocessable:
      return 422;
    case Errc::over_limit:
      return 429;
    case Errc::cancelled:
      return 499;
    case Errc::corrupt:
    case Errc::internal:
      return 500;
    case Errc::bad_upstream:
      return 502;
    case Errc::unavailable:
      return 503;
    case Errc::deadline:
      return 504;
    case Errc::disk_full:
      return 507;
  }
  return 500;
}

std::string_view stable_code(const Error& error) noexcept {
  return error.reason.empty() ? name(error.code) : std::string_view(error.reason);
}

std::string error_json(const Error& error) {
  std::string out = "{\"error\":{\"message\":";
  append_json_string(out, error.message.empty() ? sentence_of(error.code) : to_utf8(error.message));
  out += ",\"type\":";
  append_json_string(out, type_of(error.code));
  out += ",\"param\":";
  if (error.field.empty()) {
    out += "null";
  } else {
    append_json_string(out, to_utf8(error.field));
  }
  out += ",\"code\":";
  append_json_string(out, stable_code(error));
  out += "}}";
  return out;
}

net::Response error_response(const Error& error) {
  net::Response response;
  response.status = http_status(error.code);
  // A body that did not come in time is the client's lateness (408), not an upstream's (504).
  if (error.reason == "request_timeout") response.status = 408;
  response.body = error_json(error);
  if (error.retry_after.count() > 0) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(error.retry_after);
    response.headers.add("retry-after", seconds.count());
    response.headers.add("retry-after-ms", error.retry_after.count());
  }
  if (is_final(error)) response.headers.add("x-should-retry", std::string_view("false"));
  if (error.code == Errc::denied) response.headers.add("www-authenticate", "Bearer");
  return response;
}

}  // namespace mainstay::api
