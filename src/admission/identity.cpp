// One lookup for each request; the snapshots it looks into are made at the end of this file. What
// runs in the background is in identity_watch.cpp.
#include "admission/identity.h"

#include <fstream>
#include <sstream>

#include "admission/origin.h"

namespace mainstay::admission {
namespace {

constexpr std::int64_t kUseStep = 60'000'000;  // µs; a key's last use is known to the minute
constexpr std::size_t kPemMax = 64 * 1024;

Error missing() {
  return Error::say(Errc::denied, "missing_key",
                    "Send an API key: 'Authorization: Bearer KEY' or 'X-API-Key: KEY'.");
}

Error wrong_key() {
  return Error::say(Errc::denied, "wrong_key",
                    "The API key is not known. Check it or ask for a new one.");
}

std::chrono::milliseconds whole_seconds(Duration d) {
  return std::max(std::chrono::ceil<std::chrono::seconds>(d), std::chrono::seconds(1));
}

Result<std::shared_ptr<const KeySet>> fixed_key_set(const JwtSettings& jwt) {
  if (!jwt.secret.empty()) {
    auto key = VerifyKey::from_secret(jwt.secret.reveal());
    if (!key.ok()) return key.error();
    return std::make_shared<const KeySet>(std::move(*key));
  }
  if (jwt.public_key.empty()) return std::shared_ptr<const KeySet>();
  std::string pem(kPemMax, '\0');
  std::ifstream file(jwt.public_key, std::ios::binary);
  file.read(pem.data(), static_cast<std::streamsize>(pem.size()));
  pem.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file.gcount())));
  if (pem.empty()) {
    return Error::say(Errc::invalid, "invalid_jwt_key",
                      "The file of auth.jwt.public_key cannot be read: " + jwt.public_key + ".",
                      "auth.jwt.public_key");
  }
  auto key = VerifyKey::from_pem(pem);
  if (!key.ok()) return key.error();
  return std::make_shared<const KeySet>(std::move(*key));
}

Error exposed(const std::string& listen) {
  return Error::say(Errc::invalid, "exposed_without_keys",
                    "Refusing to listen on " + listen +
                        " without authentication: anyone could use this server. Make a key with "
                        "`mainstay keys new --name NAME` (and the same --data), or set auth.jwt, "
                        "or listen on 127.0.0.1.",
                    "server.listen");
}

}  // namespace

Status check_token_key(const JwtSettings& jwt) {
  auto keys = fixed_key_set(jwt);
  if (keys.ok()) return done();
  Error error = std::move(keys.error());
  if (error.field.empty()) error.field = "auth.jwt.public_key";  // a secret's length was checked
  return error;
}

KeyDigest revocation_digest(std::string_view issuer, std::string_view token_id) {
  // The length keeps (ab, c) and (a, bc) apart.
  std::string both = std::to_string(issuer.size()) + ":";
  both.append(issuer).append(token_id);
  return key_digest(both);
}

Identity::Identity(const Settings& settings, Clock& clock)
    : clock_(clock),
      attempts_(settings.auth.failing_addresses_max),
      cache_(settings.auth.tokens_max),
      issuer_wanted_(clock),
      auth_(settings.auth),
      listen_(settings.server.listen),
      live_(std::make_shared<const Snapshot>()) {
  local_.owner = {TenantId("default"), UserId("local")};
  local_.scopes = {Scope::chat, Scope::jobs, Scope::knowledge};
  local_.local = true;
  std::lock_guard lock(mutex_);
  publish();
}

Result<Caller> Identity::identify(const Credentials& credentials) {
  const Snapshot& now = live_.peek();
  auto found = find(now, credentials);
  if (!found.ok()) {
    Error error = std::move(found.error());
    if (error.code == Errc::unavailable || presented_key(credentials).empty()) return error;
    return refused(now, credentials, std::move(error));
  }
  if (const Known* known = found->key; known != nullptr) {
    if (known->guessable) {
      if (auto wait = delayed(credentials)) return std::move(*wait);
    }
    if (known->use) {
      const std::int64_t at = micros(clock_.wall());
      const std::int64_t last = known->use->at.load(std::memory_order_relaxed);
      if (at - last >= kUseStep) known->use->at.store(at, std::memory_order_relaxed);
    }
  }
  return std::move(found->caller);
}

Result<Caller> Identity::still(const Credentials& credentials) {
  auto found = find(live_.peek(), credentials);
  if (!found.ok()) return found.error();
  return std::move(found->caller);
}

Result<Identity::Found> Identity::find(const Snapshot& now, const Credentials& credentials) {
  // Behind a proxy on this machine everybody comes from this machine.
  const bool at_home = now.on_loopback && is_loopback(credentials.peer) && !credentials.forwarded &&
                       !now.auth.required && now.auth.keys.empty();
  const auto key = presented_key(credentials);
  if (key.empty()) {
    if (at_home) return Found{local_};
    return missing();
  }
  const KeyDigest digest = key_digest(key);
  const auto found = now.keys.find(digest);
  const bool is_token = found == now.keys.end() && looks_like_token(key);
  if (is_token && now.tokens) {
    auto caller = by_token(now, key, digest, clock_.wall());
    if (!caller.ok()) return caller.error();
    return Found{std::move(*caller)};
  }
  if (found == now.keys.end()) {
    // Official clients must send some key; where none was ever made, any but ours will do.
    const bool meant_for_us = key.starts_with(kKeyStart) || is_token;
    if (at_home && !now.any_key && !now.tokens && !meant_for_us) return Found{local_};
    return wrong_key();
  }
  const Known& known = found->second;
  if (known.expires != WallTime{} && clock_.wall() >= known.expires) {
    return Error::say(Errc::denied, "expired_key", "The API key has expired. Ask for a new one.");
  }
  return Found{known.caller, &known};
}

std::optional<Error> Identity::delayed(const Credentials& credentials) const {
  const Duration wait = attempts_.wait(sender_of(credentials.peer), clock_.now());
  if (wait <= Duration::zero()) return std::nullopt;
  Error error = Error::say(Errc::over_limit, "too_many_failures",
                           "Too many wrong keys came from this address. Wait as Retry-After says.");
  error.retry_after = whole_seconds(wait);
  return error;
}

/// A failed attempt: the sender's next ones wait ever longer.
Error Identity::refused(const Snapshot& now, const Credentials& credentials, Error error) {
  if (auto wait = delayed(credentials)) return std::move(*wait);
  attempts_.failed(sender_of(credentials.peer), clock_.now(), now.auth);
  return error;
}

Result<Caller> Identity::by_token(const Snapshot& now, std::string_view token,
                                  const KeyDigest& digest, WallTime at) {
  if (const auto known = cache_.find(digest, now.generation, at)) return *known;
  return verified(now, token, digest, at);
}

Result<Caller> Identity::verified(const Snapshot& now, std::string_view token,
                                  const KeyDigest& digest, WallTime at) {
  auto open = take_apart(token);
  if (!open.ok()) return open.error();
  const Error wrong = Error::say(Errc::denied, "wrong_token",
                                 "The token is not accepted. Get a new one from its issuer.");
  if (now.token_keys == nullptr) return now.issuer_due ? not_loaded() : wrong;
  const VerifyKey* key = now.token_keys->find(open->algorithm, open->kid);
  if (key == nullptr) {
    if (!now.token_keys->knows(open->kid)) want_key(open->kid);
    return wrong;
  }
  if (!key->verifies(open->signed_part, open->signature)) return wrong;
  auto claims = check_claims(open->claims, now.auth.jwt, at);
  if (!claims.ok()) return claims.error();
  if (!claims->token_id.empty() &&
      now.revoked.contains(revocation_digest(claims->issuer, claims->token_id))) {
    return wrong;
  }
  auto caller = std::make_shared<Caller>();
  // Users of two tenants may have one name; a tenant's holds no line feed.
  const std::string subject = claims->tenant + '\n' + claims->user;
  caller->key = "jwt_" + digest_hex(revocation_digest(claims->issuer, subject)).substr(0, 16);
  caller->owner = {TenantId(std::move(claims->tenant)), UserId(std::move(claims->user))};
  caller->scopes = claims->scopes;
  cache_.put(digest, now.generation, claims->good_until, caller);
  return *caller;
}

Error Identity::not_loaded() {
  Error error = Error::say(Errc::unavailable, "keys_not_loaded",
                           "The issuer's keys could not be read yet. Try again.");
  error.retry_after = whole_seconds(next_due() - clock_.now());
  return error;
}

/// Under mutex_.
bool Identity::somebody_may(const AuthSettings& auth) const {
  if (!auth.keys.empty() || has_source(auth.jwt)) return true;
  const WallTime now = clock_.wall();
  for (const auto& key : list_.keys) {
    const bool alive = key.expires == WallTime{} || now < key.expires;
    if (alive && key.revoked == WallTime{}) return true;
  }
  return false;
}

Status Identity::check_exposure() const {
  std::lock_guard lock(mutex_);
  if (listens_on_loopback(listen_) || somebody_may(auth_)) return done();
  return exposed(listen_);
}

Status Identity::check(const Settings& settings) const {
  auto fixed = fixed_key_set(settings.auth.jwt);
  if (!fixed.ok()) return fixed.error();
  const auto& listen = settings.server.listen;
  std::lock_guard lock(mutex_);
  if (listens_on_loopback(listen) || somebody_may(settings.auth)) return done();
  return exposed(listen);
}

bool Identity::has_source(const JwtSettings& jwt) {
  return !jwt.jwks_url.empty() || !jwt.public_key.empty() || !jwt.secret.empty();
}

std::string Identity::issuer_url() const {
  std::lock_guard lock(mutex_);
  return auth_.jwt.jwks_url;
}

Status Identity::configure(const Settings& settings) {
  auto fixed = fixed_key_set(settings.auth.jwt);
  if (!fixed.ok()) return fixed.error();
  std::lock_guard lock(mutex_);
  const bool moved = settings.auth.jwt.jwks_url != auth_.jwt.jwks_url;
  auth_ = settings.auth;
  listen_ = settings.server.listen;
  fixed_keys_ = std::move(*fixed);
  if (moved) {
    issuer_keys_.reset();
    issuer_ = {};
    issuer_wanted_.notify();
  }
  publish();
  return done();
}

void Identity::accept_admin(const KeyDigest& digest) {
  std::lock_guard lock(mutex_);
  admin_ = digest;
  publish();
}

void Identity::accept(storage::AccessList list) {
  std::lock_guard lock(mutex_);
  list_ = std::move(list);
  publish();
}

void Identity::publish() {
  auto next = std::make_shared<Snapshot>();
  next->generation = ++generation_;
  next->auth = auth_;
  next->on_loopback = listens_on_loopback(listen_);
  next->any_key = !auth_.keys.empty() || !list_.keys.empty();
  next->tokens = has_source(auth_.jwt);
  next->token_keys = auth_.jwt.jwks_url.empty() ? fixed_keys_ : issuer_keys_;
  next->issuer_due = !auth_.jwt.jwks_url.empty();
  add_configured(*next);
  add_stored(*next);
  live_.swap(std::move(next));
}

void Identity::add_configured(Snapshot& next) const {
  for (const auto& key : auth_.keys) {
    const KeyDigest digest = key_digest(key.reveal());
    Known known;
    known.caller.key = key_id(digest);
    // The user is named by the digest's head: stable over restarts.
    known.caller.owner = {TenantId("default"), UserId(known.caller.key)};
    known.caller.scopes = local_.scopes;
    known.guessable = key.reveal().size() < kStrongKey;
    next.keys.emplace(digest, std::move(known));
  }
  if (!admin_) return;
  Known known;
  known.caller.key = "admin";
  known.caller.owner = {TenantId("default"), UserId("admin")};
  known.caller.scopes = {Scope::chat, Scope::jobs, Scope::knowledge, Scope::admin};
  next.keys.insert_or_assign(*admin_, std::move(known));
}

void Identity::add_stored(Snapshot& next) {
  for (const auto& row : list_.keys) {
    KeyDigest digest{};
    if (row.revoked != WallTime{} || !digest_from_hex(row.digest, digest)) continue;
    Known known;
    known.caller.key = row.id;
    known.caller.owner = row.owner;
    known.caller.scopes.bits = row.scopes;
    const auto lowest = static_cast<std::uint8_t>(Priority::background);
    known.caller.most_urgent = static_cast<Priority>(std::min(row.priority, lowest));
    known.caller.limits = {row.requests_per_minute, row.burst,          row.concurrent,
                           row.tokens_per_minute,   row.tokens_per_day, row.queued};
    known.expires = row.expires;
    auto& use = uses_[row.id];
    if (!use) {
      use = std::make_shared<LastUse>();
      use->at = micros(row.last_used);
      use->noted = micros(row.last_used);
    }
    known.use = use;
    next.keys.emplace(digest, std::move(known));
  }
  for (const auto& token : list_.revoked) {
    next.revoked.insert(revocation_digest(token.issuer, token.token_id));
  }
}

}  // namespace mainstay::admission
