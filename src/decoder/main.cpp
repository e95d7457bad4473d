// mainstay-decoder: reads PDFs and images for mainstay, locked in. It is started by mainstay, once
// for many files; on its own it can be asked what it is: mainstay-decoder probe.
#include <malloc.h>

#include <charconv>
#include <cstdio>
#include <cstring>

#include "base/version.h"
#include "decoder/images.h"
#include "decoder/pdf.h"
#include "decoder/serve.h"

// Sanitizers take address space without limit and look for leaks by means that are locked away.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MAINSTAY_SANITIZED 1
#endif
#endif
#ifdef MAINSTAY_SANITIZED
extern "C" const char* __asan_default_options() {  // NOLINT: its name is given
  return "detect_leaks=0";
}
#endif

namespace {

constexpr std::uint64_t kMemory = std::uint64_t{1} << 30;
/// Exit code: the machine does not let it be locked in.
constexpr int kUnusable = 78;
constexpr int kUsage = 2;

/// Buffers of pictures go back to the system as soon as they are free.
void keep_memory_flat() {
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_MMAP_THRESHOLD, 256 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

mainstay::Result<mainstay::resources::Sandbox> lock_in(std::uint64_t memory) {
#ifdef MAINSTAY_SANITIZED
  memory = 0;
#endif
  auto locked = mainstay::decoder::lock_in(memory);
  if (!locked.ok()) std::fprintf(stderr, "%s\n", locked.error().detail.c_str());
  return locked;
}

int probe() {
  auto locked = lock_in(kMemory);
  if (!locked.ok()) return kUnusable;
  const mainstay::Json out = {{"version", mainstay::version()},
                              {"libvips", mainstay::decoder::images_version()},
                              {"poppler", mainstay::decoder::pdf_version()},
                              {"landlock", locked->landlock},
                              {"seccomp", true},
                              {"reads_tables", locked->opens}};
  std::printf("%s\n", mainstay::dump(out).c_str());
  std::fflush(stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  keep_memory_flat();
  if (argc == 2 && std::strcmp(argv[1], "probe") == 0) return probe();
  std::uint64_t memory = kMemory;
  const bool serves = argc == 3 && std::strcmp(argv[1], "serve") == 0;
  if (serves) std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), memory);
  if (!serves) {
    std::fprintf(stderr,
                 "mainstay-decoder reads PDFs and images for mainstay, which starts it.\n"
                 "Usage: mainstay-decoder probe\n");
    return kUsage;
  }
  if (!lock_in(memory).ok()) return kUnusable;
  mainstay::decoder::serve();
  return 0;
}
