// Audio and built-in speech as bounded streams: files decoded to samples, speech recognised, text
// spoken, samples encoded. All of it happens in locked-in processes (src/audio), never here.
// Used by models' speech faces, api, assistant, app (which makes it) and tests.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/co.h"
#include "base/deadline.h"
#include "base/result.h"
#include "config/settings.h"
#include "media/child_pool.h"
#include "media/sound_orders.h"
#include "media/voice_activity.h"

namespace mainstay::media {

/// Sound on its way in. Not copied: read from its start to its end by the process.
struct AudioInput {
  /// A regular file or a memory file (memory_file()), open for reading; or the reading end of a
  /// pipe (live_input()).
  resources::Descriptor file;
  /// 0: a file of any format, told by its content. Else bare samples: signed, 16 bit, little
  /// endian, one channel, so many a second (8,000 to 192,000).
  std::uint32_t pcm_rate = 0;
};

/// Bytes as a file that is nowhere but in memory. Errors: over_limit (no memory, no descriptor).
Result<resources::Descriptor> memory_file(std::string_view bytes);

/// The writing end of an input whose samples or bytes come in while they are worked at. On the
/// executor of whoever made it.
class LiveFeed {
 public:
  virtual ~LiveFeed() = default;  ///< ends the input, as end() does
  /// Waits while the process does not read. Errors: unavailable (it reads no more: its stream says
  /// why), deadline.
  virtual Co<Status> write(std::string bytes, Deadline by) = 0;
  /// Nothing more comes.
  virtual void end() = 0;
};
struct LiveInput {
  AudioInput input;
  std::unique_ptr<LiveFeed> feed;
};
/// Whoever reads the stream and whoever feeds it must not wait for each other: they are two
/// coroutines. Errors: over_limit (no descriptor).
Result<LiveInput> live_input(std::uint32_t pcm_rate, Executor executor, Clock& clock);

/// What is known of a file before its first sample.
struct AudioFacts {
  std::string codec;      ///< FFmpeg's short name: "mp3", "opus", "aac", "flac", "pcm_s16le" ...
  std::string container;  ///< "wav", "mp3", "ogg", "mov", "matroska", "flac", "pcm"
  std::uint32_t channels = 0;
  std::uint32_t rate = 0;  ///< samples a second, as stored
  /// As the file says; it may lie. nullopt: it does not say.
  std::optional<double> seconds;
};

/// What is known after the last sample.
struct AudioSummary {
  std::uint64_t samples = 0;  ///< that were given out, at the rate of the result
  double seconds = 0;         ///< of sound in the file, silence included
  std::uint64_t bad = 0;      ///< samples that were no numbers; taken as silence
  std::uint64_t clipped = 0;  ///< samples at full scale or above it
  bool cut_off = false;       ///< the file broke off or was damaged: this is what there was
  std::uint32_t pieces = 1;   ///< in which it was decoded, on several cores
};

/// Samples: signed, 16 bit, little endian, one channel, kVoiceRate a second.
struct PcmPiece {
  std::string bytes;             ///< at most kBodyMax; may be empty
  std::uint64_t first = 0;       ///< place of its first sample in the file
  std::vector<VoiceSpan> voice;  ///< spans that ended since the last piece; if asked for
};

struct DecodeWish {
  bool voice = false;         ///< find spans of voice
  bool drop_silence = false;  ///< give out spans of voice alone (and find them)
  VoiceRules rules;
};

/// A file on its way to samples. On the executor of whoever began it; letting go of it ends the
/// work. Errors of all streams here: those that the file deserves ("audio_format",
/// "audio_no_sound", "audio_damaged", "audio_encrypted", "audio_too_long", "audio_channels",
/// "audio_rate", "file_empty"), unprocessable "audio_failed" (the process ended or answered
/// nonsense), "audio_deadline" (sound.deadline of waiting), too_large "audio_memory", deadline
/// (`by` came first).
class PcmStream {
 public:
  virtual ~PcmStream() = default;
  virtual const AudioFacts& facts() const noexcept = 0;
  /// nullopt at the end; summary() is known then.
  virtual Co<Result<std::optional<PcmPiece>>> next(Deadline by) = 0;
  virtual const AudioSummary& summary() const noexcept = 0;
};

/// Something that was said. Seconds from the file's start.
struct HeardSegment {
  double start = 0;
  double end = 0;
  std::string text;       ///< UTF-8, lower case, without punctuation; never empty
  double confidence = 0;  ///< 0 to 1, as the recogniser judges itself
};
/// Speech on its way to text: a segment for each span of voice, as soon as it has ended.
class HearingStream {
 public:
  virtual ~HearingStream() = default;
  virtual const AudioFacts& facts() const noexcept = 0;
  /// nullopt at the end; silence gives no segment at all. Errors: as PcmStream.
  virtual Co<Result<std::optional<HeardSegment>>> next(Deadline by) = 0;
  virtual const AudioSummary& summary() const noexcept = 0;
};

enum class AudioFormat : std::uint8_t { wav, mp3, opus, flac, pcm, aac };
/// "wav", "mp3", "opus", "flac", "pcm", "aac" and nothing else.
std::optional<AudioFormat> audio_format(std::string_view name);
const char* name(AudioFormat format) noexcept;
/// "audio/wav", "audio/mpeg", "audio/ogg" (opus), "audio/flac", "audio/pcm", "audio/aac".
const char* media_type(AudioFormat format) noexcept;
// Everything that is spoken or encoded has one channel and kSpokenRate samples a second. `pcm` is
// signed, 16 bit, little endian; `wav` leaves its length open, for it is sent while it is made.

/// Encoded sound on its way out.
class AudioStream {
 public:
  virtual ~AudioStream() = default;
  /// The next bytes, as they are made, at most kBodyMax; nullopt at the end. Errors: as PcmStream,
  /// and those of speak().
  virtual Co<Result<std::optional<std::string>>> next(Deadline by) = 0;
  /// At the end: samples (of kSpokenRate) and seconds.
  virtual const AudioSummary& summary() const noexcept = 0;
};

struct SpeakWish {
  std::string text;    ///< UTF-8, at most sound.text_max bytes; spoken sentence by sentence
  std::string voice;   ///< an identifier of AudioMeans::voices; empty: sound.voice
  double speed = 1.0;  ///< 0.25 to 4
  AudioFormat format = AudioFormat::wav;
};

/// A voice of eSpeak NG.
struct VoiceFacts {
  std::string id;        ///< what SpeakWish::voice takes: "en-us", "de", "fr-fr" ...
  std::string language;  ///< of BCP 47: "en-us", "de"
  std::string name;      ///< for people: "English (America)"
};

/// What this machine has. Nothing here says how well it works: docs/voice.md does.
struct AudioMeans {
  bool decodes = false;            ///< mainstay-audio is there and can be locked in
  bool hears = false;              ///< with PocketSphinx's model
  bool speaks = false;             ///< with eSpeak NG's data
  std::string ffmpeg;              ///< version of libavcodec
  std::string espeak;              ///< version of eSpeak NG
  std::string model;               ///< folder of the recogniser's model; its language is en-US
  int landlock = 0;                ///< version of the kernel's Landlock in force; 0: none
  std::string version;             ///< of mainstay-audio
  std::string why;                 ///< a sentence, if something is missing
  std::vector<VoiceFacts> voices;  ///< sorted by id
  /// Ways in which any of them can sound, behind a plus: "en-us+f2".
  std::vector<std::string> variants;
};

/// The voice for a wish: the one of this id, else the first whose id or language begins with the
/// wish's language ("en" finds "en-us"). Null: there is none. Pure.
const VoiceFacts* find_voice(const AudioMeans& means, std::string_view wish);
/// What SpeakWish::voice takes for a wish: the id of its voice, with the variant that it names
/// behind a plus. nullopt: there is no such voice or variant. Pure.
std::optional<std::string> voice_for(const AudioMeans& means, std::string_view wish);

/// Asks a started program what it has. Blocks, 10 s at most; from a thread that may block and stays
/// (the child dies with it). Never fails: `why` says what is wrong.
AudioMeans audio_means(const SoundSettings& settings, const std::string& program);
/// mainstay-audio: `wanted` when it is given, else beside this program or in ../libexec/mainstay.
std::string find_audio(const std::string& wanted);

/// The face. Thread-safe. Outlives what it began. No process is started before the first file.
class Audio {
 public:
  /// References outlive it and its streams.
  Audio(const SoundSettings& settings, std::string program, Clock& clock, Log& log,
        Metrics& metrics);
  ~Audio();
  Audio(const Audio&) = delete;
  Audio& operator=(const Audio&) = delete;

  /// Each waits until a process is free and, but speak(), until the file's head was read. Errors of
  /// all: unavailable "audio_missing" (no program), "audio_busy" (no process became free by `by`),
  /// and those of PcmStream.
  Co<Result<std::unique_ptr<PcmStream>>> decode(AudioInput input, DecodeWish wish, Deadline by,
                                                IfBusy busy = IfBusy::wait);
  /// With the built-in recogniser, English alone. Errors also: unavailable "recogniser_missing".
  Co<Result<std::unique_ptr<HearingStream>>> hear(AudioInput input, Deadline by,
                                                  IfBusy busy = IfBusy::wait);
  /// With the built-in voices. Errors also: invalid "text_required" (nothing to say),
  /// "text_too_long" "voice_unknown", "speed_out_of_range"; unavailable "voices_missing".
  Co<Result<std::unique_ptr<AudioStream>>> speak(SpeakWish wish, Deadline by,
                                                 IfBusy busy = IfBusy::wait);
  /// Any sound, also that of another engine, as another format, one channel, kSpokenRate.
  Co<Result<std::unique_ptr<AudioStream>>> encode(AudioInput input, AudioFormat format, Deadline by,
                                                  IfBusy busy = IfBusy::wait);

  /// What was found, asked for once on the first call, on a thread of its own; cheap afterwards.
  Co<std::shared_ptr<const AudioMeans>> means(Deadline by);

  /// Ends processes that had nothing to do for sound.idle; never returns.
  Co<> tidy();
  /// Nothing begins any more; processes at rest end.
  void close();
  /// Of the processes that decode and encode; that hear; that speak.
  ChildFigures decoding() const;
  ChildFigures hearing() const;
  ChildFigures speaking() const;
  /// Resident bytes that processes at rest and under way were last known to hold.
  std::uint64_t resident() const;

  struct Core;

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace mainstay::media
