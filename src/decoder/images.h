// Pictures: measured by their heads, then resized and converted. The only place that knows libvips.
// Used by decoder/serve.cpp.
#pragma once

#include <optional>
#include <string>

#include "child/answers.h"

namespace mainstay::decoder {

using child::Refusal;

/// Starts libvips: one thread, no cache, no plugins, no code made at run time. False: it does not
/// work.
bool warm_images();
std::string images_version();

/// Each answers and gives back nothing, or gives back why not. `file` is a regular file.
std::optional<Refusal> measure_picture(const media::Order& order, int file);
std::optional<Refusal> convert_picture(const media::Order& order, int file);

}  // namespace mainstay::decoder
