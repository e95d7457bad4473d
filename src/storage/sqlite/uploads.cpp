// Statements of the upload tables.
#include "storage/sqlite/uploads.h"

#include <optional>

#include "storage/file_says.h"

namespace mainstay::storage::sqlite {
namespace {

#define UPLOAD_COLUMNS                                                               \
  "n, id, tenant, user, name, purpose, media_type, bytes, state, created, expires, " \
  "file_keep, file, part_order, parts, parts_bytes"
constexpr const char* kGet = "SELECT " UPLOAD_COLUMNS
                             " FROM upload WHERE id = ? AND tenant = ? AND user = ? "
                             "AND expires > ?";
constexpr const char* kAny = "SELECT " UPLOAD_COLUMNS " FROM upload WHERE id = ?";
constexpr const char* kOpen = "SELECT " UPLOAD_COLUMNS
                              " FROM upload WHERE tenant = ? AND user = ? AND state < 2 "
                              "AND expires > ? ORDER BY n DESC LIMIT ?";
constexpr const char* kOver =
    "SELECT " UPLOAD_COLUMNS " FROM upload WHERE expires <= ? ORDER BY expires LIMIT ?";
#undef UPLOAD_COLUMNS
constexpr const char* kOpenSums =
    "SELECT count(*), total(bytes) FROM upload WHERE tenant = ? AND user = ? AND state < 2";
constexpr const char* kFileSums =
    "SELECT count(*), total(size) FROM file WHERE tenant = ? AND user = ?";
constexpr const char* kParts =
    "SELECT id, size, sha256, created FROM upload_part WHERE upload = ? ORDER BY n";
constexpr const char* kSamePart =
    "SELECT id, size, sha256, created FROM upload_part WHERE upload = ? AND sha256 = ? "
    "AND size = ?";
constexpr const char* kCount =
    "UPDATE upload SET parts = parts + ?, parts_bytes = parts_bytes + ?, expires = ? WHERE n = ?";
constexpr const char* kBegin = "UPDATE upload SET state = 1, part_order = ?, file = ? WHERE n = ?";
constexpr const char* kEnd = "UPDATE upload SET state = ? WHERE n = ?";
constexpr const char* kDropParts = "DELETE FROM upload_part WHERE upload = ?";
constexpr const char* kDrop = "DELETE FROM upload WHERE n = ?";
constexpr const char* kHeldPart = "SELECT n FROM upload_part WHERE id = ?";
constexpr const char* kHeldFile = "SELECT n FROM upload WHERE state = 1 AND file = ?";

struct Row {
  std::int64_t n = 0;
  UploadInfo info;
};

std::vector<PartId> order_of(const std::string& text) {
  std::vector<PartId> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    out.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

std::string text_of(const std::vector<PartId>& order) {
  std::string out;
  for (const auto& id : order) out += (out.empty() ? "" : " ") + id.text();
  return out;
}

Row row_of(Query& row) {
  Row out;
  out.n = row.number(0);
  UploadInfo& info = out.info;
  info.id = UploadId(row.text(1));
  info.owner = {TenantId(row.text(2)), UserId(row.text(3))};
  info.name = row.text(4);
  info.purpose = row.text(5);
  info.media_type = row.text(6);
  info.bytes = row.count(7);
  info.state = static_cast<UploadState>(row.number(8));
  info.created = wall_from_micros(row.number(9));
  info.expires = wall_from_micros(row.number(10));
  info.file_keep = row.count(11);
  info.file = FileId(row.text(12));
  info.order = order_of(row.text(13));
  info.parts = row.count(14);
  info.parts_bytes = row.count(15);
  return out;
}

std::optional<Row> find(Connection& db, const Owner& owner, const UploadId& id, WallTime now) {
  Query query(db, kGet);
  query.bind(id.text(), owner.tenant.text(), owner.user.text(), micros(now));
  if (!query.step()) return std::nullopt;
  return row_of(query);
}

std::optional<Row> find_any(Connection& db, const UploadId& id) {
  Query query(db, kAny);
  query.bind(id.text());
  if (!query.step()) return std::nullopt;
  return row_of(query);
}

UploadPart part_of(Query& row) {
  return {PartId(row.text(0)), row.count(1), row.text(2), wall_from_micros(row.number(3))};
}

std::vector<UploadPart> parts_now(Connection& db, std::int64_t upload) {
  std::vector<UploadPart> out;
  Query query(db, kParts);
  query.bind(upload);
  while (query.step()) out.push_back(part_of(query));
  return out;
}

struct Sums {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
};

Sums sums_of(Connection& db, const char* sql, const Owner& owner) {
  Query query(db, sql);
  query.bind(owner.tenant.text(), owner.user.text());
  if (!query.step()) return {};
  return {query.count(0), query.count(1)};
}

Status add_upload(Connection& db, const UploadInfo& upload, const UploadLimits& limits) {
  const auto& owner = upload.owner;
  const Sums open = sums_of(db, kOpenSums, owner);
  const Sums files = sums_of(db, kFileSums, owner);
  if (open.entries >= limits.open_max) return too_many_uploads();
  if (files.entries + open.entries + 1 > limits.files.entries_max) return too_many_files();
  if (files.bytes + open.bytes + upload.bytes > limits.files.bytes_max) {
    return too_many_file_bytes();
  }
  Query(db,
        "INSERT INTO upload (id, tenant, user, name, purpose, media_type, bytes, state, created, "
        "expires, file_keep, file, part_order, parts, parts_bytes) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, '', '', 0, 0)")
      .bind(upload.id.text(), owner.tenant.text(), owner.user.text(), upload.name, upload.purpose,
            upload.media_type, upload.bytes, micros(upload.created), micros(upload.expires),
            upload.file_keep)
      .finish();
  return done();
}

/// What a verb is about.
struct Which {
  Owner owner;
  UploadId id;
  WallTime now;
};

Result<UploadPart> add_part_now(Connection& db, const Which& which, const UploadPart& part,
                                std::uint32_t parts_max, WallTime expires) {
  auto row = find(db, which.owner, which.id, which.now);
  if (!row) return unknown_upload();
  if (row->info.state != UploadState::pending) return upload_not_pending();
  {
    Query same(db, kSamePart);
    same.bind(row->n, part.sha256, part.size);
    if (same.step()) return part_of(same);
  }
  auto fits = check_part(row->info, part.size, parts_max);
  if (!fits.ok()) return fits.error();
  Query(db, "INSERT INTO upload_part (id, upload, size, sha256, created) VALUES (?, ?, ?, ?, ?)")
      .bind(part.id.text(), row->n, part.size, part.sha256, micros(part.created))
      .finish();
  Query(db, kCount).bind(1, part.size, micros(expires), row->n).finish();
  return part;
}

Result<UploadInfo> complete_now(Connection& db, const Which& which,
                                const std::vector<PartId>& order, const FileId& file) {
  auto row = find(db, which.owner, which.id, which.now);
  if (!row) return unknown_upload();
  UploadInfo& info = row->info;
  const bool begun = info.state == UploadState::completing || info.state == UploadState::completed;
  if (begun && info.order == order) return info;
  if (info.state != UploadState::pending) return upload_not_pending();
  auto fits = check_order(info, parts_now(db, row->n), order);
  if (!fits.ok()) return fits.error();
  Query(db, kBegin).bind(text_of(order), file.text(), row->n).finish();
  info.state = UploadState::completing;
  info.order = order;
  info.file = file;
  return info;
}

void end_upload(Connection& db, std::int64_t n, UploadState state) {
  Query(db, kDropParts).bind(n).finish();
  Query(db, kEnd).bind(static_cast<int>(state), n).finish();
}

Status finish_now(Connection& db, const Which& which, const FileInfo& file) {
  auto row = find(db, which.owner, which.id, which.now);
  if (!row) return unknown_upload();
  if (row->info.state == UploadState::completed) return done();
  if (row->info.state != UploadState::completing) return upload_not_pending();
  // The upload counted already: the bounds were looked at when it began.
  Query(db,
        "INSERT INTO file (id, tenant, user, name, purpose, size, created, expires) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(file.id.text(), file.owner.tenant.text(), file.owner.user.text(), file.name,
            file.purpose, file.size, micros(file.created), micros(file.expires))
      .finish();
  end_upload(db, row->n, UploadState::completed);
  return done();
}

Result<std::vector<UploadPart>> cancel_now(Connection& db, const Which& which) {
  auto row = find(db, which.owner, which.id, which.now);
  if (!row) return unknown_upload();
  if (row->info.state == UploadState::cancelled) return std::vector<UploadPart>();
  if (row->info.state != UploadState::pending) return upload_not_pending();
  auto parts = parts_now(db, row->n);
  end_upload(db, row->n, UploadState::cancelled);
  return parts;
}

}  // namespace

std::vector<std::string> upload_queries() {
  return {kGet,   kAny,   kOpen, kOver,      kOpenSums, kFileSums, kParts,   kSamePart,
          kCount, kBegin, kEnd,  kDropParts, kDrop,     kHeldPart, kHeldFile};
}

Co<Status> SqliteUploads::add(UploadInfo upload, UploadLimits limits, Deadline by) {
  auto work = [upload = std::move(upload), limits](Connection& db) {
    return add_upload(db, upload, limits);
  };
  co_return co_await writer_.write("add_upload", std::move(work), by);
}

Co<Result<UploadInfo>> SqliteUploads::get(Owner owner, UploadId id, Deadline by) {
  Which which{std::move(owner), std::move(id), clock_.wall()};
  auto work = [which = std::move(which)](Connection& db) -> Result<UploadInfo> {
    auto row = find(db, which.owner, which.id, which.now);
    if (!row) return unknown_upload();
    return std::move(row->info);
  };
  co_return co_await readers_.read("get_upload", std::move(work), by);
}

Co<Result<std::vector<UploadInfo>>> SqliteUploads::open(Owner owner, std::uint32_t limit,
                                                        Deadline by) {
  auto work = [owner = std::move(owner), limit,
               now = clock_.wall()](Connection& db) -> Result<std::vector<UploadInfo>> {
    std::vector<UploadInfo> out;
    Query query(db, kOpen);
    query.bind(owner.tenant.text(), owner.user.text(), micros(now), limit);
    while (query.step()) out.push_back(row_of(query).info);
    return out;
  };
  co_return co_await readers_.read("open_uploads", std::move(work), by);
}

Co<Result<std::vector<UploadPart>>> SqliteUploads::parts(Owner owner, UploadId id, Deadline by) {
  Which which{std::move(owner), std::move(id), clock_.wall()};
  auto work = [which = std::move(which)](Connection& db) -> Result<std::vector<UploadPart>> {
    auto row = find(db, which.owner, which.id, which.now);
    if (!row) return unknown_upload();
    return parts_now(db, row->n);
  };
  co_return co_await readers_.read("upload_parts", std::move(work), by);
}

Co<Result<UploadPart>> SqliteUploads::add_part(Owner owner, UploadId id, UploadPart part,
                                               std::uint32_t parts_max, WallTime expires,
                                               Deadline by) {
  Which which{std::move(owner), std::move(id), clock_.wall()};
  auto work = [which = std::move(which), part = std::move(part), parts_max, expires](
                  Connection& db) { return add_part_now(db, which, part, parts_max, expires); };
  co_return co_await writer_.write("add_part", std::move(work), by);
}

Co<Result<UploadInfo>> SqliteUploads::complete(Owner owner, UploadId id, std::vector<PartId> order,
                                               FileId file, Deadline by) {
  Which which{std::move(owner), std::move(id), clock_.wall()};
  auto work = [which = std::move(which), order = std::move(order), file = std::move(file)](
                  Connection& db) { return complete_now(db, which, order, file); };
  co_return co_await writer_.write("complete_upload", std::move(work), by);
}

Co<Status> SqliteUploads::finish(Owner owner, UploadId id, FileInfo file, Deadline by) {
  Which which{std::move(owner), std::move(id), clock_.wall()};
  auto work = [which = std::move(which), file = std::move(file)](Connection& db) {
    return finish_now(db, which, file);
  };
  co_return co_await writer_.write("finish_upload", std::move(work), by);
}

Co<Result<std::vector<UploadPart>>> SqliteUploads::cancel(Owner owner, UploadId id, Deadline by) {
  Which which{std::move(owner), std::move(id), clock_.wall()};
  auto work = [which = std::move(which)](Connection& db) { return cancel_now(db, which); };
  co_return co_await writer_.write("cancel_upload", std::move(work), by);
}

Co<Result<std::vector<UploadInfo>>> SqliteUploads::over(std::uint32_t limit, Deadline by) {
  auto work = [limit, now = clock_.wall()](Connection& db) -> Result<std::vector<UploadInfo>> {
    std::vector<UploadInfo> out;
    Query query(db, kOver);
    query.bind(micros(now), limit);
    while (query.step()) out.push_back(row_of(query).info);
    return out;
  };
  co_return co_await readers_.read("uploads_over", std::move(work), by);
}

Co<Result<std::vector<UploadPart>>> SqliteUploads::parts_of(UploadId id, Deadline by) {
  auto work = [id = std::move(id)](Connection& db) -> Result<std::vector<UploadPart>> {
    auto row = find_any(db, id);
    return row ? parts_now(db, row->n) : std::vector<UploadPart>();
  };
  co_return co_await readers_.read("parts_of_upload", std::move(work), by);
}

Co<Status> SqliteUploads::erase(UploadId id, Deadline by) {
  auto work = [id = std::move(id)](Connection& db) -> Status {
    auto row = find_any(db, id);
    if (!row) return done();
    Query(db, kDropParts).bind(row->n).finish();
    Query(db, kDrop).bind(row->n).finish();
    return done();
  };
  co_return co_await writer_.write("erase_upload", std::move(work), by);
}

Co<Result<bool>> SqliteUploads::holds(std::string content, Deadline by) {
  auto work = [content = std::move(content)](Connection& db) -> Result<bool> {
    for (const char* sql : {kHeldPart, kHeldFile}) {
      Query query(db, sql);
      query.bind(content);
      if (query.step()) return true;
    }
    return false;
  };
  co_return co_await readers_.read("upload_holds", std::move(work), by);
}

}  // namespace mainstay::storage::sqlite
