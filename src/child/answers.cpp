// Writing to standard output, and the limit on processor time.
#include "child/answers.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

namespace mainstay::child {
namespace {

int memory_figures = -1;

/// Where giving memory back is worth its time.
constexpr std::uint64_t kTrimAbove = 48 << 20;

std::uint64_t resident_now() {
  std::array<char, 128> bytes{};
  const auto got = ::pread(memory_figures, bytes.data(), bytes.size(), 0);
  if (got <= 0) return 0;
  const char* const end = bytes.data() + got;
  std::uint64_t all = 0;
  std::uint64_t pages = 0;
  const auto first = std::from_chars(bytes.data(), end, all);
  if (first.ptr == end) return 0;
  std::from_chars(first.ptr + 1, end, pages);
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// Resident bytes, after what is free went back to the system where there may be much of it.
std::uint64_t resident() {
  const std::uint64_t now = resident_now();
  if (now < kTrimAbove) return now;
  ::malloc_trim(0);
  return resident_now();
}

}  // namespace

void open_memory_figures() {
  memory_figures = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

void end_with(Json head) {
  head["memory"] = resident();
  send(head, "");
}

void send(const Json& head, std::string_view body) {
  const std::string text = media::frame_text(head, body);
  std::string_view left = text;
  while (!left.empty()) {
    const auto put = ::write(STDOUT_FILENO, left.data(), left.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) ::_exit(0);
    left.remove_prefix(static_cast<std::size_t>(put));
  }
}

void grant_seconds(std::uint32_t seconds) {
  rusage used{};
  rlimit limit{};
  if (::getrusage(RUSAGE_SELF, &used) != 0 || ::getrlimit(RLIMIT_CPU, &limit) != 0) return;
  const auto until = static_cast<rlim_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + seconds + 1;
  limit.rlim_cur = until < limit.rlim_max ? until : limit.rlim_max;
  ::setrlimit(RLIMIT_CPU, &limit);
}

}  // namespace mainstay::child
