// The console's server side over real sockets: the page and its headers, who am I, keys and roles,
// history, the live stream with its resumption and its bound, the log's tail, foreign pages.
// proves V10, V11, M18 (the wire); security rows 2, 13, 24, 37, 38, 40
import assert from 'node:assert/strict';
import http from 'node:http';
import zlib from 'node:zlib';
import { after, before, describe, test } from 'node:test';
import { assert_error, pair, pause, scope, serve } from './lib/harness.mjs';
import { admin_of, bearer, new_key } from './lib/people.mjs';

const BROWSER = { 'accept-encoding': 'gzip, deflate, br' };
const ask = (text, more = {}) => ({ model: 'model-a', messages: [{ role: 'user', content: text }], ...more });

/** One reply with its bytes as they were sent: {status, headers, body}. */
function fetch_raw(server, target, headers = {}, method = 'GET') {
  return new Promise((resolve, reject) => {
    const request = http.request(`${server.url}${target}`, { method, headers, agent: false }, (response) => {
      const parts = [];
      response.on('data', (d) => parts.push(d));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
    });
    request.on('error', reject);
    request.end();
  });
}

/** A stream of events that stays open until it is left. */
class Stream {
  constructor(server, target, headers) {
    Object.assign(this, { events: [], ended: false, status: 0, headers: {}, text: '', buffer: '' });
    this.request = http.get(`${server.url}${target}`, { headers, agent: false }, (response) => {
      Object.assign(this, { status: response.statusCode, headers: response.headers });
      response.setEncoding('utf8');
      response.on('data', (text) => this.take(text));
      response.on('end', () => { this.ended = true; });
      response.on('error', () => { this.ended = true; });
    });
    this.request.on('error', () => { this.ended = true; });
  }
  take(text) {
    this.text += text;
    this.buffer += text;
    for (let cut = this.buffer.indexOf('\n\n'); cut >= 0; cut = this.buffer.indexOf('\n\n')) {
      const lines = this.buffer.slice(0, cut).split('\n');
      this.buffer = this.buffer.slice(cut + 2);
      const field = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      if (field('data') !== undefined) this.events.push({ id: field('id'), type: field('event'), data: JSON.parse(field('data')) });
    }
  }
  of(type) { return this.events.filter((one) => one.type === type); }
  async until(condition, what, limit_ms = 15_000) {
    const began = performance.now();
    while (!condition()) {
      if (performance.now() - began > limit_ms) throw new Error(`${what}: ${this.status} ${this.text.slice(0, 1500)}`);
      await pause(20);
    }
  }
  leave() { this.request.destroy(); }
}

/** A stream that has a seat: those who left just now may have theirs for a moment longer. */
async function seated(server, target, headers) {
  let stream = null;
  await server.until(async () => {
    stream = new Stream(server, target, headers);
    await stream.until(() => stream.status !== 0, 'an answer');
    if (stream.status === 429) stream.leave();
    return stream.status !== 429;
  }, 'a seat');
  return stream;
}

describe('the page', () => {
  const shared = scope();
  after(() => shared.end());
  let server, index;
  before(async () => {
    server = await serve(shared);
    const got = await fetch_raw(server, '/', BROWSER);
    assert.equal(got.status, 200, 'the program was built without the console');
    index = { ...got, html: zlib.gunzipSync(got.body).toString('utf8') };
  });

  test('is there without a key, compressed, and loads nothing from elsewhere', async (t) => {
    assert.match(index.headers['content-type'], /^text\/html/);
    assert.equal(index.headers['content-encoding'], 'gzip');
    assert.match(server.out, /Console: http:\/\/127\.0\.0\.1:\d+\//, 'the start prints where it is');
    assert.doesNotMatch(index.html, /(src|href)="(https?:)?\/\//);
    assert.doesNotMatch(index.html, /<script(?![^>]*\bsrc=)|\son\w+=|<style|javascript:/i, 'nothing inline');
    const parts = [...index.html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map((m) => m[1]);
    assert.ok(parts.length >= 2, index.html);
    const seen = new Map([['/', index.body.length]]);
    for (const queue = [...new Set(parts)]; queue.length;) {
      const at = queue.pop();
      if (seen.has(at)) continue;
      const got = await fetch_raw(server, at, BROWSER);
      assert.equal(got.status, 200, at);
      seen.set(at, got.body.length);
      assert.match(got.headers['content-type'], at.endsWith('.css') ? /^text\/css/ : /^text\/javascript/, at);
      assert.equal(got.headers['x-content-type-options'], 'nosniff');
      assert.match(got.headers['cache-control'], /immutable/, `${at} has its hash in its name`);
      const text = zlib.gunzipSync(got.body).toString('utf8');
      for (const [, name] of text.matchAll(/["'](?:\.\/|\/assets\/)([\w.-]+\.(?:js|css))["']/g)) queue.push(`/assets/${name}`);
    }
    const total = [...seen.values()].reduce((sum, n) => sum + n, 0);
    t.diagnostic(`${seen.size} files, ${total} bytes compressed`);
    assert.ok(total <= 60 * 1024, `${total} bytes`);
  });

  test('has a strict policy and the headers of a page', () => {
    const policy = index.headers['content-security-policy'];
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data: blob:",
      "media-src 'self' blob:", "worker-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'",
      "require-trusted-types-for 'script'", 'trusted-types']) {
      assert.ok(policy.split('; ').some((one) => one.startsWith(part)), `${part} in ${policy}`);
    }
    assert.doesNotMatch(policy, /unsafe|\*|https?:/);
    assert.equal(index.headers['referrer-policy'], 'no-referrer');
    assert.equal(index.headers['cross-origin-opener-policy'], 'same-origin');
    assert.match(index.headers['permissions-policy'], /microphone=\(self\)/);
    assert.equal(index.headers['set-cookie'], undefined, 'there is no cookie');
  });

  test('is not sent again when it is unchanged, and HEAD has its headers', async () => {
    const tag = index.headers.etag;
    assert.match(tag, /^"[0-9a-f]{32}"$/);
    const again = await fetch_raw(server, '/', { ...BROWSER, 'if-none-match': tag });
    assert.equal(again.status, 304);
    assert.equal(again.body.length, 0);
    assert.equal(again.headers.etag, tag);
    assert.equal((await fetch_raw(server, '/', { ...BROWSER, 'if-none-match': '"other"' })).status, 200);
    const head = await fetch_raw(server, '/', BROWSER, 'HEAD');
    assert.equal(head.status, 200);
    assert.equal(head.body.length, 0);
    assert.equal(head.headers.etag, tag);
    assert.equal(Number(head.headers['content-length']), index.body.length);
  });

  test('tells a program in words, and unknown names as any unknown path', async () => {
    const plain = await server.get('/');
    assert.match(plain.text, /openapi\.json/);
    for (const target of ['/assets/none.js', '/assets/%2e%2e%2fadmin.key', '/index.html', '/assets/../admin.key']) {
      assert_error(await server.request('GET', target, { headers: BROWSER }), 404, { code: 'unknown_path' });
    }
  });

  test('counts what browsers report', async () => {
    const report = { 'csp-report': { 'effective-directive': 'script-src', 'blocked-uri': 'inline\nforged' } };
    for (let i = 0; i < 3; ++i) {
      const got = await server.request('POST', '/console/csp-report', { body: JSON.stringify(report), headers: { 'content-type': 'application/csp-report' } });
      assert.equal(got.status, 204, got.text);
    }
    assert.equal((await server.metrics())('mainstay_console_csp_reports_total'), 3);
    await server.until(() => /console\.csp_report/.test(server.err), 'one line in the log');
    assert.equal(server.err.match(/console\.csp_report/g).length, 1, 'anybody can send them');
    assert.doesNotMatch(server.err, /^forged/m);
  });

  test('security_37 and 38: foreign pages and rebound names get nothing', async () => {
    for (const headers of [{ host: 'evil.example' }, { host: `evil.example:${server.port}` }]) {
      for (const target of ['/', '/v1/me', '/assets/x.js', '/admin/live']) {
        assert_error(await server.get(target, { ...BROWSER, ...headers }), 403, { code: 'host_not_allowed' });
      }
    }
    const admin = admin_of(server);
    for (const origin of ['https://evil.example', 'null', `http://localhost:${server.port + 1}`]) {
      assert_error(await server.get('/admin/history', { ...admin, origin }), 403, { code: 'origin_not_allowed' });
      assert_error(await server.post('/admin/keys', { name: 'x' }, { ...admin, origin }), 403, { code: 'origin_not_allowed' });
      assert_error(await server.get('/v1/me', { origin }), 403, { code: 'origin_not_allowed' });
    }
    const simple = await server.request('POST', '/admin/keys', { body: '{"name":"x"}', headers: { ...admin, 'content-type': 'text/plain' } });
    assert_error(simple, 415);
    assert_error(await server.post('/admin/keys', { name: 'x' }, { ...admin, 'sec-fetch-site': 'cross-site' }), 403);
    const own = await server.get('/v1/me', { origin: server.url, 'sec-fetch-site': 'same-origin' });
    assert.equal(own.status, 200);
    assert.equal(own.headers['access-control-allow-origin'], undefined);
    assert.equal((await server.get('/admin/keys', admin)).json.data.length, 0, 'nothing was made');
  });

  test('can be taken away', async (t) => {
    const without = await serve(t, { config: { console: { enabled: false } } });
    assert_error(await without.get('/', BROWSER), 404, { code: 'unknown_path' });
    assert.doesNotMatch(without.out, /Console:/);
  });
});

describe('operating', () => {
  const shared = scope();
  after(() => shared.end());
  let server, admin, board;
  before(async () => {
    ({ server } = await pair(shared, { config: { console: { watchers_max: 3 } } }));
    admin = admin_of(server);
    const made = await server.post('/admin/keys', { name: 'board', scopes: ['admin:read'] }, admin);
    assert.equal(made.status, 201, made.text);
    board = bearer(made.json.key);
  });

  test('who am I: the local user, a key, the admin key', async () => {
    const local = (await server.get('/v1/me')).json;
    assert.deepEqual([local.how, local.may.chat, local.may.look], ['local', true, false]);
    const looks = (await server.get('/v1/me', board)).json;
    assert.deepEqual([looks.how, looks.may.chat, looks.may.look, looks.may.change], ['key', false, true, false]);
    const all = (await server.get('/v1/me', admin)).json;
    assert.deepEqual([all.how, all.may.look, all.may.change], ['admin_key', true, true]);
    assert_error(await server.get('/v1/me', bearer('ms_wrong')), 401);
  });

  test('security_02 and 13: keys are made, shown once, work at once, and end at once', async () => {
    const made = await server.post('/admin/keys', { name: 'laptop', scopes: ['chat'], user: 'ann', limits: { requests_per_minute: 9 } }, admin);
    assert.equal(made.status, 201, made.text);
    const secret = made.json.key;
    assert.match(secret, /^ms_[\w-]{43}$/);
    assert.equal((await server.get('/v1/me', bearer(secret))).json.user, 'ann');
    const list = await server.get('/admin/keys', board);
    assert.ok(!list.text.includes(secret.slice(9)), 'the list holds its beginning alone');
    assert.deepEqual(list.json.data.map((one) => one.name), ['board', 'laptop']);
    assert_error(await server.get('/admin/keys', bearer(secret)), 403, { code: 'admin_scope_required' });
    for (const [target, body] of [['/admin/keys', { name: 'more', scopes: ['admin'] }], [`/admin/keys/${made.json.id}/revoke`, {}],
      ['/admin/reload', {}], ['/admin/maintenance', { enabled: true }], ['/admin/cleanup', {}]]) {
      assert_error(await server.post(target, body, board), 403, { code: 'read_only_key' });
    }
    const eye = await server.post('/admin/keys', { name: 'eye', scopes: ['admin:read'] }, admin);
    const streams = [];
    for (const target of ['/admin/live', '/admin/logs?follow=true']) streams.push(await seated(server, target, bearer(eye.json.key)));
    const gone = await server.post(`/admin/keys/${made.json.id}/revoke`, {}, admin);
    assert.equal(gone.json.state, 'revoked', gone.text);
    assert.ok(streams.every((one) => one.status === 200 && !one.ended), 'another key');
    await server.post(`/admin/keys/${eye.json.id}/revoke`, {}, admin);
    for (const one of streams) await one.until(() => one.ended, 'a stream with a revoked key ended');
    assert_error(await server.get('/v1/me', bearer(secret)), 401, { code: 'wrong_key' });
    const audit = (await server.get('/admin/audit', board)).json.data.map((one) => one.what);
    assert.ok(audit.includes('key.create') && audit.includes('key.revoke'), `${audit}`);
    assert.ok(!server.err.includes(secret), 'the log does not know it');
    const keyed = await server.post('/admin/keys', { name: 'again' }, { ...admin, 'idempotency-key': 'k1' });
    assert_error(keyed, 400, { code: 'invalid_idempotency_key' });
  });

  test('V10: the history tells what was done, by seconds', async () => {
    for (let i = 0; i < 5; ++i) assert.equal((await server.chat(ask(`question ${i}`))).status, 200);
    const sum = async () => {
      const got = await server.get('/admin/history?series=requests,latency_p95,memory_resident,permits', board);
      assert.equal(got.status, 200, got.text);
      return got.json;
    };
    // Five in one sample are a rate of four when it is the first one, which may be of a second and a quarter.
    await server.until(async () => (await sum()).series.requests.reduce((a, b) => a + (b ?? 0), 0) >= 3.9, 'five requests in the history');
    const got = await sum();
    assert.equal(got.step_seconds, 1);
    assert.ok(got.times.every((at, i) => i === 0 || at > got.times[i - 1]));
    assert.ok(Object.values(got.series).every((column) => column.length === got.times.length));
    assert.ok(got.series.latency_p95.some((value) => value > 0));
    assert.ok(got.series.memory_resident.at(-1) > 1 << 20);
    for (const name of ['errors', 'tokens_out', 'cache_hits', 'jobs_depth', 'pressure.memory', 'memory.cache', 'pool.readers', 'disk_free.data', 'loop_lag', 'alerts']) {
      assert.ok(name in got.units, name);
    }
    const newer = await server.get(`/admin/history?series=requests&since=${got.times.at(-1)}`, board);
    assert.ok(newer.json.times.every((at) => at > got.times.at(-1)));
    assert.ok((await server.get('/admin/history?series=nothing', board)).json.series.nothing.every((value) => value === null));
  });

  test('M18: the live stream sends a sample a second and goes on behind the last one seen', async () => {
    const first = await seated(server, '/admin/live', board);
    await first.until(() => first.of('sample').length >= 2, 'two samples');
    assert.equal(first.headers['content-type'], 'text/event-stream');
    assert.equal(first.events[0].type, 'state');
    const state = first.events[0].data;
    assert.equal(state.ready, true);
    assert.ok(state.providers.some((one) => one.breaker === 'closed'));
    assert.ok(state.pools.readers.max > 0 && state.levels.memory === 'normal');
    const ids = first.of('sample').map((one) => Number(one.id));
    assert.equal(first.of('sample')[0].data.at, ids[0]);
    first.leave();
    await pause(2500);
    const again = await seated(server, '/admin/live', { ...board, 'last-event-id': String(ids[0]) });
    await again.until(() => again.of('sample').length >= 3, 'what was missed');
    assert.equal(Number(again.of('sample')[0].id), ids[1], 'the very next one');
    again.leave();
  });

  test('a change of state is told, and an alert or maintenance with it', async () => {
    const stream = await seated(server, '/admin/live', board);
    await stream.until(() => stream.of('state').length === 1, 'the state');
    await server.post('/admin/maintenance', { enabled: true, message: 'Back soon.' }, admin);
    await stream.until(() => stream.of('state').some((one) => one.data.maintenance), 'maintenance');
    await server.post('/admin/maintenance', { enabled: false }, admin);
    stream.leave();
  });

  test('watchers are bounded, and a seat is free again when one leaves', async () => {
    const watching = [];
    for (const target of ['/admin/live', '/admin/live', '/admin/logs?follow=true']) watching.push(await seated(server, target, board));
    const refused = await server.get('/admin/live', board);
    assert_error(refused, 429, { code: 'too_many_watchers' });
    assert.ok(Number(refused.headers['retry-after']) > 0);
    watching[0].leave();
    await server.until(async () => {
      const next = new Stream(server, '/admin/live', board);
      await next.until(() => next.status !== 0, 'an answer');
      next.leave();
      return next.status === 200;
    }, 'a free seat');
    watching.forEach((one) => one.leave());
  });

  test('security_40: the log is listed, filtered and followed, and holds no secret', async () => {
    const secret = 'ms_canary-canary-canary-canary-canary-canary00';
    await server.get('/v1/me', { authorization: `Bearer ${secret}`, 'x-request-id': 'req_looked_for' });
    const found = async (query) => (await server.get(`/admin/logs${query}`, board)).json;
    await server.until(async () => (await found('?request=req_looked_for')).data.length === 1, 'the line of that request');
    const all = await found('?limit=1000');
    assert.equal(all.format, 'json');
    assert.ok(all.data.length > 5);
    assert.ok(all.data.every((one, i) => i === 0 || one.number === all.data[i - 1].number + 1));
    assert.ok(all.data.every((one) => JSON.parse(one.line).level === one.level));
    assert.ok(!JSON.stringify(all).includes('canary'), 'no key in the log');
    assert.ok(!JSON.stringify(all).includes(admin['x-api-key']));
    assert.ok((await found('?level=warn')).data.every((one) => ['warn', 'error'].includes(one.level)));
    assert.ok((await found('?q=ENGINE.READY')).data.length >= 1);
    const page = await found(`?limit=2&before=${all.data[4].number}`);
    assert.deepEqual(page.data.map((one) => one.number), [all.data[2].number, all.data[3].number]);

    const stream = await seated(server, '/admin/logs?follow=true&limit=1&q=http.request', board);
    await stream.until(() => stream.of('line').length >= 1, 'the newest line');
    await server.get('/v1/models', { 'x-request-id': 'req_followed' });
    await stream.until(() => stream.of('line').some((one) => one.data.line.includes('req_followed')), 'the new line');
    stream.leave();
  });

  test('the doctor answers as the command does', async () => {
    const got = await server.get('/admin/doctor', board);
    assert.equal(got.status, 200, got.text);
    const checks = got.json.checks.map((one) => one.check);
    for (const check of ['memory', 'disk', 'server']) assert.ok(checks.includes(check), `${checks}`);
    assert.ok((await server.get('/admin/doctor', board)).json.age_seconds <= 60);
  });

  test('conversations are renamed and found, each user his own', async () => {
    const ann = bearer((await new_key(server.data, 'ann', '--user', 'ann2')).key);
    const bob = bearer((await new_key(server.data, 'bob', '--user', 'bob2')).key);
    for (const one of [ann, bob]) await server.until(async () => (await server.get('/v1/me', one)).status === 200, 'the key is known');
    const chat = await server.chat(ask('hello', { conversation: 'new' }), ann);
    const id = chat.headers['x-conversation-id'];
    const renamed = await server.post(`/v1/conversations/${id}`, { title: 'Trip to Bern' }, ann);
    assert.equal(renamed.json.title, 'Trip to Bern', renamed.text);
    assert.deepEqual((await server.get('/v1/conversations?q=to%20BERN', ann)).json.data.map((one) => one.id), [id]);
    assert.deepEqual((await server.get('/v1/conversations?q=zurich', ann)).json.data, []);
    assert.deepEqual((await server.get('/v1/conversations?q=bern', bob)).json.data, []);
    assert_error(await server.post(`/v1/conversations/${id}`, { title: 'mine' }, bob), 404);
  });
});

describe('the end', () => {
  test('a stop ends the streams at once, and the server with exit code 0', async (t) => {
    const server = await serve(t);
    const admin = admin_of(server);
    const streams = ['/admin/live', '/admin/logs?follow=true'].map((target) => new Stream(server, target, admin));
    for (const one of streams) await one.until(() => one.status === 200, 'open');
    const began = performance.now();
    const exit = await server.stop();
    assert.equal(exit.code, 0);
    assert.ok(performance.now() - began < 10_000, 'it does not wait for them');
    for (const one of streams) await one.until(() => one.ended, 'ended');
  });

  test('with an address of its own for /admin, each address says what it serves', async (t) => {
    const server = await serve(t, { config: { server: { admin_listen: '127.0.0.2:0', allowed_hosts: ['127.0.0.2'] } } });
    assert.deepEqual((await server.get('/v1/me')).json.serves, { api: true, admin: false });
    assert_error(await server.get('/admin/keys', admin_of(server)), 404, { code: 'unknown_path' });
    const admin_url = /Admin alone: (http:\/\/[\d.:]+)\/admin/.exec(server.out)[1];
    const there = await fetch(`${admin_url}/v1/me`, { headers: admin_of(server) });
    assert.deepEqual((await there.json()).serves, { api: false, admin: true });
    assert.equal((await fetch(`${admin_url}/`)).status, 200);
  });
});
