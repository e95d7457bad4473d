// The secret that signs webhooks: what its text means. Used by the check at the start and by jobs:
// one reader, so that nothing passes the check and cannot sign.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mainstay::config {

inline constexpr std::size_t kWebhookKeyMin = 24;  ///< bytes, as Standard Webhooks say
inline constexpr std::size_t kWebhookKeyMax = 64;

/// The bytes of "whsec_" and base64 (the standard alphabet; padding may be left out); nothing when
/// it is not that, or not 24 to 64 bytes. Pure.
std::optional<std::string> webhook_key(std::string_view secret);

}  // namespace mainstay::config
