// One turn: question in, answer out. Gathers the conversation and the passages that matter, asks
// the models, and has the turn stored before the answer is over.
// Used by api (and later jobs). Knows no HTTP.
#pragma once

#include <memory>
#include <optional>

#include "assistant/turn.h"
#include "config/settings.h"
#include "models/models.h"
#include "models/passages.h"
#include "storage/conversations.h"
#include "telemetry/log.h"

namespace mainstay::assistant {

/// A question with everything that decides its answer.
struct Question {
  storage::Owner owner;
  models::ChatRequest chat;
  std::optional<ConversationId> conversation;  ///< none: stateless
  RequestId turn_id;  ///< the turn's, so that asking again is the same turn; empty: a new one
  /// Set: the finished turn of a conversation is put here instead of being stored.
  std::shared_ptr<storage::Turn> finished;
  /// Null: the answer is not stopped but by cancelling. Heeded by streams of a conversation.
  std::shared_ptr<EarlyEnd> early_end = {};
  TimePoint received;
};

/// Any loop may call.
class Assistant {
 public:
  Assistant(const Settings& settings, Clock& clock, Random& random, models::Models& models,
            models::PassageSource& passages, storage::Conversations& conversations);
  /// The answer; for a stream, its first token has been delivered. A whole reply is durable when
  /// this returns; a stream is durable when its next() says it ended. Errors: models' and
  /// storage's.
  Co<Result<models::Answer>> ask(Question question, Deadline by);

 private:
  /// With a conversation or a collection.
  Co<Result<models::Answer>> ask_with_memory(Question question, Deadline by);
  Co<Result<std::vector<storage::StoredMessage>>> history_of(const Question& question, Deadline by);
  /// Whether there is such a conversation.
  Co<Result<bool>> is_there(storage::Owner owner, ConversationId id, Deadline by);
  /// Puts history and passages into the question. Whether the conversation was there before.
  Co<Result<bool>> gather(Question& question, Json& citations, Deadline by);
  Co<Result<models::Answer>> keep(models::Answer answer, OpenTurn open, bool stateless,
                                  Json citations);
  const ConversationSettings conversation_settings_;
  const KnowledgeSettings knowledge_settings_;
  Clock& clock_;
  Random& random_;
  models::Models& models_;
  models::PassageSource& passages_;
  storage::Conversations& conversations_;
  Ledger ledger_;
};

}  // namespace mainstay::assistant
