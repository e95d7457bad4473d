// One log line as text: JSON or `key=value`, escaped so that no value can forge a line.
// Used by telemetry/log.cpp alone.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "telemetry/log.h"

namespace mainstay {

/// Longest text value of a line, in bytes; the rest is cut.
inline constexpr std::size_t kLogTextMax = 2048;
/// Longest line; further fields are left out.
inline constexpr std::size_t kLogLineMax = 16 * 1024;

enum class LogFormat : std::uint8_t { json, text };

/// Appends one line with its line feed to `out`.
void append_log_line(std::string& out, LogFormat format, WallTime at, Level level,
                     std::string_view event, std::initializer_list<Field> fields);

/// The level's name, e.g. "warn".
std::string_view name(Level level) noexcept;

}  // namespace mainstay
