// What is understood of a question.
#include "models/question.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace mainstay::models::extractive {
namespace {

std::vector<std::string> stems(const Question& question) {
  std::vector<std::string> out;
  for (const auto& term : question.terms) out.push_back(term.stem);
  return out;
}

TEST(Understanding, keeps_the_telling_words) {
  const Question got = understand("How much memory does the Heron server need?", "");
  EXPECT_EQ(stems(got), (std::vector<std::string>{"memori", "heron", "server"}));
  EXPECT_EQ(got.kind, QuestionKind::number);
  EXPECT_FALSE(got.terms[0].name);
  EXPECT_TRUE(got.terms[1].name);
}

TEST(Understanding, tells_the_kinds_of_questions_apart) {
  EXPECT_EQ(understand("Who wrote it?", "").kind, QuestionKind::person);
  EXPECT_EQ(understand("When does it run?", "").kind, QuestionKind::time);
  EXPECT_EQ(understand("Where are files?", "").kind, QuestionKind::place);
  EXPECT_EQ(understand("Why is it slow?", "").kind, QuestionKind::reason);
  EXPECT_EQ(understand("How do I install it?", "").kind, QuestionKind::how);
  EXPECT_EQ(understand("What is a chunk?", "").kind, QuestionKind::definition);
  EXPECT_EQ(understand("Does it fly?", "").kind, QuestionKind::any);
}

TEST(Understanding, greetings_are_small_talk_and_questions_are_not) {
  for (const char* text :
       {"hi", "Hello there!", "good morning", "Thanks", "who are you?", "help", "?", ""}) {
    EXPECT_TRUE(understand(text, "").small_talk) << text;
  }
  for (const char* text : {"hello, which port?", "help me install it", "test coverage", "memory"}) {
    EXPECT_FALSE(understand(text, "").small_talk) << text;
  }
  EXPECT_FALSE(understand("why?", "Why are backups slow?").small_talk);
  EXPECT_TRUE(understand("thanks", "Why are backups slow?").small_talk);
}

TEST(Understanding, a_question_that_cannot_stand_alone_leans_on_the_one_before) {
  const Question got = understand("and how much memory?", "What disk does Heron need?");
  EXPECT_EQ(stems(got), (std::vector<std::string>{"memori", "disk", "heron"}));
  EXPECT_LT(got.terms[1].weight, got.terms[0].weight);
  EXPECT_NE(got.search.find("Heron"), std::string::npos);
  const Question alone =
      understand("Which compression algorithm is built in?", "What disk does Heron need?");
  EXPECT_EQ(alone.search.find("Heron"), std::string::npos);
}

TEST(Understanding, any_text_is_harmless) {
  understand(std::string(200'000, 'x'), std::string(200'000, 'y'));
  understand("\xFF\xFE\xC3", "\x00");
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += "Word" + std::to_string(i) + " ";
  EXPECT_LE(understand(many, many).terms.size(), 16u);
}

}  // namespace
}  // namespace mainstay::models::extractive
