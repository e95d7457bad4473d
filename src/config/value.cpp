// Types, bounds and forms of given values.
#include "config/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "base/text.h"
#include "config/units.h"

namespace mainstay::config {
namespace {

template <class... F>
struct Overload : F... {
  using F::operator()...;
};
template <class... F>
Overload(F...) -> Overload<F...>;

std::string in_quotes(std::string_view text) {
  std::string out;
  append_json_string(out, cut_utf8(to_utf8(text), 80));
  return out;
}

/// The given value for a message.
std::string shown(const Given& given) {
  return std::visit(Overload{[](const Words& v) { return in_quotes(v.text); },
                             [](const std::string& v) { return in_quotes(v); },
                             [](std::int64_t v) { return std::to_string(v); },
                             [](double v) { return fmt::format("{}", v); },
                             [](bool v) { return std::string(v ? "true" : "false"); },
                             [](const std::vector<std::string>&) { return std::string("a list"); },
                             [](const Unfit& v) { return v.what; }},
                    given);
}

/// A secret, or an address with a password in it, is not repeated.
bool hides(const Row& row, const Given& given) {
  return is_secret(row) || shown(given).find('@') != std::string::npos;
}

std::string refused(const Row& row, const Given& given, std::string_view wanted) {
  const std::string not_this = hides(row, given) ? "another kind of value" : shown(given);
  return fmt::format("must be {}, not {}", wanted, not_this);
}

/// "a whole number from 1 to 64".
std::string wanted(const Row& row, std::string_view kind) {
  return fmt::format("{} from {}", kind, bounds_of(row));
}

bool inside(double value, Range range) {
  return value >= range.min && value <= range.max;
}

std::string put_integer(const Row& row, std::uint32_t* to, const Given& given) {
  std::optional<std::int64_t> value;
  if (const auto* words = std::get_if<Words>(&given)) value = parse_integer(words->text);
  if (const auto* number = std::get_if<std::int64_t>(&given)) value = *number;
  if (!value || !inside(static_cast<double>(*value), row.range)) {
    return refused(row, given, wanted(row, "a whole number"));
  }
  *to = static_cast<std::uint32_t>(*value);
  return {};
}

std::string put_number(const Row& row, double* to, const Given& given) {
  std::optional<double> value;
  if (const auto* words = std::get_if<Words>(&given)) value = parse_number(words->text);
  if (const auto* whole = std::get_if<std::int64_t>(&given)) value = static_cast<double>(*whole);
  if (const auto* number = std::get_if<double>(&given)) value = *number;
  if (!value || !std::isfinite(*value) || !inside(*value, row.range)) {
    return refused(row, given, wanted(row, "a number"));
  }
  *to = *value;
  return {};
}

std::string put_switch(const Row& row, bool* to, const Given& given) {
  std::optional<bool> value;
  if (const auto* words = std::get_if<Words>(&given)) value = parse_switch(words->text);
  if (const auto* flag = std::get_if<bool>(&given)) value = *flag;
  if (!value) return refused(row, given, "true or false");
  *to = *value;
  return {};
}

std::string put_size(const Row& row, Bytes* to, const Given& given) {
  std::optional<Bytes> value;
  if (const auto* words = std::get_if<Words>(&given)) value = parse_size(words->text);
  if (const auto* text = std::get_if<std::string>(&given)) value = parse_size(*text);
  if (const auto* bytes = std::get_if<std::int64_t>(&given)) {
    if (*bytes >= 0) value = Bytes{static_cast<std::uint64_t>(*bytes)};
  }
  if (!value || !inside(static_cast<double>(value->value), row.range)) {
    return refused(row, given, wanted(row, "a size such as \"64KiB\" or a number of bytes,"));
  }
  *to = *value;
  return {};
}

std::string put_duration(const Row& row, Millis* to, const Given& given) {
  std::optional<Millis> value;
  if (const auto* words = std::get_if<Words>(&given)) value = parse_duration(words->text);
  if (const auto* text = std::get_if<std::string>(&given)) value = parse_duration(*text);
  if (const auto* ms = std::get_if<std::int64_t>(&given)) value = Millis(*ms);
  if (!value || !inside(static_cast<double>(value->count()), row.range)) {
    return refused(row, given,
                   wanted(row, "a duration such as \"30s\" or a number of milliseconds,"));
  }
  *to = *value;
  return {};
}

/// What is wrong with one text; empty when nothing is.
std::string text_problem(const Row& row, std::string_view text) {
  if (!is_utf8(text)) return "valid UTF-8";
  if (std::any_of(text.begin(), text.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    return "a text without control characters";
  }
  const auto size = static_cast<double>(text.size());
  if (row.range.min > 0 && text.empty()) return "a text that is not empty";
  if (!inside(size, row.range)) return fmt::format("a text of at most {} bytes", row.range.max);
  if (row.allowed[0] != '\0') {
    const std::string all = "|" + std::string(row.allowed) + "|";
    const std::string one = "|" + std::string(text) + "|";
    if (text.find('|') != text.npos || all.find(one) == all.npos) return "one of " + bounds_of(row);
  }
  if (text.empty()) return {};
  switch (row.form) {
    case Form::any:
      return {};
    case Form::host_port:
      if (!is_host_port(text)) return "HOST:PORT with a port from 0 to 65535";
      return {};
    case Form::http_url:
      if (!is_http_url(text)) return "an http:// or https:// address without a user";
      return {};
    case Form::server_url:
      if (!is_http_url(text) && !is_tcp_url(text)) {
        return "an http:// or https:// address without a user, or tcp://HOST:PORT";
      }
      return {};
    case Form::name:
      if (text.find_first_not_of(
              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != text.npos) {
        return "a name of letters, digits, - and _";
      }
      return {};
  }
  return {};
}

std::string put_text(const Row& row, std::string* to, const Given& given) {
  const std::string* value = std::get_if<std::string>(&given);
  if (const auto* words = std::get_if<Words>(&given)) value = &words->text;
  if (value == nullptr) return refused(row, given, "a text");
  const std::string problem = text_problem(row, *value);
  if (!problem.empty()) return refused(row, given, problem);
  *to = *value;
  return {};
}

std::string put_secret(const Row& row, Secret* to, const Given& given) {
  std::string value;
  std::string problem = put_text(row, &value, given);
  if (value == "****") return "is shown as ****, and that is no secret: write the secret itself";
  if (problem.empty()) *to = Secret(std::move(value));
  return problem;
}

std::string put_list(const Row& row, std::vector<std::string>* to, const Given& given) {
  std::vector<std::string> value;
  if (const auto* words = std::get_if<Words>(&given)) {
    value = parse_list(words->text);
  } else if (const auto* list = std::get_if<std::vector<std::string>>(&given)) {
    value = *list;
  } else {
    return refused(row, given, "a list of texts");
  }
  if (!inside(static_cast<double>(value.size()), row.range)) {
    return fmt::format("must have at most {} entries, not {}", row.range.max, value.size());
  }
  Row each = row;
  each.range = {1, 4096};
  for (const std::string& item : value) {
    const std::string problem = text_problem(each, item);
    if (!problem.empty()) return "each entry " + refused(row, item, problem);
  }
  *to = std::move(value);
  return {};
}

std::string put_secrets(const Row& row, std::vector<Secret>* to, const Given& given) {
  std::vector<std::string> texts;
  std::string problem = put_list(row, &texts, given);
  if (!problem.empty()) return problem;
  to->clear();
  for (auto& text : texts) to->emplace_back(std::move(text));
  return {};
}

bool is_port(std::string_view text) {
  const auto port = parse_integer(text);
  return !text.empty() && text[0] != '-' && port && *port <= 65535;
}

}  // namespace

std::string assign(const Row& row, void* object, const Given& given) {
  return std::visit(Overload{[&](std::string* to) { return put_text(row, to, given); },
                             [&](std::uint32_t* to) { return put_integer(row, to, given); },
                             [&](double* to) { return put_number(row, to, given); },
                             [&](bool* to) { return put_switch(row, to, given); },
                             [&](Bytes* to) { return put_size(row, to, given); },
                             [&](Millis* to) { return put_duration(row, to, given); },
                             [&](std::vector<std::string>* to) { return put_list(row, to, given); },
                             [&](Secret* to) { return put_secret(row, to, given); },
                             [&](std::vector<Secret>* to) { return put_secrets(row, to, given); }},
                    row.slot(object));
}

bool is_host_port(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == text.npos || colon == 0 || !is_port(text.substr(colon + 1))) return false;
  const std::string_view host = text.substr(0, colon);
  if (host.find_first_of(" /@?#") != host.npos) return false;
  if (host.front() == '[') return host.size() > 2 && host.back() == ']';
  return host.find_first_of(":[]") == host.npos;
}

bool is_tcp_url(std::string_view text) {
  constexpr std::string_view kScheme = "tcp://";
  return text.starts_with(kScheme) && is_host_port(text.substr(kScheme.size())) &&
         !text.ends_with(":0");
}

bool is_http_url(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    const std::string_view rest = text.substr(scheme.size());
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    if (authority.empty() || authority.find_first_of("@ \\") != authority.npos) return false;
    if (text.find_first_of(" \"<>") != text.npos) return false;
    const bool port_given = authority.back() != ']' && authority.rfind(':') != authority.npos;
    return port_given ? is_host_port(authority) : authority.front() != ':';
  }
  return false;
}

}  // namespace mainstay::config
