// Files that the commands read and write: documents, the starter set, the running server's address.
// Used by app alone; blocking, so not for the loops except at start.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/units.h"

namespace mainstay::app {

struct NamedFile {
  std::string path;
  std::string name;  ///< as a document's source: relative to the directory given
};

/// README.md and docs/**/*.md of a directory, sorted.
std::vector<NamedFile> starter_files(const std::string& directory);
/// The given files, and the .md .markdown .txt .html .htm files below given directories.
/// Errors: not_found naming the path.
Result<std::vector<NamedFile>> documents_at(const std::vector<std::string>& paths);
/// A whole file of at most `max` bytes. Errors: not_found, too_large, unavailable.
Result<std::string> read_file(const std::string& path, Bytes max);
/// text, markdown or html by the file's ending, else by how it starts.
std::string format_of(const std::string& path, const std::string& text);

/// DATA/address tells other commands where the server of this data directory listens.
Status write_address(const std::string& data_dir, const std::string& address);
void remove_address(const std::string& data_dir);
std::optional<std::string> read_address(const std::string& data_dir);

/// Replaces a small private file whole. Errors: unavailable.
Status write_small(const std::string& path, const std::string& text);

/// DATA/starts keeps the times of the last hundred starts, for `mainstay status`.
void note_start(const std::string& data_dir, WallTime now);
/// Oldest first; empty when there is no such file.
std::vector<WallTime> read_starts(const std::string& data_dir);

}  // namespace mainstay::app
