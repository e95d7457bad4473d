// Refusals read within bounds, and the three ways servers say "later".
#include "net/json_api.h"

#include <cmath>
#include <cstdlib>

#include "base/text.h"

namespace mainstay::net {
namespace {

using Ms = std::chrono::milliseconds;

/// No wait longer than this is believed.
constexpr double kLongestSeconds = 24.0 * 3600;

Ms from_seconds(double seconds) {
  if (!(seconds > 0)) return Ms(0);
  return Ms(static_cast<std::int64_t>(std::ceil(std::min(seconds, kLongestSeconds) * 1000)));
}

/// "6m0s", "1.5s", "250ms", "1h2m": the form of Go's durations, used in x-ratelimit-reset-*.
Ms duration_text(std::string_view text) {
  double seconds = 0;
  std::string rest(trim(text));
  const char* at = rest.c_str();
  while (*at != '\0') {
    char* next = nullptr;
    const double n = std::strtod(at, &next);
    if (next == at) return Ms(0);
    if (next[0] == 'm' && next[1] == 's') {
      seconds += n / 1000;
      at = next + 2;
    } else if (*next == 'h' || *next == 'm' || *next == 's') {
      seconds += n * (*next == 'h' ? 3600 : *next == 'm' ? 60 : 1);
      at = next + 1;
    } else {
      return Ms(0);
    }
  }
  return from_seconds(seconds);
}

/// A plain number; zero for anything else (an HTTP date among them).
double number(std::string_view text) {
  const std::string copy(trim(text));
  char* end = nullptr;
  const double n = std::strtod(copy.c_str(), &end);
  return copy.empty() || *end != '\0' || !std::isfinite(n) ? 0 : n;
}

}  // namespace

Ms retry_after_of(const Reply& reply) {
  if (const double ms = number(reply.header("retry-after-ms")); ms > 0) return from_seconds(ms / 1000);
  if (const double s = number(reply.header("retry-after")); s > 0) return from_seconds(s);
  // Only a limit that is used up says when it is free again.
  if (reply.header("x-ratelimit-remaining-requests") == "0") {
    return duration_text(reply.header("x-ratelimit-reset-requests"));
  }
  if (reply.header("x-ratelimit-remaining-tokens") == "0") {
    return duration_text(reply.header("x-ratelimit-reset-tokens"));
  }
  return Ms(0);
}

Co<Result<ApiReply>> call_api(Client& client, Call call, CallTimers timers, Deadline by) {
  auto reply = co_await client.send(std::move(call), timers, by);
  if (!reply.ok()) co_return reply.error();
  ApiReply out;
  if ((*reply)->status() < 400) {
    out.reply = std::move(*reply);
    co_return out;
  }
  ApiRefusal refusal;
  refusal.status = (*reply)->status();
  refusal.retry_after = retry_after_of(**reply);
  // A refusal whose body cannot be read is still that refusal.
  auto body = co_await read_all(**reply, 64_KiB, by);
  if (body.ok()) refusal.body = std::move(*body);
  out.refusal = std::move(refusal);
  co_return out;
}

Call JsonApi::call_to(std::string_view method, const std::string& target) const {
  Call call;
  call.method = method;
  call.url = url_;
  call.target = (url_->path == "/" ? "" : url_->path) + target;
  call.headers = headers_;
  return call;
}

Co<Result<ApiReply>> JsonApi::post(std::string target, std::string body, CallTags tags,
                                   CallTimers timers, Deadline by) const {
  Call call = call_to("POST", target);
  call.headers.add("content-type", "application/json");
  if (!tags.request_id.empty()) call.headers.add("x-request-id", tags.request_id);
  if (!tags.traceparent.empty()) call.headers.add("traceparent", tags.traceparent);
  call.body = std::move(body);
  auto reply = co_await call_api(client_, std::move(call), timers, by);
  co_return reply;
}

Co<Result<JsonApi::Got>> JsonApi::get(std::string target, Deadline by) const {
  CallTimers timers;
  timers.connect = settings_.connect_timeout;
  auto reply = co_await call_api(client_, call_to("GET", target), timers, by);
  if (!reply.ok()) co_return reply.error();
  Got got;
  if (reply->refusal) {
    got.refusal = std::move(reply->refusal);
    co_return got;
  }
  auto body = co_await read_all(*reply->reply, settings_.response_max, by);
  if (!body.ok()) co_return body.error();
  got.body = std::move(*body);
  co_return got;
}

}  // namespace mainstay::net
