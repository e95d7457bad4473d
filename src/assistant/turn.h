// One turn on its way to storage: collects the answer, and is durable before the answer ends.
// Used by assistant alone.
#pragma once

#include <memory>

#include "assistant/early_end.h"
#include "assistant/transcript.h"
#include "models/models.h"
#include "storage/conversations.h"

namespace mainstay::assistant {

/// What is known of a turn when its answer starts.
struct OpenTurn {
  storage::Owner owner;
  storage::Turn turn;  ///< the new messages; the answer's is added at the end
  TimePoint started;
  std::shared_ptr<storage::Turn> finished;   ///< set: takes the turn, which then is not stored
  std::shared_ptr<EarlyEnd> early_end = {};  ///< null: it is not ended early
};

/// Stores finished turns. References outlive it.
class Ledger {
 public:
  Ledger(storage::Conversations& conversations, Clock& clock, Random& random, Duration timeout,
         Bytes message_max)
      : conversations_(conversations),
        clock_(clock),
        random_(random),
        timeout_(timeout),
        message_max_(message_max) {}
  /// Adds the assistant's message and stores the turn (or hands it to `open.finished`). After Ok it
  /// is durable. It has a deadline of its own, so that an answer finished at its deadline is still
  /// stored.
  Co<Status> close(OpenTurn open, Json message, Json citations, models::Attribution by,
                   models::Usage usage);
  /// The largest message that is stored (conversations.message_max).
  Bytes message_max() const noexcept { return message_max_; }

 private:
  storage::Conversations& conversations_;
  Clock& clock_;
  Random& random_;
  const Duration timeout_;
  const Bytes message_max_;
};

/// Passes a stream through, collects it, and stores the turn before saying that it ended.
/// Optional `citations` go out with the chunk that finishes the answer. Where `open.early_end` is
/// wished, what there is of the answer is stored with the next chunk; the stream itself goes on.
std::unique_ptr<models::ChatStream> record(std::unique_ptr<models::ChatStream> from, Ledger* ledger,
                                           OpenTurn open, models::Attribution by, Json citations);

}  // namespace mainstay::assistant
