// What the two pools of mainstay-decoder have in common. Used by media/decoders.cpp and
// media/archive.cpp.
#pragma once

#include <string>

#include "config/settings.h"
#include "media/child_pool.h"

namespace mainstay::media {

/// As the settings have it. Left to the caller: name, items, most, and the errors missing, busy,
/// slow and of.
ChildRules decoder_rules(const MediaSettings& settings, std::string program);

}  // namespace mainstay::media
