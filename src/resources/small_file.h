// Reading the small files of /proc and /sys: "not there" is a value, never an error.
// Used inside this room.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay::resources {

/// At most 64 KiB of a file; empty when it cannot be read.
std::optional<std::string> read_small(const std::string& path);
/// The number a text begins with, blanks before it skipped. "max" and other words: empty.
std::optional<double> leading_number(std::string_view text);
/// The number that a file begins with.
std::optional<double> read_number(const std::string& path);
/// The number after a word that begins a line, as in "MemAvailable:  123 kB" or "oom_kill 4".
std::optional<double> number_of(std::string_view text, std::string_view word);
/// First line without the blanks around it; empty when the file is not there.
std::string read_word(const std::string& path);
/// Names in a folder, sorted; at most 4096.
std::vector<std::string> names_in(const std::string& folder);
bool is_there(const std::string& path);

}  // namespace mainstay::resources
