// Fuzz target: outside bytes as a token, as its claims and as an issuer's key set. Whatever is
// taken apart must be written back as the same text; nothing may be accepted twice in two texts.
// uses: admission
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "admission/base64url.h"
#include "admission/jwt.h"
#include "base/check.h"

using namespace mainstay;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  auto open = admission::take_apart(text);
  if (open.ok()) {
    CHECK(admission::looks_like_token(text) || !text.starts_with("ey"));
    const std::string signature = admission::to_base64url(open->signature);
    CHECK(std::string(open->signed_part) + "." + signature == text);
    const auto dot = open->signed_part.find('.');
    CHECK(admission::to_base64url(open->claims) == open->signed_part.substr(dot + 1));
    static const auto key = admission::VerifyKey::from_secret(std::string(32, 's'));
    [[maybe_unused]] const bool verified = key->verifies(open->signed_part, open->signature);
  }

  std::string bytes;
  if (admission::from_base64url(text, bytes)) CHECK(admission::to_base64url(bytes) == text);

  JwtSettings settings;
  settings.issuer = "issuer";
  settings.audience = "audience";
  auto claims = admission::check_claims(std::string(text), settings, WallTime{});
  if (claims.ok()) CHECK(claims->issuer == "issuer" && !claims->user.empty());

  auto set = admission::KeySet::parse(std::string(text));
  if (set.ok()) CHECK(set->size() > 0 && set->size() <= 64);
  return 0;
}
