// Fuzz target: any bytes as a configuration file give settings or problems, never a crash.
// uses: config
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <unistd.h>

#include "base/check.h"
#include "config/load.h"

namespace {

/// The file that each input is written to; memory-backed where /dev/shm is.
const std::string& input_file() {
  static const std::string path = [] {
    std::string pattern = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm/mainstay-fuzz-XXXXXX"
                                                          : "/tmp/mainstay-fuzz-XXXXXX";
    const int file = ::mkstemp(pattern.data());
    CHECK(file >= 0);
    ::close(file);
    static std::string to_remove;
    to_remove = pattern;
    std::atexit([] { ::unlink(to_remove.c_str()); });
    return pattern;
  }();
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::FILE* file = std::fopen(input_file().c_str(), "wb");
  CHECK(file != nullptr);
  std::fwrite(data, 1, size, file);
  std::fclose(file);
  mainstay::config::Sources sources;
  sources.file = input_file();
  sources.file_required = true;
  sources.root = "/nonexistent";
  auto loaded = mainstay::config::load(sources);
  if (loaded.ok()) {
    (void)mainstay::dump(mainstay::config::show(*loaded));
    CHECK(mainstay::config::differences(loaded->settings, loaded->settings).empty());
    CHECK(mainstay::config::check(sources).empty());
  } else {
    CHECK(!loaded.error().message.empty());
    CHECK(!mainstay::config::check(sources).empty());
  }
  return 0;
}
