// mainstay doctor and mainstay status: what they say, their fixes, --json, their exit codes.
// proves Z18 (doctor), M18 (the daily checklist)
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { describe, test } from 'node:test';
import { pair, run, serve, temp_dir, write_config } from './lib/harness.mjs';

const check = (out, name) => JSON.parse(out).checks.find((c) => c.check === name);

/** doctor on a folder of its own: {code, out, err, data, dir}. */
async function doctor(t, { config = {}, args = ['--json'], prepare = () => {} } = {}) {
  const dir = temp_dir(t);
  const data = path.join(dir, 'data');
  fs.mkdirSync(data, { mode: 0o700 });
  prepare(data, dir);
  const file = write_config(dir, { models: { discover: false }, server: { listen: '127.0.0.1:0' }, ...config });
  const got = await run(['doctor', '--config', file, '--data', data, ...args], { cwd: dir, home: dir });
  return { ...got, data, dir };
}

describe('doctor', () => {
  test('says what it found, what it chose and why', async (t) => {
    const got = await doctor(t);
    assert.equal(got.code, 0, got.out + got.err);
    const json = JSON.parse(got.out);
    assert.equal(json.ok, true);
    assert.ok(json.machine.cores >= 1 && json.machine.memory_bytes > 0, got.out);
    for (const name of ['cores', 'memory', 'stalls', 'heat', 'gpu', 'config', 'profile', 'loops', 'descriptors', 'threads',
      'clock', 'disk', 'inodes', 'filesystem', 'data', 'secrets', 'server', 'database', 'provider']) {
      assert.ok(check(got.out, name), `${name}: ${got.out}`);
    }
    assert.match(check(got.out, 'profile').says, /chosen by auto: \d+ cores, \d+ MiB/);
    for (const one of json.checks) assert.equal(one.fix !== '', one.state !== 'ok', JSON.stringify(one));
    const text = await doctor(t, { args: [] });
    assert.match(text.out, /✓ profile/);
    assert.match(text.out, /to fix|Nothing to fix/);
  });

  test('a port in use, a secret others may read, a provider that is down: each bad, with a fix, exit 1', async (t) => {
    const server = await serve(t);
    const got = await doctor(t, {
      config: { server: { listen: `127.0.0.1:${server.port}` },
        providers: [{ name: 'gone', kind: 'openai', base_url: 'http://127.0.0.1:9/v1', models: ['m'] }] },
      prepare: (data) => fs.writeFileSync(path.join(data, 'admin.key'), 'x', { mode: 0o644 }),
    });
    assert.equal(got.code, 1, got.out + got.err);
    assert.equal(JSON.parse(got.out).ok, false);
    for (const [name, says, fix] of [['port', /in use/i, /server\.listen/], ['secrets', /admin\.key/, /chmod 600/],
      ['provider', /gone.*127\.0\.0\.1:9/, /base_url/]]) {
      const found = check(got.out, name);
      assert.equal(found.state, 'bad', JSON.stringify(found));
      assert.match(found.says, says);
      assert.match(found.fix, fix);
    }
  });

  test('a provider that answers 403 is not said to refuse a key', async (t) => {
    const wall = http.createServer((req, res) => res.writeHead(403).end('error code: 1010'));
    await new Promise((done) => { wall.listen(0, '127.0.0.1', done); });
    t.after(() => wall.close());
    const base_url = `http://127.0.0.1:${wall.address().port}/v1`;
    const got = await doctor(t, { config: { providers: [{ name: 'walled', kind: 'openai', base_url, models: ['m'] }] } });
    const found = JSON.parse(got.out).checks.find((c) => c.check === 'provider' && c.says.startsWith('walled '));
    assert.equal(found.says, `walled (${base_url}) refuses to serve us (status 403)`);
    assert.doesNotMatch(found.fix, /api_key|valid key/);
  });

  test('an address that leaves /v1 out is named with the one that answers', async (t) => {
    const listen = (known) => new Promise((done) => {
      const server = http.createServer((req, res) => {
        if (req.url !== known) return res.writeHead(404).end('404 page not found');
        return res.writeHead(200, { 'content-type': 'application/json' }).end('{"object":"list","data":[{"id":"m"}]}');
      });
      server.listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${server.address().port}`));
      t.after(() => server.close());
    });
    const entry = (name, base_url) => ({ name, kind: 'openai', base_url, models: ['m'] });
    const short = await listen('/v1/models');
    const none = await listen('/nowhere');
    const got = await doctor(t, { config: { providers: [entry('short', `${short}/`), entry('none', none),
      entry('unlisted', `${none}/v1`), entry('right', `${short}/v1`)] } });
    const found = (name) => JSON.parse(got.out).checks.find((c) => c.check === 'provider' && c.says.startsWith(`${name} `));
    assert.equal(got.code, 1, got.out + got.err);
    assert.equal(found('short').state, 'bad', got.out);
    assert.equal(found('short').says, `short (${short}/) answers, but not as an OpenAI-compatible API; ${short}/v1 does`);
    assert.match(found('short').fix, new RegExp(`OPENAI_BASE_URL\\) to ${short}/v1$`));
    assert.equal(found('none').state, 'warning', got.out);
    assert.match(found('none').says, /answers, but not as an OpenAI-compatible API: it lists no models/);
    assert.ok(found('none').fix.includes(`${none}/v1`));
    assert.equal(found('unlisted').state, 'ok', got.out);
    assert.equal(found('right').state, 'ok', got.out);
  });

  test('a provider that answers and a database that is sound are fine; a damaged one is named', async (t) => {
    const { server, provider } = await pair(t);
    await server.post('/v1/documents', { text: 'Something to keep.' });
    await server.stop();
    const args = ['doctor', '--json', '--config', path.join(server.dir, 'mainstay.toml'), '--data', server.data, '--set', 'server.listen=127.0.0.1:0'];
    const sound = await run(args, { cwd: server.dir, home: server.dir });
    assert.equal(sound.code, 0, sound.out + sound.err);
    assert.equal(check(sound.out, 'provider').state, 'ok');
    assert.ok(provider.requests.length > 0, 'it was asked');
    const file = path.join(server.data, 'knowledge.db');
    const handle = fs.openSync(file, 'r+');
    fs.writeSync(handle, Buffer.alloc(3000, 0x5a), 0, 3000, 16384);
    fs.closeSync(handle);
    const damaged = await run(args, { cwd: server.dir, home: server.dir });
    assert.equal(damaged.code, 1, damaged.out);
    const found = JSON.parse(damaged.out).checks.filter((c) => c.check === 'database' && c.state === 'bad');
    assert.equal(found.length, 1, damaged.out);
    assert.match(found[0].says, /knowledge\.db/);
  });

  test('a wrong configuration ends with 78 and the line', async (t) => {
    const got = await doctor(t, { config: { server: { body_mx: '1MiB' } } });
    assert.equal(got.code, 78);
    assert.match(got.out + got.err, /body_max/);
  });
});

describe('status', () => {
  test('shows the checklist of the running server and exits 0', async (t) => {
    const { server } = await pair(t);
    await server.chat('hello');
    const at = { cwd: server.dir, home: server.dir };
    const got = await run(['status', '--json', '--data', server.data], at);
    assert.equal(got.code, 0, got.out + got.err);
    const json = JSON.parse(got.out);
    assert.equal(json.address, server.url);
    assert.deepEqual(json.checks.map((c) => c.check),
      ['ready', 'sessions', 'memory', 'database', 'answers', 'errors', 'queue', 'disk', 'restarts', 'providers']);
    assert.match(check(got.out, 'restarts').says, /1 starts in 24 h/);
    assert.match(check(got.out, 'memory').says, /\d+ MiB/);
    assert.match(check(got.out, 'answers').says, /half within \d+ ms/);
    const text = await run(['status', '--data', server.data], at);
    assert.match(text.out, /✓ ready/);
  });

  test('without a running server it says so and exits 69', async (t) => {
    const dir = temp_dir(t);
    const got = await run(['status', '--data', path.join(dir, 'data')], { cwd: dir, home: dir });
    assert.equal(got.code, 69, got.out + got.err);
    assert.match(got.err, /No server runs/);
    const away = await run(['status', '--url', 'http://127.0.0.1:9'], { cwd: dir, home: dir });
    assert.equal(away.code, 69);
  });
});
