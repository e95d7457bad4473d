// The rules of API keys, written as plainly as possible.
#include "storage/memory/access_keys.h"

#include <algorithm>

namespace mainstay::storage::memory {

AccessKey* MemoryAccessKeys::find(const std::string& id) {
  const auto found = std::find_if(all_.keys.begin(), all_.keys.end(),
                                  [&](const AccessKey& key) { return key.id == id; });
  return found == all_.keys.end() ? nullptr : &*found;
}

Status MemoryAccessKeys::add_now(AccessKey key, std::uint32_t keys_max) {
  std::lock_guard lock(mutex_);
  for (const auto& other : all_.keys) {
    if (other.id == key.id || other.digest == key.digest) {
      return Error::say(Errc::conflict, "already_exists", "Something with this id exists already.");
    }
  }
  if (all_.keys.size() >= keys_max) {
    return Error::say(Errc::over_limit, "too_many_keys",
                      "There are as many keys as auth.keys_max allows.");
  }
  all_.keys.push_back(std::move(key));
  ++all_.generation;
  return done();
}

Status MemoryAccessKeys::revoke_now(const std::string& id, WallTime at) {
  std::lock_guard lock(mutex_);
  AccessKey* key = find(id);
  if (key == nullptr) {
    return Error::say(Errc::not_found, "unknown_key", "There is no key with this id.");
  }
  if (key->revoked == WallTime{}) key->revoked = at;
  ++all_.generation;
  return done();
}

Status MemoryAccessKeys::revoke_token_now(RevokedToken token, WallTime now,
                                          std::uint32_t revoked_max) {
  std::lock_guard lock(mutex_);
  std::erase_if(all_.revoked, [&](const RevokedToken& one) { return one.until < now; });
  for (auto& one : all_.revoked) {
    if (one.issuer != token.issuer || one.token_id != token.token_id) continue;
    one.until = std::max(one.until, token.until);
    ++all_.generation;
    return done();
  }
  if (all_.revoked.size() >= revoked_max) {
    return Error::say(Errc::over_limit, "too_many_revoked_tokens",
                      "As many tokens are revoked as auth.revoked_max allows.");
  }
  all_.revoked.push_back(std::move(token));
  ++all_.generation;
  return done();
}

Co<Status> MemoryAccessKeys::add(AccessKey key, std::uint32_t keys_max, Deadline) {
  co_return add_now(std::move(key), keys_max);
}

Co<Result<AccessList>> MemoryAccessKeys::list(Deadline) {
  std::lock_guard lock(mutex_);
  co_return all_;
}

Co<Result<std::uint64_t>> MemoryAccessKeys::generation(Deadline) {
  std::lock_guard lock(mutex_);
  co_return all_.generation;
}

Co<Status> MemoryAccessKeys::revoke(std::string id, WallTime at, Deadline) {
  co_return revoke_now(id, at);
}

Co<Status> MemoryAccessKeys::used(std::vector<KeyUse> uses, Deadline) {
  std::lock_guard lock(mutex_);
  for (const auto& use : uses) {
    AccessKey* key = find(use.id);
    if (key != nullptr) key->last_used = std::max(key->last_used, use.at);
  }
  co_return done();
}

Co<Status> MemoryAccessKeys::revoke_token(RevokedToken token, WallTime now,
                                          std::uint32_t revoked_max, Deadline) {
  co_return revoke_token_now(std::move(token), now, revoked_max);
}

}  // namespace mainstay::storage::memory
