// Start and stop: SIGTERM drains and exits 0, a second one hurries, what cannot start says why.
// proves Z1, V3; fault rows 36, 37
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import tls from 'node:tls';
import { Server, pair, pause, provide, provider_entry, run, serve, temp_dir, write_config } from './lib/harness.mjs';
import { missing, service_manager } from './lib/machine.mjs';
import { RawSocket, request_bytes } from './lib/raw.mjs';

const ask = (text) => ({ model: 'model-a', messages: [{ role: 'user', content: text }] });

describe('stop', () => {
  test('fault_36_sigterm: 50 open streams finish, new work is refused, exit 0', async (t) => {
    const { server, provider } = await pair(t);
    provider.script({ replies: Array.from({ length: 50 }, () => ({ tokens: ['one', ' two', ' three'], gate: 'g', gate_at: 1 })) });
    const readers = [];
    for (let i = 0; i < 50; i += 1) readers.push(await server.open_stream(ask(`open ${i}`)));
    for (const reader of readers) assert.equal(await reader.next_text(), 'one');
    server.agent.destroy();
    server.child.kill('SIGTERM');
    await server.until(async () => (await server.get('/health').catch(() => null)) === null, 'no new connections');
    provider.open('g');
    for (const reader of readers) {
      const all = await reader.all();
      assert.equal(all.text, ' two three', all.raw);
      assert.equal(all.done, 1);
    }
    assert.deepEqual(await server.exited, { code: 0, signal: null });
  });

  test('a stream that never ends is cut at stop_timeout with an error event, exit 0', async (t) => {
    const { server, provider } = await pair(t, { config: { server: { stop_timeout: '1s' } } });
    provider.script({ tokens: ['one', ' two'], gate: 'never', gate_at: 1 });
    const reader = await server.open_stream(ask('endless'));
    await reader.next_text();
    server.child.kill('SIGTERM');
    const all = await reader.all();
    assert.equal(all.done, 0, 'no [DONE]');
    assert.match(all.raw, /data: \{"error":.*"stopping".*\}\n\n$/s, 'the last event says why');
    assert.deepEqual(await server.exited, { code: 0, signal: null });
  });

  test('a whole answer that never comes is refused at stop_timeout', async (t) => {
    const { server, provider } = await pair(t, { config: { server: { stop_timeout: '1s' } } });
    provider.script({ text: 'one', gate: 'never' });
    const asked = server.post('/v1/chat/completions', ask('endless'));
    await server.until(() => provider.requests.some((r) => r.path.includes('chat')), 'the question is asked');
    server.child.kill('SIGTERM');
    const reply = await asked;
    assert.equal(reply.status, 503, reply.text);
    assert.equal(reply.json.error.code, 'stopping');
    assert.deepEqual(await server.exited, { code: 0, signal: null });
  });

  test('fault_36_second_signal: a second SIGTERM hurries', async (t) => {
    const { server, provider } = await pair(t, { config: { server: { stop_timeout: '30s' } } });
    provider.script({ tokens: ['one', ' two'], gate: 'never', gate_at: 1 });
    const reader = await server.open_stream(ask('endless'));
    await reader.next_text();
    const began = performance.now();
    server.child.kill('SIGTERM');
    await server.until(() => /stop/i.test(server.err), 'the stop is logged');
    server.child.kill('SIGTERM');
    const exit = await server.exited;
    assert.ok(performance.now() - began < 15_000, 'long before the 30 s');
    assert.deepEqual(exit, { code: 0, signal: null });
  });

  test('SIGINT stops too', async (t) => {
    const server = await serve(t);
    server.child.kill('SIGINT');
    assert.deepEqual(await server.exited, { code: 0, signal: null });
  });

  test('idle connections do not hold it up', async (t) => {
    const server = await serve(t);
    const idle = new RawSocket(server.port);
    await idle.send(request_bytes('GET', '/health'));
    await idle.until_responses(1);
    const began = performance.now();
    await server.stop();
    assert.ok(performance.now() - began < 5000);
    await idle.until((_, closed) => closed);
  });

  test('each part is logged as started once and stopped once, in reverse', async (t) => {
    const server = await serve(t);
    await server.stop();
    const lines = server.err.split('\n').filter(Boolean).map((l) => JSON.parse(l));
    const names = (event) => lines.filter((l) => l.event === event || l.name === event || l.msg === event)
      .map((l) => l.part ?? l.step).filter(Boolean);
    const started = names('part.started');
    const stopped = names('part.stopped');
    assert.ok(started.length >= 3, server.err);
    assert.equal(new Set(started).size, started.length);
    assert.ok(stopped.length >= 3, server.err);
    assert.deepEqual(stopped, started.filter((part) => stopped.includes(part)).reverse());
    assert.ok(['listener', 'background'].includes(stopped[0]), 'new work is refused first');
  });
});

describe('service manager', () => {
  test('hears READY, WATCHDOG from the loops, RELOADING with a time, STOPPING, each in order', {
    skip: missing(['python3']) }, async (t) => {
    const manager = await service_manager(t, temp_dir(t));
    const server = await serve(t, { env: { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: '400000' } });
    const heard = (pattern) => manager.messages.findIndex((m) => pattern.test(m));
    await server.until(() => heard(/^WATCHDOG=1$/) >= 0, 'a watchdog message');
    assert.ok(heard(/^READY=1 \| STATUS=Listening on http/) >= 0, manager.messages.join('\n'));
    server.child.kill('SIGHUP');
    await server.until(() => heard(/^RELOADING=1 \| MONOTONIC_USEC=\d+$/) >= 0, 'a reload');
    await server.until(() => manager.messages.filter((m) => /^READY=1/.test(m)).length === 2, 'ready again');
    await server.stop();
    await server.until(() => heard(/^STATUS=Stopping: loops$/) >= 0, 'the last step');
    const stopping = heard(/^STOPPING=1/);
    assert.ok(stopping > heard(/^READY=1/));
    assert.ok(heard(/^STATUS=Stopping: listener$/) > stopping, 'work is refused before parts go');
    assert.ok(heard(/^EXTEND_TIMEOUT_USEC=\d+$/) > stopping);
    const order = ['listener', 'upstream', 'storage', 'loops'].map((p) => heard(new RegExp(`^STATUS=Stopping: ${p}$`)));
    assert.deepEqual(order, [...order].sort((a, b) => a - b), manager.messages.join('\n'));
  });

  test('hears nothing from a frozen server', { skip: missing(['python3']) }, async (t) => {
    const manager = await service_manager(t, temp_dir(t));
    const server = await serve(t, { env: { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: '400000' } });
    await server.until(() => manager.messages.includes('WATCHDOG=1'), 'a watchdog message');
    server.child.kill('SIGSTOP');
    await pause(300);
    const before = manager.messages.length;
    await pause(600);
    assert.equal(manager.messages.length, before);
    server.child.kill('SIGCONT');
    await server.until(() => manager.messages.length > before, 'back to life');
  });
});

describe('start', () => {
  async function start_fails(t, { config = {}, files = {}, args = [] }, code, says) {
    const dir = temp_dir(t);
    const data = path.join(dir, 'data');
    fs.mkdirSync(data);
    for (const [name, bytes] of Object.entries(files)) fs.writeFileSync(path.join(data, name), bytes);
    const file = typeof config === 'string' ? (fs.writeFileSync(path.join(dir, 'c.toml'), config), path.join(dir, 'c.toml'))
      : write_config(dir, { models: { discover: false }, ...config });
    const got = await run(['serve', '--listen', '127.0.0.1:0', '--data', data, '--config', file, ...args], { cwd: dir, home: dir, limit_ms: 15_000 });
    assert.ok([].concat(code).includes(got.code), `exit code ${got.code} ${got.signal}\n${got.out}\n${got.err}`);
    assert.match(got.err, says);
    return { dir, data };
  }
  /** The database file that a healthy start makes. */
  async function database(t) {
    const server = await serve(t);
    await server.post('/v1/documents', { text: 'Something to keep.' });
    await server.stop();
    const files = fs.readdirSync(server.data).filter((f) => /\.(db|sqlite3?)$/.test(f));
    assert.ok(files.length >= 1, fs.readdirSync(server.data).join());
    return { name: files[0], data: server.data };
  }

  test('a corrupt database is refused with what to do, and not touched', async (t) => {
    const { name } = await database(t);
    const bytes = Buffer.alloc(8192, 'this is no database ');
    const { data } = await start_fails(t, { files: { [name]: bytes } }, [1, 78], /corrupt|not a database|damaged/i);
    assert.deepEqual(fs.readFileSync(path.join(data, name)), bytes);
  });

  test('a newer database is refused with what to do, and not touched', async (t) => {
    const { name, data } = await database(t);
    const file = path.join(data, name);
    const bytes = fs.readFileSync(file);
    bytes.writeUInt32BE(9999, 60);  // user_version in the header of an SQLite file
    const refused = await start_fails(t, { files: { [name]: bytes } }, [1, 78], /newer/i);
    assert.deepEqual(fs.readFileSync(path.join(refused.data, name)), bytes);
  });

  test('a wrong setting ends with 78 and the line', (t) =>
    start_fails(t, { config: '[server]\nlisten = "127.0.0.1:0"\nbody_mx = "1MiB"\n' }, 78, /c\.toml:3.*body_max/s));

  test('a port in use ends with a sentence', async (t) => {
    const server = await serve(t);
    const dir = temp_dir(t);
    const got = await run(['serve', '--listen', `127.0.0.1:${server.port}`, '--data', path.join(dir, 'd')], { home: dir, cwd: dir, limit_ms: 15_000 });
    assert.ok([1, 69].includes(got.code), `${got.code} ${got.err}`);
    assert.match(got.err, new RegExp(`${server.port}`));
    assert.match(got.err, /in use|another program/i);
  });

  test('a second process on the same data is refused', async (t) => {
    const server = await serve(t);
    const got = await run(['serve', '--listen', '127.0.0.1:0', '--data', server.data], { home: server.dir, cwd: temp_dir(t), limit_ms: 15_000 });
    assert.ok([1, 69, 75].includes(got.code), `${got.code} ${got.out} ${got.err}`);
    assert.match(got.err, /using|lock|running/i);
    assert.equal((await server.get('/health')).status, 200);
  });

  test('a data folder that cannot be made is refused', async (t) => {
    const dir = temp_dir(t);
    fs.writeFileSync(path.join(dir, 'file'), '');
    const got = await run(['serve', '--listen', '127.0.0.1:0', '--data', path.join(dir, 'file', 'data')], { home: dir, cwd: dir, limit_ms: 15_000 });
    assert.ok([1, 73, 78].includes(got.code), `${got.code} ${got.err}`);
    assert.ok(got.err.length > 10);
  });

  test('a non-loopback address without keys is refused', async (t) => {
    const dir = temp_dir(t);
    const got = await run(['serve', '--listen', '0.0.0.0:0', '--data', path.join(dir, 'd')], { home: dir, cwd: dir, limit_ms: 4000 });
    assert.equal(got.code, 78, `${got.code} ${got.signal} ${got.out} ${got.err}`);
    assert.match(got.err, /key/i);
  });

  test('fault_37_stale_files: after kill -9 it starts on the same data at once', async (t) => {
    const server = await serve(t);
    await server.kill();
    assert.ok(fs.existsSync(path.join(server.data, 'address')), 'the killed one left its files');
    const again = await serve(t, { data: server.data });
    assert.equal((await again.get('/health/ready')).status, 200);
    assert.equal(fs.readFileSync(path.join(server.data, 'address'), 'utf8').trim(), again.url);
  });

  const make_certificate = (certificate, key) => execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt',
    'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' });
  const fingerprint_of = (file) => new X509Certificate(fs.readFileSync(file)).fingerprint256;
  /** A connection whose requests can be sent one after the other, and the certificate it was shown. */
  const connect_tls = (t, port) => new Promise((resolve, reject) => {
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      const health = () => new Promise((done, failed) => {
        socket.once('data', (bytes) => done(bytes.toString().slice(0, 12))).once('close', failed);
        socket.write('GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
      });
      resolve({ fingerprint: socket.getPeerCertificate().fingerprint256, health });
    });
    socket.on('error', reject);
    t.after(() => socket.destroy());
  });

  test('a renewed certificate is taken at a reload, and a broken one is not', async (t) => {
    const dir = temp_dir(t);
    const [certificate, key] = ['cert.pem', 'key.pem'].map((f) => path.join(dir, f));
    make_certificate(certificate, key);
    const first = fingerprint_of(certificate);
    const file = write_config(dir, { models: { discover: false }, server: { tls_certificate: certificate, tls_key: key } });
    const server = new Server({ dir, data: path.join(dir, 'data'), args: ['--config', file] });
    t.after(() => server.stop());
    await server.until(() => /https:\/\/127\.0\.0\.1:(\d+)/.test(server.out), 'the https address');
    const port = /https:\/\/127\.0\.0\.1:(\d+)/.exec(server.out)[1];
    const before = await connect_tls(t, port);
    assert.equal(before.fingerprint, first);

    make_certificate(certificate, key);
    const renewed = fingerprint_of(certificate);
    server.child.kill('SIGHUP');
    await server.until(() => /config\.reloaded.*"why":"signal"/.test(server.err), 'the reload');
    assert.equal((await connect_tls(t, port)).fingerprint, renewed);
    assert.equal(await before.health(), 'HTTP/1.1 200');

    fs.writeFileSync(certificate, 'half a certificate');
    server.child.kill('SIGHUP');
    await server.until(() => /config\.reload_failed.*"why":"signal".*server\.tls_certificate/.test(server.err), 'the refusal');
    assert.equal((await connect_tls(t, port)).fingerprint, renewed);
  });

  test('TLS is served when a certificate is configured', async (t) => {
    const dir = temp_dir(t);
    const [certificate, key] = ['cert.pem', 'key.pem'].map((f) => path.join(dir, f));
    make_certificate(certificate, key);
    const provider = await provide(t);
    const file = write_config(dir, { models: { discover: false }, limits: { enabled: false },
      server: { tls_certificate: certificate, tls_key: key }, providers: [provider_entry(provider)] });
    const server = new Server({ dir, data: path.join(dir, 'data'), args: ['--config', file] });
    t.after(() => server.stop());
    await server.until(() => /https:\/\/127\.0\.0\.1:(\d+)/.test(server.out), 'the https address');
    const port = /https:\/\/127\.0\.0\.1:(\d+)/.exec(server.out)[1];
    const https = await import('node:https');
    const body = JSON.stringify(ask('over TLS'));
    const text = await new Promise((resolve, reject) => {
      const request = https.request({ host: '127.0.0.1', port, path: '/v1/chat/completions', method: 'POST', ca: fs.readFileSync(certificate),
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } }, (response) => {
        let got = '';
        response.on('data', (d) => (got += d)).on('end', () => resolve(got));
      });
      request.on('error', reject).end(body);
    });
    assert.match(text, /You said: over TLS/);
  });
});
