// Quotas, queues and classes of urgency over real sockets: how many pass, who is refused, with which
// word, and when to come back.
// proves M1, M3, M4 (limits), M6, V8 (maintenance), fault rows 19, 20, 41 (permits)
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assert_error, pair, pause, temp_dir } from './lib/harness.mjs';
import { quantile } from './lib/machine.mjs';
import { admin_of, bearer, known, many, new_key } from './lib/people.mjs';

const ask = (text, more = {}) => ({ model: 'model-a', messages: [{ role: 'user', content: text }], ...more });

/** A server with its own limits and keys for named users: {server, provider, as}. */
async function governed(t, limits, names = [], more = {}) {
  const data = `${temp_dir(t)}/data`;
  const keys = {};
  for (const [name, ...flags] of names.map((n) => [n].flat())) keys[name] = (await new_key(data, name, ...flags)).key;
  const config = { limits: { enabled: true, ...limits }, cache: { enabled: false }, ...more.config };
  const got = await pair(t, { ...more, data, config });
  for (const key of Object.values(keys)) await known(got.server, key);
  return { ...got, data, as: Object.fromEntries(Object.entries(keys).map(([n, k]) => [n, bearer(k)])) };
}

describe('requests', () => {
  test('fault_20_rate: 30 a minute and a burst of 5: 35 pass, the 36th is told when to come back', async (t) => {
    const { server } = await governed(t, {});
    const began = performance.now();
    const got = [];
    for (let i = 0; i < 36; i += 1) got.push(await server.chat(ask(`n${i}`)));
    const took = (performance.now() - began) / 1000;
    assert.ok(took < 1.9, `the machine took ${took} s: a new one is earned each 2 s`);
    got.slice(0, 35).forEach((reply, i) => {
      assert.equal(reply.status, 200, `${i}: ${reply.text}`);
      assert.equal(reply.headers['x-ratelimit-limit-requests'], '30');
      assert.equal(Number(reply.headers['x-ratelimit-remaining-requests']), 34 - i);
      assert.match(reply.headers['x-ratelimit-reset-requests'], /^\d+\.\d{3}s$/);
    });
    const last = got[35];
    assert_error(last, 429, { code: 'rate_limited' });
    assert.equal(last.json.error.type, 'rate_limit_error');
    assert.equal(last.headers['x-ratelimit-remaining-requests'], '0');
    assert.ok(['1', '2'].includes(last.headers['retry-after']), last.headers['retry-after']);
    const reset = Number.parseFloat(last.headers['x-ratelimit-reset-requests']);
    assert.ok(Math.abs(reset + took - 70) < 0.5, `35 requests at 2 s each: ${reset} s after ${took} s`);
  });

  test('Retry-After is exact: before it refused, after it passes', async (t) => {
    const { server } = await governed(t, { user: { requests_per_minute: 20, burst: 0 } });
    for (let i = 0; i < 20; i += 1) assert.equal((await server.chat(ask(`n${i}`))).status, 200);
    const refused = await server.chat(ask('again'));
    assert_error(refused, 429, { code: 'rate_limited' });
    const ms = Number(refused.headers['retry-after-ms'] ?? Number(refused.headers['retry-after']) * 1000);
    const seconds = Number(refused.headers['retry-after']);
    assert.ok(seconds >= 1 && seconds <= 3, `${seconds}`);
    assert.ok(ms <= seconds * 1000 && ms > (seconds - 1) * 1000 - 1, `${ms} ms and ${seconds} s`);
    await pause(Math.max(0, ms - 700));
    assert.equal((await server.chat(ask('too soon'))).status, 429);
    await pause(720);
    assert.equal((await server.chat(ask('in time'))).status, 200);
  });

  test('reading, deleting, health and admin are not counted; both ways to chat are', async (t) => {
    const { server } = await governed(t, { user: { requests_per_minute: 1, burst: 1 } });
    assert.equal((await server.chat(ask('one'))).status, 200);
    assert.equal((await server.post('/chat', { prompt: 'two', model: 'model-a' })).status, 200);
    for (const [target, body] of [['/chat', { prompt: 'x' }], ['/v1/documents', { text: 'x' }], ['/v1/search', { query: 'x' }]]) {
      assert_error(await server.post(target, body), 429, { code: 'rate_limited' });
    }
    const told = await server.stream(ask('streamed'));
    assert.equal(told.status, 429);
    for (const target of ['/health', '/health/ready', '/v1/models', '/v1/conversations', '/v1/documents', '/metrics']) {
      assert.equal((await server.get(target)).status, 200, target);
    }
    assert.equal((await server.get('/admin/tasks', admin_of(server))).status, 200);
    assert.equal((await server.delete('/v1/documents/doc_00000000000000000000000000')).status, 404);
  });

  test('users have their own quota, a key may have figures of its own', async (t) => {
    const { server, as } = await governed(t, { user: { requests_per_minute: 2, burst: 0 } },
      ['ann', 'bob', ['cee', '--requests-per-minute', '4'], ['dee', '--user', 'ann']]);
    const passes = async (who) => (await server.chat(ask('x'), who)).status === 200;
    assert.ok(await passes(as.ann) && await passes(as.ann));
    assert.ok(!await passes(as.ann), 'her third');
    assert.ok(await passes(as.bob), 'another user has room');
    let n = 0;
    while (n < 10 && await passes(as.cee)) n += 1;
    assert.equal(n, 4, 'the key lifts the limit of its user');
    assert.ok(await passes(as.bob), 'his second');
    assert.ok(!await passes(as.bob));
  });

  test('limits per address, per model and per key each refuse by name', async (t) => {
    const per_address = await governed(t, { user: { requests_per_minute: 0 }, address: { requests_per_minute: 3 } }, ['ann', 'bob']);
    for (const who of ['ann', 'bob', 'ann']) assert.equal((await per_address.server.chat(ask('x'), per_address.as[who])).status, 200);
    const refused = await per_address.server.chat(ask('x'), per_address.as.bob);
    assert_error(refused, 429, { code: 'rate_limited' });
    assert.match(refused.json.error.message, /address/);
    const per_model = await governed(t, { user: { requests_per_minute: 0 }, model: { requests_per_minute: 2 } });
    for (let i = 0; i < 2; i += 1) assert.equal((await per_model.server.chat(ask('x'))).status, 200);
    const full = await per_model.server.chat(ask('x'));
    assert_error(full, 429, { code: 'rate_limited' });
    assert.match(full.json.error.message, /model/);
    assert_error(await per_model.server.chat(ask('x', { model: 'openai/model-a' })), 429, { code: 'rate_limited' });
    assert.equal((await per_model.server.chat(ask('x', { model: 'model-b' }))).status, 200, 'another model has room');
    const routes = [{ model: 'model-a', aliases: ['short'], candidates: [{ provider: 'openai', model: 'model-a' }] }];
    const by_alias = await governed(t, {}, [], { config: { limits: { enabled: true, user: { requests_per_minute: 0 }, model: { requests_per_minute: 2 } }, routes } });
    for (const model of ['model-a', 'short']) assert.equal((await by_alias.server.chat(ask('x', { model }))).status, 200);
    for (const model of ['model-a', 'short']) assert_error(await by_alias.server.chat(ask('x', { model })), 429, { code: 'rate_limited' });
    const per_key = await governed(t, { user: { requests_per_minute: 0 }, key: { requests_per_minute: 2 } }, [['a1', '--user', 'ann'], ['a2', '--user', 'ann']]);
    for (let i = 0; i < 2; i += 1) assert.equal((await per_key.server.chat(ask('x'), per_key.as.a1)).status, 200);
    assert.match((await per_key.server.chat(ask('x'), per_key.as.a1)).text, /API key/);
    assert.equal((await per_key.server.chat(ask('x'), per_key.as.a2)).status, 200, 'her other key');
  });
});

describe('tokens', () => {
  test('tokens are reserved, settled with the real usage, and refused by name', async (t) => {
    const { server, provider } = await governed(t, { user: { requests_per_minute: 0, tokens_per_minute: 1000 }, tokens_reserved: 300 });
    provider.script({ repeat: true, replies: [{ text: 'ok', usage: { input: 40, output: 60 } }] });
    const first = await server.chat(ask('x'));
    assert.equal(first.status, 200, first.text);
    assert.equal(first.headers['x-ratelimit-limit-tokens'], '1000');
    const after_first = await server.chat(ask('x'));
    const left = Number(after_first.headers['x-ratelimit-remaining-tokens']);
    assert.ok(left > 550 && left < 700, `1000 - 100 settled - about 310 reserved: ${left}`);
    const large = await server.chat(ask('x', { max_tokens: 2000 }));
    assert_error(large, 429, { code: 'tokens_limited' });
    assert.equal(large.headers['retry-after'], undefined, 'no wait would help');
    const wait = await server.chat(ask('x', { max_tokens: 900 }));
    assert_error(wait, 429, { code: 'tokens_limited' });
    const seconds = Number(wait.headers['retry-after']);
    assert.ok(seconds >= 1 && seconds <= 12, `about ${(800 + 920 - 1000) / 1000 * 60 - 36} s: ${seconds}`);
    let n = 0;
    while (n < 30 && (await server.chat(ask('x'))).status === 200) n += 1;
    assert.ok(n >= 5 && n <= 7, `100 tokens each of the 800 left, 310 must be free: ${n}`);
    const metric = await server.metrics();
    assert.ok(metric('mainstay_admission_refused_total', { reason: 'tokens' }) >= 3);
  });

  test('jobs and batches take what they may use, and a batch goes on as there is room', async (t) => {
    const { server, provider } = await governed(t, { user: { requests_per_minute: 0, tokens_per_minute: 30_000 } });
    provider.script({ repeat: true, replies: [{ text: 'ok', usage: { input: 40, output: 60 } }] });
    const job = (max_tokens) => server.post('/v1/jobs', { kind: 'chat', input: ask('x', { max_tokens }) });
    assert.equal((await job(20_000)).status, 202);
    const refused = await job(20_000);
    assert_error(refused, 429, { code: 'tokens_limited' });
    assert.ok(Number(refused.headers['retry-after']) >= 10, refused.headers['retry-after']);
    const lines = [31_000, 9000, 9000].map((max_tokens, n) => JSON.stringify({
      custom_id: `c${n}`, method: 'POST', url: '/v1/chat/completions', body: ask('x', { max_tokens }) }));
    const form = new FormData();
    form.set('purpose', 'batch');
    form.set('file', new Blob([lines.join('\n')]), 'lines.jsonl');
    const file = await (await fetch(`${server.url}/v1/files`, { method: 'POST', body: form })).json();
    const began = performance.now();
    let batch = (await server.post('/v1/batches', { input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' })).json;
    while (!['completed', 'failed'].includes(batch.status)) {
      await pause(200);
      batch = (await server.get(`/v1/batches/${batch.id}`)).json;
    }
    assert.equal(batch.status, 'completed');
    assert.deepEqual(batch.request_counts, { total: 3, completed: 2, failed: 1 });
    const took = (performance.now() - began) / 1000;
    assert.ok(took > 10, `8,000 more tokens at 30,000 a minute come in 16 s: ${took}`);
    const errors = await server.get(`/v1/files/${batch.error_file_id}/content`);
    assert.match(errors.text, /"c0".*tokens_limited/);
  });

  test('a stream whose provider does not count costs what it told, and so do the log and the metrics', async (t) => {
    const { server, provider } = await governed(t, { user: { requests_per_minute: 0, tokens_per_minute: 10_000 }, tokens_reserved: 1000 });
    provider.script({ repeat: true, replies: [{ text: 'word '.repeat(3000) }] });
    const told = await server.stream(ask('x'));
    assert.ok(told.done, JSON.stringify(told.error));
    const next = await server.chat(ask('x'));
    const left = Number(next.headers['x-ratelimit-remaining-tokens']);
    assert.ok(left > 4000 && left < 7000, `10000 - about 3000 told - about 1000 reserved: ${left}`);
    const metric = await server.metrics();
    assert.ok(metric('mainstay_tokens_total', { kind: 'completion' }) >= 2900);
  });

  test('a chunk of many words is many tokens', async (t) => {
    const { server, provider } = await governed(t, { user: { requests_per_minute: 0 } });
    provider.script({ repeat: true, replies: [{ tokens: Array.from({ length: 3 }, () => 'word '.repeat(1000)) }] });
    assert.ok((await server.stream(ask('x'))).done);
    const told = (await server.metrics())('mainstay_tokens_total', { kind: 'completion' });
    assert.ok(told > 3000 && told < 4500, `15,000 bytes: ${told}`);
  });

  test('a picture is not read as text', async (t) => {
    const { server } = await governed(t, { user: { requests_per_minute: 0, tokens_per_minute: 10_000 } });
    const url = `data:image/png;base64,${'A'.repeat(700_000)}`;
    const shown = await server.chat({ model: 'model-a', messages: [{ role: 'user', content: [
      { type: 'text', text: 'What is it?' }, { type: 'image_url', image_url: { url } }] }] });
    assert.equal(shown.status, 200, shown.text.slice(0, 300));
  });

  test('tokens of a day are a quota of their own', async (t) => {
    const { server, provider } = await governed(t, { user: { requests_per_minute: 0, tokens_per_day: 500 }, tokens_reserved: 100 });
    provider.script({ repeat: true, replies: [{ text: 'ok', usage: { input: 100, output: 100 } }] });
    assert.equal((await server.chat(ask('x'))).status, 200);
    assert.equal((await server.chat(ask('x'))).status, 200);
    const refused = await server.chat(ask('x'));
    assert_error(refused, 429, { code: 'tokens_limited' });
    assert.match(refused.json.error.message, /day/);
    assert.ok(Number(refused.headers['retry-after']) > 60, 'earned slowly');
  });

  test('what failed costs nothing, and an answer from the cache is free', async (t) => {
    const { server, provider } = await governed(t, { user: { requests_per_minute: 0, tokens_per_minute: 1000 }, tokens_reserved: 300 }, [],
      { config: { limits: { enabled: true, user: { requests_per_minute: 0, tokens_per_minute: 1000 }, tokens_reserved: 300 }, cache: { enabled: true },
        routes: [{ model: 'model-a', candidates: [{ provider: 'openai', model: 'model-a' }], extractive_fallback: false }], models: { attempts_max: 1 } } });
    provider.script({ match: { text: 'fail' }, repeat: true, replies: [{ status: 500 }] });
    for (let i = 0; i < 4; i += 1) assert.ok((await server.chat(ask(`fail ${i}`))).status >= 500);  // the breaker opens at five
    const fine = await server.chat(ask('kept'));
    assert.equal(fine.status, 200, fine.text);
    for (let i = 0; i < 10; i += 1) assert.equal((await server.chat(ask('kept'))).status, 200, `from the cache ${i}`);
  });
});

describe('at once', () => {
  /** Starts a chat that waits at the provider for `gate`. */
  const held = (server, text, who, headers = {}) => server.chat(ask(text), { ...who, ...headers });

  test('fault_19_user_queue: the 11th waiting message of a user is refused, another user is served', async (t) => {
    const { server, provider, as } = await governed(t, { user: { requests_per_minute: 0, queued: 10 }, concurrent_max: 2, queue_timeout: '30s' }, ['greedy', 'modest']);
    provider.script({ match: { text: 'greedy' }, repeat: true, replies: [{ text: 'done', gate: 'go' }] });
    const running = [held(server, 'greedy 1', as.greedy), held(server, 'greedy 2', as.greedy)];
    await provider.until(() => provider.requests.filter((r) => r.text).length === 2);
    const waiting = Array.from({ length: 10 }, (_, i) => held(server, `greedy waits ${i}`, as.greedy));
    await server.until(async () => /mainstay_admission_waiting 10\n/.test((await server.get('/metrics', as.modest)).text), 'ten wait');
    const refused = await held(server, 'greedy again', as.greedy);
    assert_error(refused, 429, { code: 'user_queue_full' });
    assert.ok(Number(refused.headers['retry-after']) >= 1, 'says when');
    const modest = held(server, 'modest', as.modest);
    await server.until(async () => /mainstay_admission_waiting 11\n/.test((await server.get('/metrics', as.modest)).text), 'he may wait');
    provider.open('go');
    assert.equal((await modest).status, 200, 'served among them');
    for (const reply of await Promise.all([...running, ...waiting])) assert.equal(reply.status, 200, reply.text);
  });

  test('a modest user takes turns with a greedy one', async (t) => {
    const { server, provider, as } = await governed(t, { user: { requests_per_minute: 0, queued: 100 }, concurrent_max: 2, queue_timeout: '30s', queued_max: 1000 }, ['greedy', 'modest']);
    provider.script({ repeat: true, replies: [{ text: 'done', delay_ms: 20 }] });
    await many(20, 2, (i) => held(server, `learns the pace ${i}`, as.modest));
    const order = [];
    const greedy = Array.from({ length: 60 }, (_, i) => held(server, `g${i}`, as.greedy).then((r) => order.push(['g', r.status])));
    await pause(60);
    const times = [];
    for (let i = 0; i < 5; i += 1) {
      const began = performance.now();
      const got = await held(server, `m${i}`, as.modest);
      assert.equal(got.status, 200, got.text);
      times.push(performance.now() - began);
      order.push(['m', got.status]);
    }
    await Promise.all(greedy);
    const last_modest = order.findLastIndex(([who]) => who === 'm');
    t.diagnostic(`modest p50 ${quantile(times.sort((a, b) => a - b), 0.5).toFixed(0)} ms while 60 of another wait; served after ${last_modest} of ${order.length}`);
    assert.ok(last_modest < order.length - 15, 'he did not wait for all of hers');
  });

  test('a concurrency limit of a key refuses, and another key is not touched', async (t) => {
    const { server, provider, as } = await governed(t, { user: { requests_per_minute: 0 }, key: { concurrent: 2 } }, ['ann', 'bob']);
    provider.script({ repeat: true, replies: [{ text: 'done', gate: 'go' }] });
    const two = [held(server, 'a1', as.ann), held(server, 'a2', as.ann)];
    await provider.until(() => provider.requests.filter((r) => r.text).length === 2);
    const third = await held(server, 'a3', as.ann);
    assert_error(third, 429, { code: 'concurrency_limited' });
    const other = held(server, 'b1', as.bob);
    await provider.until(() => provider.requests.filter((r) => r.text).length === 3);
    provider.open('go');
    for (const reply of await Promise.all([...two, other])) assert.equal(reply.status, 200);
    assert.equal((await held(server, 'a4', as.ann)).status, 200, 'room again');
  });

  test('X-Priority: the more urgent goes first, a wrong one is refused', async (t) => {
    const { server, provider } = await governed(t, { user: { requests_per_minute: 0, queued: 50 }, concurrent_max: 1, queue_timeout: '30s' }, ['ann']);
    provider.script({ match: { text: 'first' }, replies: [{ text: 'x', gate: 'go' }] });
    const first = held(server, 'first');
    await provider.until(() => provider.requests.filter((r) => r.text).length === 1);
    const replies = [];
    let waiting = 0;
    for (const priority of ['background', 'batch', 'interactive', 'voice']) {
      replies.push(held(server, priority, {}, { 'x-priority': priority }));
      waiting += 1;
      await server.until(async () => new RegExp(`mainstay_admission_waiting ${waiting}\\n`).test((await server.get('/metrics')).text), `${waiting} wait`);
    }
    provider.open('go');
    for (const reply of await Promise.all([first, ...replies])) assert.equal(reply.status, 200, reply.text);
    const order = provider.requests.filter((r) => r.text).map((r) => r.text).slice(1);
    assert.deepEqual(order, ['voice', 'interactive', 'batch', 'background']);
    assert_error(await held(server, 'x', {}, { 'x-priority': 'urgent' }), 400, { param: 'x-priority' });
  });

  test('a key of a lower class cannot raise itself by X-Priority, nor by sending none', async (t) => {
    const data = `${temp_dir(t)}/data`;
    const slow = bearer((await new_key(data, 'slow', '--most-urgent', 'batch')).key);
    const plain = bearer((await new_key(data, 'plain')).key);
    const { server, provider } = await pair(t, { data, config: { limits: { enabled: true, user: { requests_per_minute: 0, queued: 50 }, concurrent_max: 1, queue_timeout: '30s' } } });
    provider.script({ match: { text: 'first' }, replies: [{ text: 'x', gate: 'go' }] });
    const replies = [held(server, 'first', plain)];
    await provider.until(() => provider.requests.filter((r) => r.text).length === 1);
    let waiting = 0;
    for (const [text, who, priority] of [['slow claims voice', slow, 'voice'], ['slow says nothing', slow], ['slow interactive', slow, 'interactive'], ['plain', plain]]) {
      replies.push(held(server, text, {}, { ...who, ...(priority ? { 'x-priority': priority } : {}) }));
      waiting += 1;
      await server.until(async () => new RegExp(`mainstay_admission_waiting ${waiting}\\n`).test((await server.get('/metrics')).text), `${waiting} wait`);
    }
    provider.open('go');
    for (const reply of await Promise.all(replies)) assert.equal(reply.status, 200, reply.text);
    const order = provider.requests.filter((r) => r.text).map((r) => r.text).slice(1);
    assert.equal(order[0], 'plain', `the last to come goes first: ${order}`);
  });

  test('fault_41_disconnect: a client that leaves frees its permit within 250 ms, running or waiting', async (t) => {
    const { server, provider } = await governed(t, { user: { requests_per_minute: 0 }, concurrent_max: 1, queue_timeout: '30s' });
    provider.script({ match: { text: 'long' }, repeat: true, replies: [{ tokens: Array(2000).fill('word '), token_delay_ms: 20 }] });
    const figure = async (name) => Number(new RegExp(`${name} (\\d+)\\n`).exec((await server.get('/metrics')).text)[1]);
    const freed = [];
    for (let i = 0; i < 5; i += 1) {
      const stream = await server.open_stream(ask(`long ${i}`));
      await stream.next_text();
      assert.equal(await figure('mainstay_admission_in_use'), 1);
      const began = performance.now();
      stream.leave();
      while (await figure('mainstay_admission_in_use') > 0 && performance.now() - began < 5000) await pause(5);
      freed.push(performance.now() - began);
    }
    const runner = await server.open_stream(ask('long'));
    await runner.next_text();
    const gone = server.open_stream(ask('long waits')).catch(() => null);
    await server.until(async () => await figure('mainstay_admission_waiting') === 1, 'it waits');
    const quitter = server.request('POST', '/v1/chat/completions', { body: ask('leaves'), agent: false });
    quitter.catch(() => {});
    await server.until(async () => await figure('mainstay_admission_waiting') === 2, 'it waits too');
    runner.leave();
    const next = await gone;
    assert.ok(next, 'who waits comes next');
    next.leave();
    assert.equal((await quitter).status, 200, 'and then the last');
    t.diagnostic(`freed after ${freed.map((ms) => Math.round(ms)).join(', ')} ms`);
    assert.ok(Math.max(...freed) < 350, `${freed} ms`);  // the look itself takes some
  });

  test('overload: no wait beyond queue_timeout; 503 with when to come back, and health answers', async (t) => {
    const { server, provider } = await governed(t, { user: { requests_per_minute: 0, queued: 100 }, concurrent_max: 1, queue_timeout: '300ms' });
    provider.script({ repeat: true, replies: [{ text: 'done', delay_ms: 200 }] });
    const got = await many(20, 20, (i) => held(server, `n${i}`));
    const refused = got.filter((r) => r.status !== 200);
    assert.ok(refused.length >= 10, `${refused.length} refused`);
    for (const reply of refused) {
      assert_error(reply, 503, { code: 'overloaded' });
      assert.ok(Number(reply.headers['retry-after']) >= 1);
    }
    assert.ok(got.some((r) => r.status === 200));
    assert.equal((await server.get('/health')).status, 200);
  });
});

describe('maintenance', () => {
  test('new work is refused with the message, old work finishes, all is well after it', async (t) => {
    const { server, provider } = await governed(t, { user: { requests_per_minute: 0 } });
    const admin = admin_of(server);
    provider.script({ match: { text: 'old' }, replies: [{ text: 'finished', gate: 'go' }] });
    const old = server.chat(ask('old'));
    await provider.until(() => provider.requests.filter((r) => r.text).length === 1);
    const on = await server.post('/admin/maintenance', { enabled: true, message: 'Back at noon.', retry_after_seconds: 90 }, admin);
    assert.equal(on.status, 200, on.text);
    for (const [target, body] of [['/v1/chat/completions', ask('x')], ['/chat', { prompt: 'x' }], ['/v1/documents', { text: 'x' }]]) {
      const got = await server.post(target, body);
      assert_error(got, 503, { code: 'maintenance' });
      assert.equal(got.json.error.message, 'Back at noon.');
      assert.equal(got.headers['retry-after'], '90');
    }
    for (const target of ['/health', '/v1/models', '/v1/conversations', '/v1/documents']) assert.equal((await server.get(target)).status, 200, target);
    provider.open('go');
    assert.equal((await old).status, 200, 'old work finishes');
    await server.post('/admin/maintenance', { enabled: false }, admin);
    assert.equal((await server.chat(ask('y'))).status, 200);
    for (const [body, param] of [[{ enabled: 'yes' }, 'enabled'], [{}, 'enabled'], [{ enabled: true, message: 'x'.repeat(1001) }, 'message'],
      [{ enabled: true, retry_after_seconds: 0 }, 'retry_after_seconds'], [{ enabled: true, retry_after_seconds: 86_401 }, 'retry_after_seconds']]) {
      const got = await server.post('/admin/maintenance', body, admin);
      assert.ok([400, 413].includes(got.status), got.text);
      assert.equal(got.json.error.param, param);
    }
    assert.equal((await server.get('/admin/maintenance', admin)).json.enabled, false);
  });
});
