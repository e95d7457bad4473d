// The rows of jobs: what is written and read, one function for each statement.
// Used by storage/sqlite/jobs*.cpp; on the writer's connection or a reader's.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/job_life.h"
#include "storage/sqlite/connection.h"

namespace mainstay::storage::sqlite {

/// A job as the tables have it. A scheduled one whose time has come is shown as queued.
struct JobRow {
  std::uint64_t n = 0;
  Job job;  ///< its order with show_times()
  JobLife life;
  WallTime ordered_expires{};  ///< as it was ordered
  WallTime ready{};            ///< since when, of a queued one
};

/// What a job has become. Empty texts, times of zero and no failure leave what was there, except
/// `finished` and `result`, which are always set. `finished` of one that waits again: since when.
struct JobNow {
  JobClass priority = JobClass::interactive;
  JobLife life;
  std::string_view worker;
  WallTime started{};
  WallTime finished{};
  std::string_view result;
  const JobFailure* failure = nullptr;
};

/// What an idempotency key stands for.
struct KeyRow {
  JobId id;
  std::string digest;
  JobState state = JobState::queued;
};

/// A running total of one class and one end.
struct EndedCount {
  JobClass priority;
  JobState state;
  std::uint64_t count;
};

/// As many rows are written by one statement where there are that many: a third cheaper each.
constexpr std::size_t kRowsTogether = 16;

/// What a job comes in as.
struct NewRow {
  std::uint64_t n = 0;
  const NewJob* job = nullptr;
  WallTime created{};
};
/// False: the id exists, or the key is held by another job. Nothing was written then.
bool insert_job(Connection& db, const NewRow& row);
/// Gives the places of those of which nothing was written.
std::vector<std::size_t> insert_jobs(Connection& db, std::span<const NewRow> rows);
struct NowRow {
  std::uint64_t n = 0;
  JobNow now;
};
void move_job(Connection& db, const NowRow& row);
void move_jobs(Connection& db, std::span<const NowRow> rows);
/// Its next occurrence has been made, which no later end does again.
void note_followed(Connection& db, std::uint64_t n);
/// `whole`: with input and result.
std::optional<JobRow> job_by_id(Connection& db, std::string_view id, WallTime now);
std::optional<JobRow> job_by_n(Connection& db, std::uint64_t n, WallTime now, bool whole);
std::optional<KeyRow> key_of(Connection& db, const Owner& owner, std::string_view key,
                             WallTime now);
/// The key is free for the next occurrence, whichever job holds it, or held it before its removal.
void release_key(Connection& db, const Owner& owner, std::string_view key);
/// Its key, if it holds one, is kept for `keep` from when the job came in; gives whether it is.
bool keep_key(Connection& db, std::uint64_t n, std::chrono::microseconds keep, WallTime now);
/// Deletes the job with what became of it.
void delete_job(Connection& db, std::uint64_t n);
struct EndedRow {
  std::uint64_t n = 0;
  JobClass priority = JobClass::interactive;
};
/// Of one end, those that ended at `last` or before, the earliest first.
std::vector<EndedRow> ended_before(Connection& db, JobState state, WallTime last,
                                   std::uint32_t limit);
/// When the first one of these ended.
std::optional<WallTime> first_end(Connection& db, JobState state);
/// Forgets keys whose time is over; gives how many.
std::uint32_t delete_kept_keys(Connection& db, WallTime now, std::uint32_t limit);
bool has_kept_keys(Connection& db);

/// Every job below has ended; and all that may not have.
std::uint64_t live_from(Connection& db);
void set_live_from(Connection& db, std::uint64_t n);
std::vector<JobRow> live_jobs(Connection& db, WallTime now);
std::vector<EndedCount> ended_counts(Connection& db);
std::uint64_t last_n(Connection& db);
/// The newest job whose id is below the mark (list_mark()); 0: there is none.
std::uint64_t made_before(Connection& db, std::string_view mark);

/// A page in the order newest first, from below `below`, inputs and results left out.
/// `filter.state` is none, or an end.
std::vector<JobRow> page_of_jobs(Connection& db, const JobFilter& filter, std::uint64_t below,
                                 std::uint32_t limit, WallTime now);

/// The texts of the queries whose plans a test looks at: none may scan a table.
std::vector<std::string> job_queries();

}  // namespace mainstay::storage::sqlite
