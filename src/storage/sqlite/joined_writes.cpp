// The methods of a file that holds writes back, and of the layer that opens such files.
#include "storage/sqlite/joined_writes.h"

#include <sqlite3.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace mainstay::storage::sqlite {
namespace {

/// More brought nothing: up to 4 MiB gave the same jobs a second.
constexpr std::size_t kHeld = 64 << 10;
constexpr int kLayerMethods = 3;  ///< version of the layer's own
constexpr int kMethods = 1;       ///< version of a file's methods: shared memory is the database's

/// What SQLite sees of a file; the system's own lies behind it in the same memory.
struct File {
  sqlite3_file base;
  char* held;  ///< kHeld bytes; nullptr: none, nothing is held back
  std::size_t size;
  sqlite3_int64 at;  ///< where in the file the held bytes begin

  sqlite3_file* inner() noexcept { return reinterpret_cast<sqlite3_file*>(this + 1); }
  const sqlite3_io_methods& system() noexcept { return *inner()->pMethods; }

  /// What is held goes to the system, or after an error nowhere: SQLite begins anew then.
  int flush() noexcept {
    if (size == 0) return SQLITE_OK;
    const int bytes = static_cast<int>(size);
    size = 0;
    return system().xWrite(inner(), held, bytes, at);
  }

  int write(const void* from, int bytes, sqlite3_int64 to) noexcept {
    const auto more = static_cast<std::size_t>(bytes);
    if (size > 0 && (to != at + static_cast<sqlite3_int64>(size) || size + more > kHeld)) {
      if (const int code = flush(); code != SQLITE_OK) return code;
    }
    if (held == nullptr) held = static_cast<char*>(std::malloc(kHeld));
    if (held == nullptr || more > kHeld) return system().xWrite(inner(), from, bytes, to);
    if (size == 0) at = to;
    std::memcpy(held + size, from, more);
    size += more;
    return SQLITE_OK;
  }

  /// Between commits nothing needs the memory.
  void let_go() noexcept {
    std::free(held);
    held = nullptr;
    size = 0;
  }
};

File& of(sqlite3_file* file) noexcept {
  return *reinterpret_cast<File*>(file);
}

/// A method that hands everything on.
template <auto Method, class... Arguments>
auto pass(sqlite3_file* file, Arguments... arguments) noexcept {
  return (of(file).system().*Method)(of(file).inner(), arguments...);
}

/// A method before which the file must have all that was written.
template <auto Method, class... Arguments>
int after_flush(sqlite3_file* file, Arguments... arguments) noexcept {
  if (const int code = of(file).flush(); code != SQLITE_OK) return code;
  return pass<Method>(file, arguments...);
}

int write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 to) noexcept {
  return of(file).write(from, bytes, to);
}

int sync(sqlite3_file* file, int flags) noexcept {
  const int flushed = of(file).flush();
  of(file).let_go();
  return flushed != SQLITE_OK ? flushed : pass<&sqlite3_io_methods::xSync>(file, flags);
}

int close(sqlite3_file* file) noexcept {
  const int flushed = of(file).flush();
  of(file).let_go();
  const int closed = pass<&sqlite3_io_methods::xClose>(file);
  return flushed != SQLITE_OK ? flushed : closed;
}

using M = sqlite3_io_methods;
const sqlite3_io_methods kFileMethods{
    kMethods,
    close,
    after_flush<&M::xRead, void*, int, sqlite3_int64>,
    write,
    after_flush<&M::xTruncate, sqlite3_int64>,
    sync,
    after_flush<&M::xFileSize, sqlite3_int64*>,
    pass<&M::xLock, int>,
    pass<&M::xUnlock, int>,
    pass<&M::xCheckReservedLock, int*>,
    pass<&M::xFileControl, int, void*>,
    pass<&M::xSectorSize>,
    pass<&M::xDeviceCharacteristics>,
};

/// The default of the moment, which a test may have put there; it fits into what `above` had room
/// for.
sqlite3_vfs* system_of(const sqlite3_vfs* layer) noexcept {
  sqlite3_vfs* const system = sqlite3_vfs_find(nullptr);
  const int room = layer->szOsFile - static_cast<int>(sizeof(File));
  return system != nullptr && system->szOsFile <= room ? system
                                                       : static_cast<sqlite3_vfs*>(layer->pAppData);
}

/// The log alone. Of a checkpoint that must leave something out, since somebody still reads an
/// older state, SQLite takes the database's pages for written without a sync, and readers look for
/// them.
int open(sqlite3_vfs* layer, const char* name, sqlite3_file* file, int flags, int* out) noexcept {
  sqlite3_vfs* const system = system_of(layer);
  if ((flags & SQLITE_OPEN_WAL) == 0) return system->xOpen(system, name, file, flags, out);
  File* const ours = new (file) File{};
  const int code = system->xOpen(system, name, ours->inner(), flags, out);
  // Without methods SQLite does not close it.
  if (code == SQLITE_OK) ours->base.pMethods = &kFileMethods;
  return code;
}

/// A method of the layer that hands everything on.
template <auto Method, class... Arguments>
auto hand_on(sqlite3_vfs* layer, Arguments... arguments) noexcept {
  return (system_of(layer)->*Method)(system_of(layer), arguments...);
}

/// The layer above `system`; the rest of its methods, for extensions and tests, are the system's.
sqlite3_vfs above(sqlite3_vfs* system) noexcept {
  using V = sqlite3_vfs;
  sqlite3_vfs out = *system;
  out.szOsFile = static_cast<int>(sizeof(File)) + system->szOsFile;
  out.pNext = nullptr;
  out.zName = "mainstay-joined-writes";
  out.pAppData = system;
  out.xOpen = open;
  out.xDelete = hand_on<&V::xDelete, const char*, int>;
  out.xAccess = hand_on<&V::xAccess, const char*, int, int*>;
  out.xFullPathname = hand_on<&V::xFullPathname, const char*, int, char*>;
  out.xRandomness = hand_on<&V::xRandomness, int, char*>;
  out.xSleep = hand_on<&V::xSleep, int>;
  out.xCurrentTime = hand_on<&V::xCurrentTime, double*>;
  out.xGetLastError = hand_on<&V::xGetLastError, int, char*>;
  out.xCurrentTimeInt64 = hand_on<&V::xCurrentTimeInt64, sqlite3_int64*>;
  return out;
}

}  // namespace

const char* joined_writes() noexcept {
  sqlite3_vfs* const system = sqlite3_vfs_find(nullptr);
  if (system == nullptr || system->iVersion < kLayerMethods) return nullptr;
  static sqlite3_vfs layer = above(system);
  static const bool registered = sqlite3_vfs_register(&layer, 0) == SQLITE_OK;
  return registered ? layer.zName : nullptr;
}

}  // namespace mainstay::storage::sqlite
