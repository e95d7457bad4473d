// The blocks, and the handler that gives them back.
#include "base/memory_reserve.h"

#include <array>
#include <cstdlib>
#include <new>

namespace mainstay {
namespace {

std::array<std::atomic<void*>, kMemoryReserveBlocks> blocks{};

/// Called by operator new where there is no memory; it tries again when this returns.
void give_back() {
  for (auto& block : blocks) {
    void* const held = block.exchange(nullptr);
    if (held == nullptr) continue;
    std::free(held);
    detail::reserve_missing.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  throw std::bad_alloc();
}

}  // namespace

void detail::fill_memory_reserve() noexcept {
  for (auto& block : blocks) {
    if (block.load(std::memory_order_relaxed) != nullptr) continue;
    void* fresh = std::malloc(kMemoryReserveBlock);
    if (fresh == nullptr) return;
    void* none = nullptr;
    if (block.compare_exchange_strong(none, fresh)) {
      reserve_missing.fetch_sub(1, std::memory_order_relaxed);
    } else {
      std::free(fresh);  // another thread was first
    }
  }
}

void hold_memory_reserve() noexcept {
  if (std::get_new_handler() == &give_back) return;
  detail::reserve_missing.store(kMemoryReserveBlocks, std::memory_order_relaxed);
  detail::fill_memory_reserve();
  std::set_new_handler(&give_back);
}

std::size_t memory_reserve_held() noexcept {
  return kMemoryReserveBlocks - detail::reserve_missing.load(std::memory_order_relaxed);
}

}  // namespace mainstay
