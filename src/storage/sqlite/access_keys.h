// API keys over SQLite, in a file of their own. Used by storage/sqlite/open.cpp.
#pragma once

#include <memory>

#include "storage/access_keys.h"
#include "storage/sqlite/writer.h"

namespace mainstay::storage::sqlite {

/// keys.db is the one file that two processes may open: `mainstay keys` beside a running server.
/// It keeps a rollback journal instead of a WAL, because SQLite before 3.51.3 can lose pages when
/// two processes checkpoint one WAL, and it is read by its writer alone, so that a journal left by
/// a killed process is rolled back by whoever comes next.
class SqliteAccessKeys final : public AccessKeys {
 public:
  explicit SqliteAccessKeys(std::unique_ptr<Writer> writer) : writer_(std::move(writer)) {}
  Co<Status> add(AccessKey key, std::uint32_t keys_max, Deadline by) override;
  Co<Result<AccessList>> list(Deadline by) override;
  Co<Result<std::uint64_t>> generation(Deadline by) override;
  Co<Status> revoke(std::string id, WallTime at, Deadline by) override;
  Co<Status> used(std::vector<KeyUse> uses, Deadline by) override;
  Co<Status> revoke_token(RevokedToken token, WallTime now, std::uint32_t revoked_max,
                          Deadline by) override;
  Writer& writer() noexcept { return *writer_; }
  const Writer& writer() const noexcept { return *writer_; }

 private:
  std::unique_ptr<Writer> writer_;
};

}  // namespace mainstay::storage::sqlite
