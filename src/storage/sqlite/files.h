// Facts of files over SQLite, in the file of the conversations. Used by storage/sqlite/open.cpp.
#pragma once

#include <string>
#include <vector>

#include <memory>

#include "storage/files.h"
#include "storage/gone_places.h"
#include "storage/sqlite/readers.h"
#include "storage/sqlite/writer.h"

namespace mainstay::storage::sqlite {

class SqliteFiles final : public Files {
 public:
  SqliteFiles(Writer& writer, Readers& readers, Clock& clock)
      : writer_(writer), readers_(readers), clock_(clock) {}
  Co<Status> add(FileInfo file, FileLimits limits, Deadline by) override;
  Co<Result<FileInfo>> get(Owner owner, FileId id, Deadline by) override;
  Co<Result<PageOfFiles>> list(FileFilter filter, FileId after, std::uint32_t limit,
                               Deadline by) override;
  Co<Status> erase(Owner owner, FileId id, Deadline by) override;
  Co<Result<std::vector<FileInfo>>> over(std::uint32_t limit, Deadline by) override;
  Co<Result<bool>> known(FileId id, Deadline by) override;

 private:
  Writer& writer_;
  Readers& readers_;
  Clock& clock_;
  using Gone = GonePlaces<std::int64_t>;
  const std::shared_ptr<Gone> gone_ = std::make_shared<Gone>();  ///< a write may outlive its call
};

/// The texts of the queries whose plans a test looks at: none may scan a table.
std::vector<std::string> file_queries();

}  // namespace mainstay::storage::sqlite
