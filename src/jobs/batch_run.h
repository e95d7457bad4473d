// The work at one batch, from its last recorded state to its end.
// Used by jobs (batches.cpp) alone.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "jobs/batch_lines.h"
#include "jobs/batches.h"

namespace mainstay::jobs {

/// Belongs to one coroutine.
class BatchRun {
 public:
  BatchRun(const FeederParts& parts, storage::BatchRow row, BatchRecord record)
      : parts_(parts), row_(std::move(row)), record_(std::move(record)) {}
  /// Until the batch has ended. Errors: what kept it from going on; it may be begun anew then.
  Co<Status> run();
  /// Ends the run with an error at its next step: its record was changed by somebody else. What is
  /// told to the topic it waits for wakes it.
  void give_up() noexcept { given_up_ = true; }
  bool cancels() const noexcept { return record_.status == BatchStatus::cancelling; }
  const storage::Owner& owner() const noexcept { return row_.owner; }
  const std::string& waits_for() const noexcept { return waits_for_; }
  /// Nothing of it runs, and its owner's quotas have no room: that may last, so that it takes no
  /// place from others.
  bool rests() const noexcept { return rests_; }

 private:
  struct Item {
    std::string custom_id;         ///< empty: its line cannot be read any more; the job knows it
    storage::JobId job;            ///< empty: it was refused
    std::uint64_t end = 0;         ///< of its line in the input
    std::optional<ItemLine> line;  ///< how it ended
  };
  Co<Status> go_on();
  Co<Status> end_damaged();
  Co<Status> validate();
  Co<Status> check_lines(InputLines& lines);
  void note_fault(std::uint64_t line, LineFault fault);
  Co<Status> feed();
  Co<Status> find_items(InputLines& lines);
  Co<Status> fill(InputLines& lines);
  Co<Status> hold_line(InputLines& lines);
  Co<Status> hand_in(const InputLine& line);
  Co<Status> skip_rest(InputLines& lines);
  Co<Status> collect();
  Co<Status> look_at(std::size_t place);
  Co<Status> look_ahead();
  Co<Status> cancel_items();
  Co<Result<std::vector<storage::Job>>> uncollected();
  Co<Status> wait_for_first();
  Co<Status> wait_for_room();
  Co<Status> finish();
  Co<Status> add_file(std::string id, std::string file_name, std::uint64_t size);
  void take_line(ItemLine line, std::uint64_t end);
  Co<Status> save();
  void enter(BatchStatus status);
  bool stops() const;
  /// So many of the batch's items get a line: all, or those that were handed in before its input
  /// was lost.
  std::uint64_t lines_wanted() const { return lost_ ? handed_in_ : record_.total; }
  Duration ahead_pause() const;
  ItemLine stopped_line(std::uint64_t index, const std::string& custom_id) const;
  Deadline soon() const;

  const FeederParts& parts_;
  storage::BatchRow row_;
  BatchRecord record_;
  std::deque<Item> items_;
  std::uint64_t handed_in_ = 0;    ///< items with a job or a line, of the whole batch
  std::optional<InputLine> held_;  ///< read and not handed in
  bool lost_ = false;              ///< the input can never be read on
  TimePoint looked_ahead_{};
  bool cancelled_items_ = false;
  bool given_up_ = false;
  bool refused_ = false;  ///< the next item, by a limit, when it was handed in last
  bool rests_ = false;
  std::string waits_for_;
  Duration pause_{};
  std::string output_;  ///< lines not yet on the shelf
  std::string errors_;
  std::uint32_t unsaved_ = 0;
};

}  // namespace mainstay::jobs
