// Tables and JSON lines as text.
#include "knowledge/records.h"

#include <gtest/gtest.h>

namespace mainstay::knowledge {
namespace {

template <class Reader>
std::string read(const std::string& bytes, std::size_t piece, Status* failed = nullptr,
                 Reader reader = Reader()) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const Status fed = reader.feed(std::string_view(bytes).substr(at, piece), out);
    if (!fed.ok()) {
      if (failed != nullptr) *failed = fed;
      return out;
    }
  }
  const Status ended = reader.finish(out);
  if (!ended.ok() && failed != nullptr) *failed = ended;
  return out;
}

TEST(Csv, each_row_becomes_a_paragraph_with_names) {
  const std::string table = "name,city\r\nAda,London\r\n\"Grace \"\"G\"\"\",\"New York, USA\"\r\n";
  const std::string text = "name: Ada\ncity: London\n\nname: Grace \"G\"\ncity: New York, USA\n\n";
  for (std::size_t piece = 1; piece <= table.size(); ++piece) {
    ASSERT_EQ(read<CsvText>(table, piece), text) << piece;
  }
}

TEST(Csv, the_first_row_tells_the_mark) {
  EXPECT_EQ(read<CsvText>("a;b\n1;2,5\n", 3), "a: 1\nb: 2,5\n\n");
  EXPECT_EQ(read<CsvText>("a\tb\n1\t2\n", 3), "a: 1\nb: 2\n\n");
  EXPECT_EQ(read<CsvText>("\xEF\xBB\xBF"
                          "a,b\n1,2",
                          3),
            "a: 1\nb: 2\n\n");
}

TEST(Csv, fields_without_a_name_and_empty_ones_are_borne) {
  EXPECT_EQ(read<CsvText>("a,b\n1,,extra\n\n,2\n", 2), "a: 1\nextra\n\nb: 2\n\n");
  EXPECT_EQ(read<CsvText>("only,names\n", 4), "only\nnames\n");
  EXPECT_EQ(read<CsvText>("", 1), "");
}

TEST(Csv, the_names_are_no_row_of_their_own_below_others) {
  // As extract.cpp does: what was told before is not in the text that the end is given.
  CsvText table;
  std::string rows;
  ASSERT_TRUE(table.feed("name,city\nAda,London\n", rows).ok());
  std::string rest;
  ASSERT_TRUE(table.finish(rest).ok());
  EXPECT_EQ(rows, "name: Ada\ncity: London\n\n");
  EXPECT_EQ(rest, "");
}

TEST(Csv, a_quote_may_hold_lines) {
  EXPECT_EQ(read<CsvText>("a\n\"one\ntwo\"\n", 5), "a: one two\n\n");
}

TEST(Csv, a_quote_counts_at_the_start_of_a_field_alone) {
  const std::string table = "item,size\nPlank,5\" long\n\"Say \"\"no\"\"\"x,\"7\"\nNail,2\"\n";
  const std::string text =
      "item: Plank\nsize: 5\" long\n\nitem: Say \"no\"x\nsize: 7\n\nitem: Nail\nsize: 2\"\n\n";
  for (std::size_t piece = 1; piece <= table.size(); ++piece) {
    ASSERT_EQ(read<CsvText>(table, piece), text) << piece;
  }
  EXPECT_EQ(read<CsvText>("a\tb\n3\"\tx\n4\ty\n", 3), "a: 3\"\nb: x\n\na: 4\nb: y\n\n");
}

// As hands write it, and as Excel keeps noughts.
TEST(Csv, a_quote_behind_blanks_or_an_equals_sign_counts) {
  EXPECT_EQ(read<CsvText>("name, note\nbob, \"likes x, y\"\nann, \"two\nlines\"\n", 3),
            "name: bob\nnote: likes x, y\n\nname: ann\nnote: two lines\n\n");
  EXPECT_EQ(read<CsvText>("n,code\n1,=\"0012,5\"\n", 3), "n: 1\ncode: =0012,5\n\n");
}

TEST(Csv, the_mark_is_looked_for_outside_quotes) {
  EXPECT_EQ(read<CsvText>("\"Name, first\";\"Amount, EUR\";age\nAda;2,50;36\n", 7),
            "Name, first: Ada\nAmount, EUR: 2,50\nage: 36\n\n");
  EXPECT_EQ(read<CsvText>("\xEF\xBB\xBF\"a,b\";\"c,d,\ne\"\n1;2\n", 2), "a,b: 1\nc,d, e: 2\n\n");
}

TEST(Csv, a_first_line_may_tell_the_mark_and_is_not_the_names) {
  EXPECT_EQ(read<CsvText>("sep=;\r\na,b,c;d\r\n1;2\r\n", 4), "a,b,c: 1\nd: 2\n\n");
  EXPECT_EQ(read<CsvText>("\xEF\xBB\xBFSEP=|\na|b,c\n1|2\n", 4), "a: 1\nb,c: 2\n\n");
  EXPECT_EQ(read<CsvText>("sep=\t\na\tb\n1\t2\n", 4), "a: 1\nb: 2\n\n");
  EXPECT_EQ(read<CsvText>("sep=,x\n1,2\n", 4), "sep=: 1\nx: 2\n\n");
}

TEST(Csv, a_row_has_a_longest_length_and_a_table_a_most_of_columns) {
  Status failed = done();
  read<CsvText>("a\n" + std::string(kRowMax, 'x'), 100'000, &failed);
  EXPECT_TRUE(failed.ok());
  read<CsvText>("a\n" + std::string(kRowMax + 1, 'x'), 100'000, &failed);
  EXPECT_EQ(failed.error().reason, "csv_row_too_long");
  failed = done();
  read<CsvText>("a" + std::string(kColumnsMax - 1, ',') + "\n", 100, &failed);
  EXPECT_TRUE(failed.ok());
  read<CsvText>("a" + std::string(kColumnsMax, ',') + "\n", 100, &failed);
  EXPECT_EQ(failed.error().reason, "csv_too_many_columns");
}

TEST(JsonLines, members_become_lines_with_their_path) {
  const std::string lines =
      "{\"name\":\"Ada\",\"born\":{\"year\":1815,\"town\":null},\"tags\":[\"x\",\"y\"]}"
      "\n\n\"alone\"\n";
  const std::string text = "name: Ada\nborn.year: 1815\ntags: x\ntags: y\n\nalone\n\n";
  for (std::size_t piece = 1; piece <= lines.size(); ++piece) {
    ASSERT_EQ(read<JsonLinesText>(lines, piece), text) << piece;
  }
}

TEST(JsonLines, a_byte_order_mark_is_passed_over) {
  const std::string lines = "\xEF\xBB\xBF{\"a\":1}\n{\"a\":2}\n";
  for (std::size_t piece = 1; piece <= lines.size(); ++piece) {
    ASSERT_EQ(read<JsonLinesText>(lines, piece), "a: 1\n\na: 2\n\n") << piece;
  }
}

TEST(JsonLines, other_lines_are_text_where_nobody_said_what_the_file_is) {
  Status failed = done();
  const std::string log = "{\"a\":1}\nTraceback:\n  in main\n{\"a\":2}\n";
  EXPECT_EQ(read(log, 3, &failed, JsonLinesText(true)), "a: 1\n\nTraceback:\n  in main\na: 2\n\n");
  const std::string wide(kRowMax + 10, 'x');
  EXPECT_EQ(read(wide, 100'000, &failed, JsonLinesText(true)).size(), wide.size() + 1);
  EXPECT_TRUE(failed.ok());
}

TEST(JsonLines, a_broken_line_is_named_by_its_number) {
  Status failed = done();
  read<JsonLinesText>("{}\n{}\n{oops\n", 100, &failed);
  EXPECT_EQ(failed.error().reason, "json_line_invalid");
  EXPECT_NE(failed.error().message.find("Line 3"), std::string::npos);
  failed = done();
  read<JsonLinesText>(std::string(kRowMax + 1, ' '), 100'000, &failed);
  EXPECT_EQ(failed.error().reason, "json_line_too_long");
}

}  // namespace
}  // namespace mainstay::knowledge
