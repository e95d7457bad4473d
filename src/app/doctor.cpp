// mainstay doctor: what was found, and a fix for each thing wrong.
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <thread>

#include "app/commands.h"
#include "app/engine.h"
#include "app/files.h"
#include "app/terminal.h"

namespace mainstay::app {
namespace {

enum class Mark { fine, warn, bad };

struct Finding {
  Mark mark;
  std::string what;
  std::string says;
  std::string fix;
};

const char* word(Mark mark) {
  switch (mark) {
    case Mark::fine:
      return "ok";
    case Mark::warn:
      return "warning";
    case Mark::bad:
      return "bad";
  }
  return "bad";
}

std::string in_mib(std::uint64_t bytes) {
  return std::to_string(bytes >> 20) + " MiB";
}

Finding data_directory(const std::string& dir) {
  std::error_code failed;
  std::filesystem::create_directories(dir, failed);
  if (failed || ::access(dir.c_str(), W_OK) != 0) {
    return {Mark::bad, "data", dir + " cannot be written",
            "Give --data DIR or make it writable: chown $(id -u) " + dir};
  }
  return {Mark::fine, "data", dir, ""};
}

Finding disk_space(const std::string& dir) {
  struct statvfs fs{};
  if (::statvfs(dir.c_str(), &fs) != 0) return {Mark::warn, "disk", "cannot be measured", ""};
  const std::uint64_t free = fs.f_bavail * fs.f_frsize;
  if (free < (512ULL << 20)) {
    return {Mark::bad, "disk", "only " + in_mib(free) + " free",
            "Free space on the disk of " + dir};
  }
  return {Mark::fine, "disk", in_mib(free) + " free", ""};
}

Finding descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const std::string says = std::to_string(limit.rlim_max) + " descriptors allowed";
  if (limit.rlim_max < 4096) {
    return {Mark::warn, "descriptors", says, "Raise the limit: ulimit -Hn 65536, or LimitNOFILE="};
  }
  return {Mark::fine, "descriptors", says, ""};
}

Finding machine() {
  const auto pages = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES));
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return {Mark::fine, "machine",
          std::to_string(std::thread::hardware_concurrency()) + " cores, " + in_mib(pages * page) +
              " memory",
          ""};
}

Finding server_of(const Settings& settings) {
  auto address = read_address(data_dir_of(settings));
  if (address) return {Mark::fine, "server", "last started at " + *address, ""};
  return {Mark::fine, "server", "not running for this data directory", ""};
}

Finding providers_of(const Settings& settings) {
  if (settings.providers.empty()) {
    return {Mark::warn, "providers",
            "none configured: the built-in answerer quotes your documents, it does not converse",
            "Start Ollama, or set OPENAI_API_KEY, or add [[providers]] to mainstay.toml"};
  }
  std::string names;
  for (const auto& provider : settings.providers) {
    names += (names.empty() ? "" : ", ") + provider.name + " (" + provider.kind + ")";
  }
  return {Mark::fine, "providers", names, ""};
}

void print(const Common& common, const std::vector<Finding>& findings) {
  if (common.json) {
    Json out = Json::array();
    for (const auto& f : findings) {
      out.push_back({{"check", f.what}, {"state", word(f.mark)}, {"says", f.says}, {"fix", f.fix}});
    }
    std::printf("%s\n", Json{{"checks", out}}.dump(2).c_str());
    return;
  }
  const bool color = wants_color(STDOUT_FILENO);
  for (const auto& f : findings) {
    const char* sign = f.mark == Mark::fine ? "✓" : f.mark == Mark::warn ? "!" : "✗";
    const char* paint = f.mark == Mark::fine   ? "\033[32m"
                        : f.mark == Mark::warn ? "\033[33m"
                                               : "\033[31m";
    std::printf("%s%s%s %-12s %s\n", color ? paint : "", sign, color ? "\033[0m" : "",
                f.what.c_str(), f.says.c_str());
    if (!f.fix.empty()) std::printf("  %-12s fix: %s\n", "", f.fix.c_str());
  }
}

}  // namespace

Exit doctor(const Common& common) {
  auto loaded = load_settings(common);
  if (!loaded) return Exit::config;
  const Settings& settings = loaded->settings;
  const std::string dir = data_dir_of(settings);
  std::vector<Finding> findings;
  findings.push_back({Mark::fine, "config",
                      loaded->file.empty() ? "no file: defaults and environment" : loaded->file,
                      ""});
  findings.push_back({Mark::fine, "profile", settings.profile, ""});
  findings.push_back(machine());
  findings.push_back(data_directory(dir));
  findings.push_back(disk_space(dir));
  findings.push_back(descriptors());
  findings.push_back(providers_of(settings));
  findings.push_back(server_of(settings));
  print(common, findings);
  for (const auto& f : findings) {
    if (f.mark == Mark::bad) return Exit::failed;
  }
  return Exit::ok;
}

}  // namespace mainstay::app
