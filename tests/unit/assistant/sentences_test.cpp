// The splitter between an answer that is being written and the voice that speaks it.
#include "assistant/sentences.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "base/text.h"

namespace mainstay::assistant {
namespace {

using Said = std::vector<std::string>;

void drain(SentenceSplitter& splitter, Said& into) {
  while (auto sentence = splitter.take()) into.push_back(*sentence);
}

Said split(std::string_view text, SentenceRule rule = {400, 0}) {
  SentenceSplitter splitter(rule);
  Said out;
  splitter.feed(text);
  drain(splitter, out);
  splitter.finish();
  drain(splitter, out);
  return out;
}

TEST(Speakable, marks_are_for_the_eye_and_go) {
  EXPECT_EQ(speakable("The **capital** is *Bern*, not __Zurich__."),
            "The capital is Bern, not Zurich.");
  EXPECT_EQ(speakable("Run `make test` now"), "Run make test now");
  EXPECT_EQ(speakable("See [the guide](https://example.com/a/b?c=1) first."),
            "See the guide first.");
  EXPECT_EQ(speakable("![A chart](chart.png) below"), "A chart below");
  EXPECT_EQ(speakable("It is Bern [1][2]."), "It is Bern.");
  EXPECT_EQ(speakable("Press <kbd>Enter</kbd> &amp; wait"), "Press Enter & wait");
  EXPECT_EQ(speakable("at https://www.example.com/x/y, today"), "at example.com, today");
  EXPECT_EQ(speakable("<https://example.org/>"), "example.org");
  EXPECT_EQ(speakable("~~old~~ new"), "old new");
  EXPECT_EQ(speakable(R"(a \* b)"), "a * b");
}

TEST(Speakable, signs_that_mean_something_stay) {
  EXPECT_EQ(speakable("2 * 3 is 6"), "2 * 3 is 6");
  EXPECT_EQ(speakable("2*3 is 6"), "2*3 is 6");
  EXPECT_EQ(speakable("max_tokens is a name"), "max tokens is a name");
  EXPECT_EQ(speakable("3 < 5 and 7 > 5"), "3 < 5 and 7 > 5");
  EXPECT_EQ(speakable("caf\xc3\xa9 \xe4\xb8\xad"), "caf\xc3\xa9 \xe4\xb8\xad");
}

TEST(Speakable, what_holds_no_word_says_nothing) {
  EXPECT_EQ(speakable("---"), "");
  EXPECT_EQ(speakable("  * "), "");
  EXPECT_EQ(speakable("\xf0\x9f\x98\x80 \xe2\x9c\x85"), "");
  EXPECT_EQ(speakable("[1]"), "");
  EXPECT_EQ(speakable(""), "");
  EXPECT_EQ(speakable("Done \xf0\x9f\x98\x80!"), "Done!");
}

TEST(Sentences, end_with_their_marks) {
  EXPECT_EQ(split("It is Bern. Is it? Yes! Good\xe2\x80\xa6 Then go."),
            (Said{"It is Bern.", "Is it?", "Yes!", "Good\xe2\x80\xa6", "Then go."}));
  EXPECT_EQ(split("He said \"no.\" She left."), (Said{"He said \"no.\"", "She left."}));
  EXPECT_EQ(split("What?! Really."), (Said{"What?!", "Really."}));
  EXPECT_EQ(split("**It is Bern.** Next one"), (Said{"It is Bern.", "Next one"}));
  EXPECT_EQ(split("It is Bern.[1] It is old.[2]"), (Said{"It is Bern.", "It is old."}));
  EXPECT_EQ(split("\xe4\xb8\xad\xe5\x9b\xbd\xe3\x80\x82\xe5\xa5\xbd\xe3\x80\x82"),
            (Said{"\xe4\xb8\xad\xe5\x9b\xbd\xe3\x80\x82", "\xe5\xa5\xbd\xe3\x80\x82"}));
}

TEST(Sentences, abbreviations_initials_and_numbers_end_none) {
  EXPECT_EQ(split("Dr. Smith met Mrs. Jones. They spoke."),
            (Said{"Dr. Smith met Mrs. Jones.", "They spoke."}));
  EXPECT_EQ(split("J. R. Tolkien wrote it. We read."),
            (Said{"J. R. Tolkien wrote it.", "We read."}));
  EXPECT_EQ(split("Pi is 3.14 and more. So what."), (Said{"Pi is 3.14 and more.", "So what."}));
  EXPECT_EQ(split("Use tools, e.g. a saw, i.e. this one. Go."),
            (Said{"Use tools, e.g. a saw, i.e. this one.", "Go."}));
  EXPECT_EQ(split("See No. 5 and fig. 3 there. Done now."),
            (Said{"See No. 5 and fig. 3 there.", "Done now."}));
  EXPECT_EQ(split("We meet at 5 p.m. Bring tea."), (Said{"We meet at 5 p.m.", "Bring tea."}));
  EXPECT_EQ(split("We meet at 5 p.m. on Monday."), (Said{"We meet at 5 p.m. on Monday."}));
  EXPECT_EQ(split("It costs 5. Then go."), (Said{"It costs 5.", "Then go."}));
  EXPECT_EQ(split("version 2.0.1 is out. ok"), (Said{"version 2.0.1 is out. ok"}));
}

TEST(Sentences, code_rules_and_tables_lines_are_not_read_aloud) {
  EXPECT_EQ(split("Do this:\n```sh\nrm -rf x. Really.\n```\nThen rest."),
            (Said{"Do this:", "Then rest."}));
  EXPECT_EQ(split("One.\n~~~\ncode\n```\nstill code\n~~~\nTwo."), (Said{"One.", "Two."}));
  EXPECT_EQ(split("Before.\n---\nAfter."), (Said{"Before.", "After."}));
  EXPECT_EQ(split("| City | People |\n|---|---:|\n| Bern | 134 |\n"),
            (Said{"City, People", "Bern, 134"}));
  EXPECT_EQ(split("Open ```x.y z``` here. Yes."), (Said{"Open x.y z here.", "Yes."}));
  EXPECT_EQ(split("A block that never ends:\n```\ncode."), (Said{"A block that never ends:"}));
}

TEST(Sentences, headings_and_items_stand_alone) {
  EXPECT_EQ(split("## The plan\nWe go there.\n- first\n- second one\n\nEnd."),
            (Said{"The plan", "We go there.", "first", "second one", "End."}));
  EXPECT_EQ(split("1. Open it. Wait.\n2) Close it.\n"),
            (Said{"1: Open it.", "Wait.", "2: Close it."}));
  EXPECT_EQ(split("> quoted words. More."), (Said{"quoted words.", "More."}));
}

TEST(Sentences, a_wrapped_line_goes_on) {
  EXPECT_EQ(split("It is the\ncapital of\nSwitzerland. It is old."),
            (Said{"It is the capital of Switzerland.", "It is old."}));
  EXPECT_EQ(split("No stop here\n\nnext paragraph"), (Said{"No stop here", "next paragraph"}));
}

TEST(Sentences, a_stop_inside_a_link_or_code_ends_none) {
  EXPECT_EQ(split("Read [Mr. X. And more](http://a.b/c) now. Go."),
            (Said{"Read Mr. X. And more now.", "Go."}));
  EXPECT_EQ(split("Type `a. B` there. Go."), (Said{"Type a. B there.", "Go."}));
}

TEST(Sentences, short_ones_wait_for_company_but_the_first_does_not) {
  EXPECT_EQ(split("Yes. No. It is so, certainly. Ok.", {400, 12}),
            (Said{"Yes.", "No. It is so, certainly.", "Ok."}));
}

TEST(Sentences, none_is_longer_than_the_rule_allows) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "word" + std::to_string(i) + (i % 9 == 8 ? ", " : " ");
  for (const std::size_t longest : {std::size_t{40}, std::size_t{100}, std::size_t{400}}) {
    const auto said = split(text, {longest, 0});
    std::string together;
    for (const auto& one : said) {
      EXPECT_LE(one.size(), longest + 40) << one;
      together += one + " ";
    }
    EXPECT_EQ(together, text);
  }
  EXPECT_EQ(split(std::string(39, 'a'), {40, 0}).size(), 1u);
  EXPECT_EQ(split(std::string(80, 'a'), {40, 0}).size(), 1u);  // kept together while it is near
  EXPECT_EQ(split(std::string(81, 'a'), {40, 0}).size(), 2u);
  // Whole characters, also where there is no space.
  std::string umlauts;
  for (int i = 0; i < 300; ++i) umlauts += "\xc3\xbc";
  for (const auto& one : split(umlauts, {41, 0})) EXPECT_TRUE(is_utf8(one)) << one;
}

TEST(Sentences, what_is_kept_is_bounded) {
  SentenceSplitter splitter({100, 0});
  const std::string text(100'000, 'x');
  splitter.feed(text);
  EXPECT_LE(splitter.held(), 200u);
  SentenceSplitter code({100, 0});
  code.feed("```\n" + text);
  EXPECT_LE(code.held(), 200u);
}

/// The same sentences, whatever the pieces.
TEST(Sentences, pieces_make_no_difference) {
  const std::string text =
      "# Title\nHello, Dr. Who. It is 3.5 km, e.g. far. \"Really?\" she asked... Yes!\n\n"
      "- item **one** with [a link](http://x.y/z). More\n- item two\n\n```\ncode. Here.\n```\n"
      "| a | b |\n|---|---|\n| 1 | 2 |\n\n1. First. Then.\n2. Second\n> quote\n"
      "A very long line without any stop that goes on and on, with a comma, and more words, so "
      "that it has to be cut somewhere because nobody can say all of this in a single breath, "
      "can they? \xe4\xb8\xad\xe5\x9b\xbd\xe3\x80\x82\xe5\xa5\xbd. End";
  SeededRandom random{7};
  for (const std::size_t longest : {std::size_t{60}, std::size_t{400}}) {
    const auto whole = split(text, {longest, 12});
    for (std::size_t round = 0; round < 200; ++round) {
      SentenceSplitter splitter({longest, 12});
      Said out;
      std::size_t at = 0;
      while (at < text.size()) {
        const std::size_t n = 1 + random.below(round % 20 + 1);
        splitter.feed(std::string_view(text).substr(at, n));
        at += n;
        drain(splitter, out);
      }
      splitter.finish();
      drain(splitter, out);
      ASSERT_EQ(out, whole) << "round " << round;
    }
  }
}

/// Nothing that a model may write hangs it, grows it or makes it speak marks alone.
TEST(Sentences, any_bytes_are_survived) {
  SeededRandom random{11};
  const std::string_view letters = "ab .!?,\n\n#*_`~[]()<>|-1234567890\\&;\"'\xc3\xbc\xe3\x80\x82";
  for (int round = 0; round < 2000; ++round) {
    SentenceSplitter splitter({50, 12});
    std::string text;
    for (std::size_t n = random.below(300); n > 0; --n)
      text += letters[random.below(letters.size())];
    Said out;
    splitter.feed(text);
    splitter.finish();
    drain(splitter, out);
    EXPECT_EQ(splitter.held(), 0u);
    for (const auto& one : out) EXPECT_FALSE(one.empty());
  }
}

}  // namespace
}  // namespace mainstay::assistant
