// Recordings and speech as Gemini's generateContent has them: a recording inline with a prompt, a
// reply of PCM. Pure.
// Used by models/gemini/provider.cpp and tests.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/synthesize.h"
#include "models/transcribe.h"

namespace mainstay::models::gemini {

/// Largest recording that is sent inline; Gemini takes requests of 20 MB, as base64.
inline constexpr std::uint64_t kInlineMost = 14U << 20;

/// `bytes`: the whole recording.
std::string transcribe_body(const TranscribeRequest& request, const std::string& bytes);
/// The text of a reply. Errors: bad_upstream "upstream_bad_reply", "upstream_error".
Result<Transcript> read_transcript(const std::string& text);

/// The texts of the calls that speak one text: the first short, for an early first sound.
std::vector<std::string> spoken_parts(const std::string& text);
std::string speech_body(const SpeechRequest& request, const std::string& part);
/// A reply's sound.
struct SpokenPart {
  std::string pcm;  ///< 16 bit samples
  AudioShape shape;
};
/// Errors as above.
Result<SpokenPart> read_speech(const std::string& text);

/// Gemini's prebuilt voices.
std::vector<Voice> prebuilt_voices();

}  // namespace mainstay::models::gemini
