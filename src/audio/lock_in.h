// What a process of a role loads, and how it locks itself in.
// Used by audio/main.cpp.
#pragma once

#include <string>

#include "base/json.h"
#include "media/sound_orders.h"
#include "resources/sandbox.h"

namespace mainstay::audio {

/// Loads what the role needs; nothing hostile was read before. A role whose data is not there still
/// starts, and refuses its orders. `memory`: bytes of address space, 0: no limit.
Result<resources::Sandbox> lock_in(media::SoundRole role, const std::string& model,
                                   std::uint64_t memory);
/// The role's data was found.
bool loaded();
/// What this program has, after locking itself in as the role speak.
Result<Json> probe(const std::string& model, std::uint64_t memory);

}  // namespace mainstay::audio
