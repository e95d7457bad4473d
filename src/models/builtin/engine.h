// The built-in engine of speech: PocketSphinx hears, eSpeak NG speaks, both in processes that are
// locked in. Offline, small, modest: docs/voice.md says how modest.
// Used by app/wire.cpp alone.
#pragma once

#include <memory>

#include "media/audio.h"
#include "models/provider.h"

namespace mainstay::models::builtin {

/// Its name as a provider, and those of its models.
inline constexpr std::string_view kName = "builtin";
inline constexpr std::string_view kHears = "pocketsphinx";
inline constexpr std::string_view kSpeaks = "espeak-ng";

/// `audio` outlives it.
std::unique_ptr<ChatProvider> make(media::Audio& audio);

}  // namespace mainstay::models::builtin
