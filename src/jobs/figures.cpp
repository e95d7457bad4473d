// Series of the job store and of workers.
#include "jobs/figures.h"

#include <memory>
#include <mutex>
#include <optional>

namespace mainstay::jobs {
namespace {

/// The store's figures for all series of one scrape, counted when the scrape asks first.
class Look {
 public:
  Look(const Metrics& metrics, const storage::JobStore& store) : metrics_(metrics), store_(store) {}
  storage::JobFigures now() {
    std::lock_guard lock(mutex_);
    const std::uint64_t look = metrics_.look();
    if (!figures_ || look != look_) {
      figures_ = store_.figures();
      look_ = look;
    }
    return *figures_;
  }

 private:
  const Metrics& metrics_;
  const storage::JobStore& store_;
  std::mutex mutex_;
  std::uint64_t look_ = 0;
  std::optional<storage::JobFigures> figures_;
};

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

using Count = std::uint64_t storage::JobFigures::*;
struct Series {
  const char* name;
  const char* help;
  Count count;
};
constexpr Series kCounts[] = {
    {"mainstay_jobs_submitted_total", "Jobs accepted.", &storage::JobFigures::submitted},
    {"mainstay_jobs_replayed_total", "Submissions answered from their Idempotency-Key.",
     &storage::JobFigures::replayed},
    {"mainstay_jobs_claimed_total", "Attempts begun.", &storage::JobFigures::claimed},
    {"mainstay_jobs_completed_total", "Jobs that succeeded.", &storage::JobFigures::completed},
    {"mainstay_jobs_failed_attempts_total", "Attempts that failed.",
     &storage::JobFigures::failed_attempts},
    {"mainstay_jobs_dead_total", "Jobs given up.", &storage::JobFigures::died},
    {"mainstay_jobs_expired_leases_total", "Attempts whose worker fell silent.",
     &storage::JobFigures::expired_leases},
    {"mainstay_jobs_stale_total", "Outcomes and extensions refused for their lease.",
     &storage::JobFigures::stale},
};

}  // namespace

void show_store(Metrics& metrics, const storage::JobStore& store) {
  auto look = std::make_shared<Look>(metrics, store);
  metrics.gauge_from("mainstay_jobs_depth", "Jobs that have not ended.", {},
                     [look] { return static_cast<double>(look->now().depth); });
  metrics.gauge_from("mainstay_jobs_shedding", "1 while submissions are refused for the depth.", {},
                     [look] { return look->now().shedding ? 1.0 : 0.0; });
  metrics.gauge_from("mainstay_jobs_drained_per_second", "Jobs that end in a second, smoothed.", {},
                     [look] { return look->now().drained_per_second; });
  for (std::size_t c = 0; c < storage::kJobClasses; ++c) {
    const std::string klass(name(static_cast<storage::JobClass>(c)));
    metrics.gauge_from("mainstay_jobs_oldest_ready_seconds",
                       "Age of the job that is ready and waits longest.", {{"class", klass}},
                       [look, c] { return seconds(look->now().oldest_ready[c]); });
    for (std::size_t s = 0; s < storage::kJobStates; ++s) {
      metrics.gauge_from(
          "mainstay_jobs", "Jobs by class and state.",
          {{"class", klass}, {"state", std::string(name(static_cast<storage::JobState>(s)))}},
          [look, c, s] { return static_cast<double>(look->now().by_state[c][s]); });
    }
  }
  for (const Series& series : kCounts) {
    const Count count = series.count;
    metrics.counter_from(series.name, series.help, {},
                         [look, count] { return static_cast<double>(look->now().*count); });
  }
  metrics.counter_from("mainstay_jobs_refused_total", "Submissions refused.",
                       {{"reason", "too_many_waiting_jobs"}},
                       [look] { return static_cast<double>(look->now().refused_user); });
  metrics.counter_from("mainstay_jobs_refused_total", "Submissions refused.",
                       {{"reason", "queue_overloaded"}},
                       [look] { return static_cast<double>(look->now().refused_depth); });
}

void show_workers(Metrics& metrics, const Workers& workers) {
  const std::string worker = workers.figures().name;
  metrics.gauge_from("mainstay_jobs_worker_slots", "Jobs that a worker can run at once.",
                     {{"worker", worker}},
                     [&workers] { return static_cast<double>(workers.figures().slots); });
  metrics.gauge_from("mainstay_jobs_worker_busy", "Jobs that a worker runs now.",
                     {{"worker", worker}},
                     [&workers] { return static_cast<double>(workers.figures().busy); });
  struct Outcome {
    const char* name;
    std::uint64_t WorkerFigures::* count;
  };
  constexpr Outcome kOutcomes[] = {
      {"succeeded", &WorkerFigures::succeeded}, {"failed", &WorkerFigures::failed},
      {"timed_out", &WorkerFigures::timed_out}, {"cancelled", &WorkerFigures::cancelled},
      {"stale", &WorkerFigures::stale},         {"given_back", &WorkerFigures::given_back},
      {"threw", &WorkerFigures::threw},
  };
  for (const Outcome& outcome : kOutcomes) {
    const auto count = outcome.count;
    metrics.counter_from("mainstay_jobs_attempts_total", "Attempts by worker and outcome.",
                         {{"worker", worker}, {"outcome", outcome.name}}, [&workers, count] {
                           return static_cast<double>(workers.figures().*count);
                         });
  }
}

}  // namespace mainstay::jobs
