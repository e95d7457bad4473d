// Which sentences count as answers.
#include "models/extractive/answer.h"

#include <gtest/gtest.h>

namespace mainstay::models::extractive {
namespace {

storage::Passage passage(const std::string& text, double score) {
  storage::Passage out;
  out.document = DocumentId("doc_" + std::to_string(score));
  out.title = "Mill";
  out.text = text;
  out.end = text.size();
  out.score = score;
  return out;
}

TEST(Answer, a_line_that_only_quotes_the_question_is_no_answer) {
  const std::vector<storage::Passage> passages{
      passage("Try it:\n\n```\nask \"Which stone grinds the oats?\"\n```\n", 3),
      passage("The oats are ground by the basalt stone.", 2)};
  const Answer found = answer(understand("Which stone grinds the oats?", ""), passages, 3);
  ASSERT_EQ(found.picked.size(), 1U);
  EXPECT_EQ(found.picked[0].passage, 1U);
}

TEST(Answer, nothing_but_the_question_itself_is_not_known) {
  const std::vector<storage::Passage> passages{passage("ask \"Which stone grinds the oats?\"", 3)};
  EXPECT_TRUE(answer(understand("Which stone grinds the oats?", ""), passages, 3).picked.empty());
}

}  // namespace
}  // namespace mainstay::models::extractive
