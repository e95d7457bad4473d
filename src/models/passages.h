// Face: where passages that matter for a question come from.
// Implemented by knowledge; used by models/extractive and assistant; wired in app.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/co.h"
#include "base/deadline.h"
#include "base/json.h"
#include "base/result.h"
#include "storage/documents.h"

namespace mainstay::models {

/// Any loop may call. Best passage first. An empty text asks for any passage: nothing found then
/// means that there are no documents. Errors as storage::Documents::search.
class PassageSource {
 public:
  virtual ~PassageSource() = default;
  virtual Co<Result<std::vector<storage::Passage>>> find(storage::PassageQuery query,
                                                         Deadline by) = 0;
};

/// What of a passage an answer rests on: bytes of the document's extracted text.
struct Quote {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string text;
  double score = 0;
};
/// One of an answer's citations as JSON.
Json citation_of(const storage::Passage& passage, const Quote& quote);

}  // namespace mainstay::models
