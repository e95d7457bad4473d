// POST /v1/chat/completions and POST /chat.
#include "api/answering.h"
#include "api/routes.h"
#include "api/stream.h"
#include "base/json_fields.h"

namespace mainstay::api {
namespace {

/// A completion that says that the built-in answerer stood in.
std::string marked_degraded(std::string completion) {
  std::vector<models::Edit> edits;
  edits.push_back({"degraded", "true"});
  return models::splice(completion, models::top_level(completion), edits);
}

/// Reads the body before it asks for a permit: a client that sends slowly must not hold a place.
Co<Result<Answered>> answer_to_late_body(const Rooms& rooms, Context& context) {
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto parsed = models::parse_chat(std::move(*body), rooms.settings.limits,
                                   rooms.settings.models.default_model);
  if (!parsed.ok()) co_return parsed.error();
  auto answered = co_await answer_body(rooms, context, std::move(*parsed));
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
  return answer_body(rooms, context, std::move(*parsed));
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
    const Json& message = field(choices.front(), "message");
    const std::string text = string_field(message, "content");
    out["response"] = text.empty() ? string_field(message, "refusal") : text;
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
  net::HeaderLines headers = answer_headers(rooms, context, answered->conversation);
  if (answer.stream) {
    ChatForm form(context.by_whom.degraded);
    auto sent = co_await send_stream(rooms, context, *answered, std::move(headers), form);
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
  auto answered = co_await answer_body(rooms, context, std::move(*parsed));
  if (!answered.ok()) co_return answered.error();
  const auto& reply = *answered->answer.reply;
  context.usage = reply.usage;
  settle(*answered, context);
  context.status = 200;
  net::Response response;
  response.headers = answer_headers(rooms, context, answered->conversation);
  response.body = simple_reply(reply.body, context, answered->conversation);
  auto sent = co_await context.exchange.reply(std::move(response));
  co_return sent;
}

}  // namespace mainstay::api
