// The path of a request through the api room.
#include "api/service.h"

#include <boost/system/system_error.hpp>

#include "api/query.h"
#include "api/routes.h"
#include "api/status.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

constexpr std::array<std::string_view, 6> kClasses = {"1xx", "2xx", "3xx", "4xx", "5xx", "other"};

std::string_view host_without_port(std::string_view host) {
  if (!host.empty() && host.front() == '[') return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool is_loopback_name(std::string_view host) {
  return equal_ascii_nocase(host, "localhost") || host == "127.0.0.1" || host == "[::1]";
}

bool peer_is_loopback(const asio::ip::address& peer) {
  if (peer.is_v6() && peer.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, peer.to_v6()).is_loopback();
  }
  return peer.is_loopback();
}

}  // namespace

/// Handles resolved once, so that a request costs a few atomic adds.
struct Api::RouteFigures {
  std::array<Counter*, kClasses.size()> by_class{};
  Histogram* seconds = nullptr;
};

Api::Api(const Rooms& rooms)
    : rooms_(rooms),
      loopback_only_(is_loopback_name(host_without_port(rooms.listen))),
      unrouted_(rooms.metrics.counter("mainstay_http_unrouted_total",
                                      "Requests for paths or methods that do not exist.")),
      first_token_(
          rooms.metrics.histogram("mainstay_first_token_seconds",
                                  "From a chat request to its first token or whole reply.")),
      prompt_tokens_(rooms.metrics.counter("mainstay_tokens_total",
                                           "Tokens that providers counted.", {{"kind", "prompt"}})),
      completion_tokens_(rooms.metrics.counter(
          "mainstay_tokens_total", "Tokens that providers counted.", {{"kind", "completion"}})) {
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
  const auto& head = exchange.head();
  Matched matched = match(head.method, head.path);
  if (matched.route == nullptr) {
    co_await refuse_unrouted(exchange, std::move(matched.allowed));
    co_return;
  }
  Context context(exchange, *matched.route);
  context.param = std::string(matched.param);
  Status outcome = admit(context);
  if (outcome.ok()) {
    try {
      outcome = co_await context.route.endpoint(rooms_, context);
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
  co_await finish(context, std::move(outcome));
}

Status Api::admit(Context& context) {
  const auto& head = context.exchange.head();
  context.id = request_id(head);
  if (auto parsed = parse_traceparent(head.header("traceparent"))) context.trace = *parsed;
  context.by = Deadline::in(rooms_.clock, rooms_.settings.server.request_timeout);
  auto host = check_host(head);
  if (!host.ok()) return host;
  if (context.route.access == Access::open) return done();
  admission::Credentials credentials;
  credentials.authorization = head.header("authorization");
  credentials.api_key = head.header("x-api-key");
  credentials.peer_is_loopback = peer_is_loopback(head.peer);
  auto caller = rooms_.admission.identify(credentials);
  if (!caller.ok()) return caller.error();
  context.caller = std::move(*caller);
  // Clients escape ids: the official one asks for "mainstay%2Fextractive".
  auto param = decode_segment(context.param);
  if (!param.ok()) return param.error();
  context.param = std::move(*param);
  if (context.route.counted == Counted::yes) {
    context.rate = rooms_.admission.count(context.caller);
    if (!context.rate.allowed) return admission::Admission::refusal(context.rate);
  }
  return done();
}

Status Api::check_host(const net::RequestHead& head) const {
  // A page on another site can make a browser send requests to 127.0.0.1 under its own name (DNS
  // rebinding): a listener on loopback serves loopback names and configured ones alone.
  if (!loopback_only_) return done();
  const auto host = host_without_port(head.header("host"));
  const auto port = head.header("host").substr(host.size());
  const bool plain = port.find_first_not_of(":0123456789") == std::string_view::npos;
  if (plain && (host.empty() || is_loopback_name(host))) return done();
  for (const auto& allowed : rooms_.settings.server.allowed_hosts) {
    if (equal_ascii_nocase(host, allowed)) return done();
  }
  return Error::say(
      Errc::forbidden, "host_not_allowed",
      "This server does not answer under that host name. Add it to server.allowed_hosts.");
}

RequestId Api::request_id(const net::RequestHead& head) {
  const auto given = head.header("x-request-id");
  if (valid_request_id(given)) return RequestId(std::string(given));
  return RequestId(make_id("req_", rooms_.clock, rooms_.random));
}

Co<> Api::finish(Context& context, Status outcome) {
  if (!outcome.ok()) {
    const Error& error = outcome.error();
    context.code = stable_code(error);
    context.detail = error.detail;
    if (!context.exchange.started()) {
      net::Response response = error_response(error);
      add_common_headers(response.headers, context);
      context.status = response.status;
      [[maybe_unused]] auto sent = co_await context.exchange.reply(std::move(response));
    }
  }
  report(context);
}

void Api::report(const Context& context) {
  const auto total = rooms_.clock.now() - context.exchange.head().received;
  auto& figures = *figures_[static_cast<std::size_t>(&context.route - routes().data())];
  const auto status_class = static_cast<std::size_t>(context.status / 100);
  figures.by_class[status_class >= 1 && status_class <= 5 ? status_class - 1 : 5]->add();
  figures.seconds->observe(total);
  const auto& by = context.by_whom;
  if (!by.provider.empty()) first_token_.observe(by.first_token_time);
  if (context.usage.known) {
    prompt_tokens_.add(context.usage.prompt);
    completion_tokens_.add(context.usage.completion);
  }
  if (rooms_.settings.log.requests) log_request(context, total);
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
  if (!context.code.empty()) {
    rooms_.log.write(level, "http.request",
                     {id,
                      method,
                      route,
                      status,
                      user,
                      ms,
                      {"code", context.code},
                      {"detail", context.detail},
                      {"provider", by.provider},
                      {"attempts", by.attempts},
                      {"stream", context.streamed}});
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
                      {"stream", context.streamed},
                      {"tokens", context.usage.prompt + context.usage.completion}});
  } else {
    rooms_.log.write(level, "http.request", {id, method, route, status, user, ms});
  }
}

Co<> Api::refuse_unrouted(net::Exchange& exchange, std::string allowed) {
  unrouted_.add();
  net::Response response;
  if (allowed.empty()) {
    response = error_response(Error::say(Errc::not_found, "unknown_path",
                                         "There is no such path. GET /openapi.json lists them."));
  } else {
    response = error_response(
        Error::say(Errc::invalid, "method_not_allowed", "This path answers " + allowed + " only."));
    response.status = 405;
    response.headers.add("allow", allowed);
  }
  response.headers.add("x-request-id", request_id(exchange.head()).text());
  [[maybe_unused]] auto sent = co_await exchange.reply(std::move(response));
}

net::Response Api::refusal(const Error& error) {
  return error_response(error);
}

net::Response Api::health() {
  net::Response response;
  response.body = R"({"status":"ok"})";
  return response;
}

}  // namespace mainstay::api
