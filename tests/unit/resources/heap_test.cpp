// The heap and the program's own pages given back, with whichever allocator this file is linked:
// it is part of resources_tests (the C library's) and all of heap_mimalloc_tests.
#include "resources/heap.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include "resources/image.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MAINSTAY_OWN_ALLOCATOR 1
#endif
#endif

namespace mainstay::resources {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t(1) << 20U;

TEST(Heap, of_committed_memory_the_resident_part_is_in_use_and_the_rest_kept) {
  EXPECT_EQ(heap_of(100, 99).in_use, 99u);
  EXPECT_EQ(heap_of(100, 99).kept, 1u);
  EXPECT_EQ(heap_of(100, 100).kept, 0u);
  EXPECT_EQ(heap_of(100, 101).in_use, 100u) << "stacks are resident and not the heap's";
  EXPECT_EQ(heap_of(100, 101).kept, 0u);
}

TEST(Heap, the_allocator_is_the_one_this_program_is_linked_with) {
#ifdef MAINSTAY_TEST_MIMALLOC
  EXPECT_EQ(name(allocator()), "mimalloc");
#else
  EXPECT_EQ(name(allocator()), "libc");
#endif
}

// proves Z8: free memory goes back
TEST(Heap, it_is_seen_to_grow_and_a_trim_gives_what_is_free_back) {
#ifdef MAINSTAY_OWN_ALLOCATOR
  GTEST_SKIP() << "the sanitizer has its own allocator";
#endif
  tune_heap();
  constexpr std::size_t kBlocks = 64 * 1024;
  const std::uint64_t before = read_heap().in_use;
  std::vector<std::unique_ptr<std::array<char, 1024>>> blocks(kBlocks);
  for (auto& block : blocks) {
    block = std::make_unique<std::array<char, 1024>>();
    block->fill('x');
  }
  EXPECT_GE(read_heap().in_use, before + 60 * kMiB);
  // The last one stays, so that the heap cannot simply be cut off at its end.
  for (std::size_t i = 0; i + 1 < kBlocks; ++i) blocks[i].reset();
  trim_heap();
  EXPECT_LE(read_resident_parts().anonymous, before + 24 * kMiB);
  EXPECT_LE(read_heap().in_use, before + 24 * kMiB);
  EXPECT_EQ((*blocks.back())[1023], 'x');
}

int written = 41;
const std::array<int, 4096> kTable = [] {
  std::array<int, 4096> out{};
  std::iota(out.begin(), out.end(), 7);
  return out;
}();
constexpr std::array<int, 4096> kConstants = [] {
  std::array<int, 4096> out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<int>(3 * i);
  return out;
}();

TEST(Image, pages_of_the_program_go_and_come_back_unchanged) {
  written = 42;
  const std::uint64_t before = read_resident_parts().of_files;
  ASSERT_GT(before, kMiB / 4);
  EXPECT_GT(release_image(), 0u);
  EXPECT_LT(read_resident_parts().of_files, before);
  EXPECT_EQ(written, 42) << "what was written stays";
  EXPECT_EQ(std::accumulate(kTable.begin(), kTable.end(), 0), 4096 * 7 + 4095 * 2048);
  EXPECT_EQ(std::accumulate(kConstants.begin(), kConstants.end(), 0), 3 * 4095 * 2048);
  EXPECT_NO_THROW(EXPECT_THROW(std::vector<int>().at(1), std::out_of_range))
      << "the tables of exceptions are among these pages";
}

}  // namespace
}  // namespace mainstay::resources
