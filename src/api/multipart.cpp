// RFC 7578 as it is sent today: no preamble, no transfer encodings, CRLF line ends.
#include "api/multipart.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace mainstay::api {
namespace {

constexpr std::size_t kHeadMax = 8192;    ///< of one part
constexpr std::size_t kBoundaryMax = 70;  ///< RFC 2046
constexpr std::size_t kNameMax = 255;

Error bad(const std::string& what) {
  return Error::say(Errc::invalid, "bad_multipart",
                    "The multipart body is malformed: " + what + ".");
}

bool is_boundary(std::string_view text) {
  constexpr std::string_view kMarks = "'()+_,-./:=? ";
  const auto fits = [kMarks](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= kBoundaryMax && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), fits);
}

/// One `; name=value` of a header's parameters, taken off its front.
struct Parameter {
  std::string name;
  std::string value;
};
Result<Parameter> take_parameter(std::string_view& text) {
  Parameter out;
  text = trim(text);
  if (!text.starts_with(';')) return bad("a parameter is expected");
  text = trim(text.substr(1));
  const auto equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return bad("a parameter has no value");
  out.name = lower_ascii(text.substr(0, equals));
  text.remove_prefix(equals + 1);
  if (!text.starts_with('"')) {
    const auto end = std::min(text.find(';'), text.size());
    out.value = std::string(trim(text.substr(0, end)));
    text.remove_prefix(end);
    return out;
  }
  // Quotes inside are sent as %22, by curl as \"; backslashes stand for themselves otherwise.
  std::size_t at = 1;
  for (; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\' && at + 1 < text.size() && text[at + 1] == '"') ++at;
    out.value += text[at];
  }
  if (at >= text.size()) return bad("a quoted value does not end");
  text.remove_prefix(at + 1);
  return out;
}

Status read_disposition(std::string_view value, PartHead& head) {
  constexpr std::string_view kForm = "form-data";
  const auto kind = value.substr(0, std::min(value.find(';'), value.size()));
  if (!equal_ascii_nocase(trim(kind), kForm)) return bad("a part is not form-data");
  value.remove_prefix(kind.size());
  bool named = false;
  while (!trim(value).empty()) {
    auto parameter = take_parameter(value);
    if (!parameter.ok()) return parameter.error();
    if (parameter->name == "name") {
      if (named) return bad("a part has two names");
      named = true;
      head.name = std::move(parameter->value);
    } else if (parameter->name == "filename") {
      if (head.is_file) return bad("a part has two file names");
      head.is_file = true;
      head.file_name = std::move(parameter->value);
    }
  }
  return named ? done() : Status(bad("a part has no name"));
}

Status read_header(std::string_view line, PartHead& head, bool& disposed) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return bad("a part's header has no name");
  const auto name = lower_ascii(line.substr(0, colon));
  const auto value = trim(line.substr(colon + 1));
  if (value.find('\0') != std::string_view::npos || value.find('\n') != std::string_view::npos ||
      value.find('\r') != std::string_view::npos) {
    return bad("a part's header holds a control character");
  }
  if (name == "content-disposition") {
    if (disposed) return bad("a part has two dispositions");
    disposed = true;
    return read_disposition(value, head);
  }
  if (name == "content-type") head.content_type = std::string(value);
  if (name == "content-transfer-encoding" && !equal_ascii_nocase(value, "binary") &&
      !equal_ascii_nocase(value, "8bit") && !equal_ascii_nocase(value, "7bit")) {
    return bad("a part is encoded");
  }
  return done();
}

Result<PartHead> head_of(std::string_view text) {
  PartHead head;
  bool disposed = false;
  while (!text.empty()) {
    const auto end = std::min(text.find("\r\n"), text.size());
    auto read = read_header(text.substr(0, end), head, disposed);
    if (!read.ok()) return read.error();
    text.remove_prefix(std::min(end + 2, text.size()));
  }
  if (!disposed) return bad("a part has no disposition");
  return head;
}

}  // namespace

Multipart::Multipart(const std::string& boundary, std::uint32_t parts_max)
    : parts_max_(parts_max), delimiter_("\r\n--" + boundary) {}

void Multipart::feed(std::string_view bytes) {
  buffer_.erase(0, used_);
  used_ = 0;
  data_ = {};
  buffer_ += bytes;
}

void Multipart::feed_all(std::string bytes) {
  if (held() > 0) return feed(bytes);
  data_ = {};
  used_ = 0;
  buffer_ = std::move(bytes);
}

Result<Multipart::Event> Multipart::next() {
  data_ = {};
  switch (at_) {
    case At::start:
      return at_start();
    case At::head:
      return at_head();
    case At::content:
      return at_content();
    case At::behind:
      return behind_delimiter();
    case At::ended:
      break;
  }
  // Only a line's end may follow: what else stands there is nobody's part.
  const auto left = rest();
  if (!std::string_view("\r\n").starts_with(left)) return bad("something follows its end");
  return Event::end;
}

/// The body begins with the delimiter, without the line end that the others have in front.
Result<Multipart::Event> Multipart::at_start() {
  const auto first = std::string_view(delimiter_).substr(2);
  if (rest().size() < first.size()) {
    if (!first.starts_with(rest())) return bad("it does not begin with its boundary");
    return Event::more;
  }
  if (!rest().starts_with(first)) return bad("it does not begin with its boundary");
  used_ += first.size();
  at_ = At::behind;
  return behind_delimiter();
}

Result<Multipart::Event> Multipart::behind_delimiter() {
  if (rest().size() < 2) return Event::more;
  const auto mark = rest().substr(0, 2);
  used_ += 2;
  if (mark == "--") {
    at_ = At::ended;
    return next();
  }
  if (mark != "\r\n") return bad("its boundary is not followed by a line end");
  if (++parts_ > parts_max_) return bad("it has too many parts");
  at_ = At::head;
  return at_head();
}

Result<Multipart::Event> Multipart::at_head() {
  const auto end = rest().substr(0, kHeadMax).find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (rest().size() >= kHeadMax) return bad("a part's head is too long");
    return Event::more;
  }
  auto head = head_of(rest().substr(0, end));
  if (!head.ok()) return head.error();
  head_ = std::move(*head);
  used_ += end + 4;
  at_ = At::content;
  return Event::part;
}

/// What holds no delimiter is content, but for an end that may be the begin of one.
std::size_t Multipart::sure_content() const noexcept {
  const auto all = rest();
  std::size_t at = all.size() - std::min(all.size(), delimiter_.size() - 1);
  while (at < all.size() && !std::string_view(delimiter_).starts_with(all.substr(at))) ++at;
  return at;
}

Result<Multipart::Event> Multipart::at_content() {
  const auto found = rest().find(delimiter_);
  if (found == 0) {
    used_ += delimiter_.size();
    at_ = At::behind;
    return Event::part_end;
  }
  const std::size_t sure = found != std::string_view::npos ? found : sure_content();
  if (sure == 0) return Event::more;
  data_ = rest().substr(0, sure);
  used_ += sure;
  return Event::data;
}

Result<std::string> boundary_of(std::string_view content_type) {
  const auto kind = content_type.substr(0, std::min(content_type.find(';'), content_type.size()));
  if (!equal_ascii_nocase(trim(kind), "multipart/form-data")) {
    return Error::say(Errc::unsupported, "unsupported_media_type",
                      "Send the file as 'Content-Type: multipart/form-data'.");
  }
  content_type.remove_prefix(kind.size());
  std::optional<std::string> out;
  while (!trim(content_type).empty()) {
    auto parameter = take_parameter(content_type);
    if (!parameter.ok()) return parameter.error();
    if (parameter->name != "boundary") continue;
    if (out) return bad("its type names two boundaries");
    out = std::move(parameter->value);
  }
  if (!out || !is_boundary(*out)) return bad("its type names no usable boundary");
  return *out;
}

std::string shown_file_name(std::string_view name) {
  const auto slash = name.find_last_of("/\\");
  if (slash != std::string_view::npos) name.remove_prefix(slash + 1);
  std::string out;
  for (const char c : name) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) out += c;
  }
  if (!is_utf8(out)) return "file";
  out = std::string(cut_utf8(out, kNameMax));
  return out.empty() || out == "." || out == ".." ? "file" : out;
}

}  // namespace mainstay::api
