// Asks the loader where the read-only segments are: they hold unchanged pages of files.
#include "resources/image.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "resources/heap.h"

namespace mainstay::resources {
namespace {

/// The loader wrote addresses into its code: such pages are not the file's any more.
bool relocated_in_place(const dl_phdr_info& object) {
  for (std::size_t i = 0; i < object.dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = object.dlpi_phdr[i];
    if (part.p_type != PT_DYNAMIC) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + part.p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag == DT_TEXTREL) return true;
      if (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0) return true;
    }
  }
  return false;
}

/// Called by dl_iterate_phdr, which keeps the loader from unloading anything meanwhile.
int release_object(dl_phdr_info* object, std::size_t /*size*/, void* /*unused*/) {
  const std::string_view name = object->dlpi_name != nullptr ? object->dlpi_name : "";
  if (name.starts_with("linux-vdso") || relocated_in_place(*object)) return 0;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  // All are known before the first goes: the table of segments lies in one of them, and reading it
  // would bring that one back.
  std::array<std::span<std::byte>, 8> parts;
  std::size_t known = 0;
  for (std::size_t i = 0; i < object->dlpi_phnum && known < parts.size(); ++i) {
    const ElfW(Phdr)& part = object->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0) continue;
    // Whole pages inside the segment: those at its ends may be shared with a writable neighbour.
    const std::uintptr_t begin = object->dlpi_addr + part.p_vaddr;
    const std::uintptr_t from = (begin + page - 1) / page * page;
    const std::uintptr_t to = (begin + part.p_filesz) / page * page;
    if (to <= from) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    parts[known++] = {reinterpret_cast<std::byte*>(from), to - from};
  }
  for (std::size_t i = 0; i < known; ++i) {
    [[maybe_unused]] const int done = ::madvise(parts[i].data(), parts[i].size(), MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

std::uint64_t release_image() {
  const std::uint64_t before = read_resident_parts().of_files;
  ::dl_iterate_phdr(release_object, nullptr);
  const std::uint64_t after = read_resident_parts().of_files;
  return before > after ? before - after : 0;
}

}  // namespace mainstay::resources
