// A disk that can lose power, and processes that die in the middle of writing: preloaded
// (LD_PRELOAD) into the program under test, it writes down what every change to a file took away
// until the file is synced. power_cut.h puts it back. No part of the program; built without
// sanitizers, since it stands below them.
//
//   MAINSTAY_DISK       the folder whose files are watched
//   MAINSTAY_DISK_UNDO  the folder for what can be put back; unset: nothing is written down
//   MAINSTAY_DISK_DIE   before_write:N, after_write:N, before_sync:N or after_sync:N: the process
//                       kills itself there, the Nth time
//   MAINSTAY_DISK_LIES  set: syncs are answered and not done
//
// Simplified: a rename or a removal counts as on the disk at once; a new file is there from its
// first sync on, or from that of its folder. SQLite's shared memory file is not watched, since it
// means nothing after a restart.
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "faults/undo_record.h"

namespace {

using mainstay::faults::UndoKind;
using mainstay::faults::UndoRecord;

/// A watched file, by inode; never given back, so that closing it cannot drop the program's locks.
struct File {
  std::mutex mutex;
  ino_t inode = 0;
  int log = -1;
  int reader = -1;
  std::uint64_t end = 0;      ///< of the log
  std::uint64_t emptied = 0;  ///< how often
};

constexpr int kFilesMax = 65536;
std::array<std::atomic<File*>, kFilesMax> by_fd;

template <class... A>
long raw(long number, A... a) {
  return ::syscall(number, a...);
}

struct Settings {
  std::string watched, undo, die;
  long die_at = 0;
  bool lies = false;
  std::atomic<long> count{0};
  std::mutex mutex;
  std::map<ino_t, File*> files;
};

Settings& settings() {
  static Settings* const all = [] {
    auto* made = new Settings();
    const auto of = [](const char* name) {
      const char* value = ::getenv(name);
      return std::string(value == nullptr ? "" : value);
    };
    made->watched = of("MAINSTAY_DISK");
    made->undo = of("MAINSTAY_DISK_UNDO");
    made->die = of("MAINSTAY_DISK_DIE");
    made->lies = !of("MAINSTAY_DISK_LIES").empty();
    const auto colon = made->die.find(':');
    if (colon != std::string::npos) {
      made->die_at = std::atol(made->die.c_str() + colon + 1);
      made->die.resize(colon);
    }
    return made;
  }();
  return *all;
}

void here(std::string_view point) {
  Settings& all = settings();
  if (all.die_at == 0 || all.die != point) return;
  if (all.count.fetch_add(1) + 1 != all.die_at) return;
  raw(SYS_kill, ::getpid(), SIGKILL);
  for (;;) ::pause();
}

void append(File& file, UndoKind kind, std::uint64_t offset, std::uint64_t size,
            std::string_view old) {
  if (file.log < 0) return;
  UndoRecord record{static_cast<std::uint64_t>(kind), offset, old.size(), size};
  std::string text(reinterpret_cast<const char*>(&record), sizeof(record));
  text += old;
  if (raw(SYS_write, file.log, text.data(), text.size()) != static_cast<long>(text.size())) {
    ::abort();
  }
  file.end += text.size();
}

std::uint64_t size_of(int fd) {
  struct stat found{};
  return ::fstat(fd, &found) == 0 ? static_cast<std::uint64_t>(found.st_size) : 0;
}

/// The watched file behind a descriptor; a number that means something else by now is forgotten.
File* file_of(int fd) {
  if (fd < 0 || fd >= kFilesMax) return nullptr;
  File* file = by_fd[static_cast<std::size_t>(fd)].load(std::memory_order_acquire);
  if (file == nullptr) return nullptr;
  struct stat found{};
  if (::fstat(fd, &found) == 0 && found.st_ino == file->inode) return file;
  by_fd[static_cast<std::size_t>(fd)] = nullptr;
  return nullptr;
}

std::string path_of(int fd) {
  char text[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(link.c_str(), text, sizeof(text));
  return length > 0 ? std::string(text, static_cast<std::size_t>(length)) : std::string();
}

void watch(int fd, bool existed) {
  Settings& all = settings();
  if (fd < 0 || fd >= kFilesMax) return;
  by_fd[static_cast<std::size_t>(fd)] = nullptr;
  if (all.watched.empty()) return;
  struct stat found{};
  if (::fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) return;
  const std::string path = path_of(fd);
  if (!path.starts_with(all.watched + "/") || path.ends_with("-shm")) return;
  if (!all.undo.empty() && path.starts_with(all.undo + "/")) return;
  std::lock_guard lock(all.mutex);
  File*& file = all.files[found.st_ino];
  if (file == nullptr) {
    file = new File();
    file->inode = found.st_ino;
    if (!all.undo.empty()) {
      const std::string log = all.undo + "/" + std::to_string(found.st_ino);
      const std::string self = "/proc/self/fd/" + std::to_string(fd);
      const int fresh = existed ? 0 : O_TRUNC;
      file->log = static_cast<int>(raw(SYS_openat, AT_FDCWD, log.c_str(),
                                       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | fresh, 0600));
      file->reader =
          static_cast<int>(raw(SYS_openat, AT_FDCWD, self.c_str(), O_RDONLY | O_CLOEXEC));
      file->end = size_of(file->log);
      if (!existed) append(*file, UndoKind::created, 0, 0, {});
    }
  }
  by_fd[static_cast<std::size_t>(fd)] = file;
}

/// What a write of this place takes away.
void save(File& file, int fd, std::uint64_t offset, std::uint64_t length) {
  if (file.log < 0) return;
  const std::uint64_t size = size_of(fd);
  std::string old;
  if (offset < size) {
    old.resize(std::min(length, size - offset));
    const long got = raw(SYS_pread64, file.reader, old.data(), old.size(), offset);
    if (got != static_cast<long>(old.size())) ::abort();
  }
  append(file, UndoKind::bytes, offset, size, old);
}

std::uint64_t place_of_write(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if ((flags & O_APPEND) != 0) return size_of(fd);
  return static_cast<std::uint64_t>(raw(SYS_lseek, fd, 0L, SEEK_CUR));
}

int open_watched(int at, const char* path, int flags, mode_t mode) {
  struct stat before{};
  const bool existed = ::fstatat(at, path, &before, 0) == 0;
  const bool cut = existed && (flags & O_TRUNC) != 0 && S_ISREG(before.st_mode);
  const int now = cut ? flags & ~O_TRUNC : flags;
  const int fd = static_cast<int>(raw(SYS_openat, at, path, now, mode));
  if (fd < 0) return fd;
  watch(fd, existed);
  if (cut) ::ftruncate(fd, 0);
  return fd;
}

/// The folder was synced: the files in it exist from now on, with what was synced of each.
void entered(const std::string& folder) {
  Settings& all = settings();
  std::lock_guard lock(all.mutex);
  for (auto& [inode, file] : all.files) {
    if (file->reader < 0) continue;
    const std::string path = path_of(file->reader);
    if (path.substr(0, path.rfind('/')) != folder) continue;
    std::lock_guard held(file->mutex);
    append(*file, UndoKind::entered, 0, 0, {});
  }
}

int sync_watched(int fd, long call) {
  if (settings().lies) return 0;
  File* file = file_of(fd);
  if (file == nullptr) {
    const int result = static_cast<int>(raw(call, fd));
    struct stat found{};
    if (result == 0 && !settings().undo.empty() && ::fstat(fd, &found) == 0 &&
        S_ISDIR(found.st_mode)) {
      entered(path_of(fd));
    }
    return result;
  }
  here("before_sync");
  std::uint64_t upto = 0;
  std::uint64_t emptied = 0;
  {
    std::lock_guard lock(file->mutex);
    upto = file->end;
    emptied = file->emptied;
  }
  const int result = static_cast<int>(raw(call, fd));
  if (result == 0 && file->log >= 0) {
    std::lock_guard lock(file->mutex);
    if (file->emptied == emptied && upto == file->end) {
      if (raw(SYS_ftruncate, file->log, 0L) != 0) ::abort();
      file->end = 0;
      ++file->emptied;
    } else if (file->emptied == emptied) {
      append(*file, UndoKind::synced, upto, 0, {});
    }
  }
  here("after_sync");
  return result;
}

mode_t mode_in(int flags, va_list& rest) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? static_cast<mode_t>(va_arg(rest, unsigned)) : 0;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_in(flags, rest);
  va_end(rest);
  return open_watched(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_in(flags, rest);
  va_end(rest);
  return open_watched(AT_FDCWD, path, flags, mode);
}
int __open_2(const char* path, int flags) {
  return open_watched(AT_FDCWD, path, flags, 0);
}
int __open64_2(const char* path, int flags) {
  return open_watched(AT_FDCWD, path, flags, 0);
}
int close(int fd) {
  if (fd >= 0 && fd < kFilesMax) by_fd[static_cast<std::size_t>(fd)] = nullptr;
  return static_cast<int>(raw(SYS_close, fd));
}
ssize_t write(int fd, const void* data, size_t length) {
  File* file = file_of(fd);
  if (file == nullptr) return raw(SYS_write, fd, data, length);
  here("before_write");
  ssize_t result = 0;
  {
    std::lock_guard lock(file->mutex);
    save(*file, fd, place_of_write(fd), length);
    result = raw(SYS_write, fd, data, length);
  }
  here("after_write");
  return result;
}
ssize_t pwrite64(int fd, const void* data, size_t length, off64_t offset) {
  File* file = file_of(fd);
  if (file == nullptr) return raw(SYS_pwrite64, fd, data, length, offset);
  here("before_write");
  ssize_t result = 0;
  {
    std::lock_guard lock(file->mutex);
    save(*file, fd, static_cast<std::uint64_t>(offset), length);
    result = raw(SYS_pwrite64, fd, data, length, offset);
  }
  here("after_write");
  return result;
}
ssize_t pwrite(int fd, const void* data, size_t length, off_t offset) {
  return pwrite64(fd, data, length, offset);
}
int ftruncate64(int fd, off64_t length) noexcept {
  File* file = file_of(fd);
  if (file == nullptr) return static_cast<int>(raw(SYS_ftruncate, fd, length));
  std::lock_guard lock(file->mutex);
  const std::uint64_t size = size_of(fd);
  const auto to = static_cast<std::uint64_t>(length);
  if (to < size) {
    save(*file, fd, to, size - to);
  } else {
    save(*file, fd, size, 0);
  }
  return static_cast<int>(raw(SYS_ftruncate, fd, length));
}
int ftruncate(int fd, off_t length) noexcept {
  return ftruncate64(fd, length);
}
int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
  File* file = file_of(fd);
  if (file == nullptr) return static_cast<int>(raw(SYS_fallocate, fd, mode, offset, length));
  std::lock_guard lock(file->mutex);
  save(*file, fd, size_of(fd), 0);
  return static_cast<int>(raw(SYS_fallocate, fd, mode, offset, length));
}
int fallocate(int fd, int mode, off_t offset, off_t length) {
  return fallocate64(fd, mode, offset, length);
}
int posix_fallocate64(int fd, off64_t offset, off64_t length) {
  return fallocate64(fd, 0, offset, length) == 0 ? 0 : errno;
}
int posix_fallocate(int fd, off_t offset, off_t length) {
  return posix_fallocate64(fd, offset, length);
}
int fsync(int fd) {
  return sync_watched(fd, SYS_fsync);
}
int fdatasync(int fd) {
  return sync_watched(fd, SYS_fdatasync);
}

}  // extern "C"
