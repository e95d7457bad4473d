// Face: what is known of the files that clients put here; their contents are in a Shelf.
// Back ends: memory, sqlite. Every verb is limited to its owner: another's id is not_found.
// Used by api and jobs (batches).
#pragma once

#include <string>
#include <vector>

#include "storage/conversations.h"

namespace mainstay::storage {

using FileId = Id<struct FileTag>;

struct FileInfo {
  FileId id;  ///< also the content's name on the shelf
  Owner owner;
  std::string name;
  std::string purpose;
  std::uint64_t size = 0;
  WallTime created{};
  WallTime expires{};  ///< not found from then on; zero: never
};

/// Bounds of one owner's files.
struct FileLimits {
  std::uint64_t entries_max = 1000;
  std::uint64_t bytes_max = 1ULL << 30;
};

struct FileFilter {
  Owner owner;
  std::string purpose;  ///< empty: any
  bool oldest_first = false;
};
struct PageOfFiles {
  std::vector<FileInfo> items;
  bool more = false;
};

/// Any loop may call; no call blocks it. Errors of every verb: unavailable, deadline (it may still
/// happen), disk_full, corrupt, and those named.
class Files {
 public:
  virtual ~Files() = default;
  /// An id that is known already changes nothing. Errors: over_limit "too_many_files",
  /// "too_many_file_bytes".
  virtual Co<Status> add(FileInfo file, FileLimits limits, Deadline by) = 0;
  /// Errors: not_found "unknown_file".
  virtual Co<Result<FileInfo>> get(Owner owner, FileId id, Deadline by) = 0;
  /// `after`: id of the last one seen, which may have been erased lately (gone_places.h); empty:
  /// from the start. Errors: not_found "unknown_file".
  virtual Co<Result<PageOfFiles>> list(FileFilter filter, FileId after, std::uint32_t limit,
                                       Deadline by) = 0;
  /// Errors: not_found "unknown_file".
  virtual Co<Status> erase(Owner owner, FileId id, Deadline by) = 0;
  /// Files whose time is over, of all owners, the first to end first.
  virtual Co<Result<std::vector<FileInfo>>> over(std::uint32_t limit, Deadline by) = 0;
  /// Whether there is such a file, whoever's and whether or not its time is over.
  virtual Co<Result<bool>> known(FileId id, Deadline by) = 0;
};

}  // namespace mainstay::storage
