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

/// Which files below a directory are meant: patterns of the shell, held against the file's name and
/// against its path below the directory.
struct FileChoice {
  std::vector<std::string> include = {};  ///< empty: texts, tables and PDFs by their endings
  std::vector<std::string> exclude = {};  ///< also of directories, which are not entered then
};

/// README.md and docs/**/*.md of a directory, sorted.
std::vector<NamedFile> starter_files(const std::string& directory);
/// The given files, and those below given directories that are chosen. Hidden ones and links below
/// a directory are passed over. Errors: not_found naming the path.
Result<std::vector<NamedFile>> documents_at(const std::vector<std::string>& paths,
                                            const FileChoice& choice = {});
/// A whole file of at most `max` bytes. Errors: not_found, too_large, unavailable.
Result<std::string> read_file(const std::string& path, Bytes max);
/// text, markdown, html, csv or jsonl by the file's ending, else by how it starts.
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
