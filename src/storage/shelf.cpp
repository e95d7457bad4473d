// Plain POSIX calls beneath one open folder.
#include "storage/shelf.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string_view>

#include "storage/file_says.h"

namespace mainstay::storage {
namespace {

constexpr std::size_t kNameMax = 128;
constexpr std::size_t kCopied = 256 * 1024;  ///< at once, by hand
constexpr std::size_t kListed = 10'000;      ///< names looked at in one go

/// Closes a descriptor at its end.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

bool is_name(const std::string& name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  return !name.empty() && name.size() <= kNameMax && std::all_of(name.begin(), name.end(), fits);
}

Error disk_error(const char* doing) {
  const int why = errno;
  const std::string detail = std::string(doing) + ": " + std::strerror(why);
  if (why == ENOENT) return unknown_file();
  Error error = why == ENOSPC || why == EDQUOT
                    ? Error::say(Errc::disk_full, "disk_full",
                                 "The disk is full, so the file was not kept. Free some space, "
                                 "then try again.")
                    : Error::say(Errc::unavailable, "storage_failed",
                                 "The disk reported an error. Try again later.");
  error.detail = detail;
  return error;
}

Status write_all(int fd, std::uint64_t at, std::string_view bytes) {
  std::size_t put = 0;
  while (put < bytes.size()) {
    const ssize_t n =
        ::pwrite(fd, bytes.data() + put, bytes.size() - put, static_cast<off_t>(at + put));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return disk_error("write");
    put += static_cast<std::size_t>(n);
  }
  return done();
}

Status put_now(int folder, const std::string& name, std::uint64_t at, const std::string& bytes,
               bool synced) {
  const Descriptor file(
      ::openat(folder, name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) return disk_error("open");
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return disk_error("fstat");
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size < at) return Error::log(Errc::corrupt, name + " is shorter than what was recorded");
  if (size > at && ::ftruncate(file.get(), static_cast<off_t>(at)) != 0)
    return disk_error("truncate");
  auto written = write_all(file.get(), at, bytes);
  if (!written.ok() || !synced) return written;
  if (::fsync(file.get()) != 0) return disk_error("fsync");
  if (::fsync(folder) != 0) return disk_error("fsync of the folder");
  return done();
}

Result<std::string> read_now(int folder, const std::string& name, std::uint64_t at,
                             std::size_t most) {
  const Descriptor file(::openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0) return disk_error("open");
  std::string out(most, '\0');
  std::size_t got = 0;
  while (got < most) {
    const ssize_t n =
        ::pread(file.get(), out.data() + got, most - got, static_cast<off_t>(at + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return disk_error("read");
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  out.resize(got);
  return out;
}

Result<OpenContent> open_now(int folder, const std::string& name) {
  OpenContent file(::openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0) return disk_error("open");
  return file;
}

Result<std::vector<std::string>> older_now(int folder, Duration age, WallTime now) {
  std::vector<std::string> out;
  Descriptor copy(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (copy.get() < 0) return disk_error("open of the folder");
  DIR* all = ::fdopendir(copy.get());
  if (all == nullptr) return disk_error("fdopendir");
  copy.release();
  const auto before = std::chrono::duration_cast<std::chrono::seconds>(
      (now - std::chrono::duration_cast<WallTime::duration>(age)).time_since_epoch());
  while (const dirent* entry = ::readdir(all)) {
    const std::string name(static_cast<const char*>(entry->d_name));
    struct stat info{};
    if (out.size() >= kListed) break;
    if (!is_name(name) || ::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      continue;
    }
    if (info.st_mtime < before.count()) out.push_back(name);
  }
  ::closedir(all);
  return out;
}

/// Where the file system cannot copy by itself.
bool copies_not(int why) {
  return why == EXDEV || why == ENOSYS || why == EOPNOTSUPP || why == EINVAL;
}

Result<std::uint64_t> copy_by_hand(int from, int to, const Shelf::Piece& piece) {
  std::string bytes(std::min(piece.most, kCopied), '\0');
  std::uint64_t copied = 0;
  while (copied < piece.most) {
    const std::size_t most = std::min<std::uint64_t>(bytes.size(), piece.most - copied);
    const ssize_t n = ::pread(from, bytes.data(), most, static_cast<off_t>(piece.from_at + copied));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return disk_error("read");
    if (n == 0) break;
    const std::string_view some(bytes.data(), static_cast<std::size_t>(n));
    auto written = write_all(to, piece.at + copied, some);
    if (!written.ok()) return written.error();
    copied += some.size();
  }
  return copied;
}

/// In the kernel where it can: on XFS and btrfs nothing is copied at all.
Result<std::uint64_t> copy_some(int from, int to, const Shelf::Piece& piece) {
  auto from_at = static_cast<off64_t>(piece.from_at);
  auto at = static_cast<off64_t>(piece.at);
  std::uint64_t copied = 0;
  while (copied < piece.most) {
    const ssize_t n = ::copy_file_range(from, &from_at, to, &at, piece.most - copied, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && copied == 0 && copies_not(errno)) return copy_by_hand(from, to, piece);
    if (n < 0) return disk_error("copy");
    if (n == 0) break;
    copied += static_cast<std::uint64_t>(n);
  }
  return copied;
}

Result<std::uint64_t> copy_now(int folder, const Shelf::Piece& piece) {
  const Descriptor from(::openat(folder, piece.from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (from.get() < 0) return disk_error("open");
  const Descriptor to(
      ::openat(folder, piece.to.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (to.get() < 0) return disk_error("open");
  auto copied = copy_some(from.get(), to.get(), piece);
  if (!copied.ok() || !piece.synced) return copied;
  if (::fsync(to.get()) != 0) return disk_error("fsync");
  if (::fsync(folder) != 0) return disk_error("fsync of the folder");
  return copied;
}

Status rename_now(int folder, const std::string& from, const std::string& to) {
  if (::renameat(folder, from.c_str(), folder, to.c_str()) != 0) return disk_error("rename");
  if (::fsync(folder) != 0) return disk_error("fsync of the folder");
  return done();
}

Result<std::uint64_t> size_now(int folder, const std::string& name) {
  struct stat info{};
  if (::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return disk_error("stat");
  return static_cast<std::uint64_t>(info.st_size);
}

Status remove_now(int folder, const std::string& name) {
  if (::unlinkat(folder, name.c_str(), 0) == 0 || errno == ENOENT) return done();
  return disk_error("unlink");
}

Error bad_name() {
  return Error::log(Errc::invalid, "not a name of the shelf");
}

}  // namespace

OpenContent::~OpenContent() {
  if (fd_ >= 0) ::close(fd_);
}

struct Shelf::Folder {
  explicit Folder(int fd) : descriptor(fd) {}
  const Descriptor descriptor;
  /// One change of a content at a time: a write whose caller gave up must not overtake a later one.
  std::array<std::mutex, 16> changing;
  int get() const noexcept { return descriptor.get(); }
  std::mutex& lock_of(const std::string& name) {
    return changing[std::hash<std::string>()(name) % changing.size()];
  }
};

Shelf::Shelf(std::shared_ptr<Folder> folder, OffloadPool& pool, Clock& clock)
    : folder_(std::move(folder)), pool_(pool), clock_(clock) {}
Shelf::~Shelf() = default;

Result<std::unique_ptr<Shelf>> Shelf::open(const std::string& folder, OffloadPool& pool,
                                           Clock& clock) {
  const bool made = ::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST;
  const int fd = made ? ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (fd < 0) {
    return Error::say(Errc::invalid, "data_dir_unusable",
                      "The folder " + folder + " cannot be used: " + std::strerror(errno) +
                          ". Choose another data directory with storage.data_dir or --data.",
                      "storage.data_dir");
  }
  return std::unique_ptr<Shelf>(new Shelf(std::make_shared<Folder>(fd), pool, clock));
}

Co<Status> Shelf::put(std::string name, std::uint64_t at, std::string bytes, bool synced,
                      Deadline by) {
  if (!is_name(name)) co_return bad_name();
  auto work = [folder = folder_, name = std::move(name), at, bytes = std::move(bytes), synced] {
    std::lock_guard lock(folder->lock_of(name));
    return put_now(folder->get(), name, at, bytes, synced);
  };
  co_return co_await offload(clock_, pool_, std::move(work), by);
}

Co<Result<std::string>> Shelf::read(std::string name, std::uint64_t at, std::size_t most,
                                    Deadline by) {
  if (!is_name(name)) co_return bad_name();
  auto work = [folder = folder_, name = std::move(name), at, most] {
    return read_now(folder->get(), name, at, most);
  };
  co_return co_await offload(clock_, pool_, std::move(work), by);
}

Co<Result<OpenContent>> Shelf::open_content(std::string name, Deadline by) {
  if (!is_name(name)) co_return bad_name();
  auto work = [folder = folder_, name = std::move(name)] { return open_now(folder->get(), name); };
  co_return co_await offload(clock_, pool_, std::move(work), by);
}

Co<Result<std::uint64_t>> Shelf::copy(Piece piece, Deadline by) {
  if (!is_name(piece.from) || !is_name(piece.to)) co_return bad_name();
  auto work = [folder = folder_, piece = std::move(piece)] {
    return copy_now(folder->get(), piece);
  };
  co_return co_await offload(clock_, pool_, std::move(work), by);
}

Co<Status> Shelf::rename(std::string from, std::string to, Deadline by) {
  if (!is_name(from) || !is_name(to)) co_return bad_name();
  auto work = [folder = folder_, from = std::move(from), to = std::move(to)] {
    return rename_now(folder->get(), from, to);
  };
  co_return co_await offload(clock_, pool_, std::move(work), by);
}

Co<Result<std::uint64_t>> Shelf::size(std::string name, Deadline by) {
  if (!is_name(name)) co_return bad_name();
  auto work = [folder = folder_, name = std::move(name)] { return size_now(folder->get(), name); };
  co_return co_await offload(clock_, pool_, std::move(work), by);
}

Co<Result<std::uint64_t>> Shelf::room(Deadline by) {
  auto work = [folder = folder_]() -> Result<std::uint64_t> {
    struct statvfs disk{};
    if (::fstatvfs(folder->get(), &disk) != 0) return disk_error("statvfs");
    return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  };
  co_return co_await offload(clock_, pool_, std::move(work), by);
}

Co<Status> Shelf::remove(std::string name, Deadline by) {
  if (!is_name(name)) co_return bad_name();
  auto work = [folder = folder_, name = std::move(name)] {
    return remove_now(folder->get(), name);
  };
  co_return co_await offload(clock_, pool_, std::move(work), by);
}

void Shelf::drop(const std::string& name) noexcept {
  if (!is_name(name)) return;
  try {
    [[maybe_unused]] const bool queued = pool_.submit([folder = folder_, name] {
      [[maybe_unused]] auto removed = remove_now(folder->get(), name);
    });
  } catch (const std::exception&) {
    return;  // what is left behind is swept at the next start
  }
}

Co<Result<std::vector<std::string>>> Shelf::older_than(Duration age, Deadline by) {
  auto work = [folder = folder_, age, now = clock_.wall()] {
    return older_now(folder->get(), age, now);
  };
  co_return co_await offload(clock_, pool_, std::move(work), by);
}

}  // namespace mainstay::storage
