// The layer: every file gets a copy of the real method table with two methods replaced.
#include "unit/storage/faulty_disk.h"

#include <sqlite3.h>

#include <atomic>
#include <cstring>
#include <map>
#include <mutex>

namespace mainstay::storage {
namespace {

struct State {
  std::string only;
  std::atomic<int> syncs{0};
  std::atomic<int> writes{0};
  std::atomic<int> sync_fails_from{0};
  std::atomic<int> write_fails_from{0};
  std::atomic<int> write_code{0};
  sqlite3_vfs* real = nullptr;
  sqlite3_vfs layer{};
  std::mutex mutex;
  /// One replaced table for each real one; the real one stands behind it.
  std::map<const sqlite3_io_methods*, sqlite3_io_methods> tables;
  std::map<const sqlite3_io_methods*, const sqlite3_io_methods*> real_of;
};

State& state() {
  static State one;
  return one;
}

const sqlite3_io_methods* real_methods(sqlite3_file* file) {
  std::lock_guard lock(state().mutex);
  return state().real_of.at(file->pMethods);
}

int faulty_sync(sqlite3_file* file, int flags) {
  const int from = state().sync_fails_from;
  const int now = ++state().syncs;
  if (from > 0 && now >= from) return SQLITE_IOERR_FSYNC;
  return real_methods(file)->xSync(file, flags);
}

int faulty_write(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
  const int from = state().write_fails_from;
  const int now = ++state().writes;
  if (from > 0 && now >= from) return state().write_code;
  return real_methods(file)->xWrite(file, data, size, at);
}

int faulty_open(sqlite3_vfs*, sqlite3_filename name, sqlite3_file* file, int flags,
                int* out_flags) {
  const int code = state().real->xOpen(state().real, name, file, flags, out_flags);
  if (code != SQLITE_OK || name == nullptr) return code;
  if (std::strstr(name, state().only.c_str()) == nullptr) return code;
  std::lock_guard lock(state().mutex);
  auto [entry, fresh] = state().tables.try_emplace(file->pMethods, *file->pMethods);
  if (fresh) {
    entry->second.xSync = faulty_sync;
    entry->second.xWrite = faulty_write;
    state().real_of[&entry->second] = file->pMethods;
  }
  file->pMethods = &entry->second;
  return code;
}

}  // namespace

FaultyDisk::FaultyDisk(std::string only) {
  State& s = state();
  s.only = std::move(only);
  if (s.real == nullptr) {
    s.real = sqlite3_vfs_find(nullptr);
    s.layer = *s.real;
    s.layer.zName = "faulty";
    s.layer.xOpen = faulty_open;
  }
  work_again();
  sqlite3_vfs_register(&s.layer, 1);
}

FaultyDisk::~FaultyDisk() {
  work_again();
  sqlite3_vfs_register(state().real, 1);
}

void FaultyDisk::fail_sync_from(int nth) {
  state().syncs = 0;
  state().sync_fails_from = nth;
}

void FaultyDisk::fail_write_from(int nth, int code) {
  state().writes = 0;
  state().write_code = code;
  state().write_fails_from = nth;
}

void FaultyDisk::work_again() {
  state().sync_fails_from = 0;
  state().write_fails_from = 0;
  state().syncs = 0;
  state().writes = 0;
}

int FaultyDisk::syncs() const {
  return state().syncs;
}
int FaultyDisk::writes() const {
  return state().writes;
}

}  // namespace mainstay::storage
