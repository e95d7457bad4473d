// Rows of [console]: keys, bounds and sentences. Defaults are those of settings_console.h.
#include <array>

#include "config/row_makers.h"
#include "config/table.h"

namespace mainstay::config {
namespace {

constexpr auto kConsole = &Settings::console;
using Console = ConsoleSettings;

constexpr std::array kRows = {
    row<kConsole, &Console::enabled>("console.enabled", kOnOff,
                                     "Whether the console is served at /."),
    row<kConsole, &Console::history>(
        "console.history", kOnOff,
        "Whether figures of the last hour and day are kept in memory, at most 2.7 MB."),
    row<kConsole, &Console::log_tail>(
        "console.log_tail", {0, 64 * kMiB},
        "Newest log lines kept in memory for GET /admin/logs; 0: none."),
    row<kConsole, &Console::watchers_max>(
        "console.watchers_max", {1, 1000},
        "Open streams of /admin/live and /admin/logs; more are refused."),
};

}  // namespace

std::span<const Row> console_rows() {
  return kRows;
}

}  // namespace mainstay::config
