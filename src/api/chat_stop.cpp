// POST /v1/chat/completions/cancel: ends a chat that goes on for its Idempotency-Key.
#include "api/routes.h"
#include "api/running_chats.h"

namespace mainstay::api {
namespace {

constexpr std::size_t kKeyMax = 255;
constexpr Duration kPatience = std::chrono::seconds(2);  ///< with a model that is silent

/// What came of the answer is stored with its next chunk; a model that sends none is not waited
/// for.
Co<> end_soon(const Rooms& rooms, storage::ReplyPlace place) {
  co_await rooms.running_chats->ended(place, Deadline::in(rooms.clock, kPatience));
  rooms.running_chats->end_now(place);
}

}  // namespace

Co<Status> cancel_chat(const Rooms& rooms, Context& context) {
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto object = object_of(*body, {"idempotency_key"});
  if (!object.ok()) co_return object.error();
  auto key = text_member(*object, "idempotency_key", TextRule{true, kKeyMax});
  if (!key.ok()) co_return key.error();
  const storage::ReplyPlace place{context.caller.owner, std::string(kStoppable), std::move(*key)};
  RunningChats::Stopping stopping = RunningChats::Stopping::unknown;
  if (rooms.running_chats != nullptr) stopping = rooms.running_chats->stop(place);
  if (stopping == RunningChats::Stopping::unknown) {
    co_return Error::say(Errc::not_found, "unknown_chat",
                         "No chat of yours runs with this Idempotency-Key: it has ended, or has "
                         "not begun and will not.",
                         "idempotency_key");
  }
  if (stopping == RunningChats::Stopping::soon) co_await end_soon(rooms, place);
  const Json out = {{"object", "chat.completion.cancelled"}, {"cancelled", true}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

}  // namespace mainstay::api
