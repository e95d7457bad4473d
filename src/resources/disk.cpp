// statvfs for the room, statfs for the kind of file system.
#include "resources/disk.h"

#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

namespace mainstay::resources {

std::optional<DiskFigures> read_disk(const std::string& path) {
  struct statvfs room{};
  if (::statvfs(path.c_str(), &room) != 0) return std::nullopt;
  DiskFigures out;
  out.total = std::uint64_t{room.f_blocks} * room.f_frsize;
  out.free = std::uint64_t{room.f_bavail} * room.f_frsize;
  out.inodes_total = room.f_files;
  out.inodes_free = room.f_favail;
  out.read_only = (room.f_flag & ST_RDONLY) != 0;
  struct statfs kind{};
  if (::statfs(path.c_str(), &kind) == 0) {
    const auto magic = static_cast<unsigned long>(kind.f_type);
    out.in_memory = magic == TMPFS_MAGIC || magic == RAMFS_MAGIC;
  }
  return out;
}

}  // namespace mainstay::resources
