// Hold times and the bounded past.
#include "resources/alerts.h"

#include <algorithm>
#include <utility>

namespace mainstay::resources {
namespace {
constexpr std::size_t kNamesMax = 256;
}

std::string_view name(Severity severity) noexcept {
  return severity == Severity::critical ? "critical" : "warning";
}

Alerts::Alerts(Clock& clock, Duration hold, std::size_t past_max)
    : clock_(clock), hold_(hold), past_max_(past_max) {}

Alerts::Change Alerts::judge(std::string_view name, Severity severity, bool holds,
                             std::string sentence) {
  return judge_for(name, severity, holds, std::move(sentence), hold_);
}

Alerts::Change Alerts::tell(std::string_view name, Severity severity, bool holds,
                            std::string sentence) {
  return judge_for(name, severity, holds, std::move(sentence), Duration{0});
}

Alerts::Change Alerts::judge_for(std::string_view name, Severity severity, bool holds,
                                 std::string sentence, Duration hold) {
  std::scoped_lock lock(mutex_);
  auto found = judged_.find(name);
  if (found == judged_.end()) {
    if (!holds || judged_.size() >= kNamesMax) return Change::none;
    found = judged_.emplace(std::string(name), Judged{}).first;
  }
  Judged& judged = found->second;
  if (holds == judged.raised) {
    judged.since.reset();
    if (holds) judged.alert.sentence = std::move(sentence);
    return Change::none;
  }
  const TimePoint now = clock_.now();
  if (!judged.since) judged.since = now;
  if (now - *judged.since < hold) return Change::none;
  judged.since.reset();
  judged.raised = holds;
  if (holds) {
    judged.alert = {found->first, severity, std::move(sentence), clock_.wall(), std::nullopt};
    return Change::raised;
  }
  judged.alert.cleared = clock_.wall();
  past_.push_front(judged.alert);
  if (past_.size() > past_max_) past_.pop_back();
  return Change::cleared;
}

std::vector<Alert> Alerts::list() const {
  std::scoped_lock lock(mutex_);
  std::vector<Alert> out;
  for (const auto& [key, judged] : judged_) {
    if (judged.raised) out.push_back(judged.alert);
  }
  std::sort(out.begin(), out.end(), [](const Alert& a, const Alert& b) {
    return std::pair(b.raised, std::string_view(a.name)) <
           std::pair(a.raised, std::string_view(b.name));
  });
  out.insert(out.end(), past_.begin(), past_.end());
  return out;
}

std::size_t Alerts::active() const {
  std::scoped_lock lock(mutex_);
  return static_cast<std::size_t>(std::count_if(
      judged_.begin(), judged_.end(), [](const auto& entry) { return entry.second.raised; }));
}

}  // namespace mainstay::resources
