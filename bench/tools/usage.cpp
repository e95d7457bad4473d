// Reads stat, smaps_rollup and each thread's schedstat under /proc/PID; see usage.h.
#include "usage.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace mainstay::bench {

double cpu_seconds(const std::vector<std::string>& pids) {
  std::uint64_t ticks = 0;
  for (const auto& pid : pids) {
    std::ifstream file("/proc/" + pid + "/stat");
    std::string line;
    std::getline(file, line);
    // The name in brackets may hold spaces; user and system time are the 12th and 13th after it.
    const auto after = line.rfind(')');
    if (after == std::string::npos) continue;
    std::istringstream fields(line.substr(after + 1));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    std::uint64_t user = 0;
    std::uint64_t system = 0;
    fields >> user >> system;
    ticks += user + system;
  }
  return static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double waited_seconds(const std::vector<std::string>& pids) {
  std::uint64_t sum = 0;
  for (const auto& pid : pids) {
    std::error_code error;
    std::uint64_t most = 0;
    std::uint64_t of_busiest = 0;
    for (const auto& thread :
         std::filesystem::directory_iterator("/proc/" + pid + "/task", error)) {
      std::ifstream file(thread.path() / "schedstat");
      std::uint64_t ran = 0;
      std::uint64_t waited = 0;
      if (!(file >> ran >> waited) || ran < most) continue;
      most = ran;
      of_busiest = waited;
    }
    sum += of_busiest;
  }
  return static_cast<double>(sum) / 1e9;
}

std::uint64_t resident_kib(const std::vector<std::string>& pids) {
  std::uint64_t sum = 0;
  for (const auto& pid : pids) {
    std::ifstream file("/proc/" + pid + "/smaps_rollup");
    std::string word;
    while (file >> word) {
      if (word != "Rss:") continue;
      std::uint64_t kib = 0;
      file >> kib;
      sum += kib;
      break;
    }
  }
  return sum;
}

}  // namespace mainstay::bench
