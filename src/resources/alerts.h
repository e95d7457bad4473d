// Alerts: what is wrong now and what was wrong before, for people. GET /admin/alerts shows them.
// Used by the governor and by whoever has something to say.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace mainstay::resources {

enum class Severity : std::uint8_t { warning, critical };
std::string_view name(Severity severity) noexcept;

/// One alert. The sentence says what is wrong and what to do; it holds no user text.
struct Alert {
  std::string name;  ///< constant, e.g. "memory_growth"
  Severity severity = Severity::warning;
  std::string sentence;
  WallTime raised{};
  std::optional<WallTime> cleared;  ///< empty: still so
};

/// Thread-safe; bounded. An alert is raised after its condition has held for `hold`, and cleared
/// after it has not for as long, so that a figure on the edge raises one alert and not a hundred.
class Alerts {
 public:
  Alerts(Clock& clock, Duration hold, std::size_t past_max);
  enum class Change : std::uint8_t { none, raised, cleared };
  /// Says whether the condition of `name` holds now. At most 256 different names.
  Change judge(std::string_view name, Severity severity, bool holds, std::string sentence);
  /// The same without waiting: for what is certain at once.
  Change tell(std::string_view name, Severity severity, bool holds, std::string sentence);
  /// Alerts that hold, then past ones, newest first.
  std::vector<Alert> list() const;
  std::size_t active() const;

 private:
  struct Judged {
    bool raised = false;
    std::optional<TimePoint> since;  ///< since when the condition differs from `raised`
    Alert alert;
  };
  Change judge_for(std::string_view name, Severity severity, bool holds, std::string sentence,
                   Duration hold);
  Clock& clock_;
  const Duration hold_;
  const std::size_t past_max_;
  mutable std::mutex mutex_;
  std::map<std::string, Judged, std::less<>> judged_;
  std::deque<Alert> past_;  ///< at most past_max_
};

}  // namespace mainstay::resources
