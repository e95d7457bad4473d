// Batches: many requests in one file, run as jobs, their answers in two files. The desk takes and
// shows them; the feeder hands their items in, a bounded number at once, and collects the ends.
// Used by api (desk) and app (feeder).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/task_group.h"
#include "jobs/batch_record.h"
#include "jobs/desk.h"
#include "storage/files.h"
#include "storage/shelf.h"
#include "storage/stores.h"

namespace mainstay::jobs {

/// The topic that wakes the feeder.
inline constexpr std::string_view kBatchTopic = "batches";

/// What a client asks for.
struct BatchOrder {
  std::string input_file;
  std::string endpoint;
  std::string window;
  Json metadata;
  std::chrono::seconds output_keep{0};  ///< as BatchRecord's
};

/// A batch as it is now.
struct BatchView {
  storage::BatchId id;
  BatchRecord record;
};
struct PageOfBatchViews {
  std::vector<BatchView> items;  ///< newest first
  bool more = false;
};

/// Any loop may call. References outlive it.
class BatchDesk {
 public:
  BatchDesk(const BatchSettings& settings, Clock& clock, Random& random, storage::Stores& stores)
      : settings_(settings), clock_(clock), random_(random), stores_(stores) {}
  /// `id`: empty makes one; a known one changes nothing and gives that batch. Errors: invalid
  /// (fields "endpoint", "completion_window", "metadata", "input_file_id"), not_found
  /// "unknown_file", over_limit "too_many_batches".
  Co<Result<BatchView>> create(admission::Caller caller, BatchOrder order, storage::BatchId id,
                               Deadline by);
  /// Errors: not_found "unknown_batch".
  Co<Result<BatchView>> get(storage::Owner owner, storage::BatchId id, Deadline by);
  Co<Result<PageOfBatchViews>> list(storage::Owner owner, storage::BatchId after,
                                    std::uint32_t limit, Deadline by);
  /// Errors: not_found; conflict "batch_ended".
  Co<Result<BatchView>> cancel(storage::Owner owner, storage::BatchId id, Deadline by);

 private:
  const BatchSettings settings_;
  Clock& clock_;
  Random& random_;
  storage::Stores& stores_;
};

/// Whether an unfinished batch of its owner reads this file.
Co<Result<bool>> is_read(storage::Batches& batches, storage::Owner owner, storage::FileId file,
                         Deadline by);

class BatchRun;

/// What the feeder works with; all of it outlives it.
struct FeederParts {
  const Settings& settings;
  Clock& clock;
  Log& log;
  Desk& desk;
  storage::Stores& stores;
  storage::Shelf& shelf;
};

/// Works at the open batches, in turn between their owners. What it did not record is done again,
/// to the same effect: an item's job has the batch's id and the item's number as its key, and a
/// line of an output file counts once its length is recorded. Batches belong to the process that
/// holds the data folder: its lock makes sure that there is one feeder. Lives on one executor.
class BatchFeeder {
 public:
  BatchFeeder(FeederParts parts, Executor executor);
  ~BatchFeeder();
  BatchFeeder(const BatchFeeder&) = delete;
  BatchFeeder& operator=(const BatchFeeder&) = delete;

  void start();
  /// Ends the work where it stands; must be awaited before destruction.
  Co<> close();

 private:
  Co<> lead();
  Co<Status> look();
  Co<> look_at(storage::BatchRow row, std::size_t place);
  bool may_begin(const storage::Owner& owner, std::size_t place) const;
  Co<> work_at(storage::BatchId id, std::shared_ptr<BatchRun> run);
  Co<> tidy();
  Co<Status> remove_over();
  Co<> sweep_shelf();
  Deadline soon() const;

  const FeederParts parts_;
  TaskGroup tasks_;
  std::map<storage::BatchId, std::shared_ptr<BatchRun>> running_;
  TimePoint tidied_{};
  bool swept_ = false;
};

}  // namespace mainstay::jobs
