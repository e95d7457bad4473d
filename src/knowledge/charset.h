// Text that is not UTF-8: where it is not, and what a page of HTML says that it is.
// Used by html.cpp and cutter.cpp.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mainstay::knowledge {

/// The first byte that no character of UTF-8 holds; the size when all of it is UTF-8.
std::size_t first_not_utf8(std::string_view text) noexcept;

/// The page in UTF-8: as it is, or from the character set that it declares. Bytes that the set does
/// not have become U+FFFD. Errors: invalid (it declares none, or one that is not known here).
Result<std::string> html_in_utf8(const std::string& html);

}  // namespace mainstay::knowledge
