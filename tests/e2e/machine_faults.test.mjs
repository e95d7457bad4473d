// Faults of the machine under a running server: a disk that fails or is slow, a held database, no
// descriptors, no memory, no threads, hours of uptime, a log nobody reads.
// proves fault rows 3, 4, 7, 9, 10, 13, 16, 40
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { BIN, assert_error, pause, serve, temp_dir } from './lib/harness.mjs';
import { hold_database, inject, missing, process_figures, quantile, times_of } from './lib/machine.mjs';
import { RawSocket, request_bytes } from './lib/raw.mjs';

const document = (n) => ({ title: `t${n}`, text: `Fact number ${n}: the lamp in room ${n} is green.` });
const sources = async (server) => (await server.get('/v1/documents')).json.data.map((d) => d.title);

describe('disk', () => {
  test('fault_03_fsync_error: no acknowledgement, no further writes, exit code 1, a restart recovers', {
    skip: missing(['strace'], { as_root: true }) }, async (t) => {
    const server = await serve(t);
    assert.equal((await server.post('/v1/documents', document(1))).status, 201);
    const stop = await inject(t, server.child.pid, ['fdatasync:error=EIO', 'fsync:error=EIO']);
    const refused = await server.post('/v1/documents', document(2));
    assert_error(refused, 503, { code: 'storage_failed' });
    const again = await server.post('/v1/documents', document(3)).catch(() => ({ status: 0 }));
    assert.notEqual(again.status, 201, 'nothing is acknowledged after a failed sync');
    assert.deepEqual(await server.exited, { code: 1, signal: null }, server.tail());
    await server.until(() => /"event":"engine.failed"/.test(server.err), 'the line in the log');
    await server.until(() => /mainstay: stopped: storage_failed/.test(server.err), 'the line in the log');
    await stop();
    const next = await serve(t, { data: server.data });
    assert.ok((await sources(next)).includes('t1'), 'what was acknowledged is there');
    assert.equal((await next.post('/v1/documents', document(4))).status, 201);
  });

  test('fault_04_slow_fsync: the event loops answer while a commit takes 300 ms', {
    skip: missing(['strace'], { as_root: true }) }, async (t) => {
    const server = await serve(t);
    await inject(t, server.child.pid, ['fdatasync:delay_enter=300000', 'fsync:delay_enter=300000']);
    const before = quantile(await times_of(100, () => server.get('/health/live')), 0.99);
    const writes = times_of(3, (i) => server.post('/v1/documents', document(i)));
    let writing = true;
    writes.finally(() => { writing = false; });
    const lives = [];
    while (writing) lives.push(...await times_of(5, () => server.get('/health/live')));
    assert.ok((await writes)[0] >= 290, 'each write waited for its sync');
    const live = quantile(lives.sort((a, b) => a - b), 0.99);
    t.diagnostic(`/health/live p99: ${before.toFixed(1)} ms idle, ${live.toFixed(1)} ms during slow syncs`);
    assert.ok(live < 150, `p99 ${live} ms: a loop waited for the disk`);
  });

  test('fault_07_locked_database: busy for at most two seconds, then 503; afterwards all is well', {
    skip: missing(['python3']) }, async (t) => {
    const server = await serve(t);
    assert.equal((await server.post('/v1/documents', document(1))).status, 201);
    const release = await hold_database(t, path.join(server.data, 'knowledge.db'));
    const began = performance.now();
    const busy = await server.post('/v1/documents', document(2));
    assert_error(busy, 503, { code: 'database_busy' });
    assert.ok(performance.now() - began < 5000);
    assert.ok(Number(busy.headers['retry-after']) >= 1);
    assert.equal((await server.post('/v1/search', { query: 'lamp' })).status, 200, 'reads go on');
    await release();
    assert.equal((await server.post('/v1/documents', document(3))).status, 201, 'no thread is stuck');
  });
});

describe('limits of the process', () => {
  test('fault_09_descriptor_exhaustion: refused politely, without spinning, and it recovers alone', {
    skip: missing(['prlimit']) }, async (t) => {
    const server = await serve(t, { before: ['prlimit', '--nofile=64:64'] });
    server.agent.destroy();
    const sockets = Array.from({ length: 120 }, () => new RawSocket(server.port));
    await server.until(() => sockets.some((s) => /^HTTP\/1.1 503/.test(s.received)), 'a 503 for one without room');
    const told = sockets.find((s) => s.received);
    assert.match(told.received, /retry-after: \d/i);
    assert.match(told.received, /too_many_connections/);
    const before = process_figures(server.child.pid).cpu_ms;
    await pause(1000);
    const spent = process_figures(server.child.pid).cpu_ms - before;
    assert.ok(spent < 300, `${spent} ms of processor time in a second of waiting`);
    const began = performance.now();
    for (const socket of sockets) socket.destroy();
    await server.until(async () => (await server.request('GET', '/health/ready', { agent: false }).catch(() => ({}))).status === 200, 'recovered');
    t.diagnostic(`recovered ${Math.round(performance.now() - began)} ms after the clients left; ${spent} ms of CPU in 1 s`);
    const metric = await server.metrics();
    assert.ok(metric('mainstay_http_refused_total', { reason: 'descriptors' }) > 0);
  });

  test('fault_10_address_space: a request that finds no memory fails, the server lives', {
    skip: process.env.ASAN_OPTIONS ? 'not under ASan' : missing(['prlimit']) }, async (t) => {
    const server = await serve(t);
    const size = Number(/VmSize:\s+(\d+)/.exec(fs.readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1]) * 1024;
    const limit = (bytes) => assert.equal(spawnSync('prlimit', ['--pid', server.child.pid, `--as=${bytes}:unlimited`]).status, 0);
    limit(size);
    const big = { title: 'big', text: 'word '.repeat(1_600_000) };
    const got = [];
    for (let i = 0; i < 4; i += 1) got.push(await server.post('/v1/documents', big).catch(() => ({ status: 0 })));
    assert.doesNotThrow(() => process.kill(server.child.pid, 0), server.tail());
    assert.ok(got.some((r) => r.status !== 201), 'the fault was there');
    for (const reply of got) assert.ok([0, 201, 500, 503].includes(reply.status), `${reply.status} ${reply.text}`);
    t.diagnostic(`replies without memory: ${got.map((r) => r.status).join()}`);
    limit('unlimited');
    await server.until(async () => (await server.request('GET', '/health', { agent: false }).catch(() => ({}))).status === 200, 'alive');
    assert.equal((await server.post('/v1/documents', document(1))).status, 201);
  });

  test('fault_13_no_threads: the start is refused with what to do', {
    skip: missing(['prlimit', 'setpriv'], { as_root: true }) }, async (t) => {
    const dir = fs.mkdtempSync('/tmp/mainstay-e2e-nobody-');
    t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
    fs.chmodSync(dir, 0o777);
    const program = path.join(dir, 'mainstay');
    fs.copyFileSync(BIN, program);
    fs.chmodSync(program, 0o755);
    for (const threads of [1, 4, 7]) {
      const got = spawnSync('prlimit', [`--nproc=${threads}`, 'setpriv', '--reuid=64999', '--clear-groups',
        program, 'serve', '--listen', '127.0.0.1:0', '--data', path.join(dir, `d${threads}`)],
      { cwd: dir, env: { PATH: process.env.PATH, HOME: dir }, encoding: 'utf8', timeout: 15_000 });
      assert.equal(got.status, 69, `${threads}: ${got.status} ${got.signal} ${got.stdout} ${got.stderr}`);
      assert.match(got.stderr, /no more threads.*ulimit -u/i);
    }
  });
});

describe('time', () => {
  test('fault_16_uptime: four hours on, it answers as at the start, with the same threads', {
    skip: missing(['unshare'], { as_root: true }) }, async (t) => {
    const later = await serve(t, { before: ['unshare', '-T', '--monotonic', '14400', '--'] });
    const young = process_figures(later.child.pid);
    const first = quantile(await times_of(200, () => later.get('/health/live')), 0.99);
    for (let i = 0; i < 1500; i += 1) await later.get(i % 10 ? '/health' : '/v1/models');
    const last = quantile(await times_of(200, () => later.get('/health/live')), 0.99);
    const old = process_figures(later.child.pid);
    assert.ok(old.threads <= young.threads + 1, `${young.threads} -> ${old.threads} threads`);
    // The readers of the databases, four with three files each, are opened when they are first needed.
    assert.ok(old.descriptors <= young.descriptors + 16, `${young.descriptors} -> ${old.descriptors} descriptors`);
    t.diagnostic(`/health/live p99 ${first.toFixed(2)} -> ${last.toFixed(2)} ms`);
    assert.ok(last < Math.max(first * 3, 25), `${first} -> ${last} ms`);
  });
});

describe('log', () => {
  test('fault_40_blocked_log: nobody reads the log; requests do not wait, lines are dropped and counted', {
    skip: missing(['mkfifo']) }, async (t) => {
    const dir = temp_dir(t);
    const fifo = path.join(dir, 'log');
    assert.equal(spawnSync('mkfifo', [fifo]).status, 0);
    const reader = fs.openSync(fifo, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    t.after(() => { try { fs.closeSync(reader); } catch { /* closed */ } });
    const server = await serve(t, { config: { log: { sink: fifo, queue_max: 100 } } });
    const first = quantile(await times_of(100, () => server.get('/v1/models')), 0.95);
    for (let i = 0; i < 1500; i += 1) await server.get('/v1/models');
    const last = quantile(await times_of(100, () => server.get('/v1/models')), 0.95);
    const metric = await server.metrics();
    t.diagnostic(`p95 ${first.toFixed(2)} ms with room in the pipe, ${last.toFixed(2)} ms with it full`);
    assert.ok(metric('mainstay_log_dropped_total') > 0, 'dropped lines are counted');
    assert.ok(last < Math.max(first * 3, 25), `${first} -> ${last} ms`);
    const began = performance.now();
    await server.stop();
    assert.ok(performance.now() - began < 8000, 'the stop does not wait for the reader');
  });

  test('SIGHUP goes on in a new file after rotation', async (t) => {
    const dir = temp_dir(t);
    const file = path.join(dir, 'mainstay.log');
    const server = await serve(t, { config: { log: { sink: file } } });
    fs.renameSync(file, `${file}.1`);
    server.child.kill('SIGHUP');
    await server.until(() => fs.existsSync(file), 'a new file');
    await server.get('/v1/models');
    await server.until(() => /http.request/.test(fs.readFileSync(file, 'utf8')), 'lines in it');
    assert.equal((await server.get('/health/ready')).status, 200);
    await server.stop();
    assert.match(fs.readFileSync(`${file}.1`, 'utf8'), /part.started/);
    assert.match(fs.readFileSync(file, 'utf8'), /engine.stopped/);
  });
});
