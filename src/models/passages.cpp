// The shape of a citation, whoever answers.
#include "models/passages.h"

namespace mainstay::models {

Json citation_of(const storage::Passage& passage, const Quote& quote) {
  Json out = {{"document", passage.document.text()},
              {"title", passage.title},
              {"source", passage.source},
              {"position", {{"start", quote.begin}, {"end", quote.end}}},
              {"text", quote.text},
              {"score", quote.score}};
  if (!passage.heading.empty()) out["heading"] = passage.heading;
  if (passage.page) out["page"] = *passage.page;
  return out;
}

}  // namespace mainstay::models
