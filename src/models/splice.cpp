// Scanners over valid JSON text: one pass, no tree. They stay inside the text on any bytes.
#include "models/splice.h"

#include <cstring>

#include <simdjson.h>

namespace mainstay::models {

std::size_t skip_string(std::string_view text, std::size_t at) noexcept {
  const std::size_t first = at + 1;
  std::size_t from = first;
  while (from < text.size()) {
    const void* found = std::memchr(text.data() + from, '"', text.size() - from);
    if (found == nullptr) return text.size();
    const auto quote = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
    std::size_t before = quote;
    while (before > first && text[before - 1] == '\\') --before;
    if ((quote - before) % 2 == 0) return quote + 1;
    from = quote + 1;
  }
  return text.size();
}

namespace {

bool blank(char c) noexcept {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

std::size_t skip_blank(std::string_view text, std::size_t at) noexcept {
  while (at < text.size() && blank(text[at])) ++at;
  return at;
}

/// `at` is the first byte of a value; answers the offset after its last byte.
std::size_t skip_value(std::string_view text, std::size_t at) noexcept {
  std::size_t depth = 0;
  while (at < text.size()) {
    switch (text[at]) {
      case '"':
        at = skip_string(text, at);
        if (depth == 0) return at;
        continue;
      case '{':
      case '[':
        ++depth;
        break;
      case '}':
      case ']':
        if (depth == 0) return at;
        if (--depth == 0) return at + 1;
        break;
      case ',':
      case ' ':
      case '\n':
      case '\r':
      case '\t':
        if (depth == 0) return at;
        break;
      default:
        break;
    }
    ++at;
  }
  return at;
}

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The four hex digits at `at`, or -1.
int hex4(std::string_view raw, std::size_t at) noexcept {
  if (at + 4 > raw.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    const int digit = hex_value(raw[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | (code >> 6));
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3f));
    put(0x80 | ((code >> 6) & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

/// Decodes a \u escape whose backslash is at `at`; answers how many bytes it took, 0 when broken.
std::size_t decode_unicode(std::string_view raw, std::size_t at, std::string& out) {
  const int high = hex4(raw, at + 2);
  if (high < 0) return 0;
  if (high >= 0xd800 && high < 0xdc00 && raw.substr(at + 6, 2) == "\\u") {
    const int low = hex4(raw, at + 8);
    if (low >= 0xdc00 && low < 0xe000) {
      append_utf8(out, 0x10000U + (static_cast<std::uint32_t>(high - 0xd800) << 10) +
                           static_cast<std::uint32_t>(low - 0xdc00));
      return 12;
    }
  }
  append_utf8(out, static_cast<std::uint32_t>(high));
  return 6;
}

/// The edit for a member, or null.
const Edit* edit_of(const Member& member, const std::vector<Edit>& edits, std::size_t& index) {
  for (index = 0; index < edits.size(); ++index) {
    if (key_is(member, edits[index].key)) return &edits[index];
  }
  return nullptr;
}

}  // namespace

std::vector<Member> top_level(std::string_view text) {
  std::vector<Member> members;
  std::size_t at = skip_blank(text, 0);
  if (at >= text.size() || text[at] != '{') return members;
  members.reserve(12);
  at = skip_blank(text, at + 1);
  while (at < text.size() && text[at] == '"') {
    Member member;
    member.begin = at;
    at = skip_string(text, at);
    if (at < member.begin + 2) break;
    member.key = text.substr(member.begin + 1, at - member.begin - 2);
    at = skip_blank(text, at);
    if (at >= text.size() || text[at] != ':') break;
    member.value_begin = skip_blank(text, at + 1);
    member.end = skip_value(text, member.value_begin);
    at = skip_blank(text, member.end);
    members.push_back(member);
    if (at >= text.size() || text[at] != ',') break;
    at = skip_blank(text, at + 1);
  }
  return members;
}

std::string decode_escapes(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  for (std::size_t at = 0; at < raw.size();) {
    if (raw[at] != '\\' || at + 1 >= raw.size()) {
      out += raw[at++];
      continue;
    }
    std::size_t taken = 2;
    switch (raw[at + 1]) {
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u':
        taken = decode_unicode(raw, at, out);
        if (taken == 0) {
          out += raw.substr(at, 2);
          taken = 2;
        }
        break;
      default:
        out += raw[at + 1];
    }
    at += taken;
  }
  return out;
}

bool key_is(const Member& member, std::string_view name) {
  if (member.key == name) return member.key.find('\\') == std::string_view::npos;
  if (member.key.size() <= name.size() || member.key.find('\\') == std::string_view::npos) {
    return false;
  }
  return decode_escapes(member.key) == name;
}

const Member* find_member(const std::vector<Member>& members, std::string_view name) {
  for (const auto& member : members) {
    if (key_is(member, name)) return &member;
  }
  return nullptr;
}

std::string splice(std::string_view text, const std::vector<Member>& members,
                   const std::vector<Edit>& edits) {
  const std::size_t open = text.find('{');
  if (open == std::string_view::npos) return std::string(text);
  std::string out;
  std::size_t size = text.size() + simdjson::SIMDJSON_PADDING;
  for (const auto& edit : edits) size += edit.key.size() + edit.value.size() + 4;
  out.reserve(size);
  std::vector<bool> used(edits.size());
  bool any = false;
  out += text.substr(0, members.empty() ? open + 1 : members.front().begin);
  for (std::size_t i = 0; i < members.size(); ++i) {
    const Member& member = members[i];
    std::size_t index = 0;
    const Edit* edit = edit_of(member, edits, index);
    if (edit != nullptr && (edit->value.empty() || used[index])) {
      used[index] = true;
      continue;
    }
    if (any) out += text.substr(members[i - 1].end, member.begin - members[i - 1].end);
    any = true;
    out += text.substr(member.begin, member.value_begin - member.begin);
    out += edit == nullptr ? member.value(text) : std::string_view(edit->value);
    if (edit != nullptr) used[index] = true;
  }
  for (std::size_t i = 0; i < edits.size(); ++i) {
    if (used[i] || edits[i].value.empty()) continue;
    if (any) out += ',';
    any = true;
    out += '"';
    out += edits[i].key;
    out += "\":";
    out += edits[i].value;
  }
  out += text.substr(members.empty() ? open + 1 : members.back().end);
  return out;
}

}  // namespace mainstay::models
