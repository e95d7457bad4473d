// What a text of any length holds, told in one pass over its pieces: sizes, words, sentences,
// characters by kind, a guess of its language, frequent terms, how hard it reads, repetitions.
// Used by api (POST /v1/analyze) and app (mainstay analyze).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "media/languages.h"
#include "media/lines.h"
#include "media/terms.h"
#include "media/unicode.h"
#include "media/words.h"

namespace mainstay::media {

/// What one analysis may hold in memory: with these about 14 MB, reached with much text alone.
struct AnalysisLimits {
  std::size_t terms_max = 96 * 1024;       ///< words told apart; 60 bytes each
  std::size_t lines_max = 128 * 1024;      ///< distinct lines remembered; 16 bytes each
  std::size_t paragraphs_max = 64 * 1024;  ///< distinct paragraphs remembered; 16 bytes each
  std::size_t top_terms = 20;
};

struct Readability {
  double sentence_words = 0;  ///< words of a sentence, on average
  double word_letters = 0;
  std::optional<double> flesch_reading_ease;   ///< for English
  std::optional<double> flesch_kincaid_grade;  ///< for English
  std::optional<double> lix;                   ///< for other languages that set words apart
};

struct Report {
  std::uint64_t bytes = 0;
  std::uint64_t characters = 0;
  std::uint64_t invalid_bytes = 0;  ///< part of no character
  bool byte_order_mark = false;
  bool ascii = true;
  KindCounts kinds{};
  std::uint64_t words = 0;
  std::uint64_t sentences = 0;
  LineReport lines;
  LanguageGuess language;
  std::vector<Term> top_terms;
  std::uint64_t distinct_terms = 0;        ///< at least, when term_error is not 0
  std::uint64_t term_error = 0;            ///< a term's count may be so much higher than told
  std::optional<Readability> readability;  ///< none without a sentence
};

/// One text. feed() it pieces of any size, then finish() once: the report does not depend on where
/// the text was cut. Not thread-safe; feed() takes about 4 ms for a megabyte.
class Analysis {
 public:
  explicit Analysis(const AnalysisLimits& limits);
  void feed(std::string_view piece);
  /// It is no text that can be analysed: more pieces change nothing, finish() says why.
  bool refused() const noexcept { return refusal_.has_value(); }
  /// An empty text has a report of zeros. Errors: unsupported "binary_content" (NUL in the first
  /// 64 KiB, or mostly control characters), "utf16_text" (by its byte order mark),
  /// "not_utf8_text" (too few bytes are UTF-8).
  Result<Report> finish();

 private:
  void look_at_head(std::string_view piece);
  void count_bytes(std::string_view block) noexcept;
  void add_ascii(Report& report) const;
  std::optional<Error> bad_content(const Report& report) const;

  const AnalysisLimits limits_;
  const std::uint64_t seed_;
  TermTable terms_;
  LineScan lines_;
  WordScan words_;
  std::uint64_t bytes_ = 0;
  std::array<unsigned char, 4> head_{};  ///< the first bytes
  std::optional<Error> refusal_;
  std::array<std::uint64_t, 128> ascii_{};  ///< how often each byte below 0x80 came
};

/// The report as POST /v1/analyze and `mainstay analyze --json` give it.
Json to_json(const Report& report);

}  // namespace mainstay::media
