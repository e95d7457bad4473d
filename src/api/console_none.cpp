// A program that was built without the console: -DMAINSTAY_CONSOLE=OFF.
#include "api/console_files.h"

namespace mainstay::api {

std::span<const ConsoleFile> console_files() {
  return {};
}

}  // namespace mainstay::api
