// Tables and indexes. Times are microseconds since 1970, durations microseconds.
#include "storage/sqlite/schema.h"

#include <sys/stat.h>

#include "storage/sqlite/document_rows.h"
#include "storage/sqlite/uploads.h"
#include "storage/sqlite/vector_schema.h"

namespace mainstay::storage::sqlite {
namespace {

/// Vectors and words come by the thousand: with 16 KiB a bulk insert takes a tenth less than with
/// 4, and a page holds ten vectors of 384 numbers instead of two. Rows of jobs and turns are small
/// and committed a few at a time, which writes whole pages.
constexpr std::int64_t kSmallPages = 4096;
constexpr std::int64_t kLargePages = 16'384;
/// Above this size a file that was closed cleanly is not read through at start, so that a start
/// takes milliseconds; `mainstay doctor` reads it all.
constexpr std::int64_t kAlwaysCheckBelow = 64LL << 20;
/// After an unclean end larger files are read through too, but a start must not take minutes.
constexpr std::int64_t kUncleanCheckBelow = 512LL << 20;

constexpr const char* kConversations1 = R"sql(
CREATE TABLE conversation (
  n        INTEGER PRIMARY KEY,
  id       TEXT NOT NULL UNIQUE,
  tenant   TEXT NOT NULL,
  user     TEXT NOT NULL,
  title    TEXT NOT NULL,
  created  INTEGER NOT NULL,
  updated  INTEGER NOT NULL,
  messages INTEGER NOT NULL
) STRICT;
CREATE INDEX conversation_by_owner ON conversation (tenant, user, updated, n);
CREATE TABLE turn (
  n                 INTEGER PRIMARY KEY,
  conversation      INTEGER NOT NULL REFERENCES conversation (n),
  request           TEXT NOT NULL,
  provider          TEXT NOT NULL,
  model             TEXT NOT NULL,
  prompt_tokens     INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  first_token       INTEGER NOT NULL,
  total             INTEGER NOT NULL,
  citations         TEXT NOT NULL,
  finished          INTEGER NOT NULL,
  UNIQUE (conversation, request)
) STRICT;
CREATE INDEX turn_by_time ON turn (finished);
CREATE TABLE message (
  n            INTEGER PRIMARY KEY,
  conversation INTEGER NOT NULL REFERENCES conversation (n),
  seq          INTEGER NOT NULL,
  turn         INTEGER NOT NULL REFERENCES turn (n),
  id           TEXT NOT NULL,
  role         TEXT NOT NULL,
  json         TEXT NOT NULL,
  tokens       INTEGER NOT NULL,
  created      INTEGER NOT NULL,
  UNIQUE (conversation, seq),
  UNIQUE (conversation, id)
) STRICT;
)sql";

// A job's row is written once, when it comes in; job_now holds what became of it since (none: it
// waits as it came in) and is written in the order of arrival too, so that a commit of many jobs
// touches few pages. `finished` of one that waits again says since when. The order of those that
// wait lives in memory: every job below `live_from` has ended. `repeat_every` below zero: as much
// above it, and the next occurrence has been made. job_kept_key holds the keys of jobs that were
// removed before their keys' time.
constexpr const char* kConversations2 = R"sql(
CREATE TABLE job (
  n            INTEGER PRIMARY KEY,
  id           TEXT NOT NULL,
  tenant       TEXT NOT NULL,
  user         TEXT NOT NULL,
  client       TEXT NOT NULL,
  kind         TEXT NOT NULL,
  priority     INTEGER NOT NULL,
  batch        TEXT NOT NULL,
  key          TEXT NOT NULL,
  key_held     INTEGER NOT NULL,
  digest       TEXT NOT NULL,
  run_at       INTEGER NOT NULL,
  expires      INTEGER NOT NULL,
  attempts_max INTEGER NOT NULL,
  repeat_every INTEGER NOT NULL,
  created      INTEGER NOT NULL,
  input        TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX job_by_id ON job (id);
CREATE UNIQUE INDEX job_by_key ON job (tenant, user, key) WHERE key_held = 1;
CREATE INDEX job_by_owner ON job (tenant, user, n);
CREATE INDEX job_by_batch ON job (batch, n) WHERE batch <> '';
CREATE TABLE job_now (
  n        INTEGER PRIMARY KEY,
  priority INTEGER NOT NULL,
  state    INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  silent   INTEGER NOT NULL,
  token    INTEGER NOT NULL,
  ended_by INTEGER NOT NULL,
  run_at   INTEGER NOT NULL,
  expires  INTEGER NOT NULL,
  worker   TEXT NOT NULL,
  started  INTEGER NOT NULL,
  finished INTEGER NOT NULL,
  result   TEXT NOT NULL,
  code     TEXT NOT NULL,
  message  TEXT NOT NULL
) STRICT;
CREATE INDEX job_by_end ON job_now (state, finished, priority) WHERE state >= 3;
CREATE INDEX job_given_up ON job_now (state, n) WHERE state >= 4;
CREATE TABLE job_kept_key (
  tenant TEXT NOT NULL,
  user   TEXT NOT NULL,
  key    TEXT NOT NULL,
  digest TEXT NOT NULL,
  id     TEXT NOT NULL,
  state  INTEGER NOT NULL,
  until  INTEGER NOT NULL,
  PRIMARY KEY (tenant, user, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_kept_key_by_end ON job_kept_key (until);
CREATE TABLE job_store (live_from INTEGER NOT NULL) STRICT;
INSERT INTO job_store (live_from) VALUES (0);
)sql";

// Sums beside the rows, kept by triggers: the bounds on what is kept are looked at with each reply.
constexpr const char* kConversations3 = R"sql(
CREATE TABLE reply (
  n            INTEGER PRIMARY KEY,
  tenant       TEXT NOT NULL,
  user         TEXT NOT NULL,
  route        TEXT NOT NULL,
  key          TEXT NOT NULL,
  digest       TEXT NOT NULL,
  status       INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  headers      TEXT NOT NULL,
  body         TEXT NOT NULL,
  left_out     INTEGER NOT NULL,
  size         INTEGER NOT NULL,
  until        INTEGER NOT NULL,
  UNIQUE (tenant, user, route, key)
) STRICT;
CREATE INDEX reply_by_owner ON reply (tenant, user, n);
CREATE INDEX reply_by_end ON reply (until);
CREATE TABLE reply_sum (
  tenant  TEXT NOT NULL,
  user    TEXT NOT NULL,
  replies INTEGER NOT NULL,
  bytes   INTEGER NOT NULL,
  PRIMARY KEY (tenant, user)
) STRICT, WITHOUT ROWID;
CREATE TABLE reply_sum_of_all (
  one     INTEGER PRIMARY KEY,
  replies INTEGER NOT NULL,
  bytes   INTEGER NOT NULL
) STRICT;
INSERT INTO reply_sum_of_all (one, replies, bytes) VALUES (1, 0, 0);
CREATE TRIGGER reply_added AFTER INSERT ON reply BEGIN
  INSERT INTO reply_sum (tenant, user, replies, bytes) VALUES (new.tenant, new.user, 1, new.size)
    ON CONFLICT (tenant, user) DO UPDATE SET replies = replies + 1, bytes = bytes + excluded.bytes;
  UPDATE reply_sum_of_all SET replies = replies + 1, bytes = bytes + new.size WHERE one = 1;
END;
CREATE TRIGGER reply_removed AFTER DELETE ON reply BEGIN
  UPDATE reply_sum SET replies = replies - 1, bytes = bytes - old.size
    WHERE tenant = old.tenant AND user = old.user;
  DELETE FROM reply_sum WHERE tenant = old.tenant AND user = old.user AND replies = 0;
  UPDATE reply_sum_of_all SET replies = replies - 1, bytes = bytes - old.size WHERE one = 1;
END;
)sql";

constexpr const char* kConversations4 = R"sql(
CREATE TABLE file (
  n       INTEGER PRIMARY KEY AUTOINCREMENT,
  id      TEXT NOT NULL UNIQUE,
  tenant  TEXT NOT NULL,
  user    TEXT NOT NULL,
  name    TEXT NOT NULL,
  purpose TEXT NOT NULL,
  size    INTEGER NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL
) STRICT;
CREATE INDEX file_by_owner ON file (tenant, user, n);
CREATE INDEX file_by_end ON file (expires) WHERE expires > 0;
CREATE TABLE batch (
  n       INTEGER PRIMARY KEY AUTOINCREMENT,
  id      TEXT NOT NULL UNIQUE,
  tenant  TEXT NOT NULL,
  user    TEXT NOT NULL,
  open    INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created INTEGER NOT NULL,
  record  TEXT NOT NULL
) STRICT;
CREATE INDEX batch_by_owner ON batch (tenant, user, n);
CREATE INDEX batch_open ON batch (n) WHERE open = 1;
CREATE INDEX batch_closed ON batch (created) WHERE open = 0;
)sql";

// The key first: those of one program mostly come in their order, so that a commit's keys share
// pages of the index, where each owner's would have had a page of its own.
constexpr const char* kKeysFirst = R"sql(
DROP INDEX job_by_key;
CREATE UNIQUE INDEX job_by_key ON job (key, tenant, user) WHERE key_held = 1;
)sql";

// The words table holds no text of its own: it reads chunk_text when it must. Its porter stems and
// folded accents are what storage/words.h does for the memory back end. A trigram table for typing
// errors would stand beside it as `grams`, filled and emptied by the same two statements.
constexpr const char* kDocuments1 = R"sql(
CREATE TABLE document (
  n          INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  tenant     TEXT NOT NULL,
  collection TEXT NOT NULL,
  title      TEXT NOT NULL,
  source     TEXT NOT NULL,
  media_type TEXT NOT NULL,
  sha256     TEXT NOT NULL,
  size       INTEGER NOT NULL,
  chunks     INTEGER NOT NULL,
  created    INTEGER NOT NULL,
  UNIQUE (tenant, collection, sha256)
) STRICT;
CREATE INDEX document_by_tenant ON document (tenant, n);
CREATE INDEX document_by_collection ON document (tenant, collection, n);
CREATE INDEX document_by_source ON document (tenant, collection, source);
CREATE TABLE chunk (
  n        INTEGER PRIMARY KEY,
  document INTEGER NOT NULL REFERENCES document (n),
  seq      INTEGER NOT NULL,
  begin_at INTEGER NOT NULL,
  end_at   INTEGER NOT NULL,
  heading  TEXT NOT NULL,
  text     TEXT NOT NULL,
  UNIQUE (document, seq)
) STRICT;
CREATE VIEW chunk_text AS
  SELECT chunk.n AS n, document.title AS title, chunk.heading AS heading, chunk.text AS text
  FROM chunk JOIN document ON document.n = chunk.document;
CREATE VIRTUAL TABLE words USING fts5 (
  title, heading, text, content = 'chunk_text', content_rowid = 'n',
  tokenize = "porter unicode61 remove_diacritics 2"
);
INSERT INTO words (words, rank) VALUES ('rank', 'bm25(2.0, 3.0, 1.0)');
)sql";

// Documents that are ingested piece by piece, and words that are found although mistyped. A chunk's
// number tells its document (storage/documents.h), so that documents are ranges of the index; what
// else belongs to a chunk (its vectors) goes by a trigger on chunk. Tenants and collections are
// numbers here, and marks in the index (column scope), so that a filter is part of the search.
// The index has the tokenizer of tokenizer.h; documents_schema() fills it after the step of
// kLetters.
constexpr const char* kDocuments2 = R"sql(
DROP INDEX document_by_tenant;
DROP INDEX document_by_collection;
DROP INDEX document_by_source;
DROP TABLE words;
DROP VIEW chunk_text;
ALTER TABLE chunk RENAME TO old_chunk;
ALTER TABLE document RENAME TO old_document;
CREATE TABLE tenant (n INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE collection (
  n         INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant    INTEGER NOT NULL REFERENCES tenant (n),
  name      TEXT,     -- NULL: gone with all its documents
  documents INTEGER NOT NULL,
  chunks    INTEGER NOT NULL,
  bytes     INTEGER NOT NULL,
  UNIQUE (tenant, name)
) STRICT;
CREATE INDEX collection_gone ON collection (n) WHERE name IS NULL;
CREATE TABLE document (
  n          INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT UNIQUE,       -- NULL: gone
  tenant     INTEGER NOT NULL REFERENCES tenant (n),
  collection INTEGER NOT NULL REFERENCES collection (n),
  state      INTEGER NOT NULL,  -- 0 ready, 1 ingesting, 2 gone
  title      TEXT NOT NULL,
  source     TEXT NOT NULL,
  media_type TEXT NOT NULL,
  sha256     TEXT NOT NULL,
  size       INTEGER NOT NULL,
  chunks     INTEGER NOT NULL,
  created    INTEGER NOT NULL,
  tags       TEXT NOT NULL,     -- a line feed before and after each
  checkpoint TEXT NOT NULL,
  indexed    TEXT NOT NULL,     -- title in the index of chunks from number `retitled` on
  retitled   INTEGER NOT NULL
) STRICT;
CREATE INDEX document_by_tenant ON document (tenant, state);
CREATE INDEX document_by_collection ON document (collection, state);
CREATE INDEX document_by_time ON document (collection, created, tags) WHERE state = 0;
CREATE UNIQUE INDEX document_by_content ON document (collection, sha256)
  WHERE state = 0 AND sha256 <> '';
CREATE INDEX document_by_source ON document (collection, source) WHERE state = 0 AND source <> '';
CREATE INDEX document_unfinished ON document (created) WHERE state = 1;
CREATE INDEX document_gone ON document (n) WHERE state = 2;
CREATE TABLE chunk (
  n        INTEGER PRIMARY KEY,  -- document * 2^24 + place
  begin_at INTEGER NOT NULL,
  end_at   INTEGER NOT NULL,
  page     INTEGER NOT NULL,     -- 0: none
  heading  TEXT NOT NULL,
  text     TEXT NOT NULL
) STRICT;
CREATE VIRTUAL TABLE words USING fts5 (
  title, heading, text, scope, content = '', tokenize = 'mainstay'
);
INSERT INTO words (words, rank) VALUES ('automerge', 8), ('pgsz', 4000), ('hashsize', 8000000);
CREATE VIRTUAL TABLE words_row USING fts5vocab (words, row);
CREATE TABLE word (
  n       INTEGER PRIMARY KEY,
  text    TEXT NOT NULL UNIQUE,
  witness INTEGER NOT NULL      -- a chunk that holds the word's stem
) STRICT;
CREATE INDEX word_by_witness ON word (witness);
CREATE VIRTUAL TABLE spelling USING fts5 (
  text, content = '', columnsize = 0, detail = none, tokenize = 'trigram'
);
INSERT INTO tenant (name) SELECT DISTINCT tenant FROM old_document ORDER BY tenant;
INSERT INTO collection (tenant, name, documents, chunks, bytes)
  SELECT tenant.n, old.collection, count(*), sum(old.chunks), sum(old.size)
  FROM old_document AS old JOIN tenant ON tenant.name = old.tenant
  GROUP BY tenant.n, old.collection;
INSERT INTO document (n, id, tenant, collection, state, title, source, media_type, sha256, size,
                      chunks, created, tags, checkpoint, indexed, retitled)
  SELECT old.n, old.id, tenant.n, collection.n, 0, old.title, old.source, old.media_type,
         old.sha256, old.size, old.chunks, old.created, '', '', old.title, 0
  FROM old_document AS old JOIN tenant ON tenant.name = old.tenant
  JOIN collection ON collection.tenant = tenant.n AND collection.name = old.collection;
INSERT INTO chunk (n, begin_at, end_at, page, heading, text)
  SELECT (document << 24) | seq, begin_at, end_at, 0, heading, text FROM old_chunk
  ORDER BY document, seq;
DROP TABLE old_chunk;
DROP TABLE old_document;
)sql";

// Small pictures of image documents. They go with their document, whoever hides it.
constexpr const char* kThumbnails = R"sql(
CREATE TABLE thumbnail (
  document INTEGER PRIMARY KEY,
  bytes    BLOB NOT NULL
) STRICT;
CREATE TRIGGER thumbnail_gone AFTER UPDATE OF state ON document WHEN new.state = 2 BEGIN
  DELETE FROM thumbnail WHERE document = new.n;
END;
)sql";

// The same content under two names is two documents: each may change or go without the other.
constexpr const char* kSources = R"sql(
DROP INDEX document_by_content;
CREATE UNIQUE INDEX document_by_content ON document (collection, sha256, source)
  WHERE state = 0 AND sha256 <> '';
)sql";

// More letters are folded (letters.h). An index forgets a text only by the words that came of it,
// so that each document knows which of its chunks are cut as today; sweep() brings the others
// there.
constexpr const char* kLetters = R"sql(
ALTER TABLE document ADD COLUMN folded INTEGER NOT NULL DEFAULT 0;
CREATE INDEX document_folded ON document (n) WHERE folded < 16777216;
)sql";

// Of two contents of a document the one that was accepted later stays.
constexpr const char* kAccepted = R"sql(
ALTER TABLE document ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0;
UPDATE document SET accepted = created;
)sql";
/// The first whose tables are those that today's queries know.
constexpr std::size_t kAcceptedStep = 8;

constexpr const char* kAccessKeys1 = R"sql(
CREATE TABLE generation (number INTEGER NOT NULL) STRICT;
INSERT INTO generation (number) VALUES (0);
CREATE TABLE access_key (
  n                   INTEGER PRIMARY KEY,
  id                  TEXT NOT NULL UNIQUE,
  digest              TEXT NOT NULL UNIQUE,
  prefix              TEXT NOT NULL,
  name                TEXT NOT NULL,
  tenant              TEXT NOT NULL,
  user                TEXT NOT NULL,
  scopes              INTEGER NOT NULL,
  priority            INTEGER NOT NULL,
  requests_per_minute INTEGER NOT NULL,
  burst               INTEGER NOT NULL,
  concurrent          INTEGER NOT NULL,
  tokens_per_minute   INTEGER NOT NULL,
  tokens_per_day      INTEGER NOT NULL,
  created             INTEGER NOT NULL,
  expires             INTEGER NOT NULL,
  last_used           INTEGER NOT NULL,
  revoked             INTEGER NOT NULL
) STRICT;
CREATE TABLE revoked_token (
  n        INTEGER PRIMARY KEY,
  issuer   TEXT NOT NULL,
  token_id TEXT NOT NULL,
  until    INTEGER NOT NULL,
  UNIQUE (issuer, token_id)
) STRICT;
CREATE INDEX revoked_token_by_end ON revoked_token (until);
)sql";

constexpr const char* kAccessKeys2 =
    "ALTER TABLE access_key ADD COLUMN queued INTEGER NOT NULL DEFAULT 0";

void index_after_step(Connection& db, std::size_t version) {
  if (version == kAcceptedStep) index_if_empty(db);  // made anew by the second step
}

Error newer(const std::string& path, std::int64_t found, std::size_t known) {
  return Error::say(Errc::invalid, "database_newer",
                    "The database " + path + " was written by a newer Mainstay (version " +
                        std::to_string(found) + ", this one knows up to " + std::to_string(known) +
                        "). Start the newer program, or restore a backup made by this one. "
                        "Nothing was changed.",
                    "storage.data_dir");
}

Error foreign(const std::string& path) {
  return Error::say(
      Errc::invalid, "database_foreign",
      "The file " + path +
          " is a database of another program. Choose another data "
          "directory with storage.data_dir or --data, or move the file away. Nothing was "
          "changed.",
      "storage.data_dir");
}

Error corrupt(const std::string& path, const std::string& why) {
  Error error = Error::say(Errc::corrupt, "database_corrupt",
                           "The database " + path +
                               " is damaged or is not a database. Move it away "
                               "and restore a backup, or try `sqlite3 " +
                               path +
                               " .recover`. Nothing "
                               "was changed.",
                           "storage.data_dir");
  error.detail = path + ": " + why;
  return error;
}

std::int64_t size_of(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? info.st_size : 0;
}

Status check_open(const Schema& schema, const std::string& path, bool all) {
  // Of a shared file the journal of a killed process may have to be rolled back first.
  const Mode mode = schema.shared ? Mode::write : Mode::read;
  Connection db(path, mode, std::chrono::seconds(2));
  const auto application = db.number("PRAGMA application_id");
  const auto version = db.number("PRAGMA user_version");
  const auto tables = db.number("SELECT count(*) FROM sqlite_schema");
  if (application != schema.application_id) {
    // Created, but stopped before the first step was committed: as good as missing.
    if (application == 0 && version == 0 && tables == 0) return done();
    return foreign(path);
  }
  if (version > static_cast<std::int64_t>(schema.steps.size())) {
    return newer(path, version, schema.steps.size());
  }
  if (all) {
    const std::string verdict = db.text("PRAGMA quick_check(1)");
    if (verdict != "ok") return corrupt(path, verdict);
  }
  return done();
}

}  // namespace

const Schema& conversations_schema() {
  static const Schema schema{"mainstay",
                             "mainstay.db",
                             0x4d4e5354,
                             {kConversations1, kConversations2, kConversations3, kConversations4,
                              kUploadTables, kKeysFirst},
                             kSmallPages};
  return schema;
}

const Schema& documents_schema() {
  static const Schema schema{
      "knowledge",
      "knowledge.db",
      0x4d4e534b,
      {kDocuments1, kDocuments2, kVectors, kThumbnails, kContents, kSources, kLetters, kAccepted},
      kLargePages,
      false,
      index_after_step};
  return schema;
}

const Schema& access_keys_schema() {
  static const Schema schema{"keys",      "keys.db", 0x4d4e5350, {kAccessKeys1, kAccessKeys2},
                             kSmallPages, true};
  return schema;
}

Status check_file(const Schema& schema, const std::string& path) {
  const std::int64_t size = size_of(path);
  const bool unclean = size_of(path + "-wal") > 0;
  if (size == 0 && !unclean) return done();
  try {
    return check_open(schema, path, size < (unclean ? kUncleanCheckBelow : kAlwaysCheckBelow));
  } catch (const Failure& failure) {
    if (failure.code() == SQLITE_CORRUPT || failure.code() == SQLITE_NOTADB) {
      return corrupt(path, failure.what());
    }
    return to_error(failure);
  }
}

void migrate(const Schema& schema, Connection& db) {
  for (;;) {
    const auto version = static_cast<std::size_t>(db.number("PRAGMA user_version"));
    if (version >= schema.steps.size()) return;
    db.run("BEGIN IMMEDIATE");
    if (static_cast<std::size_t>(db.number("PRAGMA user_version")) != version) {
      db.run("ROLLBACK");  // another process took the step meanwhile
      continue;
    }
    try {
      db.run(schema.steps[version]);
      if (schema.after_step != nullptr) schema.after_step(db, version + 1);
      db.run("PRAGMA application_id = " + std::to_string(schema.application_id));
      db.run("PRAGMA user_version = " + std::to_string(version + 1));
      db.run("COMMIT");
    } catch (const Failure&) {
      if (db.in_transaction()) sqlite3_exec(db.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
      throw;
    }
  }
}

}  // namespace mainstay::storage::sqlite
