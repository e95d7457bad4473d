// Asking a model within a job: the same assistant as a request, with the turn handed back instead
// of stored, so that it becomes part of the job's one outcome.
// Used by the kinds "chat" and "batch_item".
#pragma once

#include <string>

#include "jobs/all_kinds.h"

namespace mainstay::jobs {

class ChatWork {
 public:
  explicit ChatWork(const Tools& tools) : tools_(tools) {}
  /// A body as models::parse_chat() wants it. Errors name fields below the body.
  Status check(const std::string& body) const;
  /// Whether any process can answer it: it names no conversation and no collection, or those are in
  /// PostgreSQL. A body that is refused travels.
  bool travels(const std::string& body) const;
  /// What one question may use; none for a body that is refused.
  std::optional<admission::Use> use_of(const std::string& body) const;
  /// `body` passed check(). The result is a chat.completion; tokens are told while they come,
  /// unless several choices are asked for or `quiet`. The turn's request is the job. A refusal of
  /// our own bounds is waited out, as far as the attempt's time and the job's expiry allow; else
  /// the run is put off.
  Co<Result<Outcome>> answer(Run& run, std::string body, bool quiet, Deadline by);

 private:
  Co<Result<Outcome>> ask(Run& run, std::string body, bool quiet, Deadline by);
  Result<assistant::Question> question_of(const Settings& settings, const Run& run,
                                          std::string body, bool quiet) const;
  Co<Result<std::string>> read(Run& run, models::Answer answer, Deadline by);
  const Tools tools_;
};

}  // namespace mainstay::jobs
