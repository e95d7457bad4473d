// With its statistics on, SQLite takes one lock for every allocation, which all connections share:
// a few hundredths of the time of a bulk insert. Here each thread counts at a place of its own.
#include "storage/sqlite/memory.h"

#include <malloc.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>

namespace mainstay::storage::sqlite {
namespace {

/// Threads take turns at the shards, so that hardly two count in one line of memory. Nothing here
/// needs memory of its own: a destructor for a thread's end would, and glibc aborts without it.
struct alignas(64) Shard {
  std::atomic<std::int64_t> used{0};
};
constexpr std::uint32_t kShards = 32;
std::array<Shard, kShards> shards;
std::atomic<std::uint32_t> next_shard{0};
thread_local std::uint32_t shard_of_thread = 0;  ///< one more than its place; 0: none yet

void add(std::int64_t bytes) noexcept {
  if (shard_of_thread == 0) shard_of_thread = 1 + next_shard.fetch_add(1) % kShards;
  shards[shard_of_thread - 1].used.fetch_add(bytes, std::memory_order_relaxed);
}

int size_of(void* at) noexcept {
  return at == nullptr ? 0 : static_cast<int>(malloc_usable_size(at));
}

void* allocate(int bytes) noexcept {
  void* at = std::malloc(static_cast<std::size_t>(bytes));
  add(size_of(at));
  return at;
}

void release(void* at) noexcept {
  add(-size_of(at));
  std::free(at);
}

void* resize(void* at, int bytes) noexcept {
  const int before = size_of(at);
  void* next = std::realloc(at, static_cast<std::size_t>(bytes));
  if (next != nullptr) add(size_of(next) - before);
  return next;
}

int rounded(int bytes) noexcept {
  return (bytes + 7) & ~7;
}

int begin(void* /*unused*/) noexcept {
  return SQLITE_OK;
}

void end(void* /*unused*/) noexcept {}

bool configure() noexcept {
  const sqlite3_mem_methods methods{allocate, release, resize, size_of,
                                    rounded,  begin,   end,    nullptr};
  if (sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK) return false;
  return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK;
}

}  // namespace

bool count_memory() noexcept {
  static const bool configured = configure();
  return configured;
}

std::uint64_t memory_used() noexcept {
  std::int64_t bytes = count_memory() ? 0 : sqlite3_memory_used();
  for (const auto& shard : shards) bytes += shard.used.load(std::memory_order_relaxed);
  return static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 0));
}

}  // namespace mainstay::storage::sqlite
