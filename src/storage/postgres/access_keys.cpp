// Statements of the access_key and revoked_token tables.
#include "storage/postgres/access_keys.h"

namespace mainstay::storage::postgres {
namespace {

constexpr const char* kAdd =
    "SELECT mainstay.add_key($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
    "$16, $17, $18, $19)";

// Generation, keys and tokens as of one moment: which of them a row is stands in its second column.
constexpr const char* kEverything = R"sql(
SELECT number, 0 AS kind, 0::bigint AS n, '' AS id, '' AS digest, '' AS prefix, ''::bytea AS name,
  '' AS tenant, '' AS owner, 0::bigint AS scopes, 0::bigint AS priority,
  0::bigint AS requests_per_minute, 0::bigint AS burst, 0::bigint AS concurrent,
  0::bigint AS tokens_per_minute, 0::bigint AS tokens_per_day, 0::bigint AS created,
  0::bigint AS expires, 0::bigint AS last_used, 0::bigint AS revoked, 0::bigint AS queued
  FROM mainstay.generation
UNION ALL
SELECT 0, 1, n, id, digest, prefix, name, tenant, owner, scopes, priority, requests_per_minute,
  burst, concurrent, tokens_per_minute, tokens_per_day, created, expires, last_used, revoked,
  queued FROM mainstay.access_key
UNION ALL
SELECT 0, 2, n, issuer, token_id, '', '', '', '', 0, 0, 0, 0, 0, 0, 0, 0, until, 0, 0, 0
  FROM mainstay.revoked_token
ORDER BY kind, n)sql";

constexpr const char* kUsed =
    "UPDATE mainstay.access_key k SET last_used = u.at "
    "FROM (SELECT id, max(at) AS at FROM unnest($1::text[], $2::bigint[]) AS x (id, at) "
    "GROUP BY id) u "
    "WHERE k.id = u.id AND k.last_used < u.at";

AccessKey key_of(const Rows& rows, int row) {
  AccessKey key;
  key.id = rows.text(row, 3);
  key.digest = rows.text(row, 4);
  key.prefix = rows.text(row, 5);
  key.name = rows.text(row, 6);
  key.owner = {TenantId(rows.text(row, 7)), UserId(rows.text(row, 8))};
  key.scopes = static_cast<std::uint8_t>(rows.number(row, 9));
  key.priority = static_cast<std::uint8_t>(rows.number(row, 10));
  key.requests_per_minute = static_cast<std::uint32_t>(rows.number(row, 11));
  key.burst = static_cast<std::uint32_t>(rows.number(row, 12));
  key.concurrent = static_cast<std::uint32_t>(rows.number(row, 13));
  key.tokens_per_minute = rows.count(row, 14);
  key.tokens_per_day = rows.count(row, 15);
  key.created = wall_from_micros(rows.number(row, 16));
  key.expires = wall_from_micros(rows.number(row, 17));
  key.last_used = wall_from_micros(rows.number(row, 18));
  key.revoked = wall_from_micros(rows.number(row, 19));
  key.queued = static_cast<std::uint32_t>(rows.number(row, 20));
  return key;
}

}  // namespace

Co<Status> PostgresAccessKeys::add(AccessKey key, std::uint32_t keys_max, Deadline by) {
  Statement statement("add_key", kAdd);
  statement.text(key.id).text(key.digest).text(key.prefix).bytes(key.name);
  statement.text(key.owner.tenant.text()).text(key.owner.user.text());
  statement.number(key.scopes).number(key.priority).number(key.requests_per_minute);
  statement.number(key.burst).number(key.concurrent).count(key.tokens_per_minute);
  statement.count(key.tokens_per_day).number(micros(key.created)).number(micros(key.expires));
  statement.number(micros(key.last_used)).number(micros(key.revoked)).number(key.queued);
  statement.number(keys_max);
  auto added = co_await client_.ask(std::move(statement), Repeat::once, by);
  if (!added.ok()) co_return added.error();
  const std::string outcome = added->text(0, 0);
  if (outcome == "exists") {
    co_return Error::say(Errc::conflict, "already_exists",
                         "Something with this id exists already.");
  }
  if (outcome == "full") {
    co_return Error::say(Errc::over_limit, "too_many_keys",
                         "There are as many keys as auth.keys_max allows.");
  }
  co_return done();
}

Co<Result<AccessList>> PostgresAccessKeys::list(Deadline by) {
  Statement statement("list_keys", kEverything);
  auto got = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!got.ok()) co_return got.error();
  AccessList out;
  for (int row = 0; row < got->size(); ++row) {
    const std::int64_t kind = got->number(row, 1);
    if (kind == 0) out.generation = got->count(row, 0);
    if (kind == 1) out.keys.push_back(key_of(*got, row));
    if (kind == 2) {
      out.revoked.push_back(
          {got->text(row, 3), got->text(row, 4), wall_from_micros(got->number(row, 17))});
    }
  }
  co_return out;
}

Co<Result<std::uint64_t>> PostgresAccessKeys::generation(Deadline by) {
  Statement statement("keys_generation", "SELECT number FROM mainstay.generation");
  auto got = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!got.ok()) co_return got.error();
  co_return got->size() == 0 ? 0 : got->count(0, 0);
}

Co<Status> PostgresAccessKeys::revoke(std::string id, WallTime at, Deadline by) {
  Statement statement("revoke_key", "SELECT mainstay.revoke_key($1, $2)");
  statement.text(std::move(id)).number(micros(at));
  auto revoked = co_await client_.ask(std::move(statement), Repeat::write, by);
  if (!revoked.ok()) co_return revoked.error();
  if (revoked->text(0, 0) == "unknown") {
    co_return Error::say(Errc::not_found, "unknown_key", "There is no key with this id.");
  }
  co_return done();
}

Co<Status> PostgresAccessKeys::used(std::vector<KeyUse> uses, Deadline by) {
  std::vector<std::string> ids;
  std::vector<std::int64_t> times;
  for (auto& use : uses) {
    ids.push_back(std::move(use.id));
    times.push_back(micros(use.at));
  }
  Statement statement("keys_used", kUsed);
  statement.texts(ids).numbers(times);
  auto noted = co_await client_.ask(std::move(statement), Repeat::write, by);
  if (!noted.ok()) co_return noted.error();
  co_return done();
}

Co<Status> PostgresAccessKeys::revoke_token(RevokedToken token, WallTime now,
                                            std::uint32_t revoked_max, Deadline by) {
  Statement statement("revoke_token", "SELECT mainstay.revoke_token($1, $2, $3, $4, $5)");
  statement.text(std::move(token.issuer)).text(std::move(token.token_id));
  statement.number(micros(token.until)).number(micros(now)).number(revoked_max);
  auto revoked = co_await client_.ask(std::move(statement), Repeat::write, by);
  if (!revoked.ok()) co_return revoked.error();
  if (revoked->text(0, 0) == "full") {
    co_return Error::say(Errc::over_limit, "too_many_revoked_tokens",
                         "As many tokens are revoked as auth.revoked_max allows.");
  }
  co_return done();
}

}  // namespace mainstay::storage::postgres
