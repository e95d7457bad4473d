// Directory, lock file and private files through plain POSIX calls.
#include "storage/sqlite/data_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace mainstay::storage::sqlite {
namespace {

Error unusable(const std::string& path, const std::string& why) {
  return Error::say(Errc::invalid, "data_dir_unusable",
                    "The data directory " + path + " cannot be used: " + why +
                        ". Choose another with storage.data_dir or --data.",
                    "storage.data_dir");
}

Error in_use(const std::string& path, int lock) {
  char text[32] = {};
  const ssize_t got = ::pread(lock, text, sizeof text - 1, 0);
  std::string who = got > 0 ? " (process " + std::string(text, static_cast<std::size_t>(got)) + ")"
                            : std::string();
  return Error::say(Errc::conflict, "data_dir_in_use",
                    "Another Mainstay" + who + " is using the data directory " + path +
                        ". Stop it, or give this one its own with storage.data_dir or --data.",
                    "storage.data_dir");
}

/// Makes the missing part of the path, each directory readable by its owner alone.
Status make_private(const std::filesystem::path& path) {
  if (path.empty() || ::access(path.c_str(), F_OK) == 0) return done();
  auto above = make_private(path.parent_path());
  if (!above.ok()) return above;
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return unusable(path.string(), std::strerror(errno));
  }
  return done();
}

}  // namespace

Result<std::unique_ptr<DataDir>> DataDir::share(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (path.empty()) return unusable(path, "its name is empty");
  auto made = make_private(path);
  if (!made.ok()) return made.error();
  return std::unique_ptr<DataDir>(new DataDir(std::move(path), -1));
}

Result<std::unique_ptr<DataDir>> DataDir::claim(std::string path) {
  auto shared = share(std::move(path));
  if (!shared.ok()) return shared.error();
  path = (*shared)->path();
  const std::string name = path + "/mainstay.lock";
  const int lock = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return unusable(path, std::strerror(errno));
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    Error error = errno == EWOULDBLOCK ? in_use(path, lock) : unusable(path, std::strerror(errno));
    ::close(lock);
    return error;
  }
  // The number is only for the message of a second process; a full disk must not stop us here.
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(lock, 0) == 0) {
    [[maybe_unused]] const ssize_t wrote = ::pwrite(lock, pid.data(), pid.size(), 0);
  }
  return std::unique_ptr<DataDir>(new DataDir(std::move(path), lock));
}

DataDir::~DataDir() {
  if (lock_ >= 0) ::close(lock_);
}

Result<std::string> DataDir::file(const std::string& name) const {
  std::string full = path_ + "/" + name;
  const int made = ::open(full.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (made < 0) return unusable(path_, name + ": " + std::strerror(errno));
  ::close(made);
  return full;
}

}  // namespace mainstay::storage::sqlite
