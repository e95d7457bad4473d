// Structure and chunks: whole sections, bounded sizes, offsets that point at the text.
#include <gtest/gtest.h>

#include "base/random.h"
#include "base/text.h"
#include "knowledge/blocks.h"
#include "knowledge/chunker.h"

namespace mainstay::knowledge {
namespace {

std::vector<storage::Chunk> chunks(const std::string& text, Format format = Format::markdown,
                                   ChunkSize size = {}) {
  return chunks_of(text, blocks_of(text, format), size);
}

TEST(Blocks, name_headings_paragraphs_items_tables_and_code) {
  const std::string text =
      "---\ntitle: x\n---\n# One `two` #\n\nPara\nmore\n\nUnder\n-----\n- a\n- b\n\n| x "
      "|\n|---|\n\n```\n# no heading\n\nx\n```\n";
  std::vector<BlockKind> kinds;
  for (const auto& block : blocks_of(text, Format::markdown)) kinds.push_back(block.kind);
  using enum BlockKind;
  EXPECT_EQ(kinds, (std::vector<BlockKind>{heading, paragraph, heading, item, item, table, code}));
  const auto blocks = blocks_of(text, Format::markdown);
  EXPECT_EQ(blocks[0].heading, "One two");
  EXPECT_EQ(blocks[0].level, 1);
  EXPECT_EQ(blocks[2].heading, "Under");
  EXPECT_EQ(blocks[2].level, 2);
  EXPECT_EQ(title_of(text, blocks), "One two");
}

TEST(Blocks, html_comments_in_markdown_are_in_none) {
  const std::string text = "<!-- made by\na tool -->\nSeen.\n\n<!-- x -->\n";
  const auto blocks = blocks_of(text, Format::markdown);
  ASSERT_EQ(blocks.size(), 1u);
  EXPECT_EQ(text.substr(blocks[0].begin, blocks[0].end - blocks[0].begin), "Seen.");
}

TEST(Blocks, plain_text_has_paragraphs_only) {
  const std::string text = "# not a heading\n\nsecond\n";
  const auto blocks = blocks_of(text, Format::text);
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_EQ(blocks[0].kind, BlockKind::paragraph);
  EXPECT_EQ(title_of(text, blocks), "# not a heading");
}

TEST(Chunks, carry_the_path_of_their_headings) {
  const auto got = chunks("# A\nintro\n## B\nbee\n### C\nsee\n## D\ndee\n# E\neee\n");
  ASSERT_EQ(got.size(), 5u);
  EXPECT_EQ(got[0].heading, "A");
  EXPECT_EQ(got[1].heading, "A > B");
  EXPECT_EQ(got[2].heading, "A > B > C");
  EXPECT_EQ(got[3].heading, "A > D");
  EXPECT_EQ(got[4].heading, "E");
  EXPECT_EQ(got[2].text, "see");
}

TEST(Chunks, of_headings_alone_are_the_headings) {
  const auto got = chunks("# A\n## B\n");
  ASSERT_EQ(got.size(), 1u);
  EXPECT_NE(got[0].text.find("# A"), std::string::npos);
}

TEST(Chunks, do_not_cut_sentences_that_fit) {
  std::string text = "# H\n";
  for (int i = 0; i < 60; ++i) text += "Sentence number " + std::to_string(i) + " stands here. ";
  for (const auto& chunk : chunks(text, Format::markdown, {64, 16})) {
    EXPECT_TRUE(chunk.text.starts_with("Sentence")) << chunk.text;
    EXPECT_TRUE(chunk.text.ends_with("here.")) << chunk.text;
  }
}

TEST(Chunks, overlap_when_a_section_is_cut_by_size) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "Sentence number " + std::to_string(i) + " stands here. ";
  const auto with = chunks(text, Format::text, {64, 16});
  ASSERT_GT(with.size(), 2u);
  for (std::size_t i = 1; i < with.size(); ++i) {
    EXPECT_LT(with[i].begin, with[i - 1].end);
    EXPECT_LE(with[i - 1].end - with[i].begin, 64u);
    EXPECT_GT(with[i].begin, with[i - 1].begin);
  }
  const auto without = chunks(text, Format::text, {64, 0});
  for (std::size_t i = 1; i < without.size(); ++i) EXPECT_GE(without[i].begin, without[i - 1].end);
}

TEST(Chunks, keep_a_code_block_whole_when_it_fits) {
  const std::string code = "```sh\napt-get install one\napt-get install two\n```";
  const auto got =
      chunks("# H\n" + std::string(150, 'a') + ".\n\n" + code + "\n", Format::markdown, {50, 8});
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[1].text, code);
}

TEST(Chunks, never_exceed_their_size_nor_cut_a_character_nor_lose_text) {
  SeededRandom random(11);
  const char* const pieces[] = {"word ",
                                "\xC3\xA9\xC3\xA9 ",
                                "\xF0\x9F\x98\x80",
                                "End. ",
                                "\n",
                                "\n\n",
                                "# H\n",
                                "- item ",
                                "```\n",
                                "<!--",
                                "| c |",
                                "    ",
                                "\xE4\xB8\xAD",
                                "longwordwithoutanyspaceatall"};
  for (int round = 0; round < 300; ++round) {
    std::string text;
    const auto count = random.below(200);
    for (std::uint64_t i = 0; i < count; ++i) text += pieces[random.below(std::size(pieces))];
    const ChunkSize size{8 + static_cast<std::size_t>(random.below(20)),
                         static_cast<std::size_t>(random.below(8))};
    for (const auto format : {Format::text, Format::markdown}) {
      std::string covered(text.size(), ' ');
      std::size_t last = 0;
      for (const auto& chunk : chunks(text, format, size)) {
        ASSERT_LE(estimate_tokens(chunk.text), size.tokens);
        ASSERT_TRUE(is_utf8(chunk.text));
        ASSERT_EQ(text.substr(chunk.begin, chunk.end - chunk.begin), chunk.text);
        ASSERT_GE(chunk.begin, last) << "in order";
        last = chunk.begin;
        covered.replace(chunk.begin, chunk.text.size(), chunk.text);
      }
      if (format != Format::text) continue;
      for (std::size_t i = 0; i < text.size(); ++i) {
        const bool blank = text[i] == ' ' || text[i] == '\n';
        ASSERT_TRUE(blank || covered[i] == text[i]) << "byte " << i << " is in no chunk";
      }
    }
  }
}

TEST(Blocks, text_behind_a_comment_on_its_line_is_kept) {
  const std::string text =
      "<!-- anchor --> Important paragraph\n\n<!-- a\nb --><!-- c --> ## Heading\nbody <!-- d "
      "-->\n";
  const auto blocks = blocks_of(text, Format::markdown);
  ASSERT_EQ(blocks.size(), 3u);
  EXPECT_EQ(text.substr(blocks[0].begin, blocks[0].end - blocks[0].begin), "Important paragraph");
  EXPECT_EQ(blocks[1].heading, "Heading");
  EXPECT_EQ(blocks[2].kind, BlockKind::paragraph);
}

TEST(Chunks, a_heading_with_nothing_below_it_is_a_passage) {
  const auto got =
      chunks("# Animals\n## Lonely Pangolin ##\n## Fox\nred\n# Plants\n\nFern\n----\n# End\n");
  ASSERT_EQ(got.size(), 4u);
  EXPECT_EQ(got[0].text, "Lonely Pangolin");
  EXPECT_EQ(got[0].heading, "Animals");
  EXPECT_EQ(got[1].text, "red");
  EXPECT_EQ(got[1].heading, "Animals > Fox");
  EXPECT_EQ(got[2].text, "Fern");
  EXPECT_EQ(got[2].heading, "Plants");
  EXPECT_EQ(got[3].text, "End");
  EXPECT_EQ(got[3].heading, "");
}

TEST(Chunks, a_bare_heading_at_the_end_of_a_piece_still_leads_the_next_one) {
  HeadingPath path;
  const std::string first = "text\n# A\n";
  const std::string second = "more\n";
  BlockState state;
  const auto before = chunks_of(first, blocks_of(first, Format::markdown, state), {}, path);
  const auto after = chunks_of(second, blocks_of(second, Format::markdown, state), {}, path);
  ASSERT_EQ(before.size(), 2u);
  EXPECT_EQ(before[1].text, "A");
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(after[0].heading, "A");
}

}  // namespace
}  // namespace mainstay::knowledge
