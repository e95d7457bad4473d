// What later versions change in the tables of documents.
#include "storage/postgres/schema_documents.h"

namespace mainstay::storage::postgres {
namespace {

// The same content under two names is two documents: each may change or go without the other.
constexpr const char* kSources = R"sql(
DROP INDEX mainstay.document_by_content;
CREATE UNIQUE INDEX document_by_content ON mainstay.document (collection, sha256, sha256(source))
  WHERE state = 0 AND sha256 <> '';
DROP FUNCTION mainstay.same_content(bigint, text);
CREATE FUNCTION mainstay.same_content(p_collection bigint, p_source bytea, p_sha256 text)
  RETURNS bigint LANGUAGE sql AS $body$
  SELECT n FROM mainstay.document WHERE collection = p_collection AND sha256 = p_sha256
    AND sha256(source) = sha256(p_source) AND sha256 <> '' AND state = 0
$body$;
)sql";

// More letters are folded (storage/letters.h). Only the program can cut texts into words, so that
// upkeep indexes what was there before in slices (document_sweep.cpp); what comes is folded so.
constexpr const char* kLetters = R"sql(
ALTER TABLE mainstay.chunk_words ADD COLUMN folding bigint NOT NULL DEFAULT 1;
ALTER TABLE mainstay.chunk_words ALTER COLUMN folding SET DEFAULT 2;
CREATE INDEX chunk_words_old ON mainstay.chunk_words (n) WHERE folding < 2;
CREATE FUNCTION mainstay.index_anew(
  p_document bigint, p_title bytea, p_title_words text, p_numbers bigint[], p_lengths bigint[],
  p_words text[], p_spelled text[], p_stems text[], p_places bigint[], p_most bigint)
  RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
  d mainstay.document%ROWTYPE;
  v_more tsvector;
BEGIN
  UPDATE mainstay.document SET title_words = p_title_words::tsvector
    WHERE n = p_document AND title = p_title;  -- a newer title has its words already
  SELECT * INTO d FROM mainstay.document WHERE n = p_document FOR UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  v_more := d.title_words || mainstay.marks(d.tenant, d.collection);
  UPDATE mainstay.chunk_words w SET words = c.words::tsvector || v_more,
    length = c.length + length(v_more) - 2, folding = 2
    FROM unnest(p_numbers, p_lengths, p_words) AS c (n, length, words) WHERE w.n = c.n;
  PERFORM mainstay.keep_words(d.tenant, p_spelled, p_stems,
    ARRAY(SELECT p_numbers[place + 1] FROM unnest(p_places) WITH ORDINALITY p (place, at)
      ORDER BY at), p_most);
END $body$;
)sql";

// Of two contents of a document the one that was accepted later stays; a document goes where its
// collection was renamed to. The verbs have more parameters: the ones of before go.
constexpr const char* kAccepted = R"sql(
ALTER TABLE mainstay.document ADD COLUMN accepted bigint NOT NULL DEFAULT 0;
UPDATE mainstay.document SET accepted = created;
DROP FUNCTION IF EXISTS mainstay.begin_document(text, text, bytea, bigint, bytea, text, bytea,
  bytea, text, bigint, bigint, bytea[], bytea);
DROP FUNCTION IF EXISTS mainstay.add_document(text, text, bytea, bigint, bytea, text, bytea,
  bytea, text, bigint, bigint, bytea[], bytea, bigint[], bigint[], bigint[], bytea[], bytea[],
  bigint[], text[], text[], text[], bigint[], bigint);
DROP FUNCTION IF EXISTS mainstay.finish_document(text, text, text, text, bigint, bytea, text,
  text[], text[], bigint);
)sql";

}  // namespace

std::array<const char*, 3> accepted_scripts() {
  return {kAccepted, document_verbs(), ""};
}

std::array<const char*, 3> source_scripts() {
  return {kSources, document_verbs(), kLetters};
}

}  // namespace mainstay::storage::postgres
