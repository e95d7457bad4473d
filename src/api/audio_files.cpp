// /v1/audio/files: kept speech, for the one it was made for alone. What is still being made is sent
// as it comes.
#include "api/routes.h"
#include "storage/audio_store.h"

namespace mainstay::api {
namespace {

constexpr std::size_t kBlock = 256 * 1024;

Error unknown_audio() {
  return Error::say(Errc::not_found, "unknown_audio",
                    "There is no audio of this name; audio is kept for a while only.");
}

/// Static text: a response's type must outlive it.
std::string_view type_of(const std::string& mime) {
  for (const std::string_view known :
       {"audio/mpeg", "audio/wav", "audio/ogg", "audio/flac", "audio/pcm", "audio/aac"}) {
    if (mime == known) return known;
  }
  return "application/octet-stream";
}

}  // namespace

Co<Status> audio_content(const Rooms& rooms, Context& context) {
  if (rooms.audio == nullptr) co_return unknown_audio();
  const storage::Owner owner = context.caller.owner;
  const storage::AudioId id(context.param);
  auto facts = co_await rooms.audio->get(owner, id, context.by);
  if (!facts.ok()) co_return facts.error();
  auto block = co_await rooms.audio->read(owner, id, 0, kBlock, context.by);
  if (!block.ok()) co_return block.error();
  std::uint64_t at = block->size();
  net::Response head;
  head.content_type = type_of(facts->mime);
  // The ending is ours, not a client's.
  head.headers.add("content-disposition", "inline; filename=\"speech." + facts->ending + "\"");
  head.headers.add("x-content-type-options", "nosniff");
  head.headers.add("content-security-policy", "default-src 'none'; sandbox");
  head.headers.add("cache-control", "private, no-store");
  add_common_headers(head.headers, context);
  head.body = std::move(*block);
  context.status = 200;
  context.streamed = !facts->whole;
  auto sent = co_await context.exchange.begin(std::move(head));
  while (sent.ok()) {
    block = co_await rooms.audio->read(owner, id, at, kBlock, context.by);
    if (!block.ok()) {
      context.exchange.abort();  // the client must not take a part for the whole
      co_return block.error();
    }
    if (block->empty()) co_return co_await context.exchange.finish();
    at += block->size();
    sent = co_await context.exchange.write(*block);
  }
  co_return sent;
}

Co<Status> delete_audio(const Rooms& rooms, Context& context) {
  if (rooms.audio == nullptr) co_return unknown_audio();
  const storage::AudioId id(context.param);
  auto facts = co_await rooms.audio->get(context.caller.owner, id, context.by);
  if (!facts.ok()) co_return facts.error();
  rooms.audio->drop(id);
  const Json out = {{"id", context.param}, {"object", "audio"}, {"deleted", true}};
  co_return co_await reply_json(context, 200, dump(out));
}

}  // namespace mainstay::api
