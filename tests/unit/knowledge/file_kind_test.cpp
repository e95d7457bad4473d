// What a document's text really is.   proves M9 (file type by content)
#include "knowledge/file_kind.h"

#include <gtest/gtest.h>

#include <string>

namespace mainstay::knowledge {
namespace {

using namespace std::string_literals;

TEST(FileKind, text_is_text_whatever_it_speaks_of) {
  for (const auto& text :
       {""s, "x"s, "A PDF begins with %PDF-1.7."s, "# Title\n\nwords"s, "<html>"s, "{\"a\": 1}"s,
        "JVBERi0 is how PDFs begin in base64, which is a sentence of words and no file at all"s,
        "\x1b[31mred\x1b[0m"s, "\xEF\xBB\xBFwords after a mark"s, "page\fpage"s,
        "ID3 tags name a song"s, "%PDF- is how a PDF begins"s, "GIF89a is a format of pictures"s,
        "GIF89a für alle"s, "SQLite format 3 is a file format"s}) {
    EXPECT_EQ(file_kind(text), "") << text;
  }
}

TEST(FileKind, files_of_other_kinds_are_named) {
  EXPECT_EQ(file_kind("%PDF-1.4\n"), "a PDF file");
  EXPECT_EQ(file_kind("\xEF\xBB\xBF%PDF-1.4\n"), "a PDF file");
  EXPECT_NE(file_kind("PK\x03\x04\x14"s).find("zip"), std::string_view::npos);
  EXPECT_EQ(file_kind("{\\rtf1}"), "an RTF file");
  EXPECT_EQ(file_kind("\x7f"
                      "ELF\x02"s),
            "a program");
  EXPECT_EQ(file_kind("GIF89a\x40\x01\xf0\0\xf7\0\0"s), "an image");
  EXPECT_EQ(file_kind("ID3\x03\0\0\0\0\x0f\x76"s), "a sound file");
}

TEST(FileKind, base64_is_looked_through_from_64_letters_on) {
  const std::string pdf = "JVBERi0xLjQK";
  EXPECT_EQ(file_kind(pdf + std::string(63 - pdf.size(), 'A')), "");
  EXPECT_EQ(file_kind(pdf + std::string(64 - pdf.size(), 'A')), "a PDF file");
  EXPECT_EQ(file_kind(pdf + std::string(30, 'A') + "\n" + std::string(50, 'B')), "a PDF file");
}

TEST(FileKind, more_than_a_tenth_of_control_characters_is_binary) {
  const std::string tenth = std::string(90, 'a') + std::string(10, '\x01');
  EXPECT_EQ(file_kind(tenth), "");
  EXPECT_EQ(file_kind(tenth + "\x01"), "binary data");
}

}  // namespace
}  // namespace mainstay::knowledge
