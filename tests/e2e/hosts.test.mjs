// Model hosts: started on first use, looked after, stopped when idle or when their memory is needed.
// The host is tests/e2e/lib/fake_host.mjs, which misbehaves on demand.
// proves Z4, Z11, V7
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { assert_error, BIN, free_port, pause, run, serve, temp_dir } from './lib/harness.mjs';
import { admin_of } from './lib/people.mjs';

const FAKE = fileURLToPath(new URL('./lib/fake_host.mjs', import.meta.url));
const MIB = 1024 * 1024;

/** A machine with that much memory, which the test changes at will. */
function machine(t, { total = 8000, free = 6000 } = {}) {
  const root = temp_dir(t);
  fs.mkdirSync(path.join(root, 'proc'), { recursive: true });
  const set = (mib) => fs.writeFileSync(path.join(root, 'proc/meminfo'), `MemTotal: ${total * 1024} kB\nMemAvailable: ${mib * 1024} kB\n`);
  set(free);
  return { root, set };
}

/** Mainstay with a host for each entry of `hosts`: {name, args, …settings}; its provider has its name. */
async function with_hosts(t, hosts, { config = {}, memory, ...more } = {}) {
  const place = memory ?? machine(t);
  const dir = temp_dir(t);
  const entries = [];
  for (const { name, args = {}, ...rest } of hosts) {
    const starts = path.join(dir, `${name}.starts`);
    const words = Object.entries({ name, starts, ...args }).map(([k, v]) => (v === true ? `--${k}` : `--${k}=${v}`));
    entries.push({ name, command: process.execPath, arguments: [FAKE, '--port={port}', ...words], port: await free_port(), ready_path: '/health',
      stop_timeout: '5s', backoff_min: '50ms', backoff_max: '200ms', memory: '1MiB', ...rest });
  }
  const server = await serve(t, { config: {
    hosts: entries,
    providers: hosts.map(({ name }) => ({ name, kind: 'openai', host: name, models: ['model-a'] })),
    hosting: { probe_interval: '50ms', measure_interval: '200ms', memory_spare: '0B', settle: '1s', ...config.hosting },
    resources: { machine_root: place.root, sample_interval: '100ms' },
    ...Object.fromEntries(Object.entries(config).filter(([key]) => key !== 'hosting')),
  }, ...more });
  const of = async (name) => (await server.get('/admin/hosts', admin_of(server))).json.data.find((one) => one.name === name);
  return Object.assign(server, {
    place,
    host: of,
    starts: (name) => { try { return fs.readFileSync(path.join(dir, `${name}.starts`), 'utf8').trim().split('\n'); } catch { return []; } },
    reaches: async (name, state, limit_ms = 15_000) => {
      let seen;
      await server.until(async () => (seen = await of(name)).state === state, `${name} is ${state}`, limit_ms);
      return seen;
    },
    ask: (name, text = `question ${Math.random()}`, extra = {}) => server.chat({ model: `${name}/model-a`, messages: [{ role: 'user', content: text }], ...extra }),
  });
}

const alive = (pid) => {
  try {
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch { return false; }
};
const gone = (server, pid) => server.until(() => !alive(pid), `process ${pid} is gone`, 15_000);
const text_of = (reply) => reply.json?.choices?.[0]?.message?.content ?? reply.text;
const ready_host = async (server, name) => (await server.get('/health/ready')).json.hosts.find((one) => one.name === name);
const state_of_model = async (server, name) => (await server.get('/v1/models')).json.data.find((one) => one.owned_by === name);

// proves fault_42
test('200 first requests start the host once; health answers and tells the progress meanwhile', async (t) => {
  const server = await with_hosts(t, [{ name: 'llama', args: { slow: 1500 } }]);
  assert.equal((await ready_host(server, 'llama')).state, 'stopped');
  assert.deepEqual(server.starts('llama'), [], 'nothing runs before it is used');
  assert.equal((await state_of_model(server, 'llama')).state, 'unavailable');
  const answers = Promise.all(Array.from({ length: 200 }, (_, n) => server.ask('llama', `number ${n}`)));
  const seen = new Set();
  let slowest = 0;
  while ((await ready_host(server, 'llama')).state !== 'ready') {
    const began = performance.now();
    assert.equal((await server.get('/health')).status, 200);
    slowest = Math.max(slowest, performance.now() - began);
    const { state, waiting } = await ready_host(server, 'llama');
    seen.add(state);
    if (state === 'probing') assert.ok(waiting > 0, 'requests wait for it');
    if (state === 'probing') seen.add((await state_of_model(server, 'llama')).state);
    await pause(20);
  }
  t.diagnostic(`slowest /health meanwhile: ${slowest.toFixed(1)} ms`);
  assert.ok(seen.has('probing') && seen.has('loading'), [...seen].join());
  for (const [n, reply] of (await answers).entries()) {
    assert.equal(reply.status, 200, reply.text);
    assert.match(text_of(reply), new RegExp(`number ${n}$`));
  }
  assert.equal(server.starts('llama').length, 1, 'one start');
  const metric = await server.metrics();
  assert.equal(metric('mainstay_host_starts_total', { host: 'llama' }), 1);
  assert.equal(metric('mainstay_host_ready', { host: 'llama' }), 1);
  assert.ok(metric('mainstay_host_waits_total', { host: 'llama' }) >= 1);
  assert.equal(metric('mainstay_host_waiting', { host: 'llama' }), 0);
  const model = await state_of_model(server, 'llama');
  assert.deepEqual([model.state, model.loaded], ['ready', true]);
  const about = await server.host('llama');
  assert.ok(about.memory_bytes > MIB && about.load_seconds >= 1.4 && about.in_use === 0, JSON.stringify(about));
});

test('a host that crashes is started again for the next request, after a pause', async (t) => {
  const server = await with_hosts(t, [{ name: 'llama' }]);
  assert.equal((await server.ask('llama')).status, 200);
  const before = await server.host('llama');
  process.kill(before.pid, 'SIGKILL');
  await server.reaches('llama', 'stopped');
  const after_crash = await server.host('llama');
  assert.equal(after_crash.failures, 1);
  assert.match(after_crash.why, /signal 9/);
  assert.equal((await server.ask('llama')).status, 200);
  assert.equal(server.starts('llama').length, 2);
  assert.notEqual((await server.host('llama')).pid, before.pid);
});

test('a host without use is stopped and its memory is seen to come back', async (t) => {
  const memory = machine(t, { free: 6000 });
  const server = await with_hosts(t, [{ name: 'llama', idle_timeout: '2s', memory: '200MiB', args: { memory: 150 } }], { memory, config: { hosting: { settle: '15s' } } });
  memory.set(5800);
  assert.equal((await server.ask('llama')).status, 200);
  const { pid } = await server.host('llama');
  await server.reaches('llama', 'stopped');
  assert.doesNotMatch(server.err, /"host\.freed"/, 'nothing came back yet');
  memory.set(6000);
  await gone(server, pid);
  await server.until(() => /"host\.freed"/.test(server.err), 'its memory came back');
  const metric = await server.metrics();
  assert.equal(metric('mainstay_host_stops_total', { host: 'llama', why: 'idle' }), 1);
  assert.equal(metric('mainstay_host_memory_kept_total', { host: 'llama' }), 0);
  assert.equal((await server.ask('llama')).status, 200, 'the next use starts it again');
});

test('memory that does not come back after the end is reported and counted', async (t) => {
  const server = await with_hosts(t, [{ name: 'leaky', memory: '200MiB', args: { memory: 150 } }]);
  assert.equal((await server.ask('leaky')).status, 200);
  await server.until(async () => (await server.host('leaky')).memory_bytes > 150 * MIB, 'it was measured');
  assert.equal((await server.post('/admin/hosts/leaky/stop', undefined, admin_of(server))).status, 202);
  await server.until(() => /"host\.memory_kept"/.test(server.err), 'the log says so');
  assert.equal((await server.metrics())('mainstay_host_memory_kept_total', { host: 'leaky' }), 1);
  assert.ok((await server.host('leaky')).memory_kept_bytes > 100 * MIB);
});

test('what a host leaves behind in another group is found and killed', async (t) => {
  const left = path.join(temp_dir(t), 'left');
  const server = await with_hosts(t, [{ name: 'llama', args: { survivor: 20, 'survivor-file': left } }]);
  assert.equal((await server.ask('llama')).status, 200);
  const pid = Number(fs.readFileSync(left, 'utf8'));
  assert.ok(alive(pid));
  await server.post('/admin/hosts/llama/stop', undefined, admin_of(server));
  await gone(server, pid);
  assert.equal((await server.metrics())('mainstay_host_survivors_total', { host: 'llama' }), 1);
});

test('a host goes when its memory is needed, and one that is used never does', async (t) => {
  const one = { memory: '200MiB', args: { 'token-ms': 150 } };
  const server = await with_hosts(t, [{ name: 'chat', ...one }, { name: 'voice', ...one }], { config: { hosting: { memory_max: '300MiB', patience: '60s' } } });
  assert.equal((await server.ask('chat')).status, 200);
  const first = await server.host('chat');
  assert.equal((await server.ask('voice')).status, 200, 'the idle one made room');
  await gone(server, first.pid);
  assert.equal((await server.host('chat')).state, 'stopped');
  let metric = await server.metrics();
  assert.equal(metric('mainstay_host_evictions_total', { host: 'chat' }), 1);
  assert.equal(metric('mainstay_host_stops_total', { host: 'chat', why: 'room' }), 1);

  const stream = await server.open_stream({ model: 'voice/model-a', messages: [{ role: 'user', content: 'a long answer that takes its time to come out' }] });
  const waits = server.ask('chat', 'and me?');
  await server.until(async () => (await server.host('chat')).state === 'waiting', 'it waits for room');
  await server.until(async () => /memory/.test((await ready_host(server, 'chat')).why), 'it says for what');
  const told = await stream.all();
  assert.ok(told.done && /a long answer that takes its time to come out/.test(told.text), JSON.stringify(told));
  assert.equal((await waits).status, 200);
  metric = await server.metrics();
  assert.equal(metric('mainstay_host_failures_total') ?? 0, 0);
});

test('what can never fit is refused at once, with the reason', async (t) => {
  const server = await with_hosts(t, [{ name: 'huge', memory: '9000MiB' }]);
  assert_error(await server.ask('huge'), 503, { code: 'host_too_large' });
  assert.deepEqual(server.starts('huge'), []);
  assert.equal((await server.get('/health')).status, 200);
});

test('a host that holds more than its setting is stopped once, and said to', async (t) => {
  const server = await with_hosts(t, [{ name: 'fat', memory: '50MiB', args: { memory: 300 } }]);
  assert.equal((await server.ask('fat')).status, 200);
  const stopped = await server.reaches('fat', 'stopped');
  assert.match(stopped.why, /^it used \d{3} MiB; its `memory` says 50 MiB$/);
  assert.match(server.err, /host\.grew/);
  assert.equal((await server.ask('fat')).status, 200);
  await pause(1000);
  const again = await server.host('fat');
  assert.deepEqual([again.state, again.starts], ['ready', 2], 'it is taken for what it holds');
  assert.match(again.why, /its `memory` says 50 MiB/);
});

test('a host that turned out to be larger than all hosts may be is refused, and the setting named', async (t) => {
  const server = await with_hosts(t, [{ name: 'fat', memory: '50MiB', args: { memory: 300 } }], { config: { hosting: { memory_max: '200MiB' } } });
  assert.equal((await server.ask('fat')).status, 200);
  await server.reaches('fat', 'stopped');
  const refused = await server.ask('fat');
  assert_error(refused, 503, { code: 'host_too_large' });
  assert.match(refused.json.error.message, /setting memory/);
  assert.match((await server.host('fat')).why, /more memory than there is: it used/);
  assert.equal(server.starts('fat').length, 1);
});

test('what its process says last is shown while it runs, and never as that of the next one', async (t) => {
  const server = await with_hosts(t, [{ name: 'llama', args: { 'ignore-term': true } }]);
  assert.equal((await server.ask('llama')).status, 200);
  const { pid } = await server.host('llama');
  process.kill(pid, 'SIGTERM');
  await server.until(async () => (await server.host('llama')).said === 'not now', 'its line is shown');
  assert.equal((await server.host('llama')).state, 'ready');
  process.kill(pid, 'SIGKILL');
  await server.reaches('llama', 'stopped');
  assert.equal((await server.host('llama')).said, 'not now', 'what the dead one said last');
  assert.equal((await server.ask('llama')).status, 200);
  assert.equal((await server.host('llama')).said, '');
});

test('who waited for a host that failed is told so, and when it is started again', async (t) => {
  const server = await with_hosts(t, [{ name: 'llama', backoff_min: '20s', backoff_max: '20s', args: { 'crash-at-start': 'nowhere' } }],
    { config: { hosting: { wait_timeout: '1500ms' } } });
  const reply = await server.ask('llama');
  assert_error(reply, 503, { code: 'host_not_ready' });
  assert.match(reply.json.error.message, /it failed\. GET \/admin\/hosts .* started again in \d+ s/);
});

test('under memory pressure idle hosts go', async (t) => {
  const memory = machine(t);
  const server = await with_hosts(t, [{ name: 'llama' }], { memory });
  assert.equal((await server.ask('llama')).status, 200);
  memory.set(100);
  await server.until(async () => (await server.metrics())('mainstay_host_stops_total', { host: 'llama', why: 'memory_pressure' }) === 1, 'it went');
  await server.reaches('llama', 'stopped');
});

test('a host that refuses to die is killed at its time, with all that it started', async (t) => {
  const server = await with_hosts(t, [{ name: 'stubborn', stop_timeout: '400ms', args: { 'ignore-term': true } }]);
  assert.equal((await server.ask('stubborn')).status, 200);
  const { pid } = await server.host('stubborn');
  await server.post('/admin/hosts/stubborn/stop', undefined, admin_of(server));
  await gone(server, pid);
  await server.reaches('stubborn', 'stopped');
  await server.until(() => /"host\.killed"/.test(server.err), 'the line in the log');
  assert.equal((await server.ask('stubborn')).status, 200, 'it can be used again');
});

// proves fault_34
test('a host that always crashes is given up after its limit, and may be tried again', async (t) => {
  const server = await with_hosts(t, [{ name: 'broken', restarts_max: 2, args: { 'crash-at-start': '/secret/model.gguf' } }]);
  const refused = await server.ask('broken');
  assert_error(refused, 503, { code: 'host_degraded' });
  assert.ok(Number(refused.headers['retry-after']) > 0);
  assert.equal(server.starts('broken').length, 3, 'the first start and two restarts');
  const now = await server.host('broken');
  assert.deepEqual([now.state, now.failures, now.why], ['degraded', 3, 'exit code 1']);
  assert.match(now.said, /no model at \/secret/);
  const public_page = await server.get('/health/ready');
  assert.equal(public_page.status, 200, 'the rest of the server is well');
  assert.ok(!public_page.text.includes('/secret'), 'what a program prints is for administrators');
  assert.equal((await state_of_model(server, 'broken')).state, 'degraded');
  assert_error(await server.ask('broken'), 503, { code: 'host_degraded' });
  assert.equal(server.starts('broken').length, 3, 'no further start');
  assert.equal((await server.post('/admin/hosts/broken/start', undefined, admin_of(server))).status, 202);
  await server.until(() => server.starts('broken').length > 3, 'an administrator may');
});

// proves fault_35, of a host that starts
test('a host that hangs is killed when its time to start is over', async (t) => {
  const server = await with_hosts(t, [{ name: 'hangs', start_timeout: '400ms', restarts_max: 0, args: { hang: true } }]);
  assert_error(await server.ask('hangs'), 503, { code: 'host_degraded' });
  assert.match((await server.host('hangs')).why, /did not get ready/);
  assert.equal((await server.get('/health')).status, 200);
});

test('requests wait no longer than they are allowed to, and no more of them than fit', async (t) => {
  const server = await with_hosts(t, [{ name: 'slow', args: { slow: 60_000 } }], { config: { hosting: { waiting_max: 2, wait_timeout: '1500ms' } } });
  const waiting = [server.ask('slow'), server.ask('slow')];
  await server.until(async () => (await server.host('slow')).waiting === 2, 'two wait');
  assert_error(await server.ask('slow'), 503, { code: 'host_busy' });
  for (const reply of await Promise.all(waiting)) assert_error(reply, 503, { code: 'host_not_ready' });
  assert.equal((await server.host('slow')).state, 'probing', 'it goes on loading');
});

test('a client that goes away while it waits leaves nothing behind', async (t) => {
  const server = await with_hosts(t, [{ name: 'slow', args: { slow: 60_000 } }]);
  const socket = net.connect(server.port, '127.0.0.1');
  const body = JSON.stringify({ model: 'slow/model-a', messages: [{ role: 'user', content: 'x' }] });
  socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  await server.until(async () => (await server.host('slow')).waiting === 1, 'it waits');
  socket.destroy();
  await server.until(async () => (await server.host('slow')).waiting === 0, 'it waits no more');
});

test('embeddings use hosts too, and a program that is not there is told', async (t) => {
  const server = await with_hosts(t, [{ name: 'embedder' }, { name: 'absent', command: '/no/such/program' }]);
  const vectors = await server.post('/v1/embeddings', { model: 'embedder/model-a', input: ['red', 'green'] });
  assert.equal(vectors.status, 200, vectors.text);
  assert.equal(vectors.json.data.length, 2);
  assert_error(await server.ask('absent'), 503, { code: 'host_degraded' });
  assert.match((await server.host('absent')).why, /no program/);
});

test('a port that another program has is not taken for the host', async (t) => {
  const server = await with_hosts(t, [{ name: 'llama' }]);
  const { port } = await server.host('llama');
  const other = net.createServer((s) => s.end()).listen(port, '127.0.0.1');
  await new Promise((go) => other.once('listening', go));
  const asked = server.ask('llama');
  await server.until(async () => /another program/.test((await server.host('llama')).why), 'it says so');
  assert.deepEqual(server.starts('llama'), []);
  await new Promise((go) => other.close(go));
  assert.equal((await asked).status, 200, 'it starts when the port is free');
});

test('hosts end with the server: in order when it stops, by force when it is killed', async (t) => {
  const settings = [{ name: 'llama' }, { name: 'stubborn', stop_timeout: '300ms', args: { 'ignore-term': true } }];
  const server = await with_hosts(t, settings);
  const pids = [];
  for (const { name } of settings) {
    assert.equal((await server.ask(name)).status, 200);
    pids.push((await server.host(name)).pid);
  }
  server.child.kill('SIGTERM');
  await server.exited;
  for (const pid of pids) assert.ok(!alive(pid), `${pid} ended with the server`);

  const other = await with_hosts(t, [{ name: 'llama' }]);
  assert.equal((await other.ask('llama')).status, 200);
  const { pid } = await other.host('llama');
  await other.kill();
  await gone(other, pid);
});

test('status and doctor show hosts; wishes about them need an administrator', async (t) => {
  const server = await with_hosts(t, [{ name: 'llama' }]);
  assert.equal((await server.ask('llama')).status, 200);
  const config = path.join(server.dir, 'mainstay.toml');
  const status = await run(['status', '--config', config, '--data', server.data]);
  assert.match(status.out, /hosts\s+llama is ready/, status.out + status.err);
  const doctor = await run(['doctor', '--config', config, '--data', server.data]);
  assert.match(doctor.out, /host\s+llama: /, doctor.out);
  for (const [method, target] of [['GET', '/admin/hosts'], ['POST', '/admin/hosts/llama/stop'], ['POST', '/admin/hosts/llama/start']]) {
    const reply = await server.request(method, target);
    assert.ok([401, 403].includes(reply.status), `${target}: ${reply.status}`);
  }
  assert_error(await server.post('/admin/hosts/nobody/stop', undefined, admin_of(server)), 404, { code: 'unknown_host' });
  const audit = (await server.get('/admin/audit', admin_of(server))).json.data;
  assert.ok(audit.some((one) => one.what === 'host.stop' && one.outcome === 'unknown_host'), JSON.stringify(audit));
});

// A library with two GPUs of 1,000 bytes, 100 of each in use, built with the unit tests.
const NVML = path.join(path.dirname(BIN), 'tests/unit/resources/libfake_nvml.so');

// proves Z12
test('hosts are placed on the GPU with most room, and see only that one', { skip: !fs.existsSync(NVML) && `needs ${NVML}` }, async (t) => {
  const libraries = temp_dir(t);
  fs.symlinkSync(NVML, path.join(libraries, 'libnvidia-ml.so.1'));
  const gpu = { gpu_memory: '500B' };
  const server = await with_hosts(t, [{ name: 'one', ...gpu }, { name: 'two', ...gpu }, { name: 'wide', gpu_memory: '700B' }, { name: 'plain' }, { name: 'vast', gpu_memory: '2001B' }],
    { config: { hosting: { gpu_spare: '0B' } }, env: { LD_LIBRARY_PATH: libraries } });
  for (const name of ['one', 'two', 'wide', 'plain']) assert.equal((await server.ask(name)).status, 200, name);
  const seen = (name) => server.starts(name)[0].split(' ')[1];
  assert.deepEqual([seen('one'), seen('two'), seen('plain')], ['0', '1', '-']);
  assert.equal(seen('wide').split(',').length, 2, 'spread over both');
  assert.deepEqual((await server.host('two')).gpus, [1]);
  assert_error(await server.ask('vast'), 503, { code: 'host_too_large' });
});

// proves fault_15: without room on a GPU
test('without a GPU a host that asks for one runs, and its GPU memory counts as memory', async (t) => {
  const server = await with_hosts(t, [{ name: 'llama', memory: '100MiB', gpu_memory: '100MiB' }, { name: 'huge', memory: '100MiB', gpu_memory: '8000MiB' }]);
  assert.equal((await server.ask('llama')).status, 200);
  await server.until(() => /"host\.started".*"gpu":"none found"/.test(server.err), 'the line in the log');
  assert_error(await server.ask('huge'), 503, { code: 'host_too_large' });
  const doctor = await run(['doctor', '--config', path.join(server.dir, 'mainstay.toml'), '--data', server.data]);
  assert.match(doctor.out, /host gpu\s+no GPU/, doctor.out);
});
