// The program's operator new with a counter in front. Linked into one test program only.
#include "failing_new.h"

#include <cstdlib>
#include <new>

namespace mainstay {
namespace {
thread_local int until = 0;  // 0: nothing fails
thread_local int left = 0;
thread_local int failed = 0;

bool must_fail() {
  if (until == 0) return false;
  if (until > 1) {
    --until;
    return false;
  }
  if (left == 0) return false;
  --left;
  ++failed;
  return true;
}
}  // namespace

void fail_new(int n, int count) {
  until = n;
  left = count;
  failed = 0;
}

int failed_news() {
  return failed;
}

}  // namespace mainstay

void* operator new(std::size_t size) {
  void* const memory = mainstay::must_fail() ? nullptr : std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void operator delete(void* memory) noexcept {
  std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
