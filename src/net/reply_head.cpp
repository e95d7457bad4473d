// Status lines from a table, sizes by to_chars: no formatting library on the way of a reply.
#include "net/reply_head.h"

#include <array>
#include <charconv>
#include <ctime>

namespace mainstay::net {
namespace {

constexpr int kFirstStatus = 100;
constexpr int kStatuses = 500;

std::array<std::string, kStatuses> make_status_lines() {
  std::array<std::string, kStatuses> lines;
  for (int i = 0; i < kStatuses; ++i) {
    const int status = kFirstStatus + i;
    auto& line = lines[static_cast<std::size_t>(i)];
    line = "HTTP/1.1 " + std::to_string(status) + " ";
    line += reason_phrase(status);
    line += "\r\n";
  }
  return lines;
}

const std::string& status_line(int status) {
  static const auto lines = make_status_lines();
  const int index = status - kFirstStatus;
  return lines[static_cast<std::size_t>(index >= 0 && index < kStatuses ? index : 400)];
}

void append_number(std::string& out, std::uint64_t value, int base) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base).ptr;
  out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

}  // namespace

void append_reply_head(std::string& out, const Response& response, const ReplyFraming& framing,
                       std::string_view date) {
  out += status_line(response.status);
  if (framing.body != ReplyFraming::Body::none && !response.content_type.empty()) {
    out += "content-type: ";
    out += response.content_type;
    out += "\r\n";
  }
  if (framing.body == ReplyFraming::Body::length) {
    out += "content-length: ";
    append_number(out, framing.length, 10);
    out += "\r\n";
  } else if (framing.body == ReplyFraming::Body::chunked) {
    out += "transfer-encoding: chunked\r\n";
  }
  out += date;
  out += response.headers.text();
  if (framing.close) {
    out += "connection: close\r\n";
  } else if (framing.say_keep_alive) {
    out += "connection: keep-alive\r\n";
  }
  out += "\r\n";
}

void append_chunk_size(std::string& out, std::size_t size) {
  append_number(out, size, 16);
  out += "\r\n";
}

std::string date_line(WallTime now) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  // Names spelled here: strftime's depend on the locale.
  static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::array<char, 64> text;
  const int n =
      std::snprintf(text.data(), text.size(), "date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                    kDays[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
                    kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900,
                    parts.tm_hour, parts.tm_min, parts.tm_sec);
  return std::string(text.data(), static_cast<std::size_t>(n));
}

}  // namespace mainstay::net
