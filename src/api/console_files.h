// The console's files, bundled and compressed when the program was built.
// Defined in build/PRESET/console/console_files.cpp, which tools/console_pack.mjs writes; used by
// console.cpp.
#pragma once

#include <span>
#include <string_view>

namespace mainstay::api {

struct ConsoleFile {
  std::string_view path;  ///< "/", "/assets/main-4F7Q2K1A.js"
  std::string_view type;  ///< Content-Type
  std::string_view etag;  ///< strong, with its quotes
  bool lasting = false;   ///< another content would have another path
  std::string_view gzip;  ///< what is sent
};

/// Empty in a program that was built without the console (-DMAINSTAY_CONSOLE=OFF).
std::span<const ConsoleFile> console_files();

}  // namespace mainstay::api
