// The flow of one turn.
#include "assistant/assistant.h"

#include "assistant/prompt.h"
#include "base/text.h"

namespace mainstay::assistant {
namespace {

constexpr std::string_view kExtractive = "mainstay/extractive";
constexpr std::size_t kTitleMax = 80;

std::string title_of(const std::string& question) {
  std::string title(cut_utf8(trim(question), kTitleMax));
  for (char& c : title) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return title.empty() ? "New conversation" : title;
}

/// What is to be stored must fit; the largest text a client may send is another limit.
Status check_sizes(const std::vector<storage::StoredMessage>& messages, Bytes max) {
  for (const auto& message : messages) {
    if (message.json.size() <= max.value) continue;
    return Error::say(Errc::too_large, "message_too_large",
                      "A message of a conversation may have at most " + std::to_string(max.value) +
                          " bytes (conversations.message_max).",
                      "messages");
  }
  return done();
}

Error own_storage_error(Error error) {
  error.detail = "turn not stored: " + error.detail;
  return error;
}

/// A reply without a message cannot be part of a conversation: every later question would carry it.
Error no_message() {
  Error error = Error::say(Errc::bad_upstream, "upstream_bad_reply",
                           "The model provider's reply held no message.");
  error.detail = "reply without choices[0].message";
  return error;
}

}  // namespace

Assistant::Assistant(const Settings& settings, Clock& clock, Random& random, models::Models& models,
                     models::PassageSource& passages, storage::Conversations& conversations)
    : conversation_settings_(settings.conversations),
      knowledge_settings_(settings.knowledge),
      clock_(clock),
      random_(random),
      models_(models),
      passages_(passages),
      conversations_(conversations),
      ledger_(conversations, clock, random, settings.storage.operation_timeout,
              settings.conversations.message_max) {}

Co<Result<models::Answer>> Assistant::ask(Question question, Deadline by) {
  // Nothing of ours is needed: the models' own coroutine answers, without one around it.
  if (!question.conversation && !question.chat.collection) {
    return models_.chat(std::move(question.chat), by);
  }
  return ask_with_memory(std::move(question), by);
}

Co<Result<models::Answer>> Assistant::ask_with_memory(Question question, Deadline by) {
  const bool stateless = !question.conversation.has_value();
  OpenTurn open;
  open.owner = question.owner;
  open.started = question.received;
  if (!stateless) {
    open.turn.conversation = *question.conversation;
    // An id of our own: the request's may be the client's choice, and the same for many turns.
    open.turn.request = question.turn_id;
    if (open.turn.request.empty()) {
      open.turn.request = RequestId(make_id("turn_", clock_, random_));
    }
    open.finished = question.finished;
    open.early_end = std::move(question.early_end);
    open.turn.title = title_of(question_of(question.chat));
    open.turn.messages = new_messages(question.chat);
    auto fits = check_sizes(open.turn.messages, conversation_settings_.message_max);
    if (!fits.ok()) co_return fits.error();
  }
  Json citations;
  auto gathered = co_await gather(question, citations, by);
  if (!gathered.ok()) co_return gathered.error();
  open.turn.continues = *gathered;
  if (open.finished) open.finished->continues = *gathered;
  const std::uint64_t added = question.chat.added_tokens;
  auto answer = co_await models_.chat(std::move(question.chat), by);
  if (!answer.ok()) co_return answer;
  answer->by.added_tokens = added;
  // The built-in answerer cites by itself, and only what it used.
  if (answer->by.provider == kExtractive) citations = nullptr;
  auto kept = co_await keep(std::move(*answer), std::move(open), stateless, std::move(citations));
  co_return kept;
}

/// What was said before, as much as the window holds; more where a tool's result would stand
/// without the turn that called it.
Co<Result<std::vector<storage::StoredMessage>>> Assistant::history_of(const Question& question,
                                                                      Deadline by) {
  constexpr std::uint64_t kStep = 4;
  constexpr std::uint64_t kMost = kStep * kStep;  // times the window
  Tokens budget{conversation_settings_.window_tokens};
  const std::uint64_t most = budget.value * kMost;
  const bool needs_call = answers_a_call(question.chat);
  for (;;) {
    auto history =
        co_await conversations_.window(question.owner, *question.conversation, budget, by);
    const bool torn = needs_call && history.ok() && history->empty() && budget.value < most;
    if (!torn) co_return history;
    budget.value *= kStep;
  }
}

/// A window may be empty because not even the last turn fits it.
Co<Result<bool>> Assistant::is_there(storage::Owner owner, ConversationId id, Deadline by) {
  auto info = co_await conversations_.get(std::move(owner), std::move(id), by);
  if (!info.ok() && info.error().code != Errc::not_found) co_return info.error();
  co_return info.ok();
}

Co<Result<bool>> Assistant::gather(Question& question, Json& citations, Deadline by) {
  bool continues = false;
  if (question.conversation) {
    auto history = co_await history_of(question, by);
    if (!history.ok()) co_return history.error();
    continues = !history->empty();
    if (!continues) {
      auto there = co_await is_there(question.owner, *question.conversation, by);
      if (!there.ok()) co_return there.error();
      continues = *there;
    }
    put_history(question.chat, *history);
  }
  if (question.chat.collection && question.chat.documents && question.chat.model != kExtractive) {
    storage::PassageQuery query;
    query.tenant = question.owner.tenant;
    query.text = search_of(question.chat);
    query.collection = question.chat.collection;
    query.limit = knowledge_settings_.passages;
    auto found = co_await passages_.find(std::move(query), by);
    if (!found.ok()) co_return found.error();
    const Tokens budget{knowledge_settings_.context_tokens};
    const std::size_t used = put_passages(question.chat, *found, budget);
    citations = citations_of(*found, used);
  }
  co_return continues;
}

Co<Result<models::Answer>> Assistant::keep(models::Answer answer, OpenTurn open, bool stateless,
                                           Json citations) {
  if (answer.stream) {
    Ledger* ledger = stateless ? nullptr : &ledger_;
    answer.stream =
        record(std::move(answer.stream), ledger, std::move(open), answer.by, std::move(citations));
    co_return answer;
  }
  if (!stateless) {
    Json message = message_of(answer.reply->body);
    if (!message.is_object()) co_return no_message();
    Json cited = citations;
    if (cited.is_null()) {
      auto whole = parse_json(answer.reply->body);
      if (whole.ok() && whole->is_object()) cited = whole->value("citations", Json());
    }
    auto stored = co_await ledger_.close(std::move(open), std::move(message), std::move(cited),
                                         answer.by, answer.reply->usage);
    if (!stored.ok()) co_return own_storage_error(stored.error());
  }
  if (!citations.is_null()) {
    std::vector<models::Edit> edits;
    edits.push_back({"citations", dump(citations)});
    answer.reply->body =
        models::splice(answer.reply->body, models::top_level(answer.reply->body), edits);
  }
  co_return answer;
}

}  // namespace mainstay::assistant
