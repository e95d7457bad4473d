// Strict reading through simdjson's DOM, and the two ways out of it.
#include "base/json.h"

#include <new>

#include <unordered_map>

#include "base/text.h"

namespace mainstay {
namespace {

/// Texts above this are parsed with a parser of their own, so that one large body does not leave
/// every thread holding several times its size.
constexpr std::size_t kKeepParserBelow = 256 * 1024;

Error bad_json(simdjson::error_code code) {
  if (code == simdjson::MEMALLOC) throw std::bad_alloc();  // our lack, not the caller's mistake
  std::string why = simdjson::error_message(code);
  if (why.ends_with('.')) why.pop_back();
  if (code == simdjson::DEPTH_ERROR) {
    why = "nested deeper than " + std::to_string(kJsonDepthMax) + " levels";
  } else if (code == simdjson::EMPTY) {
    why = "it is empty";
  } else if (code == simdjson::NUMBER_ERROR) {
    why = "a number is malformed, or too large for 64 bits (whole ones) or a double";
  } else if (code == simdjson::STRING_ERROR) {
    why = "a string holds a wrong escape, or half of a surrogate pair, as \\ud83d alone is";
  }
  return Error::say(Errc::invalid, "invalid_json", "The body is not valid JSON: " + why + ".");
}

struct ThreadParser {
  simdjson::dom::parser parser;
  std::unique_ptr<simdjson::dom::parser> large;
};

simdjson::dom::parser& parser_for(std::size_t size) {
  thread_local ThreadParser mine;
  simdjson::dom::parser* chosen = &mine.parser;
  if (size > kKeepParserBelow) {
    mine.large = std::make_unique<simdjson::dom::parser>();
    chosen = mine.large.get();
  } else {
    mine.large.reset();
  }
  if (chosen->max_depth() != kJsonDepthMax || chosen->capacity() < size) {
    if (chosen->allocate(std::max<std::size_t>(size, 4096), kJsonDepthMax) != simdjson::SUCCESS) {
      throw std::bad_alloc();
    }
  }
  return *chosen;
}

Json convert(simdjson::dom::element element);

/// Keeps the order of keys; of a repeated key the last value counts. A tree that keeps order finds
/// a key by looking at all of them, which a hostile object with 100,000 keys would make quadratic:
/// hence the index.
Json convert_object(simdjson::dom::element element) {
  constexpr std::size_t kIndexAbove = 16;
  const simdjson::dom::object object(element);
  Json out = Json::object();
  if (object.size() <= kIndexAbove) {
    for (auto [key, value] : object) out[std::string(key)] = convert(value);
    return out;
  }
  auto& members = static_cast<Json::object_t::Container&>(out.get_ref<Json::object_t&>());
  std::unordered_map<std::string_view, std::size_t> index;
  for (auto [key, value] : object) {
    const auto [known, fresh] = index.emplace(key, members.size());
    if (fresh) {
      members.emplace_back(std::string(key), convert(value));
    } else {
      members[known->second].second = convert(value);
    }
  }
  return out;
}

Json convert(simdjson::dom::element element) {
  using Type = simdjson::dom::element_type;
  switch (element.type()) {
    case Type::ARRAY: {
      Json out = Json::array();
      for (auto child : simdjson::dom::array(element)) out.push_back(convert(child));
      return out;
    }
    case Type::OBJECT: {
      return convert_object(element);
    }
    case Type::INT64: {
      // As nlohmann's own parser has it: what is not negative is unsigned.
      const auto number = std::int64_t(element);
      if (number >= 0) return static_cast<std::uint64_t>(number);
      return number;
    }
    case Type::UINT64:
      return std::uint64_t(element);
    case Type::DOUBLE:
      return double(element);
    case Type::STRING:
      return std::string(std::string_view(element));
    case Type::BOOL:
      return bool(element);
    case Type::NULL_VALUE:
      return nullptr;
  }
  return nullptr;
}

}  // namespace

Result<simdjson::dom::element> read_json(std::string_view text, std::size_t capacity) {
  if (text.empty()) return bad_json(simdjson::EMPTY);  // its pointer may be null
  simdjson::dom::parser& parser = parser_for(text.size());
  const bool copy = capacity < text.size() + simdjson::SIMDJSON_PADDING;
  simdjson::dom::element element;
  const auto code = parser.parse(text.data(), text.size(), copy).get(element);
  if (code != simdjson::SUCCESS) return bad_json(code);
  return element;
}

Result<Json> parse_json(std::string_view text) {
  auto element = read_json(text, text.size());
  if (!element.ok()) return element.error();
  return convert(*element);
}

Json to_json(simdjson::dom::element element) {
  return convert(element);
}

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (u < 0x20 || u == 0x7f) {
      out += "\\u00";
      out += kHex[u >> 4];
      out += kHex[u & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace mainstay
