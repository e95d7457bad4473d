// Statements of the batch table.
#include "storage/sqlite/batches.h"

#include "storage/file_says.h"

namespace mainstay::storage::sqlite {
namespace {

constexpr const char* kKnown = "SELECT version FROM batch WHERE id = ?";
constexpr const char* kOpenOfOwner =
    "SELECT count(*) FROM batch INDEXED BY batch_by_owner "
    "WHERE tenant = ? AND user = ? AND open = 1";
constexpr const char* kSave =
    "UPDATE batch SET record = ?, open = ?, version = version + 1 WHERE id = ? AND version = ?";
constexpr const char* kGet =
    "SELECT id, tenant, user, open, version, created, record FROM batch "
    "WHERE id = ? AND tenant = ? AND user = ?";
constexpr const char* kPlace = "SELECT n FROM batch WHERE id = ? AND tenant = ? AND user = ?";
constexpr const char* kList =
    "SELECT id, tenant, user, open, version, created, record FROM batch "
    "WHERE tenant = ? AND user = ? AND n < ? ORDER BY n DESC LIMIT ?";
// The records are fetched for those alone that are given.
constexpr const char* kOpen =
    "SELECT id, tenant, user, open, version, created, record FROM batch JOIN ("
    "SELECT n AS which, row_number() OVER (PARTITION BY tenant, user ORDER BY n) AS turn "
    "FROM batch WHERE open = 1 ORDER BY turn, n LIMIT ?) ON n = which ORDER BY turn, n";
constexpr const char* kOpenOf =
    "SELECT id, tenant, user, open, version, created, record FROM batch "
    "INDEXED BY batch_by_owner WHERE tenant = ? AND user = ? AND open = 1 ORDER BY n LIMIT ?";
constexpr const char* kSweep =
    "DELETE FROM batch WHERE n IN (SELECT n FROM batch WHERE open = 0 AND created < ? "
    "ORDER BY created LIMIT ?)";

BatchRow row_of(Query& row) {
  BatchRow out;
  out.id = BatchId(row.text(0));
  out.owner = {TenantId(row.text(1)), UserId(row.text(2))};
  out.open = row.number(3) != 0;
  out.version = row.count(4);
  out.created = wall_from_micros(row.number(5));
  out.record = row.text(6);
  return out;
}

bool is_known(Connection& db, const BatchId& id) {
  Query known(db, kKnown);
  known.bind(id.text());
  return known.step();
}

Status add_batch(Connection& db, const BatchRow& row, std::uint32_t open_max) {
  const auto& owner = row.owner;
  if (is_known(db, row.id)) return done();
  {
    Query open(db, kOpenOfOwner);
    open.bind(owner.tenant.text(), owner.user.text());
    if (open.step() && open.count(0) >= open_max) return too_many_batches();
  }
  Query(db,
        "INSERT INTO batch (id, tenant, user, open, version, created, record) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)")
      .bind(row.id.text(), owner.tenant.text(), owner.user.text(), row.open ? 1 : 0, row.version,
            micros(row.created), row.record)
      .finish();
  return done();
}

Result<PageOfBatches> page(Connection& db, const Owner& owner, const BatchId& after,
                           std::uint32_t limit) {
  std::int64_t place = INT64_MAX;
  if (!after.empty()) {
    Query query(db, kPlace);
    query.bind(after.text(), owner.tenant.text(), owner.user.text());
    if (!query.step()) return unknown_batch();
    place = query.number(0);
  }
  PageOfBatches out;
  Query query(db, kList);
  query.bind(owner.tenant.text(), owner.user.text(), place, std::uint64_t{limit} + 1);
  while (query.step()) {
    out.more = out.items.size() == limit;
    if (!out.more) out.items.push_back(row_of(query));
  }
  return out;
}

}  // namespace

std::vector<std::string> batch_queries() {
  return {kKnown, kOpenOfOwner, kSave, kGet, kPlace, kList, kOpenOf, kSweep};
}

Co<Status> SqliteBatches::add(BatchRow row, std::uint32_t open_max, Deadline by) {
  auto work = [row = std::move(row), open_max](Connection& db) {
    return add_batch(db, row, open_max);
  };
  co_return co_await writer_.write("add_batch", std::move(work), by);
}

Co<Status> SqliteBatches::save(BatchRow row, Deadline by) {
  auto work = [row = std::move(row)](Connection& db) -> Status {
    Query(db, kSave).bind(row.record, row.open ? 1 : 0, row.id.text(), row.version).finish();
    if (db.changes() > 0) return done();
    return is_known(db, row.id) ? batch_changed() : unknown_batch();
  };
  co_return co_await writer_.write("save_batch", std::move(work), by);
}

Co<Result<BatchRow>> SqliteBatches::get(Owner owner, BatchId id, Deadline by) {
  auto work = [owner = std::move(owner), id = std::move(id)](Connection& db) -> Result<BatchRow> {
    Query query(db, kGet);
    query.bind(id.text(), owner.tenant.text(), owner.user.text());
    if (!query.step()) return unknown_batch();
    return row_of(query);
  };
  co_return co_await readers_.read("get_batch", std::move(work), by);
}

Co<Result<PageOfBatches>> SqliteBatches::list(Owner owner, BatchId after, std::uint32_t limit,
                                              Deadline by) {
  auto work = [owner = std::move(owner), after = std::move(after), limit](Connection& db) {
    return page(db, owner, after, limit);
  };
  co_return co_await readers_.read("list_batches", std::move(work), by);
}

Co<Result<std::vector<BatchRow>>> SqliteBatches::open(std::uint32_t limit, Deadline by) {
  auto work = [limit](Connection& db) -> Result<std::vector<BatchRow>> {
    std::vector<BatchRow> out;
    Query query(db, kOpen);
    query.bind(limit);
    while (query.step()) out.push_back(row_of(query));
    return out;
  };
  co_return co_await readers_.read("open_batches", std::move(work), by);
}

Co<Result<std::vector<BatchRow>>> SqliteBatches::open_of(Owner owner, std::uint32_t limit,
                                                         Deadline by) {
  auto work = [owner = std::move(owner), limit](Connection& db) -> Result<std::vector<BatchRow>> {
    std::vector<BatchRow> out;
    Query query(db, kOpenOf);
    query.bind(owner.tenant.text(), owner.user.text(), limit);
    while (query.step()) out.push_back(row_of(query));
    return out;
  };
  co_return co_await readers_.read("open_batches_of", std::move(work), by);
}

Co<Result<std::uint32_t>> SqliteBatches::sweep(WallTime before, Deadline by) {
  auto work = [before](Connection& db) -> Result<std::uint32_t> {
    Query(db, kSweep).bind(micros(before), kBatchSlice).finish();
    return static_cast<std::uint32_t>(db.changes());
  };
  co_return co_await writer_.write("sweep_batches", std::move(work), by);
}

}  // namespace mainstay::storage::sqlite
