// Collections, filters, many questions at once, and search by meaning with a provider that embeds.
// proves K10 Z16
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { describe, test } from 'node:test';
import { assert_error, pair, provider_entry, serve, temp_dir } from './lib/harness.mjs';

const add = async (server, body) => {
  const got = await server.post('/v1/documents', body);
  assert.ok([200, 201].includes(got.status), got.text);
  return got.json;
};
const search = async (server, body) => {
  const got = await server.post('/v1/search', body);
  assert.equal(got.status, 200, got.text);
  return got.json;
};
const titles = (found) => found.data.map((one) => one.title);

describe('collections', () => {
  test('are made, counted, renamed and removed with all that is in them', async (t) => {
    const server = await serve(t);
    assert.equal((await server.post('/v1/collections', { id: 'empty' })).status, 201);
    assert_error(await server.post('/v1/collections', { id: 'empty' }), 409, { code: 'already_exists' });
    assert_error(await server.post('/v1/collections', { id: '../x' }), 400, { param: 'id' });
    await add(server, { collection: 'sea', title: 'One', text: 'The harbour has a lighthouse.' });
    await add(server, { collection: 'sea', title: 'Two', text: 'The harbour has a crane.' });
    const list = (await server.get('/v1/collections')).json.data;
    assert.deepEqual(list.map((one) => [one.id, one.documents]), [['empty', 0], ['sea', 2]]);
    assert.ok(list[1].bytes > 50 && list[1].newest_at > 1_700_000_000);
    assert_error(await server.post('/v1/collections/sea', { id: 'empty' }), 409);
    assert.equal((await server.post('/v1/collections/sea', { id: 'coast' })).json.documents, 2);
    assert.equal((await server.get('/v1/collections/sea')).status, 404);
    assert.equal((await search(server, { query: 'harbour', collection: 'coast' })).data.length, 2);
    assert.equal((await search(server, { query: 'harbour', collection: 'sea' })).data.length, 0);
    const gone = (await server.delete('/v1/collections/coast')).json;
    assert.equal(gone.documents, 2);
    assert.equal((await search(server, { query: 'harbour' })).data.length, 0);
    assert.equal((await server.delete('/v1/collections/coast')).status, 404);
  });
});

describe('search', () => {
  test('narrows by tags, time and document before it ranks', async (t) => {
    const server = await serve(t);
    const one = await add(server, { title: 'A', text: 'lantern '.repeat(20), tags: ['old', 'sea'] });
    await add(server, { title: 'B', text: 'a lantern', tags: ['sea'] });
    await add(server, { title: 'C', text: 'one lantern more', tags: ['old'] });
    assert.deepEqual(titles(await search(server, { query: 'lantern', tags: ['sea'] })).sort(), ['A', 'B']);
    assert.deepEqual(titles(await search(server, { query: 'lantern', tags: ['sea', 'old'] })), ['A']);
    assert.deepEqual(titles(await search(server, { query: 'lantern', document: one.id })), ['A']);
    const now = Math.floor(Date.now() / 1000);
    assert.equal((await search(server, { query: 'lantern', created_from: now - 60 })).data.length, 3);
    assert.equal((await search(server, { query: 'lantern', created_to: now - 60 })).data.length, 0);
    assert_error(await server.post('/v1/search', { query: 'x', tags: 'sea' }), 400, { param: 'tags' });
    assert_error(await server.post('/v1/search', { query: 'x', created_from: -1 }), 400, { param: 'created_from' });
  });

  test('answers many questions in one request, each in its place', async (t) => {
    const server = await serve(t);
    await add(server, { title: 'A', text: 'The capital of Bern is Bern.' });
    await add(server, { title: 'B', text: 'Ada wrote the first program.' });
    const got = await search(server, { queries: ['capital Bern', 'first program', 'nothing of this'], limit: 1 });
    assert.deepEqual(got.results.map((one) => one.data[0]?.title), ['A', 'B', undefined]);
    assert.equal(got.results[1].query, 'first program');
    assert_error(await server.post('/v1/search', { queries: [] }), 400, { param: 'queries' });
    assert_error(await server.post('/v1/search', { queries: ['x'], query: 'x' }), 400, { param: 'queries' });
    assert_error(await server.post('/v1/search', { queries: Array(257).fill('x') }), 400, { param: 'queries' });
  });

  test('forgives a typing error and says so', async (t) => {
    const server = await serve(t);
    await add(server, { title: 'A', text: 'The lighthouse of Genoa is called Lanterna.' });
    const got = await search(server, { query: 'lighthuose of Genoa' });
    assert.deepEqual(titles(got), ['A']);
    assert.equal(got.corrected[0].word, 'lighthuose');
    assert.ok(got.corrected[0].instead.some((word) => word.startsWith('lighthous')));
    assert.deepEqual((await search(server, { query: 'embedding' })).data, []);
  });
});

describe('search by meaning', () => {
  const config = { knowledge: { embedding_model: 'openai/small-embed' } };
  const setup = (t, more = {}) => pair(t, { kind: 'openai', provider: { models: ['small-embed', 'model-a'] },
    entry: { models: ['small-embed', 'model-a'] }, config, ...more });
  const made = async (server, count) => server.until(async () =>
    ((await server.metrics())('mainstay_knowledge_vectors_made_total') ?? 0) >= count, `${count} vectors`, 20_000);

  test('finds what no word says, and goes on by words when the model is down', async (t) => {
    const { server, provider } = await setup(t);
    // The scripted model's vector tells of length and letters alone: the same text is nearest.
    const text = 'zzz qqq vvv';
    await add(server, { title: 'Odd', text });
    await add(server, { title: 'Plain', text: 'A long text about harbours, lighthouses, ships and the weather at sea.' });
    await made(server, 2);
    const far = await search(server, { query: 'something wholly different that no document holds' });
    assert.ok(far.data.length > 0, 'words alone would find nothing');
    await provider.mode('refuse');
    const words = await search(server, { query: 'harbours and ships' });
    assert.deepEqual(titles(words), ['Plain']);
    const metric = await server.metrics();
    assert.ok(metric('mainstay_knowledge_searches_by_words_alone_total') >= 1);
  });

  // proves that many questions wait for the model no longer than one
  test('many questions are embedded in one call; one that the model refuses costs the others nothing', async (t) => {
    const { server, provider } = await setup(t);
    await add(server, { title: 'Odd', text: 'zzz qqq vvv' });
    await made(server, 1);
    const far = (about) => `something wholly different about ${about}`;
    const before = provider.requests.length;
    const found = await search(server, { queries: [far('sea'), far('land'), far('the air')] });
    assert.deepEqual(found.results.map((one) => [one.query, titles(one)]), [[far('sea'), ['Odd']], [far('land'), ['Odd']], [far('the air'), ['Odd']]]);
    assert.equal(provider.requests.length - before, 1);
    provider.script({ match: { text: far('fire') }, repeat: true, replies: [{ status: 400 }] });
    const some = await search(server, { queries: [far('snow'), far('fire')] });
    assert.deepEqual(some.results.map(titles), [['Odd'], []]);
  });

  test('a vector and the kept embedding it was made from bear the same mark of their passage', async (t) => {
    const data = path.join(temp_dir(t), 'data');
    const { server } = await setup(t, { data });
    await add(server, { title: 'Odd', text: 'zzz qqq vvv' });
    await add(server, { title: 'Plain', text: 'A long text about harbours, lighthouses, ships and the weather at sea.' });
    await made(server, 2);
    const marks = (table) => JSON.parse(execFileSync('python3', ['-c', `import json, sqlite3, sys
db = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True)
print(json.dumps(sorted(str(r[0]) for r in db.execute('SELECT content FROM ' + sys.argv[2]))))`, path.join(data, 'knowledge.db'), table]).toString());
    const of_vectors = marks('vector');
    assert.equal(new Set(of_vectors).size, 2, of_vectors.join());
    assert.ok(!of_vectors.includes('0'));
    const kept = marks('embedding');  // and one by which the length of a vector was found out
    assert.ok(of_vectors.every((mark) => kept.includes(mark)), `${of_vectors} among ${kept}`);
  });

  // proves that the old vectors serve until the new ones are whole
  test('another model: the old vectors serve until the last new one is there', async (t) => {
    const data = path.join(temp_dir(t), 'data');
    const { server, provider } = await setup(t, { data });
    await add(server, { title: 'Odd', text: 'zzz qqq vvv' });
    await add(server, { title: 'Plain', text: 'A long text about harbours, lighthouses, ships and the weather at sea.' });
    await made(server, 2);
    await server.stop();
    const gated = { match: { model: 'model-a' }, repeat: true, replies: [{ gate: 'new model' }] };
    provider.script(gated);
    const providers = [provider_entry(provider, { kind: 'openai', models: ['small-embed', 'model-a'] })];
    const second = await serve(t, { data, config: { providers, knowledge: { embedding_model: 'openai/model-a' } } });
    await provider.until(() => provider.requests.some((one) => one.model === 'model-a'), 'the new model was asked');
    const asked = () => provider.requests.filter((one) => one.embed !== false).at(-1).model;
    const query = { query: 'something wholly different that no document holds' };
    const far = await search(second, query);
    assert.ok(far.data.length > 0, 'found by meaning, while the new vectors are being made');
    assert.equal(asked(), 'small-embed', 'the question was put to the old model');
    const meaning = async () => (await second.get('/v1/collections')).json.meaning;
    assert.deepEqual(await meaning(), { state: 'filling', model: 'openai/model-a', serves: 'openai/small-embed', documents: 2, done: 0, share: 0 });
    provider.open('new model');
    await second.until(async () => { await search(second, { query: `${query.query} ${Math.random()}` }); return asked() === 'model-a'; },
      'the new vectors serve', 20_000);
    assert.ok((await search(second, query)).data.length > 0);
    await second.until(async () => (await meaning()).state === 'whole', 'all have vectors');
    assert.deepEqual(await meaning(), { state: 'whole', model: 'openai/model-a', serves: 'openai/model-a', documents: 2, done: 2, share: 1 });
    const spaces = JSON.parse(execFileSync('python3', ['-c', `import json, sqlite3, sys
db = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True)
print(json.dumps([r[0] for r in db.execute('SELECT model FROM vector_space WHERE vectors > 0')]))`, path.join(data, 'knowledge.db')]).toString());
    await second.until(() => true, 'settled');
    assert.ok(spaces.includes('openai/model-a'), spaces.join());
  });
});
