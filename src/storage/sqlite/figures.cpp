// What the file system, a reader and the parts' own counters say.
#include "storage/sqlite/figures.h"

#include <sys/stat.h>

namespace mainstay::storage::sqlite {
namespace {

std::uint64_t size_of(const std::string& path) {
  struct stat found{};
  return ::stat(path.c_str(), &found) == 0 ? static_cast<std::uint64_t>(found.st_size) : 0;
}

}  // namespace

DatabaseFigures figures_of(const std::string& path, const Writer& writer) {
  DatabaseFigures out;
  out.name = writer.database();
  out.file_bytes = size_of(path);
  out.wal_bytes = size_of(path + "-wal");
  out.writes_waiting = writer.waiting();
  out.commits = writer.commits();
  out.operations = writer.operations();
  out.failed = writer.failures();
  out.why_not = writer.why_not();
  out.timings = writer.timings();
  return out;
}

void add_readers(DatabaseFigures& figures, Readers& readers) {
  const auto pages = readers.pages(std::chrono::seconds(1));
  figures.page_size = pages.size;
  figures.pages = pages.count;
  figures.free_pages = pages.unused;
  figures.readers_open = readers.open();
  figures.readers_busy = readers.busy();
  auto timings = readers.timings();
  figures.timings.insert(figures.timings.end(), timings.begin(), timings.end());
}

}  // namespace mainstay::storage::sqlite
