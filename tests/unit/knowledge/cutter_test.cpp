// Chunks of a text that comes in pieces.   proves K2 (pieces of any size)
#include "knowledge/cutter.h"

#include <gtest/gtest.h>

#include <random>

namespace mainstay::knowledge {
namespace {

using Chunks = std::vector<storage::Chunk>;

constexpr ChunkSize kSize{64, 8};

Chunks cut(Format format, const std::string& text, std::size_t piece) {
  Cutter cutter(format, kSize);
  Chunks out;
  const auto take = [&] {
    for (auto& chunk : cutter.take()) out.push_back(std::move(chunk));
  };
  for (std::size_t at = 0; at < text.size(); at += piece) {
    EXPECT_TRUE(cutter.feed(std::string_view(text).substr(at, piece)).ok());
    take();
  }
  EXPECT_TRUE(cutter.finish().ok());
  take();
  EXPECT_EQ(cutter.bytes(), text.size());
  return out;
}

/// Sections with headings, lists, code and letters of two bytes; some 700 KB.
std::string a_book() {
  std::string out;
  for (int part = 0; part < 80; ++part) {
    out += "# Part " + std::to_string(part) + "\n\n";
    for (int i = 0; i < 60; ++i) {
      if (i % 10 == 0) out += "## Section " + std::to_string(i) + "\n\n";
      out += "Wärme number " + std::to_string(i) + " flows through the lantern and the long hall. ";
      out += "It is measured twice a day, before breakfast and after the evening bell.\n\n";
      if (i % 7 == 0) out += "```\ncode line one\n\ncode line two\n```\n\n";
    }
  }
  return out;
}

void expect_same(const Chunks& a, const Chunks& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].text, b[i].text) << i;
    ASSERT_EQ(a[i].begin, b[i].begin) << i;
    ASSERT_EQ(a[i].heading, b[i].heading) << i;
  }
}

TEST(Cutter, the_chunks_do_not_depend_on_the_pieces) {
  const std::string book = a_book();
  ASSERT_GT(book.size(), 2 * Cutter::kWindow);
  const Chunks whole = cut(Format::markdown, book, book.size());
  for (const std::size_t piece : {std::size_t(1021), std::size_t(65536), Cutter::kWindow - 1,
                                  Cutter::kWindow, Cutter::kWindow + 1}) {
    expect_same(whole, cut(Format::markdown, book, piece));
  }
}

TEST(Cutter, every_chunk_is_at_its_place_and_none_is_lost) {
  const std::string book = a_book();
  std::uint64_t last = 0;
  for (const auto& chunk : cut(Format::markdown, book, 100'000)) {
    ASSERT_EQ(book.substr(chunk.begin, chunk.end - chunk.begin), chunk.text);
    ASSERT_GE(chunk.end, last);
    last = chunk.end;
  }
  EXPECT_GT(last + 10, book.size());
}

TEST(Cutter, headings_hold_over_the_border_of_a_window) {
  const std::string book = a_book();
  for (const auto& chunk : cut(Format::markdown, book, 4096)) {
    const auto part = book.rfind("\n# Part ", chunk.begin);
    const std::size_t at = part == std::string::npos ? 0 : part + 1;
    const std::string name = book.substr(at + 2, book.find('\n', at) - at - 2);
    ASSERT_TRUE(chunk.heading.starts_with(name)) << chunk.heading << " at " << chunk.begin;
  }
}

TEST(Cutter, one_endless_line_is_cut_between_words_and_characters) {
  std::string line;
  while (line.size() < 3 * Cutter::kWindow) line += "wörter ";
  const Chunks words = cut(Format::text, line, 50'000);
  for (const auto& chunk : words) ASSERT_EQ(chunk.text.find("wö"), 0u) << chunk.begin;
  std::string letters;
  while (letters.size() < 2 * Cutter::kWindow) letters += "ä";
  std::size_t bytes = 0;
  for (const auto& chunk : cut(Format::text, letters, 9999)) bytes += chunk.text.size();
  EXPECT_EQ(bytes, letters.size());
}

TEST(Cutter, tells_the_title_from_the_first_window) {
  Cutter cutter(Format::markdown, kSize);
  ASSERT_TRUE(cutter.feed("words before\n\n# The title\n\nmore\n").ok());
  EXPECT_EQ(cutter.title(), "");
  ASSERT_TRUE(cutter.finish().ok());
  EXPECT_EQ(cutter.title(), "The title");
}

TEST(Cutter, a_chunk_knows_its_page_and_stays_on_it) {
  Cutter cutter(Format::text, kSize);
  ASSERT_TRUE(cutter.begin_page(1).ok());
  ASSERT_TRUE(cutter.feed("First page.").ok());
  ASSERT_TRUE(cutter.begin_page(2).ok());
  ASSERT_TRUE(cutter.begin_page(3).ok());
  ASSERT_TRUE(cutter.feed("Third page.").ok());
  ASSERT_TRUE(cutter.finish().ok());
  const Chunks chunks = cutter.take();
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_EQ(chunks[0].page, 1u);
  EXPECT_EQ(chunks[0].text, "First page.");
  EXPECT_EQ(chunks[1].page, 3u);
}

TEST(Cutter, refuses_what_is_no_text_wherever_it_stands) {
  Cutter nul(Format::text, kSize);
  ASSERT_TRUE(nul.feed(std::string_view("a\0b", 3)).ok());
  const Error at_one = nul.finish().error();
  EXPECT_EQ(at_one.reason, "control_character");
  EXPECT_NE(at_one.message.find("at byte 1:"), std::string::npos) << at_one.message;
  Cutter broken(Format::text, kSize);
  ASSERT_TRUE(broken.feed("caf\xC3").ok());
  const Error at_three = broken.finish().error();
  EXPECT_EQ(at_three.reason, "invalid_value");
  EXPECT_NE(at_three.message.find("at byte 3."), std::string::npos) << at_three.message;
  Cutter late(Format::text, kSize);
  std::string text(2 * Cutter::kWindow, 'a');
  text[Cutter::kWindow + 5] = '\xFF';
  const Status fed = late.feed(text);
  const Status ended = fed.ok() ? late.finish() : fed;
  EXPECT_EQ(ended.error().reason, "invalid_value");
  EXPECT_NE(ended.error().message.find("at byte " + std::to_string(Cutter::kWindow + 5) + "."),
            std::string::npos)
      << ended.error().message;
}

TEST(Cutter, an_empty_text_has_no_chunks) {
  EXPECT_TRUE(cut(Format::text, "", 1).empty());
  EXPECT_TRUE(cut(Format::text, " \n\n\t ", 2).empty());
}

}  // namespace
}  // namespace mainstay::knowledge
