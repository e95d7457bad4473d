// Blocks of an open file; memory as a file without a name.
#include "models/recording.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace mainstay::models {
namespace {

Error unreadable() {
  Error error = Error::say(Errc::unavailable, "storage_failed",
                           "The disk reported an error. Try again later.");
  error.detail = "a recording could not be read";
  return error;
}

Error no_memory_file(const char* doing) {
  Error error = Error::say(Errc::unavailable, "no_memory_file",
                           "There is no memory for the recording now. Try again later.");
  error.detail = std::string(doing) + ": " + std::strerror(errno);
  return error;
}

}  // namespace

Result<std::shared_ptr<const Recording>> Recording::in_memory(const std::string& bytes,
                                                              Clock& clock) {
  storage::OpenContent file(::memfd_create("recording", MFD_CLOEXEC));
  if (file.get() < 0) return no_memory_file("memfd_create");
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t n =
        ::pwrite(file.get(), bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return no_memory_file("write");
    at += static_cast<std::size_t>(n);
  }
  return std::shared_ptr<const Recording>(
      std::make_shared<Recording>(std::move(file), bytes.size(), nullptr, clock));
}

std::int64_t Recording::read_now(std::uint64_t at, char* into, std::size_t most) const noexcept {
  for (;;) {
    const ssize_t n = ::pread(file_.get(), into, most, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    return n;
  }
}

Co<Result<std::string>> Recording::read(std::uint64_t at, std::size_t most, Deadline by) const {
  // The copy of the descriptor is the work's own: it may outlast this recording.
  const int copy = pool_ == nullptr ? file_.get() : ::dup(file_.get());
  if (copy < 0) co_return unreadable();
  auto owned = std::make_shared<storage::OpenContent>(pool_ == nullptr ? -1 : copy);
  auto work = [owned, copy, at, most]() -> Result<std::string> {
    std::string out(most, '\0');
    ssize_t n = 0;
    do {
      n = ::pread(copy, out.data(), most, static_cast<off_t>(at));
    } while (n < 0 && errno == EINTR);
    if (n < 0) return unreadable();
    out.resize(static_cast<std::size_t>(n));
    return out;
  };
  if (pool_ == nullptr) co_return work();
  co_return co_await offload(clock_, *pool_, std::move(work), by);
}

}  // namespace mainstay::models
