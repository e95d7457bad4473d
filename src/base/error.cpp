// Names of the error codes, and CHECK's last words.
#include "base/error.h"

#include <cstdio>
#include <cstdlib>

#include "base/check.h"

namespace mainstay {

std::string_view name(Errc code) noexcept {
  switch (code) {
    case Errc::invalid:
      return "invalid";
    case Errc::denied:
      return "denied";
    case Errc::forbidden:
      return "forbidden";
    case Errc::not_found:
      return "not_found";
    case Errc::conflict:
      return "conflict";
    case Errc::too_large:
      return "too_large";
    case Errc::unsupported:
      return "unsupported";
    case Errc::unprocessable:
      return "unprocessable";
    case Errc::over_limit:
      return "over_limit";
    case Errc::cancelled:
      return "cancelled";
    case Errc::bad_upstream:
      return "bad_upstream";
    case Errc::unavailable:
      return "unavailable";
    case Errc::deadline:
      return "deadline";
    case Errc::disk_full:
      return "disk_full";
    case Errc::corrupt:
      return "corrupt";
    case Errc::internal:
      return "internal";
  }
  return "unknown";
}

void check_failed(const char* file, int line, const char* expression) noexcept {
  std::fprintf(stderr, "mainstay: broken invariant at %s:%d: %s\n", file, line, expression);
  std::abort();
}

}  // namespace mainstay
