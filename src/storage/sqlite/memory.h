// What SQLite has allocated in this process, counted without SQLite's own lock around every
// allocation. Used by connection.cpp and open.cpp.
#pragma once

#include <cstdint>

namespace mainstay::storage::sqlite {

/// To be called before the first connection is opened; does its work once. Where another part of
/// the program has used SQLite before, SQLite goes on counting under its lock. Thread-safe.
void count_memory() noexcept;

/// Bytes; up to kUncounted for each thread that runs are left out or counted too many.
std::uint64_t memory_used() noexcept;
inline constexpr std::int64_t kUncounted = 64LL << 10;

}  // namespace mainstay::storage::sqlite
