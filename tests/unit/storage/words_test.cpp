// Words, stems and what is searched for.
#include "storage/words.h"

#include <gtest/gtest.h>

#include "storage/letters.h"
#include "storage/spelling.h"
#include "storage/terms.h"

namespace mainstay::storage {
namespace {

std::vector<std::string> texts(std::string_view text) {
  std::vector<std::string> out;
  for (const auto& word : words_of(text)) out.push_back(word.text);
  return out;
}
using Texts = std::vector<std::string>;

TEST(Words, are_runs_of_letters_and_digits_in_lower_case) {
  EXPECT_EQ(texts("Hello, World-2! x_y"), (Texts{"hello", "world", "2", "x", "y"}));
  EXPECT_EQ(texts(""), Texts{});
  EXPECT_EQ(texts(" .,-"), Texts{});
}

TEST(Terms, are_the_stems_of_a_text_and_each_word_once) {
  const std::string text = "Pumps pump; the PUMPS were pumping " + std::string(128, 'a') + " " +
                           std::string(129, 'b') + " " + std::string(33, 'c');
  TermCutter cutter;
  const std::string terms = cutter.terms_of(text);
  ASSERT_TRUE(terms.starts_with(kTerms));
  TermReader reader(std::string_view(terms).substr(1));
  Texts stems;
  Texts words;
  for (TermReader::Term term; reader.next(term);) {
    (term.word ? words : stems).emplace_back(term.text);
  }
  Texts expected;
  for (const auto& word : texts(text)) {
    if (word.size() <= kWordBytesMax) expected.push_back(stem(word));
  }
  EXPECT_EQ(stems, expected);
  EXPECT_EQ(words, (Texts{"pumps", "pump", "were", "pumping"})) << "letters alone, four at least";
  EXPECT_EQ(cutter.terms_of("pumps"), std::string("\x03\x04pump")) << "given before";
  EXPECT_EQ(cutter.terms_of(""), std::string(1, kTerms));
}

TEST(Terms, that_are_cut_off_end_early) {
  for (const std::string_view cut : {"", "\x04", "\x04pum", "\x80"}) {
    TermReader reader(cut);
    TermReader::Term term;
    EXPECT_FALSE(reader.next(term));
  }
  const std::string none("\0pump", 5);
  TermReader reader(none);
  TermReader::Term term;
  EXPECT_FALSE(reader.next(term));
}

TEST(Words, know_where_they_stand) {
  const std::string text = "\xC3\x84pfel sind gr\xC3\xBCn.";
  auto words = words_of(text);
  ASSERT_EQ(words.size(), 3u);
  EXPECT_EQ(words[0].text, "apfel");
  EXPECT_EQ(text.substr(words[2].begin, words[2].end - words[2].begin), "gr\xC3\xBCn");
}

TEST(Words, lose_accents_and_case_beyond_ascii) {
  EXPECT_EQ(texts("CAF\xC3\x89 cafe\xCC\x81 \xC5\x81\xC3\xB3"
                  "dz"),
            (Texts{"cafe", "cafe", "lodz"}));
  EXPECT_EQ(texts("\xD0\x9C\xD0\x98\xD0\xA0"), (Texts{"\xD0\xBC\xD0\xB8\xD1\x80"}));
}

TEST(Words, are_the_same_in_capitals_and_without_accents) {
  const std::pair<const char*, const char*> pairs[] = {
      {"Ærø ÐINGEYJAR Þór Œuvre ŁÓDŹ", "aero dingeyjar thor oeuvre lodz"},
      {"Straße STRASSE STRAẞE", "strasse strasse strasse"},
      {"NGUYỄN Đường ƯỚC", "nguyen duong uoc"},
      {"ΆΛΦΑ Ώρα Ὀδυσσεύς ΟΔΥΣΣΕΥΣ", "αλφα ωρα οδυσσευσ οδυσσευσ"},
      {"ЁЛКА Їжак ЎРАД Њива ЙОД", "елка іжак урад њива иод"},
      {"Șoseaua ȚARĂ Ǎ Ǿ Ĳ", "soseaua tara a o ij"}};
  for (const auto& [text, plain] : pairs) {
    Texts folded;
    for (const auto& word : texts(plain)) folded.push_back(word);
    EXPECT_EQ(texts(text), folded) << text;
    std::string joined;
    for (const auto& word : texts(text)) joined += (joined.empty() ? "" : " ") + word;
    EXPECT_EQ(joined, plain);
  }
  Word word;
  WordCutter before("Straße Ærø Łódź", Folding::first);
  for (const char* was : {"straße", "Ærø", "Łodz"}) {
    ASSERT_TRUE(before.next(word));
    EXPECT_EQ(word.text, was) << "as it was";
  }
  EXPECT_EQ(texts("и\xCC\x86"), texts("й")) << "decomposed or not";
  EXPECT_EQ(texts("日本"), Texts{"日本"});
  std::string letter;
  for (std::uint32_t code = 0x80; code < 0x3000; ++code) {
    letter.clear();
    const bool put = append_folded(letter, code, Folding::today);
    EXPECT_EQ(put, !letter.empty());
    EXPECT_LE(letter.size(), code < 0x800 ? 2u : 3u) << code;
  }
}

TEST(Words, of_any_bytes_are_harmless) {
  EXPECT_EQ(texts("a\xFF"
                  "b\xC3"),
            (Texts{"a", "b"}));
  EXPECT_EQ(texts("\xE2\x80\x94x\xF0\x9F\x98\x80y"), (Texts{"x", "y"}));
}

TEST(Words, of_scripts_without_spaces_are_pairs_that_overlap) {
  const std::string bear = "\xE7\x86\x8A";
  const std::string cat = "\xE7\x8C\xAB";
  const std::string big = "\xE5\xA4\xA7";
  EXPECT_EQ(texts(big + bear + cat), (Texts{big + bear, bear + cat}));
  EXPECT_EQ(texts(cat), (Texts{cat}));
  EXPECT_EQ(texts("a" + cat + "b" + big + bear + "c"), (Texts{"a", cat, "b", big + bear, "c"}));
  EXPECT_EQ(texts(cat + " " + bear + "\xE3\x80\x82" + big), (Texts{cat, bear, big}));
  const std::string text = "x " + big + bear + cat;
  const auto words = words_of(text);
  ASSERT_EQ(words.size(), 3u);
  EXPECT_EQ(words[1].begin, 2u);
  EXPECT_EQ(words[1].end, 8u);
  EXPECT_EQ(words[2].begin, 5u);
  EXPECT_EQ(words[2].end, 11u);
}

TEST(Stem, follows_porter) {
  const std::pair<const char*, const char*> known[] = {{"caresses", "caress"},
                                                       {"ponies", "poni"},
                                                       {"cats", "cat"},
                                                       {"agreed", "agre"},
                                                       {"plastered", "plaster"},
                                                       {"motoring", "motor"},
                                                       {"conflated", "conflat"},
                                                       {"hopping", "hop"},
                                                       {"falling", "fall"},
                                                       {"filing", "file"},
                                                       {"happy", "happi"},
                                                       {"relational", "relat"},
                                                       {"conditional", "condit"},
                                                       {"digitizer", "digit"},
                                                       {"operator", "oper"},
                                                       {"triplicate", "triplic"},
                                                       {"formalize", "formal"},
                                                       {"hopeful", "hope"},
                                                       {"goodness", "good"},
                                                       {"revival", "reviv"},
                                                       {"adjustable", "adjust"},
                                                       {"replacement", "replac"},
                                                       {"adoption", "adopt"},
                                                       {"probate", "probat"},
                                                       {"rate", "rate"},
                                                       {"cease", "ceas"},
                                                       {"controll", "control"},
                                                       {"roll", "roll"},
                                                       {"sky", "sky"},
                                                       {"databases", "databas"},
                                                       {"configuration", "configur"},
                                                       {"configured", "configur"},
                                                       {"is", "is"}};
  for (const auto& [word, expected] : known) EXPECT_EQ(stem(word), expected) << word;
}

TEST(Stem, leaves_what_is_not_english_alone) {
  EXPECT_EQ(stem("127"), "127");
  EXPECT_EQ(stem("gr\xC3\xBCnes"), "gr\xC3\xBCnes");
  EXPECT_EQ(stem(""), "");
  EXPECT_EQ(stem(std::string(10'000, 's')).size(), 10'000u);
}

TEST(SearchWords, drop_what_tells_nothing_unless_nothing_else_is_left) {
  EXPECT_EQ(search_words("What is the port of the server?", 24), (Texts{"port", "server"}));
  EXPECT_EQ(search_words("what is it", 24), (Texts{"what", "is", "it"}));
  EXPECT_EQ(search_words("port Port PORT", 24), (Texts{"port"}));
  EXPECT_EQ(search_words("?!", 24), Texts{});
}

TEST(SearchWords, keep_the_longest_at_their_limit) {
  EXPECT_EQ(search_words("aa bbbb cc ddd", 3), (Texts{"bbbb", "ddd", "aa"}));
  EXPECT_EQ(search_words("aa bbbb cc ddd", 4), (Texts{"aa", "bbbb", "cc", "ddd"}));
  EXPECT_EQ(search_words("aa bbbb cc ddd", 5), (Texts{"aa", "bbbb", "cc", "ddd"}));
}

}  // namespace
}  // namespace mainstay::storage
