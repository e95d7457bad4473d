// API keys and revoked tokens in PostgreSQL.
// Used by open.cpp and tests.
#pragma once

#include "storage/access_keys.h"
#include "storage/postgres/client.h"

namespace mainstay::storage::postgres {

class PostgresAccessKeys final : public AccessKeys {
 public:
  explicit PostgresAccessKeys(Client& client) : client_(client) {}
  Co<Status> add(AccessKey key, std::uint32_t keys_max, Deadline by) override;
  Co<Result<AccessList>> list(Deadline by) override;
  Co<Result<std::uint64_t>> generation(Deadline by) override;
  Co<Status> revoke(std::string id, WallTime at, Deadline by) override;
  Co<Status> used(std::vector<KeyUse> uses, Deadline by) override;
  Co<Status> revoke_token(RevokedToken token, WallTime now, std::uint32_t revoked_max,
                          Deadline by) override;

 private:
  Client& client_;
};

}  // namespace mainstay::storage::postgres
