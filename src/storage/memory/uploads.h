// Uploads in plain containers. Used by storage/memory/open.cpp.
#pragma once

#include <mutex>

#include "storage/memory/files.h"
#include "storage/uploads.h"

namespace mainstay::storage::memory {

/// Thread-safe; no call waits. `files` outlives it.
class MemoryUploads final : public Uploads {
 public:
  MemoryUploads(Clock& clock, MemoryFiles& files) : clock_(clock), files_(files) {}
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
  struct Row {
    UploadInfo info;
    std::vector<UploadPart> parts;
  };
  using All = std::vector<Row>;  ///< oldest first
  All::iterator find(const UploadId& id);
  Row* find_of(const Owner& owner, const UploadId& id);
  Result<bool> end_now(const Owner& owner, const UploadId& id);
  Status add_now(UploadInfo upload, const UploadLimits& limits);

  Clock& clock_;
  MemoryFiles& files_;
  std::mutex mutex_;
  All all_;
};

}  // namespace mainstay::storage::memory
