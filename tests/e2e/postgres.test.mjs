// The built program on a real PostgreSQL cluster: what is shared, what survives, what happens while
// the database is away.   proves Z10; fault row 31
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { assert_error, cleanup, free_port, pair, provide, provider_entry, run, scope, serve, temp_dir } from './lib/harness.mjs';
import { missing } from './lib/machine.mjs';
import { admin_of, bearer } from './lib/people.mjs';
import { cluster, no_postgres, redis_over_tcp } from './lib/postgres.mjs';

const ask = (text, conversation) =>
  ({ model: 'model-a', messages: [{ role: 'user', content: text }], ...(conversation ? { conversation } : {}) });
const texts = (reply) => reply.json.messages.map((m) => `${m.role}: ${m.content}`);
/** The address by the environment, as the manual says. */
const env_of = (db) => ({ MAINSTAY_STORAGE__POSTGRES_URL: db.url });
const QUICK = { postgres: { patience: '300ms', retry_cap: '200ms' }, auth: { keys_refresh: '200ms' } };

describe('with PostgreSQL', { skip: no_postgres }, () => {
  const shared = scope();
  after(() => shared.end());
  let db;
  before(async () => { db = await cluster(shared); });
  /** One provider, and servers on the same database, each with a data folder of its own. */
  async function several(t, count, config = {}) {
    const provider = await provide(t);
    const all = { ...QUICK, ...config, providers: [provider_entry(provider)] };
    const servers = [];
    for (let i = 0; i < count; i += 1) servers.push(await serve(t, { env: env_of(db), config: all }));
    return { provider, servers };
  }
  const key_tool = async (t, ...words) => {
    const made = await run(['keys', ...words, '--data', temp_dir(t)], { env: env_of(db) });
    assert.equal(made.code, 0, made.err);
    return made.out;
  };

  test('a conversation survives kill -9 of the server and is there for another one', async (t) => {
    const { servers: [first] } = await several(t, 1);
    for (let i = 0; i < 5; i += 1) {
      assert.equal((await first.chat(ask(`question ${i}`, 'conv-survives'))).status, 200);
    }
    await first.kill();
    cleanup(t, () => { first.exit = { code: 0, signal: null }; });  // killed on purpose
    const { servers: [second], provider } = await several(t, 1);
    const read = await second.get('/v1/conversations/conv-survives');
    assert.equal(read.status, 200, read.text);
    assert.deepEqual(texts(read).slice(-2), ['user: question 4', 'assistant: You said: question 4']);
    assert.equal(read.json.messages.length, 10);
    assert.equal((await second.chat(ask('and now', 'conv-survives'))).status, 200);
    assert.equal(provider.requests.filter((r) => r.format).at(-1).body.messages.length, 11, 'earlier turns are sent along');
    assert.equal(db.tell("SELECT messages FROM mainstay.conversation WHERE id = 'conv-survives'"), '12');
  });

  test('two processes see the same conversations', async (t) => {
    const { servers: [one, two] } = await several(t, 2);
    for (let i = 0; i < 6; i += 1) {
      assert.equal((await [one, two][i % 2].chat(ask(`turn ${i}`, 'conv-both'))).status, 200);
    }
    const [here, there] = [await one.get('/v1/conversations/conv-both'), await two.get('/v1/conversations/conv-both')];
    assert.deepEqual(here.json.messages, there.json.messages);
    assert.deepEqual(texts(here).filter((x) => x.startsWith('user')), [0, 1, 2, 3, 4, 5].map((i) => `user: turn ${i}`));
    assert.ok((await two.get('/v1/conversations')).json.data.some((c) => c.id === 'conv-both'));
    assert.ok([200, 204].includes((await two.delete('/v1/conversations/conv-both')).status));
    assert_error(await one.get('/v1/conversations/conv-both'), 404, { code: 'unknown_conversation' });
  });

  test('turns that two processes add at once are all kept, each whole', async (t) => {
    const { servers } = await several(t, 2);
    const sends = Array.from({ length: 40 }, (_, i) => servers[i % 2].chat(ask(`at once ${i}`, 'conv-crowd')));
    for (const reply of await Promise.all(sends)) assert.equal(reply.status, 200, reply.text);
    const read = await servers[0].get('/v1/conversations/conv-crowd?limit=100');
    assert.equal(read.json.messages.length, 80);
    const lines = texts(read);
    for (let i = 0; i < lines.length; i += 2) {
      assert.equal(lines[i + 1], `assistant: You said: ${lines[i].slice('user: '.length)}`);
    }
  });

  test('a key made on the command line opens both processes, and a revoked one neither', async (t) => {
    const { servers } = await several(t, 2, { auth: { keys_refresh: '200ms', required: true } });
    const key = JSON.parse(await key_tool(t, 'new', '--json', '--name', 'shared'));
    const status = async (server) => (await server.get('/v1/models', bearer(key.key))).status;
    for (const server of servers) await server.until(async () => (await status(server)) === 200, 'the key is known');
    assert.match(await key_tool(t, 'list'), /shared/);
    await key_tool(t, 'revoke', key.id);
    for (const server of servers) await server.until(async () => (await status(server)) === 401, 'the key is refused');
  });

  test('a document put in at one is found and cited at the other, and gone there when it is deleted', async (t) => {
    const { servers: [one, two] } = await several(t, 2);
    const put = await one.post('/v1/documents', { collection: 'harbour', source: 'master.txt', title: 'Harbour', tags: ['people'],
      text: 'The harbour master is Ingrid Solberg. She has an office at the north pier.' });
    assert.equal(put.status, 201, put.text);
    const find = async (server, body) => (await server.post('/v1/search', body)).json;
    const found = await find(two, { query: 'who is the harbor master', collection: 'harbour', tags: ['people'] });
    assert.equal(found.data[0]?.document, put.json.id, JSON.stringify(found));
    const mistyped = await find(two, { query: 'Solbreg', collection: 'harbour' });
    assert.equal(mistyped.data[0]?.document, put.json.id, JSON.stringify(mistyped));
    const question = { model: 'mainstay/extractive', collection: 'harbour', messages: [{ role: 'user', content: 'Who is the harbour master?' }] };
    const said = await two.chat(question);
    assert.match(said.json.choices[0].message.content, /Ingrid Solberg/, said.text);
    assert.equal(said.json.citations[0].document, put.json.id);
    assert.ok((await two.get('/v1/collections')).json.data.some((c) => c.id === 'harbour' && c.documents === 1));
    assert.ok([200, 204].includes((await one.delete(`/v1/documents/${put.json.id}`)).status));
    assert_error(await two.get(`/v1/documents/${put.json.id}`), 404, { code: 'unknown_document' });
    assert.deepEqual((await find(two, { query: 'harbour master' })).data, []);
    assert.doesNotMatch((await two.chat(question)).json.choices[0].message.content, /Ingrid/);
    assert.equal(db.tell("SELECT count(*) FROM mainstay.chunk WHERE convert_from(text, 'UTF8') LIKE '%Ingrid%'"), '0');
  });

  test('a file that one reads and gives vectors is found at the other, by words and by meaning', async (t) => {
    const provider = await provide(t, { models: ['small-embed'] });
    const config = { ...QUICK, providers: [provider_entry(provider, { models: ['small-embed'] })], knowledge: { embedding_model: 'openai/small-embed' } };
    const [one, two] = [await serve(t, { env: env_of(db), config }), await serve(t, { env: env_of(db), config })];
    const form = new FormData();
    form.append('collection', 'files');
    form.append('file', new Blob(['# Roses\n\nWater roses in the morning.\n']), 'roses.md');
    const put = await fetch(`${one.url}/v1/documents`, { method: 'POST', body: form });
    const { id } = await put.json();
    assert.equal(put.status, 202);
    await two.until(async () => (await two.get(`/v1/documents/${id}`)).json.state === 'ready', 'it is read', 20_000);
    const find = async (query) => (await two.post('/v1/search', { query, collection: 'files' })).json.data.map((p) => p.document);
    assert.deepEqual(await find('watering rose'), [id]);
    await two.until(async () => (await find('something wholly different that no document holds'))[0] === id, 'found by meaning', 20_000);
    assert.ok([200, 204].includes((await one.delete(`/v1/documents/${id}`)).status));
    assert.deepEqual(await find('something wholly different that no document holds'), []);
  });

  test('the password is in no log, no setting shown and no error', async (t) => {
    const { servers: [server] } = await several(t, 1);
    await server.chat(ask('hello', 'conv-quiet'));
    const shown = await run(['config', 'show'], { env: env_of(db) });
    assert.match(shown.out, /postgres_url/);
    const wrong = await run(['serve', '--data', temp_dir(t), '--listen', '127.0.0.1:0'],
      { env: { MAINSTAY_STORAGE__POSTGRES_URL: db.url.replace('p4ss', 'p5ss') } });
    assert.equal(wrong.code, 78, wrong.err);
    assert.match(wrong.err, /does not let us in/);
    for (const text of [server.out, server.err, shown.out, shown.err, wrong.out, wrong.err]) {
      assert.doesNotMatch(text, /p[45]ss|w\/rd|w%2Frd/);
    }
  });

  test('doctor looks at it; the figures of the pool go back to where they were', async (t) => {
    const { servers: [server] } = await several(t, 1);
    await Promise.all(Array.from({ length: 30 }, (_, i) => server.chat(ask(`q${i}`, `conv-pool-${i}`))));
    const looked = await run(['doctor', '--json', '--data', temp_dir(t)], { env: env_of(db) });
    const found = JSON.parse(looked.out).checks.find((c) => c.check === 'postgres');
    assert.equal(found?.state, 'ok', looked.out);
    const stats = (await server.get('/admin/database/stats', admin_of(server))).json.databases;
    const ours = stats.find((d) => d.name === 'postgres');
    assert.equal(ours.pool.size, 60);
    assert.ok(ours.queries.some((q) => q.operation === 'append' && q.count >= 30), JSON.stringify(ours));
    const metric = await server.metrics();
    assert.equal(metric('mainstay_postgres_connections_busy'), 0);
    assert.equal(metric('mainstay_postgres_waiting'), 0);
    assert.ok(metric('mainstay_postgres_connections') <= 20);
  });
});

test('over TLS with the server\'s certificate checked', { skip: no_postgres || missing(['openssl']) }, async (t) => {
  const db = await cluster(t, { tls: true });
  const { server } = await pair(t, { env: env_of(db), config: QUICK });
  await Promise.all(Array.from({ length: 20 }, (_, i) => server.chat(ask(`secretly ${'x'.repeat(50_000)}`, `conv-tls-${i}`))));
  assert.equal((await server.get('/v1/conversations/conv-tls-7')).json.messages[0].content.length, 50_009);
  assert.equal(db.tell("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'mainstay'"), 't');
  await db.kill();
  await db.start();
  await server.until(async () => (await server.chat(ask('again', 'conv-tls-7'))).status === 200, 'it is found again', 20_000);
  const other = { MAINSTAY_STORAGE__POSTGRES_URL: db.url.replace(/&sslrootcert=.*/, '&sslrootcert=/dev/null') };
  const refused = await run(['serve', '--data', temp_dir(t), '--listen', '127.0.0.1:0'],
    { env: { ...other, MAINSTAY_POSTGRES__START_TIMEOUT: '500ms' } });
  assert.ok(refused.code !== 0 && refused.signal === null, refused.err);
});

describe('while PostgreSQL is away', { skip: no_postgres }, () => {
  test('fault_31: 503 with its own code, the rest goes on, and all comes back without a restart', async (t) => {
    const db = await cluster(t);
    const { server } = await pair(t, { env: env_of(db), config: QUICK });
    assert.equal((await server.chat(ask('before', 'conv-away'))).status, 200);
    await db.kill();
    const began = performance.now();
    for (const reply of [await server.chat(ask('during', 'conv-away')), await server.get('/v1/conversations'),
      await server.get('/v1/conversations/conv-away'), await server.delete('/v1/conversations/conv-away')]) {
      assert_error(reply, 503, { code: 'database_unavailable' });
      assert.ok(Number(reply.headers['retry-after']) >= 1, 'says when to come back');
    }
    assert.ok(performance.now() - began < 8000, 'nobody waits for long');
    const ready = await server.get('/health/ready');
    assert.equal(ready.status, 503);
    assert.match(ready.json.reasons.find((r) => r.part === 'storage').why, /PostgreSQL/);
    assert.equal((await server.get('/health')).status, 200);
    assert.equal((await server.chat(ask('without a conversation'))).status, 200);
    await db.start();
    await server.until(async () => (await server.get('/health/ready')).status === 200, 'ready again', 20_000);
    assert.equal((await server.chat(ask('after', 'conv-away'))).status, 200);
    const read = await server.get('/v1/conversations/conv-away');
    assert.deepEqual(texts(read).filter((x) => x.startsWith('user')), ['user: before', 'user: after']);
    const metric = await server.metrics();
    assert.equal(metric('mainstay_postgres_connections_busy'), 0);
    assert.equal(metric('mainstay_postgres_waiting'), 0);
  });

  test('every turn that was answered is there after the database was killed under load', async (t) => {
    const db = await cluster(t);
    const { server } = await pair(t, { env: env_of(db), config: QUICK });
    const answered = [];
    let going = true;
    const client = async (n) => {
      for (let i = 0; going; i += 1) {
        const reply = await server.chat(ask(`load ${n}.${i}`, `conv-load-${n}`));
        if (reply.status === 200) answered.push(`user: load ${n}.${i}`);
        else assert.ok([503, 504].includes(reply.status), reply.text);
      }
    };
    const clients = Array.from({ length: 6 }, (_, n) => client(n));
    await server.until(() => answered.length > 60, 'turns were answered');
    await db.kill();
    await db.start();
    const before_last = answered.length;
    await server.until(() => answered.length > before_last + 60, 'turns are answered again', 20_000);
    going = false;
    await Promise.all(clients);
    const stored = new Set();
    for (let n = 0; n < 6; n += 1) {
      const rows = db.tell('SELECT m.role, convert_from(m.json, \'UTF8\')::json ->> \'content\' FROM mainstay.message m ' +
        `JOIN mainstay.conversation c ON c.n = m.conversation WHERE c.id = 'conv-load-${n}' ORDER BY m.seq`).split('\n');
      assert.equal(rows.length % 2, 0, 'a turn is whole or not there');
      for (const row of rows.filter((r) => r.startsWith('user|'))) {
        const text = row.replace('user|', 'user: ');
        assert.ok(!stored.has(text), `${text} is there once`);
        stored.add(text);
      }
    }
    for (const text of answered) assert.ok(stored.has(text), `${text} was answered and is gone`);
    t.diagnostic(`${answered.length} turns answered, ${stored.size} stored`);
  });

  test('a start without it says where it looked and ends', async (t) => {
    const port = await free_port();
    const ended = await run(['serve', '--data', temp_dir(t), '--listen', '127.0.0.1:0'], { env: {
      MAINSTAY_STORAGE__POSTGRES_URL: `postgres://me:s3cret-db@127.0.0.1:${port}/db`, MAINSTAY_POSTGRES__START_TIMEOUT: '500ms' } });
    assert.equal(ended.code, 69, ended.err);
    assert.match(ended.err, new RegExp(`127.0.0.1:${port}/db`));
    assert.doesNotMatch(ended.err + ended.out, /s3cret-db/);
  });
});

describe('with Redis and PostgreSQL', { skip: no_postgres || missing(['redis-server']) }, () => {
  const job = (text, conversation) => ({ kind: 'chat', input: ask(text, conversation) });
  const state = async (server, id) => (await server.get(`/v1/jobs/${id}`)).json.state;

  test('the turn of a job is stored once, also when the database was away at its end', async (t) => {
    const db = await cluster(t);
    const { server, provider } = await pair(t, { env: { ...env_of(db), MAINSTAY_STORAGE__REDIS_URL: await redis_over_tcp(t) },
      config: { ...QUICK, jobs: { backoff_min: '10ms', backoff_max: '50ms' } } });
    const quick = await server.post('/v1/jobs', job('plain', 'conv-job'));
    assert.equal(quick.status, 202, quick.text);
    await server.until(async () => (await state(server, quick.json.id)) === 'succeeded', 'the first job is done');
    provider.script({ match: { text: 'slow' }, replies: [{ tokens: ['said'], gate: 'go' }] });
    const slow = await server.post('/v1/jobs', job('slow', 'conv-job'));
    await server.until(async () => (await state(server, slow.json.id)) === 'running', 'the second job runs');
    await server.until(() => provider.requests.some((r) => r.format && r.body.messages.at(-1).content === 'slow'), 'asked');
    await db.kill();
    provider.open('go');
    await server.until(async () => (await server.get('/health/ready')).status === 503, 'not ready');
    await db.start();
    await server.until(async () => (await state(server, slow.json.id)) === 'succeeded', 'the second job is done', 30_000);
    const read = await server.get('/v1/conversations/conv-job');
    assert.deepEqual(texts(read).filter((x) => x.startsWith('user')), ['user: plain', 'user: slow']);
    assert.equal(db.tell('SELECT count(*) FROM mainstay.turn'), '2');
    const requests = db.tell('SELECT request FROM mainstay.turn ORDER BY n').split('\n');
    assert.deepEqual(requests, [quick.json.id, slow.json.id], 'a turn is known by its job');
  });
});
