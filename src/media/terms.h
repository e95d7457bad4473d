// How often each word of a text occurs: exact while the words fit, then with a bound on the error.
// Used by the analysis of texts.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "media/languages.h"

namespace mainstay::media {

/// Longer words are counted, but not told apart.
inline constexpr std::size_t kTermBytes = 64;
using TermUnits = std::array<std::uint64_t, kTermBytes / 8>;

/// Sums over all words that hold a letter, whether or not they still have a place of their own.
struct WordSums {
  std::uint64_t words = 0;
  std::uint64_t letters = 0;
  std::uint64_t syllables = 0;   ///< as if English
  std::uint64_t long_words = 0;  ///< of more than six letters
  LanguageCounts stop_words{};
};

struct Term {
  std::string text;
  std::uint64_t count = 0;  ///< at least; at most this and the table's error()
};

/// A table of at most `terms_max` words. When it is full, the median of its counts is taken from
/// all of them and what has none left goes (J. Misra and D. Gries, "Finding repeated elements",
/// 1982, with the batched decrement of later work): every count is then low by at most error().
/// What it holds depends on the sequence of words alone.
class TermTable {
 public:
  /// `seed` decides where words lie in memory, not what is told: with a secret one nobody can
  /// choose words that all want the same place.
  explicit TermTable(std::size_t terms_max, std::uint64_t seed = 0);

  /// A word in lower case, zero-padded to whole units. It is counted a few words later, when its
  /// place in the table has come from memory.
  void add(const std::uint64_t* units, std::size_t bytes) {
    Word& word = waiting_[waiting_size_];
    word.bytes = bytes;
    word.units[0] = units[0];
    word.units[1] = 0;
    for (std::size_t i = 1; i * 8 < bytes; ++i) word.units[i] = units[i];
    word.hash = hash_of(units, bytes);
    __builtin_prefetch(&entries_[word.hash & mask_], 1);
    if (++waiting_size_ == waiting_.size()) settle();
  }
  /// A word of more than kTermBytes.
  void add_long(std::uint64_t letters);

  /// The most frequent words that are no stop word of `languages` and have at least two letters,
  /// most frequent first, then by text.
  std::vector<Term> top(std::size_t count, LanguageMask languages);
  WordSums sums();
  std::uint64_t error() {
    settle();
    return error_;
  }
  std::size_t size() {
    settle();
    return size_;
  }

 private:
  struct Word {
    std::uint64_t hash;
    std::size_t bytes;
    TermUnits units;  ///< two at least
  };
  /// Half a cache line.
  struct Entry {
    std::array<std::uint64_t, 2> head{};  ///< the first sixteen bytes, zero-padded
    std::uint64_t count = 0;              ///< 0: a free place
    std::uint32_t place = 0;  ///< of a longer word its first unit in text_, times 256; its letters
    std::uint8_t bytes = 0;
    std::uint8_t syllables = 0;
    LanguageMask stop = 0;
    std::uint64_t letters() const noexcept { return place & 0xffU; }
    std::size_t text() const noexcept { return place >> 8U; }
    bool is_long() const noexcept { return bytes > sizeof head; }
  };
  static_assert(sizeof(Entry) == 32);
  std::uint64_t hash_of(const std::uint64_t* units, std::size_t bytes) const noexcept {
    std::uint64_t h = seed_ ^ bytes * 0x9e3779b97f4a7c15U;
    for (std::size_t i = 0; i * 8 < bytes; ++i) {
      h = (h ^ units[i]) * 0xff51afd7ed558ccdU;
      h ^= h >> 32U;
    }
    return h ^ (h >> 15U);
  }
  bool same(const Entry& entry, const Word& word) const noexcept {
    if (((entry.head[0] ^ word.units[0]) | (entry.head[1] ^ word.units[1])) != 0) return false;
    if (entry.bytes != word.bytes) return false;
    return !entry.is_long() || same_text(entry, word);
  }
  bool same_text(const Entry& entry, const Word& word) const noexcept;
  const std::uint64_t* units_of(const Entry& entry) const noexcept {
    return entry.is_long() ? text_.data() + entry.text() : entry.head.data();
  }
  std::string_view text_of(const Entry& entry) const noexcept;
  /// Counts the words that wait.
  void settle();
  void insert(const Word& word);
  void place(const Entry& entry) noexcept;
  void grow();
  void thin_out();
  static void sum_up(WordSums& sums, const Entry& entry, std::uint64_t times) noexcept;

  const std::size_t terms_max_;
  const std::uint64_t seed_;
  std::vector<Entry> entries_;
  std::vector<std::uint64_t> text_;
  std::size_t mask_ = 0;
  std::size_t size_ = 0;
  std::uint64_t error_ = 0;
  WordSums gone_;  ///< of what is no longer counted in entries_
  std::array<Word, 16> waiting_;
  std::size_t waiting_size_ = 0;
};

}  // namespace mainstay::media
