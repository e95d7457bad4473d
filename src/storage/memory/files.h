// Facts of files in plain containers. Used by storage/memory/open.cpp.
#pragma once

#include <map>
#include <mutex>

#include "storage/files.h"
#include "storage/gone_places.h"

namespace mainstay::storage::memory {

/// Thread-safe; no call waits.
class MemoryFiles final : public Files {
 public:
  explicit MemoryFiles(Clock& clock) : clock_(clock) {}
  Co<Status> add(FileInfo file, FileLimits limits, Deadline by) override;
  Co<Result<FileInfo>> get(Owner owner, FileId id, Deadline by) override;
  Co<Result<PageOfFiles>> list(FileFilter filter, FileId after, std::uint32_t limit,
                               Deadline by) override;
  Co<Status> erase(Owner owner, FileId id, Deadline by) override;
  Co<Result<std::vector<FileInfo>>> over(std::uint32_t limit, Deadline by) override;
  Co<Result<bool>> known(FileId id, Deadline by) override;
  struct Sums {
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;
  };
  Sums sums_of(const Owner& owner);  ///< for MemoryUploads

 private:
  using All = std::vector<FileInfo>;  ///< oldest first
  All::iterator find(const FileId& id);
  All::iterator find_of(const Owner& owner, const FileId& id);
  bool is_over(const FileInfo& file) const;
  Status add_now(FileInfo file, const FileLimits& limits);
  Result<PageOfFiles> page(const FileFilter& filter, const FileId& after, std::uint32_t limit);

  Clock& clock_;
  std::mutex mutex_;
  All all_;
  std::uint64_t next_ = 1;
  std::map<FileId, std::uint64_t> places_;  ///< of all_, in the order they came
  GonePlaces<std::uint64_t> gone_;
};

}  // namespace mainstay::storage::memory
