// A layer between SQLite and its write-ahead log that joins writes which follow each other. SQLite
// hands over each page in two writes, and large ones cost the kernel less.
// Used by connection.cpp.
#pragma once

namespace mainstay::storage::sqlite {

/// The name to open a connection with that writes. What was written to the log and not yet handed
/// to the system is at the latest when SQLite syncs, reads, cuts, measures or closes it: so only
/// for `synchronous = FULL`, where each commit syncs before others may see it. An error of a write
/// that was put off is the answer of the call that made it happen; then nothing of it is tried
/// again. nullptr: the system's own layer is not as expected, use the default. Thread-safe; a
/// connection's files are used by its thread alone.
const char* joined_writes() noexcept;

}  // namespace mainstay::storage::sqlite
