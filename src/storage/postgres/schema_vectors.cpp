// Vectors go with their chunks (a foreign key), so that whoever deletes chunks need not know of
// vectors. `n` is handed out under the lock of the space's row: whoever has read a space up to a
// number has missed none below it. Locks: chunks first, then the space.
#include "storage/postgres/schema_documents.h"

namespace mainstay::storage::postgres {
namespace {

constexpr const char* kVectors = R"sql(
CREATE TABLE mainstay.vector_space (
  n         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  model     text   NOT NULL,
  dimension bigint NOT NULL,
  state     bigint NOT NULL,
  vectors   bigint NOT NULL,
  numbers   bigint NOT NULL,  -- handed out so far
  filler    text   NOT NULL DEFAULT '',  -- the process that makes vectors for it, and until when
  filling   timestamptz NOT NULL DEFAULT '-infinity',
  UNIQUE (model, dimension)
);
CREATE TABLE mainstay.chunk_vector (
  chunk  bigint NOT NULL REFERENCES mainstay.chunk (n) ON DELETE CASCADE,
  space  bigint NOT NULL,
  n      bigint NOT NULL,
  code   bytea  NOT NULL,
  floats bytea  NOT NULL,
  content bigint NOT NULL,  -- content_mark() of what was embedded; 0: given by a client
  PRIMARY KEY (chunk, space),
  UNIQUE (space, n)
);
CREATE INDEX vector_by_content ON mainstay.chunk_vector (content) WHERE content <> 0;
ALTER TABLE mainstay.chunk_vector ALTER code SET STORAGE MAIN, ALTER floats SET STORAGE EXTERNAL;
CREATE FUNCTION mainstay.count_vectors_out() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  PERFORM FROM mainstay.vector_space WHERE n IN (SELECT space FROM gone) ORDER BY n FOR UPDATE;
  UPDATE mainstay.vector_space s SET vectors = s.vectors - g.many
    FROM (SELECT space, count(*) AS many FROM gone GROUP BY space) g WHERE g.space = s.n;
  RETURN NULL;
END $body$;
CREATE TRIGGER vector_gone AFTER DELETE ON mainstay.chunk_vector REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION mainstay.count_vectors_out();
-- How many were stored; -1: there is no such space.
CREATE FUNCTION mainstay.put_vectors(
  p_space bigint, p_chunks bigint[], p_codes bytea[], p_floats bytea[], p_contents bigint[])
  RETURNS bigint
  LANGUAGE plpgsql AS $body$
DECLARE
  v_numbers bigint;
  v_put bigint;
  v_new bigint;
BEGIN
  PERFORM FROM mainstay.chunk WHERE n = ANY (p_chunks) ORDER BY n FOR KEY SHARE;
  SELECT numbers INTO v_numbers FROM mainstay.vector_space
    WHERE n = p_space AND state <> 2 FOR UPDATE;
  IF NOT FOUND THEN
    RETURN -1;
  END IF;
  WITH given AS (
    SELECT DISTINCT ON (g.chunk) g.chunk, g.code, g.floats, g.content
    FROM unnest(p_chunks, p_codes, p_floats, p_contents)
      WITH ORDINALITY AS g (chunk, code, floats, content, at)
    JOIN mainstay.chunk c ON c.n = g.chunk ORDER BY g.chunk, g.at DESC
  ), put AS (
    INSERT INTO mainstay.chunk_vector AS v (chunk, space, n, code, floats, content)
      SELECT chunk, p_space, v_numbers + row_number() OVER (ORDER BY chunk), code, floats, content
      FROM given ORDER BY chunk
      ON CONFLICT (chunk, space) DO UPDATE
        SET n = excluded.n, code = excluded.code, floats = excluded.floats,
          content = excluded.content
      RETURNING v.xmax = 0 AS fresh
  ) SELECT count(*), count(*) FILTER (WHERE fresh) INTO v_put, v_new FROM put;
  UPDATE mainstay.vector_space SET numbers = numbers + v_put, vectors = vectors + v_new
    WHERE n = p_space;
  RETURN (SELECT count(*) FROM unnest(p_chunks) g JOIN mainstay.chunk c ON c.n = g);
END $body$;
-- Removes some of a space's vectors: 1 when there may be more, 0 when that was all and the space is
-- gone, -1 when there is none.
CREATE FUNCTION mainstay.drop_space(p_space bigint, p_most bigint) RETURNS bigint
  LANGUAGE plpgsql AS $body$
BEGIN
  UPDATE mainstay.vector_space SET state = 2 WHERE n = p_space;
  IF NOT FOUND THEN
    RETURN -1;
  END IF;
  DELETE FROM mainstay.chunk_vector WHERE space = p_space AND n IN (
    SELECT n FROM mainstay.chunk_vector WHERE space = p_space ORDER BY n LIMIT p_most);
  IF FOUND THEN
    RETURN 1;
  END IF;
  DELETE FROM mainstay.vector_space WHERE n = p_space;
  RETURN 0;
END $body$;
)sql";

}  // namespace

std::array<const char*, 3> vector_scripts() {
  return {kVectors, "", ""};
}

}  // namespace mainstay::storage::postgres
