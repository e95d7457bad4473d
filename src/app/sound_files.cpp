// Files of sound with plain system calls.
#include "app/sound_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

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

Result<std::unique_ptr<SoundOut>> SoundOut::open(const std::string& path) {
  if (path == "-" && is_terminal(STDOUT_FILENO)) {
    return Error::say(Errc::invalid, "terminal",
                      "Sound is not written to a terminal: name a file.");
  }
  const int fd = path == "-" ? STDOUT_FILENO
                             : ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) {
    return Error::say(Errc::unavailable, "file_unwritable",
                      path + " cannot be written: " + std::strerror(errno) + ".");
  }
  return std::unique_ptr<SoundOut>(new SoundOut(fd, path));
}

SoundOut::~SoundOut() {
  if (fd_ > STDERR_FILENO) ::close(fd_);
}

Status SoundOut::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd_, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      return Error::say(Errc::unavailable, "file_unwritable",
                        path_ + " cannot be written: " + std::strerror(errno) + ".");
    }
    written_ += static_cast<std::uint64_t>(put);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return done();
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
