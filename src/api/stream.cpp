// The pump from a ChatStream to an Exchange.
#include "api/stream.h"

#include <boost/system/system_error.hpp>

#include "api/status.h"

namespace mainstay::api {
namespace {

/// `data: JSON\n\n`; line breaks between JSON tokens would end the event early, so they go.
void format_event(std::string& out, const std::string& json) {
  out.assign("data: ");
  const auto start = out.size();
  out += json;
  if (json.find_first_of("\r\n") != std::string::npos) {
    for (auto i = start; i < out.size(); ++i) {
      if (out[i] == '\n' || out[i] == '\r') out[i] = ' ';
    }
  }
  out += "\n\n";
}

/// The chunk that finishes the answer says that the built-in answerer stood in.
void mark_degraded(std::string& json) {
  std::vector<models::Edit> edits;
  edits.push_back({"degraded", "true"});
  json = models::splice(json, models::top_level(json), edits);
}

/// Sends events while the client is there, and remembers when it is not.
class Sender {
 public:
  Sender(net::Exchange& exchange, net::HeaderLines headers)
      : exchange_(exchange), headers_(std::move(headers)) {}

  Co<> send(std::string text) {
    if (gone_) co_return;
    text_ = std::move(text);
    if (exchange_.started()) {
      auto sent = co_await exchange_.write(text_);
      gone_ = !sent.ok();
      co_return;
    }
    net::Response head;
    head.content_type = "text/event-stream";
    head.headers = std::move(headers_);
    head.body = std::move(text_);
    auto sent = co_await exchange_.begin(std::move(head));
    gone_ = !sent.ok();
  }
  bool gone() const noexcept { return gone_; }

 private:
  net::Exchange& exchange_;
  net::HeaderLines headers_;
  std::string text_;
  bool gone_ = false;
};

}  // namespace

Co<Status> send_stream(const Rooms& rooms, Context& context,
                       std::unique_ptr<models::ChatStream> stream, net::HeaderLines headers) {
  headers.add("cache-control", "no-cache");
  headers.add("x-accel-buffering", "no");
  context.streamed = true;
  context.status = 200;
  Sender sender(context.exchange, std::move(headers));
  Status outcome;
  for (;;) {
    Result<std::optional<models::ChatChunk>> chunk;
    try {
      chunk = co_await stream->next(context.by);
    } catch (const boost::system::system_error&) {
      throw;  // cancelled
    } catch (const std::exception& e) {
      chunk = Error::log(Errc::internal, std::string("unexpected: ") + e.what());
    }
    std::string event;
    if (!chunk.ok()) {
      outcome = chunk.error();
      rooms.log.warn("stream.broken", {{"id", context.id.text()},
                                       {"code", stable_code(chunk.error())},
                                       {"detail", chunk.error().detail}});
      format_event(event, error_json(chunk.error()));
      co_await sender.send(std::move(event));
      break;
    }
    if (!chunk->has_value()) {
      co_await sender.send("data: [DONE]\n\n");
      break;
    }
    if ((*chunk)->usage.known) context.usage = (*chunk)->usage;
    if ((*chunk)->finish && context.by_whom.degraded) mark_degraded((*chunk)->json);
    format_event(event, (*chunk)->json);
    co_await sender.send(std::move(event));
    if (sender.gone() && !context.exchange.hold()->gone()) break;  // a stalled reader: give up
  }
  if (!sender.gone()) {
    [[maybe_unused]] auto ended = co_await context.exchange.finish();
  }
  co_return outcome;
}

}  // namespace mainstay::api
