// Histograms and counters by verb.
#include "storage/verb_figures.h"

namespace mainstay::storage {

void VerbFigures::finished(const char* verb, Duration took) {
  Handles found;
  {
    std::lock_guard lock(mutex_);
    Handles& handles = handles_[verb];
    if (handles.total == nullptr) {
      const Labels labels{{"database", database_}, {"operation", verb}};
      handles.seconds = &metrics_.histogram("mainstay_storage_operation_seconds",
                                            "From the call to the answer.", labels);
      handles.total =
          &metrics_.counter("mainstay_storage_operations_total", "Operations run.", labels);
    }
    found = handles;
  }
  found.seconds->observe(took);
  found.total->add();
}

void VerbFigures::failed(const std::string& reason) {
  metrics_
      .counter("mainstay_storage_failures_total", "Operations the database could not do.",
               {{"database", database_}, {"reason", reason}})
      .add();
}

std::vector<OperationTiming> VerbFigures::timings() const {
  std::lock_guard lock(mutex_);
  std::vector<OperationTiming> out;
  for (const auto& [verb, handles] : handles_) {
    OperationTiming timing{verb, handles.seconds->count(), 0, handles.seconds->quantile(0.5),
                           handles.seconds->quantile(0.99)};
    if (timing.count > 0) {
      timing.mean_seconds = handles.seconds->sum_seconds() / static_cast<double>(timing.count);
    }
    out.push_back(std::move(timing));
  }
  return out;
}

}  // namespace mainstay::storage
