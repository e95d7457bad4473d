// Face: API keys, and tokens revoked by their id. Back ends: memory, sqlite,
// postgres.
// Used by admission (identity) and by `mainstay keys`, also while a server runs on the same data.
// Holds digests alone: what is stored here opens no door.
#pragma once

#include <string>
#include <vector>

#include "base/co.h"
#include "base/deadline.h"
#include "base/result.h"
#include "storage/conversations.h"

namespace mainstay::storage {

/// One API key. Times of zero: never.
struct AccessKey {
  std::string id;      ///< "key_…", made from the digest
  std::string digest;  ///< SHA-256 of the key, 64 hex digits
  std::string prefix;  ///< first characters of the key, to recognise it by
  std::string name;
  Owner owner;
  std::uint8_t scopes = 0;  ///< bits of admission::Scope
  std::uint8_t priority = 0;
  std::uint32_t requests_per_minute = 0;  ///< limits of this key alone; 0: the settings'
  std::uint32_t burst = 0;
  std::uint32_t concurrent = 0;
  std::uint64_t tokens_per_minute = 0;
  std::uint64_t tokens_per_day = 0;
  std::uint32_t queued = 0;
  WallTime created{};
  WallTime expires{};
  WallTime last_used{};
  WallTime revoked{};
};

/// When a key was used last.
struct KeyUse {
  std::string id;
  WallTime at{};
};

/// A token that must not be accepted although its signature is right.
struct RevokedToken {
  std::string issuer;
  std::string token_id;  ///< `jti`
  WallTime until{};      ///< the token has expired by then; the entry is forgotten
};

/// What identification needs of the store, read in one step.
struct AccessList {
  std::uint64_t generation = 0;
  std::vector<AccessKey> keys;  ///< all, oldest first
  std::vector<RevokedToken> revoked;
};

/// Any loop may call; no call blocks it. Errors of every verb: unavailable, deadline, disk_full,
/// corrupt, as of Conversations.
class AccessKeys {
 public:
  virtual ~AccessKeys() = default;
  /// After Ok the key survives a crash. Errors: conflict "already_exists" (id or digest);
  /// over_limit "too_many_keys" with `keys_max` keys.
  virtual Co<Status> add(AccessKey key, std::uint32_t keys_max, Deadline by) = 0;
  /// Everything, and the generation it belongs to.
  virtual Co<Result<AccessList>> list(Deadline by) = 0;
  /// Changes with every add, revoke and revoke_token, by whatever process; cheap.
  virtual Co<Result<std::uint64_t>> generation(Deadline by) = 0;
  /// From now on the key is refused. Repeating it keeps the first time. Errors: not_found
  /// "unknown_key".
  virtual Co<Status> revoke(std::string id, WallTime at, Deadline by) = 0;
  /// Notes uses; never sets a time back. Unknown ids are ignored.
  virtual Co<Status> used(std::vector<KeyUse> uses, Deadline by) = 0;
  /// Revokes a token by (issuer, token_id) until it expires; entries that ended before `now` are
  /// forgotten. Repeating keeps the later end. Errors: over_limit "too_many_revoked_tokens" with
  /// `revoked_max` entries that still count.
  virtual Co<Status> revoke_token(RevokedToken token, WallTime now, std::uint32_t revoked_max,
                                  Deadline by) = 0;
};

}  // namespace mainstay::storage
