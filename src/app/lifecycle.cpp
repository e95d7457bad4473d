// Steps, timed and isolated.
#include "app/lifecycle.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace mainstay::app {
namespace {

/// Outcome of a stop step that may outlive our patience.
struct Outcome {
  std::mutex mutex;
  std::condition_variable ended;
  bool done = false;
  Status status;
};

Status guarded(const std::function<Status()>& step) {
  try {
    return step();
  } catch (const std::exception& e) {
    return Error::log(Errc::internal, std::string("threw: ") + e.what());
  }
}

}  // namespace

Status Lifecycle::start(Part part) {
  const TimePoint before = clock_.now();
  Status status = guarded(part.start);
  Log* log = log_();
  if (!status.ok()) {
    if (log != nullptr)
      log->error("part.failed", {{"part", part.name}, {"why", status.error().detail}});
    return status;
  }
  if (log != nullptr)
    log->info("part.started", {{"part", part.name}, {"ms", clock_.now() - before}});
  started_.push_back(std::move(part));
  return status;
}

bool Lifecycle::stop() {
  bool clean = true;
  while (!started_.empty()) {
    Part part = std::move(started_.back());
    started_.pop_back();
    clean = stop_one(part) && clean;
  }
  return clean;
}

bool Lifecycle::stop_one(Part& part) {
  if (!part.stop) return true;
  const TimePoint before = clock_.now();
  if (Log* log = log_()) log->info("part.stopping", {{"part", part.name}});
  auto outcome = std::make_shared<Outcome>();
  auto run = [outcome, stop = part.stop] {
    Status status = guarded(stop);
    std::lock_guard lock(outcome->mutex);
    outcome->status = std::move(status);
    outcome->done = true;
    outcome->ended.notify_one();
  };
  std::thread step(std::move(run));  // lint: thread a stuck step must not hold up the rest
  std::unique_lock lock(outcome->mutex);
  const bool done = outcome->ended.wait_for(lock, part.stop_within, [&] { return outcome->done; });
  lock.unlock();
  if (done) {
    step.join();
  } else {
    step.detach();
  }
  Log* log = log_();
  if (!done) {
    if (log != nullptr) log->error("part.stuck", {{"part", part.name}, {"ms", part.stop_within}});
    return false;
  }
  if (!outcome->status.ok()) {
    if (log != nullptr) {
      log->error("part.stop_failed",
                 {{"part", part.name}, {"why", outcome->status.error().detail}});
    }
    return false;
  }
  if (log != nullptr)
    log->info("part.stopped", {{"part", part.name}, {"ms", clock_.now() - before}});
  return true;
}

}  // namespace mainstay::app
