// What a decoder may say of a file, and what a client is told of it. A decoder may have been taken
// over by what it read: of its words only the reasons listed here reach a client.
// Used by media/decoders.cpp and src/decoder.
#pragma once

#include <string>

#include "base/error.h"

namespace mainstay::media {

/// The error for a reason that a decoder gave; `detail` is for the log. A reason that is not known
/// is "decoder_failed".
Error error_of(const std::string& reason, const std::string& detail);

/// The decoder's process ended in the middle of a file, or did not answer as agreed.
Error decoder_failed(const std::string& detail);

}  // namespace mainstay::media
