// Steps, timed and isolated.
#include "app/cleanups.h"

#include <algorithm>
#include <condition_variable>
#include <system_error>
#include <thread>

namespace mainstay::app {
namespace {

/// What a step gets once somebody is in a hurry.
constexpr auto kHurried = std::chrono::seconds(1);

Status guarded(const std::function<Status()>& step) {
  try {
    return step();
  } catch (const std::exception& e) {
    return Error::log(Errc::internal, std::string("threw: ") + e.what());
  } catch (...) {
    return Error::log(Errc::internal, "threw something that is no exception");
  }
}

}  // namespace

/// Outcome of a step that may outlive our patience, and this registry with it.
struct Cleanups::Running {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  bool hurry = false;
  Status status;
};

Cleanups::Cleanups(Clock& clock, std::function<Log*()> log) : clock_(clock), log_(std::move(log)) {}

void Cleanups::add(Cleanup step) {
  std::lock_guard lock(mutex_);
  steps_.push_back(std::move(step));
}

std::size_t Cleanups::size() const {
  std::lock_guard lock(mutex_);
  return steps_.size();
}

std::vector<CleanupReport> Cleanups::reports() const {
  std::lock_guard lock(mutex_);
  return reports_;
}

bool Cleanups::run() {
  bool clean = true;
  for (;;) {
    Cleanup step;
    {
      std::lock_guard lock(mutex_);
      if (steps_.empty()) return clean;
      step = std::move(steps_.back());
      steps_.pop_back();
    }
    clean = run_one(std::move(step)) && clean;
  }
}

bool Cleanups::run_one(Cleanup step) {
  if (!step.run) return true;
  if (tell_) tell_(step);
  auto running = std::make_shared<Running>();
  {
    std::lock_guard lock(mutex_);
    running->hurry = hurry_;
    running_ = running;
  }
  const TimePoint before = clock_.now();
  CleanupReport report = wait_for(step, running);
  report.took = clock_.now() - before;
  tell_of(report);
  const bool clean = report.end == CleanupEnd::done;
  std::lock_guard lock(mutex_);
  running_.reset();
  reports_.push_back(std::move(report));
  return clean;
}

CleanupReport Cleanups::wait_for(const Cleanup& step, const std::shared_ptr<Running>& running) {
  auto work = [running, run = step.run] {
    Status status = guarded(run);
    std::lock_guard lock(running->mutex);
    running->status = std::move(status);
    running->done = true;
    running->changed.notify_all();
  };
  std::thread thread;  // lint: thread a stuck step must not hold up the rest
  try {
    thread = std::thread(work);  // lint: thread see above
  } catch (const std::system_error&) {
    work();  // no thread is to be had: better without a deadline than not at all
  }
  std::unique_lock lock(running->mutex);
  const auto ended = [&] { return running->done; };
  running->changed.wait_for(lock, step.within, [&] { return running->done || running->hurry; });
  if (!running->done) {
    running->changed.wait_for(
        lock, running->hurry ? std::min<Duration>(kHurried, step.within) : Duration::zero(), ended);
  }
  const bool done = running->done;
  const Status status = running->status;
  lock.unlock();
  if (thread.joinable()) {
    if (done) {
      thread.join();
    } else {
      thread.detach();
    }
  }
  if (!done) return {step.name, CleanupEnd::stuck, {}, "still running after its deadline"};
  if (!status.ok()) return {step.name, CleanupEnd::failed, {}, status.error().detail};
  return {step.name, CleanupEnd::done, {}, {}};
}

void Cleanups::tell_of(const CleanupReport& report) {
  Log* log = log_();
  if (log == nullptr) return;
  switch (report.end) {
    case CleanupEnd::done:
      log->info("part.stopped", {{"part", report.name}, {"ms", report.took}});
      return;
    case CleanupEnd::failed:
      log->error("part.stop_failed",
                 {{"part", report.name}, {"ms", report.took}, {"why", report.why}});
      return;
    case CleanupEnd::stuck:
      log->error("part.stuck", {{"part", report.name}, {"ms", report.took}});
      return;
  }
}

void Cleanups::hurry() {
  std::shared_ptr<Running> running;
  {
    std::lock_guard lock(mutex_);
    hurry_ = true;
    running = running_;
  }
  if (!running) return;
  std::lock_guard lock(running->mutex);
  running->hurry = true;
  running->changed.notify_all();
}

}  // namespace mainstay::app
