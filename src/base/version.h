// The program's version: the one that CMakeLists.txt names in project().
// Used by app (greeting, --version) and api (the OpenAPI document).
#pragma once

namespace mainstay {

/// "1.2.3"; static.
const char* version() noexcept;

}  // namespace mainstay
