// Rows of [audio] and [voice]: keys, bounds and sentences. Defaults are those of settings_voice.h.
#include <array>

#include "config/row_makers.h"
#include "config/table.h"

namespace mainstay::config {
namespace {

constexpr auto kAudio = &Settings::audio;
using Audio = AudioSettings;

constexpr std::array kAudioRows = {
    row<kAudio, &Audio::upload_max>("audio.upload_max", {kKiB, 64 * kGiB},
                                    "Size of one recording as a file."),
    row<kAudio, &Audio::transcription_timeout>("audio.transcription_timeout", kTimeout,
                                               "Time for hearing one recording, once it is here."),
    row<kAudio, &Audio::speech_timeout>("audio.speech_timeout", kTimeout,
                                        "Time for speaking one text."),
    row<kAudio, &Audio::text_max>("audio.text_max", {1, 1'000'000},
                                  "Characters of one text to speak."),
    row<kAudio, &Audio::at_once>(
        "audio.at_once", {1, 10'000},
        "Recordings and texts worked at by one engine at once; others wait in its line."),
    choice<kAudio, &Audio::store>(
        "audio.store", "auto|disk|memory|inline",
        "Where spoken answers are kept until they are fetched: files in audio.folder, memory, or "
        "nowhere (inline: they are sent as base64); auto: the first of these that can be used."),
    text<kAudio, &Audio::folder>("audio.folder", Form::any,
                                 "Folder of kept audio; empty: audio in storage.data_dir."),
    row<kAudio, &Audio::disk_max>("audio.disk_max", {kMiB, 1024 * kGiB},
                                  "Audio kept on the disk, in all."),
    row<kAudio, &Audio::disk_free_min>(
        "audio.disk_free_min", {0, 1024 * kGiB},
        "Free space that is left on the disk of audio.folder; below it audio is kept in memory."),
    row<kAudio, &Audio::memory_max>("audio.memory_max", {kMiB, 64 * kGiB},
                                    "Audio kept in memory, in all."),
    row<kAudio, &Audio::entries_max>("audio.entries_max", kCount, "Pieces of audio kept, in all."),
    row<kAudio, &Audio::owner_entries_max>("audio.owner_entries_max", kCount,
                                           "Pieces of audio kept for one user."),
    row<kAudio, &Audio::entry_max>("audio.entry_max", {kKiB, 64 * kGiB},
                                   "Size of one kept piece of audio."),
    row<kAudio, &Audio::keep>("audio.keep", {kSecond, 30 * kDay},
                              "Time that audio is kept, from when it was begun."),
    row<kAudio, &Audio::cache>("audio.cache", kOnOff,
                               "Keep made speech, for when the same text is asked for again."),
    row<kAudio, &Audio::cache_max>("audio.cache_max", {kKiB, 64 * kGiB},
                                   "Speech kept for the same text, in all."),
    row<kAudio, &Audio::cache_entry_max>("audio.cache_entry_max", {kKiB, kGiB},
                                         "Speech of one text; a longer one is not kept."),
    row<kAudio, &Audio::cache_ttl>("audio.cache_ttl", {kSecond, 30 * kDay},
                                   "Time that speech is kept for the same text."),
};

constexpr auto kVoice = &Settings::voice;
using Voice = VoiceSettings;

constexpr std::array kVoiceRows = {
    row<kVoice, &Voice::upload_max>("voice.upload_max", {kKiB, kGiB},
                                    "Size of one spoken question as a file."),
    row<kVoice, &Voice::question_max>(
        "voice.question_max", {kSecond, kHour},
        "Length of one spoken question over a WebSocket; a longer one is taken as ended."),
    row<kVoice, &Voice::quiet>(
        "voice.quiet", {100, 10 * kSecond},
        "Quiet of this length ends a spoken question over a WebSocket in hands-free mode."),
    row<kVoice, &Voice::turn_timeout>("voice.turn_timeout", {kSecond, kDay},
                                      "Time for one spoken question and its answer."),
    row<kVoice, &Voice::session_max>("voice.session_max", {kSecond, 7 * kDay},
                                     "Time after which a WebSocket for voice is closed."),
    row<kVoice, &Voice::message_rate>(
        "voice.message_rate", {1, 10'000},
        "Frames a second that a WebSocket for voice may send, over 10 seconds."),
    row<kVoice, &Voice::sentence_max>(
        "voice.sentence_max", {40, 4096},
        "Text of an answer spoken at once; a longer sentence is cut at a comma or a space."),
    row<kVoice, &Voice::sentences_max>(
        "voice.sentences_max", {1, 10'000},
        "Sentences of an answer that wait to be spoken; then the model waits."),
    row<kVoice, &Voice::spoken_max>(
        "voice.spoken_max", {40, 16 * kMiB},
        "Text of one answer that is spoken; what is behind it can only be read."),
    row<kVoice, &Voice::events_max>(
        "voice.events_max", {4 * kKiB, 64 * kMiB},
        "Events and audio of one turn that wait for the client; then the turn waits."),
    text<kVoice, &Voice::instructions>("voice.instructions", Form::any,
                                       "System message in front of a spoken question; empty: none.",
                                       {0, 8192}),
};

}  // namespace

std::span<const Row> audio_rows() {
  return kAudioRows;
}

std::span<const Row> voice_rows() {
  return kVoiceRows;
}

}  // namespace mainstay::config
