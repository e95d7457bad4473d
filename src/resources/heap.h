// The heap of this process, whichever allocator the program is linked with: its size, and giving
// back what is free. Used by the governor (figures, trimming) and by app (trimming on the loops).
#pragma once

#include <cstdint>
#include <string_view>

namespace mainstay::resources {

enum class Allocator : std::uint8_t { libc, mimalloc };
std::string_view name(Allocator allocator) noexcept;
/// The one that serves malloc() in this program.
Allocator allocator() noexcept;

/// Bytes. The C library tells what is in use and what is free but kept. mimalloc tells neither for
/// threads other than the caller: its `in_use` is what is resident of the memory it committed, free
/// blocks inside pages included, and `kept` what it committed beyond that.
struct HeapFigures {
  std::uint64_t in_use = 0;
  std::uint64_t kept = 0;
};
/// Some microseconds. The C library's locks each arena for a moment.
HeapFigures read_heap() noexcept;
/// What mimalloc's figures mean; pure. `anonymous`: resident memory that is of no file.
HeapFigures heap_of(std::uint64_t committed, std::uint64_t anonymous) noexcept;

/// Sets how the allocator keeps free memory, where nobody has set it by environment
/// (MIMALLOC_DECOMMIT_DELAY, MIMALLOC_DECOMMIT_EXTEND_DELAY). Does nothing to the C library's.
void tune_heap() noexcept;

/// Gives free heap back to the system: with mimalloc what the calling thread's heap and the heaps
/// of ended threads hold, so it is called on each thread that holds much; else all of it. Blocks
/// for some milliseconds at most.
void trim_heap() noexcept;

/// Bytes resident of no file (heap, stacks) of this process, and of files; 0 when unknown.
struct ResidentParts {
  std::uint64_t anonymous = 0;
  std::uint64_t of_files = 0;
};
ResidentParts read_resident_parts() noexcept;

}  // namespace mainstay::resources
