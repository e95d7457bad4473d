// Heads, ends and places of the console's streams.
#include "api/console_stream.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "api/gate.h"
#include "api/query.h"

namespace mainstay::api {
namespace {

constexpr Duration kMargin = std::chrono::seconds(2);
constexpr auto kSeatRetry = std::chrono::seconds(5);
/// What a client waits before it comes back.
constexpr std::string_view kRetry = "retry: 1000\n\n";

}  // namespace

net::Response watch_head(Context& context, std::string begun) {
  context.status = 200;
  context.streamed = true;
  context.lasting = true;
  net::Response head;
  head.content_type = "text/event-stream";
  add_common_headers(head.headers, context);
  head.headers.add("cache-control", "no-store");
  head.headers.add("x-accel-buffering", "no");
  head.body = kRetry;
  head.body += begun;
  return head;
}

Deadline watch_end(const Context& context) {
  const TimePoint at = context.by.at();
  return Deadline(at == TimePoint::max() ? at : at - kMargin);
}

bool goes_on(const Rooms& rooms, Context& context) {
  const bool stops =
      std::string_view(rooms.not_ready.load(std::memory_order_relaxed)) == "stopping";
  return !stops && !watch_end(context).passed(rooms.clock.now()) &&
         Gate(rooms).still_lets_in(context);
}

Result<WatchSeats::Seat> take_seat(const Rooms& rooms) {
  auto seat = rooms.admin->console.seats.take();
  if (seat) return std::move(*seat);
  Error error = Error::say(Errc::over_limit, "too_many_watchers",
                           "As many streams of this kind are open as console.watchers_max allows. "
                           "Close another page, or try again later.");
  error.retry_after = kSeatRetry;
  return error;
}

void append_figure(std::string& out, float value) {
  if (std::isfinite(value)) {
    fmt::format_to(std::back_inserter(out), "{:.7g}", value);
  } else {
    out += "null";
  }
}

Result<std::optional<std::uint64_t>> place_asked(const Context& context, const char* member) {
  const auto& head = context.exchange.head();
  auto query = parse_query(head.query);
  if (!query.ok()) return query.error();
  std::string text(head.header("last-event-id"));
  if (text.empty()) text = (*query)[member];
  if (text.empty()) return std::optional<std::uint64_t>();
  std::uint64_t place = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, place);
  if (read.ec == std::errc() && read.ptr == end && place < (std::uint64_t{1} << 53)) {
    return std::optional<std::uint64_t>(place);
  }
  return Error::say(Errc::invalid, "invalid_value",
                    std::string("'") + member +
                        "' and 'Last-Event-ID' are whole numbers, as "
                        "events had them for their id.",
                    member);
}

}  // namespace mainstay::api
