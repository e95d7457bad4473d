// Documents, search, and answers from them with citations, by the built-in answerer.
// proves K10 (first half)
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { assert_error, pair, said, scope, serve } from './lib/harness.mjs';

const HARBOUR = `# Harbour rules

Boats longer than twelve metres moor at the eastern quay. The harbour master is Ingrid Solberg.

## Fees

A night costs 240 kroner for visitors. Residents pay 90 kroner. Payment is due before noon.

## Safety

In a storm the harbour closes when the wind exceeds 28 metres per second.`;
const BREAD = 'Rye bread needs a sourdough starter. Bake the loaf for fifty minutes at 210 degrees. ' +
  'Let it rest for a whole day before cutting.';

async function add(server, body) {
  const got = await server.post('/v1/documents', body);
  assert.equal(got.status, 201, got.text);
  return got.json;
}

describe('documents', () => {
  test('create, list, page, delete', async (t) => {
    const server = await serve(t);
    const one = await add(server, { title: 'Harbour', text: HARBOUR, format: 'markdown', source: 'harbour.md' });
    assert.equal(one.object, 'document');
    assert.equal(one.title, 'Harbour');
    assert.equal(one.collection, 'default');
    assert.equal(one.bytes, Buffer.byteLength(HARBOUR));
    assert.ok(one.id && one.chunks >= 1 && Number.isInteger(one.created_at), JSON.stringify(one));
    const two = await add(server, { title: 'Bread', text: BREAD, format: 'text', collection: 'kitchen' });
    const three = await add(server, { title: 'Bread again', text: `${BREAD} Second.`, format: 'text' });
    const all = (await server.get('/v1/documents')).json;
    assert.equal(all.object, 'list');
    assert.deepEqual(new Set(all.data.map((d) => d.id)), new Set([one.id, two.id, three.id]));
    assert.deepEqual((await server.get('/v1/documents?collection=kitchen')).json.data.map((d) => d.id), [two.id]);
    const page = (await server.get('/v1/documents?limit=2')).json;
    assert.equal(page.data.length, 2);
    assert.equal(page.has_more, true);
    const rest = (await server.get(`/v1/documents?limit=2&after=${page.data.at(-1).id}`)).json;
    assert.equal(rest.data.length, 1);
    assert.equal(rest.has_more, false);
    assert.ok([200, 204].includes((await server.delete(`/v1/documents/${one.id}`)).status));
    assert_error(await server.delete(`/v1/documents/${one.id}`), 404);
    assert.equal((await server.get('/v1/documents')).json.data.length, 2);
    const search = await server.post('/v1/search', { query: 'harbour master' });
    assert.deepEqual(search.json.data.filter((p) => p.document === one.id), [], 'deleted text is not found');
  });

  test('a document without a title gets one', async (t) => {
    const server = await serve(t);
    const got = await add(server, { text: HARBOUR, format: 'markdown' });
    assert.ok(got.title.length > 0);
  });

  test('HTML loses its tags and scripts', async (t) => {
    const server = await serve(t);
    await add(server, { title: 'Page', format: 'html', text: '<html><head><title>T</title><script>var hiddenword = 1;</script>' +
      '<style>.hiddenstyle{}</style></head><body><h1>Lighthouse</h1><p>The lamp was lit in 1887 &amp; still burns.</p></body></html>' });
    const found = (await server.post('/v1/search', { query: 'lighthouse lamp' })).json.data;
    assert.match(found[0].text, /lit in 1887 & still burns/);
    assert.doesNotMatch(JSON.stringify(found), /<p>|hiddenword|hiddenstyle/);
    assert.deepEqual((await server.post('/v1/search', { query: 'hiddenword' })).json.data, []);
  });

  test('documents survive kill -9 after their 201', async (t) => {
    const server = await serve(t);
    await add(server, { title: 'Kept', text: 'The vault code name is heliotrope.' });
    await server.kill();
    const again = await serve(t, { data: server.data });
    const found = (await again.post('/v1/search', { query: 'vault code name' })).json.data;
    assert.match(found[0].text, /heliotrope/);
  });
});

describe('search and answers', () => {
  const shared = scope();
  after(() => shared.end());
  let server;
  const documents = {};
  before(async () => {
    server = await serve(shared);
    documents.harbour = await add(server, { title: 'Harbour', text: HARBOUR, format: 'markdown' });
    documents.bread = await add(server, { title: 'Bread', text: BREAD, format: 'text' });
    documents.far = await add(server, { title: 'Far', text: 'The penguins of the far isle eat krill.', collection: 'zoo' });
  });

  test('search finds the passage, with document, position and score', async () => {
    const { json } = await server.post('/v1/search', { query: 'who is the harbour master', limit: 3 });
    assert.equal(json.object, 'list');
    const [best] = json.data;
    assert.equal(best.document, documents.harbour.id);
    assert.equal(best.title, 'Harbour');
    assert.match(best.text, /Ingrid Solberg/);
    assert.ok(Number.isInteger(best.position.start) && best.position.end > best.position.start);
    assert.ok(json.data.length <= 3);
    for (let i = 1; i < json.data.length; i += 1) assert.ok(json.data[i - 1].score >= json.data[i].score);
  });

  test('search keeps to its collection', async () => {
    const { json } = await server.post('/v1/search', { query: 'penguins harbour', collection: 'zoo' });
    assert.deepEqual(json.data.map((p) => p.document), [documents.far.id]);
  });

  test('query words with operators and quotes are words', async () => {
    for (const query of ['"harbour', 'harbour AND', 'NEAR(', 'a OR b*', "it's; DROP TABLE documents", '(((', '-', '^x:y', '***']) {
      const got = await server.post('/v1/search', { query });
      assert.equal(got.status, 200, `${query}: ${got.text}`);
    }
  });

  test('the answer holds the sentence and cites document and position', async () => {
    const got = await server.chat({ model: 'mainstay/extractive', messages: [{ role: 'user', content: 'Who is the harbour master?' }] });
    assert.equal(got.status, 200, got.text);
    assert.match(said(got), /Ingrid Solberg/);
    assert.doesNotMatch(said(got), /sourdough/);
    const [citation] = got.json.citations;
    assert.equal(citation.document, documents.harbour.id);
    assert.equal(citation.title, 'Harbour');
    const quoted = Buffer.from(HARBOUR).subarray(citation.position.start, citation.position.end).toString();
    assert.match(quoted, /Ingrid Solberg/, `position ${JSON.stringify(citation.position)} is "${quoted}"`);
  });

  test('auto answers from the documents when no provider is there', async () => {
    const got = await server.chat('How much does a night cost for visitors?');
    assert.match(said(got), /240 kroner/, got.text);
    assert.equal(got.headers['x-mainstay-degraded'], undefined);
  });

  test('it streams like any other model, with the citations', async () => {
    const got = await server.stream({ model: 'mainstay/extractive', messages: [{ role: 'user', content: 'When does the harbour close in a storm?' }] });
    assert.match(got.text, /28 metres per second/, got.raw);
    assert.equal(got.done, 1);
    assert.deepEqual(got.finish, ['stop']);
    assert.ok(got.events.filter((e) => e.choices?.[0]?.delta?.content).length > 1, 'more than one piece');
    const citations = got.events.flatMap((e) => e.citations ?? []);
    assert.equal(citations[0]?.document, documents.harbour.id, got.raw.slice(-800));
  });

  test('it says plainly that it does not know', async () => {
    const got = await server.chat('Which quantum chromodynamics lattice spacing was used?');
    assert.equal(got.status, 200);
    assert.match(said(got), /not know|don.t know|do not find|nothing|no passage|not find|no answer/i);
    assert.deepEqual(got.json.citations ?? [], []);
  });

  test('a request naming a collection is answered from it', async () => {
    const inside = await server.chat({ collection: 'zoo', messages: [{ role: 'user', content: 'What do the penguins eat?' }] });
    assert.match(said(inside), /krill/, inside.text);
    const outside = await server.chat({ collection: 'default', messages: [{ role: 'user', content: 'What do the penguins eat?' }] });
    assert.doesNotMatch(said(outside), /krill/);
  });
});

describe('retrieval for a model', () => {
  test('with a collection the passages go to the provider and come back as citations', async (t) => {
    const { server, provider } = await pair(t);
    const made = await add(server, { title: 'Harbour', text: HARBOUR, format: 'markdown', collection: 'port' });
    const got = await server.chat({ model: 'model-a', collection: 'port', messages: [{ role: 'user', content: 'Who is the harbour master?' }] });
    assert.equal(got.status, 200, got.text);
    const sent = provider.requests.filter((r) => r.format).at(-1);
    assert.match(JSON.stringify(sent.body), /Ingrid Solberg/);
    assert.equal(sent.body.collection, undefined);
    assert.equal(sent.text.includes('Who is the harbour master?'), true);
    assert.equal(got.json.citations[0].document, made.id);
  });

  test('a conversation that is read again has the citations with the answer they belong to', async (t) => {
    const { server } = await pair(t);
    const made = await add(server, { title: 'Harbour', text: HARBOUR, format: 'markdown', collection: 'port' });
    const question = { model: 'model-a', collection: 'port', conversation: 'conv-port', messages: [{ role: 'user', content: 'Who is the harbour master?' }] };
    const got = await server.chat(question);
    await server.chat({ model: 'model-a', conversation: 'conv-port', messages: [{ role: 'user', content: 'thank you' }] });
    const { messages } = (await server.get('/v1/conversations/conv-port')).json;
    assert.deepEqual(messages.map((m) => m.role), ['user', 'assistant', 'user', 'assistant']);
    assert.deepEqual(messages.map((m) => m.citations?.[0].document), [undefined, made.id, undefined, undefined]);
    assert.deepEqual(messages[1].citations, got.json.citations);
  });

  test('without a collection nothing is added', async (t) => {
    const { server, provider } = await pair(t);
    await add(server, { title: 'Harbour', text: HARBOUR });
    const got = await server.chat({ model: 'model-a', messages: [{ role: 'user', content: 'Who is the harbour master?' }] });
    assert.doesNotMatch(JSON.stringify(provider.requests.at(-1).body), /Solberg/);
    assert.equal(got.json.citations, undefined);
  });
});
