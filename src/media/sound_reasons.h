// What a process of mainstay-audio may say of a sound or text, and what a client is told of it: of
// its words only the reasons listed here reach a client.
// Used by media/audio.cpp and tests.
#pragma once

#include <string>

#include "base/error.h"

namespace mainstay::media {

/// The error for a reason that it gave; `detail` is for the log. A reason that is not known is
/// "audio_failed".
Error sound_error_of(const std::string& reason, const std::string& detail);
/// It ended in the middle of a file, or did not answer as agreed.
Error sound_failed(const std::string& detail);

}  // namespace mainstay::media
