// Questions about rows: finding them, and saying type, bounds and value in words.
#include <fmt/format.h>

#include <map>

#include "base/json.h"
#include "config/table.h"
#include "config/units.h"

namespace mainstay::config {
namespace {

template <class... F>
struct Overload : F... {
  using F::operator()...;
};
template <class... F>
Overload(F...) -> Overload<F...>;

/// A place of the row's type, only to ask what type it is.
Slot sample(const Row& row) {
  static Settings settings;
  static ProviderSettings provider;
  static RouteSettings route;
  static CandidateSettings candidate;
  static HostSettings host;
  const auto within = [&](std::span<const Row> table) {
    return !table.empty() && &row >= table.data() && &row < table.data() + table.size();
  };
  if (within(provider_rows())) return row.slot(&provider);
  if (within(route_rows())) return row.slot(&route);
  if (within(candidate_rows())) return row.slot(&candidate);
  if (within(host_rows())) return row.slot(&host);
  return row.slot(&settings);
}

std::string toml_text(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string toml_number(double value) {
  std::string out = fmt::format("{}", value);
  if (out.find_first_of(".e") == out.npos) out += ".0";
  return out;
}

std::string toml_list(const std::vector<std::string>& list) {
  std::string out = "[";
  for (const auto& item : list) {
    if (out.size() > 1) out += ", ";
    out += toml_text(item);
  }
  return out + "]";
}

}  // namespace

const Row* find_row(std::string_view key) {
  static const auto index = [] {
    std::map<std::string, const Row*, std::less<>> out;
    for (const Row& row : rows()) out.emplace(row.key, &row);
    return out;
  }();
  if (key.starts_with("providers.")) {
    const auto dot = key.rfind('.');
    for (const Row& row : provider_rows()) {
      if (dot > 9 && key.substr(dot + 1) == row.key) return &row;
    }
    return nullptr;
  }
  const auto found = index.find(key);
  return found == index.end() ? nullptr : found->second;
}

const std::vector<std::string>& known_keys() {
  static const std::vector<std::string> keys = [] {
    std::vector<std::string> out;
    const auto add = [&out](const std::string& prefix, std::span<const Row> table) {
      for (const Row& row : table) {
        out.push_back(prefix + row.key);
        if (is_secret(row)) out.push_back(prefix + row.key + "_file");
      }
    };
    add("", rows());
    add("providers.", provider_rows());
    add("routes.", route_rows());
    add("routes.candidates.", candidate_rows());
    add("hosts.", host_rows());
    return out;
  }();
  return keys;
}

bool is_secret(const Row& row) {
  const Slot slot = sample(row);
  return std::holds_alternative<Secret*>(slot) ||
         std::holds_alternative<std::vector<Secret>*>(slot);
}

std::string_view type_of(const Row& row) {
  using Text = std::string_view;
  return std::visit(
      Overload{[](std::string*) { return Text("text"); },
               [](std::uint32_t*) { return Text("integer"); },
               [](double*) { return Text("number"); }, [](bool*) { return Text("boolean"); },
               [](Bytes*) { return Text("size"); }, [](Millis*) { return Text("duration"); },
               [](std::vector<std::string>*) { return Text("list of texts"); },
               [](Secret*) { return Text("secret"); },
               [](std::vector<Secret>*) { return Text("list of secrets"); }},
      sample(row));
}

std::string toml_value(const Row& row, void* object) {
  return std::visit(Overload{[](std::string* v) { return toml_text(*v); },
                             [](std::uint32_t* v) { return std::to_string(*v); },
                             [](double* v) { return toml_number(*v); },
                             [](bool* v) { return std::string(*v ? "true" : "false"); },
                             [](Bytes* v) { return toml_text(print(*v)); },
                             [](Millis* v) { return toml_text(print(*v)); },
                             [](std::vector<std::string>* v) { return toml_list(*v); },
                             [](Secret* v) { return toml_text(v->stars()); },
                             [](std::vector<Secret>* v) {
                               return toml_list(std::vector<std::string>(v->size(), "****"));
                             }},
                    row.slot(object));
}

std::string bounds_of(const Row& row) {
  if (row.allowed[0] != '\0') {
    std::string out;
    for (const char c : std::string_view(row.allowed)) {
      if (c == '|') {
        out += ", ";
      } else {
        out += c;
      }
    }
    return out;
  }
  const auto [low, high] = row.range;
  const Slot slot = sample(row);
  if (std::holds_alternative<Bytes*>(slot)) {
    return print(Bytes{static_cast<std::uint64_t>(low)}) + " to " +
           print(Bytes{static_cast<std::uint64_t>(high)});
  }
  if (std::holds_alternative<Millis*>(slot)) {
    return print(Millis(static_cast<std::int64_t>(low))) + " to " +
           print(Millis(static_cast<std::int64_t>(high)));
  }
  if (std::holds_alternative<std::uint32_t*>(slot) || std::holds_alternative<double*>(slot)) {
    return fmt::format("{} to {}", low, high);
  }
  if (std::holds_alternative<std::vector<std::string>*>(slot) ||
      std::holds_alternative<std::vector<Secret>*>(slot)) {
    return fmt::format("at most {} entries", high);
  }
  return {};
}

}  // namespace mainstay::config
