// A byte of length before each stem; of words for the spelling kWordBytesMax is added to it.
#include "storage/terms.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "storage/spelling.h"

namespace mainstay::storage {
namespace {

constexpr std::size_t kKept = 1U << 15;

static_assert(kWordBytesMax + kSpelledBytesMax <= 255, "a length is one byte");
static_assert(sizeof(StemMemory::Kept::word) > kSpelledBytesMax, "a word fits");

void put(std::string& out, std::size_t head, std::string_view text) {
  out += static_cast<char>(head);
  out += text;
}

}  // namespace

std::uint64_t StemMemory::hash_of(std::string_view word) noexcept {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : word) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash ^ (hash >> 29);
}

StemMemory::Kept& StemMemory::find(std::string_view word, std::uint64_t hash) {
  if (!kept_) {
    // Zeros from the system: pages that no word needs are never made.
    kept_.reset(static_cast<Kept*>(std::calloc(kKept, sizeof(Kept))));
    if (!kept_) throw std::bad_alloc();
  }
  Kept& kept = kept_[hash % kKept];
  const bool same = kept.word_size == word.size() && !word.empty() &&
                    std::memcmp(kept.word, word.data(), word.size()) == 0;
  if (same) return kept;
  const std::string root = stem(word);  // never longer than the word and one letter
  kept.epoch = 0;
  kept.word_size = static_cast<std::uint8_t>(word.size());
  kept.stem_size = static_cast<std::uint8_t>(std::min(root.size(), sizeof kept.stem));
  std::memcpy(kept.word, word.data(), word.size());
  std::memcpy(kept.stem, root.data(), kept.stem_size);
  return kept;
}

std::string TermCutter::terms_of(std::string_view text) {
  std::string& out = terms_;
  out.assign(1, kTerms);
  WordCutter cutter(text);
  while (cutter.next(word_)) {
    const std::string& word = word_.text;
    if (word.size() > kWordBytesMax) continue;
    if (word.size() > kSpelledBytesMax) {
      const std::string root = stem(word);  // never longer than its word
      put(out, root.size(), root);
      continue;
    }
    StemMemory::Kept& kept = stems_.find(word, StemMemory::hash_of(word));
    if (kept.epoch == 0) {
      kept.epoch = 1;
      if (is_spelled(word)) put(out, kWordBytesMax + word.size(), word);
    }
    put(out, kept.stem_size, kept.root());
  }
  return std::string(out.data(), out.size());  // many wait to be stored: no byte more than needed
}

}  // namespace mainstay::storage
