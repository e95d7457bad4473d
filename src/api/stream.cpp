// The pump from a ChatStream to an Exchange.
#include "api/stream.h"

#include <boost/system/system_error.hpp>

#include "api/idempotency.h"
#include "api/slow_reader.h"
#include "api/status.h"

namespace mainstay::api {
namespace {

/// `data: JSON\n\n`; line breaks between JSON tokens would end the event early, so they go.
void format_event(std::string& out, const std::string& json) {
  constexpr std::string_view kStart = "data: ";
  constexpr std::string_view kEnd = "\n\n";
  out.reserve(kStart.size() + json.size() + kEnd.size());
  out.assign(kStart);
  out += json;
  for (const char unwanted : {'\n', '\r'}) {
    for (auto at = out.find(unwanted); at != std::string::npos; at = out.find(unwanted, at)) {
      out[at] = ' ';
    }
  }
  out += kEnd;
}

void mark_degraded(std::string& json) {
  std::vector<models::Edit> edits;
  edits.push_back({"degraded", "true"});
  json = models::splice(json, models::top_level(json), edits);
}

Error unexpected(const char* what) {
  return Error::log(Errc::internal, std::string("unexpected: ") + what);
}

/// The stream's head and its first event.
Co<Status> begin(net::Exchange& exchange, net::HeaderLines headers, std::string event) {
  net::Response head;
  head.content_type = "text/event-stream";
  head.headers = std::move(headers);
  head.headers.add("cache-control", "no-cache");
  head.headers.add("x-accel-buffering", "no");
  head.body = std::move(event);
  auto sent = co_await exchange.begin(std::move(head));
  co_return sent;
}

/// What is sent for one step of a stream, and whether it is the last.
struct Step {
  std::string event;
  bool last = false;
};

Step step_of(const Rooms& rooms, Context& context, StreamForm& form,
             Result<std::optional<models::ChatChunk>> got, Status& outcome) {
  Step step;
  if (got.ok() && !got->has_value()) {
    step.event = form.ended();
    step.last = true;
    return step;
  }
  Result<std::string> event;
  if (got.ok()) {
    note_usage(context, **got);
    event = form.chunk(**got);
  } else {
    event = got.error();
  }
  if (!event.ok()) {
    outcome = event.error();
    rooms.log.warn("stream.broken", {{"id", context.id.text()},
                                     {"code", stable_code(event.error())},
                                     {"detail", event.error().detail}});
    if (context.keyed != nullptr) context.keyed->broke();
    step.event = form.failed(event.error());
    step.last = true;
    return step;
  }
  step.event = std::move(*event);
  return step;
}

}  // namespace

Result<std::string> ChatForm::chunk(models::ChatChunk& chunk) {
  if (chunk.finish && degraded_) mark_degraded(chunk.json);
  std::string event;
  format_event(event, chunk.json);
  return event;
}

std::string ChatForm::failed(const Error& error) {
  std::string event;
  format_event(event, error_json(error));
  return event;
}

std::string ChatForm::ended() {
  return "data: [DONE]\n\n";
}

Co<Status> send_stream(const Rooms& rooms, Context& context, Answered& answered,
                       net::HeaderLines headers, StreamForm& form) {
  const auto stream = std::move(answered.answer.stream);
  context.streamed = true;
  context.status = 200;
  net::Exchange& exchange = context.exchange;
  Status outcome;
  Status sent;
  std::unique_ptr<SlowReader> reader;  // once others share the answer
  std::exception_ptr thrown;
  try {
    for (bool last = false; !last;) {
      Result<std::optional<models::ChatChunk>> got;
      try {
        got = co_await stream->next(context.by);
      } catch (const boost::system::system_error&) {
        throw;  // cancelled
      } catch (const std::exception& e) {
        got = unexpected(e.what());
      }
      Step step = step_of(rooms, context, form, std::move(got), outcome);
      last = step.last;
      if (context.keyed != nullptr) context.keyed->heed_early_end();
      if (!sent.ok()) continue;  // the answer is drawn to its end for those who share it
      if (!exchange.started()) {
        sent = co_await begin(exchange, std::move(headers), std::move(step.event));
      } else if (reader || exchange.hold()->kept()) {
        auto executor = co_await asio::this_coro::executor;
        if (!reader) reader = std::make_unique<SlowReader>(exchange, rooms, executor);
        sent = co_await reader->write(std::move(step.event));
      } else {
        sent = co_await exchange.write(step.event);
      }
      if (!sent.ok() && !exchange.hold()->gone()) break;  // a stalled reader: give up
    }
    if (reader && sent.ok()) sent = co_await reader->drain();
  } catch (...) {
    thrown = std::current_exception();
  }
  if (reader) {
    // It uses the exchange: it must have ended, also when this coroutine was cancelled.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await reader->close();
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
  }
  if (thrown) std::rethrow_exception(thrown);
  if (sent.ok()) {
    [[maybe_unused]] auto ended = co_await exchange.finish();
  }
  settle(answered, context);
  co_return outcome;
}

}  // namespace mainstay::api
