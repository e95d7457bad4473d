// The path of a request through the api room.
#include "api/service.h"

#include <fmt/format.h>
#include <boost/system/system_error.hpp>

#include "api/admin.h"
#include "api/idempotency.h"
#include "api/query.h"
#include "api/routes.h"
#include "api/status.h"
#include "base/memory_reserve.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

constexpr std::array<std::string_view, 6> kClasses = {"1xx", "2xx", "3xx", "4xx", "5xx", "other"};

/// A browser's question whether a page of another origin may send what it wants to send.
bool asks_first(const net::RequestHead& head) {
  return head.method == "OPTIONS" && !head.header("access-control-request-method").empty();
}

}  // namespace

/// Handles resolved once, so that a request costs a few atomic adds.
struct Api::RouteFigures {
  std::array<Counter*, kClasses.size()> by_class{};
  Histogram* seconds = nullptr;
};

Api::Api(const Rooms& rooms, Side side)
    : rooms_(rooms),
      side_(side),
      gate_(rooms),
      memory_(rooms.clock, rooms.settings.resources.request_growth.value,
              &resources::resident_bytes),
      grown_(rooms.metrics.counter("mainstay_request_memory_warnings_total",
                                   "Requests during which memory grew by more than "
                                   "resources.request_growth.")),
      unrouted_(rooms.metrics.counter("mainstay_http_unrouted_total",
                                      "Requests for paths or methods that do not exist.")),
      first_token_(
          rooms.metrics.histogram("mainstay_first_token_seconds",
                                  "From a chat request to its first token or whole reply.")),
      prompt_tokens_(rooms.metrics.counter("mainstay_tokens_total", "Tokens that answers used.",
                                           {{"kind", "prompt"}})),
      completion_tokens_(rooms.metrics.counter("mainstay_tokens_total", "Tokens that answers used.",
                                               {{"kind", "completion"}})) {
  for (const auto& route : routes()) {
    auto figures = std::make_unique<RouteFigures>();
    const std::string label(route.operation);
    for (std::size_t i = 0; i < kClasses.size(); ++i) {
      figures->by_class[i] =
          &rooms.metrics.counter("mainstay_http_requests_total", "Requests answered.",
                                 {{"route", label}, {"status", std::string(kClasses[i])}});
    }
    figures->seconds =
        &rooms.metrics.histogram("mainstay_http_request_seconds",
                                 "From a request's head to its last byte.", {{"route", label}});
    figures_.push_back(std::move(figures));
  }
}

Api::~Api() = default;

Co<> Api::serve(net::Exchange& exchange) {
  keep_memory_reserve();
  const auto& head = exchange.head();
  Matched matched = match(head.method, head.path);
  if (matched.route != nullptr && !served(*matched.route)) matched = {};
  if (matched.route == nullptr && asks_first(head)) {
    co_await answer_preflight(exchange, std::move(matched.allowed));
    co_return;
  }
  if (matched.route == nullptr) {
    co_await refuse_unrouted(exchange, std::move(matched.allowed));
    co_return;
  }
  const auto keyed = keyed_exchange(exchange, *matched.route);
  Context context(keyed ? *keyed : exchange, *matched.route);
  context.keyed = keyed.get();
  context.memory = memory_.begin();
  context.param = std::string(matched.param);
  Status outcome = admit(context);
  if (outcome.ok()) {
    try {
      const Endpoint endpoint = keyed ? &answer_once : context.route.endpoint;
      outcome = co_await endpoint(rooms_, context);
    } catch (const boost::system::system_error& e) {
      if (e.code() != asio::error::operation_aborted) throw;
      context.status = http_status(Errc::cancelled);
      context.code = name(Errc::cancelled);
      report(context);
      throw;
    } catch (const std::exception& e) {
      outcome = Error::log(Errc::internal, std::string("unexpected: ") + e.what());
    }
  }
  if (!outcome.ok()) co_await refuse(context, outcome.error());
  report(context);
}

Status Api::admit(Context& context) {
  const auto& head = context.exchange.head();
  context.id = request_id(head);
  if (auto parsed = parse_traceparent(head.header("traceparent"))) context.trace = *parsed;
  return gate_.admit(context);
}

bool Api::served(const Route& route) const noexcept {
  if (side_ == Side::both) return true;
  const bool admin = route.access == Access::admin;
  if (side_ == Side::public_side) return !admin;
  // A worker process has an admin side alone, and its figures are its own.
  return admin || route.access == Access::open || route.path == "/metrics" ||
         route.path == "/v1/me";
}

RequestId Api::request_id(const net::RequestHead& head) {
  const auto given = head.header("x-request-id");
  if (valid_request_id(given)) return RequestId(std::string(given));
  return RequestId(make_id("req_", rooms_.clock, rooms_.random));
}

Co<> Api::refuse(Context& context, const Error& error) {
  context.code = stable_code(error);
  context.detail = error.detail;
  // Of this machine's disk alone: a full Redis, or an upload too large for the disk, stops nobody
  // else. Not for what was refused because writes are off: each would keep them off a while longer.
  if (context.code == "disk_full" && rooms_.disk_was_full && check_writable(rooms_).ok()) {
    rooms_.disk_was_full();
  }
  if (context.exchange.started()) co_return;
  net::Response response = error_response(error);
  add_common_headers(response.headers, context);
  context.status = response.status;
  [[maybe_unused]] auto sent = co_await context.exchange.reply(std::move(response));
}

void Api::report(const Context& context) {
  const auto total = rooms_.clock.now() - context.exchange.head().received;
  auto& figures = *figures_[static_cast<std::size_t>(&context.route - routes().data())];
  const auto status_class = static_cast<std::size_t>(context.status / 100);
  figures.by_class[status_class >= 1 && status_class <= 5 ? status_class - 1 : 5]->add();
  if (!context.lasting) figures.seconds->observe(total);
  const auto& by = context.by_whom;
  const bool slow = total >= rooms_.settings.admin.slow_threshold && !context.lasting;
  if (rooms_.admin != nullptr && slow) {
    note_slow(context, total);
  }
  note_growth(context);
  if (!by.provider.empty()) first_token_.observe(by.first_token_time);
  if (context.usage.known) {
    prompt_tokens_.add(context.usage.prompt);
    completion_tokens_.add(context.usage.completion);
  }
  if (rooms_.settings.log.requests) log_request(context, total);
}

void Api::note_growth(const Context& context) {
  const auto grew = memory_.end(context.memory);
  if (!grew || context.lasting) return;
  grown_.add();
  rooms_.log.warn("request.memory", {{"id", context.id.text()},
                                     {"route", context.route.path},
                                     {"bytes", grew->bytes},
                                     {"beside", grew->beside}});
}

void Api::note_slow(const Context& context, Duration total) {
  const auto& by = context.by_whom;
  SlowRequest slow;
  slow.id = context.id.text();
  slow.method = context.route.method;
  slow.route = context.route.path;
  slow.status = context.status;
  slow.provider = by.provider;
  slow.model = by.model;
  slow.streamed = context.streamed;
  slow.total = total;
  slow.queue = context.queue_time + by.queue_time;
  slow.first_token = by.first_token_time;
  slow.ended = rooms_.clock.wall();
  rooms_.admin->slow.record(std::move(slow));
}

/// One line, with what there is to say: a model's part only where one answered, a failure's only
/// where something failed.
void Api::log_request(const Context& context, Duration total) {
  const Level level = context.status >= 500 ? Level::warn : Level::info;
  if (!rooms_.log.wants(level)) return;
  const auto& head = context.exchange.head();
  const auto& by = context.by_whom;
  const Field id{"id", context.id.text()};
  const Field method{"method", head.method};
  const Field route{"route", context.route.path};
  const Field status{"status", context.status};
  const Field user{"user", context.caller.owner.user.text()};
  const Field ms{"ms", total};
  const Field code{"code", context.code};
  const Field detail{"detail", context.detail};
  const Field stream{"stream", context.streamed};
  if (!context.code.empty() && by.provider.empty()) {
    // Which providers were called and failed, if any, is in the detail.
    rooms_.log.write(level, "http.request",
                     {id, method, route, status, user, ms, code, detail, stream});
  } else if (!context.code.empty()) {
    rooms_.log.write(level, "http.request",
                     {id,
                      method,
                      route,
                      status,
                      user,
                      ms,
                      code,
                      detail,
                      {"provider", by.provider},
                      {"attempts", by.attempts},
                      stream});
  } else if (!by.provider.empty()) {
    rooms_.log.write(level, "http.request",
                     {id,
                      method,
                      route,
                      status,
                      user,
                      ms,
                      {"first_token_ms", by.first_token_time},
                      {"provider", by.provider},
                      {"model", by.model},
                      {"attempts", by.attempts},
                      {"cache", models::name(by.cache)},
                      stream,
                      {"tokens", context.usage.prompt + context.usage.completion}});
  } else {
    rooms_.log.write(level, "http.request", {id, method, route, status, user, ms});
  }
}

Co<> Api::answer_preflight(net::Exchange& exchange, std::string methods) {
  auto answer = gate_.preflight(exchange.head(), methods);
  net::Response response = answer.ok() ? std::move(*answer) : error_response(answer.error());
  response.headers.add("x-request-id", request_id(exchange.head()).text());
  [[maybe_unused]] auto sent = co_await exchange.reply(std::move(response));
}

/// Clients whose base URL lacks its /v1 are told so.
Error Api::unknown_path(const net::RequestHead& head) const {
  const Matched below = match(head.method, "/v1" + std::string(head.path));
  std::string says = "There is no such path. GET /openapi.json lists them.";
  if (below.route != nullptr && served(*below.route)) {
    says =
        fmt::format("There is no such path, but there is {}: the client's base URL ends with /v1.",
                    below.route->path);
  }
  return Error::say(Errc::not_found, "unknown_path", std::move(says));
}

Co<> Api::refuse_unrouted(net::Exchange& exchange, std::string allowed) {
  unrouted_.add();
  net::Response response;
  if (allowed.empty()) {
    response = error_response(unknown_path(exchange.head()));
  } else {
    response = error_response(
        Error::say(Errc::invalid, "method_not_allowed", "This path answers " + allowed + " only."));
    response.status = 405;
    response.headers.add("allow", allowed);
  }
  response.headers.add("x-request-id", request_id(exchange.head()).text());
  // A page with a wrong base URL should read what is wrong with it.
  gate_.add_cors(exchange.head(), response.headers);
  [[maybe_unused]] auto sent = co_await exchange.reply(std::move(response));
}

net::Response Api::refusal(const Error& error) {
  return error_response(error);
}

net::Response Api::health() {
  net::Response response;
  response.body = kAlive;
  return response;
}

}  // namespace mainstay::api
