// Word by word, without case: what is not in the request cannot be a quote of it.
#include "models/quotes.h"

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/json_fields.h"
#include "base/text.h"

namespace mainstay::models {
namespace {

constexpr std::size_t kComparedMax = 256 * 1024;  ///< of a body; runs on an event loop
constexpr std::size_t kWordsMax = 1024;
constexpr std::string_view kInstead = "...";

constexpr std::array<std::string_view, 40> kOfTheApi = {
    "model",       "models",   "message",   "messages",   "content",
    "role",        "user",     "system",    "assistant",  "tool",
    "tools",       "function", "stream",    "max_tokens", "max_completion_tokens",
    "temperature", "top_p",    "stop",      "seed",       "status",
    "error",       "invalid",  "image_url", "type",       "text",
    "json",        "api",      "key",       "request",    "token",
    "tokens",      "limit",    "context",   "length",     "maximum",
    "400",         "413",      "422",       "429",        "500"};

bool is_part(char c) noexcept {
  const auto u = static_cast<unsigned char>(c);
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         u >= 0x80;
}

void gather(const Json& value, std::string& into) {
  if (value.is_string()) {
    into += '\n';
    into += value.get_ref<const std::string&>();
  } else if (value.is_number()) {
    into += '\n';
    into += value.dump();
  } else if (value.is_structured()) {
    for (const auto& inner : value) gather(inner, into);
  }
}

/// Short words must stand alone; of longer ones a part is a quote too, as the provider may cut.
bool occurs(std::string_view text, std::string_view word) {
  for (auto at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
    if (word.size() > 3) return true;
    const bool begins = at == 0 || !is_part(text[at - 1]);
    const std::size_t end = at + word.size();
    if (begins && (end == text.size() || !is_part(text[end]))) return true;
  }
  return false;
}

/// Escapes of JSON within the words ("\n", "\u00e9") are no letters.
std::string without_escapes(std::string_view words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] != '\\' || i + 1 == words.size()) {
      out += words[i];
      continue;
    }
    ++i;
    out += ' ';
    if (words[i] == 'u') i = std::min(i + 4, words.size() - 1);
  }
  return out;
}

}  // namespace

std::string without_quotes(std::string_view words, std::string_view body) {
  if (words.empty()) return {};
  if (body.size() > kComparedMax) return "(the provider's words are left out)";
  const auto parsed = parse_json(body);
  if (!parsed.ok()) return "(the provider's words are left out)";
  std::string text;
  gather(*parsed, text);
  text = lower_ascii(text);
  const std::string model = lower_ascii(string_field(*parsed, "model"));
  const std::string said = without_escapes(cut_utf8(words, kWordsMax));
  std::string out;
  for (std::size_t from = 0; from < said.size();) {
    if (!is_part(said[from])) {
      out += said[from++];
      continue;
    }
    std::size_t end = from;
    while (end < said.size() && is_part(said[end])) ++end;
    const std::string_view shown = std::string_view(said).substr(from, end - from);
    const std::string word = lower_ascii(shown);
    from = end;
    const bool plain = std::find(kOfTheApi.begin(), kOfTheApi.end(), word) != kOfTheApi.end() ||
                       occurs(model, word);
    if (plain || !occurs(text, word)) {
      out += shown;
    } else if (!out.ends_with(kInstead)) {
      out += kInstead;
    }
  }
  return out;
}

}  // namespace mainstay::models
