// SHA-256 of bytes that come in pieces. Of one text: sha256_hex() in base/text.h.
// Used by knowledge and api.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace mainstay {

/// Two digits for each byte.
std::string hex_digits(std::string_view bytes);

/// Belongs to one thread at a time. Throws bad_alloc where there is no memory for it.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(std::string_view bytes);
  /// 64 hex digits; nothing may be added afterwards.
  std::string hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mainstay
