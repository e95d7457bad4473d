// Files of sound with plain system calls.
#include "app/sound_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "app/terminal.h"
#include "base/text.h"

namespace mainstay::app {
namespace {

constexpr std::uint64_t kWavHead = 44;

Error unreadable(const std::string& path, int number) {
  return Error::say(number == ENOENT ? Errc::not_found : Errc::unavailable,
                    number == ENOENT ? "file_not_found" : "file_unreadable",
                    path + " cannot be read: " + std::strerror(number) + ".");
}

}  // namespace

Result<std::shared_ptr<SoundFile>> SoundFile::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return unreadable(path, errno);
  struct stat facts{};
  if (::fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    ::close(fd);
    return Error::say(Errc::unavailable, "file_unreadable", path + " is no regular file.");
  }
  if (facts.st_size == 0) {
    ::close(fd);
    return Error::say(Errc::invalid, "empty_audio", path + " is empty.");
  }
  return std::shared_ptr<SoundFile>(new SoundFile(fd, static_cast<std::uint64_t>(facts.st_size)));
}

SoundFile::~SoundFile() {
  ::close(fd_);
}

std::int64_t SoundFile::read_now(std::uint64_t at, char* into, std::size_t most) const noexcept {
  ssize_t got = 0;
  do {
    got = ::pread(fd_, into, most, static_cast<off_t>(at));
  } while (got < 0 && errno == EINTR);
  return got;
}

Co<Result<std::string>> SoundFile::read(std::uint64_t at, std::size_t most, Deadline) const {
  std::string out(most, '\0');
  const std::int64_t got = read_now(at, out.data(), most);
  if (got < 0) co_return Error::log(Errc::unavailable, "the file cannot be read");
  out.resize(static_cast<std::size_t>(got));
  if (on_read_) on_read_(at + out.size());
  co_return out;
}

Remote::Upload form_of(const FormFields& fields, std::shared_ptr<SoundFile> file,
                       const std::string& path) {
  net::FormWriter form = new_form();
  Remote::Upload out;
  out.content_type = form.content_type();
  for (const auto& [name, value] : fields) {
    if (!value.empty()) form.field(name, value);
  }
  if (file) {
    form.begin_file("file", std::filesystem::path(path).filename().string());
    out.head = form.take();
    out.source = std::move(file);
  }
  form.end();
  (out.source ? out.tail : out.head) = form.take();
  return out;
}

namespace {

/// Of a file that takes the place of another: the other's, else that of any new file.
mode_t mode_at(const std::string& place) {
  struct stat facts{};
  if (::stat(place.c_str(), &facts) == 0) return facts.st_mode & 0777U;
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return 0644U & ~mask;
}

/// What is no regular file cannot be replaced; nor what the shell holds open as /dev/stdout.
bool is_direct(const std::string& path) {
  struct stat facts{};
  return path.starts_with("/dev/") ||
         (::stat(path.c_str(), &facts) == 0 ? !S_ISREG(facts.st_mode)
                                            : ::lstat(path.c_str(), &facts) == 0);  // leads nowhere
}

}  // namespace

Result<std::unique_ptr<SoundOut>> SoundOut::open(const std::string& path) {
  if (path == "-" && is_terminal(STDOUT_FILENO)) {
    return Error::say(Errc::invalid, "terminal",
                      "Sound is not written to a terminal: name a file.");
  }
  if (path == "-") return std::unique_ptr<SoundOut>(new SoundOut(STDOUT_FILENO, path));
  std::unique_ptr<SoundOut> out(new SoundOut(-1, path));
  const auto straight = [&]() -> Result<std::unique_ptr<SoundOut>> {
    out->fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (out->fd_ < 0) return out->unwritable();
    return std::move(out);
  };
  if (is_direct(path)) return straight();
  std::error_code none;
  const auto target = std::filesystem::canonical(path, none);  // a link stays one
  out->place_ = none ? path : target.string();
  // One that its owner made read-only stays as it is.
  const bool guarded = !none && ::access(out->place_.c_str(), W_OK) != 0;
  if (guarded) return out->unwritable();
  std::string part = out->place_ + ".XXXXXX";
  out->fd_ = ::mkostemp(part.data(), O_CLOEXEC);
  // A file may be writable where its directory is not.
  const bool beside = out->fd_ >= 0 || (errno != EACCES && errno != EROFS && errno != ENAMETOOLONG);
  if (!beside) return straight();
  if (out->fd_ < 0) return out->unwritable();
  out->part_ = std::move(part);
  if (::fchmod(out->fd_, mode_at(out->place_)) != 0) return out->unwritable();
  return out;
}

SoundOut::~SoundOut() {
  if (fd_ > STDERR_FILENO) ::close(fd_);
  if (!part_.empty()) ::unlink(part_.c_str());
}

Error SoundOut::unwritable() const {
  return Error::say(Errc::unavailable, "file_unwritable",
                    path_ + " cannot be written: " + std::strerror(errno) + ".");
}

Status SoundOut::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd_, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return unwritable();
    written_ += static_cast<std::uint64_t>(put);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return done();
}

Status SoundOut::keep(const std::string& format) {
  if (format == "wav") finish_wav();
  if (part_.empty()) return done();
  // Closing tells of what could not be written: the disk of another machine says so only then.
  const int closed = ::close(std::exchange(fd_, -1));
  if (closed != 0) return unwritable();
  if (std::rename(part_.c_str(), place_.c_str()) == 0) {
    part_.clear();
    return done();
  }
  if (errno != EBUSY) return unwritable();
  // A file that is mounted by itself, as into a container, cannot be replaced.
  std::error_code failed;
  std::filesystem::copy_file(part_, place_, std::filesystem::copy_options::overwrite_existing,
                             failed);
  errno = failed.value();
  return failed ? Status(unwritable()) : done();
}

void SoundOut::finish_wav() {
  if (path_ == "-" || written_ < kWavHead) return;
  const auto put = [this](off_t at, std::uint64_t value) {
    std::array<char, 4> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<char>(value >> (8 * i) & 0xff);
    }
    return ::pwrite(fd_, bytes.data(), bytes.size(), at) == 4;
  };
  // A pipe or a device keeps the length that is not known.
  [[maybe_unused]] const bool fixed =
      put(4, written_ - 8) && put(static_cast<off_t>(kWavHead) - 4, written_ - kWavHead);
}

std::string sound_format(const std::string& said, const std::string& path) {
  if (!said.empty()) return said;
  const std::string ending = lower_ascii(std::filesystem::path(path).extension().string());
  if (ending == ".ogg" || ending == ".opus") return "opus";
  for (const char* known : {"mp3", "aac", "flac", "pcm"}) {
    if (ending == std::string(".") + known) return known;
  }
  return "wav";
}

}  // namespace mainstay::app
