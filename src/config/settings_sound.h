// Settings of [sound]: files of sound and the built-in speech, in processes that are locked in.
// Included by config/settings.h alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/units.h"

namespace mainstay {

/// [sound] the processes that decode, recognise and speak (docs/voice.md).
struct SoundSettings {
  std::string program;            ///< empty: mainstay-audio beside this one
  std::uint32_t decoders = 0;     ///< processes at once; 0: one for each core, at most 2
  std::uint32_t recognisers = 0;  ///< the same; each holds the model
  std::uint32_t speakers = 0;     ///< the same
  std::uint32_t threads = 0;      ///< that decode one long file; 0: one for each core, at most 4
  std::uint32_t waiting_max = 64;
  std::uint32_t items_per_process = 500;
  Bytes memory = 2_GiB;     ///< address space of one
  Bytes resident = 96_MiB;  ///< after a file; one that holds more is replaced
  Bytes recogniser_resident = 384_MiB;
  std::chrono::milliseconds deadline{600'000};  ///< of waiting for one file
  std::chrono::milliseconds idle{60'000};       ///< one without work is ended then
  std::uint32_t seconds_max = 14'400;           ///< of one file
  std::uint32_t channels_max = 8;
  std::uint32_t rate_max = 192'000;
  Bytes text_max = 64_KiB;  ///< spoken at once
  std::string voice = "en-us";
  std::string model = "/usr/share/pocketsphinx/model/en-us";
};

}  // namespace mainstay
