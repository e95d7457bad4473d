// What the program and mainstay-audio (src/audio) say to each other, beside the frames: what is
// wanted of a sound, as an object. Pure.
// Used by media/audio.cpp, src/audio and their tests.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "media/voice_activity.h"

namespace mainstay::media {

/// What a process of mainstay-audio was started for; "mainstay-audio serve MEMORY ROLE MODEL".
enum class SoundRole : std::uint8_t { decode, hear, speak };
inline constexpr std::array<const char*, 3> kSoundRoles = {"decode", "hear", "speak"};

enum class SoundWant : std::uint8_t {
  decode,  ///< samples of kVoiceRate: start, data ..., end
  hear,    ///< a page with text for each span of voice: start, page ..., end
  speak,   ///< the file is a text: start, data ..., end
  encode   ///< another format: start, data ..., end
};

/// Samples a second of everything that is spoken or encoded.
inline constexpr std::uint32_t kSpokenRate = 24'000;
/// Formats that can be made. In the order of media::AudioFormat.
inline constexpr std::array<const char*, 6> kSoundFormats = {"wav",  "mp3", "opus",
                                                             "flac", "pcm", "aac"};

struct SoundOrder {
  std::uint64_t item = 0;
  SoundWant want = SoundWant::decode;
  std::uint32_t pcm_rate = 0;  ///< see AudioInput
  std::uint32_t seconds_max = 0;
  std::uint32_t channels_max = 0;
  std::uint32_t rate_max = 0;
  std::uint32_t threads = 1;
  bool spans = false;         ///< find voice
  bool drop_silence = false;  ///< give out nothing else
  VoiceRules rules;
  std::string format;  ///< of speak and encode: one of kSoundFormats
  std::string voice;
  double speed = 1;
};

Json sound_json(const SoundOrder& order);
/// Errors: invalid.
Result<SoundOrder> sound_order_of(const Json& object);

}  // namespace mainstay::media
