// Questions with typing errors, and texts in scripts without spaces.
#include "conformance/documents_rig.h"

namespace mainstay::storage {
namespace {

PassageQuery about(const std::string& text) {
  PassageQuery query;
  query.text = text;
  return query;
}

std::string corrections(const Found& found) {
  std::string out;
  for (const auto& each : found.corrected) {
    out += each.word + ":";
    for (const auto& word : each.instead) out += " " + word;
    out += ";";
  }
  return out;
}

// proves K6
TEST_P(DocumentsFace, a_mistyped_word_finds_what_was_meant_and_says_so) {
  add_text("a", "A", "", "Calibration of the pressure gauge takes an hour.");
  add_text("b", "B", "", "Unrelated words about gardens.");
  const struct {
    const char* asked;
    const char* corrected;
  } cases[] = {{"presure", "presure: pressure;"},             // left out
               {"prressure", "prressure: pressure;"},         // doubled
               {"pressyre", "pressyre: pressure;"},           // another letter
               {"pressuer", "pressuer: pressure;"},           // swapped
               {"caliibraton", "caliibraton: calibration;"},  // two errors in a long word
               {"calibratoin", "calibratoin: calibration;"}};
  for (const auto& each : cases) {
    auto found = find(about(each.asked));
    EXPECT_EQ(ids(found.passages), (Ids{"a"})) << each.asked;
    EXPECT_EQ(corrections(found), each.corrected);
  }
  EXPECT_EQ(corrections(find(about("pressure"))), "");
  EXPECT_EQ(corrections(find(about("pressures calibrated"))), "") << "stems are known";
}

TEST_P(DocumentsFace, words_too_far_or_too_short_are_not_corrected) {
  add_text("a", "A", "", "The pump and the valve, and a cat.");
  for (const char* text : {"pmu", "bat", "vlav", "vxlvx", "12ve", "thermostat"}) {
    auto found = find(about(text));
    EXPECT_TRUE(found.passages.empty()) << text;
    EXPECT_EQ(corrections(found), "") << text;
  }
  EXPECT_EQ(corrections(find(about("vavle"))), "vavle: valve;");
  PassageQuery strict = about("vavle");
  strict.forgiving = false;
  EXPECT_TRUE(find(strict).passages.empty());
}

TEST_P(DocumentsFace, a_mistyped_word_that_tells_nothing_is_left_out) {
  add_text("a", "A", "", "This is what they wrote about the harbour.");
  auto found = find(about("waht harbuor"));
  EXPECT_EQ(corrections(found), "harbuor: harbour;");
  EXPECT_EQ(ids(found.passages), (Ids{"a"}));
}

TEST_P(DocumentsFace, the_nearest_words_stand_in_and_of_those_the_most_frequent) {
  for (int n = 0; n < 3; ++n)
    add_text("m" + std::to_string(n), "M", "", "a marble " + std::to_string(n));
  for (int n = 0; n < 2; ++n)
    add_text("g" + std::to_string(n), "G", "", "a garble " + std::to_string(n));
  add_text("w", "W", "", "to warble");
  add_text("b", "B", "", "the barbel");
  add_text("t", "T", "", "one tarble");
  EXPECT_EQ(corrections(find(about("varble"))), "varble: marble garble tarble;");
}

TEST_P(DocumentsFace, a_correction_is_searched_within_the_filter) {
  add_text("a", "A", "", "the walrus sleeps", "sea");
  add_text("b", "B", "", "the walrus eats", "land");
  PassageQuery query = about("wlarus");
  query.collection = CollectionName("sea");
  EXPECT_EQ(ids(find(query).passages), (Ids{"a"}));
}

TEST_P(DocumentsFace, words_of_other_tenants_are_neither_known_nor_told) {
  NewDocument secret = document_of(1);
  secret.chunks[0].text = "The codename is Thunderbird.";
  ASSERT_TRUE(add(school_, secret).ok());
  add_text("a", "A", "", "Plain words of the clinic, and a thunderbolt.");
  auto found = find(about("thunderbrid"));
  EXPECT_EQ(corrections(found), "");
  // What another tenant holds is not known here, so it is corrected here.
  add_text("b", "B", "", "A thunderbirt by mistake.");
  EXPECT_EQ(corrections(find(about("thunderbird"))), "thunderbird: thunderbirt;");
}

TEST_P(DocumentsFace, words_of_erased_and_unfinished_documents_are_not_told) {
  add_text("a", "A", "", "The zeppelin lands.");
  add_text("b", "B", "", "Other words.");
  ASSERT_EQ(corrections(find(about("zepelin"))), "zepelin: zeppelin;");
  ASSERT_TRUE(erase(clinic_, "a").ok());
  EXPECT_EQ(corrections(find(about("zepelin"))), "");
  NewDocument head = document_of(7);
  head.chunks.clear();
  ASSERT_TRUE(begin(head).ok());
  ASSERT_TRUE(append("doc_7", 0, chunks_from(0, 100, "zeppelin"), "").ok());
  EXPECT_EQ(corrections(find(about("zepelin"))), "");
  ASSERT_TRUE(finish("doc_7", "x").ok());
  EXPECT_EQ(corrections(find(about("zepelin"))), "zepelin: zeppelin;");
  ASSERT_TRUE(erase(clinic_, "doc_7").ok());
  EXPECT_EQ(corrections(find(about("zepelin"))), "");
  EXPECT_EQ(corrections(find(about("zeppelin"))), "")
      << "a word that was is not corrected to itself";
  sweep_all();
  EXPECT_EQ(corrections(find(about("zepelin"))), "");
  add_text("c", "C", "", "A zeppelin again.");
  EXPECT_EQ(corrections(find(about("zepelin"))), "zepelin: zeppelin;");
}

TEST_P(DocumentsFace, a_word_stays_known_while_any_document_holds_it) {
  for (int n = 0; n < 6; ++n) {
    add_text("d" + std::to_string(n), "D", "", "the gyroscope number " + std::to_string(n));
  }
  for (int n : {0, 5, 2, 1, 4}) {
    ASSERT_TRUE(erase(clinic_, "d" + std::to_string(n)).ok());
    sweep_all();
    EXPECT_EQ(corrections(find(about("gyroscpe"))), "gyroscpe: gyroscope;") << n;
  }
  ASSERT_TRUE(erase(clinic_, "d3").ok());
  sweep_all();
  EXPECT_EQ(corrections(find(about("gyroscpe"))), "");
}

TEST_P(DocumentsFace, words_are_corrected_in_scripts_with_letters) {
  add_text("a", "A", "",
           "\xD0\xB4\xD0\xB0\xD0\xB2\xD0\xBB\xD0\xB5\xD0\xBD\xD0\xB8\xD0\xB5 "
           "\xD0\xB2\xD0\xBE\xD0\xB4\xD1\x8B");
  auto found = find(about("\xD0\xB4\xD0\xB0\xD0\xB2\xD0\xB5\xD0\xBD\xD0\xB8\xD0\xB5"));
  EXPECT_EQ(ids(found.passages), (Ids{"a"}));
}

TEST_P(DocumentsFace, runs_of_chinese_and_japanese_are_found_by_what_stands_in_them) {
  add_text("zh", "A", "",
           "\xE5\xA4\xA7\xE7\x86\x8A\xE7\x8C\xAB\xE4\xBD\x8F\xE5\x9C\xA8\xE7\xAB\xB9\xE6\x9E\x97"
           "\xE9\x87\x8C");
  add_text("ja", "B", "",
           "\xE7\x8C\xAB\xE3\x81\x8C\xE5\xA5\xBD\xE3\x81\x8D\xE3\x81\xA7\xE3\x81\x99");
  EXPECT_EQ(ids(search("\xE7\x86\x8A\xE7\x8C\xAB")), (Ids{"zh"}));
  EXPECT_EQ(ids(search("\xE7\xAB\xB9\xE6\x9E\x97")), (Ids{"zh"}));
  EXPECT_EQ(ids(search("\xE5\xA5\xBD\xE3\x81\x8D")), (Ids{"ja"}));
  EXPECT_TRUE(search("\xE7\x8C\xAB\xE7\x86\x8A").empty()) << "the letters in another order";
}

}  // namespace
}  // namespace mainstay::storage
