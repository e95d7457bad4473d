// Uploads over SQLite, in the file of the conversations. Used by storage/sqlite/open.cpp.
#pragma once

#include <string>
#include <vector>

#include "storage/sqlite/readers.h"
#include "storage/sqlite/writer.h"
#include "storage/uploads.h"

namespace mainstay::storage::sqlite {

class SqliteUploads final : public Uploads {
 public:
  SqliteUploads(Writer& writer, Readers& readers, Clock& clock)
      : writer_(writer), readers_(readers), clock_(clock) {}
  Co<Status> add(UploadInfo upload, UploadLimits limits, Deadline by) override;
  Co<Result<UploadInfo>> get(Owner owner, UploadId id, Deadline by) override;
  Co<Result<std::vector<UploadInfo>>> open(Owner owner, std::uint32_t limit, Deadline by) override;
  Co<Result<std::vector<UploadPart>>> parts(Owner owner, UploadId id, Deadline by) override;
  Co<Result<UploadPart>> add_part(Owner owner, UploadId id, UploadPart part,
                                  std::uint32_t parts_max, WallTime expires, Deadline by) override;
  Co<Result<UploadInfo>> complete(Owner owner, UploadId id, std::vector<PartId> order, FileId file,
                                  Deadline by) override;
  Co<Status> finish(Owner owner, UploadId id, FileInfo file, Deadline by) override;
  Co<Result<std::vector<UploadPart>>> cancel(Owner owner, UploadId id, Deadline by) override;
  Co<Result<std::vector<UploadInfo>>> over(std::uint32_t limit, Deadline by) override;
  Co<Result<std::vector<UploadPart>>> parts_of(UploadId id, Deadline by) override;
  Co<Status> erase(UploadId id, Deadline by) override;
  Co<Result<bool>> holds(std::string content, Deadline by) override;

 private:
  Writer& writer_;
  Readers& readers_;
  Clock& clock_;
};

// The two tables; a step of the schema. `part_order`: ids with spaces between them.
inline constexpr const char* kUploadTables = R"sql(
CREATE TABLE upload (
  n           INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT NOT NULL UNIQUE,
  tenant      TEXT NOT NULL,
  user        TEXT NOT NULL,
  name        TEXT NOT NULL,
  purpose     TEXT NOT NULL,
  media_type  TEXT NOT NULL,
  bytes       INTEGER NOT NULL,
  state       INTEGER NOT NULL,
  created     INTEGER NOT NULL,
  expires     INTEGER NOT NULL,
  file_keep   INTEGER NOT NULL,
  file        TEXT NOT NULL,
  part_order  TEXT NOT NULL,
  parts       INTEGER NOT NULL,
  parts_bytes INTEGER NOT NULL
) STRICT;
CREATE INDEX upload_open ON upload (tenant, user, n) WHERE state < 2;
CREATE INDEX upload_by_end ON upload (expires);
CREATE INDEX upload_by_file ON upload (file) WHERE state = 1;
CREATE TABLE upload_part (
  n       INTEGER PRIMARY KEY AUTOINCREMENT,
  id      TEXT NOT NULL UNIQUE,
  upload  INTEGER NOT NULL REFERENCES upload (n),
  size    INTEGER NOT NULL,
  sha256  TEXT NOT NULL,
  created INTEGER NOT NULL,
  UNIQUE (upload, sha256, size)
) STRICT;
CREATE INDEX upload_part_by_upload ON upload_part (upload, n);
)sql";

/// The texts of the queries whose plans a test looks at: none may scan a table.
std::vector<std::string> upload_queries();

}  // namespace mainstay::storage::sqlite
