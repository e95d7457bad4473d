// API keys in plain containers. Used by storage/memory/open.cpp.
#pragma once

#include <mutex>

#include "storage/access_keys.h"

namespace mainstay::storage::memory {

/// Thread-safe; no call waits.
class MemoryAccessKeys final : public AccessKeys {
 public:
  Co<Status> add(AccessKey key, std::uint32_t keys_max, Deadline by) override;
  Co<Result<AccessList>> list(Deadline by) override;
  Co<Result<std::uint64_t>> generation(Deadline by) override;
  Co<Status> revoke(std::string id, WallTime at, Deadline by) override;
  Co<Status> used(std::vector<KeyUse> uses, Deadline by) override;
  Co<Status> revoke_token(RevokedToken token, WallTime now, std::uint32_t revoked_max,
                          Deadline by) override;

 private:
  Status add_now(AccessKey key, std::uint32_t keys_max);
  Status revoke_now(const std::string& id, WallTime at);
  Status revoke_token_now(RevokedToken token, WallTime now, std::uint32_t revoked_max);
  AccessKey* find(const std::string& id);

  std::mutex mutex_;
  AccessList all_;
};

}  // namespace mainstay::storage::memory
