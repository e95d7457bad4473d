// Effective values with origins, and the comparison of two snapshots.
#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"
#include "config/load.h"
#include "config/loader.h"

namespace mainstay::config {
namespace {

constexpr std::array<std::string_view, 4> kSecretWords = {"key", "token", "secret", "password"};

/// "scheme://user:secret@host" without the secret. Passwords made at random hold any sign: Redis'
/// address ends its credentials at the last '@', the others before the path.
void hide_password(Json& value) {
  if (!value.is_string()) return;
  std::string text = value.get<std::string>();
  const auto scheme = text.find("://");
  if (scheme == std::string::npos) return;
  const auto begin = scheme + 3;
  const bool redis = text.starts_with("redis") || text.starts_with("unix");
  const auto at = text.rfind('@', redis ? std::string::npos : text.find('/', begin));
  if (at == std::string::npos || at < begin) return;
  const auto colon = text.find(':', begin);
  // Without a colon what stands there is a user's name, but for Redis the password.
  if (colon < at) {
    text.replace(colon + 1, at - colon - 1, "****");
  } else if (redis) {
    text.replace(begin, at - begin, "****");
  }
  value = text;
}

/// The row's value; TOML's texts, numbers and lists as toml_value() writes them are JSON.
Json json_value(const Row& row, const void* object) {
  auto value = parse_json(toml_value(row, const_cast<void*>(object)));
  Json out = value.ok() ? std::move(*value) : Json();
  hide_password(out);
  return out;
}

/// Stars for what a process is given as a secret: all values of its environment, and in its
/// arguments those of options whose names speak of one ("--api-key VALUE", "--token=VALUE").
void hide_secrets(Json& environment, Json& arguments) {
  for (auto& pair : environment) {
    const std::string text = pair.get<std::string>();
    pair = text.substr(0, text.find('=')) + "=****";
  }
  bool follows = false;
  for (auto& word : arguments) {
    const std::string text = word.get<std::string>();
    const auto equals = text.find('=');
    if (follows && !text.starts_with('-')) word = "****";
    const std::string name = lower_ascii(text.substr(0, equals));
    const bool secret =
        name.starts_with('-') && std::ranges::any_of(kSecretWords, [&](std::string_view one) {
          return name.ends_with(one);
        });
    if (secret && equals != std::string::npos) word = text.substr(0, equals) + "=****";
    follows = secret && equals == std::string::npos;
  }
}

std::string origin_of(const Loaded& loaded, const std::string& key) {
  const auto found = loaded.origin.find(key);
  return found == loaded.origin.end() ? "default" : found->second;
}

template <class T>
void add(Json& out, const Loaded& loaded, const std::string& prefix, std::span<const Row> table,
         const T& object) {
  const T defaults;
  for (const Row& row : table) {
    const std::string key = prefix + row.key;
    out[key] = {{"value", json_value(row, &object)},
                {"default", json_value(row, &defaults)},
                {"origin", origin_of(loaded, key)}};
  }
}

template <class T>
bool same(const Row& row, const T& a, const T& b) {
  const Slot left = row.slot(const_cast<T*>(&a));
  const Slot right = row.slot(const_cast<T*>(&b));
  return std::visit([&](auto* x) { return *x == *std::get<decltype(x)>(right); }, left);
}

template <class T>
bool all_same(std::span<const Row> table, const T& a, const T& b) {
  return std::all_of(table.begin(), table.end(), [&](const Row& row) { return same(row, a, b); });
}

bool same_route(const RouteSettings& a, const RouteSettings& b) {
  return all_same(route_rows(), a, b) &&
         std::equal(a.candidates.begin(), a.candidates.end(), b.candidates.begin(),
                    b.candidates.end(), [](const CandidateSettings& x, const CandidateSettings& y) {
                      return all_same(candidate_rows(), x, y);
                    });
}

template <class T>
const T* find_named(const std::vector<T>& list, const std::string& name, std::string T::* member) {
  for (const T& item : list) {
    if (item.*member == name) return &item;
  }
  return nullptr;
}

void provider_differences(const Settings& a, const Settings& b, std::vector<std::string>& out) {
  for (const auto& before : a.providers) {
    const auto* after = find_named(b.providers, before.name, &ProviderSettings::name);
    if (after == nullptr) {
      out.push_back("providers." + before.name);
      continue;
    }
    for (const Row& row : provider_rows()) {
      if (!same(row, before, *after)) out.push_back("providers." + before.name + "." + row.key);
    }
  }
  for (const auto& after : b.providers) {
    if (find_named(a.providers, after.name, &ProviderSettings::name) == nullptr) {
      out.push_back("providers." + after.name);
    }
  }
}

void route_differences(const Settings& a, const Settings& b, std::vector<std::string>& out) {
  for (const auto& before : a.routes) {
    const auto* after = find_named(b.routes, before.model, &RouteSettings::model);
    if (after == nullptr || !same_route(before, *after)) out.push_back("routes." + before.model);
  }
  for (const auto& after : b.routes) {
    if (find_named(a.routes, after.model, &RouteSettings::model) == nullptr) {
      out.push_back("routes." + after.model);
    }
  }
}

void host_differences(const Settings& a, const Settings& b, std::vector<std::string>& out) {
  for (const auto& before : a.hosts) {
    const auto* after = find_named(b.hosts, before.name, &HostSettings::name);
    if (after == nullptr || !all_same(host_rows(), before, *after)) {
      out.push_back("hosts." + before.name);
    }
  }
  for (const auto& after : b.hosts) {
    if (find_named(a.hosts, after.name, &HostSettings::name) == nullptr) {
      out.push_back("hosts." + after.name);
    }
  }
}

}  // namespace

Json show(const Loaded& loaded) {
  Json out = Json::object();
  add(out, loaded, "", rows(), loaded.settings);
  for (const auto& provider : loaded.settings.providers) {
    add(out, loaded, "providers." + provider.name + ".", provider_rows(), provider);
  }
  for (const auto& route : loaded.settings.routes) {
    const std::string prefix = "routes." + route.model + ".";
    add(out, loaded, prefix, route_rows(), route);
    for (std::size_t i = 0; i < route.candidates.size(); ++i) {
      add(out, loaded, prefix + "candidates." + std::to_string(i + 1) + ".", candidate_rows(),
          route.candidates[i]);
    }
  }
  for (const auto& host : loaded.settings.hosts) {
    const std::string prefix = "hosts." + host.name + ".";
    add(out, loaded, prefix, host_rows(), host);
    hide_secrets(out[prefix + "environment"]["value"], out[prefix + "arguments"]["value"]);
  }
  return out;
}

std::vector<std::string> differences(const Settings& a, const Settings& b) {
  std::vector<std::string> out;
  for (const Row& row : rows()) {
    if (!same(row, a, b)) out.emplace_back(row.key);
  }
  provider_differences(a, b, out);
  route_differences(a, b, out);
  host_differences(a, b, out);
  return out;
}

bool needs_restart(const std::string& key) {
  // A provider or route that came or went as a whole has no row: the router is made anew for it.
  if (key.starts_with("providers.") || key.starts_with("routes.")) return false;
  const Row* row = find_row(key);
  return row == nullptr || row->change == Change::restart;
}

std::vector<std::string> keep_until_restart(Settings& next, const Settings& boot) {
  std::vector<std::string> kept;
  for (const Row& row : rows()) {
    if (row.change == Change::live || same(row, next, boot)) continue;
    const Slot from = row.slot(const_cast<Settings*>(&boot));
    std::visit([&](auto* to) { *to = *std::get<decltype(to)>(from); }, row.slot(&next));
    kept.emplace_back(row.key);
  }
  // Hosts run on: what a reload says of them counts from the next start.
  std::vector<std::string> all;
  host_differences(next, boot, all);
  if (!all.empty()) next.hosts = boot.hosts;
  kept.insert(kept.end(), all.begin(), all.end());
  return kept;
}

}  // namespace mainstay::config
