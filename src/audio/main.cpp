// mainstay-audio: decodes, encodes, recognises and speaks for mainstay, locked in. It is started by
// mainstay, once for many files; on its own it can be asked what it is: mainstay-audio probe.
#include <malloc.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>

#include "audio/lock_in.h"
#include "audio/orders.h"
#include "child/orders.h"

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

using mainstay::media::kSoundRoles;
using mainstay::media::SoundRole;

constexpr std::uint64_t kMemory = std::uint64_t{2} << 30;
/// Exit code: the machine does not let it be locked in.
constexpr int kUnusable = 78;
constexpr int kUsage = 2;
constexpr const char* kModel = "/usr/share/pocketsphinx/model/en-us";

/// Buffers go back to the system as soon as they are free.
void keep_memory_flat() {
  ::mallopt(M_ARENA_MAX, 4);
  ::mallopt(M_MMAP_THRESHOLD, 256 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

std::uint64_t address_space(std::uint64_t wanted) {
#ifdef MAINSTAY_SANITIZED
  return wanted & 0;
#else
  return wanted;
#endif
}

int fail(const mainstay::Error& error) {
  std::fprintf(stderr, "%s\n", error.detail.c_str());
  return kUnusable;
}

int probe(const std::string& model) {
  auto out = mainstay::audio::probe(model, address_space(kMemory));
  if (!out.ok()) return fail(out.error());
  mainstay::child::print(*out);
  return 0;
}

int serve(std::uint64_t memory, SoundRole role, const std::string& model) {
  auto locked = mainstay::audio::lock_in(role, model, address_space(memory));
  if (!locked.ok()) return fail(locked.error());
  const char* const missing = role == SoundRole::hear ? "recogniser_missing" : "voices_missing";
  mainstay::child::serve([role, missing](const mainstay::Json& order,
                                         int file) -> std::optional<mainstay::child::Refusal> {
    if (!mainstay::audio::loaded()) return mainstay::child::Refusal{missing, ""};
    return mainstay::audio::carry_out(role, order, file);
  });
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  keep_memory_flat();
  const bool probes = (argc == 2 || argc == 3) && std::strcmp(argv[1], "probe") == 0;
  if (probes) return probe(argc == 3 ? argv[2] : kModel);
  if (argc == 5 && std::strcmp(argv[1], "serve") == 0) {
    std::uint64_t memory = kMemory;
    std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), memory);
    const auto role =
        std::find_if(kSoundRoles.begin(), kSoundRoles.end(),
                     [argv](const char* name) { return !std::strcmp(name, argv[3]); });
    if (role != kSoundRoles.end()) {
      return serve(memory, static_cast<SoundRole>(role - kSoundRoles.begin()), argv[4]);
    }
  }
  std::fprintf(stderr,
               "mainstay-audio decodes, recognises and speaks for mainstay, which starts it.\n"
               "Usage: mainstay-audio probe\n");
  return kUsage;
}
