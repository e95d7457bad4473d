// Files that the commands read and write: documents, the starter set, the running server's address.
// Used by app alone; blocking, so not for the loops except at start.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/units.h"
#include "resources/child_process.h"

namespace mainstay::app {

struct NamedFile {
  std::string path;
  std::string name;  ///< as a document's source: UTF-8, relative to the directory given
};

/// Which files below a directory are meant: patterns of the shell, held against the file's name and
/// against its path below the directory.
struct FileChoice {
  std::vector<std::string> include = {};  ///< empty: texts, tables and PDFs by their endings
  std::vector<std::string> exclude = {};  ///< also of directories, which are not entered then
};

/// A directory or file below a directory given that could not be looked at.
struct Unreadable {
  std::string path;
  std::string why;
};

/// What stands at the paths that a command was given, each in order.
struct FoundFiles {
  std::vector<NamedFile> files;
  std::uint64_t other_kinds = 0;  ///< below directories, left out because of their ending
  std::vector<Unreadable> unreadable;
};

/// README.md and docs/**/*.md of a directory, sorted; what cannot be looked at is left out.
std::vector<NamedFile> starter_files(const std::string& directory);
/// The given files, and those below given directories that are chosen. Hidden ones and links below
/// a directory are passed over. Beside other paths a directory's own name begins the names of what
/// is below it. Errors: not_found naming the path; invalid "same_source" for two files of one name.
Result<FoundFiles> documents_at(const std::vector<std::string>& paths,
                                const FileChoice& choice = {});
/// A whole file of at most `max` bytes; "-" is standard input, of whatever kind it is.
/// Errors: not_found, too_large, unavailable.
Result<std::string> read_file(const std::string& path, Bytes max);
/// text, markdown, html, csv or jsonl by the file's ending, else by how it starts.
std::string format_of(const std::string& path, const std::string& text);

/// For commands that only read: a mistyped --data is to be told, not to be made. `advice`: a
/// sentence of what is not there and what makes it. Errors: not_found "no_data_dir".
Status data_dir_there(const std::string& data_dir, const std::string& advice);

/// DATA/address tells other commands where the server of this data directory listens. Its lock is
/// held for as long as what write_address() gives lives: who is sent the directory's keys must not
/// be whoever came to the port of a server that was killed, or that the directory was copied from.
/// `admin`: of server.admin_listen, the second line; empty: /admin is at `address`.
Result<resources::Descriptor> write_address(const std::string& data_dir, const std::string& address,
                                            const std::string& admin = "");
void remove_address(const std::string& data_dir);
/// Nothing when no running server wrote it.
std::optional<std::string> read_address(const std::string& data_dir);
/// Nothing as well when /admin has no address of its own.
std::optional<std::string> read_admin_address(const std::string& data_dir);
/// Whether a server that wrote it has ended without a stop.
bool has_stale_address(const std::string& data_dir);

/// Replaces a small private file whole. Errors: unavailable.
Status write_small(const std::string& path, const std::string& text);

/// DATA/starts keeps the times of the last hundred starts, for `mainstay status`.
void note_start(const std::string& data_dir, WallTime now);
/// Oldest first; empty when there is no such file.
std::vector<WallTime> read_starts(const std::string& data_dir);

}  // namespace mainstay::app
