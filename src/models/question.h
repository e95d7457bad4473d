// What a question asks for: its telling words, and which kind of answer fits.
// Used by models/extractive and assistant. Pure.
#pragma once

#include <string>
#include <vector>

namespace mainstay::models {

enum class QuestionKind { any, number, person, time, place, how, definition, reason };

/// A word of the question that an answer should hold.
struct QuestionTerm {
  std::string stem;
  std::vector<std::string> alike;  ///< stems that mean nearly the same
  double weight = 1;               ///< below 1: says little, or comes from the question before
  bool essential = false;          ///< X of "the X of Y": without it there is no answer
  bool name = false;               ///< written like a name or a number: nothing else will do
};

struct Question {
  QuestionKind kind = QuestionKind::any;
  std::vector<QuestionTerm> terms;
  bool small_talk = false;  ///< a greeting, thanks, or about the answerer itself
  std::string search;       ///< what to look for in the documents
  std::string wording;      ///< its words, folded, one blank between them
};

/// A text's words as Question::wording has them.
std::string wording_of(const std::string& text);

/// `before` is the user's question before this one, or empty; it helps a question that cannot
/// stand alone ("and how much memory?").
Question understand(const std::string& text, const std::string& before);

}  // namespace mainstay::models
