// What a file is.   proves M9 (file type by content, not name)
#include "knowledge/file_type.h"

#include <gtest/gtest.h>

namespace mainstay::knowledge {
namespace {

FileType type(std::string_view head, std::string_view name = "", std::string_view format = "") {
  auto found = type_of(head, name, format);
  EXPECT_TRUE(found.ok()) << head;
  return found.ok() ? *found : FileType::text;
}

std::string reason(std::string_view head, std::string_view name = "",
                   std::string_view format = "") {
  auto found = type_of(head, name, format);
  return found.ok() ? "" : found.error().reason;
}

TEST(FileType, content_outranks_the_name) {
  EXPECT_EQ(type("%PDF-1.7\n...", "notes.txt"), FileType::pdf);
  EXPECT_EQ(type("<!DOCTYPE html><p>x", "notes.txt"), FileType::html);
  EXPECT_EQ(type("  <HTML>", "page"), FileType::html);
  EXPECT_EQ(type("plain words", "report.pdf"), FileType::text);
  for (const char* words : {"ID3 tags name a song", "%PDF- is a mark", "GIF89a is a format"}) {
    EXPECT_EQ(type(words, "notes.txt"), FileType::text) << words;
  }
}

TEST(FileType, the_name_decides_between_kinds_of_text) {
  EXPECT_EQ(type("# x", "README.md"), FileType::markdown);
  EXPECT_EQ(type("a,b", "t.CSV"), FileType::csv);
  EXPECT_EQ(type("a\tb", "dir.md/t.tsv"), FileType::csv);
  EXPECT_EQ(type("{}", "x.jsonl"), FileType::json_lines);
  EXPECT_EQ(type("{\"a\":1}\n{\"a\":2}\n", "log.txt"), FileType::text);
  EXPECT_EQ(type("{\"a\":1}\n{\"a\":2}\n", "log"), FileType::json_log);
  EXPECT_EQ(type("\xEF\xBB\xBF{\"a\":1}\n{\"a\"", "app.log"), FileType::json_log);
  EXPECT_EQ(type("{\"a\":1}\nTraceback:\n", "app.log"), FileType::text);
  EXPECT_EQ(type("{ not json }\n", "log"), FileType::text);
}

TEST(FileType, a_piece_of_a_page_is_html_by_its_name) {
  for (const std::string& head : {std::string("<p>One</p>"), std::string("<head><title>T</title>"),
                                  "<!--" + std::string(2000, 'x') + "--><html>"}) {
    EXPECT_EQ(type(head, "page.html"), FileType::html);
    EXPECT_EQ(type(head, "PAGE.HTM"), FileType::html);
    EXPECT_EQ(type(head, "page.md"), FileType::markdown);
  }
  // The address of a page is often the source of a text that was taken from it.
  EXPECT_EQ(type("# Head\nif a<b and c>d use <T> x.\n", "https://x.example/guide.html"),
            FileType::text);
}

TEST(FileType, what_is_said_outranks_the_name_but_not_the_content) {
  EXPECT_EQ(type("# x", "a.txt", "markdown"), FileType::markdown);
  EXPECT_EQ(type("# x", "a.txt", "text/markdown"), FileType::markdown);
  EXPECT_EQ(reason("%PDF-1.4", "a.pdf", "text"), "format_mismatch");
  EXPECT_EQ(reason("words", "a.pdf", "pdf"), "format_mismatch");
  EXPECT_EQ(reason("words", "a", "docx"), "invalid_value");
}

TEST(FileType, pictures_are_told_by_how_they_begin) {
  const std::pair<std::string_view, const char*> kinds[] = {
      {"\xff\xd8\xff\xe0", "image/jpeg"},
      {"\x89PNG\r\n\x1a\n", "image/png"},
      {"RIFF....WEBPVP8 ", "image/webp"},
      {std::string_view("GIF89a\x40\x01\xf0\0\x80\0\0", 13), "image/gif"},
      {std::string_view("II*\0....", 8), "image/tiff"},
  };
  for (const auto& [head, kind] : kinds) {
    EXPECT_EQ(type(head, "notes.txt"), FileType::image) << kind;
    EXPECT_STREQ(image_type(head), kind);
    EXPECT_EQ(type(head, "", kind), FileType::image);
    EXPECT_EQ(reason(head, "", "text"), "format_mismatch");
  }
  EXPECT_STREQ(image_type("RIFF....WAVE"), "");
  EXPECT_STREQ(image_type("RIFF"), "");
  EXPECT_EQ(reason("words", "a.png", "image"), "format_mismatch");
  EXPECT_EQ(type("words", "a.png"), FileType::text);
  EXPECT_FALSE(is_text(FileType::image));
  EXPECT_TRUE(is_text(FileType::csv));
}

TEST(FileType, other_files_are_named_for_what_they_are) {
  auto zip = type_of(std::string_view("PK\x03\x04\x14\x00", 6), "book.docx", "");
  ASSERT_FALSE(zip.ok());
  EXPECT_EQ(zip.error().code, Errc::unsupported);
  EXPECT_NE(zip.error().message.find("zip"), std::string::npos);
  EXPECT_EQ(reason(std::string_view("\x7f"
                                    "ELF\x02\x01\x01\0",
                                    8)),
            "unsupported_file_type");
}

TEST(FileType, utf16_is_named_with_what_to_do) {
  for (const auto& head :
       {std::string_view("\xFF\xFEH\0i\0", 6), std::string_view("\xFE\xFF\0H", 4)}) {
    auto found = type_of(head, "notes.txt", "");
    ASSERT_FALSE(found.ok());
    EXPECT_EQ(found.error().reason, "unsupported_file_type");
    EXPECT_NE(found.error().message.find("UTF-16; convert it to UTF-8"), std::string::npos);
  }
}

}  // namespace
}  // namespace mainstay::knowledge
