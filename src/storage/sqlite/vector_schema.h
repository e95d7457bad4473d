// Tables of vectors and of kept embeddings in knowledge.db. Used by schema.cpp.
#pragma once

namespace mainstay::storage::sqlite {

// A vector goes with its chunk, by trigger, so that whoever deletes chunks need not know of
// vectors. Codes (what the scan reads) and floats (what the rerank reads) stand apart: loading an
// index reads a quarter of the bytes. `n` is handed out by the program and grows: the order of
// loading.
inline constexpr const char* kVectors = R"sql(
CREATE TABLE vector_space (
  n         INTEGER PRIMARY KEY AUTOINCREMENT,
  model     TEXT NOT NULL,
  dimension INTEGER NOT NULL,
  state     INTEGER NOT NULL,
  vectors   INTEGER NOT NULL,
  UNIQUE (model, dimension)
) STRICT;
CREATE TABLE vector (
  n     INTEGER PRIMARY KEY,
  chunk INTEGER NOT NULL,
  space INTEGER NOT NULL,
  code  BLOB NOT NULL,
  UNIQUE (chunk, space)
) STRICT;
CREATE TABLE vector_floats (
  n      INTEGER PRIMARY KEY,
  floats BLOB NOT NULL
) STRICT;
CREATE TRIGGER vector_gone AFTER DELETE ON vector BEGIN
  DELETE FROM vector_floats WHERE n = old.n;
  UPDATE vector_space SET vectors = vectors - 1 WHERE n = old.space;
END;
CREATE TRIGGER chunk_gone AFTER DELETE ON chunk BEGIN
  DELETE FROM vector WHERE chunk = old.n;
END;
CREATE TABLE embedding (
  n      INTEGER PRIMARY KEY,
  key    BLOB NOT NULL UNIQUE,
  used   INTEGER NOT NULL,
  floats BLOB NOT NULL
) STRICT;
CREATE INDEX embedding_by_use ON embedding (used, n);
CREATE TABLE embedding_sum (
  one     INTEGER PRIMARY KEY,
  entries INTEGER NOT NULL,
  bytes   INTEGER NOT NULL
) STRICT;
INSERT INTO embedding_sum (one, entries, bytes) VALUES (1, 0, 0);
)sql";

// `content` marks what was embedded (content_mark(); 0: no passage): a kept embedding of a passage
// that is no more is found by it.
inline constexpr const char* kContents = R"sql(
ALTER TABLE vector ADD COLUMN content INTEGER NOT NULL DEFAULT 0;
CREATE INDEX vector_by_content ON vector (content) WHERE content <> 0;
ALTER TABLE embedding ADD COLUMN content INTEGER NOT NULL DEFAULT 0;
)sql";

}  // namespace mainstay::storage::sqlite
