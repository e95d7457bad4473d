// How a locked-in process answers: frames on its standard output, one after the other.
// Used by src/decoder and src/audio.
#pragma once

#include <string>
#include <string_view>

#include "media/frames.h"

namespace mainstay::child {

/// Blocks while the program does not read. Ends the process when nobody is there to read.
void send(const Json& head, std::string_view body);

/// The last frame of an item: adds what this process holds of memory.
void end_with(Json head);
/// Where end_with() reads that; opened while files can be.
void open_memory_figures();

/// A file that cannot be read, and why. `reason` is one of media/reasons.h; `detail` is for the
/// log.
struct Refusal {
  std::string reason;
  std::string detail;
};

/// Ends the process (SIGXCPU) once it has used this many more seconds of processor time.
void grant_seconds(std::uint32_t seconds);

}  // namespace mainstay::child
