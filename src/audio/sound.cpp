// One thread or several, files or bare samples, all through one resampler.
#include "audio/sound.h"

#include <array>
#include <cstring>

#include "audio/decoder.h"
#include "audio/mix.h"
#include "audio/resample.h"
#include "audio/split.h"

namespace mainstay::audio {
namespace {

constexpr std::size_t kEnough = 16 * 1024;  ///< samples that are resampled together
/// A file that holds less than this share of what its head claims was cut off.
constexpr double kWhole = 0.98;
constexpr double kSlack = 1;  ///< seconds

/// Everything behind the decoder.
class Behind {
 public:
  Behind(const media::SoundOrder& order, std::uint32_t rate, Listener& listener)
      : order_(order),
        listener_(listener),
        resampler_(rate,
                   [this](std::span<const std::int16_t> samples) { listener_.take(samples); }) {}

  /// Before the first sample; the head may not have said all.
  void begin(Facts facts, const Block& block) {
    if (begun_) return;
    begun_ = true;
    if (facts.rate == 0 && !block.runs.empty()) facts.rate = block.runs.front().rate;
    if (facts.channels == 0) facts.channels = block.channels;
    listener_.begin(facts);
  }
  bool begun() const noexcept { return begun_; }

  /// False: too long.
  bool take(Block& block) {
    totals_.bad += block.bad;
    packets_ += block.packets;
    damaged_ += block.damaged;
    std::span<const float> rest = block.samples;
    for (const Run& run : block.runs) {
      count(run);
      if (order_.seconds_max > 0 && totals_.seconds > order_.seconds_max) return false;
      resampler_.feed(rest.first(run.count), run.rate);
      rest = rest.subspan(run.count);
    }
    return true;
  }

  Totals finish(const Facts& facts, bool broken) {
    resampler_.finish();
    totals_.samples = resampler_.given();
    totals_.clipped = resampler_.clipped();
    const bool shorter =
        facts.exact && facts.seconds && totals_.seconds < *facts.seconds * kWhole - kSlack;
    totals_.cut_off = broken || shorter || facts.cut_off || damaged_ * 50 > packets_;
    return totals_;
  }
  /// Nothing came: because nothing was there, or because it could not be read.
  Refusal nothing() const {
    if (damaged_ > 0) return {"audio_damaged", complaints()};
    return {"audio_no_sound", ""};
  }

 private:
  /// Whole samples are counted, so that the sum does not depend on the pieces.
  void count(const Run& run) {
    if (run.rate != rate_) {
      before_ = totals_.seconds;
      counted_ = 0;
      rate_ = run.rate;
    }
    counted_ += run.count;
    totals_.seconds = before_ + static_cast<double>(counted_) / rate_;
  }

  const media::SoundOrder& order_;
  Listener& listener_;
  Resampler resampler_;
  Totals totals_;
  bool begun_ = false;
  std::uint32_t rate_ = 0;
  std::uint64_t counted_ = 0;
  double before_ = 0;
  std::uint64_t packets_ = 0;
  std::uint64_t damaged_ = 0;
};

const Refusal kTooLong{"audio_too_long", ""};

/// Bare samples of 16 bits.
std::optional<Refusal> read_pcm(const media::SoundOrder& order, Source& source, Behind& behind,
                                Facts& facts) {
  auto refused = within(order, 1, order.pcm_rate);
  if (refused) return refused;
  facts = {"pcm_s16le", "pcm", 1, order.pcm_rate, std::nullopt, false, false};
  behind.begin(facts, Block());
  std::vector<char> bytes(2 * kEnough);
  std::vector<std::int16_t> words(kEnough);
  Block block;
  std::size_t held = 0;  // one byte of a sample that is not whole
  for (;;) {
    const auto got = source.read(bytes.data() + held, bytes.size() - held);
    if (got <= 0) return std::nullopt;
    held += static_cast<std::size_t>(got);
    const std::size_t count = held / 2;
    std::memcpy(words.data(), bytes.data(), count * 2);
    block.clear();
    block.packets = 1;
    block.samples.resize(count);
    const std::int16_t* plane = words.data();
    mix(&plane, 1, 1, count, block.samples.data());
    block.runs.push_back({order.pcm_rate, count});
    if (!behind.take(block)) return kTooLong;
    if (held % 2 == 1) bytes[0] = bytes[held - 1];
    held %= 2;
  }
}

/// One packet after the other. `broken`: the file ended in the middle.
std::optional<Refusal> read_packets(const media::SoundOrder& order, Container& container,
                                    Behind& behind, bool live, bool& broken) {
  Decoder decoder;
  auto refused = decoder.open(container.parameters(), order);
  if (refused) return refused;
  const Packet packet(av_packet_alloc());
  Block block;
  const auto hand_on = [&] {
    if (!block.samples.empty()) behind.begin(container.facts(), block);
    const bool short_enough = behind.take(block);
    block.clear();
    return short_enough;
  };
  for (;;) {
    const auto got = container.next(packet.get());
    const bool last = got != Container::Read::packet;
    broken = got == Container::Read::broken;
    decoder.feed(last ? nullptr : packet.get(), block);
    const bool enough = block.samples.size() >= kEnough || live || last || block.refused;
    if (enough && !hand_on()) return kTooLong;
    if (block.refused) return block.refused;
    if (last) return std::nullopt;
  }
}

std::optional<Refusal> read_windows(const media::SoundOrder& order, Container& container,
                                    Behind& behind, bool& broken, SplitOutcome& split) {
  bool too_long = false;
  const auto take = [&](Block& block) {
    if (!block.samples.empty()) behind.begin(container.facts(), block);
    too_long = !behind.take(block);
    return !too_long;
  };
  split = decode_split(container, order, take);
  broken = split.broken;
  if (too_long) return kTooLong;
  return split.refused;
}

}  // namespace

bool is_live(int file) {
  return !Source(file).seekable();
}

std::optional<Refusal> read_sound(const media::SoundOrder& order, int file, std::uint32_t rate,
                                  Listener& listener, Totals& totals) {
  Source source(file);
  Behind behind(order, rate, listener);
  std::optional<Refusal> refused;
  bool broken = false;
  SplitOutcome split;
  Facts facts;
  if (order.pcm_rate > 0) {
    refused = read_pcm(order, source, behind, facts);
  } else {
    Container container(source);
    refused = container.open(order);
    if (!refused) facts = container.facts();
    if (!refused && worth_splitting(order, source, facts, container.parameters().codec_id)) {
      refused = read_windows(order, container, behind, broken, split);
    } else if (!refused) {
      refused = read_packets(order, container, behind, !source.seekable(), broken);
    }
  }
  if (refused) return refused;
  if (!behind.begun()) return behind.nothing();
  totals = behind.finish(facts, broken);
  totals.pieces = std::max(split.pieces, 1U);
  totals.redone = split.redone;
  totals.undivided = split.undivided;
  return std::nullopt;
}

}  // namespace mainstay::audio
