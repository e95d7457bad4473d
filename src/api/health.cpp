// /health*, /metrics. GET /health itself is answered by the listener; this is the same for a table
// that is complete.
#include "api/hosts.h"
#include "api/ready.h"
#include "api/routes.h"
#include "api/status.h"
#include "resources/governor.h"
#include "resources/process.h"

namespace mainstay::api {
namespace {

Json providers_of(const Rooms& rooms) {
  Json out = Json::array();
  for (const auto& provider : rooms.models.providers()) {
    out.push_back({{"name", provider.name},
                   {"up", provider.up},
                   {"breaker", provider.breaker},
                   {"in_flight", provider.in_flight},
                   {"why", provider.why}});
  }
  return out;
}

void refresh_process_figures(const Rooms& rooms) {
  auto figures = resources::read_process();
  if (!figures.ok()) return;
  auto& m = rooms.metrics;
  m.gauge("process_resident_memory_bytes", "Resident memory.")
      .set(static_cast<std::int64_t>(figures->resident.value));
  m.gauge("process_open_fds", "Open descriptors.")
      .set(static_cast<std::int64_t>(figures->descriptors));
  m.gauge("process_max_fds", "Allowed descriptors.")
      .set(static_cast<std::int64_t>(figures->descriptors_max));
  m.gauge("process_threads", "Threads.").set(static_cast<std::int64_t>(figures->threads));
}

}  // namespace

Json ready_reasons(const Rooms& rooms) {
  Json reasons = Json::array();
  const char* phase = rooms.not_ready.load(std::memory_order_relaxed);
  if (*phase != '\0') reasons.push_back({{"part", "engine"}, {"why", phase}});
  const auto store = rooms.stores.figures();
  if (!store.writable) reasons.push_back({{"part", "storage"}, {"why", store.why_not}});
  auto trouble = rooms.stores.jobs_trouble();
  if (!trouble.empty()) reasons.push_back({{"part", "jobs"}, {"why", std::move(trouble)}});
  if (rooms.governor != nullptr && !rooms.governor->writes_allowed()) {
    reasons.push_back({{"part", "disk"}, {"why", "nearly full: nothing new is stored"}});
  }
  return reasons;
}

Co<Status> health(const Rooms&, Context& context) {
  auto sent = co_await reply_json(context, 200, std::string(kAlive));
  co_return sent;
}

Co<Status> live(const Rooms&, Context& context) {
  auto sent = co_await reply_json(context, 200, std::string(kAlive));
  co_return sent;
}

Co<Status> ready(const Rooms& rooms, Context& context) {
  const Json reasons = ready_reasons(rooms);
  Json out = {{"status", reasons.empty() ? "ready" : "not_ready"},
              {"reasons", reasons},
              {"providers", providers_of(rooms)}};
  Json processes = rooms.launched != nullptr ? rooms.launched->processes() : Json(nullptr);
  if (!processes.is_null()) out["processes"] = std::move(processes);
  if (rooms.hosts != nullptr) out["hosts"] = hosts_progress(*rooms.hosts);
  const int status = reasons.empty() ? 200 : 503;
  auto sent = co_await reply_json(context, status, dump(out));
  co_return sent;
}

Co<Status> metrics_text(const Rooms& rooms, Context& context) {
  refresh_process_figures(rooms);
  net::Response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = rooms.metrics.text();
  add_common_headers(response.headers, context);
  context.status = 200;
  auto sent = co_await context.exchange.reply(std::move(response));
  co_return sent;
}

}  // namespace mainstay::api
