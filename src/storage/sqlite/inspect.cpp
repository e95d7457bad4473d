// SQLite's own check, file by file.
#include "storage/sqlite/inspect.h"

#include <filesystem>

#include "storage/sqlite/connection.h"
#include "storage/sqlite/data_dir.h"
#include "storage/sqlite/schema.h"

namespace mainstay::storage::sqlite {
namespace {

constexpr Duration kBusy = std::chrono::seconds(1);

std::uint64_t size_of(const std::string& path) {
  std::error_code failed;
  const auto size = std::filesystem::file_size(path, failed);
  return failed ? 0 : size;
}

/// The first problem that SQLite names; empty when it finds none. Throws Failure.
std::string first_problem(const std::string& path, const Clock& clock, Deadline by) {
  Connection db(path, Mode::read, kBusy);
  db.limit(clock, by);
  const std::string says = db.text("PRAGMA quick_check(1)");
  return says == "ok" ? std::string() : says;
}

FileState look_at(const Schema& schema, const std::string& path, const Clock& clock, Deadline by) {
  FileState out;
  out.file = schema.file;
  out.bytes = size_of(path) + size_of(path + "-wal");
  auto header = check_file(schema, path);
  if (!header.ok()) {
    out.problem = header.error().message;
    return out;
  }
  try {
    const std::string problem = first_problem(path, clock, by);
    if (!problem.empty()) out.problem = "It is damaged: " + problem;
  } catch (const Failure& failure) {
    const Error error = to_error(failure);
    if (error.reason == "read_timeout") {
      out.whole = false;
    } else {
      out.problem = error.message.empty() ? error.detail : error.message;
    }
  }
  return out;
}

}  // namespace

Result<std::vector<FileState>> inspect(const std::string& data_dir, const Clock& clock,
                                       Deadline by) {
  std::vector<FileState> out;
  std::error_code failed;
  if (!std::filesystem::is_directory(data_dir, failed)) return out;
  auto held = DataDir::claim(data_dir);
  if (!held.ok()) return held.error();
  for (const Schema* schema :
       {&conversations_schema(), &documents_schema(), &access_keys_schema()}) {
    const std::string path = data_dir + "/" + schema->file;
    if (size_of(path) == 0) continue;
    out.push_back(look_at(*schema, path, clock, by));
  }
  return out;
}

}  // namespace mainstay::storage::sqlite
