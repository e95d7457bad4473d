// Where sentences end, and where they do not.
#include "storage/sentences.h"

#include <gtest/gtest.h>

#include <string>

namespace mainstay::storage {
namespace {

using Texts = std::vector<std::string>;

Texts cut(const std::string& text) {
  Texts out;
  for (const auto& s : sentences_of(text)) out.push_back(text.substr(s.begin, s.end - s.begin));
  return out;
}

TEST(Sentences, end_at_a_stop_before_a_new_beginning) {
  EXPECT_EQ(cut("One is here. Two is there! Is three? Yes."),
            (Texts{"One is here.", "Two is there!", "Is three?", "Yes."}));
}

TEST(Sentences, go_on_after_abbreviations_numbers_and_file_names) {
  EXPECT_EQ(cut("Use a store, e.g. SQLite, for it. Version 1.2 is out."),
            (Texts{"Use a store, e.g. SQLite, for it.", "Version 1.2 is out."}));
  EXPECT_EQ(cut("Edit mainstay.toml and restart. See Dr. Smith."),
            (Texts{"Edit mainstay.toml and restart.", "See Dr. Smith."}));
  EXPECT_EQ(cut("It ends. but not here."), (Texts{"It ends. but not here."}));
}

TEST(Sentences, run_over_line_ends_but_not_over_blank_lines) {
  EXPECT_EQ(cut("A sentence that\ngoes on.\n\nAnother one"),
            (Texts{"A sentence that\ngoes on.", "Another one"}));
}

TEST(Sentences, know_items_rows_code_and_leave_headings_out) {
  const std::string text =
      "# Title\nIntro here.\n- first item\n- second\n  goes on\n1. third\n\n| a | b "
      "|\n|---|---|\n| c | d |\n"
      "```sh\nrun --it\n```\nEnd.";
  EXPECT_EQ(cut(text), (Texts{"Intro here.", "first item", "second\n  goes on", "third",
                              "| c | d |", "run --it", "End."}));
  const auto spans = sentences_of(text);
  EXPECT_EQ(spans[0].kind, SpanKind::prose);
  EXPECT_EQ(spans[1].kind, SpanKind::item);
  EXPECT_EQ(spans[4].kind, SpanKind::row);
  EXPECT_EQ(spans[5].kind, SpanKind::code);
}

TEST(Sentences, of_nothing_are_none_and_wide_stops_count) {
  EXPECT_EQ(cut(""), Texts{});
  EXPECT_EQ(cut("\n\n---\n"), Texts{});
  EXPECT_EQ(cut("\xE5\xA5\xBD\xE3\x80\x82\xE8\xA1\x8C\xE3\x80\x82").size(), 2u);
}

TEST(Sentences, go_on_after_ordinals_and_dates) {
  for (const char* whole :
       {"The lease starts on Jan. 5 at noon.", "Die Versammlung findet am 3. Oktober 2025 statt.",
        "Nach Abs. 2 der Satzung haftet der Vorstand.", "Vom 1. bis zum 31. März gilt Art. 7.",
        "Er wohnt in der Hauptstr. 12 und zahlt z.B. Strom, Gas usw. Alles ist dabei.",
        "Made in the U.S. Army's shop.", "Am 2. Jan. 2026 endet das 4. Quartal (s. Nr. 5).",
        "Die Sitzung ist am\n3. Oktober 2025 im Saal."}) {
    EXPECT_EQ(cut(whole), Texts{whole});
  }
  EXPECT_EQ(cut("Use version 2. Then restart."), (Texts{"Use version 2.", "Then restart."}));
  EXPECT_EQ(cut("We shut at 5 p.m. Monday is free."),
            (Texts{"We shut at 5 p.m.", "Monday is free."}));
  EXPECT_EQ(cut("She lives for art. He sat in Oct. Then he left."),
            (Texts{"She lives for art.", "He sat in Oct.", "Then he left."}));
}

TEST(Sentences, behind_a_comment_on_its_line_are_kept) {
  EXPECT_EQ(cut("<!-- anchor --> Important paragraph\n\n<!-- a\nb --> Seen.\n<!-- c -->\n"),
            (Texts{"Important paragraph", "Seen."}));
}

}  // namespace
}  // namespace mainstay::storage
