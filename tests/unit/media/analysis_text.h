// Texts for the tests of the analysis, and the analysis of a text cut in pieces.
// Used by the media room's tests.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "media/analysis.h"

namespace mainstay::media::test {

inline Result<Report> analyze(std::string_view text, std::size_t step,
                              AnalysisLimits limits = AnalysisLimits()) {
  Analysis analysis(limits);
  for (std::size_t at = 0; at < text.size(); at += step) analysis.feed(text.substr(at, step));
  return analysis.finish();
}

/// The report, or the reason of the refusal, as text.
inline std::string told(Result<Report> report) {
  return report.ok() ? dump(to_json(*report)) : report.error().reason;
}

/// Everything that the scans treat in their own way.
inline const std::vector<std::string> kOddParts = {
    "the",
    "harbour",
    "The",
    "Dr.",
    "e.g.",
    "don't",
    "don\xe2\x80\x99t",
    "'quoted'",
    "it's",
    "3.14",
    "1,000",
    "12.",
    "x1",
    "1x",
    "A.",
    "abc_def",
    "well-known",
    "U.S.",
    "Mr.",
    "extraordinarily",
    "internationalisation",
    std::string(63, 'a'),
    std::string(64, 'b'),
    std::string(65, 'c'),
    std::string(200, 'd'),
    "\xc3\x84rger",
    "na\xc3\xafve",
    "\xc3\x9f",
    "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82",
    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
    "\xe3\x81\xb2\xe3\x82\x89\xe3\x82\xab\xe3\x82\xbf",
    "\xe3\x80\x82",
    "\xf0\x9f\x98\x80",
    "\xcc\x81",
    "\xc2\xa0",
    "\xff",
    "\xc3",
    "\xe2\x80",
    "\xed\xa0\x80",
    "\xf4\x90\x80\x80",
    "\xe0\x80\x80",
    "\x80",
    "\r",
    "\r\n",
    "\n",
    "\n\n",
    "\r\n\r\n",
    "\n \t\n",
    " ",
    "  ",
    "\t",
    ".",
    "!",
    "?",
    "...",
    "?!",
    "\"",
    ")",
    ",",
    ";",
    " - ",
    "\xe2\x80\xa6",
    "\xe2\x80\x9d",
    "\x01",
    "\x7f",
    "''",
    ". .",
    "a'1",
    "1'a",
    "o'",
    "5.",
    "5,"};

/// A text of `parts` parts of kOddParts.
inline std::string odd_text(SeededRandom& random, std::size_t parts) {
  std::string out;
  for (std::size_t i = 0; i < parts; ++i) {
    out += kOddParts[random.below(kOddParts.size())];
    if (random.below(3) != 0) out += ' ';
  }
  return out;
}

}  // namespace mainstay::media::test
