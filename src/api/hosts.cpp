// /admin/hosts: model hosts, and an administrator's wishes about them.
#include "api/hosts.h"

#include "api/admin.h"
#include "api/routes.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

Json hosts_of(const Rooms& rooms) {
  Json out = Json::array();
  if (rooms.hosts == nullptr) return out;
  for (const auto& host : rooms.hosts->figures()) out.push_back(host_json(host));
  return out;
}

enum class Wish : std::uint8_t { start, stop };

Co<Status> wish(const Rooms& rooms, Context& context, Wish wanted) {
  const bool start = wanted == Wish::start;
  AuditEntry entry = audit_of(context, start ? "host.start" : "host.stop");
  entry.before = "host " + context.param;
  Status told = Error::say(Errc::not_found, "unknown_host",
                           "There is no host of that name. GET /admin/hosts lists them.");
  if (rooms.hosts != nullptr && start) told = rooms.hosts->start_host(context.param);
  if (rooms.hosts != nullptr && !start) told = rooms.hosts->stop_host(context.param);
  if (!told.ok()) entry.outcome = told.error().reason;
  rooms.admin->audit.record(std::move(entry));
  if (!told.ok()) co_return told.error();
  Json out;
  for (const auto& host : rooms.hosts->figures()) {
    if (host.name == context.param) out = host_json(host);
  }
  auto sent = co_await reply_json(context, 202, dump(out));
  co_return sent;
}

}  // namespace

Json hosts_progress(const models::Hosts& hosts) {
  Json out = Json::array();
  for (const auto& host : hosts.figures()) {
    Json one = {{"name", host.name},
                {"state", name(host.phase)},
                {"for_seconds", seconds(host.phase_for)},
                {"waiting", host.waiting},
                {"why", to_utf8(host.why)}};
    if (host.again_in > Duration::zero()) one["again_in_seconds"] = seconds(host.again_in);
    out.push_back(std::move(one));
  }
  return out;
}

Json host_json(const models::HostFigures& host) {
  return {{"name", host.name},
          {"object", "host"},
          {"state", name(host.phase)},
          {"for_seconds", seconds(host.phase_for)},
          {"why", to_utf8(host.why)},
          {"said", to_utf8(host.said)},
          {"pid", host.pid},
          {"port", host.port},
          {"in_use", host.leases},
          {"waiting", host.waiting},
          {"gpus", host.gpus},
          {"memory_bytes", host.memory},
          {"gpu_memory_bytes", host.gpu_memory},
          {"load_seconds", seconds(host.load_time)},
          {"again_in_seconds", seconds(host.again_in)},
          {"starts", host.starts},
          {"failures", host.failures},
          {"evictions", host.evictions},
          {"memory_kept_bytes", host.kept_memory}};
}

Co<Status> list_hosts(const Rooms& rooms, Context& context) {
  const Json out = {{"object", "list"}, {"data", hosts_of(rooms)}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> start_host(const Rooms& rooms, Context& context) {
  auto done = co_await wish(rooms, context, Wish::start);
  co_return done;
}

Co<Status> stop_host(const Rooms& rooms, Context& context) {
  auto done = co_await wish(rooms, context, Wish::stop);
  co_return done;
}

}  // namespace mainstay::api
