// POST /v1/responses: OpenAI's Responses API over the same models, conversations and limits as
// chats. Responses are not kept.
#include "api/answering.h"
#include "api/response_order.h"
#include "api/response_writer.h"
#include "api/routes.h"
#include "api/stream.h"
#include "base/json_fields.h"

namespace mainstay::api {
namespace {

/// The Response without its output: what was asked for is told again.
Json frame_of(const Rooms& rooms, const Context& context, const Json& given,
              const std::optional<ConversationId>& conversation) {
  const auto or_else = [&given](const char* key, Json otherwise) {
    const Json& found = field(given, key);
    return found.is_null() ? otherwise : found;
  };
  Json out = Json::object();
  out["id"] = context.keyed_id.empty() ? make_id("resp_", rooms.clock, rooms.random)
                                       : "resp_" + context.keyed_id;
  out["object"] = "response";
  out["created_at"] = micros(rooms.clock.wall()) / 1'000'000;
  out["status"] = "in_progress";
  out["background"] = false;
  out["error"] = nullptr;
  out["incomplete_details"] = nullptr;
  out["instructions"] = field(given, "instructions");
  out["max_output_tokens"] = field(given, "max_output_tokens");
  out["model"] = context.by_whom.model;
  out["output"] = Json::array();
  out["parallel_tool_calls"] = or_else("parallel_tool_calls", true);
  out["previous_response_id"] = nullptr;
  out["reasoning"] = or_else("reasoning", {{"effort", nullptr}, {"summary", nullptr}});
  out["store"] = false;
  out["temperature"] = field(given, "temperature");
  out["text"] = or_else("text", {{"format", {{"type", "text"}}}});
  out["tool_choice"] = or_else("tool_choice", "auto");
  out["tools"] = or_else("tools", Json::array());
  out["top_p"] = field(given, "top_p");
  out["truncation"] = "disabled";
  out["usage"] = nullptr;
  out["metadata"] = or_else("metadata", Json::object());
  out["conversation"] = nullptr;
  if (conversation) out["conversation"] = {{"id", conversation->text()}};
  if (context.by_whom.degraded) out["degraded"] = true;
  return out;
}

Error too_large() {
  return Error::say(Errc::bad_upstream, "answer_too_large",
                    "The answer grew beyond what one response may hold.");
}

class ResponseForm final : public StreamForm {
 public:
  ResponseForm(const Rooms& rooms, const Context& context, Json frame)
      : rooms_(rooms), context_(context), writer_(std::move(frame), true) {
    writer_.begin();
  }
  Result<std::string> chunk(models::ChatChunk& chunk) override {
    auto added = writer_.add(chunk.json);
    if (!added.ok()) return added.error();
    if (writer_.size() > rooms_.settings.upstream.response_max.value) return too_large();
    return writer_.take_events();
  }
  std::string failed(const Error& error) override {
    writer_.fail(error);
    return writer_.take_events();
  }
  std::string ended() override {
    writer_.finish(context_.usage, rooms_.clock.wall());
    return writer_.take_events();
  }

 private:
  const Rooms& rooms_;
  const Context& context_;
  ResponseWriter writer_;
};

}  // namespace

Co<Status> create_response(const Rooms& rooms, Context& context) {
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto order = response_order(*body);
  if (!order.ok()) co_return order.error();
  auto parsed = models::parse_chat(std::move(order->chat), rooms.settings.limits,
                                   rooms.settings.models.default_model);
  if (!parsed.ok()) co_return in_words_of_responses(parsed.error(), order->origins);
  auto answered = co_await answer_body(rooms, context, std::move(*parsed));
  if (!answered.ok()) co_return in_words_of_responses(answered.error(), order->origins);
  auto& answer = answered->answer;
  net::HeaderLines headers = answer_headers(rooms, context, answered->conversation);
  Json frame = frame_of(rooms, context, order->given, answered->conversation);
  // A stream that runs for minutes must not hold the request.
  body = std::string();
  order = ResponseOrder();
  if (answer.stream) {
    ResponseForm form(rooms, context, std::move(frame));
    auto sent = co_await send_stream(rooms, context, *answered, std::move(headers), form);
    co_return sent;
  }
  context.usage = answer.reply->usage;
  settle(*answered, context);
  ResponseWriter writer(std::move(frame), false);
  auto added = writer.add_whole(answer.reply->body);
  if (!added.ok()) co_return added;
  writer.finish(answer.reply->usage, rooms.clock.wall());
  context.status = 200;
  net::Response response;
  response.headers = std::move(headers);
  response.body = dump(writer.response());
  auto sent = co_await context.exchange.reply(std::move(response));
  co_return sent;
}

}  // namespace mainstay::api
