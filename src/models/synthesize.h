// Face: text to speech. Inner rooms openai, gemini, wyoming and builtin implement it; the router
// alone calls it. Others see Models::speak().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/co.h"
#include "base/deadline.h"
#include "base/ids.h"
#include "base/result.h"
#include "models/attempt.h"

namespace mainstay::models {

/// How speech is packed. `pcm`: 16 bit signed little-endian samples without a head.
enum class AudioForm : std::uint8_t { mp3, wav, opus, flac, pcm, aac };
/// "mp3", "wav", …
std::string_view name(AudioForm form) noexcept;
std::optional<AudioForm> audio_form(std::string_view name) noexcept;
/// "audio/mpeg", "audio/wav", "audio/ogg" (opus), "audio/flac", "audio/pcm", "audio/aac".
std::string_view mime_of(AudioForm form) noexcept;

struct SpeechRequest {
  std::string text;          ///< not empty, UTF-8
  std::string voice;         ///< empty: the engine's own; a name it does not know is its own error
  std::string language;      ///< ISO 639-1; empty: the voice's
  std::string instructions;  ///< how to say it; engines that cannot ignore it
  double speed = 1;          ///< 0.25 to 4
  AudioForm form = AudioForm::mp3;
  bool no_store = false;  ///< neither look into the cache nor keep what is made
  TenantId tenant;
  RequestId request;
  std::string traceparent;
};

/// What a stream's bytes are. Of `pcm` the layout counts; other forms say it themselves.
struct AudioShape {
  AudioForm form = AudioForm::pcm;
  std::uint32_t rate = 24'000;  ///< samples a second
  std::uint32_t channels = 1;
};

/// Speech being made. Belongs to the loop that started it; destroying it cancels the work.
class SpeechStream {
 public:
  virtual ~SpeechStream() = default;
  /// The next piece of audio, not empty, of any size (PCM in whole samples); nullopt: all of it is
  /// there. Any other end is an error, as ChatStream's.
  virtual Co<Result<std::optional<std::string>>> next(Deadline by) = 0;
  /// Known once the stream exists.
  virtual AudioShape shape() const noexcept = 0;
};

/// A voice that can be asked for.
struct Voice {
  std::string id;        ///< what SpeechRequest::voice takes
  std::string name;      ///< for people
  std::string language;  ///< "en", "en-gb"; may be empty
  std::string gender;    ///< "female", "male" or empty
  std::string provider;
  std::string model;  ///< empty: any of the provider's
};

class Synthesizer {
 public:
  virtual ~Synthesizer() = default;
  /// Started speech, in the form asked for or in another one (the router packs it anew). Errors as
  /// listed at ChatProvider; invalid "voice_unknown". `request` and `timings` outlive the call; the
  /// stream keeps what it needs. As it is here: unsupported "upstream_cannot".
  virtual Co<Result<std::unique_ptr<SpeechStream>>> speak(const SpeechRequest& request,
                                                          Attempt attempt, AttemptTimings& timings);
  /// Its voices; empty where it has no list (as here).
  virtual Co<Result<std::vector<Voice>>> voices(Deadline by);
};

/// Packs sound as it comes: an encoder in a child process, or plain code for wav and pcm.
class SpeechPacker {
 public:
  virtual ~SpeechPacker() = default;
  /// Whether it can make `form` at all; else a request for it is refused before it is made.
  virtual bool can(AudioForm form) const noexcept = 0;
  /// The same speech as `form`, with one channel. Errors: invalid "audio_format_unsupported";
  /// unavailable "audio_missing", "audio_busy"; those of `sound`.
  virtual Co<Result<std::unique_ptr<SpeechStream>>> pack(std::unique_ptr<SpeechStream> sound,
                                                         AudioForm form, Deadline by) = 0;
};

/// Cuts a text where a speaker would breathe: sentences, else clauses, else words; each piece has
/// at most `most` bytes of whole UTF-8 and something to say. Pure.
std::vector<std::string> spoken_pieces(std::string_view text, std::size_t most);

/// Whether it is one of the voices of OpenAI's own, which its clients must send ("alloy", …): other
/// engines take it for their usual one.
bool is_openai_voice(std::string_view name) noexcept;
std::span<const std::string_view> openai_voices() noexcept;

/// A WAV head for `shape`, of `bytes` of samples; 0: not known yet (a stream). `width`: bytes of a
/// sample.
std::string wav_head(AudioShape shape, std::uint32_t bytes, std::uint32_t width = 2);

}  // namespace mainstay::models
