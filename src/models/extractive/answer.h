// Picks the sentences of passages that answer a question, or finds that none does.
// Used by provider.cpp. Pure and deterministic.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "models/question.h"
#include "storage/documents.h"
#include "storage/sentences.h"

namespace mainstay::models::extractive {

/// A sentence of the answer; begin and end are bytes of the document's extracted text.
struct Picked {
  std::size_t passage = 0;  ///< index into the passages
  std::size_t begin = 0;
  std::size_t end = 0;
  storage::SpanKind kind = storage::SpanKind::prose;
  std::string text;
  double score = 0;  ///< 0 to about 1.5
};

struct Answer {
  std::vector<Picked> picked;  ///< in reading order; empty: not known
  double coverage = 0;         ///< how much of the question the best sentence holds, 0 to 1
};

/// Whether what stands between two lines of code ends one block and begins another. Lines without
/// a word ("}") stand between them, too.
bool fenced(std::string_view between);

/// At most `sentences_max` sentences, and the blocks of code and lists that belong to them.
Answer answer(const Question& question, const std::vector<storage::Passage>& passages,
              std::size_t sentences_max);

}  // namespace mainstay::models::extractive
