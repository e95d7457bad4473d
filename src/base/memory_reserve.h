// Memory set aside for the moment in which there is none: what cleans up after a request may
// allocate too (the JSON library's destructors do), and an exception there would end the program.
// Used by app (makes it) and api (fills it again).
#pragma once

#include <atomic>
#include <cstddef>

namespace mainstay {

inline constexpr std::size_t kMemoryReserveBlocks = 32;
inline constexpr std::size_t kMemoryReserveBlock = 32 * 1024;

namespace detail {
inline std::atomic<std::size_t> reserve_missing{0};
void fill_memory_reserve() noexcept;
}  // namespace detail

/// From now on a `new` that finds no memory gives one block back and tries again; std::bad_alloc
/// comes when all blocks are gone. Once, at start; for the whole process.
void hold_memory_reserve() noexcept;
/// Blocks held now. Any thread.
std::size_t memory_reserve_held() noexcept;
/// Takes again what was given back, as far as there is memory. Cheap when nothing is missing: for
/// the start of each request. Any thread.
inline void keep_memory_reserve() noexcept {
  if (detail::reserve_missing.load(std::memory_order_relaxed) > 0) detail::fill_memory_reserve();
}

}  // namespace mainstay
