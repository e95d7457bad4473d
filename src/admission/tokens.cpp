// The estimate and the end of a reservation.
#include "admission/tokens.h"

#include "admission/limits.h"

namespace mainstay::admission {

std::uint64_t tokens_of(const Estimate& estimate, std::uint64_t usual) noexcept {
  return estimate.prompt_bytes / 4 + (estimate.answer != 0 ? estimate.answer : usual);
}

Reservation::~Reservation() {
  settle(tokens_);
}

void Reservation::settle(std::uint64_t tokens) noexcept {
  if (limits_ != nullptr) limits_->end(*this, tokens);
}

}  // namespace mainstay::admission
