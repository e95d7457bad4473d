// Plain descriptors, because these files have no size and may fail while they are read.
#include "resources/small_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace mainstay::resources {
namespace {
constexpr std::size_t kTextMax = 65536;
constexpr std::size_t kNamesMax = 4096;
}  // namespace

std::optional<std::string> read_small(const std::string& path) {
  // O_NONBLOCK: a fifo or a driver in this place must not hold up the sampling.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return std::nullopt;
  std::string text;
  std::array<char, 4096> buffer{};
  ssize_t got = 0;
  while (text.size() < kTextMax && (got = ::read(fd, buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ::close(fd);
  if (got < 0) return std::nullopt;
  return text;
}

std::optional<double> leading_number(std::string_view text) {
  const auto from = text.find_first_not_of(" \t\n");
  if (from == std::string_view::npos) return std::nullopt;
  double value = 0;
  const auto [end, failure] = std::from_chars(text.data() + from, text.data() + text.size(), value);
  if (failure != std::errc{} || !(value > -1e300 && value < 1e300)) return std::nullopt;
  return value;
}

std::optional<double> read_number(const std::string& path) {
  const auto text = read_small(path);
  return text ? leading_number(*text) : std::nullopt;
}

std::optional<double> number_of(std::string_view text, std::string_view word) {
  for (std::size_t from = 0; from < text.size();) {
    const auto end = std::min(text.find('\n', from), text.size());
    const auto line = text.substr(from, end - from);
    if (line.starts_with(word)) {
      const auto rest = line.substr(word.size());
      if (rest.starts_with(' ') || rest.starts_with('\t')) return leading_number(rest);
    }
    from = end + 1;
  }
  return std::nullopt;
}

std::string read_word(const std::string& path) {
  const auto text = read_small(path);
  if (!text) return {};
  std::string line = text->substr(0, text->find('\n'));
  line.erase(std::remove(line.begin(), line.end(), '\0'), line.end());
  const auto from = line.find_first_not_of(" \t\r");
  if (from == std::string::npos) return {};
  return line.substr(from, line.find_last_not_of(" \t\r") - from + 1);
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  DIR* dir = ::opendir(folder.c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = ::readdir(dir)) {
    if (entry->d_name[0] != '.' && names.size() < kNamesMax) names.emplace_back(entry->d_name);
  }
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

bool is_there(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

}  // namespace mainstay::resources
