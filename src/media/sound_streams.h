// Frames of mainstay-audio as samples, segments and bytes; nothing in them is believed.
// Used by media/audio.cpp alone.
#pragma once

#include <memory>

#include "media/audio.h"

namespace mainstay::media {

/// Each waits for the first frame, which must be a start. Errors: as PcmStream.
Co<Result<std::unique_ptr<PcmStream>>> pcm_stream(std::unique_ptr<Decoding> decoding, Deadline by);
Co<Result<std::unique_ptr<HearingStream>>> hearing_stream(std::unique_ptr<Decoding> decoding,
                                                          Deadline by);
Co<Result<std::unique_ptr<AudioStream>>> audio_stream(std::unique_ptr<Decoding> decoding,
                                                      Deadline by);

}  // namespace mainstay::media
