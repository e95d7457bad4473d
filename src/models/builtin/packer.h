// Sound of any engine as mp3, wav, opus, flac or pcm: wav and pcm here when the rate fits, the rest
// by an encoder in a process that is locked in. Used by app/wire.cpp alone.
#pragma once

#include <memory>

#include "media/audio.h"
#include "models/synthesize.h"

namespace mainstay::models::builtin {

/// References outlive it and its streams.
std::unique_ptr<SpeechPacker> make_packer(media::Audio& audio, Clock& clock);

/// 16 bit samples of `channels` channels as one channel, their mean; a last incomplete frame stays
/// in `rest`, which comes before the bytes of the next call. Pure.
std::string to_mono(const std::string& bytes, std::uint32_t channels, std::string& rest);

}  // namespace mainstay::models::builtin
