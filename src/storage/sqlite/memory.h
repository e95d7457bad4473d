// What SQLite has allocated in this process, counted without SQLite's own lock around every
// allocation. Used by connection.cpp and open.cpp.
#pragma once

#include <cstdint>

namespace mainstay::storage::sqlite {

/// To be called before the first connection is opened; does its work once. Where another part of
/// the program has used SQLite before, SQLite goes on counting under its lock: false. Thread-safe.
bool count_memory() noexcept;

/// Bytes.
std::uint64_t memory_used() noexcept;

}  // namespace mainstay::storage::sqlite
