// The decoder's loop: an order with a file comes in, frames go out, one item after the other.
// Used by decoder/main.cpp.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "resources/sandbox.h"

namespace mainstay::decoder {

/// Loads the libraries and locks the process in; nothing hostile was read before.
Result<resources::Sandbox> lock_in(std::uint64_t memory);
/// Until nobody sends orders any more.
void serve();

}  // namespace mainstay::decoder
