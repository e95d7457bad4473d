// A kind of job: what it takes, what it may use, what it does. One small class for each, all
// registered in all_kinds.cpp.
// Used by jobs (desk checks orders, workers run attempts) and api (which kinds there are).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admission/caller.h"
#include "admission/tokens.h"
#include "base/json.h"
#include "base/units.h"
#include "jobs/backoff.h"
#include "storage/jobs.h"

namespace mainstay::jobs {

/// What every job of a kind has in common.
struct KindLimits {
  Bytes input_max{1u << 20};                     ///< of the input as JSON text
  Duration timeout{};                            ///< of one attempt
  const char* timeout_setting = "jobs.timeout";  ///< where an operator changes it
  std::uint32_t attempts_max = 3;
  storage::JobClass priority = storage::JobClass::interactive;  ///< when an order names none
  Duration lease{};
  Backoff backoff;          ///< between attempts
  bool for_clients = true;  ///< false: only Mainstay itself makes jobs of this kind
  admission::Scope scope = admission::Scope::jobs;  ///< that a client needs beside `jobs`
};

/// What an attempt that succeeded gives.
struct Outcome {
  std::string result;  ///< JSON
  storage::Effects effects;
};

/// One attempt, as the kind that runs it sees it. Lives on one executor, as long as run().
class Run {
 public:
  virtual ~Run() = default;
  /// The job; `input` is as check() made it.
  virtual const storage::Job& job() const noexcept = 0;
  /// A failure of this attempt is the job's end.
  virtual bool last_attempt() const noexcept = 0;
  /// News for those who follow the job: "progress" or "token", with an object as data. Best effort:
  /// never fails, bounded in time; tokens told close together go out as one event.
  virtual Co<> tell(std::string type, Json data) = 0;
  /// Cancelled, out of time, or no longer ours: the result would be thrown away. The coroutine is
  /// cancelled too; work on another thread may look here (thread-safe).
  virtual bool cancelled() const noexcept = 0;
  /// Waits before what was refused for now is asked for again; false: the attempt is to end. A stop
  /// of the program hands a job that rests back at once.
  virtual Co<bool> rest(Duration how_long) = 0;
  /// What run() gives now is no outcome: the job is handed back, charged nothing, and begins again
  /// after that.
  virtual void put_off(Duration how_long) noexcept = 0;
};

/// Any loop may call; one object serves all jobs of its kind.
class Kind {
 public:
  virtual ~Kind() = default;
  virtual std::string_view name() const noexcept = 0;
  virtual const KindLimits& limits() const noexcept = 0;
  /// An order's input as it is kept: a JSON object's text. Errors name the field as "input.x".
  virtual Result<std::string> check(const Json& input, const admission::Caller& caller) const = 0;
  /// Whether a process that shares the queue alone, not conversations, documents and files, can
  /// run it. `input` is as check() made it.
  virtual bool travels(const std::string& input) const {
    static_cast<void>(input);
    return false;
  }
  /// What a run of it may use of the caller's tokens; none: no model is asked. `input` is as
  /// check() made it.
  virtual std::optional<admission::Use> use_of(const std::string& input) const {
    static_cast<void>(input);
    return std::nullopt;
  }
  /// One attempt. It may run several times for one job and must bear that; what it returns counts
  /// once. Errors invalid, denied, forbidden, not_found, conflict, too_large, unsupported and
  /// unprocessable end the job; others are tried again, not before their retry_after.
  virtual Co<Result<Outcome>> run(Run& run, Deadline by) = 0;
};

/// The kinds of this program. Filled before anything runs, then only read.
class Kinds {
 public:
  /// CHECKs that the name is new.
  void add(std::unique_ptr<Kind> kind);
  Kind* find(std::string_view name) const noexcept;  ///< null: there is none
  std::vector<std::string> names() const;
  const std::vector<std::unique_ptr<Kind>>& all() const noexcept { return all_; }

 private:
  std::vector<std::unique_ptr<Kind>> all_;
};

/// True when another attempt may end better.
bool worth_another(const Error& error) noexcept;
/// True when nobody was asked: our own bounds refused for now, or a provider's pause lasts still.
bool is_not_now(const Error& error) noexcept;

}  // namespace mainstay::jobs
