// The statements of jobs.
#include "storage/sqlite/jobs_rows.h"

#include <algorithm>
#include <cstdlib>

namespace mainstay::storage::sqlite {
namespace {

/// A statement that writes rows: what stands before and behind its `(?, …)`.
struct RowsSql {
  const char* before;
  int columns;
  const char* behind;
};

constexpr RowsSql kInsert{
    "INSERT INTO job (n, id, tenant, user, client, kind, priority, batch, key, key_held, digest, "
    "run_at, expires, attempts_max, repeat_every, created, input) VALUES ",
    17, " ON CONFLICT DO NOTHING"};
constexpr RowsSql kMove{
    "INSERT INTO job_now (n, priority, state, attempts, silent, token, ended_by, run_at, expires, "
    "worker, started, finished, result, code, message) VALUES ",
    15,
    " ON CONFLICT (n) DO UPDATE SET state = excluded.state, attempts = excluded.attempts, "
    "silent = excluded.silent, token = excluded.token, ended_by = excluded.ended_by, "
    "run_at = excluded.run_at, expires = excluded.expires, "
    "worker = iif(excluded.worker = '', worker, excluded.worker), "
    "started = iif(excluded.started = 0, started, excluded.started), "
    "finished = excluded.finished, result = excluded.result, "
    "code = iif(excluded.code = '', code, excluded.code), "
    "message = iif(excluded.code = '', message, excluded.message)"};

std::string text_of(const RowsSql& sql, std::size_t rows) {
  std::string row = "(?";
  for (int column = 1; column < sql.columns; ++column) row += ", ?";
  row += ")";
  std::string out = sql.before + row;
  for (std::size_t more = 1; more < rows; ++more) out += ", " + row;
  return out + sql.behind;
}

/// The statement for one row, or for kRowsTogether.
template <const RowsSql& Sql>
Literal statement(bool together) {
  static const std::string one = text_of(Sql, 1);
  static const std::string many = text_of(Sql, kRowsTogether);
  return Literal{together ? many.c_str() : one.c_str()};
}

// The columns that row_of() reads; w.n is NULL for a job of which nothing became yet.
#define MAINSTAY_JOB_COLUMNS(input, result)                                               \
  "j.n, j.id, j.tenant, j.user, j.client, j.kind, j.priority, j.batch, j.key, j.digest, " \
  "j.run_at, j.expires, j.attempts_max, j.repeat_every, j.created, " input                \
  ", w.n, w.state, "                                                                      \
  "w.attempts, w.silent, w.token, w.ended_by, w.run_at, w.expires, w.worker, w.started, " \
  "w.finished, " result ", w.code, w.message "
#define MAINSTAY_JOB_WHOLE "SELECT " MAINSTAY_JOB_COLUMNS("j.input", "w.result")
#define MAINSTAY_JOB_BRIEF "SELECT " MAINSTAY_JOB_COLUMNS("''", "''")
#define MAINSTAY_JOB_FROM "FROM job j LEFT JOIN job_now w ON w.n = j.n "

constexpr Literal kById{MAINSTAY_JOB_WHOLE MAINSTAY_JOB_FROM "WHERE j.id = ?"};
constexpr Literal kByN{MAINSTAY_JOB_WHOLE MAINSTAY_JOB_FROM "WHERE j.n = ?"};
constexpr Literal kBriefByN{MAINSTAY_JOB_BRIEF MAINSTAY_JOB_FROM "WHERE j.n = ?"};
constexpr Literal kLive{MAINSTAY_JOB_WHOLE MAINSTAY_JOB_FROM
                        "WHERE j.n >= ? AND (w.n IS NULL OR w.state < 3) ORDER BY j.n"};

// One text for each way to get to the rows. The conditions of a filter that is not set are true.
#define MAINSTAY_JOB_FILTER "AND (?3 = '' OR j.kind = ?3) AND (?4 < 0 OR w.state = ?4) "
#define MAINSTAY_JOB_ORDER "ORDER BY j.n DESC LIMIT ?2"
constexpr Literal kPage{MAINSTAY_JOB_BRIEF MAINSTAY_JOB_FROM
                        "WHERE j.n < ?1 " MAINSTAY_JOB_FILTER
                        "AND ?5 = ?5 AND ?6 = ?6 AND ?7 = ?7 " MAINSTAY_JOB_ORDER};
constexpr Literal kPageOfOwner{
    MAINSTAY_JOB_BRIEF MAINSTAY_JOB_FROM
    "WHERE j.tenant = ?5 AND j.user = ?6 AND j.n < ?1 " MAINSTAY_JOB_FILTER
    "AND ?7 = ?7 " MAINSTAY_JOB_ORDER};
constexpr Literal kPageOfBatch{
    MAINSTAY_JOB_BRIEF MAINSTAY_JOB_FROM
    "WHERE j.batch = ?7 AND j.batch <> '' AND j.n < ?1 " MAINSTAY_JOB_FILTER
    "AND (?5 = '' OR (j.tenant = ?5 AND j.user = ?6)) " MAINSTAY_JOB_ORDER};
constexpr Literal kPageOfGivenUp{
    MAINSTAY_JOB_BRIEF
    "FROM job_now w INDEXED BY job_given_up CROSS JOIN job j ON j.n = w.n "
    "WHERE w.state = ?4 AND w.state >= 4 AND w.n < ?1 AND (?3 = '' OR j.kind = ?3) "
    "AND (?5 = '' OR (j.tenant = ?5 AND j.user = ?6)) AND ?7 = ?7 "
    "ORDER BY w.n DESC LIMIT ?2"};

/// Less than nothing says that the next occurrence has been made.
constexpr Literal kFollowed{
    "UPDATE job SET repeat_every = -repeat_every WHERE n = ? AND repeat_every > 0"};
constexpr Literal kHas{"SELECT 1 FROM job WHERE n = ?"};
constexpr Literal kKey{
    "SELECT j.id, j.digest, coalesce(w.state, iif(j.run_at > ?4, 0, 1)) " MAINSTAY_JOB_FROM
    "WHERE j.tenant = ?1 AND j.user = ?2 AND j.key = ?3 AND j.key_held = 1"};
constexpr Literal kKeptKey{
    "SELECT id, digest, state FROM job_kept_key "
    "WHERE tenant = ?1 AND user = ?2 AND key = ?3 AND until > ?4"};
constexpr Literal kReleaseKey{
    "UPDATE job SET key_held = 0 WHERE tenant = ? AND user = ? AND key = ? AND key_held = 1"};
constexpr Literal kKeepKey{
    "INSERT INTO job_kept_key (tenant, user, key, digest, id, state, until) "
    "SELECT j.tenant, j.user, j.key, j.digest, j.id, w.state, j.created + ?2 "
    "FROM job j JOIN job_now w ON w.n = j.n "
    "WHERE j.n = ?1 AND j.key_held = 1 AND j.created + ?2 > ?3 "
    "ON CONFLICT DO UPDATE SET digest = excluded.digest, id = excluded.id, "
    "state = excluded.state, until = excluded.until"};
constexpr Literal kMadeBefore{
    "SELECT n FROM job WHERE id < ? AND length(id) = 30 ORDER BY id DESC LIMIT 1"};
constexpr Literal kDelete{"DELETE FROM job WHERE n = ?"};
constexpr Literal kDeleteNow{"DELETE FROM job_now WHERE n = ?"};
constexpr Literal kEndedBefore{
    "SELECT n, priority FROM job_now WHERE state = ?1 AND state >= 3 AND finished <= ?2 "
    "ORDER BY finished LIMIT ?3"};
constexpr Literal kFirstEnd{
    "SELECT finished FROM job_now WHERE state = ?1 AND state >= 3 ORDER BY finished LIMIT 1"};
constexpr Literal kOldKeys{
    "SELECT tenant, user, key FROM job_kept_key WHERE until <= ?1 ORDER BY until LIMIT ?2"};
constexpr Literal kDeleteKey{"DELETE FROM job_kept_key WHERE tenant = ? AND user = ? AND key = ?"};

int number_of(JobState state) {
  return static_cast<int>(state);
}

void bind(Query& q, const NewRow& row) {
  const NewJob& job = *row.job;
  q.bind_row(row.n, job.id.text(), job.owner.tenant.text(), job.owner.user.text(), job.client,
             job.kind, static_cast<int>(job.priority), job.batch, job.key, job.key.empty() ? 0 : 1,
             job.digest, micros(job.run_at), micros(job.expires), job.attempts_max,
             job.repeat_every.count(), micros(row.created), job.input);
}

void bind(Query& q, const NowRow& row) {
  const JobNow& now = row.now;
  const bool failed = now.failure != nullptr;
  q.bind_row(row.n, static_cast<int>(now.priority), number_of(now.life.state), now.life.attempts,
             now.life.silent, now.life.token, static_cast<int>(now.life.ended_by),
             micros(now.life.run_at), micros(now.life.expires), now.worker, micros(now.started),
             micros(now.finished), now.result,
             failed ? std::string_view(now.failure->code) : std::string_view(),
             failed ? std::string_view(now.failure->message) : std::string_view());
}

JobRow row_of(Query& q, WallTime now) {
  JobRow out;
  out.n = q.count(0);
  NewJob& job = out.job.job;
  job.id = JobId(q.text(1));
  job.owner = Owner{TenantId(q.text(2)), UserId(q.text(3))};
  job.client = q.text(4);
  job.kind = q.text(5);
  job.priority = static_cast<JobClass>(q.number(6));
  job.batch = q.text(7);
  job.key = q.text(8);
  job.digest = q.text(9);
  job.run_at = wall_from_micros(q.number(10));
  job.expires = wall_from_micros(q.number(11));
  job.attempts_max = static_cast<std::uint32_t>(q.number(12));
  job.repeat_every = std::chrono::seconds(std::abs(q.number(13)));
  out.job.followed = q.number(13) < 0;
  out.job.created = wall_from_micros(q.number(14));
  job.input = q.text(15);
  out.life = first_life(job, out.job.created);
  out.ordered_expires = job.expires;
  if (q.number(16) != 0) {
    out.life.state = static_cast<JobState>(q.number(17));
    out.life.attempts = static_cast<std::uint32_t>(q.number(18));
    out.life.silent = static_cast<std::uint32_t>(q.number(19));
    out.life.token = q.count(20);
    out.life.ended_by = static_cast<AttemptEnd>(q.number(21));
    out.life.run_at = wall_from_micros(q.number(22));
    out.life.expires = wall_from_micros(q.number(23));
    out.job.worker = q.text(24);
    out.job.started = wall_from_micros(q.number(25));
    out.job.finished = wall_from_micros(q.number(26));
    out.job.result = q.text(27);
    out.job.failure = JobFailure{q.text(28), q.text(29)};
  }
  if (out.life.state == JobState::scheduled && out.life.run_at <= now) {
    out.life.state =
        JobState::queued;  // the order in memory has it ready; nothing writes that down
  }
  out.ready = std::max({out.job.created, out.life.run_at, out.job.finished});
  if (!ended(out.life.state)) out.job.finished = {};
  show_times(job, out.life);
  out.job.state = out.life.state;
  out.job.attempts = out.life.attempts;
  out.job.token = out.life.token;
  return out;
}

std::optional<JobRow> one(Query& q, WallTime now) {
  if (!q.step()) return std::nullopt;
  return row_of(q, now);
}

}  // namespace

bool insert_job(Connection& db, const NewRow& row) {
  Query q(db, statement<kInsert>(false));
  bind(q, row);
  q.finish();
  return db.changes() > 0;
}

std::vector<std::size_t> insert_jobs(Connection& db, std::span<const NewRow> rows) {
  std::vector<std::size_t> not_written;
  std::size_t at = 0;
  for (; rows.size() - at >= kRowsTogether; at += kRowsTogether) {
    {
      Query q(db, statement<kInsert>(true));
      for (const NewRow& row : rows.subspan(at, kRowsTogether)) bind(q, row);
      q.finish();
    }
    if (db.changes() == kRowsTogether) continue;
    for (std::size_t one = at; one < at + kRowsTogether; ++one) {
      if (!Query(db, kHas).bind(rows[one].n).step()) not_written.push_back(one);
    }
  }
  for (; at < rows.size(); ++at) {
    if (!insert_job(db, rows[at])) not_written.push_back(at);
  }
  return not_written;
}

void move_job(Connection& db, const NowRow& row) {
  Query q(db, statement<kMove>(false));
  bind(q, row);
  q.finish();
}

void move_jobs(Connection& db, std::span<const NowRow> rows) {
  for (; rows.size() >= kRowsTogether; rows = rows.subspan(kRowsTogether)) {
    Query q(db, statement<kMove>(true));
    for (const NowRow& row : rows.first(kRowsTogether)) bind(q, row);
    q.finish();
  }
  for (const NowRow& row : rows) move_job(db, row);
}

void note_followed(Connection& db, std::uint64_t n) {
  Query q(db, kFollowed);
  q.bind(n);
  q.finish();
}

std::optional<JobRow> job_by_id(Connection& db, std::string_view id, WallTime now) {
  Query q(db, kById);
  q.bind_lasting(id);
  return one(q, now);
}

std::optional<JobRow> job_by_n(Connection& db, std::uint64_t n, WallTime now, bool whole) {
  Query q(db, whole ? kByN : kBriefByN);
  q.bind(n);
  return one(q, now);
}

std::optional<KeyRow> key_of(Connection& db, const Owner& owner, std::string_view key,
                             WallTime now) {
  for (const Literal sql : {kKey, kKeptKey}) {
    Query q(db, sql);
    q.bind_lasting(owner.tenant.text(), owner.user.text(), key, micros(now));
    if (q.step()) return KeyRow{JobId(q.text(0)), q.text(1), static_cast<JobState>(q.number(2))};
  }
  return std::nullopt;
}

void release_key(Connection& db, const Owner& owner, std::string_view key) {
  for (const Literal sql : {kReleaseKey, kDeleteKey}) {
    Query(db, sql).bind_lasting(owner.tenant.text(), owner.user.text(), key).finish();
  }
}

bool keep_key(Connection& db, std::uint64_t n, std::chrono::microseconds keep, WallTime now) {
  Query(db, kKeepKey).bind(n, keep.count(), micros(now)).finish();
  return db.changes() > 0;
}

void delete_job(Connection& db, std::uint64_t n) {
  Query(db, kDelete).bind(n).finish();
  Query(db, kDeleteNow).bind(n).finish();
}

std::vector<EndedRow> ended_before(Connection& db, JobState state, WallTime last,
                                   std::uint32_t limit) {
  std::vector<EndedRow> out;
  Query q(db, kEndedBefore);
  q.bind(number_of(state), micros(last), limit);
  while (q.step()) out.push_back({q.count(0), static_cast<JobClass>(q.number(1))});
  return out;
}

std::optional<WallTime> first_end(Connection& db, JobState state) {
  Query q(db, kFirstEnd);
  q.bind(number_of(state));
  if (!q.step()) return std::nullopt;
  return wall_from_micros(q.number(0));
}

std::uint32_t delete_kept_keys(Connection& db, WallTime now, std::uint32_t limit) {
  struct Key {
    std::string tenant, user, key;
  };
  std::vector<Key> old;
  {
    Query q(db, kOldKeys);
    q.bind(micros(now), limit);
    while (q.step()) old.push_back({q.text(0), q.text(1), q.text(2)});
  }
  for (const auto& one : old) {
    Query(db, kDeleteKey).bind_lasting(one.tenant, one.user, one.key).finish();
  }
  return static_cast<std::uint32_t>(old.size());
}

bool has_kept_keys(Connection& db) {
  return db.number("SELECT 1 FROM job_kept_key LIMIT 1") != 0;
}

std::uint64_t live_from(Connection& db) {
  return static_cast<std::uint64_t>(db.number("SELECT live_from FROM job_store"));
}

void set_live_from(Connection& db, std::uint64_t n) {
  Query(db, "UPDATE job_store SET live_from = ?").bind(n).finish();
}

std::vector<JobRow> live_jobs(Connection& db, WallTime now) {
  std::vector<JobRow> out;
  const std::uint64_t from = live_from(db);
  Query q(db, kLive);
  q.bind(from);
  while (q.step()) out.push_back(row_of(q, now));
  return out;
}

std::vector<EndedCount> ended_counts(Connection& db) {
  std::vector<EndedCount> out;
  Query q(db,
          "SELECT priority, state, count(*) FROM job_now INDEXED BY job_by_end WHERE state >= 3 "
          "GROUP BY priority, state");
  while (q.step()) {
    out.push_back(
        {static_cast<JobClass>(q.number(0)), static_cast<JobState>(q.number(1)), q.count(2)});
  }
  return out;
}

std::uint64_t last_n(Connection& db) {
  return static_cast<std::uint64_t>(db.number("SELECT max(n) FROM job"));
}

std::uint64_t made_before(Connection& db, std::string_view mark) {
  Query q(db, kMadeBefore);
  q.bind_lasting(mark);
  return q.step() ? q.count(0) : 0;
}

std::vector<JobRow> page_of_jobs(Connection& db, const JobFilter& filter, std::uint64_t below,
                                 std::uint32_t limit, WallTime now) {
  Literal sql = kPage;
  if (filter.owner) sql = kPageOfOwner;
  if (filter.state && *filter.state > JobState::succeeded) sql = kPageOfGivenUp;
  if (!filter.batch.empty()) sql = kPageOfBatch;
  const Owner owner = filter.owner.value_or(Owner{});
  const int state = filter.state ? number_of(*filter.state) : -1;
  std::vector<JobRow> out;
  Query q(db, sql);
  q.bind_lasting(below, limit, filter.kind, state, owner.tenant.text(), owner.user.text(),
                 filter.batch);
  while (q.step()) out.push_back(row_of(q, now));
  return out;
}

std::vector<std::string> job_queries() {
  std::vector<std::string> out;
  for (const Literal query :
       {kFollowed,    kById,          kByN,         kBriefByN, kLive,    kPage,       kPageOfOwner,
        kPageOfBatch, kPageOfGivenUp, kMadeBefore,  kKey,      kKeptKey, kReleaseKey, kKeepKey,
        kDelete,      kDeleteNow,     kEndedBefore, kFirstEnd, kOldKeys, kDeleteKey}) {
    out.emplace_back(query.text);
  }
  return out;
}

#undef MAINSTAY_JOB_COLUMNS
#undef MAINSTAY_JOB_WHOLE
#undef MAINSTAY_JOB_BRIEF
#undef MAINSTAY_JOB_FROM
#undef MAINSTAY_JOB_FILTER
#undef MAINSTAY_JOB_ORDER

}  // namespace mainstay::storage::sqlite
