// Refusals read within bounds, and the three ways servers say "later".
#include "net/json_api.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>
#include <limits>
#include <optional>
#include <utility>

#include "base/text.h"
#include "base/version.h"

namespace mainstay::net {
namespace {

using Ms = std::chrono::milliseconds;

/// No wait longer than this is believed.
constexpr double kLongestSeconds = 24.0 * 3600;

Ms from_seconds(double seconds) {
  if (!(seconds > 0)) return Ms(0);
  return Ms(static_cast<std::int64_t>(std::ceil(std::min(seconds, kLongestSeconds) * 1000)));
}

/// Takes digits, with at most one dot among them, off the front; nothing when there are none. What
/// is too large for a number is the largest one.
std::optional<double> take_number(std::string_view& text) {
  double n = 0;
  auto [end, failed] =
      std::from_chars(text.data(), text.data() + text.size(), n, std::chars_format::fixed);
  if (failed == std::errc::result_out_of_range && text.front() >= '1' && text.front() <= '9') {
    n = std::numeric_limits<double>::max();
    failed = std::errc{};
  }
  if (failed != std::errc{} || !std::isfinite(n) || n < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return n;
}

/// The seconds in one unit at the front of `text`, which it takes off; nothing for another word.
std::optional<double> take_unit(std::string_view& text) {
  using Unit = std::pair<std::string_view, double>;
  for (const auto& [name, seconds] :
       {Unit{"ms", 0.001}, Unit{"h", 3600}, Unit{"m", 60}, Unit{"s", 1}}) {
    if (!text.starts_with(name)) continue;
    text.remove_prefix(name.size());
    return seconds;
  }
  return std::nullopt;
}

/// A plain number; zero for anything else (an HTTP date among them).
double number(std::string_view text) {
  text = trim(text);
  const auto n = take_number(text);
  return n && text.empty() ? *n : 0;
}

/// Retry-After as a date, counted from the reply's own: two clocks need not agree. A reply without
/// one is counted from when it came.
Ms until_date(const Reply& reply) {
  const std::time_t then =
      ::curl_getdate(std::string(reply.header("retry-after")).c_str(), nullptr);
  std::time_t now = ::curl_getdate(std::string(reply.header("date")).c_str(), nullptr);
  if (now <= 0) now = static_cast<std::time_t>(unix_seconds(reply.timings().at));
  if (then <= 0 || now <= 0 || then <= now) return Ms(0);
  return from_seconds(static_cast<double>(then - now));
}

std::string encoding(const Reply& reply) {
  constexpr std::size_t kShown = 40;
  return std::string(cut_utf8(to_utf8(trim(reply.header("content-encoding"))), kShown));
}

}  // namespace

Ms duration_text(std::string_view text) {
  double seconds = 0;
  text = trim(text);
  while (!text.empty()) {
    const auto n = take_number(text);
    const auto unit = n ? take_unit(text) : std::nullopt;
    if (!unit) return Ms(0);
    seconds += *n * *unit;
  }
  return from_seconds(seconds);
}

Ms retry_after_of(const Reply& reply) {
  if (const double ms = number(reply.header("retry-after-ms")); ms > 0)
    return from_seconds(ms / 1000);
  if (const double s = number(reply.header("retry-after")); s > 0) return from_seconds(s);
  if (const Ms until = until_date(reply); until > Ms(0)) return until;
  // Only a limit that is used up says when it is free again.
  Ms longest(0);
  if (reply.header("x-ratelimit-remaining-requests") == "0") {
    longest = duration_text(reply.header("x-ratelimit-reset-requests"));
  }
  if (reply.header("x-ratelimit-remaining-tokens") == "0") {
    longest = std::max(longest, duration_text(reply.header("x-ratelimit-reset-tokens")));
  }
  return longest;
}

Co<Result<ApiReply>> call_api(Client& client, Call call, CallTimers timers, Deadline by) {
  auto reply = co_await client.send(std::move(call), timers, by);
  if (!reply.ok()) co_return std::move(reply.error());
  co_return co_await look_at(std::move(*reply), by);
}

std::string_view user_agent() {
  static const std::string name = std::string("mainstay/") + version();
  return name;
}

bool compressed(const Reply& reply) {
  const std::string how = encoding(reply);
  return !how.empty() && !equal_ascii_nocase(how, "identity");
}

Co<Result<ApiReply>> look_at(std::unique_ptr<Reply> reply, Deadline by) {
  ApiReply out;
  const int status = reply->status();
  if (status >= 300 && status < 400) {
    Error refused = Error::say(Errc::bad_upstream, "upstream_bad_reply",
                               "The model provider sent a redirect, which is not followed. Check "
                               "its address in the configuration.");
    refused.detail = "status " + std::to_string(status);
    co_return refused;
  }
  if (status < 400 && compressed(*reply)) {
    Error packed = Error::say(Errc::bad_upstream, "upstream_bad_reply",
                              "The model provider sent a compressed reply, though none is taken. "
                              "Turn compression off there, or in the proxy before it.");
    packed.detail = "status " + std::to_string(status) + ", content-encoding " + encoding(*reply);
    co_return packed;
  }
  if (status < 400) {
    out.reply = std::move(reply);
    co_return out;
  }
  ApiRefusal refusal;
  refusal.status = status;
  refusal.retry_after = retry_after_of(*reply);
  if (compressed(*reply)) {
    refusal.body = "(its words were compressed: " + encoding(*reply) + ")";
    out.refusal = std::move(refusal);
    co_return out;
  }
  // A refusal whose body cannot be read is still that refusal.
  auto body = co_await read_all(*reply, 64_KiB, by);
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
  call.headers.add("accept-encoding", "identity");
  call.headers.add("user-agent", user_agent());
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
