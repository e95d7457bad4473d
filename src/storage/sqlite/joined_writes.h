// A layer between SQLite and its files that joins writes which follow each other. SQLite hands over
// each page of its log in two writes, and each page of a checkpoint in one; as one large write the
// same bytes cost the kernel a third. Used by connection.cpp.
#pragma once

namespace mainstay::storage::sqlite {

/// The name to open a connection with that writes. What was written and not yet handed to the
/// system is at the latest when SQLite syncs, reads, cuts, measures, unlocks or closes the file: so
/// only for `synchronous = FULL`, where each commit syncs before others may see it. An error of a
/// write that was put off is the answer of the call that made it happen; then nothing of it is
/// tried again. nullptr: the system's own layer is not as expected, use the default. Thread-safe;
/// a connection's files are used by its thread alone.
const char* joined_writes() noexcept;

}  // namespace mainstay::storage::sqlite
