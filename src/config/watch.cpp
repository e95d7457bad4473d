// The watch's two steps, and the look at the file.
#include "config/watch.h"

#include <sys/stat.h>

namespace mainstay::config {

FileStamp stamp_of(const std::string& path) {
  FileStamp out;
  struct stat found{};
  if (path.empty() || ::stat(path.c_str(), &found) != 0) return out;
  out.there = true;
  out.device = static_cast<std::uint64_t>(found.st_dev);
  out.inode = static_cast<std::uint64_t>(found.st_ino);
  out.size = static_cast<std::uint64_t>(found.st_size);
  out.modified_ns = std::int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec;
  return out;
}

Due look(Watch& watch, const FileStamp& now_there, TimePoint now, Duration ttl) {
  const bool settled = now_there == watch.seen;
  watch.seen = now_there;
  if (settled && now_there != watch.read) return Due::changed;
  return now - watch.tried >= ttl ? Due::expired : Due::no;
}

void was_read(Watch& watch, const FileStamp& stamp, TimePoint now) {
  watch.read = stamp;
  watch.seen = stamp;
  watch.tried = now;
}

}  // namespace mainstay::config
