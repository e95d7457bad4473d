// Reading the secret of webhooks.
#include "config/webhook_secret.h"

#include "base/base64.h"

namespace mainstay::config {

std::optional<std::string> webhook_key(std::string_view secret) {
  constexpr std::string_view kStart = "whsec_";
  if (!secret.starts_with(kStart)) return std::nullopt;
  std::string text(secret.substr(kStart.size()));
  // Many tools write it without: then it has none at all, not a part of it.
  if (!text.ends_with('=')) text.append((4 - text.size() % 4) % 4, '=');
  auto key = from_base64(text);
  if (!key || key->size() < kWebhookKeyMin || key->size() > kWebhookKeyMax) return std::nullopt;
  return key;
}

}  // namespace mainstay::config
