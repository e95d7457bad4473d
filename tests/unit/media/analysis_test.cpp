// What the analysis tells of texts.
#include <gtest/gtest.h>

#include "unit/media/analysis_text.h"

namespace mainstay::media {
namespace {

using test::analyze;
using test::told;

Report of(std::string_view text) {
  auto report = analyze(text, text.size() + 1);
  EXPECT_TRUE(report.ok()) << report.error().reason;
  return report.ok() ? *report : Report();
}
std::uint64_t kind(const Report& report, CharKind wanted) {
  return report.kinds[static_cast<std::size_t>(wanted)];
}

TEST(Analysis, an_empty_text_has_a_report_of_zeros) {
  const Report report = of("");
  EXPECT_EQ(report.bytes, 0u);
  EXPECT_EQ(report.lines.lines, 0u);
  EXPECT_EQ(report.words, 0u);
  EXPECT_EQ(report.lines.longest.number, 0u);
  EXPECT_EQ(report.language.code, "unknown");
  EXPECT_FALSE(report.readability.has_value());
  EXPECT_TRUE(report.top_terms.empty());
}

TEST(Analysis, lines_end_with_lf_or_crlf_and_the_last_needs_neither) {
  EXPECT_EQ(of("a\nb\n").lines.lines, 2u);
  EXPECT_EQ(of("a\r\nb").lines.lines, 2u);
  EXPECT_EQ(of("a\rb").lines.lines, 1u);
  EXPECT_EQ(of("\n").lines.lines, 1u);
  const Report report = of("one\r\n\xc3\xa4\xc3\xb6\xc3\xbc!\r\ntwo\r");
  EXPECT_EQ(report.lines.longest.number, 2u);
  EXPECT_EQ(report.lines.longest.bytes, 7u);
  EXPECT_EQ(report.lines.longest.characters, 4u);
}

TEST(Analysis, characters_are_counted_by_kind) {
  const Report report = of("Ab1 \xc3\xa4\xd0\xb6\xe6\xbc\xa2$,\t\xcc\x81\x01\xff\xf0\x9f\x98\x80");
  EXPECT_EQ(kind(report, CharKind::latin), 3u);
  EXPECT_EQ(kind(report, CharKind::cyrillic), 1u);
  EXPECT_EQ(kind(report, CharKind::han), 1u);
  EXPECT_EQ(kind(report, CharKind::digit), 1u);
  EXPECT_EQ(kind(report, CharKind::space), 2u);
  EXPECT_EQ(kind(report, CharKind::symbol), 2u);
  EXPECT_EQ(kind(report, CharKind::punctuation), 1u);
  EXPECT_EQ(kind(report, CharKind::mark), 1u);
  EXPECT_EQ(kind(report, CharKind::control), 1u);
  EXPECT_EQ(report.invalid_bytes, 1u);
  EXPECT_EQ(report.characters, 13u);
  EXPECT_FALSE(report.ascii);
}

TEST(Analysis, words_hold_inner_apostrophes_and_decimal_points) {
  EXPECT_EQ(of("don't stop").words, 2u);
  EXPECT_EQ(of("don\xe2\x80\x99t stop").words, 2u);
  EXPECT_EQ(of("'quoted' words'").words, 2u);
  EXPECT_EQ(of("3.14 and 1,000").words, 3u);
  EXPECT_EQ(of("well-known snake_case").words, 4u);
  EXPECT_EQ(of("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e").words, 3u) << "each Han character is one";
  EXPECT_EQ(of("\xe3\x81\xb2\xe3\x82\x89\xe3\x82\xab\xe3\x82\xbf").words, 2u);
  EXPECT_EQ(of(std::string(100'000, 'x')).words, 1u);
}

TEST(Analysis, sentences_end_at_marks_blank_lines_and_the_end) {
  EXPECT_EQ(of("One. Two! Three? Four").sentences, 4u);
  EXPECT_EQ(of("A title\n\nOne line\nand another.").sentences, 2u);
  EXPECT_EQ(of("He said \"Stop.\" Then he left...").sentences, 2u);
  EXPECT_EQ(of("Dr. Smith met Mr. J. Jones, e.g. at noon.").sentences, 1u);
  EXPECT_EQ(of("It cost 3.50 at example.com today.").sentences, 1u);
  EXPECT_EQ(of("Wait ... for it. and then.").sentences, 1u) << "lower case goes on";
  EXPECT_EQ(of("... !!! \n\n ???").sentences, 0u);
  EXPECT_EQ(of("\xe6\x97\xa5\xe6\x9c\xac\xe3\x80\x82\xe8\xaa\x9e\xe3\x80\x82").sentences, 2u);
}

TEST(Analysis, paragraphs_are_set_apart_by_blank_lines) {
  EXPECT_EQ(of("a\nb\n\n \t\n\nc").lines.paragraphs.total, 2u);
  EXPECT_EQ(of("\n\na\n\n").lines.paragraphs.total, 1u);
  EXPECT_EQ(of("a\r\n\r\nb\r\n").lines.paragraphs.total, 2u);
}

TEST(Analysis, repetitions_are_counted) {
  const Report report = of("x\ny\n\nx\ny\n\nx\nz\r\nz\n");
  EXPECT_EQ(report.lines.not_blank.total, 7u);
  EXPECT_EQ(report.lines.not_blank.repeated, 4u);
  EXPECT_EQ(report.lines.not_blank.distinct, 3u);
  EXPECT_TRUE(report.lines.not_blank.exact);
  EXPECT_EQ(report.lines.paragraphs.total, 3u);
  EXPECT_EQ(report.lines.paragraphs.repeated, 1u);
}

TEST(Analysis, frequent_terms_leave_out_stop_words_and_case) {
  const Report report = of("The harbour of the town. The Harbour and the boat. A HARBOUR.");
  ASSERT_FALSE(report.top_terms.empty());
  EXPECT_EQ(report.top_terms[0].text, "harbour");
  EXPECT_EQ(report.top_terms[0].count, 3u);
  for (const auto& term : report.top_terms) EXPECT_NE(term.text, "the");
  EXPECT_EQ(of("\xc3\x84RGER \xc3\xa4rger \xc3\x84rger").top_terms[0].count, 3u);
  EXPECT_EQ(of("42 42 42").top_terms.size(), 0u);
}

TEST(Analysis, english_gets_flesch_and_other_languages_lix) {
  const Report english = of("The cat sat on the mat. It was warm and it was happy with that.");
  ASSERT_TRUE(english.readability.has_value());
  EXPECT_TRUE(english.readability->flesch_reading_ease.has_value());
  EXPECT_FALSE(english.readability->lix.has_value());
  EXPECT_GT(*english.readability->flesch_reading_ease, 90);
  const Report german = of("Der Hund und die Katze sind auf dem Weg. Das ist nicht das Haus.");
  EXPECT_EQ(german.language.code, "de");
  ASSERT_TRUE(german.readability.has_value());
  EXPECT_TRUE(german.readability->lix.has_value());
  EXPECT_FALSE(german.readability->flesch_reading_ease.has_value());
}

TEST(Analysis, what_is_no_text_is_refused) {
  EXPECT_EQ(told(analyze(std::string_view("\0ELF", 4), 9)), "binary_content");
  EXPECT_EQ(told(analyze("\xfe\xff\x04\x1f", 9)), "utf16_text");
  EXPECT_EQ(told(analyze("\xcf\xf0\xe8\xe2\xe5\xf2 \xec\xe8\xf0", 99)), "not_utf8_text");
  EXPECT_EQ(told(analyze("\x01\x02\x03\x04 abc", 99)), "binary_content");
  const Report latin1 = of("Gr\xfc\xdf Gott, das ist ein Text in einer alten Kodierung.");
  EXPECT_EQ(latin1.invalid_bytes, 2u);
  Analysis analysis{AnalysisLimits()};
  analysis.feed(std::string_view("a\0b", 3));
  EXPECT_TRUE(analysis.refused());
}

TEST(Analysis, a_byte_order_mark_is_told) {
  EXPECT_TRUE(of("\xef\xbb\xbfHello").byte_order_mark);
  EXPECT_FALSE(of("Hello\xef\xbb\xbf").byte_order_mark);
}

TEST(Analysis, counts_of_generated_text_are_those_it_was_made_with) {
  SeededRandom random(3);
  std::string text;
  std::uint64_t words = 0;
  std::uint64_t sentences = 0;
  std::uint64_t paragraphs = 0;
  for (; paragraphs < 50; ++paragraphs) {
    for (std::uint64_t s = 1 + random.below(6); s > 0; --s, ++sentences) {
      for (std::uint64_t w = 3 + random.below(20); w > 0; --w, ++words) {
        text += std::string(2 + random.below(12), static_cast<char>('a' + random.below(26)));
        text += w > 1 ? random.below(9) == 0 ? "\n" : " " : "! ";
      }
    }
    text += "\n\n";
  }
  const Report report = of(text);
  EXPECT_EQ(report.words, words);
  EXPECT_EQ(report.sentences, sentences);
  EXPECT_EQ(report.lines.paragraphs.total, paragraphs);
  EXPECT_EQ(report.bytes, text.size());
  EXPECT_EQ(report.characters, text.size());
}

}  // namespace
}  // namespace mainstay::media
