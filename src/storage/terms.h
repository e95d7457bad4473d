// The words of a text as an index takes them, made before the text is stored, on whatever thread is
// free: the thread that writes then has nothing left to cut. Used by knowledge and storage/sqlite.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "storage/words.h"

namespace mainstay::storage {

/// Longer words are not indexed.
inline constexpr std::size_t kWordBytesMax = 128;

/// Stems of words that were met before. Belongs to one thread at a time; about 2.4 MB, of which
/// only what was written to is resident.
class StemMemory {
 public:
  struct Kept {
    std::uint32_t epoch = 0;  ///< for the owner: 0 when the word has just come in
    std::uint8_t word_size = 0;
    std::uint8_t stem_size = 0;
    char word[33] = {};
    char stem[33] = {};
    std::string_view root() const noexcept { return {stem, stem_size}; }
  };
  /// The place of a word of at most kSpelledBytesMax bytes, until the next call. Throws bad_alloc.
  Kept& find(std::string_view word, std::uint64_t hash);
  static std::uint64_t hash_of(std::string_view word) noexcept;

 private:
  struct Free {
    void operator()(Kept* kept) const noexcept { std::free(kept); }
  };
  std::unique_ptr<Kept[], Free> kept_;  ///< by hash
};

/// Cuts texts of one document, one after the other. Belongs to one thread at a time.
class TermCutter {
 public:
  /// The terms of `text`, for TermReader: stems in their order, and before the stem each word that
  /// the spelling may take and that this cutter has not given yet (as far as it remembers: one may
  /// come twice). Never empty. Throws bad_alloc.
  std::string terms_of(std::string_view text);

 private:
  StemMemory stems_;
  Word word_;
  std::string terms_;  ///< being made; its memory is used again
};

/// Reads terms; ends at the first byte that is not as TermCutter writes it.
class TermReader {
 public:
  struct Term {
    std::string_view text;
    bool word = false;  ///< a word for the spelling; else a stem for the index
  };
  explicit TermReader(std::string_view terms) noexcept : terms_(terms) {}
  bool next(Term& term) noexcept {
    if (terms_.size() < 2) return false;
    const auto head = static_cast<unsigned char>(terms_[0]);
    term.word = head > kWordBytesMax;
    const std::size_t size = term.word ? head - kWordBytesMax : head;
    if (size == 0 || size >= terms_.size()) return false;
    term.text = terms_.substr(1, size);
    terms_.remove_prefix(1 + size);
    return true;
  }

 private:
  std::string_view terms_;
};

/// Terms begin with this byte, so that what reads them can tell them from a text.
inline constexpr char kTerms = '\x03';

}  // namespace mainstay::storage
