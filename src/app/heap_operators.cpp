// operator new and delete over malloc, which is mimalloc's, in the release program alone. Debian's
// library is built as C: its own operators never ask std::get_new_handler and end the process where
// memory is short, while ours call the handler, which gives a reserve back or throws
// (base/memory_reserve.h).
#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

/// Asks the handler until there is memory; it throws when it has none to give. 0: any alignment.
[[gnu::cold, gnu::noinline]] void* ask_handler(std::size_t size, std::size_t alignment) {
  for (;;) {
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
    void* const block = alignment == 0 ? std::malloc(size) : ::memalign(alignment, size);
    if (block != nullptr) return block;
  }
}

inline void* take(std::size_t size) {
  void* const block = std::malloc(size);
  return block != nullptr ? block : ask_handler(size, 0);
}

inline void* take(std::size_t size, std::align_val_t alignment) {
  void* const block = ::memalign(static_cast<std::size_t>(alignment), size);
  return block != nullptr ? block : ask_handler(size, static_cast<std::size_t>(alignment));
}

}  // namespace

void* operator new(std::size_t size) {
  return take(size);
}
void* operator new[](std::size_t size) {
  return take(size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return take(size, alignment);
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return take(size, alignment);
}
void* operator new(std::size_t size, const std::nothrow_t& /*nothrow*/) noexcept {
  try {
    return take(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void* operator new[](std::size_t size, const std::nothrow_t& /*nothrow*/) noexcept {
  try {
    return take(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void operator delete(void* block) noexcept {
  std::free(block);
}
void operator delete[](void* block) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t /*size*/) noexcept {
  std::free(block);
}
void operator delete[](void* block, std::size_t /*size*/) noexcept {
  std::free(block);
}
void operator delete(void* block, std::align_val_t /*alignment*/) noexcept {
  std::free(block);
}
void operator delete[](void* block, std::align_val_t /*alignment*/) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t /*size*/, std::align_val_t /*alignment*/) noexcept {
  std::free(block);
}
void operator delete[](void* block, std::size_t /*size*/, std::align_val_t /*alignment*/) noexcept {
  std::free(block);
}
