// What kind of file it is, told by its first bytes. Pure: the front that meets hostile bytes first.
// Used by audio/container.cpp, its tests and the fuzz target.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mainstay::audio {

enum class Kind : unsigned char { unknown, wav, flac, mp3, aac, ogg, mp4, matroska };

/// So many bytes of the start are enough.
inline constexpr std::size_t kSniff = 64 * 1024;

/// `head`: the file's first bytes, all of them or kSniff. Never the file's name.
Kind sniff(std::string_view head) noexcept;

/// A WAV that claims more sound than a file of `size` bytes holds. Lengths that say "until the end"
/// claim nothing.
bool wav_claims_more(std::string_view head, std::uint64_t size) noexcept;

/// FFmpeg's name of the format; null for unknown.
const char* demuxer_of(Kind kind) noexcept;
/// As AudioFacts::container.
const char* container_of(Kind kind) noexcept;

}  // namespace mainstay::audio
