// The analysis does not depend on where a text was cut.
#include <gtest/gtest.h>

#include "unit/media/analysis_text.h"

namespace mainstay::media {
namespace {

using test::analyze;
using test::odd_text;
using test::told;

AnalysisLimits small_limits() {
  AnalysisLimits limits;
  limits.terms_max = 16;  // thinned out often
  limits.lines_max = 8;
  limits.paragraphs_max = 2;
  return limits;
}

// proves K2: the same result whatever the piece size
TEST(AnalysisPieces, every_size_of_piece_gives_the_same_report) {
  SeededRandom random(11);
  for (int round = 0; round < 60; ++round) {
    const std::string text = odd_text(random, 5 + random.below(120));
    for (const auto& limits : {AnalysisLimits(), small_limits()}) {
      const std::string whole = told(analyze(text, text.size() + 1, limits));
      for (const std::size_t step : {1U, 2U, 3U, 7U, 31U, 64U, 100U}) {
        ASSERT_EQ(told(analyze(text, step, limits)), whole)
            << "round " << round << ", step " << step << "\n"
            << text;
      }
    }
  }
}

TEST(AnalysisPieces, random_cuts_give_the_same_report) {
  SeededRandom random(12);
  for (int round = 0; round < 60; ++round) {
    const std::string text = odd_text(random, 2000 + random.below(4000));
    const std::string whole = told(analyze(text, text.size()));
    for (int again = 0; again < 3; ++again) {
      Analysis analysis{AnalysisLimits()};
      std::string_view rest = text;
      while (!rest.empty()) {
        const auto n = std::min<std::size_t>(rest.size(), random.below(5000));
        analysis.feed(rest.substr(0, n));
        rest.remove_prefix(n);
      }
      ASSERT_EQ(told(analysis.finish()), whole) << "round " << round;
    }
  }
}

TEST(AnalysisPieces, every_single_cut_of_a_short_text_gives_the_same_report) {
  SeededRandom random(13);
  for (int round = 0; round < 12; ++round) {
    const std::string text = odd_text(random, 60);
    const std::string whole = told(analyze(text, text.size()));
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      Analysis analysis{AnalysisLimits()};
      analysis.feed(std::string_view(text).substr(0, cut));
      analysis.feed(std::string_view(text).substr(cut));
      ASSERT_EQ(told(analysis.finish()), whole) << "cut at " << cut << "\n" << text;
    }
  }
}

TEST(AnalysisPieces, refusals_do_not_depend_on_the_pieces_either) {
  const std::string early = std::string(65'535, 'a') + '\0' + "b";
  const std::string late = std::string(65'536, 'a') + '\0' + "b";
  const std::string utf16 = std::string(
      "\xff\xfe"
      "a\0b\0",
      6);
  for (const std::size_t step : {1U, 2U, 3U, 1000U, 65'536U, 100'000U}) {
    EXPECT_EQ(told(analyze(early, step)), "binary_content") << step;
    EXPECT_TRUE(analyze(late, step).ok()) << step;
    EXPECT_EQ(told(analyze(utf16, step)), "utf16_text") << step;
  }
}

}  // namespace
}  // namespace mainstay::media
