// mimalloc's functions are weak here: only the release program is linked with it.
#include "resources/heap.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <mutex>

extern "C" {
// As in mimalloc.h of 2.0 and 2.1, which a build without mimalloc need not have.
[[gnu::weak]] void mi_collect(bool force) noexcept;
[[gnu::weak]] void* mi_malloc(std::size_t size) noexcept;
[[gnu::weak]] void mi_free(void* block) noexcept;
[[gnu::weak]] long mi_option_get(int option) noexcept;
[[gnu::weak]] void mi_option_set(int option, long value) noexcept;
[[gnu::weak]] void mi_option_set_default(int option, long value) noexcept;
[[gnu::weak]] void mi_process_info(std::size_t* elapsed_msecs, std::size_t* user_msecs,
                                   std::size_t* system_msecs, std::size_t* current_rss,
                                   std::size_t* peak_rss, std::size_t* current_commit,
                                   std::size_t* peak_commit, std::size_t* page_faults) noexcept;
}

namespace mainstay::resources {
namespace {

constexpr int kDecommitDelay = 15;        // mi_option_decommit_delay
constexpr int kDecommitExtendDelay = 24;  // mi_option_decommit_extend_delay

/// Milliseconds that a free span stays resident. mimalloc's own 25 would take and give back the
/// same memory forty times a second when busy.
constexpr long kSpanStays = 1000;

bool is_mimalloc() noexcept {
  return mi_collect != nullptr && mi_process_info != nullptr && mi_malloc != nullptr &&
         mi_free != nullptr && mi_option_get != nullptr && mi_option_set != nullptr &&
         mi_option_set_default != nullptr;
}

/// mimalloc gives back what is free in a segment when a span of it is freed; so spans are taken out
/// of as many segments as the process has memory, and freed.
void free_some_spans() noexcept {
  constexpr std::size_t kSpan = std::size_t(2) << 20U;
  constexpr std::size_t kMost = 64;
  std::array<void*, kMost> spans{};
  const auto count = static_cast<std::size_t>(read_resident_parts().anonymous / kSpan) + 1;
  for (std::size_t i = 0; i < std::min(count, kMost); ++i) spans[i] = mi_malloc(kSpan);
  for (void* span : spans) mi_free(span);
}

/// What was free for long enough goes first, then what lies beside a span that is freed. Other
/// threads that free something meanwhile give it back at once too, which is slower but right.
void trim_mimalloc() noexcept {
  static std::mutex one;
  std::scoped_lock lock(one);
  mi_collect(true);
  free_some_spans();
  const long delay = mi_option_get(kDecommitDelay);
  mi_option_set(kDecommitDelay, 0);
  free_some_spans();
  mi_option_set(kDecommitDelay, delay);
}

}  // namespace

std::string_view name(Allocator allocator) noexcept {
  return allocator == Allocator::mimalloc ? "mimalloc" : "libc";
}

Allocator allocator() noexcept {
  return is_mimalloc() ? Allocator::mimalloc : Allocator::libc;
}

HeapFigures heap_of(std::uint64_t committed, std::uint64_t anonymous) noexcept {
  const std::uint64_t in_use = std::min(committed, anonymous);
  return {in_use, committed - in_use};
}

HeapFigures read_heap() noexcept {
  if (is_mimalloc()) {
    std::array<std::size_t, 8> of{};
    mi_process_info(of.data(), &of[1], &of[2], &of[3], &of[4], &of[5], &of[6], &of[7]);
    return heap_of(of[5], read_resident_parts().anonymous);
  }
  const struct mallinfo2 all = ::mallinfo2();
  return {all.uordblks + all.hblkhd, all.fordblks};
}

void tune_heap() noexcept {
  if (!is_mimalloc()) return;
  // Each freed span puts the return of all off by the second of these. Above one span for each such
  // time nothing ever went back, and what the busiest moment took stayed resident.
  mi_option_set_default(kDecommitExtendDelay, 0);
  mi_option_set_default(kDecommitDelay, kSpanStays);
}

void trim_heap() noexcept {
  if (is_mimalloc()) {
    trim_mimalloc();
  } else {
    ::malloc_trim(0);
  }
}

ResidentParts read_resident_parts() noexcept {
  const int fd = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::array<char, 128> text{};
  const ssize_t got = ::read(fd, text.data(), text.size() - 1);
  ::close(fd);
  if (got <= 0) return {};
  // Pages: size, resident, of these shared (files), and others.
  char* next = nullptr;
  std::strtoull(text.data(), &next, 10);
  const std::uint64_t resident = std::strtoull(next, &next, 10);
  const std::uint64_t of_files =
      std::min<std::uint64_t>(std::strtoull(next, nullptr, 10), resident);
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return {(resident - of_files) * page, of_files * page};
}

}  // namespace mainstay::resources
