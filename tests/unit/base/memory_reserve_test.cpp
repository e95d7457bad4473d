// The reserve: a `new` that fails takes a block and succeeds, until none is left.
#include "base/memory_reserve.h"

#include <gtest/gtest.h>

#include <new>

namespace mainstay {
namespace {

// proves fault row 10 (what lets a request's cleaning up succeed)
TEST(memory_reserve, fault_10_each_failure_takes_a_block_and_the_last_one_throws) {
  const auto before = std::get_new_handler();
  hold_memory_reserve();
  const auto handler = std::get_new_handler();
  ASSERT_NE(handler, nullptr);
  EXPECT_EQ(memory_reserve_held(), kMemoryReserveBlocks);
  for (std::size_t i = 1; i <= kMemoryReserveBlocks; ++i) {
    EXPECT_NO_THROW(handler());
    EXPECT_EQ(memory_reserve_held(), kMemoryReserveBlocks - i);
  }
  EXPECT_THROW(handler(), std::bad_alloc);
  keep_memory_reserve();
  EXPECT_EQ(memory_reserve_held(), kMemoryReserveBlocks);
  for (std::size_t i = 0; i < kMemoryReserveBlocks; ++i) handler();  // nothing is left behind
  std::set_new_handler(before);
}

}  // namespace
}  // namespace mainstay
