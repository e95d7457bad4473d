// What SQLite's allocations are counted as.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdlib>
#include <thread>

#include "conformance/back_ends.h"
#include "storage/sqlite/connection.h"
#include "storage/sqlite/memory.h"

namespace mainstay::storage::sqlite {
namespace {

constexpr int kLarge = 4 << 20;
constexpr int kSmall = 40 << 10;

/// Whether `bytes` more than `before` are counted, but for what other threads of SQLite do.
bool counted(std::uint64_t before, std::int64_t bytes) {
  const auto more = static_cast<std::int64_t>(memory_used() - before);
  return std::abs(more - bytes) <= kLarge / 64;
}

TEST(SqliteAllocations, are_counted_whichever_thread_frees_them) {
  const TemporaryDir dir;
  const Connection db(dir.path() + "/x.db", Mode::write, std::chrono::seconds(1));
  const std::uint64_t before = memory_used();
  void* at = sqlite3_malloc(kLarge);
  ASSERT_NE(at, nullptr);
  EXPECT_TRUE(counted(before, kLarge)) << memory_used();
  at = sqlite3_realloc(at, 2 * kLarge);
  EXPECT_TRUE(counted(before, 2 * kLarge)) << memory_used();
  std::thread([at] { sqlite3_free(at); }).join();
  EXPECT_TRUE(counted(before, 0)) << memory_used();
}

TEST(SqliteAllocations, of_threads_that_have_ended_are_counted) {
  const TemporaryDir dir;
  const Connection db(dir.path() + "/x.db", Mode::write, std::chrono::seconds(1));
  const std::uint64_t before = memory_used();
  std::vector<void*> all(100);
  for (auto& at : all) std::thread([&at] { at = sqlite3_malloc(kSmall); }).join();
  EXPECT_TRUE(counted(before, kSmall * 100)) << memory_used();
  for (void* at : all) sqlite3_free(at);
  EXPECT_TRUE(counted(before, 0)) << memory_used();
}

}  // namespace
}  // namespace mainstay::storage::sqlite
