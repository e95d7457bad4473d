// The daily checklist as rows: what a running server's figures mean.
// Used by app/status_command.cpp and tests. Pure: replies in, rows out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/doctor.h"
#include "base/json.h"

namespace mainstay::app {

/// What the running server answered; a reply that did not come is null or empty.
struct StatusReplies {
  int ready_status = 0;  ///< 0: no answer
  Json ready;            ///< GET /health/ready
  Json sessions;         ///< GET /health/sessions
  Json database;         ///< GET /health/database
  Json alerts;           ///< GET /admin/alerts
  std::string metrics;   ///< GET /metrics
};

/// The same for what this machine knows of the server.
struct StatusPlace {
  std::optional<DiskRoom> disk;  ///< of the data directory; none for a server elsewhere
  ResourceSettings limits;       ///< of the disk
  std::string data_dir;
  std::vector<WallTime> starts;  ///< of the server, oldest first
  WallTime now{};
};

/// One row for each line of the checklist, in its order.
Findings status_rows(const StatusReplies& replies, const StatusPlace& place);

/// Figures of Prometheus text that the rows need.
class MetricsText {
 public:
  explicit MetricsText(const std::string& text);
  /// Sum of the series of `name` whose labels contain `label`; empty when there is none.
  std::optional<double> sum(const std::string& name, const std::string& label = {}) const;
  /// Upper bound of the histogram bucket that holds quantile `q`, over all series whose labels hold
  /// none of `without`. Empty when nothing was observed.
  std::optional<double> quantile(const std::string& name, double q,
                                 const std::vector<std::string>& without) const;

 private:
  struct Series {
    std::string name;
    std::string labels;
    double value = 0;
  };
  std::vector<Series> series_;
};

}  // namespace mainstay::app
