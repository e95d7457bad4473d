// A malloc that fails when a test says so. Loaded before the program (LD_PRELOAD); a small file
// named by FAILING_MALLOC_FILE is mapped, and the test writes its wishes there while the
// program runs. Used by tests/e2e/memory_faults.test.mjs.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

// The C library's own, under names of which it keeps no second one to replace.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);
int __cxa_thread_atexit_impl(void (*destroy)(void*), void* object, void* library);
}

namespace {

/// The mapped file, three numbers of 64 bits.
struct Wishes {
  std::atomic<std::int64_t> until;   ///< the allocation that fails, counted down; 0: none
  std::atomic<std::int64_t> more;    ///< how many after it fail too
  std::atomic<std::int64_t> failed;  ///< how many did
};
Wishes* wishes = nullptr;

[[gnu::constructor]] void map_wishes() {
  const char* path = std::getenv("FAILING_MALLOC_FILE");
  if (path == nullptr) return;
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* const mapped = ::mmap(nullptr, sizeof(Wishes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (mapped != MAP_FAILED) wishes = static_cast<Wishes*>(mapped);
}

bool must_fail() {
  Wishes* const w = wishes;
  if (w == nullptr) return false;
  std::int64_t until = w->until.load(std::memory_order_relaxed);
  while (until > 0) {
    const bool last = until == 1;
    const bool goes_on = last && w->more.load(std::memory_order_relaxed) > 0;
    if (!w->until.compare_exchange_weak(until, goes_on ? 1 : until - 1)) continue;
    if (!last) return false;
    if (goes_on) w->more.fetch_sub(1);
    w->failed.fetch_add(1);
    errno = ENOMEM;
    return true;
  }
  return false;
}

/// The C library ends the program when it cannot note the destructor of a thread's variable: nobody
/// can do anything about that one.
bool spared(const void* caller) {
  const auto at = reinterpret_cast<std::uintptr_t>(caller);
  const auto from = reinterpret_cast<std::uintptr_t>(&__cxa_thread_atexit_impl);
  return at >= from && at < from + 512;
}

/// As operator new must: the program's handler may make room, and then it is tried again.
template <class Allocate>
void* or_throw(Allocate allocate) {
  for (;;) {
    if (void* const memory = allocate()) return memory;
    const auto handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) noexcept {
  return must_fail() ? nullptr : __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  return !spared(__builtin_return_address(0)) && must_fail() ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) noexcept {
  return must_fail() ? nullptr : __libc_realloc(memory, size);
}
void* memalign(std::size_t alignment, std::size_t size) noexcept {
  return must_fail() ? nullptr : __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) noexcept {
  *out = memalign(alignment, size);
  return *out == nullptr ? ENOMEM : 0;
}
void free(void* memory) noexcept {
  __libc_free(memory);
}

}  // extern "C"

// A program that brings an allocator of its own brings these too.
void* operator new(std::size_t size) {
  return or_throw([=] { return malloc(size == 0 ? 1 : size); });
}
void* operator new[](std::size_t size) {
  return or_throw([=] { return malloc(size == 0 ? 1 : size); });
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return or_throw([=] { return memalign(static_cast<std::size_t>(alignment), size); });
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return or_throw([=] { return memalign(static_cast<std::size_t>(alignment), size); });
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return malloc(size == 0 ? 1 : size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return malloc(size == 0 ? 1 : size);
}
void operator delete(void* memory) noexcept {
  free(memory);
}
void operator delete[](void* memory) noexcept {
  free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  free(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  free(memory);
}
void operator delete[](void* memory, const std::nothrow_t&) noexcept {
  free(memory);
}
