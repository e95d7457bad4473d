// Checks between settings, and of the names that routes use.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "config/loader.h"
#include "config/units.h"
#include "config/webhook_secret.h"

namespace mainstay::config {
namespace {

/// The built-in answerer's provider name in routes.
constexpr std::string_view kBuiltIn = "mainstay";
/// The built-in engine of speech's.
constexpr std::string_view kSpeech = "builtin";

class Checks {
 public:
  Checks(const Loaded& loaded, std::vector<Problem>& problems)
      : loaded_(loaded), s_(loaded.settings), problems_(problems) {}

  void pairs() {
    at_most("upstream.keepalive_max", s_.upstream.keepalive_max, "upstream.connections_max",
            s_.upstream.connections_max);
    at_most("models.breaker_calls_min", s_.models.breaker_calls_min, "models.breaker_window",
            s_.models.breaker_window);
    at_most("knowledge.chunk_overlap_tokens", s_.knowledge.chunk_overlap_tokens + 1,
            "knowledge.chunk_tokens", s_.knowledge.chunk_tokens);
    at_most("models.retry_base", s_.models.retry_base, "models.retry_cap", s_.models.retry_cap);
    at_most("models.breaker_open", s_.models.breaker_open, "models.breaker_open_max",
            s_.models.breaker_open_max);
    at_most("cache.entry_max", s_.cache.entry_max, "cache.size_max", s_.cache.size_max);
    const auto& r = s_.resources;
    at_most("resources.memory_soft", r.memory_soft, "resources.memory_hard", r.memory_hard);
    at_most("resources.descriptors_soft", r.descriptors_soft, "resources.descriptors_hard",
            r.descriptors_hard);
    at_most("resources.gpu_soft", r.gpu_soft, "resources.gpu_hard", r.gpu_hard);
    at_most("resources.disk_hard_share", r.disk_hard_share, "resources.disk_soft_share",
            r.disk_soft_share);
    at_most("resources.disk_hard", r.disk_hard, "resources.disk_soft", r.disk_soft);
    at_most("resources.heat_hard_margin", r.heat_hard_margin, "resources.heat_soft_margin",
            r.heat_soft_margin);
    at_most("jobs.depth_low", s_.jobs.depth_low, "jobs.depth_high", s_.jobs.depth_high);
    at_most("jobs.backoff_min", s_.jobs.backoff_min, "jobs.backoff_max", s_.jobs.backoff_max);
    at_most("launch.backoff_min", s_.launch.backoff_min, "launch.backoff_max",
            s_.launch.backoff_max);
    const auto& hooks = s_.jobs.webhooks;
    at_most("jobs.webhooks.backoff_min", hooks.backoff_min, "jobs.webhooks.backoff_max",
            hooks.backoff_max);
    if (!hooks.secret.empty() && !webhook_key(hooks.secret.reveal())) {
      problem("jobs.webhooks.secret", "must be whsec_ and the base64 of 24 to 64 random bytes");
    }
    const bool certificate = !s_.server.tls_certificate.empty();
    if (certificate != !s_.server.tls_key.empty()) {
      const char* given = certificate ? "server.tls_certificate" : "server.tls_key";
      problem(given, "needs server.tls_certificate and server.tls_key together");
    }
    for (const auto& origin : s_.server.cors_origins) {
      if (is_origin(origin)) continue;
      problem("server.cors_origins", "holds \"" + origin +
                                         "\": scheme and host, as a browser sends them "
                                         "(https://app.example or http://127.0.0.1:3000)");
    }
    for (const auto& host : s_.server.allowed_hosts) {
      if (host.find_first_of("/ \t") == std::string::npos) continue;
      problem("server.allowed_hosts", "holds \"" + host + "\": a name without scheme and path");
    }
    const auto& server = s_.server;
    differ("server.health_listen", server.health_listen, "server.listen", server.listen);
    differ("server.admin_listen", server.admin_listen, "server.listen", server.listen);
    differ("server.admin_listen", server.admin_listen, "server.health_listen",
           server.health_listen);
  }

  void tokens() {
    const auto& jwt = s_.auth.jwt;
    const int sources =
        int(!jwt.jwks_url.empty()) + int(!jwt.public_key.empty()) + int(!jwt.secret.empty());
    if (sources > 1) {
      problem("auth.jwt", "takes one of jwks_url, public_key and secret, not several");
    }
    const bool refused = std::ranges::any_of(
        problems_, [](const Problem& one) { return one.key.starts_with("auth.jwt."); });
    if (sources == 0 && !refused && !(jwt.issuer.empty() && jwt.audience.empty())) {
      problem(jwt.issuer.empty() ? "auth.jwt.audience" : "auth.jwt.issuer",
              "needs one of auth.jwt.jwks_url, auth.jwt.public_key and auth.jwt.secret");
    }
    if (sources > 0 && jwt.issuer.empty()) problem("auth.jwt.issuer", "is required and missing");
    if (sources > 0 && jwt.audience.empty()) {
      problem("auth.jwt.audience", "is required and missing");
    }
    if (!jwt.secret.empty() && jwt.secret.reveal().size() < 32) {
      problem("auth.jwt.secret", "must have at least 32 bytes");
    }
    for (const auto& scope : jwt.scopes) {
      if (scope == "chat" || scope == "jobs" || scope == "knowledge" || scope == "admin") continue;
      problem("auth.jwt.scopes", "holds \"" + scope + "\": chat, jobs, knowledge or admin");
    }
    at_most("auth.failure_delay", s_.auth.failure_delay, "auth.failure_delay_max",
            s_.auth.failure_delay_max);
    at_most("auth.jwt.refresh_min", jwt.refresh_min, "auth.jwt.refresh", jwt.refresh);
  }

  void providers() {
    std::map<std::string, std::string> seen;  // plain name -> name
    for (const auto& provider : s_.providers) {
      if (provider.name.empty()) continue;  // said already
      const std::string key = "providers." + provider.name;
      if (provider.name == kBuiltIn) problem(key, "is the name of the built-in answerer");
      if (provider.name == kSpeech) problem(key, "is the name of the built-in engine of speech");
      if (provider.kind.empty()) {
        problem(key + ".kind",
                "is required and missing: openai, ollama, gemini, anthropic or wyoming");
      }
      address(key + ".base_url", provider);
      const auto [first, fresh] = seen.emplace(plain_name(provider.name), provider.name);
      if (!fresh) problem(key, "is too like the name of another provider, " + first->second);
    }
  }

  /// Words in braces are other programs' business too (templates, shells): only the letters of
  /// {port} in another order are taken for a slip.
  void check_placeholders(const std::string& key, const std::vector<std::string>& arguments) {
    constexpr std::string_view kKnown = "port";
    for (const std::string& argument : arguments) {
      for (auto at = argument.find('{'); at != std::string::npos; at = argument.find('{', at + 1)) {
        const std::string word = argument.substr(at + 1, kKnown.size());
        const bool closed = argument.compare(at + 1 + word.size(), 1, "}") == 0;
        const bool others = at > 0 && (argument[at - 1] == '$' || argument[at - 1] == '{');
        if (!closed || others || word == kKnown || !std::ranges::is_permutation(word, kKnown)) {
          continue;
        }
        problem(key, "holds {" + word + "}, which is not put in; did you mean {port}?");
        return;
      }
    }
  }

  void hosts() {
    std::set<std::string> names;
    std::set<std::uint32_t> ports;
    for (const auto& host : s_.hosts) {
      if (host.name.empty()) continue;  // said already
      const std::string key = "hosts." + host.name;
      if (!names.insert(host.name).second) problem(key, "is the name of an earlier host");
      if (!ports.insert(host.port).second) problem(key + ".port", "is the port of an earlier host");
      if (!host.ready_path.empty() && (host.ready_path[0] != '/' || has_blank(host.ready_path))) {
        problem(key + ".ready_path", "must begin with / and hold no blank");
      }
      for (const auto& pair : host.environment) {
        if (pair.find('=') == 0 || pair.find('=') == std::string::npos) {
          problem(key + ".environment", "holds \"" + pair + "\": NAME=VALUE");
        }
      }
      check_placeholders(key + ".arguments", host.arguments);
      at_most((key + ".backoff_min").c_str(), host.backoff_min, "backoff_max", host.backoff_max);
    }
    const std::vector<std::string> known(names.begin(), names.end());
    for (const auto& provider : s_.providers) {
      if (provider.host.empty() || names.contains(provider.host)) continue;
      const std::string near = nearest(provider.host, known);
      problem("providers." + provider.name + ".host",
              "names no configured host: \"" + provider.host + "\"" +
                  (near.empty() ? std::string() : "; did you mean \"" + near + "\"?"));
    }
  }

  void routes() {
    std::vector<std::string> names{std::string(kBuiltIn), std::string(kSpeech)};
    for (const auto& provider : s_.providers) names.push_back(provider.name);
    std::set<std::string> taken;
    for (const auto& route : s_.routes) {
      const std::string key = "routes." + route.model;
      if (!taken.insert(route.model).second) problem(key, "is the name of an earlier route");
      for (const auto& alias : route.aliases) {
        if (!taken.insert(alias).second) {
          problem(key + ".aliases", "repeats the name \"" + alias + "\" of a route");
        }
      }
      for (std::size_t i = 0; i < route.candidates.size(); ++i) {
        candidate(key + ".candidates." + std::to_string(i + 1), route.candidates[i], names);
      }
    }
  }

 private:
  /// Two listeners; port 0 picks a free one for each.
  void differ(const char* key, const std::string& address, const char* other,
              const std::string& taken) {
    if (address.empty() || address != taken || address.ends_with(":0")) return;
    problem(key, std::string("must differ from ") + other);
  }
  /// As a browser writes an origin: no path, no user, in small letters.
  static bool is_origin(std::string_view text) {
    const auto end = text.find("://");
    if (end == std::string_view::npos || end == 0) return false;
    const std::string_view host = text.substr(end + 3);
    return !host.empty() && host.find_first_of("/?#@* \t") == std::string_view::npos &&
           std::ranges::none_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
  }
  void address(const std::string& key, const ProviderSettings& provider) {
    const bool wyoming = provider.kind == "wyoming";
    const bool tcp = provider.base_url.starts_with("tcp://");
    if (wyoming && !tcp) problem(key, "must be tcp://HOST:PORT for a Wyoming server");
    if (!wyoming && tcp) problem(key, "must be an http:// or https:// address");
    if (provider.base_url.find_first_of("?#") != std::string::npos) {
      problem(key, "must end with its path: what follows ? or # would not be sent");
    }
  }
  static bool has_blank(const std::string& text) {
    return text.find_first_of(" \t") != std::string::npos;
  }
  static std::string text(std::uint32_t v) { return std::to_string(v); }
  static std::string text(double v) { return fmt::format("{}", v); }
  static std::string text(Millis v) { return print(v); }
  static std::string text(Bytes v) { return print(v); }

  template <class T>
  void at_most(const char* key, T value, const char* other, T most) {
    if (value <= most) return;
    const bool less = std::string_view(key) == "knowledge.chunk_overlap_tokens";
    problem(key,
            fmt::format("must be {} {} ({})", less ? "less than" : "at most", other, text(most)));
  }

  void candidate(const std::string& key, const CandidateSettings& candidate,
                 const std::vector<std::string>& names) {
    if (candidate.provider.empty()) return;  // said already
    for (const auto& name : names) {
      if (name == candidate.provider) return;
    }
    const std::string near = nearest(candidate.provider, names);
    problem(key + ".provider",
            "names no configured provider: \"" + candidate.provider + "\"" +
                (near.empty() ? std::string() : "; did you mean \"" + near + "\"?"));
  }

  void problem(const std::string& key, std::string says) {
    for (const auto& earlier : problems_) {
      if (earlier.key == key) return;  // its value was refused already
    }
    problems_.push_back({origin(key), key, std::move(says)});
  }

  /// Where the key, or the element it belongs to, was given.
  std::string origin(std::string key) const {
    for (;;) {
      const auto found = loaded_.origin.find(key);
      if (found != loaded_.origin.end()) return found->second;
      const auto dot = key.rfind('.');
      if (dot == std::string::npos) return "default";
      key.resize(dot);
    }
  }

  const Loaded& loaded_;
  const Settings& s_;
  std::vector<Problem>& problems_;
};

}  // namespace

void cross_check(const Loaded& loaded, std::vector<Problem>& problems) {
  Checks checks(loaded, problems);
  checks.pairs();
  checks.tokens();
  checks.providers();
  checks.routes();
  checks.hosts();
}

}  // namespace mainstay::config
