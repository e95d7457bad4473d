// Orders for sounds and texts, carried out.
// Used by audio/main.cpp.
#pragma once

#include <optional>

#include "child/answers.h"
#include "media/sound_orders.h"

namespace mainstay::audio {

/// Answers with a start, pages or data, and an end, or gives back why not. `role`: what this
/// process has loaded.
std::optional<child::Refusal> carry_out(media::SoundRole role, const Json& order, int file);

}  // namespace mainstay::audio
