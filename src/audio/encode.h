// Samples as a file of a format, made while they come. The only place that knows FFmpeg's encoders.
// Used by audio/orders.cpp and audio/speak.cpp.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "audio/ffmpeg.h"
#include "child/answers.h"

namespace mainstay::audio {

/// Takes bytes of the file, in order.
using TakeBytes = std::function<void(std::string_view)>;

/// One channel, media::kSpokenRate. Nothing is ever written twice: the result can be sent at once.
class Encoder {
 public:
  virtual ~Encoder() = default;
  /// False: the encoder failed; complaints() says why.
  virtual bool feed(std::span<const std::int16_t> samples) = 0;
  virtual bool finish() = 0;
};

/// `format`: one of media::kSoundFormats. Null: this build of FFmpeg cannot make it.
std::unique_ptr<Encoder> make_encoder(std::string_view format, TakeBytes take);

}  // namespace mainstay::audio
