// Decoders over real processes: files out of memory, coroutines run to their end.
// Used by the tests of this folder.
#pragma once

#include <memory>
#include <string>

#include "media/audio.h"
#include "media/decoders.h"
#include "unit/media/child_rig.h"

namespace mainstay::media::test {

inline resources::Descriptor file_of(const std::string& bytes) {
  return std::move(*memory_file(bytes));
}

struct Rig : ChildRig {
  MediaSettings settings;
  std::unique_ptr<Decoders> decoders;

  Rig() { settings.decoders = 1; }
  void make(const std::string& program) {
    decoders = std::make_unique<Decoders>(settings, program, clock, *log, metrics);
  }
};

}  // namespace mainstay::media::test
