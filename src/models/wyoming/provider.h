// Voice servers of Home Assistant (Piper, faster-whisper, …) as a provider: speech to text and text
// to speech over the Wyoming protocol.
// Used by app/wire.cpp alone.
#pragma once

#include <memory>

#include "media/audio.h"
#include "models/provider.h"

namespace mainstay::models::wyoming {

/// References outlive the provider. `audio` decodes recordings; null: it hears none. Errors:
/// invalid when base_url is no tcp:// address.
Result<std::unique_ptr<ChatProvider>> make(const ProviderSettings& settings, Clock& clock,
                                           media::Audio* audio);

}  // namespace mainstay::models::wyoming
