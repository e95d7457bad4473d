// A temporary file that is linked under its name once it is complete: link() refuses an existing
// name, so of two processes that start at once one makes the key and both use it.
#include "admission/admin_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/text.h"

namespace mainstay::admission {
namespace {

constexpr std::size_t kFileMax = 4096;

Error unusable(const std::string& path, const std::string& why) {
  return Error::say(Errc::invalid, "admin_key_unusable",
                    "The admin key " + path + " cannot be used: " + why +
                        ". Make the file readable, or move it away and start again to get a new "
                        "key.",
                    "storage.data_dir");
}

Error not_opened(const std::string& path, int why) {
  if (why != EMFILE && why != ENFILE) return unusable(path, std::strerror(why));
  // Nothing is wrong with the file.
  return Error::say(Errc::unavailable, "admin_key_unusable",
                    "The admin key " + path + " cannot be opened: " + std::strerror(why) +
                        ". Raise the limit of open files (ulimit -n, LimitNOFILE= of the service).",
                    "storage.data_dir");
}

Status write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(file, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return Error::log(Errc::unavailable, std::strerror(errno));
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  if (::fsync(file) != 0) return Error::log(Errc::unavailable, std::strerror(errno));
  return done();
}

void sync_directory(const std::string& path) {
  const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  ::fsync(directory);
  ::close(directory);
}

/// True when this call made the file.
Result<bool> make(const std::string& data_dir, const std::string& path, const std::string& key) {
  const std::string part = path + "." + std::to_string(::getpid());
  const int file = ::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return not_opened(path, errno);
  Status written = write_all(file, key + "\n");
  ::close(file);
  const bool linked = written.ok() && ::link(part.c_str(), path.c_str()) == 0;
  const int why = errno;
  ::unlink(part.c_str());
  if (!written.ok()) return unusable(path, written.error().detail);
  if (!linked && why != EEXIST) return unusable(path, std::strerror(why));
  sync_directory(data_dir);
  return linked;
}

Result<AdminKey> read(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return not_opened(path, errno);
  std::string text(kFileMax, '\0');
  const ssize_t got = ::read(file, text.data(), text.size());
  struct stat info{};
  const bool known = ::fstat(file, &info) == 0;
  ::close(file);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, got)));
  if (known && info.st_size > static_cast<off_t>(kFileMax)) {
    return unusable(path, "it is longer than 4096 bytes");
  }
  const std::string_view key = trim(text);
  if (key.size() < kStrongKey || key.find_first_of(" \t\r\n") != key.npos) {
    return unusable(path, "it holds no key of at least 32 characters in one line");
  }
  AdminKey out;
  out.digest = key_digest(key);
  out.path = path;
  out.exposed = known && (info.st_mode & 077) != 0;
  return out;
}

}  // namespace

Result<AdminKey> open_admin_key(const std::string& data_dir) {
  const std::string path = data_dir + "/admin.key";
  std::string fresh;
  if (::access(path.c_str(), F_OK) != 0) {
    fresh = make_key_text();
    auto made = make(data_dir, path, fresh);
    if (!made.ok()) return made.error();
    if (!*made) fresh.clear();
  }
  auto key = read(path);
  if (key.ok()) key->fresh = std::move(fresh);
  return key;
}

}  // namespace mainstay::admission
