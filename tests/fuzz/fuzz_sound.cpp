// uses: audio media
// Fuzz target: the front of sound. Bytes are told apart, taken apart and decoded as a file, and
// read as bare samples; voice is looked for in them. What comes out and what is held is bounded.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "audio/cutter.h"
#include "audio/sniff.h"
#include "audio/sound.h"
#include "media/ogg_opus.h"

namespace {

using namespace mainstay;

constexpr std::uint32_t kSeconds = 20;

struct Take final : audio::Listener {
  void begin(const audio::Facts& facts) override {
    if (begun || facts.container.empty()) std::abort();
    begun = true;
  }
  void take(std::span<const std::int16_t> some) override {
    if (!begun) std::abort();
    samples.insert(samples.end(), some.begin(), some.end());
    if (samples.size() > std::size_t{kSeconds + 2} * media::kVoiceRate) std::abort();
  }
  bool begun = false;
  std::vector<std::int16_t> samples;
};

void read(int file, std::uint32_t pcm_rate, Take& out) {
  media::SoundOrder order;
  order.seconds_max = kSeconds;
  order.channels_max = 8;
  order.rate_max = 192'000;
  order.pcm_rate = pcm_rate;
  audio::Totals totals;
  const auto refused = audio::read_sound(order, file, media::kVoiceRate, out, totals);
  if (refused && refused->reason.empty()) std::abort();
  if (!refused && totals.samples != out.samples.size()) std::abort();
}

void cut(const std::vector<std::int16_t>& samples) {
  audio::Cutter cutter({});
  const std::span<const std::int16_t> all = samples;
  std::uint64_t last = 0;
  const auto check = [&] {
    while (auto piece = cutter.next()) {
      if (piece->first < last || piece->first + piece->samples.size() > all.size()) std::abort();
      last = piece->first + piece->samples.size();
    }
  };
  constexpr std::size_t kStep = 1000;
  for (std::size_t at = 0; at < all.size(); at += kStep) {
    cutter.feed(all.subspan(at, std::min(kStep, all.size() - at)));
    check();
    if (cutter.held() > kStep + 2 * media::kVoiceRate) std::abort();
  }
  cutter.finish();
  check();
}

/// Twice as if a server had sent it: in two pieces, then at once. Pages go out as they are, or not.
void join(std::string_view bytes) {
  media::OpusJoiner joiner;
  std::size_t given = 0;
  const auto feed = [&](std::string_view some) {
    const auto out = joiner.feed(some);
    if (out) given += out->size();
    return out.has_value();
  };
  joiner.next_file();
  const bool first =
      feed(bytes.substr(0, bytes.size() / 2)) && feed(bytes.substr(bytes.size() / 2));
  joiner.next_file();
  const bool second = feed(bytes);
  if (second && !first) std::abort();
  if (given > 2 * bytes.size()) std::abort();
  if (joiner.finish().size() > 27) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto kind = audio::sniff(bytes);
  if ((kind == audio::Kind::unknown) != (audio::demuxer_of(kind) == nullptr)) std::abort();
  const int file = ::memfd_create("sound", MFD_CLOEXEC);
  if (file < 0 || ::write(file, data, size) != static_cast<ssize_t>(size)) std::abort();
  Take sound;
  read(file, 0, sound);
  cut(sound.samples);
  Take bare;
  read(file, 16'000, bare);
  const bool whole = size / 2 <= std::size_t{kSeconds} * media::kVoiceRate;
  if (whole && bare.samples.size() != size / 2) std::abort();
  cut(bare.samples);
  join(bytes);
  ::close(file);
  return 0;
}
