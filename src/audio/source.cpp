// pread of files, read of sockets.
#include "audio/source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace mainstay::audio {

Source::Source(int file) : file_(file) {
  struct stat about{};
  if (::fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) return;
  seekable_ = true;
  size_ = static_cast<std::uint64_t>(std::max<off_t>(about.st_size, 0));
}

std::int64_t Source::read_file(char* into, std::size_t most) {
  for (;;) {
    const auto got =
        seekable_ ? ::pread(file_, into, most, static_cast<off_t>(at_)) : ::read(file_, into, most);
    if (got < 0 && errno == EINTR) continue;
    return got;
  }
}

std::int64_t Source::read(char* into, std::size_t most) {
  if (!seekable_ && ahead_used_ < ahead_.size()) {
    const std::size_t take = std::min(most, ahead_.size() - ahead_used_);
    std::memcpy(into, ahead_.data() + ahead_used_, take);
    ahead_used_ += take;
    at_ += take;
    if (ahead_used_ == ahead_.size()) {
      ahead_.clear();
      ahead_used_ = 0;
    }
    return static_cast<std::int64_t>(take);
  }
  const std::int64_t got = read_file(into, most);
  if (got > 0) at_ += static_cast<std::uint64_t>(got);
  return got;
}

std::string_view Source::peek(std::size_t most) {
  const std::uint64_t began = at_;
  ahead_.resize(most);
  std::size_t have = 0;
  while (have < most) {
    const std::int64_t got = read_file(ahead_.data() + have, most - have);
    if (got <= 0) break;
    have += static_cast<std::size_t>(got);
    if (seekable_) at_ += static_cast<std::uint64_t>(got);
    if (!seekable_ && have >= 4096) break;  // whoever feeds it may wait for our answer
  }
  ahead_.resize(have);
  at_ = began;
  return ahead_;
}

}  // namespace mainstay::audio
