// Passages with vectors made elsewhere: POST /v1/vectors, and POST /v1/search by them.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { assert_error, pair, serve } from './lib/harness.mjs';

const base64 = (values) => Buffer.from(new Float32Array(values).buffer).toString('base64');
const add = (server, body) => server.post('/v1/vectors', body);
const search = (server, body) => server.post('/v1/search', body);
const texts = (reply) => reply.json.data.map((p) => p.text);

describe('vectors made elsewhere', () => {
  test('are stored with their passages and found by nearness, within collection and tags', async (t) => {
    const server = await serve(t);
    const first = await add(server, { collection: 'notes', title: 'Colours', tags: ['warm'], passages: [
      { text: 'red', heading: 'Warm', embedding: [1, 0, 0] }, { text: 'orange', embedding: base64([0.8, 0.6, 0]) }] });
    assert.equal(first.status, 201, first.text);
    assert.equal(first.json.passages, 2);
    assert.equal(first.json.dimensions, 3);
    const second = await add(server, { collection: 'other', passages: [{ text: 'blue', embedding: [0, 0, 1] }] });
    assert.equal(second.status, 201, second.text);
    const near = await search(server, { embedding: [1, 0.1, 0] });
    assert.equal(near.status, 200, near.text);
    assert.deepEqual(texts(near), ['red', 'orange', 'blue']);
    const [best] = near.json.data;
    assert.equal(best.document, first.json.document);
    assert.equal(best.title, 'Colours');
    assert.equal(best.heading, 'Warm');
    assert.ok(Math.abs(best.score - 0.99504) < 1e-4);
    assert.deepEqual(texts(await search(server, { embedding: base64([1, 0, 0]), collection: 'other' })), ['blue']);
    assert.deepEqual(texts(await search(server, { embedding: [0, 0, 1], tags: ['warm'], limit: 1 })).length, 1);
    assert.deepEqual(texts(await search(server, { embedding: [0, 0, 1], tags: ['cold'] })), []);
    const many = await search(server, { embeddings: [[0, 0, 1], [1, 0, 0]], limit: 1 });
    assert.deepEqual(many.json.data.map((one) => one.data.map((p) => p.text)), [['blue'], ['red']]);
    const words = await search(server, { query: 'orange' });
    assert.deepEqual(texts(words), ['orange']);
  });

  test('the same request again stores nothing twice, and a deleted document is gone', async (t) => {
    const server = await serve(t);
    const body = { passages: [{ text: 'once', embedding: [1, 2] }] };
    const first = await add(server, body);
    const again = await add(server, body);
    assert.equal(again.status, 200, again.text);
    assert.equal(again.json.document, first.json.document);
    assert.deepEqual(texts(await search(server, { embedding: [1, 2] })), ['once']);
    const gone = await server.request('DELETE', `/v1/documents/${first.json.document}`);
    assert.equal(gone.status, 200);
    assert.deepEqual(texts(await search(server, { embedding: [1, 2] })), []);
  });

  test('the same content written as numbers and as base64 is one document, in a file of large pages', async (t) => {
    const server = await serve(t);
    const passage = { text: 'twice', heading: 'H' };
    const first = await add(server, { title: 'T', passages: [{ ...passage, embedding: [0.5, 0.25] }] });
    assert.equal(first.status, 201, first.text);
    const again = await add(server, { passages: [{ embedding: base64([0.5, 0.25]), ...passage }], title: 'T' });
    assert.equal(again.status, 200, again.text);
    assert.equal(again.json.document, first.json.document);
    for (const other of [{ title: 'U', passages: [{ ...passage, embedding: [0.5, 0.25] }] },
      { title: 'T', passages: [{ ...passage, embedding: [0.5, 0.26] }] }, { title: 'T', tags: ['x'], passages: [{ ...passage, embedding: [0.5, 0.25] }] }]) {
      assert.equal((await add(server, other)).status, 201);
    }
    const page_size = (name) => fs.readFileSync(path.join(server.data, name)).readUInt16BE(16);
    assert.deepEqual(['knowledge.db', 'mainstay.db'].map(page_size), [16384, 4096]);
  });

  test('join those of the embedding model, where another dimension is refused at once', async (t) => {
    const { server } = await pair(t, { kind: 'openai', provider: { models: ['small-embed'] }, entry: { models: ['small-embed'] },
      config: { knowledge: { embedding_model: 'openai/small-embed' } } });
    const passages = (dimensions) => [{ text: 'given', embedding: Array(dimensions).fill(1) }];
    for (const body of [{ passages: passages(8) }, { model: 'openai/small-embed', passages: passages(2) }]) {
      const refused = await add(server, body);
      assert_error(refused, 400, { code: 'vector_dimension' });
      assert.match(refused.text, /3/);
    }
    assert.equal((await add(server, { passages: passages(3) })).status, 201);
    assert.equal((await add(server, { model: 'mine', passages: passages(8) })).status, 201);
    const whole = async () => (await server.get('/v1/collections')).json.meaning.state === 'whole';
    await server.until(whole, 'the vectors are whole', 20_000);
    assert.deepEqual(texts(await search(server, { embedding: [1, 1, 1], limit: 1 })), ['given']);
    assert.deepEqual(texts(await search(server, { model: 'mine', embedding: Array(8).fill(1) })), ['given']);
  });

  test('what is wrong is named', async (t) => {
    const server = await serve(t);
    const passages = [{ text: 'a', embedding: [1, 2] }];
    for (const [body, status, code, param] of [
      [{}, 400, 'missing_field', 'passages'],
      [{ passages: [] }, 400, 'empty_field', 'passages'],
      [{ passages: [{ text: 'a' }] }, 400, 'missing_field', 'passages[0].embedding'],
      [{ passages: [{ text: 7, embedding: [1] }] }, 400, 'invalid_type', 'passages[0].text'],
      [{ passages: [{ text: 'a', embedding: [] }] }, 400, 'invalid_type', 'passages[0].embedding'],
      [{ passages: [{ text: 'a', embedding: ['x'] }] }, 400, 'invalid_type', 'passages[0].embedding'],
      [{ passages: [{ text: 'a', embedding: '###' }] }, 400, 'invalid_type', 'passages[0].embedding'],
      [{ passages: [...passages, { text: 'b', embedding: [1] }] }, 400, 'vector_dimension', undefined],
      [{ passages, colour: 1 }, 400, 'unknown_field', 'colour'],
      [{ passages, tags: 'x' }, 400, 'invalid_type', 'tags'],
      [{ passages, collection: 'a b' }, 400, 'invalid_name', 'collection'],
    ]) {
      assert_error(await add(server, body), status, { code, param });
    }
    assert_error(await search(server, { embedding: [1, 2] }), 404, { code: 'unknown_vector_space' });
    assert.equal((await add(server, { passages })).status, 201);
    for (const [body, status, code, param] of [
      [{ embedding: [1, 2, 3] }, 400, 'vector_dimension', undefined],
      [{ embedding: 'x' }, 400, 'invalid_type', 'embedding'],
      [{ embeddings: [] }, 400, 'invalid_type', 'embeddings'],
      [{ embeddings: [[1, 2], [1]] }, 400, 'vector_dimension', undefined],
      [{ embedding: [1, 2], embeddings: [[1, 2]] }, 400, 'invalid_value', 'embeddings'],
      [{ embedding: [1, 2], limit: 0 }, 400, 'out_of_range', 'limit'],
      [{ embedding: [1, 2], model: 'another' }, 404, 'unknown_vector_space', undefined],
    ]) {
      assert_error(await search(server, body), status, { code, param });
    }
    assert.deepEqual(texts(await search(server, { embedding: [1, 2] })), ['a']);
  });

  test('survive a killed server', async (t) => {
    const data = fs.mkdtempSync(path.join(os.tmpdir(), 'mainstay-vectors-'));
    t.after(() => fs.rmSync(data, { recursive: true, force: true }));
    const first = await serve(t, { data });
    assert.equal((await add(first, { passages: [{ text: 'kept', embedding: [3, 4] }] })).status, 201);
    await first.kill();
    const second = await serve(t, { data });
    assert.deepEqual(texts(await search(second, { embedding: [3, 4] })), ['kept']);
  });
});
