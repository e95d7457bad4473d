// The columns of the history.
#include "api/console_series.h"

#include <algorithm>
#include <set>

#include "api/routes.h"

namespace mainstay::api {
namespace {

using Wants = std::function<bool(std::string_view)>;

Wants with(const char* label, const char* value) {
  return [label, value](std::string_view labels) { return label_value(labels, label) == value; };
}

Wants of_api_with_status(const char* status) {
  return [status](std::string_view labels) {
    return label_value(labels, "status") == status && is_api_route(labels);
  };
}

SeriesRule rule(const char* column, const char* unit, const char* metric, SeriesKind kind,
                Wants wants = {}) {
  SeriesRule out;
  out.column = column;
  out.unit = unit;
  out.metric = metric;
  out.kind = kind;
  out.wants = std::move(wants);
  return out;
}

SeriesRule peak(SeriesRule from) {
  from.fold = Fold::peak;
  return from;
}

SeriesRule scaled(SeriesRule from, double scale) {
  from.scale = scale;
  return from;
}

SeriesRule each(const char* column, const char* unit, const char* metric, const char* by) {
  SeriesRule out = peak(rule(column, unit, metric, SeriesKind::each));
  out.by = by;
  return out;
}

SeriesRule quantiles(const char* column, const char* metric, std::vector<int> percents,
                     Wants wants = {}) {
  SeriesRule out = rule(column, "seconds", metric, SeriesKind::quantiles, std::move(wants));
  out.percents = std::move(percents);
  return out;
}

SeriesRule share(const char* column, const char* hits, const char* misses, Wants of_hits = {},
                 Wants of_misses = {}) {
  SeriesRule out = rule(column, "share", hits, SeriesKind::share, std::move(of_hits));
  out.other = misses;
  out.wants_other = std::move(of_misses);
  return out;
}

using Rules = std::vector<SeriesRule>;

void add_requests(Rules& out) {
  constexpr auto kRate = SeriesKind::rate;
  const char* requests = "mainstay_http_requests_total";
  const char* tokens = "mainstay_tokens_total";
  out.push_back(rule("requests", "per_second", requests, kRate, is_api_route));
  out.push_back(rule("errors", "per_second", requests, kRate, of_api_with_status("5xx")));
  out.push_back(rule("refused", "per_second", requests, kRate, of_api_with_status("4xx")));
  out.push_back(quantiles("latency", "mainstay_http_request_seconds", {50, 95, 99}, is_api_route));
  out.push_back(quantiles("first_token", "mainstay_first_token_seconds", {50, 95}));
  out.push_back(rule("tokens_in", "per_second", tokens, kRate, with("kind", "prompt")));
  out.push_back(rule("tokens_out", "per_second", tokens, kRate, with("kind", "completion")));
  out.push_back(share("cache_hits", "mainstay_cache_hits_total", "mainstay_cache_misses_total"));
  const char* texts = "mainstay_embedding_texts_total";
  out.push_back(
      share("embedding_hits", texts, texts, with("result", "hit"), with("result", "miss")));
}

void add_queues(Rules& out) {
  constexpr auto kSum = SeriesKind::sum;
  out.push_back(peak(rule("permits_in_use", "count", "mainstay_admission_in_use", kSum)));
  out.push_back(rule("permits", "count", "mainstay_admission_permits", kSum));
  out.push_back(peak(rule("waiting", "count", "mainstay_admission_waiting", kSum)));
  out.push_back(rule("waiting_max", "count", "mainstay_admission_waiting_max", kSum));
  out.push_back(rule("permit_held", "seconds", "mainstay_admission_service_seconds", kSum));
  out.push_back(peak(rule("jobs_depth", "count", "mainstay_jobs_depth", kSum)));
  const char* jobs = "mainstay_jobs";
  out.push_back(peak(rule("jobs_scheduled", "count", jobs, kSum, with("state", "scheduled"))));
  out.push_back(peak(rule("jobs_queued", "count", jobs, kSum, with("state", "queued"))));
  out.push_back(peak(rule("jobs_running", "count", jobs, kSum, with("state", "running"))));
  out.push_back(peak(rule("jobs_dead", "count", jobs, kSum, with("state", "dead"))));
  out.push_back(peak(
      rule("jobs_oldest", "seconds", "mainstay_jobs_oldest_ready_seconds", SeriesKind::largest)));
  out.push_back(
      rule("jobs_ended", "per_second", "mainstay_jobs_completed_total", SeriesKind::rate));
  out.push_back(
      peak(rule("upstream_connections", "count", "mainstay_upstream_connections_open", kSum)));
  out.push_back(
      peak(rule("upstream_waiting", "count", "mainstay_upstream_connections_waiting", kSum)));
  out.push_back(peak(rule("writes_waiting", "count", "mainstay_storage_write_queue", kSum)));
}

void add_parts(Rules& out) {
  out.push_back(each("pressure", "share", "mainstay_resource_pressure", "resource"));
  out.push_back(each("level", "level", "mainstay_resource_level", "resource"));
  out.push_back(
      scaled(rule("permit_factor", "share", "mainstay_permits_percent", SeriesKind::sum), 0.01));
  out.push_back(rule("memory_used", "bytes", "mainstay_memory_used_bytes", SeriesKind::sum));
  out.push_back(rule("memory_limit", "bytes", "mainstay_memory_limit_bytes", SeriesKind::sum));
  out.push_back(rule("heap", "bytes", "mainstay_heap_bytes", SeriesKind::sum));
  out.push_back(each("up", "level", "mainstay_provider_up", "provider"));
  out.push_back(rule("connections", "count", "mainstay_http_connections_open", SeriesKind::sum));
  out.push_back(rule("websockets", "count", "mainstay_websocket_open", SeriesKind::sum));
  out.push_back(
      peak(rule("loop_lag", "seconds", "mainstay_loop_lag_seconds", SeriesKind::largest)));
  out.push_back(
      peak(rule("offload_lag", "seconds", "mainstay_offload_lag_seconds", SeriesKind::largest)));
  out.push_back(each("disk_free", "bytes", "mainstay_disk_free_bytes", "path"));
  out.push_back(peak(rule("alerts", "count", "mainstay_alerts_active", SeriesKind::sum)));
}

/// The largest that is known; nothing when none is.
class Hottest {
 public:
  void look(const std::optional<double>& value) {
    if (value) most_ = most_ ? std::max(*most_, *value) : *value;
  }
  void put(SampleRow& row, const char* column, const char* unit) const {
    if (most_) row.put(column, unit, Fold::peak, *most_);
  }

 private:
  std::optional<double> most_;
};

void add_gpus(const std::vector<resources::GpuFigures>& gpus, SampleRow& row) {
  Hottest load;
  Hottest memory;
  Hottest temperature;
  for (const auto& gpu : gpus) {
    load.look(gpu.load);
    temperature.look(gpu.temperature);
    if (gpu.memory_total > 0) {
      memory.look(static_cast<double>(gpu.memory_used) / static_cast<double>(gpu.memory_total));
    }
  }
  load.put(row, "gpu_load", "share");
  memory.put(row, "gpu_memory", "share");
  temperature.put(row, "gpu_temperature", "celsius");
}

/// 0 absent, 1 on its way, 2 ready, 3 failed.
double level_of(models::HostPhase phase) noexcept {
  using models::HostPhase;
  switch (phase) {
    case HostPhase::stopped:
    case HostPhase::stopping:
      return 0;
    case HostPhase::waiting:
    case HostPhase::starting:
    case HostPhase::probing:
      return 1;
    case HostPhase::ready:
      return 2;
    case HostPhase::resting:
    case HostPhase::degraded:
      return 3;
  }
  return 0;
}

}  // namespace

bool is_api_route(std::string_view labels) {
  static const std::set<std::string, std::less<>> kOperations = [] {
    std::set<std::string, std::less<>> out;
    for (const auto& route : routes()) {
      const bool api = route.path.starts_with("/v1/") || route.path == "/chat";
      if (api && route.operation != "whoAmI") out.emplace(route.operation);
    }
    return out;
  }();
  return kOperations.contains(label_value(labels, "route"));
}

std::vector<SeriesRule> console_series() {
  Rules out;
  add_requests(out);
  add_queues(out);
  add_parts(out);
  return out;
}

void add_machine(const resources::Snapshot& seen, SampleRow& row) {
  const auto& readings = seen.readings;
  if (readings.process) {
    row.put("memory_resident", "bytes", Fold::mean,
            static_cast<double>(readings.process->resident.value));
    row.put("open_files", "count", Fold::peak, static_cast<double>(readings.process->descriptors));
  }
  row.put("cpu", "share", Fold::mean, readings.cpu_share);
  for (const auto& part : seen.accounts.parts) {
    row.put("memory." + part.name, "bytes", Fold::mean, static_cast<double>(part.bytes));
  }
  for (const auto& pool : readings.pools) {
    row.put("pool." + pool.name, "count", Fold::peak, static_cast<double>(pool.used));
  }
  Hottest zone;
  for (const auto& one : readings.heat) zone.look(one.temperature);
  zone.put(row, "temperature", "celsius");
  add_gpus(readings.gpus, row);
}

void add_providers(const std::vector<models::ProviderState>& providers, SampleRow& row) {
  for (const auto& provider : providers) {
    const double state = provider.breaker == "open" ? 2 : provider.breaker == "half_open" ? 1 : 0;
    row.put("breaker." + provider.name, "level", Fold::peak, state);
  }
}

void add_hosts(const std::vector<models::HostFigures>& hosts, SampleRow& row) {
  for (const auto& host : hosts) {
    row.put("host." + host.name, "level", Fold::peak, level_of(host.phase));
    row.put("host_memory." + host.name, "bytes", Fold::mean, static_cast<double>(host.memory));
  }
}

}  // namespace mainstay::api
