// The built-in answerer: answers from the documents by picking their sentences, with citations.
// Needs no model and no network. Named by app/wire.cpp alone.
#pragma once

#include <string>
#include <vector>

#include "base/random.h"
#include "models/passages.h"
#include "models/provider.h"

namespace mainstay::models::extractive {

/// Any loop may call. The same question over the same documents gives the same answer. References
/// outlive it.
class Extractive final : public ChatProvider {
 public:
  Extractive(PassageSource& passages, Clock& clock, Random& random, std::uint32_t sentences_max);
  const std::string& name() const noexcept override { return name_; }
  /// The reply carries a member "citations" beside OpenAI's: document, title, source, position
  /// (bytes of the extracted text), text, score. Errors: those of the passage source.
  Co<Result<ChatReply>> complete(const ChatRequest& request, Attempt attempt,
                                 AttemptTimings& timings) override;
  /// Word by word; the citations come with the chunk that finishes.
  Co<Result<std::unique_ptr<ChatStream>>> stream(const ChatRequest& request, Attempt attempt,
                                                 AttemptTimings& timings) override;
  Co<Result<std::vector<ModelInfo>>> models(Deadline by) override;

 private:
  struct Reply;
  Co<Result<Reply>> answer_for(const ChatRequest& request, Deadline by);
  PassageSource& passages_;
  Clock& clock_;
  Random& random_;
  const std::uint32_t sentences_max_;
  const std::string name_ = "mainstay/extractive";
};

}  // namespace mainstay::models::extractive
