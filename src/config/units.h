// Durations and sizes as people write them: "250ms", "30s", "10MiB", "1GB".
// Used inside config and by its tests.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/settings.h"

namespace mainstay::config {

/// Whole number, no sign but '-', nothing around it; empty when it is not one or does not fit.
std::optional<std::int64_t> parse_integer(std::string_view text);
/// Decimal number, finite.
std::optional<double> parse_number(std::string_view text);
/// true/false, yes/no, on/off, 1/0.
std::optional<bool> parse_switch(std::string_view text);
/// Whole number with ms, s, m, h or d; a bare number is milliseconds. Never overflows.
std::optional<Millis> parse_duration(std::string_view text);
/// Whole number with B, KiB, MiB, GiB, TiB (1024) or KB, MB, GB, TB (1000); bare: bytes.
std::optional<Bytes> parse_size(std::string_view text);
/// The shortest exact form: 60000 ms is "1m".
std::string print(Millis duration);
std::string print(Bytes size);
/// Comma-separated texts, blanks around them cut, empty ones left out.
std::vector<std::string> parse_list(std::string_view text);

}  // namespace mainstay::config
