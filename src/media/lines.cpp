// Cutting into lines, and the sets of hashes.
#include "media/lines.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace mainstay::media {
namespace {

static_assert(std::endian::native == std::endian::little, "Hash reads eight bytes as one word");

constexpr std::size_t kPlacesMin = 1024;
constexpr std::uint64_t kFactor = 0xff51afd7ed558ccdU;
constexpr std::uint64_t kOther = 0x9e3779b97f4a7c15U;

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/// Bytes that are not the first of a character. A plain loop: the compiler makes vectors of it.
std::uint64_t inner_bytes(std::string_view bytes) {
  std::uint64_t out = 0;
  for (const char c : bytes) out += (static_cast<unsigned char>(c) & 0xc0U) == 0x80 ? 1U : 0U;
  return out;
}

}  // namespace

SeenHashes::SeenHashes(std::size_t hashes_max)
    : hashes_max_(std::max<std::size_t>(hashes_max, 1)), places_(kPlacesMin) {}

void SeenHashes::settle() {
  for (std::size_t i = 0; i < waiting_size_; ++i) note(waiting_[i]);
  waiting_size_ = 0;
}

void SeenHashes::note(std::uint64_t hash) {
  ++repeats_.total;
  if (hash == 0) hash = 1;
  const std::size_t mask = places_.size() - 1;
  std::size_t at = hash & mask;
  while (places_[at] != 0) {
    if (places_[at] == hash) {
      ++repeats_.repeated;
      return;
    }
    at = (at + 1) & mask;
  }
  if (repeats_.distinct == hashes_max_) {
    repeats_.exact = false;
    return;
  }
  places_[at] = hash;
  ++repeats_.distinct;
  if (repeats_.distinct * 2 > places_.size()) grow();
}

Repeats SeenHashes::finish() {
  settle();
  return repeats_;
}

void SeenHashes::grow() {
  std::vector<std::uint64_t> old(places_.size() * 2);
  old.swap(places_);
  const std::size_t mask = places_.size() - 1;
  for (const auto hash : old) {
    if (hash == 0) continue;
    std::size_t at = hash & mask;
    while (places_[at] != 0) at = (at + 1) & mask;
    places_[at] = hash;
  }
}

void LineScan::Hash::mix(std::uint64_t word) noexcept {
  state_ = (state_ ^ word) * kFactor;
  state_ ^= state_ >> 32U;
}

void LineScan::Hash::add(std::string_view bytes) noexcept {
  size_ += bytes.size();
  std::size_t at = 0;
  while (held_ != 0 && at < bytes.size()) {
    partial_ |= std::uint64_t{static_cast<unsigned char>(bytes[at++])} << (8 * held_);
    held_ = (held_ + 1) % 8;
    if (held_ == 0) {
      mix(partial_);
      partial_ = 0;
    }
  }
  for (; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, 8);
    mix(word);
  }
  for (; at < bytes.size(); ++at) {
    partial_ |= std::uint64_t{static_cast<unsigned char>(bytes[at])} << (8 * held_++);
  }
}

std::uint64_t LineScan::Hash::value() const noexcept {
  Hash last = *this;
  last.mix(partial_);
  last.mix(size_ * kOther);
  return last.state_ ^ (last.state_ >> 17U);
}

LineScan::LineScan(std::size_t lines_max, std::size_t paragraphs_max, std::uint64_t seed)
    : seed_(seed), seen_lines_(lines_max), seen_paragraphs_(paragraphs_max), line_(seed) {}

void LineScan::feed(std::string_view piece, bool ascii) {
  while (!piece.empty()) {
    const void* found = std::memchr(piece.data(), '\n', piece.size());
    if (found == nullptr) {
      add(piece, ascii);
      return;
    }
    const auto size = static_cast<std::size_t>(static_cast<const char*>(found) - piece.data());
    // The characters of a line that cannot become the longest need not be counted.
    const bool shorter = !open_ && size <= report_.longest.bytes;
    if (size > 0) add(piece.substr(0, size), ascii || shorter);
    line_.held_cr = false;
    end_line();
    piece.remove_prefix(size + 1);
  }
}

/// A CR at the end waits: it is the line's own unless LF comes next.
void LineScan::add(std::string_view bytes, bool ascii) {
  open_ = true;
  if (line_.held_cr) add_to_line("\r", true);
  line_.held_cr = bytes.back() == '\r';
  if (line_.held_cr) bytes.remove_suffix(1);
  add_to_line(bytes, ascii);
}

void LineScan::add_to_line(std::string_view bytes, bool ascii) {
  if (line_.blank) line_.blank = std::all_of(bytes.begin(), bytes.end(), is_space);
  line_.hash.add(bytes);
  line_.bytes += bytes.size();
  if (!ascii) line_.inner_bytes += inner_bytes(bytes);
}

void LineScan::end_line() {
  ++report_.lines;
  if (report_.longest.number == 0 || line_.bytes > report_.longest.bytes) {
    report_.longest = {report_.lines, line_.bytes, line_.bytes - line_.inner_bytes};
  }
  if (line_.blank) {
    end_paragraph();
  } else {
    const std::uint64_t hash = line_.hash.value();
    seen_lines_.add(hash);
    paragraph_ = (paragraph_ ^ hash) * kFactor;
    paragraph_ ^= paragraph_ >> 32U;
    in_paragraph_ = true;
  }
  line_ = Line(seed_);
  open_ = false;
}

void LineScan::end_paragraph() {
  if (in_paragraph_) seen_paragraphs_.add(paragraph_);
  paragraph_ = 0;
  in_paragraph_ = false;
}

LineReport LineScan::finish() {
  if (open_) {
    if (line_.held_cr) add_to_line("\r", true);
    end_line();
  }
  end_paragraph();
  report_.not_blank = seen_lines_.finish();
  report_.paragraphs = seen_paragraphs_.finish();
  return report_;
}

}  // namespace mainstay::media
