// The layers, one over the other: profile, file, credentials, environment, flags.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "config/loader.h"
#include "config/profile.h"
#include "config/units.h"

extern char** environ;

namespace mainstay::config {
namespace {

constexpr std::string_view kPrefix = "MAINSTAY_";
constexpr std::string_view kFileVariable = "MAINSTAY_CONFIG";
/// The key that the command-line client sends; it may stand in the same environment as a server.
constexpr std::string_view kClientKeyVariable = "MAINSTAY_API_KEY";
constexpr std::size_t kSecretFileMax = 64 * 1024;

/// "server.body_max" for "MAINSTAY_SERVER__BODY_MAX".
std::string key_of(std::string_view variable) {
  std::string out = lower_ascii(variable.substr(kPrefix.size()));
  for (auto at = out.find("__"); at != std::string::npos; at = out.find("__", at)) {
    out.replace(at, 2, ".");
  }
  return out;
}

const Row* row_in(std::span<const Row> table, std::string_view key) {
  for (const Row& row : table) {
    if (key == row.key) return &row;
  }
  return nullptr;
}

/// The profile that the given values ask for, the strongest layer first; empty: none said.
std::string asked_profile(const Sources& sources, const FileContent& file) {
  for (auto flag = sources.flags.rbegin(); flag != sources.flags.rend(); ++flag) {
    if (flag->first == "profile") return flag->second;
  }
  const auto variable = sources.environment.find("MAINSTAY_PROFILE");
  if (variable != sources.environment.end()) return variable->second;
  for (const auto& value : file.values) {
    const auto* text = std::get_if<std::string>(&value.given);
    if (value.key == "profile" && text != nullptr) return *text;
  }
  return {};
}

Given secret_given(const Row& row, std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    if (!line.empty()) lines.emplace_back(line);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  if (type_of(row) != "secret") return lines;
  if (lines.size() != 1) return Unfit{"a file with no line or several"};
  return lines.front();
}

}  // namespace

std::string plain_name(std::string_view name) {
  std::string out = lower_ascii(name);
  for (char& c : out) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) c = '_';
  }
  return out;
}

bool is_section(std::string_view key) {
  const std::string below = std::string(key) + ".";
  return std::ranges::any_of(
      rows(), [&](const Row& row) { return std::string_view(row.key).starts_with(below); });
}

std::string variable_of(std::string_view key) {
  std::string out(kPrefix);
  for (const char c : key) {
    if (c == '.') {
      out += "__";
    } else {
      out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    }
  }
  return out;
}

void Loader::unknown(const std::string& key, std::string_view looked_up, const std::string& where) {
  if (is_section(key)) {
    const bool in_file = !where.starts_with(kPrefix) && !where.starts_with("--");
    problems.push_back({where, key,
                        in_file ? "must be a section: [" + key + "] with its settings below it"
                                : "is a section: give a value to one of the settings in it"});
    return;
  }
  const std::string near = nearest(looked_up, known_keys());
  std::string says = "there is no such setting";
  if (!near.empty() && where.starts_with(kPrefix)) {
    says += "; did you mean " + variable_of(near) + "?";
  } else if (!near.empty()) {
    says += "; did you mean \"" + near + "\"?";
  } else {
    says += "; `mainstay config reference` lists them all";
  }
  problems.push_back({where, key, std::move(says)});
}

/// Settings of the tree, and providers.<name>.<field>, which makes the provider if it is new.
Loader::Target Loader::find(const std::string& key) {
  Target out;
  std::string plain = key;
  out.row = find_row(plain);
  if (out.row == nullptr && plain.ends_with("_file")) {
    plain.resize(plain.size() - 5);
    out.row = find_row(plain);
    if (out.row != nullptr && !is_secret(*out.row)) out.row = nullptr;
    out.from_file = out.row != nullptr;
  }
  out.object = &loaded.settings;
  if (out.row == nullptr || !plain.starts_with("providers.")) return out;
  const std::string name = plain.substr(10, plain.rfind('.') - 10);
  auto& providers = loaded.settings.providers;
  auto found = std::find_if(providers.begin(), providers.end(), [&](const ProviderSettings& p) {
    return plain_name(p.name) == plain_name(name);
  });
  if (found == providers.end()) {
    ProviderSettings fresh;
    fresh.name = name;
    if (!usual_address(name).empty()) fresh.kind = name;
    found = providers.insert(providers.end(), std::move(fresh));
  }
  out.object = &*found;
  return out;
}

void Loader::put(Target target, const std::string& key, const Given& given,
                 const std::string& where) {
  Given value = given;
  std::string plain = key;
  if (target.from_file) {
    plain.resize(plain.size() - 5);
    const auto* path = std::get_if<std::string>(&given);
    if (const auto* words = std::get_if<Words>(&given)) path = &words->text;
    if (path == nullptr) {
      problems.push_back({where, key, "must be the path of a file"});
      return;
    }
    auto text = read_small_file(*path, kSecretFileMax);
    if (!text.ok()) {
      problems.push_back({where, key, *path + " is not usable: " + text.error().message});
      return;
    }
    // A list without a key would let everybody in, and half a write leaves such a file.
    if (trim(*text).empty()) {
      problems.push_back({where, key, *path + " is empty; write the secret into it"});
      return;
    }
    value = secret_given(*target.row, *text);
  }
  std::string says = assign(*target.row, target.object, value);
  if (says.empty()) {
    loaded.origin[plain] = where;
  } else {
    problems.push_back({where, key, std::move(says)});
  }
}

void Loader::set(const std::string& key, const Given& given, const std::string& where) {
  const Target target = find(key);
  if (target.row != nullptr) {
    put(target, key, given, where);
  } else {
    unknown(key, key, where);
  }
}

void Loader::apply_profile(const std::string& name) {
  for (const ProfileValue& value : profile_values()) {
    if (name == value.profile) set(value.key, Words{value.value}, "profile " + name);
  }
}

void Loader::apply_table(const FileTable& from, const TableKind& kind, void* object) {
  for (const FileValue& value : from.values) {
    Target target{row_in(kind.rows, value.key), object, false};
    if (target.row == nullptr && value.key.ends_with("_file")) {
      const std::string plain = value.key.substr(0, value.key.size() - 5);
      target.row = row_in(kind.rows, plain);
      target.from_file = target.row != nullptr && is_secret(*target.row);
      if (!target.from_file) target.row = nullptr;
    }
    const std::string key = kind.prefix + "." + value.key;
    if (target.row != nullptr) {
      put(target, key, value.given, value.where);
    } else {
      unknown(key, kind.name + "." + value.key, value.where);
    }
  }
  for (const std::string_view required : kind.required) {
    const bool given = std::any_of(from.values.begin(), from.values.end(),
                                   [&](const FileValue& v) { return v.key == required; });
    if (given) continue;
    problems.push_back(
        {from.where, kind.prefix + "." + std::string(required), "is required and missing"});
  }
}

namespace {

/// The text under `key` in an element, to name the element by; "?" when there is none.
std::string named(const FileTable& table, std::string_view key) {
  for (const auto& value : table.values) {
    const auto* text = std::get_if<std::string>(&value.given);
    if (value.key == key && text != nullptr) return *text;
  }
  return "?";
}

}  // namespace

void Loader::apply_file(const FileContent& file) {
  for (const FileValue& value : file.values) set(value.key, value.given, value.where);
  for (const FileTable& table : file.providers) {
    ProviderSettings provider;
    const std::string prefix = "providers." + named(table, "name");
    apply_table(table, {"providers", prefix, provider_rows(), {"name", "kind"}}, &provider);
    loaded.origin[prefix] = table.where;
    loaded.settings.providers.push_back(std::move(provider));
  }
  for (const FileTable& table : file.hosts) {
    HostSettings host;
    const std::string prefix = "hosts." + named(table, "name");
    apply_table(table, {"hosts", prefix, host_rows(), {"name", "command", "port"}}, &host);
    loaded.origin[prefix] = table.where;
    loaded.settings.hosts.push_back(std::move(host));
  }
  for (const FileTable& table : file.routes) {
    RouteSettings route;
    const std::string prefix = "routes." + named(table, "model");
    apply_table(table, {"routes", prefix, route_rows(), {"model"}}, &route);
    loaded.origin[prefix] = table.where;
    for (const FileTable& one : table.candidates) {
      CandidateSettings candidate;
      const std::string inner =
          prefix + ".candidates." + std::to_string(route.candidates.size() + 1);
      apply_table(one, {"routes.candidates", inner, candidate_rows(), {"provider", "model"}},
                  &candidate);
      loaded.origin[inner] = one.where;
      route.candidates.push_back(std::move(candidate));
    }
    if (route.candidates.empty()) {
      problems.push_back({table.where, prefix + ".candidates", "is required and missing"});
    }
    loaded.settings.routes.push_back(std::move(route));
  }
}

/// systemd puts LoadCredential= files there, named by the setting's key.
void Loader::apply_credentials() {
  const auto folder = sources_.environment.find("CREDENTIALS_DIRECTORY");
  if (folder == sources_.environment.end() || folder->second.empty()) return;
  std::vector<std::string> names;
  std::error_code failed;
  for (std::filesystem::directory_iterator at(folder->second, failed), end; !failed && at != end;
       at.increment(failed)) {
    names.push_back(at->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  for (const auto& name : names) {
    const Row* row = find_row(name);
    if (row == nullptr || !is_secret(*row)) continue;  // other programs' credentials
    set(name + "_file", Words{folder->second + "/" + name}, "credential " + name);
  }
}

void Loader::apply_environment() {
  for (const auto& [variable, value] : sources_.environment) {
    if (!variable.starts_with(kPrefix)) continue;
    if (variable == kFileVariable || variable == kClientKeyVariable) continue;
    set(key_of(variable), Words{value}, variable);
  }
}

void Loader::apply_flags() {
  for (const auto& [key, value] : sources_.flags) {
    const Row* row = find_row(key);
    if (row != nullptr && is_secret(*row)) {
      problems.push_back(
          {"--" + key, key,
           "is a secret, and other users of the machine can read command lines: set the variable " +
               variable_of(key) + ", or give a file with " + key + "_file"});
      continue;
    }
    set(key, Words{value}, "--" + key);
  }
}

/// Where the host of a provider listens; empty: it names none, or none that is there.
std::string Loader::hosted_address(const ProviderSettings& provider) const {
  for (const HostSettings& host : loaded.settings.hosts) {
    if (provider.host.empty() || host.name != provider.host) continue;
    const std::string at = "127.0.0.1:" + std::to_string(host.port);
    if (provider.kind == "wyoming") return "tcp://" + at;
    return "http://" + at + (provider.kind == "openai" ? "/v1" : "");
  }
  return {};
}

void Loader::run() {
  Sources from = sources_;
  const auto variable = from.environment.find(std::string(kFileVariable));
  if (from.file.empty() && variable != from.environment.end() && !variable->second.empty()) {
    from.file = variable->second;
    from.file_required = true;
  }
  const FileContent file = read_file(from, problems);
  loaded.file = file.path;
  loaded.profile = asked_profile(sources_, file);
  if (loaded.profile.empty() || loaded.profile == "auto") {
    loaded.profile = profile_for(read_machine(sources_.root));
  }
  apply_profile(loaded.profile);
  apply_file(file);
  apply_credentials();
  apply_environment();
  apply_flags();
  add_well_known(sources_.environment, loaded, problems);
  for (ProviderSettings& provider : loaded.settings.providers) {
    if (provider.base_url.empty()) provider.base_url = hosted_address(provider);
    if (provider.base_url.empty()) provider.base_url = usual_address(provider.kind);
  }
  cross_check(loaded, problems);
}

std::vector<Problem> check(const Sources& sources) {
  Loader loader(sources);
  loader.run();
  return std::move(loader.problems);
}

Result<Loaded> load(const Sources& sources) {
  Loader loader(sources);
  loader.run();
  if (loader.problems.empty()) return std::move(loader.loaded);
  std::string text;
  for (const Problem& problem : loader.problems) {
    if (!text.empty()) text += '\n';
    text += problem.where.empty() ? "" : problem.where + ": ";
    text += problem.key.empty() ? "" : problem.key + ": ";
    text += problem.says;
  }
  return Error::say(Errc::invalid, "invalid_config", std::move(text));
}

Result<Loaded> reload(const Sources& sources) {
  return load(sources);
}

std::map<std::string, std::string> process_environment() {
  std::map<std::string, std::string> out;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view line(*at);
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    out.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return out;
}

}  // namespace mainstay::config
