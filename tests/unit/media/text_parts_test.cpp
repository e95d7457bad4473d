// The parts of the analysis: UTF-8, the table of words, lines, languages, syllables.
#include <gtest/gtest.h>

#include <map>

#include "base/text.h"
#include "media/readability.h"
#include "unit/media/analysis_text.h"

namespace mainstay::media {
namespace {

// ---- characters

TEST(Unicode, decoding_agrees_with_the_check_of_utf8_for_every_pair_and_triple) {
  SeededRandom random(1);
  for (int round = 0; round < 50'000; ++round) {
    std::string bytes;
    for (std::uint64_t n = 1 + random.below(4); n > 0; --n) {
      bytes +=
          static_cast<char>(random.below(3) == 0 ? random.below(256) : 0x80 + random.below(128));
    }
    const Decoded next = decode(bytes);
    if (next.bytes == 0) {
      EXPECT_FALSE(is_utf8(bytes));
    } else {
      ASSERT_EQ(next.code != kInvalid, is_utf8(bytes.substr(0, next.bytes))) << round;
    }
  }
}

TEST(Unicode, encoding_undoes_decoding) {
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xd800 && code < 0xe000) continue;
    std::array<char, 4> out{};
    const std::size_t size = encode(code, out.data());
    const Decoded back = decode({out.data(), size});
    ASSERT_EQ(back.code, code);
    ASSERT_EQ(back.bytes, size);
    ASSERT_LE(encode(lower_of(code), out.data()), size) << "the lower case is no longer";
  }
}

TEST(Unicode, kinds_and_lower_case) {
  EXPECT_EQ(kind_of('a'), CharKind::latin);
  EXPECT_EQ(kind_of('_'), CharKind::punctuation);
  EXPECT_EQ(kind_of(0x3b1), CharKind::greek);
  EXPECT_EQ(kind_of(0x5d0), CharKind::hebrew);
  EXPECT_EQ(kind_of(0xac00), CharKind::hangul);
  EXPECT_EQ(kind_of(0x20000), CharKind::han) << "beyond the basic plane";
  EXPECT_EQ(kind_of(0x1f600), CharKind::symbol);
  EXPECT_EQ(kind_of(0x10ffff), CharKind::unassigned);
  EXPECT_EQ(kind_of(0xfeff), CharKind::control);
  EXPECT_EQ(lower_of(0x416), 0x436u);
  EXPECT_EQ(lower_of('Z'), U'z');
  EXPECT_EQ(lower_of(0x130), 0x130u) << "two characters in lower case";
}

// ---- terms

void add(TermTable& table, std::string_view word) {
  TermUnits units{};
  std::copy(word.begin(), word.end(), reinterpret_cast<char*>(units.data()));
  table.add(units.data(), word.size());
}

TEST(Terms, counts_are_exact_while_the_words_fit) {
  TermTable table(100);
  SeededRandom random(2);
  std::map<std::string, std::uint64_t> expected;
  for (int i = 0; i < 20'000; ++i) {
    const std::string word =
        "word" + std::string(random.below(20), 'x') + "az"[random.below(2)] + "by"[random.below(2)];
    ++expected[word];
    add(table, word);
  }
  ASSERT_LE(expected.size(), 100u);
  EXPECT_EQ(table.error(), 0u);
  EXPECT_EQ(table.size(), expected.size());
  for (const auto& term : table.top(200, 0)) EXPECT_EQ(term.count, expected[term.text]);
}

TEST(Terms, the_bound_is_kept_at_one_below_at_and_above_it) {
  for (const std::size_t words : {99U, 100U, 101U}) {
    TermTable table(100);
    for (std::size_t i = 0; i < words; ++i) add(table, "word" + std::to_string(1000 + i));
    EXPECT_EQ(table.error() == 0, words <= 100) << words;
    EXPECT_LE(table.size(), 100u);
    EXPECT_EQ(table.sums().words, words);
  }
}

TEST(Terms, a_full_table_tells_counts_within_its_error_and_exact_sums) {
  TermTable table(64);
  SeededRandom random(4);
  std::map<std::string, std::uint64_t> expected;
  for (int i = 0; i < 50'000; ++i) {
    const bool often = random.below(3) == 0;
    const std::string word = often ? "common" + std::to_string(random.below(5))
                                   : "rare" + std::to_string(random.below(5000));
    ++expected[word];
    add(table, word);
  }
  EXPECT_GT(table.error(), 0u);
  const auto top = table.top(5, 0);
  ASSERT_EQ(top.size(), 5u);
  for (const auto& term : top) {
    EXPECT_TRUE(term.text.starts_with("common")) << term.text;
    EXPECT_LE(term.count, expected[term.text]);
    EXPECT_GE(term.count + table.error(), expected[term.text]);
  }
  EXPECT_EQ(table.sums().words, 50'000u);
  EXPECT_LE(table.size(), 64u);
}

TEST(Terms, equal_counts_are_ordered_by_text) {
  TermTable table(10);
  for (const char* word : {"pear", "apple", "fig", "apple"}) add(table, word);
  const auto top = table.top(2, 0);
  ASSERT_EQ(top.size(), 2u);
  EXPECT_EQ(top[0].text, "apple");
  EXPECT_EQ(top[1].text, "fig");
}

// ---- lines

TEST(Lines, a_full_set_of_hashes_tells_a_lower_bound) {
  for (const std::size_t lines : {99U, 100U, 101U}) {
    LineScan scan(100, 10);
    std::string text;
    for (std::size_t i = 0; i < lines; ++i) text += "line " + std::to_string(i) + "\n";
    text += "line 5\n";
    scan.feed(text, true);
    const LineReport report = scan.finish();
    EXPECT_EQ(report.not_blank.exact, lines <= 100) << lines;
    EXPECT_EQ(report.not_blank.distinct, std::min<std::size_t>(lines, 100));
    EXPECT_EQ(report.not_blank.repeated, 1u);
    EXPECT_EQ(report.not_blank.total, lines + 1);
  }
}

TEST(Lines, lines_that_differ_in_one_byte_are_not_the_same) {
  LineScan scan(100'000, 10);
  std::string text;
  for (std::size_t size = 1; size < 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string line(size, 'a');
      line[at] = 'b';
      text += line + "\n";
    }
    text += std::string(size, 'a') + "\n";
  }
  scan.feed(text, true);
  EXPECT_EQ(scan.finish().not_blank.repeated, 0u);
}

// ---- languages

TEST(Languages, prose_is_told_apart) {
  const std::vector<std::pair<const char*, const char*>> kTexts = {
      {"en",
       "The ship left the harbour before dawn, and nobody on the quay knew where it was going. "
       "They had been told that it would be back by the end of the week."},
      {"de",
       "Das Schiff verließ den Hafen vor dem Morgen, und niemand am Kai wusste, wohin es fuhr. "
       "Man hatte ihnen gesagt, dass es bis zum Ende der Woche wieder da sein werde."},
      {"fr",
       "Le navire a quitté le port avant l'aube, et personne sur le quai ne savait où il allait. "
       "On leur avait dit qu'il serait de retour à la fin de la semaine."},
      {"es",
       "El barco salió del puerto antes del alba y nadie en el muelle sabía a dónde iba. "
       "Les habían dicho que estaría de vuelta para el final de la semana."},
      {"it",
       "La nave lasciò il porto prima dell'alba e nessuno sul molo sapeva dove andasse. "
       "Era stato detto loro che sarebbe tornata alla fine della settimana, non prima."},
      {"pt",
       "O navio deixou o porto antes do amanhecer e ninguém no cais sabia para onde ia. "
       "Tinham-lhes dito que estaria de volta até ao fim da semana, mas não foi assim."},
      {"nl",
       "Het schip verliet de haven voor zonsopgang en niemand op de kade wist waar het heen ging. "
       "Er was hun gezegd dat het voor het einde van de week terug zou zijn."},
      {"sv",
       "Skeppet lämnade hamnen före gryningen och ingen på kajen visste vart det var på väg. "
       "Man hade sagt till dem att det skulle vara tillbaka i slutet av veckan."},
      {"pl",
       "Statek opuścił port przed świtem i nikt na nabrzeżu nie wiedział, dokąd płynie. "
       "Powiedziano im, że wróci do końca tygodnia, ale to się nie stało."},
      {"tr",
       "Gemi limandan şafaktan önce ayrıldı ve rıhtımda hiç kimse onun nereye gittiğini "
       "bilmiyordu. "
       "Hafta sonuna kadar döneceği için onlara bir şey söylenmedi, ama çok beklediler."},
      {"ru",
       "Корабль покинул гавань до рассвета, и никто на причале не знал, куда он идёт. "
       "Им сказали, что он вернётся к концу недели, но этого не было."},
      {"uk",
       "Корабель залишив гавань до світанку, і ніхто на причалі не знав, куди він іде. "
       "Їм сказали, що він повернеться до кінця тижня, але цього не було."},
      {"ar",
       "غادرت السفينة الميناء قبل الفجر ولم يكن أحد على الرصيف يعرف إلى أين كانت ذاهبة من هذا "
       "المكان"},
      {"el", "Το πλοίο έφυγε από το λιμάνι πριν την αυγή."},
      {"he", "הספינה עזבה את הנמל לפני עלות השחר."},
      {"ja", "船は夜明け前に港を出て、誰も行き先を知らなかった。"},
      {"zh", "船在黎明前离开了港口，码头上没有人知道它要去哪里。"},
      {"ko", "배는 새벽이 되기 전에 항구를 떠났다."},
      {"th", "เรือออกจากท่าก่อนรุ่งสาง"},
      {"unknown", "Xyzzy plugh frotz 1234 blorb qwertz"},
      {"unknown", "12345 67890 !!!"},
  };
  for (const auto& [code, text] : kTexts) {
    auto report = test::analyze(text, 1000);
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->language.code, code) << text;
    if (std::string_view(code) != "unknown") EXPECT_GT(report->language.confidence, 0.3) << code;
    EXPECT_LE(report->language.confidence, 1.0);
  }
}

// ---- readability

TEST(Readability, syllables_of_common_words_are_mostly_right) {
  const std::vector<std::pair<const char*, std::uint32_t>> kWords = {
      {"the", 1},        {"cat", 1},       {"make", 1},      {"table", 2},    {"tables", 2},
      {"tree", 1},       {"hoped", 1},     {"wanted", 2},    {"boxes", 2},    {"dishes", 2},
      {"miles", 1},      {"nation", 2},    {"radio", 3},     {"special", 2},  {"area", 3},
      {"happy", 2},      {"yellow", 2},    {"rhythm", 1},    {"harbour", 2},  {"beautiful", 3},
      {"water", 2},      {"people", 2},    {"because", 2},   {"another", 3},  {"information", 4},
      {"university", 5}, {"didn't", 2},    {"it's", 1},      {"queue", 1},    {"through", 1},
      {"government", 3}, {"different", 3}, {"important", 3}, {"possible", 3}, {"example", 3}};
  std::size_t right = 0;
  std::string wrong;
  for (const auto& [word, syllables] : kWords) {
    if (syllables_of(word) == syllables) {
      ++right;
    } else {
      wrong += std::string(word) + " " + std::to_string(syllables_of(word)) + ", ";
    }
  }
  EXPECT_GE(right, kWords.size() - 3) << wrong;
}

TEST(Readability, the_formulas_give_the_published_figures) {
  const TextCounts counts{100, 5, 150, 20};
  EXPECT_NEAR(flesch_reading_ease(counts), 206.835 - 1.015 * 20 - 84.6 * 1.5, 1e-9);
  EXPECT_NEAR(flesch_kincaid_grade(counts), 0.39 * 20 + 11.8 * 1.5 - 15.59, 1e-9);
  EXPECT_NEAR(lix(counts), 20 + 20.0, 1e-9);
}

}  // namespace
}  // namespace mainstay::media
