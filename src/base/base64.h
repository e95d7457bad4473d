// Standard base64 with padding (RFC 4648). Used where numbers travel inside JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mainstay {

std::string to_base64(std::string_view bytes);
/// Nothing for what is not whole groups of four letters with right padding.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace mainstay
