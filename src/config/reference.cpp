// The reference: Markdown, example file and JSON, all made from the table.
#include <fmt/format.h>

#include <algorithm>

#include "config/load.h"
#include "config/loader.h"
#include "config/profile.h"

namespace mainstay::config {
namespace {

constexpr const char* kIntroduction = R"(# Configuration

<!-- Made by `mainstay config reference` from the table in src/config/table.cpp. Do not edit. -->

Everything has a default; a file is not needed. Values come in layers, each over the one before:

1. the defaults below;
2. the profile (`profile`);
3. the file: `--config FILE`, else the variable `MAINSTAY_CONFIG`, else the first of
   `./mainstay.toml`, `$XDG_CONFIG_HOME/mainstay/mainstay.toml` (or
   `~/.config/mainstay/mainstay.toml`) and `/etc/mainstay/mainstay.toml` that exists;
4. systemd credentials (files in `$CREDENTIALS_DIRECTORY` named by a secret's key, e.g. `auth.keys`);
5. environment variables `MAINSTAY_SECTION__KEY`, e.g. `MAINSTAY_LIMITS__USER__BURST=9`;
   `MAINSTAY_PROVIDERS__NAME__FIELD` sets a field of the provider of that name, and makes it if
   there is none;
6. flags of the command line.

`mainstay config show` prints every value in force with its origin, `mainstay config check` prints
every problem at once, with its file and line, the accepted values, and the nearest known name for
a name that does not exist. Unknown names are refused, also of variables that begin with `MAINSTAY_`, except
`MAINSTAY_API_KEY`, the key that `mainstay ask` and its like send to a server.

**Durations** are texts such as `"250ms"`, `"30s"`, `"5m"`, `"1h"`, `"1d"`, or a whole number of
milliseconds. **Sizes** are texts such as `"64KiB"`, `"10MiB"` (1024) or `"1GB"` (1000), or a whole
number of bytes. **Lists** are separated by commas in variables and flags.

**Secrets** print as stars and are not taken from flags. Each has a second key that ends in `_file`
and names a file to read it from (`auth.keys_file`, `MAINSTAY_AUTH__KEYS_FILE`,
`api_key_file` of a provider): one secret a line, blanks at the ends of a line are cut, the path is
relative to the folder the program runs in.

**TLS**: `server.tls_certificate` and `server.tls_key` turn it on. The commands of this machine reach
such a server when its certificate is trusted here and names the address that it listens on; what else to
give them is in [cli.md](cli.md).

**Change**: a *live* setting takes effect at a reload (`SIGHUP`), every other at the next start.
)";

constexpr const char* kProfiles = R"(
## Profiles

A profile changes defaults only; whatever the file, the environment or a flag says goes first.
`auto`, the default, looks at the memory (the control group's limit, if lower), the cores (the
control group's quota, if lower) and the processor:

| machine | profile |
|---|---|
| at most 4 GiB of memory, or a 64-bit ARM with at most 4 cores | `sbc` |
| else fewer than 8 cores, or less than 16 GiB or unknown memory | `desktop` |
| else | `server` |

`nas` and `cluster` are chosen by name alone.

| profile | key | value |
|---|---|---|
)";

constexpr const char* kWellKnown = R"(
## Variables of other programs

They add a provider when none of that name is configured:

| variable | provider |
|---|---|
| `OPENAI_API_KEY`, `OPENAI_BASE_URL` (either is enough) | `openai` at https://api.openai.com/v1 or the given address |
| `ANTHROPIC_API_KEY` | `anthropic` at https://api.anthropic.com |
| `GEMINI_API_KEY` | `gemini` at https://generativelanguage.googleapis.com |
| `OLLAMA_HOST` (host, host:port or address; 0.0.0.0 is this machine) | `ollama` at http://127.0.0.1:11434 or the given address |

Of a provider at its own address `auto` takes `gpt-4.1-mini`, `claude-sonnet-4-5` or `gemini-2.5-flash`. Another
model is said by a `[[providers]]` table of that name with `default_model`.
)";

/// The section of a key: "limits.user" for "limits.user.burst"; empty for "profile".
std::string section_of(std::string_view key) {
  const auto dot = key.rfind('.');
  return dot == key.npos ? std::string() : std::string(key.substr(0, dot));
}

/// Sections in the order of their first keys; a section of TOML may be opened only once.
std::vector<std::string> sections() {
  std::vector<std::string> out;
  for (const Row& row : rows()) {
    const std::string section = section_of(row.key);
    if (std::find(out.begin(), out.end(), section) == out.end()) out.push_back(section);
  }
  return out;
}

/// '|' would end a table's cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string markdown_row(const Row& row, std::string_view key, void* defaults) {
  std::string_view accepted_kind = type_of(row);
  std::string bounds = bounds_of(row);
  if (bounds.empty() && row.form == Form::host_port) bounds = "HOST:PORT";
  if (bounds.empty() && row.form == Form::http_url) bounds = "http:// or https:// address";
  if (bounds.empty() && row.form == Form::server_url) {
    bounds = "http://, https:// or tcp:// address";
  }
  if (bounds.empty() && row.form == Form::name) bounds = "letters, digits, - and _";
  return fmt::format("| `{}` | {} | `{}` | {} | {} | {} |\n", key, accepted_kind,
                     cell(toml_value(row, defaults)), cell(bounds),
                     row.change == Change::live ? "live" : "", cell(row.says));
}

constexpr const char* kTableHead =
    "\n| key | type | default | accepted | change | meaning |\n|---|---|---|---|---|---|\n";

template <class T>
std::string markdown_array(std::string_view heading, std::string_view says,
                           std::span<const Row> table) {
  T defaults;
  std::string out = fmt::format("\n## {}\n\n{}\n{}", heading, says, kTableHead);
  for (const Row& row : table) out += markdown_row(row, row.key, &defaults);
  return out;
}

/// The sentence, what is accepted, and the default behind a `#` without a blank.
std::string toml_entry(const Row& row, std::string_view name, void* defaults) {
  const std::string bounds = bounds_of(row);
  std::string out = fmt::format("# {}\n", row.says);
  if (!bounds.empty()) out += fmt::format("# Accepted: {}.\n", bounds);
  return out + fmt::format("#{} = {}\n", name, toml_value(row, defaults));
}

constexpr const char* kTomlArrays = R"(
# Providers: model servers. Without any, Mainstay looks for Ollama and llama-server on this machine
# and else answers from your documents itself.
#[[providers]]
#name = "openai"
#kind = "openai"
#base_url = "https://api.openai.com/v1"
#api_key_file = "/etc/mainstay/openai.key"
#models = ["gpt-4o-mini"]
#default_model = "gpt-4o-mini"
#concurrent_max = 64
# Times of its own; 0s: those of [models].
#first_token_timeout = "0s"
#whole_answer_timeout = "0s"
#between_tokens_timeout = "0s"
#total_timeout = "0s"

# Routes: names of models, and who answers for them, in order.
#[[routes]]
#model = "fast"
#aliases = ["small"]
#extractive_fallback = true
#[[routes.candidates]]
#provider = "openai"
#model = "gpt-4o-mini"
#weight = 1
#order = 0

# Hosts: model servers that Mainstay starts on first use and stops when idle; a provider names its
# host with host = "...".
#[[hosts]]
#name = "llama"
#command = "llama-server"
#arguments = ["--port", "{port}", "--model", "/models/model.gguf"]
#port = 8090
#ready_path = "/health"
#memory = "6GiB"
)";

template <class T>
Json json_rows(std::span<const Row> table, const std::string& prefix) {
  T defaults;
  Json out = Json::array();
  for (const Row& row : table) {
    auto value = parse_json(toml_value(row, &defaults));
    out.push_back({{"key", prefix + row.key},
                   {"type", type_of(row)},
                   {"default", value.ok() ? *value : Json()},
                   {"accepted", bounds_of(row)},
                   {"variable", prefix.empty() ? variable_of(row.key) : ""},
                   {"live", row.change == Change::live},
                   {"secret", is_secret(row)},
                   {"says", row.says}});
  }
  return out;
}

}  // namespace

std::string reference_markdown() {
  std::string out = kIntroduction;
  Settings defaults;
  for (const std::string& section : sections()) {
    out += section.empty() ? "\n## Top level\n" : "\n## `[" + section + "]`\n";
    out += kTableHead;
    for (const Row& row : rows()) {
      if (section_of(row.key) == section) out += markdown_row(row, row.key, &defaults);
    }
  }
  out += markdown_array<ProviderSettings>("`[[providers]]`", "One table for each model server.",
                                          provider_rows());
  out += markdown_array<RouteSettings>(
      "`[[routes]]`", "One table for each model name, with at least one candidate.", route_rows());
  out += markdown_array<CandidateSettings>(
      "`[[routes.candidates]]`",
      "One table for each provider that may answer; `mainstay` is the built-in answerer's name.",
      candidate_rows());
  out +=
      markdown_array<HostSettings>("`[[hosts]]`",
                                   "One table for each model server that Mainstay starts itself; "
                                   "[hosts.md](hosts.md) shows how.",
                                   host_rows());
  out += kProfiles;
  for (const ProfileValue& value : profile_values()) {
    out += fmt::format("| `{}` | `{}` | `{}` |\n", value.profile, value.key, value.value);
  }
  return out + kWellKnown;
}

std::string reference_toml() {
  std::string out =
      "# Every setting of Mainstay with its default. Take out the # before a key to change it.\n"
      "# Made by `mainstay config reference --format toml`; docs/configuration.md says more.\n";
  Settings defaults;
  for (const std::string& section : sections()) {
    if (!section.empty()) out += "\n[" + section + "]\n";
    for (const Row& row : rows()) {
      if (section_of(row.key) != section) continue;
      const std::string_view key = row.key;
      out += '\n';
      out += toml_entry(row, key.substr(section.empty() ? 0 : section.size() + 1), &defaults);
    }
  }
  return out + kTomlArrays;
}

Json reference_json() {
  Json profiles = Json::array();
  for (const ProfileValue& value : profile_values()) {
    profiles.push_back({{"profile", value.profile}, {"key", value.key}, {"value", value.value}});
  }
  return {{"settings", json_rows<Settings>(rows(), "")},
          {"providers", json_rows<ProviderSettings>(provider_rows(), "providers.")},
          {"routes", json_rows<RouteSettings>(route_rows(), "routes.")},
          {"candidates", json_rows<CandidateSettings>(candidate_rows(), "routes.candidates.")},
          {"hosts", json_rows<HostSettings>(host_rows(), "hosts.")},
          {"profiles", std::move(profiles)}};
}

}  // namespace mainstay::config
