// Base64 in its form for addresses and tokens (RFC 4648 section 5, without padding).
// Used by admission: keys, tokens.
#pragma once

#include <string>
#include <string_view>

namespace mainstay::admission {

std::string to_base64url(std::string_view bytes);
/// False unless `text` is the only way to write its bytes: no padding, no blank, no stray bits.
bool from_base64url(std::string_view text, std::string& bytes);

}  // namespace mainstay::admission
