// The declaration is looked for as browsers do; the system's iconv converts.
#include "knowledge/charset.h"

#include <iconv.h>

#include <array>
#include <cerrno>

#include "base/text.h"

namespace mainstay::knowledge {
namespace {

/// A declaration stands in the first kilobyte (HTML); pages that are careless put it further on.
constexpr std::size_t kHead = 4096;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

bool is_name(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == ':';
}

/// Of a tag in lower case: what `word` is set to ("charset" also within a content="...").
std::string value_of(std::string_view tag, std::string_view word) {
  const auto at = tag.find(word);
  if (at == std::string_view::npos) return {};
  tag = trim(tag.substr(at + word.size()));
  if (!tag.starts_with('=')) return {};
  tag = trim(tag.substr(1));
  if (tag.starts_with('"') || tag.starts_with('\'')) tag.remove_prefix(1);
  tag = trim(tag);
  std::size_t size = 0;
  while (size < tag.size() && is_name(tag[size])) ++size;
  return std::string(tag.substr(0, size));
}

std::string declared_charset(const std::string& html) {
  const std::string text = lower_ascii(std::string_view(html).substr(0, kHead));
  const std::string_view head = text;
  if (head.starts_with("<?xml")) {
    std::string found = value_of(head.substr(0, head.find('>')), "encoding");
    if (!found.empty()) return found;
  }
  for (auto at = head.find("<meta"); at != std::string_view::npos;
       at = head.find("<meta", at + 1)) {
    const std::string_view tag = head.substr(at);
    std::string found = value_of(tag.substr(0, tag.find('>')), "charset");
    if (!found.empty()) return found;
  }
  return {};
}

/// What browsers take for the name (encoding.spec.whatwg.org): the larger sets of Windows.
std::string meant_by(const std::string& name) {
  for (const char* western : {"iso-8859-1", "iso8859-1", "latin1", "us-ascii", "ascii"}) {
    if (name == western) return "windows-1252";
  }
  if (name == "gb2312" || name == "gbk") return "gb18030";
  if (name == "shift_jis" || name == "shift-jis" || name == "x-sjis") return "cp932";
  return name;
}

class Converter {
 public:
  explicit Converter(const std::string& from) : handle_(iconv_open("UTF-8", from.c_str())) {}
  ~Converter() {
    if (known()) iconv_close(handle_);
  }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;
  bool known() const noexcept { return handle_ != reinterpret_cast<iconv_t>(-1); }

  std::string run(std::string text) {
    std::string out;
    char* in = text.data();
    std::size_t left = text.size();
    std::array<char, 16 * 1024> room;
    while (left > 0) {
      char* to = room.data();
      std::size_t free = room.size();
      const bool whole = iconv(handle_, &in, &left, &to, &free) != static_cast<std::size_t>(-1);
      const bool full = !whole && errno == E2BIG;
      out.append(room.data(), room.size() - free);
      if (whole || full) continue;
      out += kReplacement;
      ++in;
      --left;
    }
    return out;
  }

 private:
  iconv_t handle_;
};

Error unknown_bytes(const std::string& html) {
  return Error::say(Errc::invalid, "invalid_value",
                    "The page is not valid UTF-8 at byte " + std::to_string(first_not_utf8(html)) +
                        " and declares no other character set that is known here. Convert it, for "
                        "example with iconv -f LATIN1 -t UTF-8.",
                    "file");
}

}  // namespace

std::size_t first_not_utf8(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (at + size > text.size() || (size > 1 && !is_utf8(text.substr(at, size)))) return at;
    at += size;
  }
  return at;
}

Result<std::string> html_in_utf8(const std::string& html) {
  if (is_utf8(html)) return html;
  const std::string charset = meant_by(declared_charset(html));
  // A page whose declaration can be read as ASCII is no UTF-16, whatever it says.
  if (charset.starts_with("utf")) return to_utf8(html);
  if (charset.empty()) return unknown_bytes(html);
  Converter converter(charset);
  if (!converter.known()) return unknown_bytes(html);
  std::string out = converter.run(html);
  if (!is_utf8(out)) return unknown_bytes(html);
  return out;
}

}  // namespace mainstay::knowledge
