// CHECK: a broken invariant stops the process, in release too.
#pragma once

namespace mainstay {
/// Writes file, line and expression to standard error and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* expression) noexcept;
}  // namespace mainstay

#define CHECK(expression)                                                         \
  do {                                                                            \
    if (!(expression)) ::mainstay::check_failed(__FILE__, __LINE__, #expression); \
  } while (false)
