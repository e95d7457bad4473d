// GET /admin/history: what was measured of late, by columns, in replies of bounded size.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "api/admin.h"
#include "api/console_stream.h"
#include "api/query.h"
#include "api/routes.h"

namespace mainstay::api {
namespace {

/// Figures of one reply; the rest comes with the next request.
constexpr std::size_t kValuesMax = 50'000;
constexpr std::size_t kNamesMax = 128;
/// A place behind all columns.
constexpr std::size_t kNobodys = std::numeric_limits<std::size_t>::max();

struct HistoryWish {
  Step step = Step::second;
  std::int64_t after = -1;
  std::vector<std::string> names;    ///< of `columns`
  std::vector<std::size_t> columns;  ///< kNobodys: of a name that has none
};

Error bad_member(const char* field, const char* sentence) {
  return Error::say(Errc::invalid, "invalid_value", sentence, field);
}

/// What was not measured yet, or never is on this machine, is a column like any other.
Status take_columns(const std::string& asked, const std::vector<History::Column>& known,
                    HistoryWish& out) {
  std::string_view rest = asked;
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(','), rest.size());
    const auto name = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const bool twice = std::find(out.names.begin(), out.names.end(), name) != out.names.end();
    if (name.empty() || twice) continue;
    if (out.names.size() == kNamesMax) {
      return bad_member("series", "'series' names at most 128 columns.");
    }
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const auto& column) { return column.name == name; });
    out.names.emplace_back(name);
    out.columns.push_back(found == known.end() ? kNobodys
                                               : static_cast<std::size_t>(found - known.begin()));
  }
  return done();
}

Result<HistoryWish> wish_of(const std::string& text, const std::vector<History::Column>& known) {
  auto query = parse_query(text);
  if (!query.ok()) return query.error();
  HistoryWish out;
  const std::string& step = (*query)["step"];
  if (step == "1m") out.step = Step::minute;
  if (!step.empty() && step != "1m" && step != "1s")
    return bad_member("step", "'step' is 1s or 1m.");
  const std::string& since = (*query)["since"];
  if (!since.empty()) {
    double at = 0;
    const auto read = std::from_chars(since.data(), since.data() + since.size(), at);
    const bool whole = read.ec == std::errc() && read.ptr == since.data() + since.size();
    if (!whole || !(at >= 0 && at < 1e12)) {
      return bad_member("since", "'since' is a time in seconds since 1970.");
    }
    out.after = static_cast<std::int64_t>(std::floor(at));
  }
  const std::string& series = (*query)["series"];
  auto taken = take_columns(series, known, out);
  if (!taken.ok()) return taken.error();
  if (!series.empty()) return out;
  for (std::size_t i = 0; i < known.size(); ++i) {
    out.columns.push_back(i);
    out.names.push_back(known[i].name);
  }
  return out;
}

/// Numbers as text: a tree of fifty thousand of them would cost more than the rest together.
std::string text_of(const History& history, const HistoryWish& wish,
                    const std::vector<History::Column>& known, std::int64_t now) {
  const std::size_t rows = kValuesMax / std::max<std::size_t>(wish.columns.size(), 1);
  const auto part =
      history.read(wish.step, wish.after, wish.columns, std::max<std::size_t>(rows, 1));
  std::string out;
  auto to = std::back_inserter(out);
  fmt::format_to(to, R"({{"object":"history","step_seconds":{},"times":[)", seconds_of(wish.step));
  for (std::size_t i = 0; i < part.times.size(); ++i) {
    fmt::format_to(to, "{}{}", i == 0 ? "" : ",", part.times[i]);
  }
  out += R"(],"series":{)";
  for (std::size_t column = 0; column < part.values.size(); ++column) {
    if (column > 0) out += ',';
    append_json_string(out, wish.names[column]);
    out += ":[";
    for (std::size_t i = 0; i < part.values[column].size(); ++i) {
      if (i > 0) out += ',';
      append_figure(out, part.values[column][i]);
    }
    out += ']';
  }
  Json units = Json::object();
  for (const auto& column : known) units[column.name] = column.unit;
  fmt::format_to(to, R"(}},"units":{},"has_more":{},"now":{}}})", dump(units), part.more, now);
  return out;
}

}  // namespace

Co<Status> show_history(const Rooms& rooms, Context& context) {
  const History& history = rooms.admin->console.history;
  auto known = history.columns();
  auto wish = wish_of(std::string(context.exchange.head().query), known);
  if (!wish.ok()) co_return wish.error();
  const std::int64_t now = unix_seconds(rooms.clock.wall());
  auto write = [&history, wish = std::move(*wish), known = std::move(known),
                now]() -> Result<std::string> { return text_of(history, wish, known, now); };
  if (rooms.pool == nullptr) {
    auto here = write();
    auto told = co_await reply_json(context, 200, std::move(*here));
    co_return told;
  }
  auto text = co_await offload(rooms.clock, *rooms.pool, std::move(write), context.by);
  if (!text.ok()) co_return text.error();
  auto sent = co_await reply_json(context, 200, std::move(*text));
  co_return sent;
}

}  // namespace mainstay::api
