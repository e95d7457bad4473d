// mainstay status: the daily checklist of a running server in one screen.
#include <cstdio>

#include "app/commands.h"
#include "app/engine.h"
#include "app/files.h"
#include "app/remote.h"
#include "app/status_rows.h"
#include "base/version.h"

namespace mainstay::app {
namespace {

Json json_of(Result<HttpAnswer> answer) {
  if (!answer.ok() || answer->status != 200) return nullptr;
  auto parsed = parse_json(answer->body);
  return parsed.ok() ? std::move(*parsed) : Json(nullptr);
}

StatusReplies ask_server(Remote& remote) {
  StatusReplies out;
  auto ready = remote.call("GET", "/health/ready", "");
  if (ready.ok()) {
    out.ready_status = ready->status;
    auto parsed = parse_json(ready->body);
    if (parsed.ok()) out.ready = std::move(*parsed);
  }
  out.sessions = json_of(remote.call("GET", "/health/sessions", ""));
  out.database = json_of(remote.call("GET", "/health/database", ""));
  out.alerts = json_of(remote.call_admin("GET", "/admin/alerts", ""));
  auto metrics = remote.call("GET", "/metrics", "");
  if (metrics.ok() && metrics->status == 200) out.metrics = std::move(metrics->body);
  return out;
}

StatusPlace look_here(const Remote& remote, bool elsewhere) {
  StatusPlace out;
  const RealClock clock;
  out.now = clock.wall();
  if (elsewhere) return out;
  out.limits = remote.settings().resources;
  out.data_dir = data_dir_of(remote.settings());
  out.disk = disk_room(out.data_dir);
  out.starts = read_starts(out.data_dir);
  return out;
}

}  // namespace

Exit status(const Common& common) {
  auto remote = Remote::open_running(common);
  if (!remote.ok()) {
    print_error(common, remote.error());
    return remote.error().reason == "invalid_config" ? Exit::config : exit_for(remote.error());
  }
  const StatusReplies replies = ask_server(**remote);
  const Findings rows = status_rows(replies, look_here(**remote, !common.url.empty()));
  const bool ok = all_fine_enough(rows);
  if (common.json) {
    const Json out = {{"ok", ok},
                      {"version", version()},
                      {"address", (*remote)->address()},
                      {"checks", findings_json(rows)}};
    std::printf("%s\n", out.dump(2).c_str());
  } else {
    std::printf("Mainstay at %s\n", (*remote)->address().c_str());
    print_findings(rows);
  }
  return ok ? Exit::ok : Exit::failed;
}

}  // namespace mainstay::app
