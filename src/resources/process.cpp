// Figures from /proc/self, read with plain descriptors.
#include "resources/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace mainstay::resources {
namespace {

Result<std::string> slurp(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Error::log(Errc::unavailable, "cannot read " + path);
  std::string text;
  std::array<char, 4096> buffer{};
  ssize_t got = 0;
  while ((got = ::read(fd, buffer.data(), buffer.size())) > 0 && text.size() < 65536) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ::close(fd);
  if (got < 0) return Error::log(Errc::unavailable, "cannot read " + path);
  return text;
}

/// The number after `key` in a status file, 0 when absent.
std::uint64_t number_after(const std::string& text, const std::string& key) {
  const auto at = text.find(key);
  if (at == std::string::npos) return 0;
  return std::strtoull(text.c_str() + at + key.size(), nullptr, 10);
}

std::uint64_t count_entries(const std::string& path) {
  DIR* dir = ::opendir(path.c_str());
  if (dir == nullptr) return 0;
  std::uint64_t n = 0;
  while (const dirent* entry = ::readdir(dir)) {
    if (entry->d_name[0] != '.') ++n;
  }
  ::closedir(dir);
  return n;
}

}  // namespace

Result<ProcessFigures> read_process(const std::string& proc_root) {
  auto status = slurp(proc_root + "/status");
  if (!status.ok()) return status.error();
  auto stat = slurp(proc_root + "/stat");
  if (!stat.ok()) return stat.error();
  ProcessFigures figures;
  figures.resident = Bytes{number_after(*status, "\nVmRSS:") * 1024};
  figures.threads = number_after(*status, "\nThreads:");
  figures.descriptors = count_entries(proc_root + "/fd");
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.descriptors_max = limit.rlim_cur;
  // Fields 14 and 15 of stat, counted after the command's closing parenthesis (proc(5)).
  const auto close = stat->rfind(')');
  if (close != std::string::npos) {
    const char* at = stat->c_str() + close + 1;
    for (int field = 2; field < 14 && *at != '\0'; ++at) {
      if (*at == ' ') ++field;
    }
    char* next = nullptr;
    const auto user = std::strtoull(at, &next, 10);
    const auto system = std::strtoull(next, nullptr, 10);
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    figures.cpu_seconds = static_cast<double>(user + system) / ticks;
  }
  return figures;
}

}  // namespace mainstay::resources
