// The jobs of the engine: kinds, desk, workers and upkeep. Made once; a reload changes what they
// work with, not them. Used by engine.cpp.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "app/loops.h"
#include "app/webhook_post.h"
#include "jobs/all_kinds.h"
#include "jobs/batches.h"
#include "jobs/desk.h"
#include "jobs/workers.h"
#include "net/client.h"
#include "resources/governor.h"
#include "storage/stores.h"
#include "telemetry/metrics.h"

namespace mainstay::app {

/// One group of workers on each event loop. Destroyed after stop(), while the loops' contexts live.
class JobRoom {
 public:
  struct Parts {
    const Settings& settings;  ///< of the start
    Clock& clock;
    Random& random;
    Log& log;
    Metrics& metrics;
    admission::Admission& admission;
    storage::Stores& stores;
    net::Client& client;
    Loops& loops;
    const resources::Governor& governor;
    std::function<jobs::InForce()> in_force;
    std::function<Co<Result<std::string>>(Deadline)> cleanup;
    storage::Shelf* shelf = nullptr;  ///< null: no batches are worked at
    media::Decoders* decoders = nullptr;
    media::Archives* archives = nullptr;
    std::vector<std::string> kinds = {};  ///< these alone are run; empty: as the settings say
  };
  explicit JobRoom(Parts parts);
  ~JobRoom();
  JobRoom(const JobRoom&) = delete;
  JobRoom& operator=(const JobRoom&) = delete;

  jobs::Desk& desk() noexcept { return *desk_; }
  jobs::BatchDesk& batches() noexcept { return batches_; }
  /// Begins to take work, unless the stop has begun. Any thread.
  void start();
  /// Takes no more work; what runs may finish until `by`. Returns at once. Any thread; what comes
  /// after the first call does nothing.
  void begin_drain(Deadline by);
  /// Waits until the drain has ended on every loop. Blocks; not on a loop.
  Status stop();
  /// Any thread.
  std::vector<jobs::WorkerFigures> figures() const;

 private:
  struct Group {
    asio::io_context* loop = nullptr;
    std::unique_ptr<jobs::Workers> workers;
    std::promise<void> ended;
  };
  void make_groups();
  std::vector<std::string> taken() const;
  double factor() const;
  Co<> end(Group& group, Deadline by);

  const Parts parts_;
  WebhookPost post_;
  std::unique_ptr<jobs::Kinds> kinds_;
  std::unique_ptr<jobs::Desk> desk_;
  jobs::BatchDesk batches_;
  std::unique_ptr<jobs::BatchFeeder> feeder_;  ///< on the first group's loop
  std::vector<std::unique_ptr<Group>> groups_;
  std::atomic<bool> draining_{false};
};

}  // namespace mainstay::app
