// The rules of files, written as plainly as possible.
#include "storage/memory/files.h"

#include <algorithm>
#include <tuple>

#include "storage/file_says.h"

namespace mainstay::storage::memory {

bool MemoryFiles::is_over(const FileInfo& file) const {
  return file.expires != WallTime{} && file.expires <= clock_.wall();
}

MemoryFiles::All::iterator MemoryFiles::find(const FileId& id) {
  return std::find_if(all_.begin(), all_.end(), [&](const FileInfo& one) { return one.id == id; });
}

MemoryFiles::All::iterator MemoryFiles::find_of(const Owner& owner, const FileId& id) {
  const auto found = find(id);
  const bool theirs = found != all_.end() && found->owner == owner && !is_over(*found);
  return theirs ? found : all_.end();
}

MemoryFiles::Sums MemoryFiles::sums_of(const Owner& owner) {
  std::lock_guard lock(mutex_);
  Sums out;
  for (const auto& one : all_) {
    if (one.owner != owner) continue;
    ++out.entries;
    out.bytes += one.size;
  }
  return out;
}

Status MemoryFiles::add_now(FileInfo file, const FileLimits& limits) {
  if (find(file.id) != all_.end()) return done();
  std::uint64_t entries = 1;
  std::uint64_t bytes = file.size;
  for (const auto& one : all_) {
    if (one.owner != file.owner) continue;
    ++entries;
    bytes += one.size;
  }
  if (entries > limits.entries_max) return too_many_files();
  if (bytes > limits.bytes_max) return too_many_file_bytes();
  places_[file.id] = next_++;
  all_.push_back(std::move(file));
  return done();
}

Result<PageOfFiles> MemoryFiles::page(const FileFilter& filter, const FileId& after,
                                      std::uint32_t limit) {
  std::optional<std::uint64_t> place;
  if (!after.empty()) {
    const bool there = find_of(filter.owner, after) != all_.end();
    place = there ? places_.at(after) : gone_.find(filter.owner, after.text());
    if (!place) return unknown_file();
  }
  All order = all_;
  if (!filter.oldest_first) std::reverse(order.begin(), order.end());
  PageOfFiles out;
  for (auto& one : order) {
    const bool fits = one.owner == filter.owner && !is_over(one) &&
                      (filter.purpose.empty() || one.purpose == filter.purpose);
    const std::uint64_t n = places_.at(one.id);
    const bool passed = !place || (filter.oldest_first ? n > *place : n < *place);
    if (!passed || !fits) continue;
    out.more = out.items.size() == limit;
    if (out.more) break;
    out.items.push_back(std::move(one));
  }
  return out;
}

Co<Status> MemoryFiles::add(FileInfo file, FileLimits limits, Deadline) {
  std::lock_guard lock(mutex_);
  co_return add_now(std::move(file), limits);
}

Co<Result<FileInfo>> MemoryFiles::get(Owner owner, FileId id, Deadline) {
  std::lock_guard lock(mutex_);
  const auto found = find_of(owner, id);
  if (found == all_.end()) co_return unknown_file();
  co_return *found;
}

Co<Result<PageOfFiles>> MemoryFiles::list(FileFilter filter, FileId after, std::uint32_t limit,
                                          Deadline) {
  std::lock_guard lock(mutex_);
  co_return page(filter, after, limit);
}

Co<Status> MemoryFiles::erase(Owner owner, FileId id, Deadline) {
  std::lock_guard lock(mutex_);
  const auto found = find(id);
  if (found == all_.end() || found->owner != owner) co_return unknown_file();
  gone_.put(owner, id.text(), places_.at(id));
  places_.erase(id);
  all_.erase(found);
  co_return done();
}

Co<Result<std::vector<FileInfo>>> MemoryFiles::over(std::uint32_t limit, Deadline) {
  std::lock_guard lock(mutex_);
  All out;
  for (const auto& one : all_) {
    if (is_over(one)) out.push_back(one);
  }
  std::sort(out.begin(), out.end(), [](const FileInfo& a, const FileInfo& b) {
    return std::tie(a.expires, a.id) < std::tie(b.expires, b.id);
  });
  if (out.size() > limit) out.resize(limit);
  co_return out;
}

Co<Result<bool>> MemoryFiles::known(FileId id, Deadline) {
  std::lock_guard lock(mutex_);
  co_return find(id) != all_.end();
}

}  // namespace mainstay::storage::memory
