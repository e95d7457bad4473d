// Several Ogg Opus files as one logical stream, while they come: many players stop where a second
// stream begins. Pure.
// Used by assistant/voice_speech.cpp, which gets a file for each sentence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mainstay::media {

/// On one loop. Holds a page that has not come whole (64 KiB at most) and nothing else.
class OpusJoiner {
 public:
  /// Another file follows. What stood at the end of the last one and was no whole page is lost.
  void next_file();
  /// The pages that are whole now, as those of one stream; it may be empty. nullopt: this is no
  /// Ogg Opus, or has other channels than the first file. Nothing can be fed any more then.
  std::optional<std::string> feed(std::string_view bytes);
  /// The end of the stream: an empty page that says so; empty when there were no pages.
  std::string finish();

 private:
  struct Page;
  bool join(const Page& page, std::string& out);
  bool read_head(const Page& page);
  void count(const Page& page);
  void put(std::string_view page, std::uint64_t position, std::uint8_t flags, std::string& out);

  std::string held_;  ///< the beginning of a page
  bool broken_ = false;
  std::uint32_t headers_ = 0;  ///< of this file, that have come whole: head, tags
  bool first_ = true;          ///< this file's own head and tags go out
  bool begun_ = false;
  std::uint8_t channels_ = 0;
  std::uint32_t serial_ = 0;
  std::uint32_t pages_ = 0;    ///< that went out
  std::uint64_t samples_ = 0;  ///< of 48 kHz, in the packets that went out
  std::string packet_;         ///< the first two bytes of the packet that is not whole
};

/// Samples of 48 kHz in a packet, by its first two bytes; 0: it is none. Pure.
std::uint32_t opus_samples(std::string_view packet) noexcept;

}  // namespace mainstay::media
