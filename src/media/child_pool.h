// Locked-in processes of one program: a bounded number of them, a bounded line before them, one
// item at a time in each, a deadline for each item, frames out of it that nobody trusts.
// Used by media/decoders.h and media/audio.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/co.h"
#include "base/deadline.h"
#include "base/offload.h"
#include "base/result.h"
#include "media/frames.h"
#include "resources/child_process.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::media {

struct ChildFigures {
  std::uint32_t running = 0;   ///< items under way
  std::uint32_t idle = 0;      ///< processes that wait for one
  std::uint32_t waiting = 0;   ///< items that wait for a process
  std::uint64_t done = 0;      ///< items that ended well
  std::uint64_t refused = 0;   ///< files that a process found wanting
  std::uint64_t failed = 0;    ///< items whose process ended or said what it must not
  std::uint64_t killed = 0;    ///< processes killed: out of time, or nobody wanted the rest
  std::uint64_t started = 0;   ///< processes
  std::uint64_t resident = 0;  ///< bytes that the idle ones hold, as they said themselves
};

/// One file under way in one process. On the executor of whoever began it. Letting go of it before
/// the last frame kills the process.
class Decoding {
 public:
  virtual ~Decoding() = default;
  /// The next frame: start, page or data; after `end`, whose head it gives, nothing may be asked.
  /// Errors: what the process says of the file (see reasons.h), ChildErrors::failed (it ended, or
  /// answered nonsense), ChildErrors::slow (ChildRules::deadline is the time that is waited for all
  /// frames together), deadline (`by` came first).
  virtual Co<Result<Frame>> next(Deadline by) = 0;
};

enum class IfBusy : std::uint8_t { wait, refuse };

/// What a process is given.
struct ChildWork {
  resources::Descriptor file;
  Json order;           ///< an object; "item" and "seconds" are added
  Duration deadline{};  ///< of waiting for its frames; zero: ChildRules::deadline
};

/// What clients are told when no file can be blamed. Functions, because they never change.
struct ChildErrors {
  Error (*missing)() = nullptr;  ///< the program is not there
  Error (*busy)() = nullptr;     ///< no process became free in time
  Error (*slow)() = nullptr;     ///< out of ChildRules::deadline
  /// It ended, or answered nonsense; `detail` is for the log.
  Error (*failed)(const std::string& detail) = nullptr;
  Error (*memory)(const std::string& detail) = nullptr;  ///< it got no more memory
  /// The error for a reason that it gave: from a list, whatever it said.
  Error (*of)(const std::string& reason, const std::string& detail) = nullptr;
};

/// One pool. Bounds come from the settings of its owner.
struct ChildRules {
  std::string name;     ///< "decoder": of its metrics (mainstay_decoder_items_total) and log
  std::string items;    ///< "Files that decoders worked at": what the metric counts
  std::string program;  ///< empty: it was not found
  std::vector<std::string> argv;
  std::uint32_t most = 1;  ///< processes at once
  std::uint32_t waiting_max = 64;
  std::uint32_t items_per_process = 500;
  std::uint64_t resident = 0;  ///< bytes; after an item, one that holds more is replaced
  Duration deadline{};
  std::uint32_t cpus = 1;  ///< that one item may keep busy for the deadline
  Duration idle{};
  /// One thread that makes and ends the processes, shared with other pools; null: one of its own.
  std::shared_ptr<OffloadPool> makers;
  ChildErrors errors;
};

/// How many starts and ends may wait for ChildRules::makers.
inline constexpr std::size_t kMakersQueue = 256;

/// For a setting where 0 means: one for each core, at most `most`.
std::uint32_t for_cores(std::uint32_t setting, std::uint32_t most) noexcept;

/// Thread-safe. Outlives what it began.
class ChildPool {
 public:
  /// References outlive it and its items.
  ChildPool(ChildRules rules, Clock& clock, Log& log, Metrics& metrics);
  ~ChildPool();
  ChildPool(const ChildPool&) = delete;
  ChildPool& operator=(const ChildPool&) = delete;

  /// Hands work to a process. Errors: those of ChildRules::errors.
  Co<Result<std::unique_ptr<Decoding>>> begin(ChildWork work, Deadline by, IfBusy busy);
  /// Ends processes that had nothing to do for ChildRules::idle; never returns.
  Co<> tidy();
  /// The same once.
  void tidy_now();
  /// No further items; processes at rest end. Those under way end with their items.
  void close();
  ChildFigures figures() const;
  /// Processes at once.
  std::uint32_t size() const noexcept;

  struct Core;

 private:
  const std::shared_ptr<Core> core_;
};

/// Where a program is: `wanted` when it is given, else `name` beside this program or in
/// ../libexec/mainstay. Empty: nowhere. Blocks for a moment.
std::string find_program(const std::string& wanted, const char* name);

/// What a program says of itself when it is started with these words: one object of JSON. Blocks,
/// 10 s at most; from a thread that stays. Errors: unavailable, whose detail says why.
Result<Json> ask_program(const std::string& program, const std::vector<std::string>& argv);

}  // namespace mainstay::media
