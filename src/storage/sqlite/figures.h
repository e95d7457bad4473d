// How one database does: its files' sizes, its pages, and the work of its writer and readers.
// Used by storage/sqlite/open.cpp.
#pragma once

#include <string>

#include "storage/sqlite/readers.h"
#include "storage/sqlite/writer.h"

namespace mainstay::storage::sqlite {

/// The writer's part. The file is looked at and never opened: closing it again would drop the locks
/// that SQLite holds on it for this process.
DatabaseFigures figures_of(const std::string& path, const Writer& writer);
/// The readers' part, and the pages as one of their connections tells them; those stay zero when
/// the readers are busy for longer than a second.
void add_readers(DatabaseFigures& figures, Readers& readers);

}  // namespace mainstay::storage::sqlite
