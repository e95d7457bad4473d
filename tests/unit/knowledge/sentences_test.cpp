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

}  // namespace
}  // namespace mainstay::storage
