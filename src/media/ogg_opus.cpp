// Pages of RFC 3533, packets of RFC 6716 and 7845.
#include "media/ogg_opus.h"

#include <algorithm>
#include <array>

namespace mainstay::media {
namespace {

constexpr std::size_t kHead = 27;  ///< of a page, before its table
constexpr std::size_t kFlags = 5, kPosition = 6, kSerial = 14, kSequence = 18, kCrc = 22;
constexpr std::uint8_t kContinues = 1, kBegins = 2, kEnds = 4;
constexpr std::uint64_t kNowhere = ~std::uint64_t{0};  ///< no packet ends on the page
constexpr std::size_t kLooked = 2;                     ///< bytes of a packet that tell its length
constexpr std::size_t kChannels = 9;                   ///< place in "OpusHead"

std::uint8_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

template <class T>
T number_at(std::string_view bytes, std::size_t at) {
  T out = 0;
  for (std::size_t i = sizeof(T); i > 0; --i) {
    out = static_cast<T>(out << 8U | byte_at(bytes, at + i - 1));
  }
  return out;
}

template <class T>
void put_number(std::string& bytes, std::size_t at, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes[at + i] = static_cast<char>(value >> (8 * i) & 0xffU);
  }
}

std::uint32_t crc_of(std::string_view bytes) {
  static const std::array<std::uint32_t, 256> kTable = [] {
    std::array<std::uint32_t, 256> out{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i << 24U;
      for (int bit = 0; bit < 8; ++bit) {
        value = value << 1U ^ ((value & 0x80000000U) != 0 ? 0x04c11db7U : 0U);
      }
      out[i] = value;
    }
    return out;
  }();
  std::uint32_t crc = 0;
  for (const char c : bytes) {
    crc = crc << 8U ^ kTable[(crc >> 24U ^ static_cast<std::uint8_t>(c)) & 0xffU];
  }
  return crc;
}

}  // namespace

std::uint32_t opus_samples(std::string_view packet) noexcept {
  if (packet.empty()) return 0;
  const std::uint32_t toc = byte_at(packet, 0);
  const std::uint32_t kind = toc >> 3U;
  std::uint32_t frame = 0;
  if (kind < 12) {
    static constexpr std::array<std::uint32_t, 4> kSpeech = {480, 960, 1920, 2880};
    frame = kSpeech[kind % 4];
  } else if (kind < 16) {
    frame = kind % 2 == 0 ? 480 : 960;
  } else {
    frame = 120U << kind % 4;
  }
  switch (toc & 3U) {
    case 0:
      return frame;
    case 3:
      return packet.size() < kLooked ? 0 : frame * (byte_at(packet, 1) & 63U);
    default:
      return 2 * frame;
  }
}

/// One page, whole.
struct OpusJoiner::Page {
  std::string_view all;
  std::string_view table;
  std::string_view body;
  std::uint8_t flags() const { return byte_at(all, kFlags); }
  /// How many packets end on it.
  std::uint32_t ends() const {
    std::uint32_t out = 0;
    for (const char length : table) out += static_cast<std::uint8_t>(length) < 255 ? 1 : 0;
    return out;
  }
};

void OpusJoiner::next_file() {
  held_.clear();
  packet_.clear();
  headers_ = 0;
  first_ = !begun_;
}

std::optional<std::string> OpusJoiner::feed(std::string_view bytes) {
  std::string out;
  held_ += bytes;
  std::string_view rest = held_;
  while (!broken_ && rest.size() >= kHead) {
    if (!rest.starts_with(std::string_view("OggS\0", 5))) broken_ = true;
    const std::size_t segments = byte_at(rest, kHead - 1);
    if (broken_ || rest.size() < kHead + segments) break;
    std::size_t size = kHead + segments;
    for (std::size_t i = 0; i < segments; ++i) size += byte_at(rest, kHead + i);
    if (rest.size() < size) break;
    const Page page{rest.substr(0, size), rest.substr(kHead, segments),
                    rest.substr(kHead + segments, size - kHead - segments)};
    broken_ = !join(page, out);
    rest.remove_prefix(size);
  }
  held_.erase(0, held_.size() - rest.size());
  if (broken_) return std::nullopt;
  return out;
}

/// False: it does not belong here.
bool OpusJoiner::join(const Page& page, std::string& out) {
  if (headers_ == 0) {
    if (!read_head(page)) return false;
    headers_ = 1;
    if (first_) put(page.all, 0, kBegins, out);
    return true;
  }
  if ((page.flags() & kBegins) != 0) return false;  // two streams in one file
  const auto continues = static_cast<std::uint8_t>(page.flags() & kContinues);
  if (headers_ == 1) {
    if (continues == 0 && !page.body.starts_with("OpusTags")) return false;
    if (page.ends() > 0) headers_ = 2;
    if (first_) put(page.all, page.ends() > 0 ? 0 : kNowhere, continues, out);
    return true;
  }
  if (page.table.empty()) return true;  // its end alone
  count(page);
  put(page.all, page.ends() > 0 ? samples_ : kNowhere, continues, out);
  return true;
}

bool OpusJoiner::read_head(const Page& page) {
  const bool head = (page.flags() & kBegins) != 0 && page.body.starts_with("OpusHead") &&
                    page.body.size() > kChannels;
  if (!head) return false;
  const std::uint8_t channels = byte_at(page.body, kChannels);
  if (first_) {
    channels_ = channels;
    serial_ = number_at<std::uint32_t>(page.all, kSerial);
    begun_ = true;
  }
  return channels == channels_;
}

/// Adds the packets that end on the page.
void OpusJoiner::count(const Page& page) {
  std::size_t at = 0;
  for (const char each : page.table) {
    const auto length = static_cast<std::uint8_t>(each);
    const std::size_t wanted = kLooked - std::min(kLooked, packet_.size());
    packet_ += page.body.substr(at, std::min<std::size_t>(wanted, length));
    at += length;
    if (length == 255) continue;
    samples_ += opus_samples(packet_);
    packet_.clear();
  }
}

/// The page, as the next one of the one stream.
void OpusJoiner::put(std::string_view page, std::uint64_t position, std::uint8_t flags,
                     std::string& out) {
  std::string made(page);
  made[kFlags] = static_cast<char>(flags);
  put_number(made, kPosition, position);
  put_number(made, kSerial, serial_);
  put_number(made, kSequence, pages_++);
  put_number(made, kCrc, std::uint32_t{0});
  put_number(made, kCrc, crc_of(made));
  out += made;
}

std::string OpusJoiner::finish() {
  std::string out;
  if (!begun_ || broken_) return out;
  std::string empty("OggS");
  empty.resize(kHead);
  put(empty, samples_, kEnds, out);
  return out;
}

}  // namespace mainstay::media
