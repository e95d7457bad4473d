// mainstay keys new, list, revoke: straight on the store of keys, whether or not a server runs. A
// running one sees the change within auth.keys_refresh.
#include <boost/asio/co_spawn.hpp>

#include <fmt/chrono.h>

#include <algorithm>
#include <cstdio>

#include "admission/keys.h"
#include "admission/queue.h"
#include "app/commands.h"
#include "app/engine.h"
#include "app/files.h"
#include "app/wire.h"
#include "config/units.h"

namespace mainstay::app {
namespace {

using admission::Scopes;
using storage::AccessKey;
using storage::AccessKeys;

/// The store of the data directory, and a loop to wait for it on.
class KeyRing {
 public:
  static Result<std::unique_ptr<KeyRing>> open(const Settings& settings) {
    std::unique_ptr<KeyRing> ring(new KeyRing);
    LogSettings quiet;
    quiet.sink = "none";
    auto log = Log::open(quiet, ring->clock_);
    if (!log.ok()) return log.error();
    ring->log_ = std::move(*log);
    auto keys = open_access_keys(settings, data_dir_of(settings), ring->clock_, ring->random_,
                                 *ring->log_, ring->metrics_);
    if (!keys.ok()) return keys.error();
    ring->keys_ = std::move(*keys);
    return ring;
  }

  /// Runs one call of the store to its end.
  template <class T>
  T run(Co<T> work) {
    T out = Error::log(Errc::internal, "the call did not end");
    const auto ended = [&out](std::exception_ptr thrown, T value) {
      if (!thrown) out = std::move(value);
    };
    boost::asio::co_spawn(io_.get_executor(), std::move(work), ended);
    io_.restart();
    io_.run();
    return out;
  }
  AccessKeys& keys() { return *keys_; }
  Clock& clock() { return clock_; }
  Deadline soon() { return Deadline::in(clock_, std::chrono::seconds(10)); }

 private:
  KeyRing() = default;
  RealClock clock_;
  RealRandom random_;
  Metrics metrics_;
  std::unique_ptr<Log> log_;
  asio::io_context io_{1};
  std::unique_ptr<AccessKeys> keys_;
};

constexpr const char* kNoKeys =
    "So it has no keys; name the one you mean with --data. `mainstay keys new` makes it.";

Exit refuse(const Common& common, const Error& error) {
  print_error(common, error);
  return error.code == Errc::invalid && exit_for(error) == Exit::failed ? Exit::usage
                                                                        : exit_for(error);
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

std::string scopes_text(const AccessKey& key) {
  Scopes scopes;
  scopes.bits = key.scopes;
  return joined(names_of(scopes));
}

std::string when(WallTime at, const char* never) {
  if (at == WallTime{}) return never;
  const std::time_t seconds = unix_seconds(at);
  return fmt::format("{:%Y-%m-%d %H:%M}", fmt::gmtime(seconds));
}

const char* state_of(const AccessKey& key, WallTime now) {
  if (key.revoked != WallTime{}) return "revoked";
  if (key.expires != WallTime{} && now >= key.expires) return "expired";
  return "active";
}

/// Times as seconds since 1970, null for never.
Json time_json(WallTime at) {
  return at == WallTime{} ? Json(nullptr) : Json(unix_seconds(at));
}

Json to_json(const AccessKey& key, WallTime now) {
  Scopes scopes;
  scopes.bits = key.scopes;
  return {{"id", key.id},
          {"prefix", key.prefix},
          {"name", key.name},
          {"state", state_of(key, now)},
          {"scopes", names_of(scopes)},
          {"tenant", key.owner.tenant.text()},
          {"user", key.owner.user.text()},
          {"created", time_json(key.created)},
          {"expires", time_json(key.expires)},
          {"last_used", time_json(key.last_used)},
          {"revoked", time_json(key.revoked)},
          {"limits",
           {{"requests_per_minute", key.requests_per_minute},
            {"burst", key.burst},
            {"concurrent", key.concurrent},
            {"tokens_per_minute", key.tokens_per_minute},
            {"tokens_per_day", key.tokens_per_day},
            {"queued", key.queued}}}};
}

Result<admission::KeyWishes> wishes_of(const KeysNewOptions& options) {
  admission::KeyWishes wishes;
  wishes.name = options.name;
  wishes.tenant = options.tenant;
  wishes.user = options.user;
  wishes.limits = {options.requests_per_minute, options.burst,          options.concurrent,
                   options.tokens_per_minute,   options.tokens_per_day, options.queued};
  if (!options.scopes.empty()) {
    std::vector<std::string> names;
    for (const auto& given : options.scopes) {
      for (auto& name : config::parse_list(given)) names.push_back(std::move(name));
    }
    auto scopes = admission::scopes_of(names);
    if (!scopes.ok()) return scopes.error();
    wishes.scopes = *scopes;
  }
  if (!options.most_urgent.empty()) {
    const auto priority = admission::priority_of(options.most_urgent);
    if (!priority) {
      return Error::say(Errc::invalid, "invalid_value",
                        "--most-urgent wants voice, interactive, batch or background.",
                        "most_urgent");
    }
    wishes.most_urgent = *priority;
  }
  if (!options.expires.empty()) {
    const auto lasts = config::parse_duration(options.expires);
    if (!lasts || *lasts <= Millis::zero()) {
      return Error::say(Errc::invalid, "invalid_value",
                        "--expires wants a time from now, such as 12h or 90d.", "expires");
    }
    wishes.lasts = *lasts;
  }
  return wishes;
}

/// The id of the key that a word on the command line means: an id, a prefix or a whole key.
Result<std::string> id_of(const storage::AccessList& list, const std::string& word) {
  const std::string whole = admission::key_id(admission::key_digest(word));
  std::string found;
  for (const auto& key : list.keys) {
    if (key.id != word && key.id != whole && key.prefix != word) continue;
    if (!found.empty()) {
      return Error::say(Errc::conflict, "already_exists",
                        "Several keys begin so. Give the id that `mainstay keys list` shows.");
    }
    found = key.id;
  }
  if (!found.empty()) return found;
  return Error::say(Errc::not_found, "unknown_key",
                    "There is no such key. `mainstay keys list` shows them all.");
}

}  // namespace

Exit keys_new(const Common& common, const KeysNewOptions& options) {
  auto loaded = load_settings(common);
  if (!loaded) return Exit::config;
  auto wishes = wishes_of(options);
  if (!wishes.ok()) return refuse(common, wishes.error());
  auto ring = KeyRing::open(loaded->settings);
  if (!ring.ok()) return refuse(common, ring.error());
  KeyRing& r = **ring;
  auto made = admission::make_key(std::move(*wishes), r.clock());
  if (!made.ok()) return refuse(common, made.error());
  auto added = r.run(r.keys().add(made->row, loaded->settings.auth.keys_max, r.soon()));
  if (!added.ok()) return refuse(common, added.error());
  if (common.json) {
    Json out = to_json(made->row, r.clock().wall());
    out["key"] = made->text;
    std::printf("%s\n", out.dump(2).c_str());
    return Exit::ok;
  }
  // The key alone on standard output, so that a script can take it.
  std::fprintf(stderr, "Made %s \"%s\" (%s; %s). Keep the key now, it is not shown again:\n",
               made->row.id.c_str(), made->row.name.c_str(), scopes_text(made->row).c_str(),
               made->row.expires == WallTime{}
                   ? "does not expire"
                   : ("expires " + when(made->row.expires, "")).c_str());
  std::printf("%s\n", made->text.c_str());
  return Exit::ok;
}

Exit keys_list(const Common& common) {
  auto loaded = load_settings(common);
  if (!loaded) return Exit::config;
  auto there = data_dir_there(data_dir_of(loaded->settings), kNoKeys);
  if (!there.ok()) return refuse(common, there.error());
  auto ring = KeyRing::open(loaded->settings);
  if (!ring.ok()) return refuse(common, ring.error());
  KeyRing& r = **ring;
  auto list = r.run(r.keys().list(r.soon()));
  if (!list.ok()) return refuse(common, list.error());
  const WallTime now = r.clock().wall();
  if (common.json) {
    Json out = {{"keys", Json::array()}};
    for (const auto& key : list->keys) out["keys"].push_back(to_json(key, now));
    std::printf("%s\n", dump(out).c_str());
    return Exit::ok;
  }
  if (list->keys.empty()) {
    std::printf("No keys yet. Make one: mainstay keys new --name NAME\n");
    return Exit::ok;
  }
  std::printf("%-20s  %-9s  %-8s  %-16s  %-16s  %-26s  %s\n", "ID", "BEGINS", "STATE", "EXPIRES",
              "LAST USED", "SCOPES", "NAME");
  for (const auto& key : list->keys) {
    std::printf("%-20s  %-9s  %-8s  %-16s  %-16s  %-26s  %s\n", key.id.c_str(), key.prefix.c_str(),
                state_of(key, now), when(key.expires, "never").c_str(),
                when(key.last_used, "never").c_str(), scopes_text(key).c_str(), key.name.c_str());
  }
  return Exit::ok;
}

Exit keys_revoke(const Common& common, const KeysRevokeOptions& options) {
  if (options.key.empty() && options.token_id.empty()) {
    return refuse(common,
                  Error::say(Errc::invalid, "invalid_value", "Name a key or --token-id.", "key"));
  }
  auto loaded = load_settings(common);
  if (!loaded) return Exit::config;
  auto there = data_dir_there(data_dir_of(loaded->settings), kNoKeys);
  if (!there.ok()) return refuse(common, there.error());
  auto ring = KeyRing::open(loaded->settings);
  if (!ring.ok()) return refuse(common, ring.error());
  KeyRing& r = **ring;
  const WallTime now = r.clock().wall();
  std::string what;
  if (!options.token_id.empty()) {
    // No token of ours to accept lives longer than its own `exp`, which we do not know here.
    const auto lasts = config::parse_duration(options.token_lasts);
    if (!lasts || *lasts <= Millis::zero() || loaded->settings.auth.jwt.issuer.empty()) {
      return refuse(common, Error::say(Errc::invalid, "invalid_value",
                                       "Revoking a token needs auth.jwt.issuer in the settings and "
                                       "--for such as 30d.",
                                       "for"));
    }
    storage::RevokedToken token{loaded->settings.auth.jwt.issuer, options.token_id, now + *lasts};
    auto revoked = r.run(
        r.keys().revoke_token(std::move(token), now, loaded->settings.auth.revoked_max, r.soon()));
    if (!revoked.ok()) return refuse(common, revoked.error());
    what = options.token_id;
  } else {
    auto list = r.run(r.keys().list(r.soon()));
    if (!list.ok()) return refuse(common, list.error());
    auto id = id_of(*list, options.key);
    if (!id.ok()) return refuse(common, id.error());
    auto revoked = r.run(r.keys().revoke(*id, now, r.soon()));
    if (!revoked.ok()) return refuse(common, revoked.error());
    what = *id;
  }
  if (common.json) {
    std::printf("%s\n", dump(Json{{"revoked", what}}).c_str());
  } else {
    std::printf("Revoked %s. A running server refuses it within seconds (auth.keys_refresh).\n",
                what.c_str());
  }
  return Exit::ok;
}

}  // namespace mainstay::app
