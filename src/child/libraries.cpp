// Segments that cannot be written, by dl_iterate_phdr.
#include "child/libraries.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace mainstay::child {
namespace {

/// Some old code is patched where it lies when it is loaded: its pages are not those of the file.
bool patched(const dl_phdr_info& library) {
  for (int i = 0; i < library.dlpi_phnum; ++i) {
    const auto& part = library.dlpi_phdr[i];
    if (part.p_type != PT_DYNAMIC) continue;
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(library.dlpi_addr + part.p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag == DT_TEXTREL) return true;
      if (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0) return true;
    }
  }
  return false;
}

int let_go(dl_phdr_info* library, std::size_t, void*) {
  const bool of_the_kernel = std::strncmp(library->dlpi_name, "linux-", 6) == 0;
  if (of_the_kernel || patched(*library)) return 0;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < library->dlpi_phnum; ++i) {
    const auto& part = library->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0) continue;
    const std::uintptr_t from = (library->dlpi_addr + part.p_vaddr) & ~(page - 1);
    const std::uintptr_t end = library->dlpi_addr + part.p_vaddr + part.p_memsz;
    ::madvise(reinterpret_cast<void*>(from), end - from, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void let_go_of_libraries() {
  ::dl_iterate_phdr(&let_go, nullptr);
}

}  // namespace mainstay::child
