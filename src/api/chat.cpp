// POST /v1/chat/completions and POST /chat.
#include "api/gate.h"
#include "api/query.h"
#include "api/routes.h"
#include "api/stream.h"
#include "base/json_fields.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

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

/// Which conversation a turn belongs to: the body's member, else the header; "new" starts one.
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

Result<assistant::Question> question_of(const Rooms& rooms, Context& context,
                                        models::ParsedChat parsed) {
  assistant::Question question;
  auto conversation = conversation_of(rooms, context, parsed.own.conversation);
  if (!conversation.ok()) return conversation.error();
  question.conversation = std::move(*conversation);
  question.owner = context.caller.owner;
  // A key's turn is stored once, even when the server dies between the turn and the kept reply.
  if (!context.keyed_id.empty()) question.turn_id = RequestId("turn_" + context.keyed_id);
  question.received = context.exchange.head().received;
  question.chat = std::move(parsed.request);
  auto& chat = question.chat;
  if (parsed.own.collection) chat.collection = CollectionName(*parsed.own.collection);
  chat.tenant = context.caller.owner.tenant;
  chat.user = context.caller.owner.user;
  chat.request = context.id;
  if (context.trace.span != 0) {
    chat.traceparent = child_of(context.trace, rooms.random).traceparent();
  }
  chat.cache = wish_of(context.exchange.head().header("cache-control"));
  chat.hold = context.exchange.hold();
  return question;
}

/// A completion that says that the built-in answerer stood in.
std::string marked_degraded(std::string completion) {
  std::vector<models::Edit> edits;
  edits.push_back({"degraded", "true"});
  return models::splice(completion, models::top_level(completion), edits);
}

net::HeaderLines headers_of(const Rooms& rooms, const Context& context,
                            const std::optional<ConversationId>& conversation) {
  net::HeaderLines headers;
  add_common_headers(headers, context);
  add_attribution(headers, context, rooms.clock.now() - context.exchange.head().received);
  if (conversation) headers.add("x-conversation-id", conversation->text());
  return headers;
}

/// An answer with what must live until it is sent. Of the question only this remains, so that a
/// stream that runs for minutes does not hold the request's body and all that was made of it.
struct Answered {
  admission::Permit permit;
  admission::Reservation reserved;
  models::Answer answer;
  std::optional<ConversationId> conversation;
};

Co<Result<Answered>> ask(const Rooms& rooms, Context& context, models::ParsedChat parsed) {
  auto question = question_of(rooms, context, std::move(parsed));
  if (!question.ok()) co_return question.error();
  Answered out;
  out.conversation = question->conversation;
  if (out.conversation) {
    auto writable = check_writable(rooms);
    if (!writable.ok()) co_return writable.error();
  }
  const auto& chat = question->chat;
  const admission::Estimate estimate{chat.body.size(), chat.max_tokens * chat.choices};
  auto reserved =
      rooms.admission.reserve(context.caller, context.rate, context.sender, chat.model, estimate);
  if (!reserved.ok()) co_return reserved.error();
  out.reserved = std::move(*reserved);
  out.permit = rooms.admission.try_enter();
  if (!out.permit) {
    const TimePoint before = rooms.clock.now();
    const admission::Wish wish{context.priority, out.reserved.tokens()};
    auto permit = co_await rooms.admission.enter(context.caller, wish, context.by);
    context.queue_time = rooms.clock.now() - before;
    if (!permit.ok()) {
      out.reserved.settle(0);
      co_return permit.error();
    }
    out.permit = std::move(*permit);
  }
  auto answer = co_await rooms.assistant.ask(std::move(*question), context.by);
  if (!answer.ok()) {
    out.reserved.settle(0);
    co_return answer.error();
  }
  out.answer = std::move(*answer);
  context.by_whom = std::move(out.answer.by);
  co_return out;
}

/// What the answer cost its caller. One that was kept, or shared, cost nothing anew; where the
/// provider did not count, the estimate stays.
void settle(Answered& answered, const Context& context) {
  const auto cache = context.by_whom.cache;
  const bool free = cache == models::CacheState::hit || cache == models::CacheState::stale;
  if (free) {
    answered.reserved.settle(0);
  } else if (context.usage.known) {
    answered.reserved.settle(context.usage.prompt + context.usage.completion);
  }
}

/// Reads the body before it asks for a permit: a client that sends slowly must not hold a place.
Co<Result<Answered>> answer_to_late_body(const Rooms& rooms, Context& context) {
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto parsed = models::parse_chat(std::move(*body), rooms.settings.limits,
                                   rooms.settings.models.default_model);
  if (!parsed.ok()) co_return parsed.error();
  auto answered = co_await ask(rooms, context, std::move(*parsed));
  co_return answered;
}

Co<Result<Answered>> failed(Error error) {
  co_return error;
}

/// The same without a coroutine of its own where nothing has to be waited for: most bodies come in
/// one piece with their head.
Co<Result<Answered>> answer_to_body(const Rooms& rooms, Context& context) {
  const bool json = check_json(context).ok();
  auto body = json ? context.exchange.body_here(rooms.settings.server.body_max) : std::nullopt;
  if (!body) return answer_to_late_body(rooms, context);
  auto parsed = models::parse_chat(std::move(*body), rooms.settings.limits,
                                   rooms.settings.models.default_model);
  if (!parsed.ok()) return failed(std::move(parsed.error()));
  return ask(rooms, context, std::move(*parsed));
}

/// The reply of POST /chat from a whole completion.
std::string simple_reply(const std::string& completion, const Context& context,
                         const std::optional<ConversationId>& conversation) {
  auto parsed = parse_json(completion);
  Json out = Json::object();
  out["response"] = "";
  out["model"] = context.by_whom.model;
  out["provider"] = context.by_whom.provider;
  if (conversation) out["conversation"] = conversation->text();
  if (context.by_whom.degraded) out["degraded"] = true;
  if (!parsed.ok()) return dump(out);
  const Json& choices = array_field(*parsed, "choices");
  if (!choices.empty()) {
    out["response"] = string_field(field(choices.front(), "message"), "content");
  }
  out["citations"] = array_field(*parsed, "citations");
  return dump(out);
}

/// The chat body that a prompt stands for.
std::string body_of_prompt(const Json& object, const std::string& prompt) {
  Json body = Json::object();
  if (object.contains("model")) body["model"] = object["model"];
  body["messages"] = Json::array({Json{{"role", "user"}, {"content", prompt}}});
  for (const char* key : {"conversation", "collection"}) {
    if (object.contains(key)) body[key] = object[key];
  }
  return dump(body);
}

}  // namespace

Co<Status> chat_completions(const Rooms& rooms, Context& context) {
  auto answered = co_await answer_to_body(rooms, context);
  if (!answered.ok()) co_return answered.error();
  auto& answer = answered->answer;
  net::HeaderLines headers = headers_of(rooms, context, answered->conversation);
  if (answer.stream) {
    auto sent = co_await send_stream(rooms, context, std::move(answer.stream), std::move(headers));
    settle(*answered, context);
    co_return sent;
  }
  context.usage = answer.reply->usage;
  settle(*answered, context);
  context.status = 200;
  net::Response response;
  response.headers = std::move(headers);
  response.body = std::move(answer.reply->body);
  if (context.by_whom.degraded) response.body = marked_degraded(std::move(response.body));
  auto sent = co_await context.exchange.reply(std::move(response));
  co_return sent;
}

Co<Status> simple_chat(const Rooms& rooms, Context& context) {
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto object = object_of(*body, {"prompt", "model", "conversation", "collection"});
  if (!object.ok()) co_return object.error();
  const TextRule rule{true, rooms.settings.limits.message_max.value};
  auto prompt = text_member(*object, "prompt", rule);
  if (!prompt.ok()) co_return prompt.error();
  auto parsed = models::parse_chat(body_of_prompt(*object, *prompt), rooms.settings.limits,
                                   rooms.settings.models.default_model);
  if (!parsed.ok()) co_return parsed.error();
  auto answered = co_await ask(rooms, context, std::move(*parsed));
  if (!answered.ok()) co_return answered.error();
  const auto& reply = *answered->answer.reply;
  context.usage = reply.usage;
  settle(*answered, context);
  context.status = 200;
  net::Response response;
  response.headers = headers_of(rooms, context, answered->conversation);
  response.body = simple_reply(reply.body, context, answered->conversation);
  auto sent = co_await context.exchange.reply(std::move(response));
  co_return sent;
}

}  // namespace mainstay::api
