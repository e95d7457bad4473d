// Statements of the access_key and revoked_token tables.
#include "storage/sqlite/access_keys.h"

namespace mainstay::storage::sqlite {
namespace {

void next_generation(Connection& db) {
  Query(db, "UPDATE generation SET number = number + 1").finish();
}

std::uint64_t generation_of(Connection& db) {
  Query query(db, "SELECT number FROM generation");
  return query.step() ? query.count(0) : 0;
}

Status add_key(Connection& db, const AccessKey& key, std::uint32_t keys_max) {
  {
    Query taken(db, "SELECT 1 FROM access_key WHERE id = ? OR digest = ?");
    taken.bind(key.id, key.digest);
    if (taken.step()) {
      return Error::say(Errc::conflict, "already_exists", "Something with this id exists already.");
    }
  }
  {
    Query count(db, "SELECT count(*) FROM access_key");
    if (count.step() && count.count(0) >= keys_max) {
      return Error::say(Errc::over_limit, "too_many_keys",
                        "There are as many keys as auth.keys_max allows.");
    }
  }
  Query(db,
        "INSERT INTO access_key (id, digest, prefix, name, tenant, user, scopes, priority, "
        "requests_per_minute, burst, concurrent, tokens_per_minute, tokens_per_day, created, "
        "expires, last_used, revoked, queued) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(key.id, key.digest, key.prefix, key.name, key.owner.tenant.text(),
            key.owner.user.text(), key.scopes, key.priority, key.requests_per_minute, key.burst,
            key.concurrent, key.tokens_per_minute, key.tokens_per_day, micros(key.created),
            micros(key.expires), micros(key.last_used), micros(key.revoked), key.queued)
      .finish();
  next_generation(db);
  return done();
}

AccessKey key_of(Query& row) {
  AccessKey key;
  key.id = row.text(0);
  key.digest = row.text(1);
  key.prefix = row.text(2);
  key.name = row.text(3);
  key.owner = {TenantId(row.text(4)), UserId(row.text(5))};
  key.scopes = static_cast<std::uint8_t>(row.number(6));
  key.priority = static_cast<std::uint8_t>(row.number(7));
  key.requests_per_minute = static_cast<std::uint32_t>(row.number(8));
  key.burst = static_cast<std::uint32_t>(row.number(9));
  key.concurrent = static_cast<std::uint32_t>(row.number(10));
  key.tokens_per_minute = row.count(11);
  key.tokens_per_day = row.count(12);
  key.created = wall_from_micros(row.number(13));
  key.expires = wall_from_micros(row.number(14));
  key.last_used = wall_from_micros(row.number(15));
  key.revoked = wall_from_micros(row.number(16));
  key.queued = static_cast<std::uint32_t>(row.number(17));
  return key;
}

Result<AccessList> read_all(Connection& db) {
  AccessList out;
  out.generation = generation_of(db);
  Query keys(db,
             "SELECT id, digest, prefix, name, tenant, user, scopes, priority, "
             "requests_per_minute, burst, concurrent, tokens_per_minute, tokens_per_day, created, "
             "expires, last_used, revoked, queued FROM access_key ORDER BY n");
  while (keys.step()) out.keys.push_back(key_of(keys));
  Query revoked(db, "SELECT issuer, token_id, until FROM revoked_token ORDER BY n");
  while (revoked.step()) {
    out.revoked.push_back({revoked.text(0), revoked.text(1), wall_from_micros(revoked.number(2))});
  }
  return out;
}

Status revoke_key(Connection& db, const std::string& id, WallTime at) {
  {
    Query known(db, "SELECT 1 FROM access_key WHERE id = ?");
    known.bind(id);
    if (!known.step()) {
      return Error::say(Errc::not_found, "unknown_key", "There is no key with this id.");
    }
  }
  Query(db, "UPDATE access_key SET revoked = ? WHERE id = ? AND revoked = 0")
      .bind(micros(at), id)
      .finish();
  next_generation(db);
  return done();
}

Status revoke_one_token(Connection& db, const RevokedToken& token, WallTime now,
                        std::uint32_t revoked_max) {
  Query(db, "DELETE FROM revoked_token WHERE until < ?").bind(micros(now)).finish();
  bool known = false;
  {
    Query query(db, "SELECT 1 FROM revoked_token WHERE issuer = ? AND token_id = ?");
    query.bind(token.issuer, token.token_id);
    known = query.step();
  }
  Query count(db, "SELECT count(*) FROM revoked_token");
  if (!known && count.step() && count.count(0) >= revoked_max) {
    return Error::say(Errc::over_limit, "too_many_revoked_tokens",
                      "As many tokens are revoked as auth.revoked_max allows.");
  }
  Query(db,
        "INSERT INTO revoked_token (issuer, token_id, until) VALUES (?, ?, ?) "
        "ON CONFLICT (issuer, token_id) DO UPDATE SET until = max(until, excluded.until)")
      .bind(token.issuer, token.token_id, micros(token.until))
      .finish();
  next_generation(db);
  return done();
}

}  // namespace

Co<Status> SqliteAccessKeys::add(AccessKey key, std::uint32_t keys_max, Deadline by) {
  auto work = [key = std::move(key), keys_max](Connection& db) {
    return add_key(db, key, keys_max);
  };
  co_return co_await writer_->write("add_key", std::move(work), by);
}

Co<Result<AccessList>> SqliteAccessKeys::list(Deadline by) {
  auto work = [](Connection& db) { return read_all(db); };
  co_return co_await writer_->write("list_keys", std::move(work), by);
}

Co<Result<std::uint64_t>> SqliteAccessKeys::generation(Deadline by) {
  auto work = [](Connection& db) -> Result<std::uint64_t> { return generation_of(db); };
  co_return co_await writer_->write("keys_generation", std::move(work), by);
}

Co<Status> SqliteAccessKeys::revoke(std::string id, WallTime at, Deadline by) {
  auto work = [id = std::move(id), at](Connection& db) { return revoke_key(db, id, at); };
  co_return co_await writer_->write("revoke_key", std::move(work), by);
}

Co<Status> SqliteAccessKeys::used(std::vector<KeyUse> uses, Deadline by) {
  auto work = [uses = std::move(uses)](Connection& db) -> Status {
    for (const auto& use : uses) {
      Query(db, "UPDATE access_key SET last_used = ? WHERE id = ? AND last_used < ?")
          .bind(micros(use.at), use.id, micros(use.at))
          .finish();
    }
    return done();
  };
  co_return co_await writer_->write("keys_used", std::move(work), by);
}

Co<Status> SqliteAccessKeys::revoke_token(RevokedToken token, WallTime now,
                                          std::uint32_t revoked_max, Deadline by) {
  auto work = [token = std::move(token), now, revoked_max](Connection& db) {
    return revoke_one_token(db, token, now, revoked_max);
  };
  co_return co_await writer_->write("revoke_token", std::move(work), by);
}

}  // namespace mainstay::storage::sqlite
