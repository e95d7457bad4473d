// Reading documents from disk.
#include "app/files.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <sstream>
#include <tuple>

#include "base/text.h"

namespace mainstay::app {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> kEndings = {".md", ".markdown", ".txt", ".html", ".htm"};
constexpr std::array<std::string_view, 6> kMoreEndings = {".text",  ".csv",    ".tsv",
                                                          ".jsonl", ".ndjson", ".pdf"};

std::string ending_of(const fs::path& path) {
  return lower_ascii(path.extension().string());
}

bool is_document(const fs::path& path) {
  return std::find(kEndings.begin(), kEndings.end(), ending_of(path)) != kEndings.end();
}

bool fits_any(const std::vector<std::string>& patterns, const std::string& name,
              const std::string& path) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0 ||
           ::fnmatch(pattern.c_str(), path.c_str(), 0) == 0;
  });
}

bool is_chosen(const FileChoice& choice, const fs::path& file, const std::string& below) {
  const std::string name = file.filename().string();
  if (!choice.include.empty()) return fits_any(choice.include, name, below);
  const std::string ending = ending_of(file);
  return is_document(file) ||
         std::find(kMoreEndings.begin(), kMoreEndings.end(), ending) != kMoreEndings.end();
}

/// Told of each thing below a directory; says whether to look into it.
using See = std::function<bool(const fs::path& path, fs::file_type type)>;

/// One directory at a time: a recursive_directory_iterator ends at the first that may not be read.
void walk(const fs::path& root, const See& see, std::vector<Unreadable>& unreadable) {
  std::vector<fs::path> ahead = {root};
  while (!ahead.empty()) {
    const fs::path here = std::move(ahead.back());
    ahead.pop_back();
    std::error_code failed;
    for (fs::directory_iterator it(here, failed), end; it != end; it.increment(failed)) {
      std::error_code unknown;
      const fs::file_type type = it->symlink_status(unknown).type();
      if (unknown) unreadable.push_back({it->path().string(), unknown.message()});
      if (!unknown && see(it->path(), type)) ahead.push_back(it->path());
    }
    if (failed) unreadable.push_back({here.string(), failed.message()});
  }
}

void choose(const fs::path& root, const std::string& prefix, const FileChoice& choice,
            FoundFiles& into) {
  const auto see = [&](const fs::path& path, fs::file_type type) {
    const std::string name = path.filename().string();
    const std::string below = path.lexically_relative(root).string();
    if (name.starts_with('.') || fits_any(choice.exclude, name, below)) return false;
    if (type != fs::file_type::regular) return type == fs::file_type::directory;
    if (is_chosen(choice, path, below)) {
      into.files.push_back({path.string(), (fs::path(prefix) / below).string()});
    } else if (choice.include.empty()) {
      ++into.other_kinds;
    }
    return false;
  };
  walk(root, see, into.unreadable);
}

void collect(const fs::path& root, const fs::path& base, std::vector<NamedFile>& into) {
  std::vector<Unreadable> left_out;
  const auto see = [&](const fs::path& path, fs::file_type type) {
    std::error_code ignored;
    if (is_document(path) && fs::is_regular_file(path, ignored)) {
      into.push_back({path.string(), path.lexically_relative(base).string()});
    }
    return type == fs::file_type::directory;
  };
  walk(root, see, left_out);
}

/// How a directory is called, also when it was given as "." or with a slash at its end.
std::string own_name(const fs::path& directory) {
  const fs::path plain = directory.lexically_normal();
  const fs::path last = plain.has_filename() ? plain.filename() : plain.parent_path().filename();
  if (last != "." && last != "..") return last.string();
  std::error_code ignored;
  return fs::canonical(directory, ignored).filename().string();
}

void sort(std::vector<NamedFile>& files) {
  std::sort(files.begin(), files.end(), [](const NamedFile& a, const NamedFile& b) {
    return std::tie(a.name, a.path) < std::tie(b.name, b.path);
  });
}

/// A file that was given twice is taken once. Two files of one name are refused: the second would
/// take the place of the first.
Status make_single(std::vector<NamedFile>& files) {
  std::vector<NamedFile> out;
  for (auto& file : files) {
    if (out.empty() || out.back().name != file.name) {
      out.push_back(std::move(file));
      continue;
    }
    std::error_code ignored;
    if (fs::equivalent(out.back().path, file.path, ignored)) continue;
    return Error::say(Errc::invalid, "same_source",
                      "'" + out.back().path + "' and '" + file.path + "' would both have the " +
                          "source '" + file.name + "': name a directory above both, or store " +
                          "them in two collections.");
  }
  files = std::move(out);
  return done();
}

}  // namespace

std::vector<NamedFile> starter_files(const std::string& directory) {
  std::vector<NamedFile> out;
  std::error_code ignored;
  const fs::path root(directory);
  if (fs::is_regular_file(root / "README.md", ignored)) {
    out.push_back({(root / "README.md").string(), "README.md"});
  }
  if (fs::is_directory(root / "docs", ignored)) collect(root / "docs", root, out);
  sort(out);
  return out;
}

Result<FoundFiles> documents_at(const std::vector<std::string>& paths, const FileChoice& choice) {
  FoundFiles out;
  for (const auto& given : paths) {
    std::error_code failed;
    if (fs::is_directory(given, failed)) {
      choose(given, paths.size() > 1 ? own_name(given) : std::string(), choice, out);
    } else if (fs::is_regular_file(given, failed)) {
      out.files.push_back({given, given});
    } else if (fs::exists(given, failed)) {
      return Error::say(Errc::not_found, "file_not_found",
                        "'" + given + "' is neither a file nor a directory.");
    } else {
      return Error::say(Errc::not_found, "file_not_found",
                        "There is no file or directory '" + given + "'.");
    }
  }
  // A source is UTF-8; names that differ in other bytes alone may become one.
  for (auto& file : out.files) file.name = to_utf8(file.name);
  sort(out.files);
  auto single = make_single(out.files);
  if (!single.ok()) return single.error();
  return out;
}

Result<std::string> read_file(const std::string& path, Bytes max) {
  const bool standard = path == "-";
  const int fd = standard ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return Error::say(Errc::not_found, "file_not_found",
                      "Cannot read '" + path + "': " + std::strerror(errno) + ".");
  }
  std::string text;
  std::array<char, 65536> buffer{};
  ssize_t got = 0;
  while ((got = ::read(fd, buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > max.value) break;
  }
  if (!standard) ::close(fd);
  if (got < 0)
    return Error::say(Errc::unavailable, "file_unreadable", "Cannot read '" + path + "'.");
  if (text.size() > max.value) {
    return Error::say(Errc::too_large, "document_too_large",
                      "'" + path + "' is larger than " + std::to_string(max.value) + " bytes.");
  }
  return text;
}

std::string format_of(const std::string& path, const std::string& text) {
  const std::string ending = lower_ascii(fs::path(path).extension().string());
  if (ending == ".md" || ending == ".markdown") return "markdown";
  if (ending == ".html" || ending == ".htm") return "html";
  if (ending == ".csv" || ending == ".tsv") return "csv";
  if (ending == ".jsonl" || ending == ".ndjson") return "jsonl";
  const std::string start = lower_ascii(trim(std::string_view(text).substr(0, 256)));
  if (start.starts_with("<!doctype html") || start.starts_with("<html")) return "html";
  return "text";
}

Status write_small(const std::string& path, const std::string& text) {
  const std::string part = path + ".new";
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return Error::log(Errc::unavailable, "cannot write " + part);
  const auto size = static_cast<ssize_t>(text.size());
  const bool written = ::write(fd, text.data(), text.size()) == size;
  ::close(fd);
  if (!written || std::rename(part.c_str(), path.c_str()) != 0) {
    return Error::log(Errc::unavailable, "cannot write " + path);
  }
  return done();
}

namespace {

constexpr std::size_t kStartsKept = 100;

}  // namespace

Status data_dir_there(const std::string& data_dir, const std::string& advice) {
  std::error_code failed;
  if (std::filesystem::is_directory(data_dir, failed)) return done();
  return Error::say(Errc::not_found, "no_data_dir",
                    "There is no data directory " + data_dir + ". " + advice, "storage.data_dir");
}

Result<resources::Descriptor> write_address(const std::string& data_dir, const std::string& address,
                                            const std::string& admin) {
  const std::string path = data_dir + "/address";
  auto written = write_small(path, admin.empty() ? address : address + "\n" + admin);
  if (!written.ok()) return written.error();
  resources::Descriptor held(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (held.get() < 0 || ::flock(held.get(), LOCK_EX | LOCK_NB) != 0) {
    return Error::log(Errc::unavailable, "cannot lock " + path);
  }
  return held;
}

void remove_address(const std::string& data_dir) {
  ::unlink((data_dir + "/address").c_str());
}

namespace {

/// What a running server wrote; nothing without one.
std::optional<std::string> address_file(const std::string& data_dir) {
  const std::string path = data_dir + "/address";
  const resources::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return std::nullopt;
  // Nobody holds it: the server that wrote it was killed, or serves the directory this is a copy
  // of.
  const bool held = ::flock(file.get(), LOCK_SH | LOCK_NB) != 0;
  if (!held) return std::nullopt;
  auto text = read_file(path, 1_KiB);
  if (!text.ok() || text->empty()) return std::nullopt;
  return std::move(*text);
}

}  // namespace

std::optional<std::string> read_address(const std::string& data_dir) {
  const auto text = address_file(data_dir);
  if (!text) return std::nullopt;
  return std::string(trim(text->substr(0, text->find('\n'))));
}

std::optional<std::string> read_admin_address(const std::string& data_dir) {
  const auto text = address_file(data_dir);
  const auto line = text ? text->find('\n') : std::string::npos;
  if (line == std::string::npos) return std::nullopt;
  std::string address(trim(text->substr(line)));
  if (address.empty()) return std::nullopt;
  return address;
}

bool has_stale_address(const std::string& data_dir) {
  return ::access((data_dir + "/address").c_str(), F_OK) == 0 && !read_address(data_dir);
}

std::vector<WallTime> read_starts(const std::string& data_dir) {
  std::vector<WallTime> out;
  auto text = read_file(data_dir + "/starts", 64_KiB);
  if (!text.ok()) return out;
  std::istringstream lines(*text);
  for (std::int64_t at = 0; lines >> at;) out.push_back(wall_from_micros(at));
  return out;
}

void note_start(const std::string& data_dir, WallTime now) {
  auto starts = read_starts(data_dir);
  starts.push_back(now);
  const auto first = starts.size() > kStartsKept ? starts.size() - kStartsKept : 0;
  std::string text;
  for (std::size_t i = first; i < starts.size(); ++i) {
    text += std::to_string(micros(starts[i])) + "\n";
  }
  // Only told by `mainstay status`: a server that cannot write it runs as well.
  [[maybe_unused]] auto written = write_small(data_dir + "/starts", text);
}

}  // namespace mainstay::app
