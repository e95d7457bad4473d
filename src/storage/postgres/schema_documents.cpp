// Documents as rows are bytea where a text may hold any byte. A chunk's number tells its document
// (storage/documents.h). chunk_words.words has the stems: weight A from the heading, B from the
// title, D from the text, and without a place the marks, which no text can hold (they begin with
// chr(1)): the tenant and the collection. State 0: ready, 1: ingesting, 2: gone.
//
// Locks are taken in this order: collections, documents, the tenant's words. What comes in another
// order now and then (a document that moves) is undone by the server and tried again.
#include "storage/postgres/schema_documents.h"

namespace mainstay::storage::postgres {
namespace {

constexpr const char* kTables = R"sql(
CREATE TABLE mainstay.collection (
  n         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant    text   NOT NULL,
  name      bytea,           -- NULL: gone with all its documents
  documents bigint NOT NULL DEFAULT 0,
  chunks    bigint NOT NULL DEFAULT 0,
  bytes     bigint NOT NULL DEFAULT 0,
  changes   bigint NOT NULL DEFAULT 0,
  UNIQUE (tenant, name)
);
CREATE INDEX collection_gone ON mainstay.collection (n) WHERE name IS NULL;
CREATE TABLE mainstay.document (
  n           bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id          text     UNIQUE,
  tenant      text     NOT NULL,
  collection  bigint   NOT NULL REFERENCES mainstay.collection (n),
  state       smallint NOT NULL,
  title       bytea    NOT NULL,
  title_words tsvector NOT NULL,
  source      bytea    NOT NULL,
  media_type  bytea    NOT NULL,
  sha256      text     NOT NULL,
  size        bigint   NOT NULL,
  chunks      bigint   NOT NULL,
  created     bigint   NOT NULL,
  touched     bigint   NOT NULL,  -- when something was appended, while it is unfinished
  tags        bytea[]  NOT NULL,
  checkpoint  bytea    NOT NULL,
  thumbnail   bytea    NOT NULL
);
CREATE INDEX document_by_tenant ON mainstay.document (tenant, n) WHERE state = 0;
CREATE INDEX document_by_collection ON mainstay.document (collection, state, n);
CREATE INDEX document_by_time ON mainstay.document (collection, created) WHERE state = 0;
CREATE UNIQUE INDEX document_by_content ON mainstay.document (collection, sha256)
  WHERE state = 0 AND sha256 <> '';
CREATE INDEX document_by_source ON mainstay.document (collection, sha256(source))
  WHERE state = 0 AND source <> '';
CREATE INDEX document_unfinished ON mainstay.document (touched, n) WHERE state = 1;
CREATE INDEX document_gone ON mainstay.document (n) WHERE state = 2;
CREATE TABLE mainstay.chunk (
  n        bigint  PRIMARY KEY,
  begin_at bigint  NOT NULL,
  end_at   bigint  NOT NULL,
  page     bigint  NOT NULL,  -- 0: none
  heading  bytea   NOT NULL,
  text     bytea   NOT NULL
);
CREATE TABLE mainstay.chunk_words (
  n      bigint   PRIMARY KEY,
  length bigint   NOT NULL,
  words  tsvector NOT NULL
) WITH (toast_tuple_target = 8160);
CREATE INDEX chunk_by_word ON mainstay.chunk_words USING gin (words)
  WITH (gin_pending_list_limit = 1024);
-- Words that mistyped ones may have meant. A word's witness is a chunk that holds its stem.
CREATE TABLE mainstay.word (
  tenant  text     NOT NULL,
  text    text     NOT NULL,
  stem    text     NOT NULL,
  witness bigint   NOT NULL,
  grams   tsvector NOT NULL,
  PRIMARY KEY (tenant, text)
);
CREATE INDEX word_by_gram ON mainstay.word USING gin (grams)
  WITH (gin_pending_list_limit = 256);
CREATE INDEX word_by_witness ON mainstay.word (witness);
CREATE TABLE mainstay.vocabulary (tenant text PRIMARY KEY, words bigint NOT NULL);
CREATE VIEW mainstay.document_shown AS
  SELECT d.n, d.id, c.name AS collection, d.title, d.source, d.media_type, d.sha256, d.size,
    d.chunks, d.created, d.tags, d.state, d.checkpoint, d.tenant, d.collection AS collection_n,
    d.touched
  FROM mainstay.document d JOIN mainstay.collection c ON c.n = d.collection
  WHERE c.name IS NOT NULL AND d.state < 2;
CREATE TYPE mainstay.document_answer AS (
  said text, flag boolean, n bigint, id text, collection bytea, title bytea, source bytea,
  media_type bytea, sha256 text, size bigint, chunks bigint, created bigint, tags bytea[],
  state smallint, checkpoint bytea
);
CREATE FUNCTION mainstay.answer(p_said text, p_flag boolean, p_n bigint)
  RETURNS mainstay.document_answer LANGUAGE sql AS $body$
  SELECT ROW(p_said, p_flag, s.n, s.id, s.collection, s.title, s.source, s.media_type, s.sha256,
    s.size, s.chunks, s.created, s.tags, s.state, s.checkpoint)::mainstay.document_answer
  FROM (VALUES (1)) one LEFT JOIN mainstay.document_shown s ON s.n = p_n
$body$;
CREATE FUNCTION mainstay.lexeme(p_text text) RETURNS text LANGUAGE sql IMMUTABLE AS $body$
  SELECT '''' || replace(replace(p_text, '\', '\\'), '''', '''''') || ''''
$body$;
CREATE FUNCTION mainstay.marks(p_tenant text, p_collection bigint) RETURNS tsvector
  LANGUAGE sql IMMUTABLE AS $body$
  SELECT array_to_tsvector(ARRAY[chr(1) || 't' || p_tenant, chr(1) || 'c' || p_collection])
$body$;
CREATE FUNCTION mainstay.grams(p_tenant text, p_word text) RETURNS tsvector
  LANGUAGE sql IMMUTABLE AS $body$
  SELECT array_to_tsvector(array_agg(DISTINCT substr('^' || p_word || '$', i, 3))
    || (chr(1) || 't' || p_tenant)) FROM generate_series(1, length(p_word)) i
$body$;
)sql";

constexpr const char* kRows = R"sql(
-- Gives the collection's number, locked; makes it where there is none.
CREATE FUNCTION mainstay.collection_locked(
  p_tenant text, p_name bytea, OUT k bigint, OUT made boolean) LANGUAGE plpgsql AS $body$
BEGIN
  made := false;
  LOOP
    SELECT n INTO k FROM mainstay.collection WHERE tenant = p_tenant AND name = p_name FOR UPDATE;
    EXIT WHEN FOUND;
    INSERT INTO mainstay.collection (tenant, name) VALUES (p_tenant, p_name)
      ON CONFLICT (tenant, name) DO NOTHING;
    made := FOUND;
  END LOOP;
END $body$;
CREATE FUNCTION mainstay.lock_documents(p_tenant text, p_ids text[]) RETURNS void
  LANGUAGE plpgsql AS $body$
BEGIN
  PERFORM FROM mainstay.collection WHERE n IN (
    SELECT collection FROM mainstay.document WHERE id = ANY (p_ids) AND tenant = p_tenant)
    ORDER BY n FOR UPDATE;
  PERFORM FROM mainstay.document WHERE id = ANY (p_ids) AND tenant = p_tenant
    ORDER BY n FOR UPDATE;
END $body$;
-- The words of a tenant are added by many at once, and taken away by one.
CREATE FUNCTION mainstay.keep_words(
  p_tenant text, p_texts text[], p_stems text[], p_witnesses bigint[], p_most bigint)
  RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
  v_added bigint;
BEGIN
  IF cardinality(p_texts) = 0 THEN
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock_shared(hashtextextended('mainstay.word ' || p_tenant, 0));
  INSERT INTO mainstay.word (tenant, text, stem, witness, grams)
    SELECT p_tenant, w.text, w.stem, w.witness, mainstay.grams(p_tenant, w.text)
    FROM unnest(p_texts, p_stems, p_witnesses) AS w (text, stem, witness)
    WHERE NOT EXISTS (SELECT FROM mainstay.word o WHERE o.tenant = p_tenant AND o.text = w.text)
    ORDER BY w.text
    LIMIT greatest(0, p_most - coalesce(
      (SELECT v.words FROM mainstay.vocabulary v WHERE v.tenant = p_tenant), 0))
    ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS v_added = ROW_COUNT;
  IF v_added > 0 THEN
    INSERT INTO mainstay.vocabulary AS v (tenant, words) VALUES (p_tenant, v_added)
      ON CONFLICT (tenant) DO UPDATE SET words = v.words + v_added;
  END IF;
END $body$;
-- Removes chunks of a document; whether there are more.
CREATE FUNCTION mainstay.drop_slice(p_n bigint, p_tenant text, p_most bigint) RETURNS boolean
  LANGUAGE plpgsql SET enable_seqscan = off AS $body$
DECLARE
  v_from bigint := p_n << 24;
  v_last bigint;
  v_gone bigint;
BEGIN
  SELECT max(n) INTO v_last FROM (SELECT n FROM mainstay.chunk
    WHERE n >= v_from AND n < (p_n + 1) << 24 ORDER BY n LIMIT p_most) few;
  IF v_last IS NULL THEN
    RETURN false;
  END IF;
  DELETE FROM mainstay.chunk WHERE n >= v_from AND n <= v_last;
  DELETE FROM mainstay.chunk_words WHERE n >= v_from AND n <= v_last;
  PERFORM pg_advisory_xact_lock(hashtextextended('mainstay.word ' || p_tenant, 0));
  UPDATE mainstay.word w SET witness = coalesce((SELECT h.n FROM mainstay.chunk_words h
      WHERE h.words @@ (mainstay.lexeme(chr(1) || 't' || p_tenant) || ' & '
        || mainstay.lexeme(w.stem))::tsquery LIMIT 1), 0)
    WHERE w.witness >= v_from AND w.witness <= v_last;
  DELETE FROM mainstay.word WHERE witness = 0 AND tenant = p_tenant;
  GET DIAGNOSTICS v_gone = ROW_COUNT;
  IF v_gone > 0 THEN
    UPDATE mainstay.vocabulary SET words = greatest(0, words - v_gone) WHERE tenant = p_tenant;
  END IF;
  RETURN EXISTS (SELECT FROM mainstay.chunk WHERE n >= v_from AND n < (p_n + 1) << 24);
END $body$;
-- A document is nobody's from now on; the rows of a small one go at once.
CREATE FUNCTION mainstay.hide(p_n bigint) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
  d mainstay.document%ROWTYPE;
BEGIN
  SELECT * INTO d FROM mainstay.document WHERE n = p_n AND state < 2 FOR UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF d.state = 0 THEN
    UPDATE mainstay.collection SET documents = documents - 1, chunks = chunks - d.chunks,
      bytes = bytes - d.size, changes = changes + 1 WHERE n = d.collection;
  END IF;
  UPDATE mainstay.document SET id = NULL, state = 2, checkpoint = '', thumbnail = ''
    WHERE n = p_n;
  IF d.chunks <= 32 THEN
    PERFORM mainstay.drop_slice(p_n, d.tenant, 32);
    DELETE FROM mainstay.document WHERE n = p_n;
  END IF;
END $body$;
-- Whether the id is another document's. One of an erased collection gives it up.
CREATE FUNCTION mainstay.taken(p_id text) RETURNS boolean LANGUAGE plpgsql AS $body$
BEGIN
  UPDATE mainstay.document d SET id = NULL, state = 2 FROM mainstay.collection c
    WHERE d.id = p_id AND c.n = d.collection AND c.name IS NULL;
  RETURN EXISTS (SELECT FROM mainstay.document WHERE id = p_id);
END $body$;
CREATE FUNCTION mainstay.same_content(p_collection bigint, p_sha256 text) RETURNS bigint
  LANGUAGE sql AS $body$
  SELECT n FROM mainstay.document WHERE collection = p_collection AND sha256 = p_sha256
    AND sha256 <> '' AND state = 0
$body$;
CREATE FUNCTION mainstay.same_source(p_collection bigint, p_source bytea) RETURNS SETOF bigint
  LANGUAGE sql AS $body$
  SELECT n FROM mainstay.document WHERE collection = p_collection
    AND sha256(source) = sha256(p_source) AND source <> '' AND state = 0 ORDER BY n
$body$;
CREATE FUNCTION mainstay.count_in(p_n bigint) RETURNS void LANGUAGE sql AS $body$
  UPDATE mainstay.collection c SET documents = c.documents + 1, chunks = c.chunks + d.chunks,
    bytes = c.bytes + d.size, changes = c.changes + 1
  FROM mainstay.document d WHERE d.n = p_n AND c.n = d.collection
$body$;
-- p_first is the place of the first chunk given; the first p_skip are there already.
CREATE FUNCTION mainstay.put_chunks(
  p_n bigint, p_first bigint, p_skip bigint, p_begins bigint[], p_ends bigint[], p_pages bigint[],
  p_headings bytea[], p_texts bytea[], p_lengths bigint[], p_words text[])
  RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
  v_more tsvector;
  v_from bigint := (p_n << 24) + p_first - 1;
BEGIN
  INSERT INTO mainstay.chunk (n, begin_at, end_at, page, heading, text)
    SELECT v_from + c.at, c.b, c.e, c.page, c.heading, c.text
    FROM unnest(p_begins, p_ends, p_pages, p_headings, p_texts)
      WITH ORDINALITY AS c (b, e, page, heading, text, at) WHERE c.at > p_skip;
  SELECT d.title_words || mainstay.marks(d.tenant, d.collection) INTO v_more
    FROM mainstay.document d WHERE d.n = p_n;
  INSERT INTO mainstay.chunk_words (n, length, words)
    SELECT v_from + c.at, c.length + length(v_more) - 2, c.words::tsvector || v_more
    FROM unnest(p_lengths, p_words) WITH ORDINALITY AS c (length, words, at) WHERE c.at > p_skip;
END $body$;
CREATE FUNCTION mainstay.retitle(
  p_n bigint, p_title bytea, p_words text, p_spelled text[], p_stems text[], p_most bigint)
  RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
  d mainstay.document%ROWTYPE;
  v_more tsvector;
BEGIN
  UPDATE mainstay.document SET title = p_title, title_words = p_words::tsvector WHERE n = p_n
    RETURNING * INTO d;
  v_more := d.title_words || mainstay.marks(d.tenant, d.collection);
  UPDATE mainstay.chunk_words SET words = ts_filter(words, '{a,d}') || v_more
    WHERE n >= p_n << 24 AND n < (p_n << 24) + least(256, d.chunks);
  IF d.chunks > 0 THEN
    PERFORM mainstay.keep_words(d.tenant, p_spelled, p_stems,
      array_fill(p_n << 24, ARRAY[cardinality(p_spelled)]), p_most);
  END IF;
END $body$;
)sql";

}  // namespace

std::array<const char*, 3> document_scripts() {
  return {kTables, kRows, document_verbs()};
}

}  // namespace mainstay::storage::postgres
