// When the configuration is due to be read again: its file changed, or it is old. Decisions only.
// Used by app/reload.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace mainstay::config {

/// What tells one version of a file from another, without reading it.
struct FileStamp {
  bool there = false;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

/// Looks at the file; not there when it cannot be looked at, or `path` is empty. Does I/O.
FileStamp stamp_of(const std::string& path);

enum class Due : std::uint8_t { no, changed, expired };

/// Plain state of the watch; one thread at a time.
struct Watch {
  FileStamp read;     ///< of the version read last, whether it was accepted or not
  FileStamp seen;     ///< at the last look
  TimePoint tried{};  ///< when it was read last
};

/// Whether to read the file now. A change counts once two looks in a row saw the same version, so
/// that a file is not read while it is being written.
Due look(Watch& watch, const FileStamp& now_there, TimePoint now, Duration ttl);
/// To be called after each reading, accepted or refused; `stamp` was taken before it.
void was_read(Watch& watch, const FileStamp& stamp, TimePoint now);

}  // namespace mainstay::config
