// What a model is shown: the conversation so far, passages from documents, the new messages.
// Used by assistant. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "models/chat.h"
#include "storage/conversations.h"
#include "storage/documents.h"

namespace mainstay::assistant {

/// Puts `history` before the request's own messages, behind its leading system messages.
void put_history(models::ChatRequest& request, const std::vector<storage::StoredMessage>& history);

/// Adds a system message that quotes the passages, numbered and marked as material, never as
/// instructions; at most `budget` of them by estimated tokens. Returns how many were used.
std::size_t put_passages(models::ChatRequest& request,
                         const std::vector<storage::Passage>& passages, Tokens budget);

/// Citations of passages as JSON: document, title, source, position, text, score.
Json citations_of(const std::vector<storage::Passage>& passages, std::size_t count);

/// What a message takes of a window: its text and its calls of tools, estimated; each picture,
/// sound or file a thousand, about what providers charge, and one for each KiB of it, so that what
/// is sent stays within a window's number of KiB.
std::uint64_t tokens_of(const Json& message);

/// Whether the new messages begin with the result of a tool: no provider takes it without the call.
bool answers_a_call(const models::ChatRequest& request);

/// Text of the newest user message; empty when there is none.
std::string question_of(const models::ChatRequest& request);
/// What to look for in the documents: question_of(), with the question before it where it cannot
/// stand alone ("and how much memory?").
std::string search_of(const models::ChatRequest& request);

/// The request's messages as they are to be stored (system messages are the client's own and are
/// not kept), each as JSON text with its role.
std::vector<storage::StoredMessage> new_messages(const models::ChatRequest& request);

}  // namespace mainstay::assistant
