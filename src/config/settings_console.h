// Settings of the console and of what it shows: samples, log lines, streams.
// Included by config/settings.h alone.
#pragma once

#include <cstdint>

#include "base/units.h"

namespace mainstay {

/// [console] the page at /, and what GET /admin/history, /admin/live and /admin/logs keep for it.
struct ConsoleSettings {
  bool enabled = true;
  bool history = true;              ///< an hour by seconds and a day by minutes: 2.7 MB when full
  Bytes log_tail = 1_MiB;           ///< newest log lines kept in memory; 0: none
  std::uint32_t watchers_max = 16;  ///< open streams of /admin/live and /admin/logs
};

}  // namespace mainstay
