// Checks the top level of a chat body and takes out what the engine needs to know.
#include "models/chat.h"

#include <array>
#include <cstring>

#include <fmt/format.h>

#include "base/text.h"
#include "models/chat_check.h"

namespace mainstay::models {
namespace check {

std::string Place::text() const {
  if (parent == nullptr) return std::string(name);
  std::string out = parent->text();
  if (name.empty()) return out + "[" + std::to_string(index) + "]";
  if (!out.empty()) out += '.';
  return out.append(name);
}

Error refuse(const Place& place, Errc code, std::string_view reason, std::string_view sentence) {
  std::string field = place.text();
  std::string message = field.empty() ? "The body" : "'" + field + "'";
  message.append(" ").append(sentence);
  return Error::say(code, reason, std::move(message), std::move(field));
}

Error wrong_type(const Place& place, std::string_view wanted) {
  return refuse(place, Errc::invalid, "invalid_type", fmt::format("must be {}.", wanted));
}

Error missing(const Place& place) {
  return refuse(place, Errc::invalid, "missing_field", "is required.");
}

Error duplicate(const Place& place) {
  return refuse(place, Errc::invalid, "duplicate_field", "is given more than once; give it once.");
}

Result<std::string_view> text_of(const Place& place, Element value) {
  std::string_view text;
  if (value.get_string().get(text) != simdjson::SUCCESS) return wrong_type(place, "a string");
  if (std::memchr(text.data(), '\0', text.size()) != nullptr) {
    return refuse(place, Errc::invalid, "invalid_value", "must not hold the character U+0000.");
  }
  return text;
}

Result<std::string_view> short_text_of(const Place& place, Element value, std::size_t max) {
  auto text = text_of(place, value);
  if (!text.ok()) return text;
  if (text->empty() || text->size() > max) {
    return refuse(place, Errc::invalid, "out_of_range",
                  fmt::format("must be 1 to {} bytes long.", max));
  }
  if (has_control_characters(*text) || text->find_first_of("\t\r\n") != std::string_view::npos) {
    return refuse(place, Errc::invalid, "invalid_value", "must not hold control characters.");
  }
  return text;
}

Result<bool> flag_of(const Place& place, Element value) {
  bool flag = false;
  if (value.get_bool().get(flag) != simdjson::SUCCESS) return wrong_type(place, "true or false");
  return flag;
}

Result<std::uint64_t> count_of(const Place& place, Element value, std::uint64_t low,
                               std::uint64_t high) {
  if (!value.is_number())
    return wrong_type(place, fmt::format("a whole number from {} to {}", low, high));
  std::uint64_t number = 0;
  if (value.get_uint64().get(number) == simdjson::SUCCESS && number >= low && number <= high) {
    return number;
  }
  return refuse(place, Errc::invalid, "out_of_range",
                fmt::format("must be a whole number from {} to {}.", low, high));
}

Status number_between(const Place& place, Element value, double low, double high) {
  double number = 0;
  if (value.get_double().get(number) != simdjson::SUCCESS) {
    return wrong_type(place, fmt::format("a number from {} to {}", low, high));
  }
  if (number >= low && number <= high) return done();
  return refuse(place, Errc::invalid, "out_of_range",
                fmt::format("must be from {} to {}.", low, high));
}

Status is_object(const Place& place, Element value) {
  if (value.is_object()) return done();
  return wrong_type(place, "an object");
}

bool is_name(std::string_view text, std::size_t max, bool wide) {
  if (text.empty() || text.size() > max) return false;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-';
    if (!plain && !(wide && (c == '.' || c == ':'))) return false;
  }
  return true;
}

}  // namespace check

namespace {

using namespace check;

/// Top-level members that are looked at. Everything else passes through as it is.
enum class Key : std::uint8_t {
  messages,
  model,
  stream,
  stream_options,
  tools,
  tool_choice,
  functions,
  temperature,
  top_p,
  n,
  max_tokens,
  max_completion_tokens,
  options,
  presence_penalty,
  frequency_penalty,
  seed,
  logprobs,
  top_logprobs,
  logit_bias,
  stop,
  response_format,
  user,
  conversation,
  collection,
  documents,
  other
};

constexpr std::array<std::string_view, 25> kKeys = {"messages",
                                                    "model",
                                                    "stream",
                                                    "stream_options",
                                                    "tools",
                                                    "tool_choice",
                                                    "functions",
                                                    "temperature",
                                                    "top_p",
                                                    "n",
                                                    "max_tokens",
                                                    "max_completion_tokens",
                                                    "options",
                                                    "presence_penalty",
                                                    "frequency_penalty",
                                                    "seed",
                                                    "logprobs",
                                                    "top_logprobs",
                                                    "logit_bias",
                                                    "stop",
                                                    "response_format",
                                                    "user",
                                                    "conversation",
                                                    "collection",
                                                    "documents"};
static_assert(kKeys.size() == static_cast<std::size_t>(Key::other));

constexpr std::size_t kStopsMax = 4;
constexpr double kPenaltyMax = 2;
constexpr std::uint64_t kTopLogprobsMax = 20;
constexpr std::size_t kOwnNameMax = 128;

Key key_of(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kKeys.size(); ++i) {
    if (kKeys[i] == name) return static_cast<Key>(i);
  }
  return Key::other;
}

/// One body's checks; what they find goes straight into `parsed`.
class BodyCheck {
 public:
  BodyCheck(ParsedChat& parsed, const LimitSettings& limits) : parsed_(parsed), limits_(limits) {}

  Status run(simdjson::dom::object object) {
    for (auto [name, value] : object) {
      const Key key = key_of(name);
      if (key == Key::other) continue;
      const Place place = root_.member(name);
      const std::uint32_t bit = 1U << static_cast<unsigned>(key);
      if ((seen_ & bit) != 0) return duplicate(place);
      seen_ |= bit;
      auto fine = value.is_null() ? null(key, place) : one(key, place, value);
      if (!fine.ok()) return fine;
    }
    return whole();
  }
  bool has(Key key) const { return (seen_ & (1U << static_cast<unsigned>(key))) != 0; }

 private:
  /// null is how clients leave out an optional member.
  static Status null(Key key, const Place& place) {
    if (key == Key::messages) return wrong_type(place, "an array of messages");
    return done();
  }

  Status one(Key key, const Place& place, Element value) {
    switch (key) {
      case Key::messages:
        return messages(place, value);
      case Key::model:
        return keep(short_text_of(place, value), parsed_.request.model);
      case Key::stream:
        return keep(flag_of(place, value), parsed_.request.stream);
      case Key::stream_options:
        return stream_options(place, value);
      case Key::tools:
        return check_tools(place, value, limits_, parsed_.request.has_tools);
      case Key::tool_choice:
        return check_tool_choice(place, value);
      case Key::functions:
        return functions(place, value);
      case Key::temperature:
        return number_between(place, value, 0, 2);
      case Key::top_p:
        return number_between(place, value, 0, 1);
      case Key::n:
        return choices(place, value);
      case Key::max_tokens:
      case Key::max_completion_tokens:
        return most_tokens(place, value);
      case Key::options:
        return ollamas_most_tokens(place.member("num_predict"), value);
      case Key::presence_penalty:
      case Key::frequency_penalty:
        return number_between(place, value, -kPenaltyMax, kPenaltyMax);
      case Key::seed:
        return seed(place, value);
      case Key::top_logprobs:
        return counted(place, value, 0, kTopLogprobsMax);
      case Key::stop:
        return stop(place, value);
      case Key::logprobs:
        return dropped(flag_of(place, value));
      case Key::logit_bias:
        return is_object(place, value);
      case Key::response_format:
        return response_format(place, value);
      case Key::user:
        return dropped(short_text_of(place, value));
      case Key::conversation:
        return own(place, value, parsed_.own.conversation);
      case Key::collection:
        return own(place, value, parsed_.own.collection);
      case Key::documents:
        return keep(flag_of(place, value), parsed_.request.documents);
      case Key::other:
        return done();
    }
    return done();
  }

  /// What can be said only when all members are known.
  Status whole() {
    if (!has(Key::messages)) return missing(root_.member("messages"));
    if (!parsed_.request.documents && parsed_.own.collection) {
      return refuse(root_.member("collection"), Errc::invalid, "invalid_value",
                    "is not allowed together with \"documents\": false.");
    }
    if (stream_options_ && !parsed_.request.stream) {
      return refuse(root_.member("stream_options"), Errc::invalid, "invalid_value",
                    "is allowed only together with \"stream\": true.");
    }
    return done();
  }

  Status messages(const Place& place, Element value) {
    Found found;
    auto fine = check_messages(place, value, limits_, found);
    parsed_.request.has_images = found.images;
    parsed_.request.attachments = found.attachments;
    parsed_.request.attached = found.attached;
    return fine;
  }

  Status stream_options(const Place& place, Element value) {
    auto fine = is_object(place, value);
    if (!fine.ok()) return fine;
    stream_options_ = true;
    Element usage;
    if (value["include_usage"].get(usage) != simdjson::SUCCESS || usage.is_null()) return done();
    return keep(flag_of(place.member("include_usage"), usage), parsed_.request.include_usage);
  }

  Status functions(const Place& place, Element value) {
    simdjson::dom::array list;
    if (value.get_array().get(list) != simdjson::SUCCESS) return wrong_type(place, "an array");
    if (list.size() > limits_.tools_max) {
      return refuse(place, Errc::invalid, "too_many",
                    fmt::format("must hold at most {} functions.", limits_.tools_max));
    }
    parsed_.request.has_tools |= list.size() > 0;
    return done();
  }

  Status choices(const Place& place, Element value) {
    auto count = count_of(place, value, 1, limits_.choices_max);
    if (!count.ok()) return count.error();
    parsed_.request.choices = static_cast<std::uint32_t>(*count);
    return done();
  }

  Status most_tokens(const Place& place, Element value) {
    auto count = count_of(place, value, 1, limits_.max_tokens);
    if (!count.ok()) return count.error();
    parsed_.request.max_tokens = std::max<std::uint64_t>(parsed_.request.max_tokens, *count);
    return done();
  }

  /// Ollama's own word for it: what bounds or counts answers holds for it, too.
  Status ollamas_most_tokens(const Place& place, Element options) {
    Element most;
    if (options["num_predict"].get(most) != simdjson::SUCCESS || !most.is_number()) return done();
    double number = 0;
    if (most.get_double().get(number) == simdjson::SUCCESS && number <= 0) return done();
    return most_tokens(place, most);
  }

  static Status counted(const Place& place, Element value, std::uint64_t low, std::uint64_t high) {
    return dropped(count_of(place, value, low, high));
  }

  static Status seed(const Place& place, Element value) {
    if (value.is_int64()) return done();
    return wrong_type(place, "a whole number of 64 bits");
  }

  static Status stop(const Place& place, Element value) {
    const auto one_stop = [](const Place& at, Element item) -> Status {
      auto text = text_of(at, item);
      if (!text.ok()) return text.error();
      if (text->size() <= kShortMax) return done();
      return refuse(at, Errc::invalid, "out_of_range",
                    fmt::format("must be at most {} bytes long.", kShortMax));
    };
    if (value.is_string()) return one_stop(place, value);
    simdjson::dom::array list;
    if (value.get_array().get(list) != simdjson::SUCCESS) {
      return wrong_type(place,
                        fmt::format("a string or an array of at most {} strings", kStopsMax));
    }
    if (list.size() > kStopsMax) {
      return refuse(place, Errc::invalid, "too_many",
                    fmt::format("must hold at most {} strings.", kStopsMax));
    }
    std::size_t i = 0;
    for (const Element item : list) {
      auto fine = one_stop(place.item(i++), item);
      if (!fine.ok()) return fine;
    }
    return done();
  }

  static Status response_format(const Place& place, Element value) {
    auto fine = is_object(place, value);
    if (!fine.ok()) return fine;
    const Place at = place.member("type");
    Element kind;
    if (value["type"].get(kind) != simdjson::SUCCESS) return missing(at);
    auto type = text_of(at, kind);
    return dropped(type);  // servers have types of their own
  }

  static Status own(const Place& place, Element value, std::optional<std::string>& into) {
    auto text = text_of(place, value);
    if (!text.ok()) return text.error();
    if (!is_name(*text, kOwnNameMax, true)) {
      return refuse(
          place, Errc::invalid, "invalid_value",
          fmt::format("must be 1 to {} letters, digits, '_', '-', '.' or ':'.", kOwnNameMax));
    }
    into = std::string(*text);
    return done();
  }

  template <class T, class U>
  static Status keep(const Result<T>& value, U& into) {
    if (!value.ok()) return value.error();
    into = *value;
    return done();
  }
  template <class T>
  static Status dropped(const Result<T>& value) {
    if (!value.ok()) return value.error();
    return done();
  }

  ParsedChat& parsed_;
  const LimitSettings& limits_;
  const Place root_{};
  std::uint32_t seen_ = 0;
  bool stream_options_ = false;
};

/// Top-level keys written with escapes are written plainly, so that nobody behind this check reads
/// another member than this check did. Keys that need an escape stay as they are.
void write_keys_plainly(std::string& body, std::vector<Member>& members) {
  bool any = false;
  for (const auto& member : members) any |= member.key.find('\\') != std::string_view::npos;
  if (!any) return;
  std::string out;
  out.reserve(body.size() + simdjson::SIMDJSON_PADDING);
  std::size_t copied = 0;
  for (const auto& member : members) {
    const std::string plain = decode_escapes(member.key);
    if (plain == member.key || !is_name(plain, kShortMax, true)) continue;
    out.append(body, copied, member.begin + 1 - copied);
    out += plain;
    copied = member.begin + 1 + member.key.size();
  }
  out.append(body, copied);
  body = std::move(out);
  members = top_level(body);
}

}  // namespace

Result<ParsedChat> parse_chat(std::string body, const LimitSettings& limits,
                              const std::string& default_model) {
  body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
  auto element = read_json(body);
  if (!element.ok()) return element.error();
  simdjson::dom::object object;
  if (element->get_object().get(object) != simdjson::SUCCESS) {
    return wrong_type(Place{}, "a JSON object");
  }
  ParsedChat parsed;
  BodyCheck check(parsed, limits);
  auto fine = check.run(object);
  if (!fine.ok()) return fine.error();
  ChatRequest& request = parsed.request;
  if (request.model.empty()) request.model = default_model;
  request.body = std::move(body);
  request.index();
  write_keys_plainly(request.body, request.members);
  if (check.has(Key::conversation) || check.has(Key::collection) || check.has(Key::documents)) {
    std::vector<Edit> edits;
    edits.push_back(Edit{.key = "conversation", .value = {}});
    edits.push_back(Edit{.key = "collection", .value = {}});
    edits.push_back(Edit{.key = "documents", .value = {}});
    request.body = splice(request.body, request.members, edits);
    request.index();
  }
  if (parsed.own.collection) request.collection = CollectionName(*parsed.own.collection);
  return parsed;
}

}  // namespace mainstay::models
