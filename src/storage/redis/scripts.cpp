// Sources put together from the pieces: scripts_life.cpp, scripts_queue.cpp and scripts_verbs.cpp.
#include "storage/redis/scripts.h"

#include <openssl/evp.h>

#include <array>

#include "base/check.h"
#include "base/sha256.h"
#include "storage/redis/script_pieces.h"

namespace mainstay::storage::redis {
namespace {

/// `allow-oom`: what ends or moves a job must work when memory is full, or it would stay full.
constexpr std::string_view kPlain = "#!lua\n";
constexpr std::string_view kWhenFull = "#!lua flags=allow-oom\n";

std::string whole(std::string_view first, std::string_view verb) {
  std::string out(first);
  out += kLife;
  out += kLanes;
  out += kTimers;
  out += verb;
  return out;
}

std::string sha1_of(const std::string& text) {
  std::array<char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  CHECK(EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), &size,
                   EVP_sha1(), nullptr) == 1);
  return hex_digits({digest.data(), size});
}

}  // namespace

const std::vector<std::string>& script_sources() {
  static const std::vector<std::string> kAll = {
      whole(kPlain, kSubmit),
      whole(kWhenFull, kClaim),
      whole(kWhenFull, kComplete),
      whole(kWhenFull, kFail),
      whole(kWhenFull, kGiveBack),
      whole(kWhenFull, kExtend),
      whole(kWhenFull, kCancel),
      whole(kWhenFull, kRetry),
      whole(kWhenFull, kGet),
      whole(kWhenFull, kList),
      whole(kWhenFull, kErase),
      whole(kWhenFull, kUpkeep),
      whole(kWhenFull, kFigures),
      std::string(kWhenFull) + std::string(kHold),
      std::string(kWhenFull) + std::string(kRelease),
      std::string(kPlain) + std::string(kNews) + std::string(kTell),
      std::string(kWhenFull) + std::string(kNews) + std::string(kHear),
  };
  return kAll;
}

const std::string& script_sha(Script script) {
  static const std::vector<std::string> kAll = [] {
    std::vector<std::string> out;
    for (const auto& source : script_sources()) out.push_back(sha1_of(source));
    return out;
  }();
  return kAll[static_cast<std::size_t>(script)];
}

}  // namespace mainstay::storage::redis
