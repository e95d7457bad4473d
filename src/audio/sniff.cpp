// Marks of formats; MP3 and ADTS have none, so two frames must follow each other.
#include "audio/sniff.h"

#include <array>
#include <cstdint>

namespace mainstay::audio {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kJunkMax = 4096;  ///< before the first frame of an MP3

std::uint32_t byte(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

/// Bytes of the MPEG audio frame (layer III) whose head stands here; 0: there is none.
std::size_t mp3_frame(std::string_view at) {
  if (at.size() < 4 || byte(at, 0) != 0xff || (byte(at, 1) & 0xe0) != 0xe0) return 0;
  const std::uint32_t version = byte(at, 1) >> 3 & 3;  // 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
  const std::uint32_t layer = byte(at, 1) >> 1 & 3;    // 1: layer III
  const std::uint32_t bits = byte(at, 2) >> 4;
  const std::uint32_t rate = byte(at, 2) >> 2 & 3;
  if (version == 1 || layer != 1 || bits == 0 || bits == 15 || rate == 3) return 0;
  constexpr std::array kFirst = {0U,   32U,  40U,  48U,  56U,  64U,  80U, 96U,
                                 112U, 128U, 160U, 192U, 224U, 256U, 320U};
  constexpr std::array kSecond = {0U,  8U,  16U, 24U,  32U,  40U,  48U, 56U,
                                  64U, 80U, 96U, 112U, 128U, 144U, 160U};
  constexpr std::array kRates = {44'100U, 48'000U, 32'000U};
  const bool first = version == 3;
  const std::uint32_t kilobits = first ? kFirst[bits] : kSecond[bits];
  const std::uint32_t hertz = kRates[rate] >> (first ? 0 : version == 2 ? 1 : 2);
  const std::uint32_t padding = byte(at, 2) >> 1 & 1;
  return (first ? 144'000U : 72'000U) * kilobits / hertz + padding;
}

std::size_t aac_frame(std::string_view at) {
  if (at.size() < 7 || byte(at, 0) != 0xff || (byte(at, 1) & 0xf6) != 0xf0) return 0;
  const std::size_t size = (byte(at, 3) & 3) << 11 | byte(at, 4) << 3 | byte(at, 5) >> 5;
  return size >= 7 ? size : 0;
}

/// A frame stands here, and another one behind it if there is anything.
template <class Frame>
bool framed(std::string_view at, Frame frame) {
  const std::size_t size = frame(at);
  if (size == 0) return false;
  return size >= at.size() || at.size() - size < 7 || frame(at.substr(size)) != 0;
}

Kind framed_kind(std::string_view rest) {
  if (framed(rest, &aac_frame)) return Kind::aac;
  for (std::size_t at = 0; at < kJunkMax && at + 4 <= rest.size(); ++at) {
    if (framed(rest.substr(at), &mp3_frame)) return Kind::mp3;
  }
  return Kind::unknown;
}

/// Behind an ID3 tag.
Kind tagged(std::string_view head) {
  if (head.size() < 10) return Kind::unknown;
  std::size_t size = 10;
  for (std::size_t i = 6; i < 10; ++i) size += (byte(head, i) & 0x7f) << (7 * (9 - i));
  if (size >= head.size()) return Kind::mp3;  // a picture in the tag: what else has one
  const auto rest = head.substr(size);
  if (rest.starts_with("fLaC"sv)) return Kind::flac;
  return framed_kind(rest);
}

}  // namespace

Kind sniff(std::string_view head) noexcept {
  const bool riff = head.starts_with("RIFF"sv) || head.starts_with("RF64"sv);
  if (riff && head.substr(0, 12).ends_with("WAVE"sv)) return Kind::wav;
  if (head.starts_with("fLaC"sv)) return Kind::flac;
  if (head.starts_with("OggS"sv)) return Kind::ogg;
  if (head.starts_with("\x1a\x45\xdf\xa3"sv)) return Kind::matroska;
  if (head.size() >= 8 && head.substr(4, 4) == "ftyp"sv) return Kind::mp4;
  if (head.starts_with("ID3"sv)) return tagged(head);
  return framed_kind(head);
}

bool wav_claims_more(std::string_view head, std::uint64_t size) noexcept {
  if (!head.starts_with("RIFF"sv)) return false;
  constexpr std::uint64_t kOpen = 0x7fffffff;
  std::uint64_t at = 12;
  while (at + 8 <= head.size()) {
    const auto name = head.substr(at, 4);
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length |= std::uint64_t{byte(head, at + 4 + i)} << (8 * i);
    at += 8;
    if (name == "data"sv) return length < kOpen && at + length > size;
    at += length + (length & 1);
  }
  return false;
}

const char* demuxer_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::wav:
      return "wav";
    case Kind::flac:
      return "flac";
    case Kind::mp3:
      return "mp3";
    case Kind::aac:
      return "aac";
    case Kind::ogg:
      return "ogg";
    case Kind::mp4:
      return "mov";
    case Kind::matroska:
      return "matroska";
    case Kind::unknown:
      break;
  }
  return nullptr;
}

const char* container_of(Kind kind) noexcept {
  const char* const name = demuxer_of(kind);
  return name != nullptr ? name : "";
}

}  // namespace mainstay::audio
