// Locks the calling process in before it reads bytes that nobody vouches for: limits, no new
// rights, Landlock (which files), seccomp (which system calls). There is no way back.
// Used by the decoder program (src/decoder) and its tests; a library of its own, because it alone
// needs libseccomp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace mainstay::resources {

struct SandboxRules {
  std::uint64_t memory = 0;       ///< bytes of address space; 0: no limit (sanitizers need that)
  std::uint32_t cpu_seconds = 0;  ///< hard limit of the process; 0: none
  std::uint32_t open_files = 64;  ///< descriptors
  bool threads = false;           ///< may start threads; processes never
  std::vector<std::string>
      readable;  ///< folders and files that may be read; missing ones are skipped
};

/// What holds from now on.
struct Sandbox {
  int landlock = 0;    ///< version of the kernel's Landlock; 0: it has none
  bool opens = false;  ///< may open the readable files; without Landlock it may open none
};

/// Call it while there is one thread. System calls that only an intruder makes (execve, socket,
/// connect, ptrace, fork ...) end the process with SIGSYS; every other that is not needed answers
/// EPERM, so that a library that merely asks goes on. Opening for writing answers EACCES. A kernel
/// without Landlock: nothing can be opened at all. Errors: unavailable (what could not be locked);
/// the process must then read nothing.
Result<Sandbox> enter_sandbox(const SandboxRules& rules);

}  // namespace mainstay::resources
