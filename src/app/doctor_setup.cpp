// This installation: what was chosen and why, the data directory, ports, databases, providers.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <filesystem>
#include <map>

#include "app/doctor.h"
#include "app/engine.h"
#include "app/files.h"
#include "app/settings_check.h"
#include "base/json_fields.h"
#include "net/json_api.h"
#include "net/listen_address.h"

namespace mainstay::app {
namespace {

namespace fs = std::filesystem;

/// For providers to say what they serve.
constexpr auto kProbeTime = std::chrono::seconds(3);
/// For reading the databases through.
constexpr auto kReadTime = std::chrono::seconds(60);

Finding data_directory(const std::string& dir) {
  std::error_code failed;
  if (!fs::exists(dir, failed)) {
    fs::path parent = fs::absolute(dir, failed);
    while (!fs::exists(parent, failed) && parent != parent.parent_path()) {
      parent = parent.parent_path();
    }
    if (fs::is_directory(parent, failed) && ::access(parent.c_str(), W_OK | X_OK) == 0) {
      return {Mark::fine, "data", dir + " (made at the first start)", ""};
    }
    return {Mark::bad, "data", dir + " is missing and cannot be made",
            "Give --data DIR, or: install -d -m 700 -o $(id -un) " + dir};
  }
  if (!fs::is_directory(dir, failed)) {
    return {Mark::bad, "data", dir + " is no directory", "Give another one with --data DIR"};
  }
  if (::access(dir.c_str(), R_OK | W_OK | X_OK) != 0) {
    return {Mark::bad, "data", dir + " cannot be written by this user",
            "chown -R $(id -un) " + dir};
  }
  return {Mark::fine, "data", dir, ""};
}

/// Permission bits; 0 when there is no such file.
unsigned mode_of(const std::string& path) {
  struct stat about{};
  return ::stat(path.c_str(), &about) == 0 ? about.st_mode & 07777U : 0;
}

/// The settings file itself names a key or a password.
bool holds_secrets(const config::Loaded& loaded) {
  if (loaded.file.empty()) return false;
  return std::any_of(loaded.origin.begin(), loaded.origin.end(), [&](const auto& one) {
    const std::string& key = one.first;
    const bool secret = key == "auth.keys" || key.ends_with("secret") || key.ends_with("api_key");
    return secret && one.second.starts_with(loaded.file);
  });
}

Finding permissions(const config::Loaded& loaded, const std::string& dir) {
  std::vector<std::string> files;
  for (const char* name : {"admin.key", "mainstay.db", "knowledge.db", "keys.db"}) {
    files.push_back(dir + "/" + name);
  }
  if (!loaded.settings.server.tls_key.empty()) files.push_back(loaded.settings.server.tls_key);
  if (holds_secrets(loaded)) files.push_back(loaded.file);
  std::string open;
  for (const auto& file : files) {
    // A file of root's that a group may read (systemd credentials, ssl-cert) is a choice.
    if ((mode_of(file) & 0007U) != 0 || (mode_of(file) & 0020U) != 0) open += " " + file;
  }
  if (!open.empty()) {
    return {Mark::bad, "secrets", "others of this machine may read or change" + open,
            "chmod 600" + open};
  }
  if ((mode_of(dir) & 0022U) != 0) {
    return {Mark::bad, "secrets", "others of this machine may write to " + dir, "chmod 700 " + dir};
  }
  return {Mark::fine, "secrets", "readable by their owner alone", ""};
}

Finding port(const std::string& key, const std::string& listen) {
  auto endpoint = net::listen_endpoint(key, listen);
  if (!endpoint.ok()) {
    return {Mark::bad, "port", endpoint.error().message,
            "Use HOST:PORT of this machine, e.g. 127.0.0.1:8080"};
  }
  asio::io_context io;
  boost::system::error_code failed;
  asio::ip::tcp::acceptor acceptor(io);
  acceptor.open(endpoint->protocol(), failed);
  if (!failed) acceptor.set_option(asio::socket_base::reuse_address(true), failed);
  if (!failed) acceptor.bind(*endpoint, failed);
  if (!failed) acceptor.listen(1, failed);
  if (!failed) return {Mark::fine, "port", listen + " is free", ""};
  const bool taken = failed == asio::error::address_in_use;
  return {Mark::bad, "port", listen + ": " + failed.message(),
          taken ? "Stop the other program (ss -ltnp), or choose another port with " + key
                : "Choose an address of this machine with " + key};
}

/// Something accepts connections there.
bool answers(const std::string& address) {
  auto url = net::Url::parse(address);
  if (!url.ok()) return false;
  auto endpoint = net::listen_endpoint("server", url->host + ":" + std::to_string(url->port));
  if (!endpoint.ok()) return false;
  asio::io_context io;
  asio::ip::tcp::socket socket(io);
  boost::system::error_code failed;
  socket.connect(*endpoint, failed);
  return !failed;
}

Findings server_and_ports(const Settings& settings, const std::string& dir) {
  const auto address = read_address(dir);
  if (address && answers(*address)) {
    return {{Mark::fine, "server", "running at " + *address, ""}};
  }
  Findings out;
  out.push_back(
      {Mark::fine, "server",
       has_stale_address(dir) ? "not running; the last one ended without a stop" : "not running",
       ""});
  out.push_back(port("server.listen", settings.server.listen));
  if (!settings.server.health_listen.empty()) {
    out.push_back(port("server.health_listen", settings.server.health_listen));
  }
  return out;
}

Findings log_file(const LogSettings& log) {
  if (log.sink == "stderr" || log.sink == "stdout" || log.sink == "none") return {};
  if (check_log_sink(log).ok()) return {{Mark::fine, "log", log.sink, ""}};
  return {{Mark::bad, "log", log.sink + " cannot be written",
           "Make it writable for this user, or set log.sink"}};
}

/// Answers nothing: providers alone are asked.
class NoPassages final : public models::PassageSource {
 public:
  Co<Result<std::vector<storage::Passage>>> find(storage::PassageQuery, Deadline) override {
    co_return std::vector<storage::Passage>{};
  }
};

/// What is at an address and below it.
enum class Behind {
  list,     ///< models are listed there, or the key was refused
  nothing,  ///< nobody who speaks HTTP, or a failure that says nothing
  other,    ///< somebody without a list of models
  list_v1,  ///< the same, but there is a list at ADDRESS/v1
};

/// Whether models are listed at the target.
Co<Behind> lists_models(const net::JsonApi& api, std::string target, Deadline by) {
  auto got = co_await api.get(std::move(target), by);
  if (!got.ok()) {
    co_return got.error().reason == "upstream_bad_reply" ? Behind::other : Behind::nothing;
  }
  if (got->refusal) {
    const int status = got->refusal->status;
    if (status == 401 || status == 403) co_return Behind::list;
    co_return status == 404 || status == 405 ? Behind::other : Behind::nothing;
  }
  const auto parsed = parse_json(got->body);
  const bool list = parsed.ok() && (parsed->is_array() || field(*parsed, "data").is_array() ||
                                    field(*parsed, "models").is_array());
  co_return list ? Behind::list : Behind::other;
}

std::string without_slash(std::string address) {
  while (address.ends_with('/')) address.pop_back();
  return address;
}

/// Of a server that speaks OpenAI's API; most addresses end with /v1, which is easily left out.
Co<Behind> look_behind(net::Client& client, const Settings& settings, ProviderSettings wanted,
                       const Clock& clock) {
  auto url = net::Url::parse(without_slash(wanted.base_url));
  if (!url.ok()) co_return Behind::nothing;
  net::HeaderLines headers;
  if (!wanted.api_key.empty()) headers.add("authorization", "Bearer " + wanted.api_key.reveal());
  const net::JsonApi api(client, std::move(*url), std::move(headers), settings.upstream);
  const Deadline by = Deadline::in(clock, kProbeTime);
  auto here = co_await lists_models(api, "/models", by);
  if (here != Behind::other) co_return here;
  auto below = co_await lists_models(api, "/v1/models", by);
  co_return below == Behind::list ? Behind::list_v1 : Behind::other;
}

/// By the provider's name.
using Places = std::map<std::string, Behind>;

Co<> probe(WiredModels& models, const Settings& settings, net::Client& client, const Clock& clock,
           Places& places) {
  const Deadline by = Deadline::in(clock, kProbeTime);
  co_await models.probe(by);
  for (const auto& wanted : settings.providers) {
    if (wanted.kind != "openai" || !wanted.host.empty()) continue;
    auto behind = co_await look_behind(client, settings, wanted, clock);
    places[wanted.name] = behind;
  }
}

/// The address answers, but not as it should; nullopt: nothing is known to be wrong with it.
std::optional<Finding> wrong_address(const ProviderSettings& wanted, Behind behind) {
  const std::string address = without_slash(wanted.base_url);
  const std::string says =
      wanted.name + " (" + wanted.base_url + ") answers, but not as an OpenAI-compatible API";
  if (behind == Behind::list_v1) {
    return Finding{Mark::bad, "provider", says + "; " + address + "/v1 does",
                   "Set base_url of the provider (or OPENAI_BASE_URL) to " + address + "/v1"};
  }
  if (behind != Behind::other) return std::nullopt;
  if (address.ends_with("/v1")) {
    return Finding{Mark::fine, "provider", wanted.name + " answers, without a list of models", ""};
  }
  return Finding{Mark::warn, "provider", says + ": it lists no models",
                 "Try " + address + "/v1 as base_url of the provider (or as OPENAI_BASE_URL)"};
}

/// The same of a provider whose format always has a list of models.
Finding wrong_path(const ProviderSettings& wanted) {
  const std::string says = wanted.name + " (" + wanted.base_url + ") answers, but not as " +
                           wanted.kind + ": it lists no models";
  if (wanted.kind == "anthropic") {  // whose imitators may answer without a list
    return {Mark::warn, "provider", says,
            "Ask it a question; if that fails, correct base_url: the part before /v1/messages"};
  }
  const char* const usual = wanted.kind == "gemini"
                                ? "https://generativelanguage.googleapis.com"
                                : "the server's without a path, as http://127.0.0.1:11434";
  return {Mark::bad, "provider", says, std::string("Correct base_url of the provider: ") + usual};
}

Finding provider(const models::ProviderState& state, const ProviderSettings* wanted,
                 const Places& places) {
  const auto place = places.find(state.name);
  if (wanted != nullptr && place != places.end() &&
      (state.up || state.why == "upstream_bad_reply")) {
    auto wrong = wrong_address(*wanted, place->second);
    if (wrong) return *wrong;
  }
  if (wanted != nullptr && state.why == "upstream_wrong_path") return wrong_path(*wanted);
  if (state.up) return {Mark::fine, "provider", state.name + " answers", ""};
  const std::string why = state.why.empty() ? "no answer" : state.why;
  const std::string at = wanted != nullptr ? " (" + wanted->base_url + ")" : "";
  if (state.why == "upstream_credentials") {
    return {Mark::bad, "provider", state.name + at + " refuses our key",
            "Set api_key of the provider (or its environment variable) to a valid key"};
  }
  if (state.why == "upstream_forbidden") {
    return {Mark::bad, "provider", state.name + at + " refuses to serve us (status 403)",
            "Ask it a question to see its own words: a right may be missing there, or a firewall "
            "before it refuses this machine"};
  }
  return {Mark::bad, "provider", state.name + at + ": " + why,
          "Start it, or correct base_url of the provider in the settings"};
}

}  // namespace

std::string profile_reason(const config::Machine& machine, const std::string& profile) {
  const std::string has = fmt::format("{} cores, {} MiB", machine.cores, machine.memory >> 20);
  if (profile == "sbc") return has + ": at most 4 GiB, or a small ARM board";
  if (profile == "desktop") return has + ": fewer than 8 cores or less than 16 GiB";
  if (profile == "server") return has + ": 8 cores and 16 GiB or more";
  return has;
}

Findings choice_findings(const config::Loaded& loaded, const config::Machine& machine) {
  Findings out;
  out.push_back({Mark::fine, "config",
                 loaded.file.empty() ? "no file: defaults and environment" : loaded.file, ""});
  const bool automatic = loaded.settings.profile == "auto";
  out.push_back(
      {Mark::fine, "profile",
       automatic ? loaded.profile + ", chosen by auto: " + profile_reason(machine, loaded.profile)
                 : loaded.profile + ", as configured",
       ""});
  std::string chosen;
  for (const auto& value : config::profile_values()) {
    if (loaded.profile != value.profile) continue;
    const auto other = loaded.origin.find(value.key);
    const bool own = other == loaded.origin.end() || other->second.starts_with("profile");
    if (own) chosen += fmt::format("{}{} = {}", chosen.empty() ? "" : ", ", value.key, value.value);
  }
  if (!chosen.empty()) out.push_back({Mark::fine, "chosen", chosen, ""});
  const auto loops = loaded.settings.server.threads;
  out.push_back({Mark::fine, "loops",
                 loops > 0 ? fmt::format("{}, as configured", loops)
                           : fmt::format("{}: one for each core", machine.cores),
                 ""});
  return out;
}

Findings setup_findings(const config::Loaded& loaded, const std::string& data_dir) {
  Findings out{data_directory(data_dir), permissions(loaded, data_dir)};
  const auto append = [&out](Findings more) {
    for (auto& one : more) out.push_back(std::move(one));
  };
  append(server_and_ports(loaded.settings, data_dir));
  append(log_file(loaded.settings.log));
  return out;
}

Findings database_findings(const std::string& data_dir, const Clock& clock) {
  auto files = inspect_stores(data_dir, clock, Deadline::in(clock, kReadTime));
  if (!files.ok()) {
    if (files.error().reason == "data_dir_in_use") {
      return {{Mark::fine, "database", "in use by a server; stop it for a thorough look", ""}};
    }
    return {{Mark::bad, "database", files.error().message, ""}};
  }
  Findings out;
  for (const auto& file : *files) {
    const std::string size = fmt::format("{} ({} KiB)", file.file, file.bytes / 1024);
    if (!file.problem.empty()) {
      out.push_back({Mark::bad, "database", size + ": " + file.problem,
                     "Stop the server, keep a copy of the data directory, restore a backup"});
    } else {
      out.push_back({Mark::fine, "database",
                     size + (file.whole ? " is sound" : " is sound as far as there was time"), ""});
    }
  }
  if (out.empty()) out.push_back({Mark::fine, "database", "none yet", ""});
  return out;
}

Findings postgres_findings(const Settings& settings) {
  if (settings.storage.postgres_url.empty()) return {};
  RealClock clock;
  RealRandom random;
  Metrics metrics;
  LogSettings quiet;
  quiet.sink = "none";
  auto log = Log::open(quiet, clock);
  if (!log.ok()) return {};
  auto found = inspect_postgres(settings, clock, random, **log, metrics);
  if (found.ok()) return {{Mark::fine, "postgres", *found, ""}};
  const Error& error = found.error();
  return {{Mark::bad, "postgres", error.message.empty() ? error.detail : error.message,
           "mainstay serve does not start without it; docs/postgres.md"}};
}

Findings redis_findings(const Settings& settings) {
  if (settings.storage.redis_url.empty()) return {};
  const RealClock clock;
  auto found = inspect_redis(settings, clock);
  if (found.ok()) return {{Mark::fine, "redis", *found, ""}};
  return {{Mark::bad, "redis", found.error().message,
           "mainstay serve does not start without it; docs/jobs-redis.md"}};
}

Findings tls_findings(const Settings& settings) {
  const auto& server = settings.server;
  if (server.tls_certificate.empty()) return {};
  const Status usable = check_tls(server);
  if (usable.ok()) return {{Mark::fine, "tls", server.tls_certificate + " and its key fit", ""}};
  return {{Mark::bad, "tls", usable.error().message,
           "Name PEM files that this user can read and that belong together with "
           "server.tls_certificate and server.tls_key"}};
}

Findings provider_findings(const Settings& settings) {
  RealClock clock;
  RealRandom random;
  Metrics metrics;
  LogSettings quiet;
  quiet.sink = "none";
  auto log = Log::open(quiet, clock);
  if (!log.ok()) return {};
  asio::io_context io(1);
  NoPassages none;
  auto client = net::make_client(settings.upstream, clock, **log, metrics, {&io});
  Findings out;
  Places places;
  auto wired = wire_models(settings, clock, random, **log, metrics, *client, none, nullptr);
  if (!wired.ok()) {
    const Error& e = wired.error();
    out.push_back({Mark::bad, "provider", e.message.empty() ? e.detail : e.message,
                   "Correct [[providers]] in the settings"});
  } else {
    asio::co_spawn(io.get_executor(), probe(**wired, settings, *client, clock, places),
                   [&io](std::exception_ptr) { io.stop(); });
    io.run();
    bool any = false;
    for (const auto& state : (*wired)->models().providers()) {
      if (state.name.starts_with("mainstay/")) continue;  // built in: always there
      const auto wanted =
          std::find_if(settings.providers.begin(), settings.providers.end(),
                       [&](const ProviderSettings& p) { return p.name == state.name; });
      const bool configured = wanted != settings.providers.end();
      any = any || configured || state.up;
      if (configured && !wanted->host.empty() && !state.up) {
        out.push_back({Mark::fine, "provider",
                       state.name + ": its host " + wanted->host + " starts on first use", ""});
        continue;
      }
      // One that was only looked for may be missing.
      if (configured || state.up) {
        out.push_back(provider(state, configured ? &*wanted : nullptr, places));
      }
    }
    if (!any) {
      out.push_back({Mark::warn, "provider",
                     "none: the built-in answerer quotes your documents, it does not converse",
                     "Start Ollama, or set OPENAI_API_KEY, or add [[providers]] to mainstay.toml"});
    }
  }
  client->close();
  io.restart();
  io.poll();
  if (wired.ok()) wired->reset();
  return out;
}

}  // namespace mainstay::app
