// What an operator relies on: health, readiness, metrics, the API description, keys, limits, request
// ids, timings, logs.   proves M3 (limits part), V9, Z4 (readiness), security row 40
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { assert_error, pair, provide, provider_entry, serve, temp_dir } from './lib/harness.mjs';
import { exchange } from './lib/raw.mjs';
import { check_references, problems } from './lib/schema.mjs';

const ask = (text, more = {}) => ({ model: 'model-a', messages: [{ role: 'user', content: text }], ...more });

describe('health and readiness', () => {
  test('/health and /health/live answer while every provider hangs', async (t) => {
    const { server, provider } = await pair(t);
    await provider.mode('no_read');
    const hanging = server.chat(ask('hangs')).catch(() => {});
    for (const target of ['/health', '/health/live']) {
      const got = await server.get(target);
      assert.equal(got.status, 200, got.text);
      assert.ok(got.json.status, got.text);
    }
    server.agent.destroy();
    await hanging;
  });

  test('/health/ready gives reasons', async (t) => {
    const { server } = await pair(t);
    const got = await server.get('/health/ready');
    assert.equal(got.status, 200, got.text);
    assert.equal(typeof got.json, 'object');
    assert.match(got.text, /ready|ok/);
  });

  test('/health has its own address when one is configured', async (t) => {
    const server = await serve(t, { config: { server: { health_listen: '127.0.0.1:0' } } });
    const addresses = [...(server.out + server.err).matchAll(/127\.0\.0\.1:(\d+)/g)].map((m) => Number(m[1]));
    const own = addresses.find((p) => p !== server.port && p !== 0);
    assert.ok(own, `a second address is printed or logged: ${server.out} ${server.err}`);
    assert.equal((await fetch(`http://127.0.0.1:${own}/health`)).status, 200);
    assert.equal((await fetch(`http://127.0.0.1:${own}/v1/models`)).status, 404);
  });
});

describe('metrics and description', () => {
  test('/metrics is Prometheus text with types, help and our counters', async (t) => {
    const { server } = await pair(t);
    await server.chat(ask('heliotrope zanzibar'));
    const { headers, text } = await server.get('/metrics');
    assert.match(headers['content-type'], /^text\/plain/);
    const names = new Set();
    for (const line of text.split('\n').filter(Boolean)) {
      const [, comment, name] = /^# (HELP|TYPE) (\S+)/.exec(line) ?? [];
      if (comment) { if (comment === 'TYPE') names.add(name); continue; }
      const [, series, , value] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? (\S+)$/.exec(line) ?? [];
      assert.ok(series, `odd line: ${line}`);
      assert.ok(!Number.isNaN(Number(value.replace('+Inf', 'Infinity'))), line);
      const family = [series, series.replace(/_(bucket|sum|count)$/, '')];
      assert.ok(family.some((f) => names.has(f)), `TYPE before ${series}`);
    }
    assert.ok([...names].some((n) => n.endsWith('_total')));
    assert.doesNotMatch(text, /heliotrope|zanzibar/, 'no user text');
  });

  test('/openapi.json describes every endpoint, and real replies fit it', async (t) => {
    const { server } = await pair(t);
    const { json: api, status } = await server.get('/openapi.json');
    assert.equal(status, 200);
    assert.match(api.openapi, /^3\.1/);
    assert.match(api.info.version, /^\d/);
    check_references(api);
    for (const [target, methods] of Object.entries({ '/v1/chat/completions': ['post'], '/v1/models': ['get'],
      '/v1/documents': ['get', 'post'], '/v1/search': ['post'], '/v1/conversations': ['get'], '/chat': ['post'],
      '/health': ['get'], '/health/live': ['get'], '/health/ready': ['get'], '/metrics': ['get'] })) {
      for (const method of methods) assert.ok(api.paths[target]?.[method], `${method} ${target}`);
    }
    const document = await server.post('/v1/documents', { title: 'T', text: 'The sky over Bergen is grey.' });
    const replies = [
      ['get', '/v1/models', await server.get('/v1/models')],
      ['post', '/v1/chat/completions', await server.chat(ask('x', { conversation: 'conv-api' }))],
      ['post', '/v1/chat/completions', await server.chat({ messages: 5 })],
      ['post', '/v1/documents', document],
      ['get', '/v1/documents', await server.get('/v1/documents')],
      ['post', '/v1/search', await server.post('/v1/search', { query: 'sky Bergen' })],
      ['post', '/chat', await server.post('/chat', { prompt: 'x' })],
      ['get', '/v1/conversations', await server.get('/v1/conversations')],
      ['get', '/v1/conversations/{id}', await server.get('/v1/conversations/conv-api')],
      ['delete', '/v1/conversations/{id}', await server.delete('/v1/conversations/conv-api')],
      ['delete', '/v1/documents/{id}', await server.delete(`/v1/documents/${document.json.id}`)],
      ['get', '/health', await server.get('/health')],
      ['get', '/health/live', await server.get('/health/live')],
      ['get', '/health/ready', await server.get('/health/ready')],
    ];
    for (const [method, target, reply] of replies) {
      const name = `${method} ${target} -> ${reply.status}`;
      const described = api.paths[target]?.[method]?.responses;
      const response = described?.[reply.status] ?? described?.[`${String(reply.status)[0]}XX`] ?? described?.default;
      assert.ok(response, `${name} is described`);
      const schema = response.content?.['application/json']?.schema;
      if (reply.text) {
        assert.ok(schema, `${name} has a schema`);
        assert.deepEqual(problems(api, schema, reply.json), [], name);
      }
    }
  });

  test('/v1/models tells capabilities, context and state', async (t) => {
    const { server } = await pair(t);
    const { json } = await server.get('/v1/models');
    assert.equal(json.object, 'list');
    for (const model of json.data) {
      assert.equal(model.object, 'model');
      assert.ok(model.id && model.owned_by, JSON.stringify(model));
    }
    const ids = json.data.map((m) => m.id);
    assert.ok(['auto', 'mainstay/extractive', 'model-a', 'model-b'].every((id) => ids.includes(id)), ids.join());
    assert.equal(new Set(ids).size, ids.length, 'each once');
    const one = await server.get('/v1/models/model-a');
    assert.ok([200, 404].includes(one.status));
  });
});

describe('backup', () => {
  test('a copy made as operations.md says, while it serves, is whole', async (t) => {
    const { server } = await pair(t);
    assert.equal((await server.post('/v1/documents', { text: 'The harbour master is Ludmila.' })).status, 201);
    assert.equal((await server.chat(ask('hello', { conversation: 'c1' }))).status, 200);
    const copy = temp_dir(t);
    const script = 'import pathlib, sqlite3, sys\n'
      + 'for db in pathlib.Path(sys.argv[1]).glob("*.db"):\n'
      + '    sqlite3.connect(db).execute("VACUUM INTO ?", (f"{sys.argv[2]}/{db.name}",))\n';
    execFileSync('python3', ['-c', script, server.data, copy]);
    const again = await serve(t, { data: copy });
    assert.deepEqual((await again.get('/v1/conversations')).json.data.map((c) => c.id), ['c1']);
    assert.match((await again.post('/chat', { prompt: 'Who is the harbour master?' })).text, /Ludmila/);
  });
});

describe('keys and limits', () => {
  const key = 'a-right-key-of-length-0001';

  test('the request to try at the start shows a key where one is asked for', async (t) => {
    const { server } = await pair(t, { config: { auth: { keys: [key] } } });
    assert.match(server.out, /Try: {2}curl -s \S+\/chat -H 'Authorization: Bearer KEY' -H/);
    const open = await serve(t);
    assert.match(open.out, /Try: {2}curl -s \S+\/chat -H 'Content-Type/);
  });

  test('with keys every endpoint but health asks for one', async (t) => {
    const { server, provider } = await pair(t, { config: { auth: { keys: [key] } } });
    for (const [method, target, body] of [['POST', '/v1/chat/completions', ask('x')], ['GET', '/v1/models'], ['POST', '/chat', { prompt: 'x' }],
      ['GET', '/v1/documents'], ['POST', '/v1/documents', { text: 'x' }], ['POST', '/v1/search', { query: 'x' }],
      ['GET', '/v1/conversations'], ['DELETE', '/v1/conversations/x']]) {
      for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: `Basic ${key}` }, { authorization: 'Bearer ' },
        { 'x-api-key': `${key}x` }, { authorization: `Bearer ${key.slice(0, -1)}` }]) {
        const got = await server.request(method, target, { body, headers });
        assert_error(got, 401);
      }
    }
    assert.equal(provider.requests.filter((r) => r.format).length, 0);
    for (const headers of [{ authorization: `Bearer ${key}` }, { 'x-api-key': key }]) {
      assert.equal((await server.get('/v1/models', headers)).status, 200);
    }
    assert.equal((await server.get('/health')).status, 200);
    assert.equal((await server.get('/health/live')).status, 200);
  });

  test('burst and rate: 35 requests pass, then 429 with Retry-After and reset', async (t) => {
    const { server, provider } = await pair(t, { config: { limits: { enabled: true, user: { requests_per_minute: 30, burst: 5 } } } });
    const got = [];
    for (let i = 0; i < 36; i += 1) got.push(await server.chat(ask(`n${i}`)));
    const passed = got.filter((r) => r.status === 200).length;
    const refused = got.find((r) => r.status === 429);
    assert.ok(refused, `some of 36 are refused: ${got.map((r) => r.status).join()}`);
    assert.equal(passed, 35, got.map((r) => r.status).join());
    assert_error(refused, 429);
    assert.ok(Number(refused.headers['retry-after']) >= 1);
    assert.equal(provider.requests.filter((r) => r.format).length, passed);
    assert.ok(Number(got[0].headers['x-ratelimit-limit-requests']) >= 30, JSON.stringify(got[0].headers));
    const remaining = got.filter((r) => r.status === 200).map((r) => Number(r.headers['x-ratelimit-remaining-requests']));
    assert.ok(remaining.every((n, i) => i === 0 || n <= remaining[i - 1]), remaining.join());
    assert.equal((await server.get('/health')).status, 200, 'health is not limited');
  });

  test('one caller over the limit does not touch another', async (t) => {
    const keys = ['greedy-user-key-00000001', 'modest-user-key-00000002'];
    const { server } = await pair(t, { config: { auth: { keys }, limits: { enabled: true, user: { requests_per_minute: 30, burst: 1 } } } });
    const [greedy, modest] = keys.map((k) => ({ authorization: `Bearer ${k}` }));
    let status = 200;
    for (let i = 0; i < 60 && status === 200; i += 1) status = (await server.chat(ask(`g${i}`), greedy)).status;
    assert.equal(status, 429);
    assert.equal((await server.chat(ask('modest'), modest)).status, 200);
  });
});

describe('ids, timings, logs', () => {
  test('x-request-id is echoed when sane, else made; never repeated', async (t) => {
    const { server } = await pair(t);
    assert.equal((await server.chat(ask('a'), { 'x-request-id': 'my-id_0001.x' })).headers['x-request-id'], 'my-id_0001.x');
    const made = [];
    for (let i = 0; i < 3; i += 1) made.push((await server.get('/health/ready')).headers['x-request-id']);
    assert.ok(made.every(Boolean), made.join());
    assert.equal(new Set(made).size, 3);
    const hostile = (await server.get('/v1/models', { 'x-request-id': '<script>"\'; DROP' })).headers['x-request-id'];
    assert.doesNotMatch(hostile, /[<"';]/);
    const long = (await server.get('/v1/models', { 'x-request-id': 'r'.repeat(5000) })).headers['x-request-id'];
    assert.ok(long.length <= 256);
  });

  test('one id from the client to the log', async (t) => {
    const { server } = await pair(t);
    await server.chat(ask('a'), { 'x-request-id': 'trace-me-0042' });
    await server.until(() => server.err.includes('trace-me-0042'), 'the log line of the request');
    const line = server.err.split('\n').find((l) => l.includes('trace-me-0042'));
    assert.equal(typeof JSON.parse(line), 'object', 'one JSON object for each line');
  });

  test('Server-Timing names queue, cache, connect, first token and total', async (t) => {
    const { server } = await pair(t);
    const got = await server.chat(ask('timed'));
    const timing = got.headers['server-timing'] ?? '';
    const names = [...timing.matchAll(/([\w-]+);dur=([\d.]+)/g)].map((m) => m[1]);
    for (const want of [/queue/, /cache/, /connect/, /first/, /total/]) assert.ok(names.some((n) => want.test(n)), `${want}: ${timing}`);
    const streamed = await server.stream(ask('timed stream'));
    assert.ok(streamed.headers['server-timing'], 'streams have what is known at their head');
  });

  test('neither keys nor message texts are in the log, the metrics or the errors', async (t) => {
    const provider = await provide(t, { api_key: 'canary-provider-key-77' });
    const server = await serve(t, { config: { log: { level: 'debug' }, auth: { keys: ['canary-client-key-7788'] },
      providers: [provider_entry(provider, { api_key: 'canary-provider-key-77' })], models: { attempts_max: 1 } } });
    const headers = { authorization: 'Bearer canary-client-key-7788' };
    await server.chat(ask('canary-message-text'), headers);
    await server.stream(ask('canary-message-text streamed'), headers);
    await server.get('/v1/models', { authorization: 'Bearer canary-wrong-key-99' });
    provider.script({ status: 500, message: 'canary-upstream-words' });
    const failed = await server.chat(ask('canary-message-text fails'), headers);
    const metrics = await server.get('/metrics', headers);
    await server.stop();
    assert.doesNotMatch(server.err + server.out, /canary-(provider|client|wrong)-key|canary-message-text/);
    assert.doesNotMatch(metrics.text, /canary/);
    assert.doesNotMatch(failed.text, /canary-(provider|upstream)/);
  });

  test('hostile header values stay one log line', async (t) => {
    const { server } = await pair(t);
    const body = JSON.stringify(ask('x'));
    for (const evil of ['a \x1b[31m {"level":"error"}', 'tab\there', '\xff\xfe', '%0d%0a', '\u2028']) {
      await exchange(server.port, `POST /v1/chat/completions?q=${encodeURIComponent(evil)} HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
        `User-Agent: ${evil}\r\nX-Request-Id: ${evil}\r\nTraceparent: ${evil}\r\nContent-Type: application/json\r\n` +
        `Connection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    }
    await server.stop();
    for (const line of server.err.split('\n').filter(Boolean)) {
      assert.doesNotMatch(line, /\u001b/);
      assert.equal(typeof JSON.parse(line), 'object');
    }
  });
});
