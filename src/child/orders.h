// The loop of a locked-in process: an order with a file comes in, frames go out, one item after the
// other. What sanitizers need there.
// Used by src/decoder and src/audio.
#pragma once

#include <functional>
#include <optional>

#include "child/answers.h"

namespace mainstay::child {

/// Hard limit of a process; each item is granted far less.
inline constexpr std::uint32_t kHardSeconds = 24 * 3600;
inline constexpr std::uint32_t kOpenFiles = 64;

/// Carries out one order (an object) on a file and answers, or gives back why not. The file is
/// closed after it.
using CarryOut = std::function<std::optional<Refusal>(const Json& order, int file)>;

/// Until nobody sends orders any more, or one that is none. Out of memory ends the process with an
/// exit code that media/child_pool.cpp knows.
void serve(const CarryOut& carry_out);

/// Writes `object` to standard output, as a probe does.
void print(const Json& object);

}  // namespace mainstay::child
