// The verbs of documents as functions, so that each is one transaction. What they find out is the
// first column of their answer; the texts of refusals are documents.cpp's. They are made anew by
// each step that changes one (schema.cpp), so that they stand here once.
#include "storage/postgres/schema_documents.h"

namespace mainstay::storage::postgres {
namespace {

constexpr const char* kVerbs = R"sql(
CREATE OR REPLACE FUNCTION mainstay.begin_document(
  p_id text, p_tenant text, p_collection bytea, p_state bigint, p_title bytea,
  p_title_words text, p_source bytea, p_media_type bytea, p_sha256 text, p_size bigint,
  p_created bigint, p_tags bytea[], p_thumbnail bytea, p_accepted bigint, p_collection_n bigint)
  RETURNS mainstay.document_answer LANGUAGE plpgsql AS $body$
DECLARE
  k bigint;
  v_made boolean;
  v_n bigint;
  v_older bigint[] := '{}';
BEGIN
  IF p_state = 1 AND mainstay.taken(p_id) THEN
    SELECT n INTO v_n FROM mainstay.document WHERE id = p_id AND tenant = p_tenant;
    RETURN mainstay.answer(CASE WHEN FOUND THEN 'ok' ELSE 'taken' END, false, v_n);
  END IF;
  IF p_collection_n = 0 THEN
    SELECT * INTO k, v_made FROM mainstay.collection_locked(p_tenant, p_collection);
  ELSE
    v_made := false;
    SELECT n INTO k FROM mainstay.collection
      WHERE n = p_collection_n AND tenant = p_tenant AND name IS NOT NULL FOR UPDATE;
    IF NOT FOUND THEN
      RETURN mainstay.answer('nowhere', false, NULL);
    END IF;
  END IF;
  v_n := mainstay.same_content(k, p_source, p_sha256);
  IF v_n IS NOT NULL THEN
    UPDATE mainstay.document SET accepted = greatest(accepted, p_accepted) WHERE n = v_n;
    RETURN mainstay.answer('existed', false, v_n);
  END IF;
  IF p_state = 0 THEN
    v_older := ARRAY(SELECT mainstay.same_source(k, p_source));
    SELECT n INTO v_n FROM mainstay.document
      WHERE n = ANY (v_older) AND accepted > p_accepted AND accepted <= p_created LIMIT 1;
    IF FOUND THEN
      RETURN mainstay.answer('superseded', false, v_n);
    END IF;
  END IF;
  IF mainstay.taken(p_id)
      AND NOT EXISTS (SELECT FROM mainstay.document WHERE id = p_id AND n = ANY (v_older)) THEN
    IF v_made THEN
      DELETE FROM mainstay.collection WHERE n = k;
    END IF;
    RETURN mainstay.answer('taken', false, NULL);
  END IF;
  PERFORM mainstay.hide(older) FROM unnest(v_older) older;
  INSERT INTO mainstay.document (id, tenant, collection, state, title, title_words, source,
      media_type, sha256, size, chunks, created, touched, tags, checkpoint, thumbnail, accepted)
    VALUES (p_id, p_tenant, k, p_state, p_title, p_title_words::tsvector, p_source, p_media_type,
      p_sha256, p_size, 0, p_created, p_created, p_tags, '', p_thumbnail,
      p_accepted)
    RETURNING n INTO v_n;
  RETURN mainstay.answer('ok', cardinality(v_older) > 0, v_n);
END $body$;
CREATE OR REPLACE FUNCTION mainstay.add_document(
  p_id text, p_tenant text, p_collection bytea, p_state bigint, p_title bytea,
  p_title_words text, p_source bytea, p_media_type bytea, p_sha256 text, p_size bigint,
  p_created bigint, p_tags bytea[], p_thumbnail bytea, p_accepted bigint, p_collection_n bigint,
  p_begins bigint[], p_ends bigint[], p_pages bigint[], p_headings bytea[], p_texts bytea[],
  p_lengths bigint[], p_words text[], p_spelled text[], p_stems text[], p_places bigint[],
  p_most bigint) RETURNS mainstay.document_answer LANGUAGE plpgsql AS $body$
DECLARE
  a mainstay.document_answer;
BEGIN
  a := mainstay.begin_document(p_id, p_tenant, p_collection, p_state, p_title, p_title_words,
    p_source, p_media_type, p_sha256, p_size, p_created, p_tags, p_thumbnail, p_accepted,
    p_collection_n);
  IF a.said <> 'ok' THEN
    RETURN a;
  END IF;
  PERFORM mainstay.put_chunks(a.n, 0, 0, p_begins, p_ends, p_pages, p_headings, p_texts,
    p_lengths, p_words);
  UPDATE mainstay.document SET chunks = cardinality(p_texts) WHERE n = a.n;
  PERFORM mainstay.count_in(a.n);
  PERFORM mainstay.keep_words(p_tenant, p_spelled, p_stems,
    ARRAY(SELECT (a.n << 24) + place FROM unnest(p_places) WITH ORDINALITY p (place, at)
      ORDER BY at), p_most);
  RETURN mainstay.answer('ok', a.flag, a.n);
END $body$;
CREATE OR REPLACE FUNCTION mainstay.append_chunks(
  p_id text, p_tenant text, p_first bigint, p_checkpoint bytea, p_now bigint,
  p_begins bigint[], p_ends bigint[], p_pages bigint[], p_headings bytea[], p_texts bytea[],
  p_lengths bigint[], p_words text[], p_spelled text[], p_stems text[], p_places bigint[],
  p_most bigint, OUT said text, OUT stored bigint) LANGUAGE plpgsql AS $body$
DECLARE
  d mainstay.document%ROWTYPE;
  v_last bigint := p_first + cardinality(p_texts);
BEGIN
  SELECT * INTO d FROM mainstay.document
    WHERE id = p_id AND tenant = p_tenant AND state = 1 FOR UPDATE;
  IF NOT FOUND OR NOT EXISTS (SELECT FROM mainstay.collection
      WHERE n = d.collection AND name IS NOT NULL) THEN
    said := 'unknown';
    RETURN;
  END IF;
  said := 'ok';
  stored := d.chunks;
  IF p_first > d.chunks THEN
    said := 'missing';
    RETURN;
  END IF;
  IF v_last < d.chunks OR (v_last = d.chunks AND cardinality(p_texts) > 0) THEN
    RETURN;
  END IF;
  IF v_last > 1 << 24 THEN
    said := 'many';
    RETURN;
  END IF;
  PERFORM mainstay.put_chunks(d.n, p_first, d.chunks - p_first, p_begins, p_ends, p_pages,
    p_headings, p_texts, p_lengths, p_words);
  UPDATE mainstay.document SET chunks = v_last, checkpoint = p_checkpoint, touched = p_now
    WHERE n = d.n;
  PERFORM mainstay.keep_words(p_tenant, p_spelled, p_stems,
    ARRAY(SELECT (d.n << 24) + p_first + place FROM unnest(p_places) WITH ORDINALITY p (place, at)
      ORDER BY at), p_most);
  stored := v_last;
END $body$;
-- Whether another document than p_but stands in the way of this content of the source.
CREATE OR REPLACE FUNCTION mainstay.elsewhere(
  p_collection bigint, p_source bytea, p_sha256 text, p_but bigint) RETURNS boolean
  LANGUAGE plpgsql AS $body$
BEGIN
  RETURN EXISTS (SELECT FROM mainstay.same_source(p_collection, p_source) s WHERE s <> p_but)
    OR coalesce(mainstay.same_content(p_collection, p_source, p_sha256) <> p_but, false);
END $body$;
-- With p_as another document's id: this one takes its place, its id, its source and its time of
-- creation, and what it does not bring itself (p_brings: 2 the tags, 4 the collection) has to be as
-- there. p_copied: the document that its chunks were made from. Of moments of acceptance those that
-- have not come yet (p_now) count for nothing: a clock was set back.
CREATE OR REPLACE FUNCTION mainstay.finish_document(
  p_id text, p_as text, p_tenant text, p_sha256 text, p_size bigint, p_title bytea,
  p_title_words text, p_spelled text[], p_stems text[], p_most bigint, p_copied bigint,
  p_brings bigint, p_now bigint) RETURNS mainstay.document_answer LANGUAGE plpgsql AS $body$
DECLARE
  d mainstay.document%ROWTYPE;
  o mainstay.document%ROWTYPE;
  v_shown boolean;
  v_same bigint;
  v_older bigint[] := '{}';
BEGIN
  PERFORM mainstay.lock_documents(p_tenant, ARRAY[p_id, p_as]);
  SELECT * INTO d FROM mainstay.document x WHERE id = p_id AND tenant = p_tenant
    AND EXISTS (SELECT FROM mainstay.document_shown s WHERE s.n = x.n);
  v_shown := FOUND;
  IF p_as <> '' THEN
    SELECT * INTO o FROM mainstay.document x WHERE id = p_as AND tenant = p_tenant AND state = 0
      AND EXISTS (SELECT FROM mainstay.document_shown s WHERE s.n = x.n);
    IF NOT FOUND THEN
      RETURN mainstay.answer('unknown', false, NULL);
    END IF;
    IF NOT v_shown AND o.sha256 = p_sha256 THEN
      RETURN mainstay.answer('ok', true, o.n);
    END IF;
  END IF;
  IF NOT v_shown OR (p_as <> '' AND d.state <> 1) THEN
    RETURN mainstay.answer('unknown', false, NULL);
  END IF;
  IF d.state = 0 THEN
    RETURN mainstay.answer('ok', false, d.n);
  END IF;
  IF p_as <> '' THEN
    IF p_copied = 0 AND d.accepted < o.accepted AND o.accepted <= p_now THEN
      PERFORM mainstay.hide(d.n);
      RETURN mainstay.answer('superseded', false, o.n);
    END IF;
    IF (p_copied <> 0 AND (p_copied <> o.n OR d.chunks <> o.chunks))
        OR (p_brings & 2 = 0 AND d.tags <> o.tags)
        OR (p_brings & 4 = 0 AND d.collection <> o.collection) THEN
      RETURN mainstay.answer('changed', false, NULL);
    END IF;
    IF mainstay.elsewhere(d.collection, o.source, p_sha256, o.n) THEN
      RETURN mainstay.answer('same', false, NULL);
    END IF;
    IF p_title = '' AND d.title <> o.title THEN
      PERFORM mainstay.retitle(d.n, o.title, o.title_words::text, '{}', '{}', p_most);
    END IF;
    PERFORM mainstay.hide(o.n);
  ELSE
    v_same := mainstay.same_content(d.collection, d.source, p_sha256);
    IF v_same IS NOT NULL THEN
      PERFORM mainstay.hide(d.n);
      UPDATE mainstay.document SET accepted = greatest(accepted, d.accepted) WHERE n = v_same;
      RETURN mainstay.answer('existed', false, v_same);
    END IF;
    v_older := ARRAY(SELECT mainstay.same_source(d.collection, d.source));
    SELECT n INTO v_same FROM mainstay.document
      WHERE n = ANY (v_older) AND accepted > d.accepted AND accepted <= p_now LIMIT 1;
    IF FOUND THEN
      PERFORM mainstay.hide(d.n);
      RETURN mainstay.answer('superseded', false, v_same);
    END IF;
    PERFORM mainstay.hide(older) FROM unnest(v_older) older;
  END IF;
  IF p_title <> '' AND p_title <> d.title THEN
    PERFORM mainstay.retitle(d.n, p_title, p_title_words, p_spelled, p_stems, p_most);
  END IF;
  UPDATE mainstay.document SET state = 0, sha256 = p_sha256, size = p_size, checkpoint = '',
    id = CASE p_as WHEN '' THEN id ELSE p_as END,
    source = CASE p_as WHEN '' THEN source ELSE o.source END,
    created = CASE p_as WHEN '' THEN created ELSE o.created END,
    accepted = CASE p_copied WHEN 0 THEN accepted ELSE o.accepted END WHERE n = d.n;
  PERFORM mainstay.count_in(d.n);
  RETURN mainstay.answer('ok', p_as <> '' OR cardinality(v_older) > 0, d.n);
END $body$;
-- p_what: 1 the title, 2 the tags, 4 the collection.
CREATE OR REPLACE FUNCTION mainstay.update_document(
  p_id text, p_tenant text, p_what bigint, p_title bytea, p_title_words text, p_spelled text[],
  p_stems text[], p_most bigint, p_tags bytea[], p_collection bytea, p_large bigint)
  RETURNS mainstay.document_answer LANGUAGE plpgsql AS $body$
DECLARE
  d mainstay.document%ROWTYPE;
  k bigint;
  v_name bytea;
  v_moves boolean;
  v_tagged boolean;
BEGIN
  PERFORM mainstay.lock_documents(p_tenant, ARRAY[p_id]);
  SELECT * INTO d FROM mainstay.document WHERE id = p_id AND tenant = p_tenant AND state = 0;
  SELECT name INTO v_name FROM mainstay.collection WHERE n = d.collection;
  IF v_name IS NULL THEN
    RETURN mainstay.answer('unknown', false, NULL);
  END IF;
  v_moves := p_what & 4 <> 0 AND p_collection <> v_name;
  v_tagged := p_what & 2 <> 0 AND p_tags <> d.tags;
  SELECT n INTO k FROM mainstay.collection
    WHERE v_moves AND tenant = p_tenant AND name = p_collection;
  IF mainstay.elsewhere(k, d.source, d.sha256, d.n) THEN
    RETURN mainstay.answer('same', false, NULL);
  END IF;
  IF (v_moves OR v_tagged) AND d.chunks > p_large THEN
    RETURN mainstay.answer('large', false, NULL);
  END IF;
  IF v_moves THEN
    SELECT c.k INTO k FROM mainstay.collection_locked(p_tenant, p_collection) c;
    IF mainstay.elsewhere(k, d.source, d.sha256, d.n) THEN  -- now that nobody else puts one there
      RETURN mainstay.answer('same', false, NULL);
    END IF;
    UPDATE mainstay.collection SET documents = documents - 1, chunks = chunks - d.chunks,
      bytes = bytes - d.size, changes = changes + 1 WHERE n = d.collection;
    UPDATE mainstay.document SET collection = k WHERE n = d.n;
    PERFORM mainstay.count_in(d.n);
    UPDATE mainstay.chunk_words SET words = ts_delete(words, chr(1) || 'c' || d.collection)
        || mainstay.marks(p_tenant, k) WHERE n >= d.n << 24 AND n < (d.n + 1) << 24;
  END IF;
  IF v_tagged THEN
    UPDATE mainstay.document SET tags = p_tags WHERE n = d.n;
    UPDATE mainstay.collection SET changes = changes + 1
      WHERE n = (SELECT collection FROM mainstay.document WHERE n = d.n);
  END IF;
  IF p_what & 1 <> 0 AND p_title <> d.title THEN
    PERFORM mainstay.retitle(d.n, p_title, p_title_words, p_spelled, p_stems, p_most);
  END IF;
  RETURN mainstay.answer('ok', false, d.n);
END $body$;
-- p_state: 1 that of an unfinished document alone, else any.
CREATE OR REPLACE FUNCTION mainstay.erase_document(p_id text, p_tenant text, p_state bigint) RETURNS boolean
  LANGUAGE plpgsql AS $body$
DECLARE
  v_n bigint;
BEGIN
  PERFORM mainstay.lock_documents(p_tenant, ARRAY[p_id]);
  SELECT n INTO v_n FROM mainstay.document_shown
    WHERE id = p_id AND tenant = p_tenant AND (p_state <> 1 OR state = 1);
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM mainstay.hide(v_n);
  RETURN true;
END $body$;
CREATE OR REPLACE FUNCTION mainstay.sweep_documents(p_chunks bigint, p_documents bigint) RETURNS boolean
  LANGUAGE plpgsql AS $body$
DECLARE
  d mainstay.document%ROWTYPE;
  k bigint;
BEGIN
  SELECT * INTO d FROM mainstay.document WHERE state = 2 ORDER BY n LIMIT 1
    FOR UPDATE SKIP LOCKED;
  IF FOUND THEN
    IF NOT mainstay.drop_slice(d.n, d.tenant, p_chunks) THEN
      DELETE FROM mainstay.document WHERE n = d.n;
    END IF;
    RETURN true;
  END IF;
  SELECT n INTO k FROM mainstay.collection WHERE name IS NULL ORDER BY n LIMIT 1
    FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  UPDATE mainstay.document SET id = NULL, state = 2, checkpoint = '', thumbnail = ''
    WHERE n IN (SELECT n FROM mainstay.document
      WHERE collection = k AND state < 2 ORDER BY n LIMIT p_documents);
  IF NOT FOUND THEN
    DELETE FROM mainstay.collection
      WHERE n = k AND NOT EXISTS (SELECT FROM mainstay.document WHERE collection = k);
  END IF;
  RETURN true;
END $body$;
-- Chunks that the tenant sees and that each query finds, counted up to p_most.
CREATE OR REPLACE FUNCTION mainstay.held(p_tenant text, p_queries text[], p_most bigint)
  RETURNS TABLE (at bigint, held bigint) LANGUAGE plpgsql STABLE SET enable_seqscan = off
AS $body$
BEGIN
  FOR i IN 1 .. cardinality(p_queries) LOOP
    at := i;
    SELECT count(*) INTO held FROM (
      SELECT FROM mainstay.chunk_words w JOIN mainstay.document d ON d.n = w.n >> 24
      JOIN mainstay.collection c ON c.n = d.collection
      WHERE w.words @@ p_queries[i]::tsquery AND d.tenant = p_tenant AND d.state = 0
        AND c.name IS NOT NULL LIMIT p_most) few;
    RETURN NEXT;
  END LOOP;
END $body$;
)sql";

}  // namespace

const char* document_verbs() {
  return kVerbs;
}

}  // namespace mainstay::storage::postgres
