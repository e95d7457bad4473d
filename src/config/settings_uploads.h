// Settings of resumable uploads and of archives. Included by settings.h.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/units.h"

namespace mainstay {

using Millis = std::chrono::milliseconds;

/// [uploads] files that come in parts and can go on after a break.
struct UploadSettings {
  Bytes size_max{16_GiB};             ///< of one file
  Bytes part_max{64_MiB};             ///< of one part
  std::uint32_t parts_max = 10'000;   ///< of one file
  std::uint32_t owner_open_max = 32;  ///< unfinished ones of one user
  Millis keep{86'400'000};            ///< of one that nobody goes on with
};

/// [archives] zip and tar files, unpacked by a locked-in decoder.
struct ArchiveSettings {
  std::uint32_t entries_max = 10'000;  ///< files in one
  Bytes entry_max{64_MiB};             ///< of one file in it
  Bytes bytes_max{4_GiB};              ///< of all files in it
  std::uint32_t ratio_max = 100;       ///< unpacked bytes for each packed one
};

}  // namespace mainstay
