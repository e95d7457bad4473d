// Request heads after RFC 9112, refusing whatever two readers could understand differently.
#include "net/request_parser.h"

#include <array>
#include <cstring>

#include "base/text.h"

namespace mainstay::net {
namespace {

constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~"))
    table[static_cast<std::size_t>(c)] = true;
  return table;
}
constexpr auto kToken = make_token_table();

bool is_token(std::string_view text) noexcept {
  for (const char c : text) {
    if (!kToken[static_cast<unsigned char>(c)]) return false;
  }
  return !text.empty();
}

bool is_target(std::string_view text) noexcept {
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || u >= 0x7f) return false;
  }
  return !text.empty();
}

/// `lower` is in lower case.
bool same(std::string_view text, std::string_view lower) noexcept {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char folded = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (folded != lower[i]) return false;
  }
  return true;
}

/// Next line without its CRLF; `rest` moves behind it. The finder made sure that it is there.
std::string_view take_line(std::string_view& rest) noexcept {
  const auto end = rest.find('\n');
  const auto line = rest.substr(0, end - 1);
  rest.remove_prefix(end + 1);
  return line;
}

/// Path and query of origin-form, absolute-form and the asterisk.
HeadFault split_target(RequestHead& head) {
  std::string_view path = head.target;
  if (!path.starts_with('/')) {
    const auto scheme = path.find("://");
    if (scheme != std::string_view::npos &&
        (same(path.substr(0, scheme), "http") || same(path.substr(0, scheme), "https"))) {
      path.remove_prefix(scheme + 3);
      const auto end = path.find_first_of("/?");
      if (end == 0) return HeadFault::request_line;
      head.host = path.substr(0, end);
      path.remove_prefix(end == std::string_view::npos ? path.size() : end);
    } else if (head.target != "*" && head.method != "CONNECT") {
      return HeadFault::request_line;
    }
  }
  if (path.find('#') != std::string_view::npos) return HeadFault::request_line;
  const auto question = path.find('?');
  head.path = path.substr(0, question);
  head.query = question == std::string_view::npos ? std::string_view{} : path.substr(question + 1);
  if (head.path.empty()) head.path = "/";
  return HeadFault::none;
}

HeadFault parse_request_line(std::string_view line, const HeadLimits& limits, RequestHead& head,
                             HeadFlags& flags) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return HeadFault::request_line;
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  const auto version = line.substr(last + 1);
  if (head.method.size() > 32 || !is_token(head.method)) return HeadFault::request_line;
  if (head.target.size() > limits.target) return HeadFault::target_long;
  if (!is_target(head.target)) return HeadFault::request_line;
  if (version == "HTTP/1.1") {
    flags.http_1_0 = false;
  } else if (version == "HTTP/1.0") {
    flags.http_1_0 = true;
  } else {
    return version.starts_with("HTTP/") ? HeadFault::version : HeadFault::request_line;
  }
  flags.keep_alive = !flags.http_1_0;
  flags.expect_continue = false;
  return split_target(head);
}

HeadFault parse_length(std::string_view value, RequestHead& head) {
  if (head.content_length) return HeadFault::length_twice;
  if (value.empty() || value.size() > 18) return HeadFault::length;
  std::uint64_t length = 0;
  for (const char c : value) {
    if (c < '0' || c > '9') return HeadFault::length;
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  head.content_length = length;
  return HeadFault::none;
}

void read_connection(std::string_view value, HeadFlags& flags) {
  while (!value.empty()) {
    const auto comma = value.find(',');
    const auto word = trim(value.substr(0, comma));
    if (same(word, "close")) flags.keep_alive = false;
    if (same(word, "keep-alive") && flags.http_1_0) flags.keep_alive = true;
    value.remove_prefix(comma == std::string_view::npos ? value.size() : comma + 1);
  }
}

/// The fields that say where the request ends, whose it is, and what becomes of the connection.
class FramingFields {
 public:
  FramingFields(RequestHead& head, HeadFlags& flags) : head_(head), flags_(flags) {}

  HeadFault take(std::string_view name, std::string_view value) {
    switch (name.size()) {
      case 4:
        if (same(name, "host")) {
          ++hosts_;
          if (head_.host.empty()) head_.host = value;
        }
        break;
      case 6:
        origins_ += same(name, "origin") ? 1 : 0;
        if (same(name, "expect")) {
          if (!same(value, "100-continue")) return HeadFault::expectation;
          flags_.expect_continue = !flags_.http_1_0;
        }
        break;
      case 10:
        if (same(name, "connection")) read_connection(value, flags_);
        break;
      case 14:
        if (same(name, "content-length")) return parse_length(value, head_);
        break;
      case 16:
        if (same(name, "content-encoding") && !value.empty() && !same(value, "identity"))
          encoded_ = true;
        break;
      case 17:
        if (same(name, "transfer-encoding")) {
          if (head_.chunked || flags_.http_1_0 || !same(value, "chunked")) return HeadFault::coding;
          head_.chunked = true;
        }
        break;
      default:
        break;
    }
    return HeadFault::none;
  }

  HeadFault finish() const {
    if (head_.chunked && head_.content_length) return HeadFault::framing_twice;
    if (hosts_ > 1 || (hosts_ == 0 && !flags_.http_1_0)) return HeadFault::host;
    if (origins_ > 1) return HeadFault::origin_twice;
    if (encoded_ && head_.has_body()) return HeadFault::encoding;
    return HeadFault::none;
  }

 private:
  RequestHead& head_;
  HeadFlags& flags_;
  int hosts_ = 0;
  int origins_ =
      0;  ///< of several one would be looked at, and another be a page of somebody else's
  bool encoded_ = false;
};

}  // namespace

std::string_view RequestHead::header(std::string_view name) const noexcept {
  for (const auto& field : headers) {
    if (same(field.name, name)) return field.value;
  }
  return {};
}

HeadFinder::State HeadFinder::feed(std::string_view bytes) {
  for (;;) {
    const void* found = seen_ < bytes.size()
                            ? std::memchr(bytes.data() + seen_, '\n', bytes.size() - seen_)
                            : nullptr;
    if (found == nullptr) {
      seen_ = bytes.size();
      return bytes.size() > limits_.bytes ? refuse(HeadFault::head_large) : State::more;
    }
    const auto end = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
    if (end + 1 > limits_.bytes) return refuse(HeadFault::head_large);
    if (end == line_ || bytes[end - 1] != '\r') return refuse(HeadFault::line_end);
    const bool blank = end == line_ + 1;
    line_ = seen_ = end + 1;
    if (blank && lines_ > 0) return State::complete;
    if (blank) return refuse(HeadFault::request_line);
    // The request line and then one line for each field.
    if (++lines_ > limits_.fields + 1) return refuse(HeadFault::fields_many);
  }
}

HeadFault parse_head(std::string_view bytes, const HeadLimits& limits, RequestHead& head,
                     std::vector<HeaderView>& fields, HeadFlags& flags) {
  fields.clear();
  head.host = {};
  head.content_length.reset();
  head.chunked = false;
  auto fault = parse_request_line(take_line(bytes), limits, head, flags);
  if (fault != HeadFault::none) return fault;
  FramingFields framing(head, flags);
  for (;;) {
    const auto line = take_line(bytes);
    if (line.empty()) break;
    const auto colon = line.find(':');
    // A blank before the colon or at the start of the line (folding) is no token character.
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
      return HeadFault::field;
    const auto name = line.substr(0, colon);
    auto value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t'))
      value.remove_prefix(1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    if (!is_field_value(value)) return HeadFault::field;
    fault = framing.take(name, value);
    if (fault != HeadFault::none) return fault;
    fields.push_back({name, value});
  }
  head.headers = fields;
  return framing.finish();
}

int status_of(HeadFault fault) noexcept {
  switch (fault) {
    case HeadFault::target_long:
      return 414;
    case HeadFault::fields_many:
    case HeadFault::head_large:
      return 431;
    case HeadFault::version:
      return 505;
    case HeadFault::expectation:
      return 417;
    case HeadFault::encoding:
      return 415;
    case HeadFault::timeout:
      return 408;
    default:
      return 400;
  }
}

Error to_error(HeadFault fault) {
  const auto say = [](Errc code, std::string_view reason, const char* message) {
    return Error::say(code, reason, message);
  };
  switch (fault) {
    case HeadFault::none:
      break;
    case HeadFault::request_line:
      return say(Errc::invalid, "bad_request_line", "The request line is not valid HTTP/1.1.");
    case HeadFault::version:
      return say(Errc::invalid, "unsupported_http_version",
                 "Only HTTP/1.0 and HTTP/1.1 are served.");
    case HeadFault::target_long:
      return say(Errc::too_large, "target_too_long", "The request's address is too long.");
    case HeadFault::field:
      return say(Errc::invalid, "bad_header", "A header line is not valid HTTP/1.1.");
    case HeadFault::fields_many:
      return say(Errc::too_large, "too_many_headers", "The request has too many header lines.");
    case HeadFault::head_large:
      return say(Errc::too_large, "headers_too_large", "The request's headers are too large.");
    case HeadFault::line_end:
      return say(Errc::invalid, "bad_line_end", "Header lines must end with CR LF.");
    case HeadFault::host:
      return say(Errc::invalid, "bad_host", "The request needs exactly one Host header.");
    case HeadFault::origin_twice:
      return say(Errc::invalid, "bad_header", "Origin must be given once.");
    case HeadFault::length:
      return say(Errc::invalid, "bad_content_length", "Content-Length must be a whole number.");
    case HeadFault::length_twice:
      return say(Errc::invalid, "bad_content_length", "Content-Length must be given once.");
    case HeadFault::coding:
      return say(Errc::invalid, "bad_transfer_encoding",
                 "The only Transfer-Encoding served is one 'chunked', in HTTP/1.1.");
    case HeadFault::framing_twice:
      return say(Errc::invalid, "conflicting_length",
                 "Content-Length and Transfer-Encoding must not be sent together.");
    case HeadFault::expectation:
      return say(Errc::invalid, "unsupported_expectation",
                 "Only 'Expect: 100-continue' is served.");
    case HeadFault::encoding:
      return say(Errc::unsupported, "unsupported_encoding",
                 "Send the request body without Content-Encoding.");
    case HeadFault::timeout:
      return say(Errc::deadline, "request_timeout", "The request did not arrive in time.");
  }
  return Error::log(Errc::internal, "no fault");
}

}  // namespace mainstay::net
