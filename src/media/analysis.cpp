// One pass: bytes by value, lines, words; and the report made of them.
#include "media/analysis.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/random.h"
#include "media/readability.h"

namespace mainstay::media {
namespace {

constexpr std::size_t kBlock = 32 * 1024;  ///< scanned three times while the caches hold it
constexpr std::uint64_t kHead = 64 * 1024;
constexpr double kBadShare = 0.3;  ///< of the bytes, for a text that is none

Error unsupported(const char* reason, const char* sentence) {
  return Error::say(Errc::unsupported, reason, sentence);
}

std::uint64_t secret_seed() {
  std::uint64_t seed = 0;
  secret_bytes(&seed, sizeof seed);
  return seed;
}

bool is_ascii(std::string_view bytes) {
  unsigned char all = 0;
  for (const char c : bytes) all = static_cast<unsigned char>(all | static_cast<unsigned char>(c));
  return all < 0x80;
}

/// Words are not set apart by spaces in these.
bool runs_on(const Report& report) {
  constexpr std::array kRunOn = {CharKind::han, CharKind::hiragana, CharKind::katakana,
                                 CharKind::thai};
  std::uint64_t letters = 0;
  std::uint64_t run_on = 0;
  for (std::size_t i = 0; i < kCharKinds; ++i) {
    const auto kind = static_cast<CharKind>(i);
    if (is_letter(kind)) letters += report.kinds[i];
    if (std::find(kRunOn.begin(), kRunOn.end(), kind) != kRunOn.end()) run_on += report.kinds[i];
  }
  return run_on * 2 > letters;
}

std::optional<Readability> readability_of(const Report& report, const WordSums& sums) {
  if (report.sentences == 0 || sums.words == 0 || runs_on(report)) return std::nullopt;
  const TextCounts counts{sums.words, report.sentences, sums.syllables, sums.long_words};
  Readability out;
  out.sentence_words = static_cast<double>(counts.words) / static_cast<double>(counts.sentences);
  out.word_letters = static_cast<double>(sums.letters) / static_cast<double>(counts.words);
  if (report.language.code == "en") {
    out.flesch_reading_ease = flesch_reading_ease(counts);
    out.flesch_kincaid_grade = flesch_kincaid_grade(counts);
  } else {
    out.lix = lix(counts);
  }
  return out;
}

}  // namespace

Analysis::Analysis(const AnalysisLimits& limits)
    : limits_(limits),
      seed_(secret_seed()),
      terms_(limits.terms_max, seed_),
      lines_(limits.lines_max, limits.paragraphs_max, seed_),
      words_(terms_) {}

void Analysis::feed(std::string_view piece) {
  while (!piece.empty() && !refused()) {
    const std::string_view block = piece.substr(0, kBlock);
    if (bytes_ < kHead) look_at_head(block);
    bytes_ += block.size();
    count_bytes(block);
    lines_.feed(block, is_ascii(block));
    words_.feed(block);
    piece.remove_prefix(block.size());
  }
}

void Analysis::look_at_head(std::string_view piece) {
  for (std::size_t i = 0; bytes_ + i < head_.size() && i < piece.size(); ++i) {
    head_[bytes_ + i] = static_cast<unsigned char>(piece[i]);
  }
  const bool mark = bytes_ < 2 && bytes_ + piece.size() >= 2;
  if (mark && ((head_[0] == 0xff && head_[1] == 0xfe) || (head_[0] == 0xfe && head_[1] == 0xff))) {
    refusal_ = unsupported("utf16_text",
                           "The text is UTF-16 or UTF-32; only UTF-8 is analysed. Convert it "
                           "first: iconv -f UTF-16 -t UTF-8.");
    return;
  }
  const auto head = piece.substr(0, kHead - bytes_);
  if (std::memchr(head.data(), 0, head.size()) != nullptr) {
    refusal_ = unsupported("binary_content",
                           "This is no text: there are zero bytes at its start. Send the text "
                           "that is in it.");
  }
}

void Analysis::count_bytes(std::string_view block) noexcept {
  // Four tables, so that a byte that repeats does not wait for its own count.
  std::array<std::array<std::uint32_t, 256>, 4> counts{};
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(block[i]); };
  std::size_t i = 0;
  for (; i + 4 <= block.size(); i += 4) {
    ++counts[0][at(i)];
    ++counts[1][at(i + 1)];
    ++counts[2][at(i + 2)];
    ++counts[3][at(i + 3)];
  }
  for (; i < block.size(); ++i) ++counts[0][at(i)];
  for (std::size_t c = 0; c < ascii_.size(); ++c) {
    ascii_[c] += std::uint64_t{counts[0][c]} + counts[1][c] + counts[2][c] + counts[3][c];
  }
}

void Analysis::add_ascii(Report& report) const {
  std::uint64_t plain = 0;
  for (std::size_t c = 0; c < ascii_.size(); ++c) {
    report.kinds[static_cast<std::size_t>(kind_of(static_cast<char32_t>(c)))] += ascii_[c];
    plain += ascii_[c];
  }
  report.ascii = plain == bytes_;
}

std::optional<Error> Analysis::bad_content(const Report& report) const {
  const double bytes = static_cast<double>(report.bytes);
  if (static_cast<double>(report.invalid_bytes) > kBadShare * bytes) {
    return unsupported("not_utf8_text",
                       "Too much of this is not UTF-8. If it is text, convert it first, for "
                       "instance: iconv -f ISO-8859-1 -t UTF-8.");
  }
  std::uint64_t controls = 0;
  for (std::size_t c = 0; c < ascii_.size(); ++c) {
    if (kind_of(static_cast<char32_t>(c)) == CharKind::control) controls += ascii_[c];
  }
  if (static_cast<double>(controls + report.invalid_bytes) > kBadShare * bytes) {
    return unsupported("binary_content", "This is no text: it is mostly control characters.");
  }
  return std::nullopt;
}

Result<Report> Analysis::finish() {
  if (refused()) return *refusal_;
  words_.finish();
  Report report;
  report.bytes = bytes_;
  report.kinds = words_.kinds();
  report.invalid_bytes = words_.invalid_bytes();
  add_ascii(report);
  if (auto bad = bad_content(report)) return *std::move(bad);
  for (const auto count : report.kinds) report.characters += count;
  report.byte_order_mark = bytes_ >= 3 && head_[0] == 0xef && head_[1] == 0xbb && head_[2] == 0xbf;
  report.words = words_.words();
  report.sentences = words_.sentences();
  report.lines = lines_.finish();
  const WordSums sums = terms_.sums();
  report.language = guess_language(report.kinds, sums.stop_words, sums.words);
  const LanguageMask all = (1U << kLanguages) - 1;
  report.top_terms =
      terms_.top(limits_.top_terms, report.language.mask == 0 ? all : report.language.mask);
  report.distinct_terms = terms_.size();
  report.term_error = terms_.error();
  report.readability = readability_of(report, sums);
  return report;
}

}  // namespace mainstay::media
