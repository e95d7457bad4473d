// GET /admin/logs: the newest log lines, as the log wrote them; with follow=true those to come,
// too.
#include "api/console_stream.h"
#include "api/query.h"
#include "api/routes.h"
#include "telemetry/log_line.h"
#include "telemetry/log_tail.h"

namespace mainstay::api {
namespace {

constexpr std::uint32_t kLines = 200;
constexpr std::uint32_t kLinesMax = 1000;
constexpr std::size_t kTextMax = 256;
/// Between two looks for new lines.
constexpr Duration kLook = std::chrono::milliseconds(250);

struct LogWish {
  LogTail::Filter filter;
  std::uint64_t before = UINT64_MAX;
  std::uint32_t most = kLines;
  bool follow = false;
};

Error bad_member(const char* field, const char* sentence) {
  return Error::say(Errc::invalid, "invalid_value", sentence, field);
}

Result<LogWish> wish_of(const Context& context) {
  auto query = parse_query(context.exchange.head().query);
  if (!query.ok()) return query.error();
  LogWish out;
  auto most = limit_of(*query, kLines, kLinesMax);
  if (!most.ok()) return most.error();
  out.most = *most;
  const std::string& level = (*query)["level"];
  if (!level.empty()) {
    auto least = level_from(level);
    if (!least.ok() || *least == Level::off) {
      return bad_member("level", "'level' is debug, info, warn or error.");
    }
    out.filter.least = *least;
  }
  out.filter.text = (*query)["q"];
  out.filter.request = (*query)["request"];
  if (out.filter.text.size() > kTextMax) return bad_member("q", "'q' is at most 256 bytes long.");
  if (out.filter.request.size() > kTextMax) {
    return bad_member("request", "'request' is a request's id.");
  }
  auto before = place_asked(context, "before");
  if (!before.ok()) return before.error();
  if (*before && !(*query)["before"].empty()) out.before = **before;
  const std::string& follow = (*query)["follow"];
  if (!follow.empty() && follow != "true" && follow != "false") {
    return bad_member("follow", "'follow' is true or false.");
  }
  out.follow = follow == "true";
  return out;
}

Json line_json(const LogTail::Line& line) {
  return {{"number", line.number}, {"level", name(line.level)}, {"line", line.text}};
}

Json list_json(const Rooms& rooms, const LogTail* tail, const LogTail::Found& found) {
  Json data = Json::array();
  for (const auto& line : found.lines) data.push_back(line_json(line));
  return {{"object", "list"},        {"format", rooms.log.format()},
          {"kept", tail != nullptr}, {"first", tail != nullptr ? tail->first() : 1},
          {"next", found.next},      {"dropped", rooms.log.dropped()},
          {"data", std::move(data)}, {"has_more", found.more}};
}

void add_events(const LogTail::Found& found, std::string& out) {
  if (found.lost > 0) {
    out += "event: gap\ndata: {\"lost\":" + std::to_string(found.lost) + "}\n\n";
  }
  for (const auto& line : found.lines) {
    out += "id: " + std::to_string(line.number) + "\nevent: line\ndata: ";
    out += dump(line_json(line));
    out += "\n\n";
  }
}

/// Until the server stops or the request's time is over.
Co<> pump(const Rooms& rooms, Context& context, LogTail::Filter filter, std::uint64_t next) {
  const Deadline last = watch_end(context);
  const LogTail& tail = *rooms.log.tail();
  while (goes_on(rooms, context)) {
    const auto found = tail.from(filter, next, kLines);
    next = found.next;
    std::string news;
    add_events(found, news);
    if (!news.empty()) {
      auto sent = co_await context.exchange.write(news);
      if (!sent.ok()) co_return;
    }
    if (found.more) continue;
    const Duration left = last.left(rooms.clock.now());
    auto reached = co_await sleep(rooms.clock, std::min(kLook, left));
    if (!reached) co_return;
  }
  [[maybe_unused]] auto ended = co_await context.exchange.finish();
}

/// The tail is searched beside the loop: a megabyte takes some milliseconds.
Co<Result<LogTail::Found>> search(const Rooms& rooms, LogWish wish, Deadline by) {
  const LogTail* const tail = rooms.log.tail();
  if (tail == nullptr) co_return LogTail::Found{};
  auto work = [tail, wish = std::move(wish)]() -> Result<LogTail::Found> {
    return tail->newest(wish.filter, wish.before, wish.most);
  };
  if (rooms.pool == nullptr) co_return work();
  auto found = co_await offload(rooms.clock, *rooms.pool, std::move(work), by);
  co_return found;
}

Co<Status> follow_log(const Rooms& rooms, Context& context, LogWish wish) {
  auto seat = take_seat(rooms);
  if (!seat.ok()) co_return seat.error();
  const std::string again(context.exchange.head().header("last-event-id"));
  auto place = place_asked(context, "before");
  if (!place.ok()) co_return place.error();
  LogTail::Filter filter = wish.filter;
  std::uint64_t next = 0;
  std::string begun;
  if (!again.empty()) {
    next = **place + 1;
  } else {
    auto found = co_await search(rooms, std::move(wish), context.by);
    if (!found.ok()) co_return found.error();
    next = found->next;
    add_events(*found, begun);
  }
  net::Response head = watch_head(context, std::move(begun));
  auto sent = co_await context.exchange.begin(std::move(head));
  if (sent.ok()) co_await pump(rooms, context, std::move(filter), next);
  co_return done();
}

}  // namespace

Co<Status> list_log(const Rooms& rooms, Context& context) {
  auto wish = wish_of(context);
  if (!wish.ok()) co_return wish.error();
  const LogTail* const tail = rooms.log.tail();
  const bool head_alone = context.exchange.head().method == "HEAD";
  if (wish->follow && tail != nullptr && !head_alone) {
    auto followed = co_await follow_log(rooms, context, std::move(*wish));
    co_return followed;
  }
  auto found = co_await search(rooms, std::move(*wish), context.by);
  if (!found.ok()) co_return found.error();
  auto sent = co_await reply_json(context, 200, dump(list_json(rooms, tail, *found)));
  co_return sent;
}

}  // namespace mainstay::api
