// The admin API as an operator meets it: the promised paths and fields, the key, the audit, its own
// listener.   proves V4, V8, V11, M18, K3, K5; security row 2
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { assert_error, pair, run, serve } from './lib/harness.mjs';
import { problems } from './lib/schema.mjs';

const ask = (text) => ({ model: 'model-a', messages: [{ role: 'user', content: text }] });
const admin_of = (server) => ({ 'x-api-key': fs.readFileSync(path.join(server.data, 'admin.key'), 'utf8').trim() });

describe('admin', () => {
  test('security_02 every admin operation asks for the admin key', async (t) => {
    const key = 'ordinary-key-of-a-user-0000000000001';
    const { server } = await pair(t, { config: { auth: { keys: [key] } } });
    const api = (await server.get('/openapi.json')).json;
    let seen = 0;
    for (const [target, methods] of Object.entries(api.paths)) {
      if (!target.startsWith('/admin/')) continue;
      for (const method of Object.keys(methods)) {
        seen += 1;
        const at = target.replace('{id}', '1');
        assert_error(await server.request(method.toUpperCase(), at), 401);
        assert_error(await server.request(method.toUpperCase(), at, { headers: { 'x-api-key': key } }), 403);
        assert_error(await server.request('PUT', at, { headers: { 'x-api-key': key } }), 405);
      }
    }
    assert.ok(seen >= 14, `${seen} operations`);
  });

  test('the admin key is made once, private, and never in the log', async (t) => {
    const { server } = await pair(t);
    const file = path.join(server.data, 'admin.key');
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    const key = admin_of(server)['x-api-key'];
    assert.ok(key.length >= 43, 'at least 256 bits');
    assert.equal((await server.get('/admin/tasks', { authorization: `Bearer ${key}` })).status, 200);
    assert.equal((await server.get('/admin/tasks')).status, 401, 'not even from this machine');
    assert.doesNotMatch(server.err, new RegExp(key));
  });

  test('every reply of an admin GET fits its schema', async (t) => {
    const { server } = await pair(t, { config: { admin: { slow_threshold: '0ms' } } });
    await server.chat(ask('something to count'));
    const admin = admin_of(server);
    const job = (await server.post('/v1/jobs', { kind: 'chat', input: ask('later'), delay: 3600 })).json.id;
    const api = (await server.get('/openapi.json')).json;
    const targets = Object.keys(api.paths).filter((p) => api.paths[p].get?.responses['200']?.content?.['application/json'] &&
      (p.startsWith('/admin/') || p === '/health/sessions' || p === '/health/database'));
    for (const target of targets) {
      const got = await server.get(target.replace('{id}', job), admin);
      assert.equal(got.status, 200, `${target} ${got.text}`);
      const schema = api.paths[target].get.responses['200'].content['application/json'].schema;
      assert.deepEqual(problems(api, schema, got.json), [], target);
    }
  });

  test('resource stats count calls, and one client is made for all of them', async (t) => {
    const { server } = await pair(t);
    for (let i = 0; i < 10; i += 1) await server.chat(ask(`n${i}`));
    const got = (await server.get('/admin/resources/stats', admin_of(server))).json;
    assert.equal(got.resource_manager.http_clients_created, 1);
    assert.ok(got.resource_manager.http_requests_made >= 10, JSON.stringify(got.resource_manager));
    assert.ok(got.resource_manager.startup_time > 1.6e9);
    assert.equal(got.resource_manager.shutdown_time, null);
    assert.ok(got.resource_manager.cleanup_tasks_registered >= 3);
    assert.ok(got.resources.process.resident_bytes > 1e6);
  });

  test('cache/invalidate, cleanup and maintenance work and are audited', async (t) => {
    const { server } = await pair(t);
    const admin = admin_of(server);
    const invalidated = await server.post('/admin/resources/cache/invalidate', undefined, admin);
    assert.deepEqual(Object.keys(invalidated.json).sort(), ['message', 'status', 'timestamp']);
    assert.equal(invalidated.json.message, 'Configuration cache invalidated successfully');
    await server.chat(ask('cached'));
    const cleaned = await server.post('/admin/cleanup', undefined, admin);
    assert.equal(cleaned.json.cached_answers_removed, 1, cleaned.text);
    const on = await server.post('/admin/maintenance', { enabled: true, message: 'Moving house.' }, admin);
    assert.equal(on.json.enabled, true, on.text);
    const refused = await server.chat(ask('now'));
    assert_error(refused, 503);
    assert.match(refused.text, /Moving house\./);
    assert.ok(Number(refused.headers['retry-after']) > 0);
    assert.equal((await server.get('/health')).status, 200);
    await server.post('/admin/maintenance', { enabled: false }, admin);
    assert.equal((await server.chat(ask('again'))).status, 200);
    const audit = (await server.get('/admin/audit', admin)).json.data.map((e) => e.what);
    assert.deepEqual(audit, ['maintenance.set', 'maintenance.set', 'cleanup.run', 'cache.invalidate']);
    const lines = () => server.err.split('\n').filter((l) => l.includes('"event":"audit"')).length;
    await server.until(() => lines() === 4, 'four lines of the audit');
  });

  test('database stats tell pages, log and query timings', async (t) => {
    const { server } = await pair(t);
    await server.post('/v1/documents', { title: 'T', text: 'The sky over Bergen is grey.' });
    const { databases } = (await server.get('/admin/database/stats', admin_of(server))).json;
    const knowledge = databases.find((d) => d.name === 'knowledge');
    assert.ok(knowledge.pages.count > 0 && knowledge.pages.size === 16384, JSON.stringify(knowledge));
    assert.ok(knowledge.writer.commits >= 1);
    assert.ok(knowledge.queries.some((q) => q.count > 0 && q.p99_ms > 0));
    const { pool } = (await server.get('/health/database')).json;
    assert.ok(pool.size > 0 && pool.in_use <= pool.size, JSON.stringify(pool));
  });

  test('admin on its own listener is gone from the other', async (t) => {
    const server = await serve(t, { config: { server: { admin_listen: '127.0.0.1:0' } } });
    const admin = admin_of(server);
    const own = /Admin alone: (http:\/\/127\.0\.0\.1:\d+)/.exec(server.out)?.[1];
    assert.ok(own, `the address is printed: ${server.out}`);
    assert_error(await server.get('/admin/tasks', admin), 404);
    const there = await fetch(`${own}/admin/tasks`, { headers: admin });
    assert.equal(there.status, 200);
    assert.equal((await fetch(`${own}/v1/models`, { headers: admin })).status, 404);
    assert.equal((await fetch(`${own}/health`)).status, 200);
    // The commands find that address too, with the data directory's own key.
    const order = { kind: 'chat', input: ask('later'), delay: 3600 };
    const job = await server.post('/v1/jobs', order);
    assert.equal(job.status, 202, job.text);
    const listed = await run(['jobs', 'list', '--data', server.data, '--json']);
    assert.equal(listed.code, 0, listed.err);
    assert.deepEqual(JSON.parse(listed.out).data.map((one) => one.id), [job.json.id]);
  });
});
