// The version that the build configuration passes in.
#include "base/version.h"

namespace mainstay {

const char* version() noexcept {
  return MAINSTAY_VERSION;
}

}  // namespace mainstay
