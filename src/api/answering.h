// A question that was let in, on its way to an answer: its conversation, its limits, its permit.
// Used by api's chat and voice endpoints.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "api/context.h"

namespace mainstay::api {

/// A chat body that was checked, and whose request it is.
struct Asked {
  models::ParsedChat parsed;
  std::shared_ptr<Hold> hold;  ///< of the client's exchange
  TimePoint received;
  Deadline by = Deadline::never();
  /// Set: the finished turn of a conversation is put here instead of being stored.
  std::shared_ptr<storage::Turn> finished = {};
};

/// An answer with what must live until it is sent. Of the question only this remains, so that a
/// stream that runs for minutes does not hold the request's body and all that was made of it.
struct Answered {
  admission::Permit permit;
  admission::Reservation reserved;
  models::Answer answer;
  std::optional<ConversationId> conversation;
  std::uint64_t prompt_tokens = 0;  ///< estimated
};

/// Which conversation a turn belongs to: the body's member, else the header; "new" starts one.
/// Errors: invalid "invalid_name".
Result<std::optional<ConversationId>> conversation_of(const Rooms& rooms, const Context& context,
                                                      const std::optional<std::string>& member);

/// Counts the question, waits for its permit and asks. Fills the context's by_whom and queue_time.
/// Errors: those of admission and of the assistant.
Co<Result<Answered>> answer_question(const Rooms& rooms, Context& context, Asked asked);

/// The question that is this request's body.
Co<Result<Answered>> answer_body(const Rooms& rooms, Context& context, models::ParsedChat parsed);

/// Headers of its reply: ids, limits, how the answer came about.
net::HeaderLines answer_headers(const Rooms& rooms, const Context& context,
                                const std::optional<ConversationId>& conversation);

/// Notes what a chunk says of the answer's cost, or what it seems to have cost.
void note_usage(Context& context, const models::ChatChunk& chunk);

/// What the answer cost its caller. One that was kept cost nothing anew. Where the provider did not
/// count, a stream costs what it told, by estimate, and is noted so in the context's usage; of
/// another answer the reservation stays.
void settle(Answered& answered, Context& context);

}  // namespace mainstay::api
