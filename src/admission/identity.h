// Who is calling: API keys, tokens, the admin key, the local user.
// Used by admission (every request) and by app, which feeds it the stored keys and the issuer's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "admission/attempts.h"
#include "admission/jwks.h"
#include "admission/jwt.h"
#include "admission/keys.h"
#include "admission/token_cache.h"
#include "base/co.h"
#include "base/event.h"
#include "config/snapshot.h"
#include "telemetry/log.h"

namespace mainstay::admission {

/// Reads the text at auth.jwt.jwks_url; bounded in size by whoever gives it.
using FetchKeySet = std::function<Co<Result<std::string>>(Deadline)>;

/// Whether the secret or the file of auth.jwt.public_key makes a key; ok when neither is set. Reads
/// the file: blocks. Errors: invalid "invalid_jwt_key" with the setting in `field`.
Status check_token_key(const JwtSettings& jwt);

/// Thread-safe. identify() reads one immutable snapshot and never waits, asks no database and does
/// no I/O; whatever changes (keys, settings, the issuer's keys) makes the next snapshot.
class Identity {
 public:
  /// Knows auth.keys and the local user; everything else is told below. `clock` outlives it.
  Identity(const Settings& settings, Clock& clock);
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;

  /// Takes the settings that may change at run time: auth and server.listen. Reads
  /// auth.jwt.public_key: blocks; call it once at start and then at every reload, offloaded.
  /// Errors: invalid "invalid_jwt_key"; nothing is changed then.
  Status configure(const Settings& settings);
  /// The admin key's digest; its holder has every scope.
  void accept_admin(const KeyDigest& digest);
  /// The keys of the store, in place of those given before.
  void accept(storage::AccessList list);

  /// Errors: denied "missing_key", "wrong_key", "expired_key", "wrong_token", "expired_token";
  /// over_limit "too_many_failures"; unavailable "keys_not_loaded"; the last two with retry_after.
  Result<Caller> identify(const Credentials& credentials);
  /// The same for one that was let in with these before, such as the reader of a long stream: a key
  /// that is not valid any more is no failed attempt, and others' attempts from its address are
  /// nothing to it. Errors: those of identify() but "too_many_failures".
  Result<Caller> still(const Credentials& credentials);

  /// Refuses a listener beyond this machine while nobody could get in by right. Ask it after the
  /// stored keys were accepted. Errors: invalid "exposed_without_keys".
  Status check_exposure() const;
  /// Whether configure() would take these settings and then check_exposure() would pass; changes
  /// nothing. Errors: those of both.
  Status check(const Settings& settings) const;

  /// auth.jwt.jwks_url as it is now; empty: none.
  std::string issuer_url() const;

  /// Reads the store's keys when they changed; also notes when keys were used, about once a minute.
  Co<Status> refresh(storage::AccessKeys& keys, Deadline by);
  /// Writes when keys were used last, as far as it is not written yet. Errors: those of the store;
  /// what was not written is written the next time.
  Co<Status> note_uses(storage::AccessKeys& keys, Deadline by);
  /// refresh() every auth.keys_refresh, until cancelled. `keys` and `log` outlive it.
  Co<> watch_keys(storage::AccessKeys& keys, Log& log);
  /// Follows auth.jwt.jwks_url until cancelled; without one it waits for configure().
  Co<> watch_issuer(FetchKeySet fetch, Log& log);

 private:
  /// When a key was used last, shared by all snapshots.
  struct LastUse {
    std::atomic<std::int64_t> at{0};
    std::int64_t noted = 0;  ///< what the store knows; under mutex_
  };
  struct Known {
    Caller caller;
    WallTime expires{};
    bool guessable = false;
    std::shared_ptr<LastUse> use;
  };
  struct Snapshot {
    std::uint64_t generation = 0;
    AuthSettings auth;
    bool on_loopback = false;  ///< the listener serves this machine alone
    bool any_key = false;      ///< beside the admin key
    bool tokens = false;       ///< auth.jwt is set up
    bool issuer_due = false;   ///< a key set is to be read and is not there yet
    std::unordered_map<KeyDigest, Known, KeyDigestHash> keys;
    std::unordered_set<KeyDigest, KeyDigestHash> revoked;  ///< of issuer and jti
    std::shared_ptr<const KeySet> token_keys;              ///< null: none to be had
  };

  /// A key of ours has its entry, which lives as long as the snapshot.
  struct Found {
    Caller caller;
    const Known* key = nullptr;
  };

  Result<Found> find(const Snapshot& now, const Credentials& credentials);
  Result<Caller> by_token(const Snapshot& now, std::string_view token, const KeyDigest& digest,
                          WallTime at);
  Result<Caller> verified(const Snapshot& now, std::string_view token, const KeyDigest& digest,
                          WallTime at);
  Error refused(const Snapshot& now, const Credentials& credentials, Error error);
  std::optional<Error> delayed(const Credentials& credentials) const;
  Error not_loaded();
  void want_key(const std::string& kid);
  void publish();  // under mutex_
  bool somebody_may(const AuthSettings& auth) const;
  void add_configured(Snapshot& next) const;
  void add_stored(Snapshot& next);
  Co<Status> read_issuer(FetchKeySet fetch, Log& log);
  TimePoint next_due();
  static bool has_source(const JwtSettings& jwt);

  Clock& clock_;
  Caller local_;
  FailedAttempts attempts_;
  TokenCache cache_;
  Event issuer_wanted_;

  mutable std::mutex mutex_;  // what snapshots are made of
  std::uint64_t generation_ = 0;
  AuthSettings auth_;
  std::string listen_;
  std::optional<KeyDigest> admin_;
  storage::AccessList list_;
  std::map<std::string, std::shared_ptr<LastUse>> uses_;
  TimePoint uses_noted_at_{};
  std::shared_ptr<const KeySet> fixed_keys_;   // of auth.jwt.secret or public_key
  std::shared_ptr<const KeySet> issuer_keys_;  // of auth.jwt.jwks_url
  IssuerState issuer_;
  UnknownNames unknown_;
  config::Live<Snapshot> live_;
};

/// The digest under which a token's (issuer, jti) is revoked.
KeyDigest revocation_digest(std::string_view issuer, std::string_view token_id);

}  // namespace mainstay::admission
