// The way of a question from its parsed body to the assistant: conversation, limits, permit.
#include "api/answering.h"

#include <algorithm>

#include "api/gate.h"
#include "api/idempotency.h"
#include "api/query.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

constexpr std::size_t kChunkFrame = 320;  ///< of a chunk in JSON, around its text

/// Cache-Control of the request, as far as the response cache heeds it.
models::CacheWish wish_of(std::string_view value) {
  models::CacheWish wish;
  while (!value.empty()) {
    const auto comma = value.find(',');
    const auto token = trim(value.substr(0, comma));
    value = comma == std::string_view::npos ? std::string_view() : value.substr(comma + 1);
    if (equal_ascii_nocase(token, "no-store")) wish.no_store = true;
    if (equal_ascii_nocase(token, "no-cache")) wish.no_cache = true;
    constexpr std::string_view kMaxAge = "max-age=";
    if (token.size() > kMaxAge.size() &&
        equal_ascii_nocase(token.substr(0, kMaxAge.size()), kMaxAge)) {
      std::int64_t seconds = 0;
      for (const char c : token.substr(kMaxAge.size())) {
        if (c < '0' || c > '9' || seconds > 1'000'000'000) break;
        seconds = seconds * 10 + (c - '0');
      }
      wish.max_age = std::chrono::seconds(seconds);
    }
  }
  return wish;
}

Result<assistant::Question> question_of(const Rooms& rooms, Context& context, Asked asked) {
  models::ParsedChat& parsed = asked.parsed;
  assistant::Question question;
  auto conversation = conversation_of(rooms, context, parsed.own.conversation);
  if (!conversation.ok()) return conversation.error();
  question.conversation = std::move(*conversation);
  question.owner = context.caller.owner;
  // A key's turn is stored once, even when the server dies between the turn and the kept reply.
  if (!context.keyed_id.empty()) question.turn_id = RequestId("turn_" + context.keyed_id);
  if (context.keyed != nullptr) question.early_end = context.keyed->early_end();
  question.received = asked.received;
  question.finished = std::move(asked.finished);
  question.chat = std::move(parsed.request);
  auto& chat = question.chat;
  if (!context.caller.scopes.has(admission::Scope::knowledge)) {
    if (parsed.own.collection) return lacks_scope("knowledge");
    chat.documents = false;  // the built-in answerer may stand in for any model
  }
  if (parsed.own.collection) chat.collection = CollectionName(*parsed.own.collection);
  chat.tenant = context.caller.owner.tenant;
  chat.user = context.caller.owner.user;
  chat.request = context.id;
  if (context.trace.span != 0) {
    chat.traceparent = child_of(context.trace, rooms.random).traceparent();
  }
  chat.cache = wish_of(list_header(context.exchange.head(), "cache-control"));
  chat.hold = std::move(asked.hold);
  return question;
}

}  // namespace

Result<std::optional<ConversationId>> conversation_of(const Rooms& rooms, const Context& context,
                                                      const std::optional<std::string>& member) {
  std::string id =
      member.value_or(std::string(context.exchange.head().header("x-conversation-id")));
  if (id.empty()) return std::optional<ConversationId>();
  if (id == "new") {
    id = context.keyed_id.empty() ? make_id("conv_", rooms.clock, rooms.random)
                                  : "conv_" + context.keyed_id;
  }
  if (!is_safe_name(id)) {
    return Error::say(Errc::invalid, "invalid_name",
                      "A conversation's id has 1 to 128 characters of A-Z a-z 0-9 . _ : -",
                      member ? "conversation" : "x-conversation-id");
  }
  return std::optional<ConversationId>(ConversationId(id));
}

Co<Result<Answered>> answer_question(const Rooms& rooms, Context& context, Asked asked) {
  const Deadline by = asked.by;
  auto question = question_of(rooms, context, std::move(asked));
  if (!question.ok()) co_return question.error();
  Answered out;
  out.conversation = question->conversation;
  if (out.conversation) {
    auto writable = check_writable(rooms);
    if (!writable.ok()) co_return writable.error();
  }
  const auto& chat = question->chat;
  const admission::Estimate estimate{models::text_bytes_of(chat), chat.max_tokens, chat.choices};
  auto reserved = rooms.admission.reserve(context.caller, context.rate, context.sender,
                                          rooms.models.limited_as(chat.model), estimate);
  if (!reserved.ok()) co_return reserved.error();
  out.reserved = std::move(*reserved);
  out.prompt_tokens = estimate.prompt_bytes / models::kBytesOfToken;
  out.permit = rooms.admission.try_enter();
  if (!out.permit) {
    const TimePoint before = rooms.clock.now();
    const admission::Wish wish{context.priority, out.reserved.tokens()};
    auto permit = co_await rooms.admission.enter(context.caller, wish, by);
    context.queue_time = rooms.clock.now() - before;
    if (!permit.ok()) {
      out.reserved.settle(0);
      co_return permit.error();
    }
    out.permit = std::move(*permit);
  }
  auto answer = co_await rooms.assistant.ask(std::move(*question), by);
  if (!answer.ok()) {
    out.reserved.settle(0);
    co_return answer.error();
  }
  out.answer = std::move(*answer);
  context.by_whom = std::move(out.answer.by);
  out.prompt_tokens += context.by_whom.added_tokens;
  co_return out;
}

Co<Result<Answered>> answer_body(const Rooms& rooms, Context& context, models::ParsedChat parsed) {
  Asked asked;
  asked.parsed = std::move(parsed);
  asked.hold = context.exchange.hold();
  asked.received = context.exchange.head().received;
  asked.by = context.by;
  return answer_question(rooms, context, std::move(asked));
}

net::HeaderLines answer_headers(const Rooms& rooms, const Context& context,
                                const std::optional<ConversationId>& conversation) {
  net::HeaderLines headers;
  add_common_headers(headers, context);
  add_attribution(headers, context, rooms.clock.now() - context.exchange.head().received);
  if (conversation) headers.add("x-conversation-id", conversation->text());
  return headers;
}

void note_usage(Context& context, const models::ChatChunk& chunk) {
  if (chunk.usage.known) context.usage = chunk.usage;
  if (!chunk.token) return;
  // Providers that do not count send a token in each chunk, or more than one in a longer one.
  const std::size_t told = chunk.json.size() - std::min(chunk.json.size(), kChunkFrame);
  context.told_tokens += std::max<std::uint64_t>(1, told / models::kBytesOfToken);
}

void settle(Answered& answered, Context& context) {
  const auto cache = context.by_whom.cache;
  const bool free = cache == models::CacheState::hit || cache == models::CacheState::stale;
  if (free) {
    answered.reserved.settle(0);
    return;
  }
  if (!context.usage.known && context.told_tokens > 0) {
    context.usage.prompt = answered.prompt_tokens;
    context.usage.completion = context.told_tokens;
    context.usage.known = true;
  }
  if (!context.usage.known) {
    const std::uint64_t added = context.by_whom.added_tokens;
    if (added > 0) answered.reserved.settle(answered.reserved.tokens() + added);
    return;
  }
  answered.reserved.settle(context.usage.prompt + context.usage.completion);
}

}  // namespace mainstay::api
