// GET /v1/jobs/{id}/events: the news of one job as server-sent events, up to its end.
// A client that comes back with Last-Event-ID goes on behind that event. What it holds in memory is
// one batch of a bounded history: a slow reader delays itself alone.
#include <charconv>

#include "api/console_stream.h"
#include "api/job_pages.h"
#include "api/routes.h"
#include "base/text.h"
#include "jobs/desk.h"

namespace mainstay::api {
namespace {

/// A stop, or the end of the request's time, is noticed within this.
constexpr Duration kLook = std::chrono::seconds(1);
/// What a client waits before it does.
constexpr std::string_view kRetry = "retry: 1000\n\n";

/// Decimal digits of 64 bits.
bool is_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

/// "<number>-<number>", or the place of an end that came from the record.
bool is_place(std::string_view text) {
  if (text.empty() || text == jobs::kMadeUp) return true;
  const auto dash = text.find('-');
  if (text.size() > 64 || dash == std::string_view::npos) return false;
  return is_number(text.substr(0, dash)) && is_number(text.substr(dash + 1));
}

/// The data is JSON without line breaks.
void format_event(std::string& out, const jobs::Event& event) {
  out += "id: ";
  out += event.at;
  out += "\nevent: ";
  out += jobs::name(event.type);
  out += "\ndata: ";
  out += event.data;
  out += "\n\n";
}

net::Response stream_head(const Context& context) {
  net::Response head;
  head.content_type = "text/event-stream";
  add_common_headers(head.headers, context);
  head.headers.add("cache-control", "no-cache");
  head.headers.add("x-accel-buffering", "no");
  head.body = kRetry;
  return head;
}

Deadline operation(const Rooms& rooms) {
  return Deadline::in(rooms.clock, rooms.settings.storage.operation_timeout);
}

/// A reader that has seen the end of a job that has ended: there is nothing more, and a browser is
/// told by this status not to come back.
Co<Status> nothing_more(Context& context) {
  net::Response response;
  response.status = 204;
  add_common_headers(response.headers, context);
  context.status = 204;
  auto sent = co_await context.exchange.reply(std::move(response));
  co_return sent;
}

/// Whether the reader has all there will be. Takes what there is into `out` otherwise.
Co<Result<bool>> is_over(const Rooms& rooms, Context& context, jobs::Follower& follower,
                         std::string* out) {
  storage::JobId id(context.param);
  auto view = co_await rooms.jobs->get(context.caller, std::move(id), operation(rooms));
  if (!view.ok()) co_return view.error();
  if (!storage::ended(view->job.state)) co_return false;
  auto events = co_await follower.next(operation(rooms));
  if (!events.ok()) co_return events.error();
  for (const auto& event : *events) format_event(*out, event);
  co_return events->empty() && follower.finished();
}

/// Until the job's end, the server's, or that of the request's time.
Co<> pump(const Rooms& rooms, Context& context, jobs::Follower& follower) {
  const Deadline last = watch_end(context);
  std::string out;
  while (!follower.finished()) {
    const Deadline until = last.sooner(rooms.clock.now(), kLook);
    auto events = co_await follower.next(until);
    if (!events.ok()) {
      // The client comes back and is told then, in a reply with a status.
      context.code = name(events.error().code);
      context.detail = events.error().detail;
      break;
    }
    out.clear();
    for (const auto& event : *events) format_event(out, event);
    if (!out.empty()) {
      auto sent = co_await context.exchange.write(out);
      if (!sent.ok()) co_return;
    }
    if (!goes_on(rooms, context)) break;
  }
  [[maybe_unused]] auto ended = co_await context.exchange.finish();
}

}  // namespace

Co<Status> job_events(const Rooms& rooms, Context& context) {
  if (rooms.jobs == nullptr) co_return no_jobs();
  const auto& head = context.exchange.head();
  std::string place(head.header("last-event-id"));
  if (!is_place(place)) {
    co_return Error::say(Errc::invalid, "invalid_value",
                         "'Last-Event-ID' is the id of an event of this job, as it was told.",
                         "last-event-id");
  }
  const bool again = !place.empty();
  storage::JobId id(context.param);
  auto follower = co_await rooms.jobs->follow(context.caller, std::move(id), std::move(place),
                                              operation(rooms));
  if (!follower.ok()) co_return follower.error();
  net::Response begun = stream_head(context);
  if (again) {
    auto over = co_await is_over(rooms, context, **follower, &begun.body);
    if (!over.ok()) co_return over.error();
    if (*over) {
      auto sent = co_await nothing_more(context);
      co_return sent;
    }
  }
  context.status = 200;
  context.streamed = true;
  context.lasting = true;
  if (head.method == "HEAD") {
    begun.body.clear();
    auto sent = co_await context.exchange.reply(std::move(begun));
    co_return sent;
  }
  auto sent = co_await context.exchange.begin(std::move(begun));
  if (sent.ok()) co_await pump(rooms, context, **follower);
  co_return done();
}

}  // namespace mainstay::api
