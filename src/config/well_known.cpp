// Providers that the user's environment already names.
#include "base/text.h"
#include "config/loader.h"

namespace mainstay::config {
namespace {

/// What `auto` asks for at a cloud provider: the first of its long list would be arbitrary.
const char* usual_model(std::string_view kind) {
  if (kind == "openai") return "gpt-4.1-mini";
  if (kind == "anthropic") return "claude-sonnet-4-5";
  if (kind == "gemini") return "gemini-2.5-flash";
  return "";
}

class WellKnown {
 public:
  WellKnown(const std::map<std::string, std::string>& environment, Loaded& loaded,
            std::vector<Problem>& problems)
      : environment_(environment), loaded_(loaded), problems_(problems) {}

  std::string value(const char* variable) const {
    const auto found = environment_.find(variable);
    return found == environment_.end() ? std::string() : std::string(trim(found->second));
  }

  /// Adds the provider unless one of that name is configured.
  void add(const std::string& kind, const char* key_variable, const char* url_variable,
           const std::string& url) {
    for (const auto& provider : loaded_.settings.providers) {
      if (plain_name(provider.name) == kind) return;
    }
    ProviderSettings provider;
    provider.name = kind;
    provider.kind = kind;
    const std::string prefix = "providers." + kind;
    if (!url.empty()) put(&provider, prefix + ".base_url", url, url_variable);
    const std::string key = key_variable == nullptr ? "" : value(key_variable);
    if (!key.empty()) put(&provider, prefix + ".api_key", key, key_variable);
    if (url.empty()) provider.default_model = usual_model(kind);
    loaded_.origin.emplace(prefix, key.empty() ? url_variable : key_variable);
    loaded_.settings.providers.push_back(std::move(provider));
  }

 private:
  void put(ProviderSettings* to, const std::string& key, const std::string& text,
           const char* variable) {
    std::string says = assign(*find_row(key), to, Words{text});
    if (says.empty()) {
      loaded_.origin[key] = variable;
    } else {
      problems_.push_back({variable, key, std::move(says)});
    }
  }
  const std::map<std::string, std::string>& environment_;
  Loaded& loaded_;
  std::vector<Problem>& problems_;
};

/// OLLAMA_HOST as Ollama reads it: host, host:port, :port or an address with a scheme. A server's
/// "every interface" is this machine to a client.
std::string ollama_address(std::string_view text) {
  std::string scheme = "http://";
  std::string port = ":11434";
  for (const char* known : {"http://", "https://"}) {
    if (!text.starts_with(known)) continue;
    scheme = known;
    port = "";
    text.remove_prefix(scheme.size());
  }
  std::string path;
  if (const auto slash = text.find('/'); slash != text.npos) {
    path = text.substr(slash);
    text = text.substr(0, slash);
  }
  while (path.ends_with('/')) path.pop_back();
  std::string host(text);
  const auto colon = text.rfind(':');
  const bool bare_v6 = text.find(':') != colon && !text.starts_with('[');
  if (colon != text.npos && !bare_v6 && !text.ends_with(']')) {
    host = text.substr(0, colon);
    port = text.substr(colon);
  }
  if (bare_v6) host = "[" + host + "]";
  if (host.empty() || host == "0.0.0.0") host = "127.0.0.1";
  if (host == "[::]") host = "[::1]";
  return scheme + host + port + path;
}

}  // namespace

std::string_view usual_address(std::string_view kind) {
  if (kind == "openai") return "https://api.openai.com/v1";
  if (kind == "anthropic") return "https://api.anthropic.com";
  if (kind == "gemini") return "https://generativelanguage.googleapis.com";
  if (kind == "ollama") return "http://127.0.0.1:11434";
  return {};
}

void add_well_known(const std::map<std::string, std::string>& environment, Loaded& loaded,
                    std::vector<Problem>& problems) {
  WellKnown known(environment, loaded, problems);
  const std::string openai_url = known.value("OPENAI_BASE_URL");
  if (!openai_url.empty() || !known.value("OPENAI_API_KEY").empty()) {
    known.add("openai", "OPENAI_API_KEY", "OPENAI_BASE_URL", openai_url);
  }
  if (!known.value("ANTHROPIC_API_KEY").empty()) {
    known.add("anthropic", "ANTHROPIC_API_KEY", "", "");
  }
  if (!known.value("GEMINI_API_KEY").empty()) known.add("gemini", "GEMINI_API_KEY", "", "");
  const std::string host = known.value("OLLAMA_HOST");
  if (!host.empty()) known.add("ollama", nullptr, "OLLAMA_HOST", ollama_address(host));
}

}  // namespace mainstay::config
