// Statements of the reply table. Triggers keep the sums that the bounds are compared with, so that
// nothing is counted anew.
#include "storage/sqlite/replies.h"

#include "storage/job_life.h"

namespace mainstay::storage::sqlite {
namespace {

constexpr const char* kFind =
    "SELECT digest, status, content_type, headers, body, left_out FROM reply "
    "WHERE tenant = ? AND user = ? AND route = ? AND key = ? AND until > ?";
constexpr const char* kErase =
    "DELETE FROM reply WHERE tenant = ? AND user = ? AND route = ? AND key = ?";
constexpr const char* kSweep =
    "DELETE FROM reply WHERE n IN (SELECT n FROM reply WHERE until <= ? ORDER BY until LIMIT ?)";
constexpr const char* kOfOwner =
    "SELECT replies, bytes FROM reply_sum WHERE tenant = ? AND user = ?";
constexpr const char* kOfAll = "SELECT replies, bytes FROM reply_sum_of_all WHERE one = 1";
constexpr const char* kEraseOldestOfOwner =
    "DELETE FROM reply WHERE n = (SELECT n FROM reply WHERE tenant = ? AND user = ? AND n < ? "
    "ORDER BY n LIMIT 1)";
constexpr const char* kEraseOldest =
    "DELETE FROM reply WHERE n = (SELECT n FROM reply WHERE n > 0 AND n < ? ORDER BY n LIMIT 1)";

struct Found {
  std::string digest;
  KeptReply reply;
};

std::optional<Found> find(Connection& db, const ReplyPlace& place, WallTime now) {
  Query query(db, kFind);
  query.bind(place.owner.tenant.text(), place.owner.user.text(), place.route, place.key,
             micros(now));
  if (!query.step()) return std::nullopt;
  Found out;
  out.digest = query.text(0);
  out.reply.status = static_cast<int>(query.number(1));
  out.reply.content_type = query.text(2);
  out.reply.headers = query.text(3);
  out.reply.body = query.text(4);
  out.reply.left_out = query.number(5) != 0;
  return out;
}

bool owner_is_above(Connection& db, const Owner& owner, const ReplyLimits& limits) {
  Query sums(db, kOfOwner);
  sums.bind(owner.tenant.text(), owner.user.text());
  return sums.step() &&
         (sums.count(0) > limits.owner_entries_max || sums.count(1) > limits.owner_bytes_max);
}

bool all_are_above(Connection& db, const ReplyLimits& limits) {
  Query sums(db, kOfAll);
  return sums.step() && (sums.count(0) > limits.entries_max || sums.count(1) > limits.bytes_max);
}

/// The oldest go until the bounds hold; the newest, which is `n`, stays.
void make_room(Connection& db, const Owner& owner, std::int64_t n, const ReplyLimits& limits) {
  bool removed = true;
  while (removed && owner_is_above(db, owner, limits)) {
    Query(db, kEraseOldestOfOwner).bind(owner.tenant.text(), owner.user.text(), n).finish();
    removed = db.changes() > 0;
  }
  removed = true;
  while (removed && all_are_above(db, limits)) {
    Query(db, kEraseOldest).bind(n).finish();
    removed = db.changes() > 0;
  }
}

std::uint32_t sweep_slice(Connection& db, WallTime now) {
  Query(db, kSweep).bind(micros(now), kReplySlice).finish();
  return static_cast<std::uint32_t>(db.changes());
}

Status keep(Connection& db, const ReplyPlace& place, const std::string& digest,
            const KeptReply& reply, const ReplyLimits& limits, WallTime now) {
  sweep_slice(db, now);
  const auto& owner = place.owner;
  Query(db, kErase).bind(owner.tenant.text(), owner.user.text(), place.route, place.key).finish();
  const auto until = now + std::chrono::duration_cast<WallTime::duration>(limits.keep);
  Query(db,
        "INSERT INTO reply (tenant, user, route, key, digest, status, content_type, headers, body, "
        "left_out, size, until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(owner.tenant.text(), owner.user.text(), place.route, place.key, digest, reply.status,
            reply.content_type, reply.headers, reply.body, reply.left_out ? 1 : 0,
            size_of(place, reply), micros(until))
      .finish();
  make_room(db, owner, db.last_rowid(), limits);
  return done();
}

}  // namespace

std::vector<std::string> reply_queries() {
  return {kFind, kErase, kSweep, kOfOwner, kOfAll, kEraseOldestOfOwner, kEraseOldest};
}

Co<Result<std::optional<KeptReply>>> SqliteReplies::begin(ReplyPlace place, std::string digest,
                                                          Deadline by) {
  auto taken = co_await turns_.take(place, digest, by);
  if (!taken.ok()) co_return taken.error();
  ReplyTurns::Held turn(turns_, place);
  auto work = [place, now = clock_.wall()](Connection& db) -> Result<std::optional<Found>> {
    return find(db, place, now);
  };
  auto found = co_await readers_.read("find_reply", std::move(work), by);
  if (!found.ok()) co_return found.error();
  if (!found->has_value()) {
    turn.keep();
    co_return std::optional<KeptReply>();
  }
  if ((*found)->digest != digest) co_return key_reused();
  co_return std::optional<KeptReply>(std::move((*found)->reply));
}

Co<Status> SqliteReplies::finish(ReplyPlace place, KeptReply reply, ReplyLimits limits,
                                 Deadline by) {
  const ReplyTurns::Held turn(turns_, place);
  auto work = [place, digest = turns_.digest_of(place), reply = std::move(reply), limits,
               now = clock_.wall()](Connection& db) {
    return keep(db, place, digest, reply, limits, now);
  };
  co_return co_await writer_.write("keep_reply", std::move(work), by);
}

Co<Result<std::uint32_t>> SqliteReplies::sweep(Deadline by) {
  auto work = [now = clock_.wall()](Connection& db) -> Result<std::uint32_t> {
    return sweep_slice(db, now);
  };
  co_return co_await writer_.write("sweep_replies", std::move(work), by);
}

}  // namespace mainstay::storage::sqlite
