// The list of reasons.
#include "media/sound_reasons.h"

#include <array>
#include <string_view>

#include "base/text.h"

namespace mainstay::media {
namespace {

constexpr std::size_t kDetailMax = 300;

struct Reason {
  const char* reason;
  Errc code;
  const char* sentence;
};

constexpr std::array kReasons = {
    Reason{"file_empty", Errc::unprocessable, "The file is empty."},
    Reason{"audio_format", Errc::unsupported,
           "The file is no sound in a format that is read here (WAV, FLAC, MP3, Ogg, M4A, AAC, "
           "WebM), whatever its name is."},
    Reason{"audio_codec", Errc::unsupported,
           "The sound is stored by a codec that is not read here."},
    Reason{"audio_no_sound", Errc::unprocessable, "The file holds no sound."},
    Reason{"audio_damaged", Errc::unprocessable, "The sound is cut off or damaged."},
    Reason{"audio_encrypted", Errc::unprocessable,
           "The sound is encrypted. Send it without protection."},
    Reason{"audio_too_long", Errc::too_large,
           "The sound is longer than sound.seconds_max. Send it in parts."},
    Reason{"audio_channels", Errc::unprocessable,
           "The sound has more channels than sound.channels_max."},
    Reason{"audio_rate", Errc::unprocessable,
           "The sound has fewer than 4000 samples a second, or more than sound.rate_max."},
    Reason{"audio_memory", Errc::too_large,
           "Reading the sound takes more memory than sound.memory."},
    Reason{"audio_encoder", Errc::unsupported,
           "The sound cannot be made in this format here: FFmpeg's encoder is missing or failed."},
    Reason{"voice_unknown", Errc::invalid,
           "The built-in engine has no such voice. Name a voice of eSpeak NG, e.g. en-us."},
    Reason{"text_required", Errc::invalid, "There is nothing to say in the text."},
    Reason{"recogniser_missing", Errc::unavailable,
           "The built-in recogniser has no model here. See sound.model."},
    Reason{"voices_missing", Errc::unavailable,
           "The built-in voices are not installed here (the data of eSpeak NG)."},
};

Error said(const std::string& reason) {
  for (const auto& known : kReasons) {
    if (reason == known.reason) return Error::say(known.code, known.reason, known.sentence);
  }
  return sound_failed("");
}

}  // namespace

Error sound_failed(const std::string& detail) {
  Error error = Error::say(Errc::unprocessable, "audio_failed",
                           "The sound could not be read: the process that read it ended. It is "
                           "damaged, made to do harm, or needs more memory than sound.memory.");
  error.detail = "sound: " + detail;
  return error;
}

Error sound_error_of(const std::string& reason, const std::string& detail) {
  Error error = said(reason);
  error.detail = "sound: " + reason + ": " + detail;
  error.detail = std::string(cut_utf8(to_utf8(error.detail), kDetailMax));
  return error;
}

}  // namespace mainstay::media
