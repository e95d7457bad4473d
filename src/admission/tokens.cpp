// The estimate and the end of a reservation.
#include "admission/tokens.h"

#include "admission/limits.h"

namespace mainstay::admission {

std::uint64_t tokens_of(const Estimate& estimate, std::uint64_t usual) noexcept {
  const std::uint64_t longest = estimate.answer != 0 ? estimate.answer : usual;
  return estimate.prompt_bytes / 4 + longest * estimate.choices;
}

Reservation::~Reservation() {
  settle(tokens_);
}

void Reservation::settle(std::uint64_t tokens) noexcept {
  if (limits_ != nullptr) limits_->end(*this, tokens);
}

}  // namespace mainstay::admission
