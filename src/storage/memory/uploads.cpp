// The rules of uploads, written as plainly as possible.
#include "storage/memory/uploads.h"

#include <algorithm>

#include "storage/file_says.h"

namespace mainstay::storage::memory {
namespace {

bool is_open(const UploadInfo& upload) {
  return upload.state == UploadState::pending || upload.state == UploadState::completing;
}

}  // namespace

MemoryUploads::All::iterator MemoryUploads::find(const UploadId& id) {
  return std::find_if(all_.begin(), all_.end(), [&](const Row& row) { return row.info.id == id; });
}

MemoryUploads::Row* MemoryUploads::find_of(const Owner& owner, const UploadId& id) {
  const auto found = find(id);
  const bool theirs =
      found != all_.end() && found->info.owner == owner && found->info.expires > clock_.wall();
  return theirs ? &*found : nullptr;
}

Status MemoryUploads::add_now(UploadInfo upload, const UploadLimits& limits) {
  std::uint32_t open = 0;
  const auto kept = files_.sums_of(upload.owner);
  std::uint64_t bytes = kept.bytes + upload.bytes;
  for (const auto& row : all_) {
    if (row.info.owner != upload.owner || !is_open(row.info)) continue;
    ++open;
    bytes += row.info.bytes;
  }
  if (open >= limits.open_max) return too_many_uploads();
  if (kept.entries + open + 1 > limits.files.entries_max) return too_many_files();
  if (bytes > limits.files.bytes_max) return too_many_file_bytes();
  all_.push_back({std::move(upload), {}});
  return done();
}

Co<Status> MemoryUploads::add(UploadInfo upload, UploadLimits limits, Deadline) {
  std::lock_guard lock(mutex_);
  co_return add_now(std::move(upload), limits);
}

Co<Result<UploadInfo>> MemoryUploads::get(Owner owner, UploadId id, Deadline) {
  std::lock_guard lock(mutex_);
  const Row* row = find_of(owner, id);
  if (row == nullptr) co_return unknown_upload();
  co_return row->info;
}

Co<Result<std::vector<UploadInfo>>> MemoryUploads::open(Owner owner, std::uint32_t limit,
                                                        Deadline) {
  std::lock_guard lock(mutex_);
  std::vector<UploadInfo> out;
  for (auto row = all_.rbegin(); row != all_.rend() && out.size() < limit; ++row) {
    const bool shown =
        row->info.owner == owner && is_open(row->info) && row->info.expires > clock_.wall();
    if (shown) out.push_back(row->info);
  }
  co_return out;
}

Co<Result<std::vector<UploadPart>>> MemoryUploads::parts(Owner owner, UploadId id, Deadline) {
  std::lock_guard lock(mutex_);
  const Row* row = find_of(owner, id);
  if (row == nullptr) co_return unknown_upload();
  co_return row->parts;
}

Co<Result<UploadPart>> MemoryUploads::add_part(Owner owner, UploadId id, UploadPart part,
                                               std::uint32_t parts_max, WallTime expires,
                                               Deadline) {
  std::lock_guard lock(mutex_);
  Row* row = find_of(owner, id);
  if (row == nullptr) co_return unknown_upload();
  if (row->info.state != UploadState::pending) co_return upload_not_pending();
  row->info.expires = expires;
  for (const auto& one : row->parts) {
    if (one.sha256 == part.sha256 && one.size == part.size) co_return one;
  }
  auto fits = check_part(row->info, part.size, parts_max);
  if (!fits.ok()) co_return fits.error();
  ++row->info.parts;
  row->info.parts_bytes += part.size;
  row->parts.push_back(part);
  co_return part;
}

Co<Result<UploadInfo>> MemoryUploads::complete(Owner owner, UploadId id, std::vector<PartId> order,
                                               FileId file, Deadline) {
  std::lock_guard lock(mutex_);
  Row* row = find_of(owner, id);
  if (row == nullptr) co_return unknown_upload();
  UploadInfo& info = row->info;
  const bool begun = info.state == UploadState::completing || info.state == UploadState::completed;
  if (begun && info.order == order) co_return info;
  if (info.state != UploadState::pending) co_return upload_not_pending();
  auto fits = check_order(info, row->parts, order);
  if (!fits.ok()) co_return fits.error();
  info.state = UploadState::completing;
  info.order = std::move(order);
  info.file = std::move(file);
  co_return info;
}

Co<Status> MemoryUploads::finish(Owner owner, UploadId id, FileInfo file, Deadline by) {
  auto ended = end_now(owner, id);
  if (!ended.ok()) co_return ended.error();
  if (!*ended) co_return done();
  // The upload counted already: the bounds were looked at when it began.
  const FileLimits any{UINT64_MAX, UINT64_MAX};
  auto added = co_await files_.add(std::move(file), any, by);
  co_return added;
}

/// True: its file is to be added.
Result<bool> MemoryUploads::end_now(const Owner& owner, const UploadId& id) {
  std::lock_guard lock(mutex_);
  Row* row = find_of(owner, id);
  if (row == nullptr) return unknown_upload();
  if (row->info.state == UploadState::completed) return false;
  if (row->info.state != UploadState::completing) return upload_not_pending();
  row->info.state = UploadState::completed;
  row->parts.clear();
  return true;
}

Co<Result<std::vector<UploadPart>>> MemoryUploads::cancel(Owner owner, UploadId id, Deadline) {
  std::lock_guard lock(mutex_);
  Row* row = find_of(owner, id);
  if (row == nullptr) co_return unknown_upload();
  if (row->info.state == UploadState::cancelled) co_return std::vector<UploadPart>();
  if (row->info.state != UploadState::pending) co_return upload_not_pending();
  row->info.state = UploadState::cancelled;
  co_return std::exchange(row->parts, {});
}

Co<Result<std::vector<UploadInfo>>> MemoryUploads::over(std::uint32_t limit, Deadline) {
  std::lock_guard lock(mutex_);
  std::vector<UploadInfo> out;
  for (const auto& row : all_) {
    if (out.size() < limit && row.info.expires <= clock_.wall()) out.push_back(row.info);
  }
  co_return out;
}

Co<Result<std::vector<UploadPart>>> MemoryUploads::parts_of(UploadId id, Deadline) {
  std::lock_guard lock(mutex_);
  const auto found = find(id);
  co_return found == all_.end() ? std::vector<UploadPart>() : found->parts;
}

Co<Status> MemoryUploads::erase(UploadId id, Deadline) {
  std::lock_guard lock(mutex_);
  const auto found = find(id);
  if (found != all_.end()) all_.erase(found);
  co_return done();
}

Co<Result<bool>> MemoryUploads::holds(std::string content, Deadline) {
  std::lock_guard lock(mutex_);
  for (const auto& row : all_) {
    if (row.info.file.text() == content && row.info.state == UploadState::completing)
      co_return true;
    for (const auto& part : row.parts) {
      if (part.id.text() == content) co_return true;
    }
  }
  co_return false;
}

}  // namespace mainstay::storage::memory
