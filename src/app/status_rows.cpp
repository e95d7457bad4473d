// From replies to rows. The limits are those of the checklist's own alerts.
#include "app/status_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <sstream>

#include "base/json_fields.h"

namespace mainstay::app {
namespace {

/// Requests that say nothing of how fast answers are.
const std::vector<std::string> kNotAnswers = {"\"health\"",  "\"live\"",    "\"ready\"",
                                              "\"metrics\"", "\"openapi\"", "ealth\""};

double number(const Json& object, const char* key) {
  const Json& value = field(object, key);
  return value.is_number() ? value.get<double>() : 0;
}

Finding not_told(const char* check) {
  return {Mark::warn, check, "the server does not tell",
          "Give an admin key: --key-file DATA/admin.key"};
}

Finding readiness(const StatusReplies& r) {
  if (r.ready_status == 200) return {Mark::fine, "ready", "takes requests", ""};
  if (r.ready_status == 401 || r.ready_status == 403) return not_told("ready");
  std::string why;
  for (const auto& reason : field(r.ready, "reasons")) {
    why += (why.empty() ? "" : "; ") + string_field(reason, "part") + ": " +
           string_field(reason, "why");
  }
  return {Mark::bad, "ready", "takes no requests: " + (why.empty() ? "no reason given" : why),
          "See the server's log"};
}

/// Of `mainstay launch`; none when the server runs by itself.
std::optional<Finding> processes(const StatusReplies& r) {
  const Json& children = field(field(r.ready, "processes"), "children");
  if (!children.is_array() || children.empty()) return std::nullopt;
  std::string down;
  std::uint64_t restarts = 0;
  bool given_up = false;
  for (const auto& child : children) {
    const std::string state = string_field(child, "state");
    restarts += static_cast<std::uint64_t>(number(child, "restarts"));
    given_up = given_up || state == "degraded";
    if (state == "running") continue;
    down += (down.empty() ? "" : "; ") + string_field(child, "name") + " is " + state;
    const std::string why = string_field(child, "last_exit");
    if (!why.empty()) down += " (" + why + ")";
  }
  const std::string said = fmt::format("{} run, {} restarts", children.size(), restarts);
  if (down.empty()) return Finding{Mark::fine, "processes", said, ""};
  return Finding{given_up ? Mark::bad : Mark::warn, "processes", down,
                 given_up ? "See the log; then send SIGHUP to mainstay launch" : "See the log"};
}

Finding providers(const StatusReplies& r) {
  std::string up;
  std::string down;
  for (const auto& provider : field(r.ready, "providers")) {
    const Json& is_up = field(provider, "up");
    std::string& list = is_up.is_boolean() && is_up.get<bool>() ? up : down;
    list += (list.empty() ? "" : ", ") + string_field(provider, "name");
  }
  if (up.empty()) {
    return {Mark::bad, "providers", "none is up" + (down.empty() ? "" : " of " + down),
            "Run mainstay doctor"};
  }
  return {Mark::fine, "providers", up + (down.empty() ? "" : "; not up: " + down), ""};
}

/// Model servers of ours; none when none is configured.
std::optional<Finding> hosts(const StatusReplies& r) {
  const Json& all = field(r.ready, "hosts");
  if (!all.is_array() || all.empty()) return std::nullopt;
  std::string says;
  Mark mark = Mark::fine;
  for (const auto& host : all) {
    const std::string state = string_field(host, "state");
    says += (says.empty() ? "" : "; ") + string_field(host, "name") + " is " + state;
    const std::string why = string_field(host, "why");
    const bool trouble = state == "degraded" || state == "failed" || state == "waiting";
    if (trouble && !why.empty()) says += " (" + why + ")";
    const double waiting = number(host, "waiting");
    if (waiting > 0) says += fmt::format(", {:.0f} wait for it", waiting);
    if (trouble) mark = state == "degraded" ? Mark::bad : std::max(mark, Mark::warn);
  }
  return Finding{mark, "hosts", says, mark == Mark::fine ? "" : "See GET /admin/hosts and the log"};
}

Finding sessions(const StatusReplies& r, const MetricsText& metrics) {
  if (field(r.sessions, "active").is_number()) {
    const double active = number(r.sessions, "active");
    const double limit = number(r.sessions, "limit");
    const std::string says = fmt::format("{:.0f} active, at most {:.0f}", active, limit);
    if (limit > 0 && active > 0.9 * limit) {
      return {Mark::warn, "sessions", says, "Raise sessions.sessions_max, or add a server"};
    }
    return {Mark::fine, "sessions", says, ""};
  }
  const auto users = metrics.sum("mainstay_admission_users");
  if (!users) return not_told("sessions");
  return {Mark::fine, "sessions", fmt::format("{:.0f} users of late", *users), ""};
}

Finding memory(const StatusReplies& r, const MetricsText& metrics) {
  const auto resident = metrics.sum("process_resident_memory_bytes");
  if (!resident) return not_told("memory");
  std::string says = fmt::format("{:.0f} MiB", *resident / (1 << 20));
  const auto growth = metrics.sum("mainstay_memory_growth_percent_per_hour");
  if (growth) says += fmt::format(", {:+.1f} % an hour", *growth);
  for (const auto& alert : field(r.alerts, "alerts")) {
    const std::string name = string_field(alert, "name");
    if (name.find("memory") != std::string::npos) {
      return {Mark::warn, "memory", says + ": " + string_field(alert, "message"),
              "POST /admin/cleanup; restart at a quiet time if it goes on"};
    }
  }
  return {Mark::fine, "memory", says, ""};
}

Finding database(const StatusReplies& r, const MetricsText& metrics) {
  const Json& pool = field(r.database, "pool");
  if (pool.is_object()) {
    const std::string says =
        fmt::format("{:.0f} of {:.0f} connections in use, {:.0f} reads and {:.0f} writes waiting",
                    number(pool, "in_use"), number(pool, "size"), number(pool, "waiting"),
                    number(r.database, "writes_waiting"));
    const Json& writable = field(r.database, "writable");
    if (writable.is_boolean() && !writable.get<bool>()) {
      return {Mark::bad, "database", "writes nothing; " + says, "See GET /health/ready for why"};
    }
    if (number(pool, "utilization") > 0.8) {
      return {Mark::warn, "database", says, "Raise storage.readers"};
    }
    return {Mark::fine, "database", says, ""};
  }
  const auto waiting = metrics.sum("mainstay_storage_write_queue");
  if (!waiting) return not_told("database");
  return {Mark::fine, "database", fmt::format("{:.0f} writes waiting", *waiting), ""};
}

Finding response_times(const MetricsText& metrics) {
  const auto median = metrics.quantile("mainstay_http_request_seconds", 0.5, kNotAnswers);
  const auto slow = metrics.quantile("mainstay_http_request_seconds", 0.95, kNotAnswers);
  if (!median || !slow) return {Mark::fine, "answers", "no request yet", ""};
  std::string says =
      fmt::format("half within {:.0f} ms, 95 % within {:.0f} ms", *median * 1e3, *slow * 1e3);
  const auto lag = metrics.sum("mainstay_loop_lag_seconds");
  if (lag && *lag > 0.25) {
    return {Mark::warn, "answers", says + fmt::format("; the loops lag {:.0f} ms", *lag * 1e3),
            "The machine is too busy: see mainstay doctor"};
  }
  return {Mark::fine, "answers", says, ""};
}

Finding errors(const MetricsText& metrics) {
  const std::string name = "mainstay_http_requests_total";
  const auto all = metrics.sum(name);
  if (!all) return not_told("errors");
  const double ours = metrics.sum(name, "status=\"5xx\"").value_or(0);
  const double theirs = metrics.sum(name, "status=\"4xx\"").value_or(0);
  const double share = *all > 0 ? ours / *all : 0;
  const std::string says =
      fmt::format("{:.0f} requests since the start: {:.0f} failed ({:.2f} %), {:.0f} refused", *all,
                  ours, share * 100, theirs);
  const std::string fix = "See level error in the log, and GET /health/ready";
  if (*all >= 20 && share > 0.05) return {Mark::bad, "errors", says, fix};
  if (*all >= 20 && share > 0.01) return {Mark::warn, "errors", says, fix};
  return {Mark::fine, "errors", says, ""};
}

Finding queue(const MetricsText& metrics) {
  const auto waiting = metrics.sum("mainstay_admission_waiting");
  const auto running = metrics.sum("mainstay_admission_in_use");
  if (!waiting || !running) return not_told("queue");
  const double refused = metrics.sum("mainstay_admission_refused_total").value_or(0);
  const std::string says = fmt::format("{:.0f} answered now, {:.0f} waiting, {:.0f} turned away",
                                       *running, *waiting, refused);
  if (*waiting > 100) {
    return {Mark::warn, "queue", says, "Add model capacity, or lower limits.queued_max"};
  }
  return {Mark::fine, "queue", says, ""};
}

Findings disk(const StatusPlace& place) {
  if (!place.disk) return {};
  return {disk_finding(*place.disk, place.data_dir, place.limits)};
}

Finding restarts(const StatusPlace& place) {
  if (place.starts.empty()) return {Mark::fine, "restarts", "not known", ""};
  const auto recent = std::count_if(place.starts.begin(), place.starts.end(), [&](WallTime at) {
    return place.now - at <= std::chrono::hours(24);
  });
  const auto up =
      std::chrono::duration_cast<std::chrono::minutes>(place.now - place.starts.back()).count();
  const std::string says = fmt::format("up for {} h {} min, {} starts in 24 h", up / 60, up % 60,
                                       static_cast<long>(recent));
  if (recent > 5) {
    return {Mark::warn, "restarts", says, "See the log before each start: journalctl -u mainstay"};
  }
  return {Mark::fine, "restarts", says, ""};
}

}  // namespace

MetricsText::MetricsText(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto blank = line.rfind(' ');
    if (line.empty() || line.front() == '#' || blank == std::string::npos) continue;
    const std::string left = line.substr(0, blank);
    const auto brace = left.find('{');
    series_.push_back({left.substr(0, brace),
                       brace == std::string::npos ? std::string() : left.substr(brace),
                       std::strtod(line.c_str() + blank + 1, nullptr)});
  }
}

std::optional<double> MetricsText::sum(const std::string& name, const std::string& label) const {
  std::optional<double> out;
  for (const auto& one : series_) {
    if (one.name != name || one.labels.find(label) == std::string::npos) continue;
    out = out.value_or(0) + one.value;
  }
  return out;
}

std::optional<double> MetricsText::quantile(const std::string& name, double q,
                                            const std::vector<std::string>& without) const {
  std::map<double, double> below;  // upper bound -> observations up to it
  for (const auto& one : series_) {
    const bool skip = std::any_of(without.begin(), without.end(), [&](const std::string& word) {
      return one.labels.find(word) != std::string::npos;
    });
    const auto at = one.labels.find("le=\"");
    if (one.name != name + "_bucket" || skip || at == std::string::npos) continue;
    below[std::strtod(one.labels.c_str() + at + 4, nullptr)] += one.value;
  }
  if (below.empty() || below.rbegin()->second <= 0) return std::nullopt;
  const double wanted = q * below.rbegin()->second;
  double largest = 0;
  for (const auto& [bound, count] : below) {
    if (bound < 1e12) largest = bound;
    if (count >= wanted) break;
  }
  return largest;
}

Findings status_rows(const StatusReplies& replies, const StatusPlace& place) {
  const MetricsText metrics(replies.metrics);
  Findings out{readiness(replies),
               sessions(replies, metrics),
               memory(replies, metrics),
               database(replies, metrics),
               response_times(metrics),
               errors(metrics),
               queue(metrics)};
  for (auto& row : disk(place)) out.push_back(std::move(row));
  out.push_back(restarts(place));
  out.push_back(providers(replies));
  if (auto row = hosts(replies)) out.push_back(std::move(*row));
  if (auto row = processes(replies)) out.push_back(std::move(*row));
  return out;
}

}  // namespace mainstay::app
