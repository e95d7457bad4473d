// Times are microseconds since 1970, durations microseconds. Titles and messages are bytea: they
// may hold any byte. Each verb that changes something is one function, so that it is one
// transaction.
#include "storage/postgres/schema.h"

#include <array>

#include "storage/postgres/schema_documents.h"

namespace mainstay::storage::postgres {
namespace {

constexpr const char* kTables1 = R"sql(
CREATE TABLE mainstay.conversation (
  n        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id       text   NOT NULL UNIQUE,
  tenant   text   NOT NULL,
  owner    text   NOT NULL,
  title    bytea  NOT NULL,
  created  bigint NOT NULL,
  updated  bigint NOT NULL,
  messages bigint NOT NULL
);
CREATE INDEX conversation_by_owner ON mainstay.conversation (tenant, owner, updated, n);
CREATE TABLE mainstay.turn (
  n                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  conversation      bigint NOT NULL REFERENCES mainstay.conversation (n) ON DELETE CASCADE,
  request           text   NOT NULL,
  first_seq         bigint NOT NULL,
  tokens            bigint NOT NULL,
  provider          text   NOT NULL,
  model             text   NOT NULL,
  prompt_tokens     bigint NOT NULL,
  completion_tokens bigint NOT NULL,
  first_token       bigint NOT NULL,
  total             bigint NOT NULL,
  citations         bytea  NOT NULL,
  finished          bigint NOT NULL,
  UNIQUE (conversation, request)
);
CREATE INDEX turn_by_conversation ON mainstay.turn (conversation, n);
CREATE INDEX turn_by_time ON mainstay.turn (finished);
CREATE TABLE mainstay.message (
  conversation bigint NOT NULL REFERENCES mainstay.conversation (n) ON DELETE CASCADE,
  seq          bigint NOT NULL,
  turn         bigint NOT NULL,
  id           text   NOT NULL,
  role         text   NOT NULL,
  json         bytea  NOT NULL,
  tokens       bigint NOT NULL,
  created      bigint NOT NULL,
  PRIMARY KEY (conversation, seq),
  UNIQUE (conversation, id)
);
CREATE TABLE mainstay.access_key (
  n                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id                  text   NOT NULL UNIQUE,
  digest              text   NOT NULL UNIQUE,
  prefix              text   NOT NULL,
  name                bytea  NOT NULL,
  tenant              text   NOT NULL,
  owner               text   NOT NULL,
  scopes              bigint NOT NULL,
  priority            bigint NOT NULL,
  requests_per_minute bigint NOT NULL,
  burst               bigint NOT NULL,
  concurrent          bigint NOT NULL,
  tokens_per_minute   bigint NOT NULL,
  tokens_per_day      bigint NOT NULL,
  queued              bigint NOT NULL,
  created             bigint NOT NULL,
  expires             bigint NOT NULL,
  last_used           bigint NOT NULL,
  revoked             bigint NOT NULL
);
CREATE TABLE mainstay.revoked_token (
  n        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  issuer   text   NOT NULL,
  token_id text   NOT NULL,
  until    bigint NOT NULL,
  UNIQUE (issuer, token_id)
);
CREATE TABLE mainstay.generation (number bigint NOT NULL);
INSERT INTO mainstay.generation VALUES (0);
)sql";

// The conversation's row is locked first: turns of one conversation come one after the other, and
// each sees what the one before has stored.
constexpr const char* kAppend1 = R"sql(
CREATE FUNCTION mainstay.append(
  p_id text, p_tenant text, p_owner text, p_title bytea, p_finished bigint, p_request text,
  p_provider text, p_model text, p_prompt_tokens bigint, p_completion_tokens bigint,
  p_first_token bigint, p_total bigint, p_citations bytea, p_ids text[], p_roles text[],
  p_jsons bytea[], p_tokens bigint[], p_created bigint[]) RETURNS text LANGUAGE plpgsql AS $body$
DECLARE
  c mainstay.conversation%ROWTYPE;
  t bigint;
BEGIN
  LOOP
    SELECT * INTO c FROM mainstay.conversation WHERE id = p_id FOR UPDATE;
    EXIT WHEN FOUND;
    INSERT INTO mainstay.conversation (id, tenant, owner, title, created, updated, messages)
      VALUES (p_id, p_tenant, p_owner, p_title, p_finished, p_finished, 0)
      ON CONFLICT (id) DO NOTHING;
  END LOOP;
  IF c.tenant <> p_tenant OR c.owner <> p_owner THEN
    RETURN 'unknown';
  END IF;
  PERFORM FROM mainstay.turn WHERE conversation = c.n AND request = p_request;
  IF FOUND THEN
    RETURN 'repeated';
  END IF;
  INSERT INTO mainstay.turn (conversation, request, first_seq, tokens, provider, model,
      prompt_tokens, completion_tokens, first_token, total, citations, finished)
    VALUES (c.n, p_request, c.messages + 1,
      coalesce((SELECT sum(x) FROM unnest(p_tokens) x), 0), p_provider, p_model,
      p_prompt_tokens, p_completion_tokens, p_first_token, p_total, p_citations, p_finished)
    RETURNING n INTO t;
  INSERT INTO mainstay.message (conversation, seq, turn, id, role, json, tokens, created)
    SELECT c.n, c.messages + m.at, t, m.id, m.role, m.json, m.tokens, m.created
    FROM unnest(p_ids, p_roles, p_jsons, p_tokens, p_created)
      WITH ORDINALITY AS m (id, role, json, tokens, created, at);
  UPDATE mainstay.conversation
    SET messages = c.messages + cardinality(p_ids), updated = greatest(updated, p_finished)
    WHERE n = c.n;
  RETURN 'ok';
END $body$;
)sql";

// Changes of keys come one after the other: each takes the generation's row first.
constexpr const char* kKeys1 = R"sql(
CREATE FUNCTION mainstay.add_key(
  p_id text, p_digest text, p_prefix text, p_name bytea, p_tenant text, p_owner text,
  p_scopes bigint, p_priority bigint, p_requests_per_minute bigint, p_burst bigint,
  p_concurrent bigint, p_tokens_per_minute bigint, p_tokens_per_day bigint, p_created bigint,
  p_expires bigint, p_last_used bigint, p_revoked bigint, p_queued bigint, p_most bigint)
  RETURNS text LANGUAGE plpgsql AS $body$
BEGIN
  PERFORM FROM mainstay.generation FOR UPDATE;
  PERFORM FROM mainstay.access_key WHERE id = p_id OR digest = p_digest;
  IF FOUND THEN
    RETURN 'exists';
  END IF;
  IF (SELECT count(*) FROM mainstay.access_key) >= p_most THEN
    RETURN 'full';
  END IF;
  INSERT INTO mainstay.access_key (id, digest, prefix, name, tenant, owner, scopes, priority,
      requests_per_minute, burst, concurrent, tokens_per_minute, tokens_per_day, created, expires,
      last_used, revoked, queued)
    VALUES (p_id, p_digest, p_prefix, p_name, p_tenant, p_owner, p_scopes, p_priority,
      p_requests_per_minute, p_burst, p_concurrent, p_tokens_per_minute, p_tokens_per_day,
      p_created, p_expires, p_last_used, p_revoked, p_queued);
  UPDATE mainstay.generation SET number = number + 1;
  RETURN 'ok';
END $body$;
CREATE FUNCTION mainstay.revoke_key(p_id text, p_at bigint) RETURNS text LANGUAGE plpgsql AS $body$
BEGIN
  PERFORM FROM mainstay.generation FOR UPDATE;
  PERFORM FROM mainstay.access_key WHERE id = p_id;
  IF NOT FOUND THEN
    RETURN 'unknown';
  END IF;
  UPDATE mainstay.access_key SET revoked = p_at WHERE id = p_id AND revoked = 0;
  IF FOUND THEN
    UPDATE mainstay.generation SET number = number + 1;
  END IF;
  RETURN 'ok';
END $body$;
CREATE FUNCTION mainstay.revoke_token(
  p_issuer text, p_token_id text, p_until bigint, p_now bigint, p_most bigint)
  RETURNS text LANGUAGE plpgsql AS $body$
BEGIN
  PERFORM FROM mainstay.generation FOR UPDATE;
  DELETE FROM mainstay.revoked_token WHERE until < p_now;
  PERFORM FROM mainstay.revoked_token WHERE issuer = p_issuer AND token_id = p_token_id;
  IF NOT FOUND AND (SELECT count(*) FROM mainstay.revoked_token) >= p_most THEN
    RETURN 'full';
  END IF;
  INSERT INTO mainstay.revoked_token AS r (issuer, token_id, until)
    VALUES (p_issuer, p_token_id, p_until)
    ON CONFLICT (issuer, token_id) DO UPDATE SET until = greatest(r.until, excluded.until);
  UPDATE mainstay.generation SET number = number + 1;
  RETURN 'ok';
END $body$;
)sql";

/// One step from a version to the next; never changed once it was in use.
struct Migration {
  std::array<const char*, 3> scripts;
};
const std::array kMigrations = {Migration{{kTables1, kAppend1, kKeys1}},
                                Migration{document_scripts()}, Migration{vector_scripts()},
                                Migration{source_scripts()}, Migration{accepted_scripts()}};

/// Taken by whoever changes the schema; the number stands for nothing.
constexpr const char* kLock = "SELECT pg_advisory_xact_lock(5642189014223190017)";

constexpr const char* kLook =
    "SELECT to_regnamespace('mainstay') IS NOT NULL, to_regclass('mainstay.version') IS NOT NULL, "
    "(SELECT count(*) FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace "
    "WHERE s.nspname = 'mainstay')";

struct Found {
  bool schema = false;
  std::int64_t version = 0;
};

Error newer(const std::string& server, std::int64_t found) {
  return Error::say(Errc::invalid, "database_newer",
                    "The schema 'mainstay' at " + server +
                        " was written by a newer Mainstay (version " + std::to_string(found) +
                        ", this one knows up to " + std::to_string(schema_version()) +
                        "). Start the newer program. Nothing was changed.",
                    "storage.postgres_url");
}

Error foreign(const std::string& server) {
  return Error::say(Errc::invalid, "database_foreign",
                    "The schema 'mainstay' at " + server +
                        " belongs to another program. Choose another database in "
                        "'storage.postgres_url'. Nothing was changed.",
                    "storage.postgres_url");
}

Error named(Error error, const std::string& server) {
  if (error.detail.find(" 42501 ") == std::string::npos) return error;
  Error out = Error::say(
      Errc::invalid, "postgres_misconfigured",
      "The user of 'storage.postgres_url' may not make or use the schema "
      "'mainstay' at " +
          server + "; as an administrator run: CREATE SCHEMA mainstay AUTHORIZATION USER.",
      "storage.postgres_url");
  out.detail = error.detail;
  return out;
}

Co<Result<Found>> look(Connection& connection, std::string server, Deadline by) {
  const Statement look("schema", kLook);
  auto seen = co_await connection.run(look, false, by);
  if (!seen.ok()) co_return seen.error();
  Found out;
  out.schema = seen->truth(0, 0);
  if (!seen->truth(0, 1)) {
    if (seen->number(0, 2) > 0) co_return foreign(server);
    co_return out;
  }
  const Statement version("schema", "SELECT number FROM mainstay.version");
  auto number = co_await connection.run(version, false, by);
  if (!number.ok()) co_return number.error();
  if (number->size() != 1) co_return foreign(server);
  out.version = number->number(0, 0);
  if (out.version > schema_version()) co_return newer(server, out.version);
  co_return out;
}

std::string script_from(const Found& found) {
  std::string out;
  if (!found.schema) out += "CREATE SCHEMA mainstay;\n";
  if (found.version == 0) {
    out +=
        "CREATE TABLE mainstay.version (number bigint NOT NULL);\n"
        "INSERT INTO mainstay.version VALUES (0);\n";
  }
  for (auto at = static_cast<std::size_t>(found.version); at < kMigrations.size(); ++at) {
    for (const char* script : kMigrations[at].scripts) out += script;
  }
  out += "UPDATE mainstay.version SET number = " + std::to_string(schema_version()) + ";\nCOMMIT";
  return out;
}

}  // namespace

std::int64_t schema_version() {
  return static_cast<std::int64_t>(kMigrations.size());
}

Co<Status> look_at(Connection& connection, std::string server, Deadline by) {
  auto found = co_await look(connection, server, by);
  if (!found.ok()) co_return named(found.error(), server);
  co_return done();
}

Co<Status> migrate(Connection& connection, std::string server, Deadline by) {
  auto first = co_await look(connection, server, by);
  if (!first.ok()) co_return named(first.error(), server);
  if (first->version == schema_version()) co_return done();
  // Whoever comes second finds the work done. An error leaves the transaction to the connection's
  // end, which undoes it.
  std::string begin = std::string("BEGIN; SET LOCAL statement_timeout = 0; ") + kLock;
  auto locked = co_await connection.script(std::move(begin), by);
  if (!locked.ok()) co_return named(locked.error(), server);
  auto found = co_await look(connection, server, by);
  if (!found.ok()) co_return named(found.error(), server);
  std::string rest = found->version == schema_version() ? "COMMIT" : script_from(*found);
  auto changed = co_await connection.script(std::move(rest), by);
  if (!changed.ok()) co_return named(changed.error(), server);
  co_return done();
}

}  // namespace mainstay::storage::postgres
