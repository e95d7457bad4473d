// Settings of speech: [audio] recordings and speech over the API, [voice] spoken questions.
// Included by settings.h.
#pragma once

#include <cstdint>
#include <string>

#include "base/units.h"

namespace mainstay {

/// [audio] recordings in, speech out, where audio is kept.
struct AudioSettings {
  Bytes upload_max = 200_MiB;               ///< of one recording as a file
  Millis transcription_timeout{3'600'000};  ///< for hearing one recording, once it is here
  Millis speech_timeout{300'000};           ///< for speaking one text
  std::uint32_t text_max = 4096;            ///< characters of one text to speak
  std::uint32_t at_once = 8;                ///< recordings and texts worked at by one server
  std::string store = "auto";               ///< auto disk memory inline
  std::string folder;                       ///< on the disk; empty: audio in storage.data_dir
  Bytes disk_max = 1_GiB;                   ///< kept there
  Bytes disk_free_min = 512_MiB;            ///< left free there
  Bytes memory_max = 32_MiB;                ///< kept in memory
  std::uint32_t entries_max = 1000;         ///< kept pieces of audio in all
  std::uint32_t owner_entries_max = 100;    ///< of one user
  Bytes entry_max = 64_MiB;                 ///< of one piece
  Millis keep{3'600'000};                   ///< a piece of audio, from when it was begun
  bool cache = true;                        ///< keep speech for the same text again
  Bytes cache_max = 16_MiB;
  Bytes cache_entry_max = 1_MiB;
  Millis cache_ttl{86'400'000};
};

/// [voice] spoken questions and their answers: /v1/voice.
struct VoiceSettings {
  Bytes upload_max = 16_MiB;         ///< of one spoken question as a file
  Millis question_max{120'000};      ///< of one spoken question over a WebSocket
  Millis quiet{700};                 ///< of this length ends a question when nobody says so
  Millis turn_timeout{300'000};      ///< for one question and its answer
  Millis session_max{14'400'000};    ///< one WebSocket; it is closed then
  std::uint32_t message_rate = 200;  ///< frames a second of one WebSocket, over 10 s
  Bytes sentence_max{400};           ///< spoken at once; a longer sentence is cut
  std::uint32_t sentences_max = 64;  ///< that wait to be spoken; then writing waits
  Bytes spoken_max = 16_KiB;         ///< of one answer; what is behind is not spoken
  Bytes events_max = 256_KiB;        ///< that wait for the client; then the turn waits
  std::string instructions =         ///< shown to the model before a spoken question
      "Your answer is read aloud. Answer in short, plain sentences, without lists, tables or code "
      "unless you are asked for them.";
};

}  // namespace mainstay
