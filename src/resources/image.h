// The program's own pages: code and constants of the program and its libraries, mapped from files.
// Used by app, which gives back what only the start needed.
#pragma once

#include <cstdint>

namespace mainstay::resources {

/// Takes the read-only parts of the program and of every loaded library out of this process's
/// memory. What is touched again comes back from the system's page cache (a microsecond for 64
/// KiB), else from the file. More than half of what is resident of them after the start is what the
/// loader and the libraries' initialisation read once. Returns how many bytes fewer are resident of
/// files. Any thread; about a millisecond, in which no library can be loaded.
std::uint64_t release_image();

}  // namespace mainstay::resources
