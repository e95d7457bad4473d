// Statements of the file table.
#include "storage/sqlite/files.h"

#include "storage/file_says.h"

namespace mainstay::storage::sqlite {
namespace {

#define FILE_COLUMNS "id, tenant, user, name, purpose, size, created, expires"
constexpr const char* kKnown = "SELECT n FROM file WHERE id = ?";
constexpr const char* kSums =
    "SELECT count(*), total(size) FROM file WHERE tenant = ? AND user = ?";
constexpr const char* kGet = "SELECT " FILE_COLUMNS
                             " FROM file WHERE id = ? AND tenant = ? AND user = ? "
                             "AND (expires = 0 OR expires > ?)";
constexpr const char* kPlace =
    "SELECT n FROM file WHERE id = ? AND tenant = ? AND user = ? AND (expires = 0 OR expires > ?)";
constexpr const char* kNewest = "SELECT " FILE_COLUMNS
                                " FROM file WHERE tenant = ? AND user = ? AND n < ? "
                                "AND (expires = 0 OR expires > ?) AND (? = '' OR purpose = ?) "
                                "ORDER BY n DESC LIMIT ?";
constexpr const char* kOldest = "SELECT " FILE_COLUMNS
                                " FROM file WHERE tenant = ? AND user = ? AND n > ? "
                                "AND (expires = 0 OR expires > ?) AND (? = '' OR purpose = ?) "
                                "ORDER BY n LIMIT ?";
constexpr const char* kErase = "DELETE FROM file WHERE id = ? AND tenant = ? AND user = ?";
constexpr const char* kOver = "SELECT " FILE_COLUMNS
                              " FROM file WHERE expires > 0 AND expires <= ? "
                              "ORDER BY expires LIMIT ?";
#undef FILE_COLUMNS

FileInfo file_of(Query& row) {
  FileInfo out;
  out.id = FileId(row.text(0));
  out.owner = {TenantId(row.text(1)), UserId(row.text(2))};
  out.name = row.text(3);
  out.purpose = row.text(4);
  out.size = row.count(5);
  out.created = wall_from_micros(row.number(6));
  out.expires = wall_from_micros(row.number(7));
  return out;
}

Status add_file(Connection& db, const FileInfo& file, const FileLimits& limits) {
  const auto& owner = file.owner;
  {
    Query known(db, kKnown);
    known.bind(file.id.text());
    if (known.step()) return done();
  }
  {
    Query sums(db, kSums);
    sums.bind(owner.tenant.text(), owner.user.text());
    const bool any = sums.step();
    if ((any ? sums.count(0) : 0) + 1 > limits.entries_max) return too_many_files();
    if ((any ? sums.count(1) : 0) + file.size > limits.bytes_max) return too_many_file_bytes();
  }
  Query(db,
        "INSERT INTO file (id, tenant, user, name, purpose, size, created, expires) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(file.id.text(), owner.tenant.text(), owner.user.text(), file.name, file.purpose,
            file.size, micros(file.created), micros(file.expires))
      .finish();
  return done();
}

/// Of a file that there is, or that was erased lately.
std::optional<std::int64_t> place_of(Connection& db, const Owner& owner, const FileId& id,
                                     const GonePlaces<std::int64_t>& gone, WallTime now) {
  Query query(db, kPlace);
  query.bind(id.text(), owner.tenant.text(), owner.user.text(), micros(now));
  return query.step() ? query.number(0) : gone.find(owner, id.text());
}

Result<PageOfFiles> page(Connection& db, const FileFilter& filter, const FileId& after,
                         std::uint32_t limit, const GonePlaces<std::int64_t>& gone, WallTime now) {
  const auto& owner = filter.owner;
  std::int64_t place = filter.oldest_first ? 0 : INT64_MAX;
  if (!after.empty()) {
    const auto found = place_of(db, owner, after, gone, now);
    if (!found) return unknown_file();
    place = *found;
  }
  PageOfFiles out;
  Query query(db, filter.oldest_first ? kOldest : kNewest);
  query.bind(owner.tenant.text(), owner.user.text(), place, micros(now), filter.purpose,
             filter.purpose, std::uint64_t{limit} + 1);
  while (query.step()) {
    out.more = out.items.size() == limit;
    if (!out.more) out.items.push_back(file_of(query));
  }
  return out;
}

}  // namespace

std::vector<std::string> file_queries() {
  return {kKnown, kSums, kGet, kPlace, kNewest, kOldest, kErase, kOver};
}

Co<Status> SqliteFiles::add(FileInfo file, FileLimits limits, Deadline by) {
  auto work = [file = std::move(file), limits](Connection& db) {
    return add_file(db, file, limits);
  };
  co_return co_await writer_.write("add_file", std::move(work), by);
}

Co<Result<FileInfo>> SqliteFiles::get(Owner owner, FileId id, Deadline by) {
  auto work = [owner = std::move(owner), id = std::move(id),
               now = clock_.wall()](Connection& db) -> Result<FileInfo> {
    Query query(db, kGet);
    query.bind(id.text(), owner.tenant.text(), owner.user.text(), micros(now));
    if (!query.step()) return unknown_file();
    return file_of(query);
  };
  co_return co_await readers_.read("get_file", std::move(work), by);
}

Co<Result<PageOfFiles>> SqliteFiles::list(FileFilter filter, FileId after, std::uint32_t limit,
                                          Deadline by) {
  auto work = [filter = std::move(filter), after = std::move(after), limit, gone = gone_,
               now = clock_.wall()](Connection& db) {
    return page(db, filter, after, limit, *gone, now);
  };
  co_return co_await readers_.read("list_files", std::move(work), by);
}

Co<Status> SqliteFiles::erase(Owner owner, FileId id, Deadline by) {
  auto work = [owner = std::move(owner), id = std::move(id), gone = gone_,
               now = clock_.wall()](Connection& db) -> Status {
    const auto place = place_of(db, owner, id, *gone, now);
    if (place) gone->put(owner, id.text(), *place);
    Query(db, kErase).bind(id.text(), owner.tenant.text(), owner.user.text()).finish();
    return db.changes() > 0 ? done() : Status(unknown_file());
  };
  co_return co_await writer_.write("erase_file", std::move(work), by);
}

Co<Result<std::vector<FileInfo>>> SqliteFiles::over(std::uint32_t limit, Deadline by) {
  auto work = [limit, now = clock_.wall()](Connection& db) -> Result<std::vector<FileInfo>> {
    std::vector<FileInfo> out;
    Query query(db, kOver);
    query.bind(micros(now), limit);
    while (query.step()) out.push_back(file_of(query));
    return out;
  };
  co_return co_await readers_.read("files_over", std::move(work), by);
}

Co<Result<bool>> SqliteFiles::known(FileId id, Deadline by) {
  auto work = [id = std::move(id)](Connection& db) -> Result<bool> {
    Query query(db, kKnown);
    query.bind(id.text());
    return query.step();
  };
  co_return co_await readers_.read("known_file", std::move(work), by);
}

}  // namespace mainstay::storage::sqlite
