// The machine runs short under a running server: a full disk, no inodes, memory and heat. The disk is
// a small tmpfs; memory, stalls and heat are files below resources.machine_root.
// proves Z13, Z18, Z19, fault rows 5, 6, 12, 14
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { assert_error, cleanup, pair, pause, run, temp_dir } from './lib/harness.mjs';
import { inject, missing } from './lib/machine.mjs';
import { admin_of, bearer, known, new_key } from './lib/people.mjs';

const ask = (text, more = {}) => ({ model: 'model-a', messages: [{ role: 'user', content: text }], ...more });
const document = (n, size = 0) => ({ title: `t${n}`, text: `Fact number ${n}: the lamp in room ${n} is green. ${'word '.repeat(size)}` });

/** A small file system at its own folder; gone after the test. */
function small_disk(t, options) {
  const dir = temp_dir(t);
  const at = path.join(dir, 'disk');
  fs.mkdirSync(at);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', at], { encoding: 'utf8' });
  cleanup(t, () => { spawnSync('umount', [at]); });
  return mounted.status === 0 ? at : null;
}
const no_disk = missing(['mount', 'umount'], { as_root: true });

/** Fills the disk to its last byte. */
function fill(at, name = 'filler') {
  const file = fs.openSync(path.join(at, name), 'w');
  const block = Buffer.alloc(64 * 1024, 1);
  for (let size = block.length; size >= 512;) {
    try { if (fs.writeSync(file, block, 0, size) < size) size >>= 1; } catch { size >>= 1; }
  }
  fs.closeSync(file);
}
const stats = async (server) => (await server.get('/admin/resources/stats', admin_of(server))).json.resources;

describe('a full disk', () => {
  /** What holds while nothing can be stored. */
  async function read_only(server, kept) {
    for (const [what, got] of [['a document', await server.post('/v1/documents', document('new'))],
      ['a conversation', await server.chat(ask('x', { conversation: 'new' }))],
      ['going on with one', await server.chat(ask('x', { conversation: kept.conversation }))]]) {
      assert_error(got, 507, { code: 'disk_full' });
      assert.match(got.json.error.message, /disk/i, what);
    }
    assert.equal((await server.chat(ask(`not kept ${Math.random()}`))).status, 200, 'a chat that stores nothing goes on');
    for (const target of ['/health', '/health/live', '/v1/documents', '/v1/conversations', `/v1/conversations/${kept.conversation}`, `/v1/documents/${kept.documents[0]}`, '/metrics']) {
      assert.equal((await server.get(target)).status, 200, target);
    }
    assert.equal((await server.post('/v1/search', { query: 'lamp' })).status, 200, 'search');
    const gone = await server.delete(`/v1/documents/${kept.documents.pop()}`);
    assert.equal(gone.status, 200, `deleting works: ${gone.text}`);
    await server.until(async () => /"disk_full"/.test((await server.get('/admin/alerts', admin_of(server))).text), 'an alert');
  }

  async function lived_in(t, data, config = {}) {
    const { server } = await pair(t, { data, config: { resources: { sample_interval: '100ms', hold: '300ms', disk_ballast: '2MiB' }, ...config } });
    const kept = { documents: [] };
    for (let n = 0; n < 6; n += 1) kept.documents.push((await server.post('/v1/documents', document(n, 100))).json.id);
    const chat = await server.chat(ask('remember', { conversation: 'new' }));
    assert.equal(chat.status, 200, chat.text);
    kept.conversation = chat.headers['x-conversation-id'];
    await server.until(() => fs.existsSync(path.join(data, 'ballast.reserve')), 'the ballast is there');
    return { server, kept };
  }

  const recovered = (server, kept) => server.until(async () =>
    (await server.chat(ask(`again ${Math.random()}`, { conversation: kept.conversation }))).status === 200, 'writes are taken again', 20_000);

  test('fault_05_disk_full: 507 for what would be stored, reads and deletes go on, it recovers alone', { skip: no_disk }, async (t) => {
    const disk = small_disk(t, 'size=48m');
    if (!disk) return t.skip('cannot mount a tmpfs here');
    const { server, kept } = await lived_in(t, path.join(disk, 'data'));
    fill(disk);
    await server.until(async () => (await server.post('/v1/documents', document('x'))).status === 507, 'writes are refused');
    await read_only(server, kept);
    assert.ok(!fs.existsSync(path.join(disk, 'data', 'ballast.reserve')), 'the ballast was given back');
    const seen = await stats(server);
    assert.notEqual(seen.writes_stopped, 'none');
    assert.equal(seen.pressures.disk.level, 'hard');
    assert.match((await server.get('/metrics')).text, /mainstay_writes_allowed 0/);
    const ready = await server.get('/health/ready');
    assert.equal(ready.status, 503);
    assert.ok(ready.json.reasons.some((reason) => reason.part === 'disk'), ready.text);
    fs.rmSync(path.join(disk, 'filler'));
    const began = performance.now();
    await recovered(server, kept);
    t.diagnostic(`writes were taken ${Math.round(performance.now() - began)} ms after there was room`);
    await server.until(() => fs.existsSync(path.join(disk, 'data', 'ballast.reserve')), 'the ballast is back');
    assert.equal((await stats(server)).writes_stopped, 'none');
    await server.until(async () => (await server.post('/v1/documents', document('late'))).status === 201, 'uploads too', 15_000);
    t.diagnostic(`uploads were taken ${Math.round(performance.now() - began)} ms after there was room`);
    await server.stop();
    await server.until(() => /"event":"disk.writes"/.test(server.err), 'the line in the log');
    return undefined;
  });

  test('fault_05_disk_full_at_once: filled between two looks, the failed write itself turns writes off', { skip: no_disk }, async (t) => {
    const disk = small_disk(t, 'size=48m');
    if (!disk) return t.skip('cannot mount a tmpfs here');
    const { server, kept } = await lived_in(t, path.join(disk, 'data'), { resources: { sample_interval: '60s', disk_ballast: '2MiB' } });
    fill(disk);
    let refused;
    for (let n = 0; n < 200 && !refused; n += 1) {
      const got = await server.post('/v1/documents', document(`fill ${n}`, 4000));
      if (got.status !== 201) refused = got;
    }
    assert_error(refused, 507, { code: 'disk_full' });
    await server.until(() => !fs.existsSync(path.join(disk, 'data', 'ballast.reserve')), 'the ballast is given back');
    assert.equal((await server.delete(`/v1/documents/${kept.documents[0]}`)).status, 200, 'deleting works');
    assert.equal((await server.get('/v1/documents')).status, 200);
    return undefined;
  });

  test('fault_06_no_inodes: the same when only inodes are gone', { skip: no_disk }, async (t) => {
    const disk = small_disk(t, 'size=64m,nr_inodes=200');
    if (!disk) return t.skip('cannot mount a tmpfs here');
    const { server, kept } = await lived_in(t, path.join(disk, 'data'));
    const folder = path.join(disk, 'many');
    fs.mkdirSync(folder);
    try { for (let n = 0; n < 400; n += 1) fs.writeFileSync(path.join(folder, `${n}`), ''); } catch { /* full */ }
    await server.until(async () => (await server.post('/v1/documents', document('x'))).status === 507, 'writes are refused');
    await read_only(server, kept);
    assert.equal((await stats(server)).writes_stopped, 'no_inodes');
    fs.rmSync(folder, { recursive: true });
    await recovered(server, kept);
    return undefined;
  });

  test('fault_05_start_on_a_full_disk: one sentence with the figures, exit code 75; with room it starts', { skip: no_disk }, async (t) => {
    const disk = small_disk(t, 'size=8m');
    if (!disk) return t.skip('cannot mount a tmpfs here');
    const data = path.join(disk, 'data');
    const refused = async () => {
      const got = await run(['serve', '--listen', '127.0.0.1:0', '--data', data, '--set', 'log.sink=none']);
      assert.equal(got.code, 75, `${got.code} ${got.signal} ${got.err}`);
      assert.match(got.err, /No room to start on the disk of .*\/data: \d+ KiB .* free, about 2048 KiB/);
      assert.equal(got.err.trim().split('\n').length, 1, got.err);
    };
    fill(disk);
    await refused();  // not even a folder can be made, or it is empty
    fs.truncateSync(path.join(disk, 'filler'), fs.statSync(path.join(disk, 'filler')).size - 64 * 1024);
    await refused();  // the first database does not fit
    fs.rmSync(path.join(disk, 'filler'));
    const { server } = await pair(t, { data, config: { resources: { disk_ballast: '0' } } });
    assert.equal((await server.get('/health')).status, 200);
    return undefined;
  });

  /** Writes are refused by name, reads go on. */
  async function refuses(server) {
    await server.until(async () => (await server.post('/v1/documents', document('x'))).status !== 201, 'writes are refused');
    const refused = await server.post('/v1/documents', document('y'));
    assert_error(refused, [503, 507].includes(refused.status) ? refused.status : 507, { code: ['disk_full', 'resource_pressure'] });
    assert_error(await server.chat(ask('x', { conversation: 'new' })), 507, { code: 'disk_full' });
    for (const target of ['/health', '/v1/documents', '/v1/conversations']) assert.equal((await server.get(target)).status, 200, target);
    assert.equal((await server.post('/v1/search', { query: 'lamp' })).status, 200);
    assert.equal(server.exit, null, server.tail());
  }

  // A plain remount is refused while a database is open for writing; a file system that aborts its
  // journal becomes read-only all the same, as it does after an error of the disk.
  test('fault_06_read_only_passes: once writing works again it recovers by itself', { skip: missing(['strace'], { as_root: true }) }, async (t) => {
    const { server, kept } = await lived_in(t, path.join(temp_dir(t), 'data'));
    const stop = await inject(t, server.child.pid, ['pwrite64:error=EROFS', 'pwritev:error=EROFS', 'ftruncate:error=EROFS']);
    await refuses(server);
    await stop();
    const began = performance.now();
    await recovered(server, kept);
    await server.until(async () => (await server.post('/v1/documents', document('late'))).status === 201, 'uploads too', 30_000);
    t.diagnostic(`writes and uploads were taken ${Math.round(performance.now() - began)} ms after the disk was writable`);
    return undefined;
  });
});

/** Trees of files that stand for the machine's. */
class Machine {
  constructor(dir) {
    this.root = dir;
    this.put('proc/self/cgroup', '0::/box\n');
    this.put('sys/fs/cgroup/cgroup.controllers', 'memory pids\n');
    this.put('sys/fs/cgroup/box/memory.max', '1000000000\n');
    this.put('sys/fs/cgroup/box/memory.high', 'max\n');
    this.put('sys/fs/cgroup/box/memory.stat', 'inactive_file 0\n');
    this.put('sys/fs/cgroup/box/memory.events', 'low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n');
    this.put('proc/meminfo', 'MemTotal: 4000000 kB\nMemAvailable: 3500000 kB\n');
    this.memory(0.3);
    this.put('sys/class/thermal/thermal_zone0/type', 'soc\n');
    this.put('sys/class/thermal/thermal_zone0/trip_point_0_type', 'passive\n');
    this.put('sys/class/thermal/thermal_zone0/trip_point_0_temp', '95000\n');
    this.heat(50);
  }
  put(name, text) {
    const file = path.join(this.root, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(`${file}.new`, text);
    fs.renameSync(`${file}.new`, file);  // a look never sees half of it
  }
  memory(share) { this.put('sys/fs/cgroup/box/memory.current', `${Math.round(share * 1e9)}\n`); }
  descriptors(count) {
    this.put('proc/self/status', 'VmRSS:\t1000 kB\nThreads:\t3\n');
    this.put('proc/self/stat', '1 (x) S 1 1 1 0 -1 0 0 0 0 0 100 50 0 0\n');
    const fresh = path.join(this.root, 'proc/self/fd.new');
    fs.mkdirSync(fresh);
    for (let i = 0; i < count; i += 1) fs.writeFileSync(path.join(fresh, `${i}`), '');
    const now = path.join(this.root, 'proc/self/fd');
    if (fs.existsSync(now)) fs.renameSync(now, `${fresh}.old`);
    fs.renameSync(fresh, now);
    fs.rmSync(`${fresh}.old`, { recursive: true, force: true });
  }
  heat(degrees) { this.put('sys/class/thermal/thermal_zone0/temp', `${degrees * 1000}\n`); }
}

async function machine(t, resources = {}, more = {}) {
  const root = new Machine(temp_dir(t));
  const data = `${temp_dir(t)}/data`;
  const keys = { ann: (await new_key(data, 'ann')).key, calm: (await new_key(data, 'calm')).key };
  const { server, provider } = await pair(t, { ...more, data, config: { cache: { enabled: true }, resources: {
    machine_root: root.root, sample_interval: '50ms', hold: '400ms', stall_hold: '400ms', heat_hold: '400ms', ...resources } } });
  await known(server, keys.ann);
  await server.until(async () => (await stats(server)).samples > 0, 'a first look');
  const level = async (resource) => (await stats(server)).pressures[resource].level;
  const reaches = (resource, wanted) => server.until(async () => await level(resource) === wanted, `${resource} ${wanted}`);
  const switches = (resource) => server.err.split('\n').filter((l) => l.includes('"event":"pressure.switch"') && l.includes(`"resource":"${resource}"`))
    .map((l) => JSON.parse(l)).map((l) => `${l.from}>${l.to}`);
  return { root, server, provider, level, reaches, switches, as: { ann: bearer(keys.ann) } };
}

describe('memory', () => {
  test('fault_12_memory_pressure: the shed order, step by step; voice stays', async (t) => {
    const { root, server, reaches, level, as } = await machine(t);
    const voice = { ...as.ann, 'x-priority': 'voice' };
    const chats = async () => ({ anonymous: (await server.chat(ask(`a${Math.random()}`))).status,
      known: (await server.chat(ask(`b${Math.random()}`), as.ann)).status, voice: (await server.chat(ask(`c${Math.random()}`), voice)).status });
    assert.equal(await level('memory'), 'normal');
    assert.deepEqual(await chats(), { anonymous: 200, known: 200, voice: 200 });
    root.memory(0.88);
    await reaches('memory', 'soft');
    assert.deepEqual(await chats(), { anonymous: 200, known: 200, voice: 200 }, 'soft sheds only background work');
    const soft = await stats(server);
    assert.deepEqual(soft.shedding.points, ['batch_jobs']);
    assert_error(await server.chat(ask('later'), { ...as.ann, 'x-priority': 'batch' }), 503, { code: 'resource_pressure' });
    root.memory(0.97);
    await reaches('memory', 'hard');
    const shed = await server.chat(ask('x'), as.ann);
    assert_error(shed, 503, { code: 'resource_pressure' });
    assert.ok(Number(shed.headers['retry-after']) >= 1);
    assert.deepEqual(await chats(), { anonymous: 503, known: 503, voice: 200 });
    assert_error(await server.post('/v1/documents', document(1), as.ann), 503, { code: 'resource_pressure' });
    for (const target of ['/health', '/v1/models', '/v1/documents', '/v1/conversations']) assert.equal((await server.get(target, as.ann)).status, 200, target);
    assert.equal((await server.post('/v1/search', { query: 'x' }, as.ann)).status, 200, 'reading what is stored is never shed');
    const hard = await stats(server);
    assert.equal(hard.shedding.permit_factor, 0.5);
    for (const point of ['anonymous_chat', 'authenticated_chat', 'uploads']) assert.ok(hard.shedding.points.includes(point), point);
    assert.ok(!hard.shedding.points.includes('voice_turns'));
    const metrics = (await server.get('/metrics', as.ann)).text;
    assert.match(metrics, /mainstay_resource_level\{resource="memory"\} 2/);
    assert.match(metrics, /mainstay_resource_switches_total\{resource="memory"\} 2/);
    assert.match(metrics, /mainstay_permits_percent 50/);
    assert.match((await server.get('/admin/alerts', admin_of(server))).text, /pressure_memory/);
    let served = 0;
    for (let i = 0; i < 100; i += 1) served += (await server.chat(ask(`v${i}`), voice)).status === 200 ? 1 : 0;
    t.diagnostic(`voice under hard memory pressure: ${served} of 100`);
    assert.ok(served >= 99);
  });

  test('fault_12_recovery: a level is left well below where it was entered, after a while, one step at a time', async (t) => {
    const { root, server, reaches, level, switches, as } = await machine(t);
    root.memory(0.97);
    await reaches('memory', 'hard');
    root.memory(0.92);  // below hard, above where hard is left
    await pause(700);
    assert.equal(await level('memory'), 'hard');
    root.memory(0.3);
    await reaches('memory', 'soft');
    assert.equal((await server.chat(ask('x'), as.ann)).status, 200, 'served again');
    assert.equal((await server.post('/v1/documents', document(1), as.ann)).status, 201);
    await pause(700);
    assert.deepEqual(switches('memory'), ['normal>hard', 'hard>soft'], 'the next step waits: two changes in this minute');
  });

  test('of chats only voice passes at the hard level; other classes are no way round', async (t) => {
    const { root, server, reaches, as } = await machine(t);
    root.memory(0.99);
    await reaches('memory', 'hard');
    assert.equal((await server.chat(ask('x'), { ...as.ann, 'x-priority': 'interactive' })).status, 503);
    assert.equal((await server.chat(ask('x'), { ...as.ann, 'x-priority': 'batch' })).status, 503);
  });

  // proves Z8
  test('fault_12_memory_given_back: the cache is halved at the soft level, empty at the hard one, and free heap goes back', async (t) => {
    const { root, server, reaches, as } = await machine(t, { trim_interval: '1s' });
    const voice = { ...as.ann, 'x-priority': 'voice' };
    const cached = async () => (await stats(server)).accounts.parts.cache.bytes;
    const trims = async () => Number(/mainstay_memory_trims_total (\d+)/.exec((await server.get('/metrics')).text)[1]);
    const before = await stats(server);
    assert.deepEqual(Object.keys(before.accounts.parts).sort(), ['buffers', 'cache', 'index', 'limits', 'log', 'queues', 'sessions', 'vectors']);
    for (const [name, part] of Object.entries(before.accounts.parts)) {
      assert.ok(part.cap_bytes > 0 && part.bytes <= part.cap_bytes, `${name}: ${JSON.stringify(part)}`);
    }
    assert.ok(before.process.heap_bytes > 0, JSON.stringify(before.process));
    assert.match((await server.get('/metrics')).text, /mainstay_heap_bytes [1-9]/);
    for (let i = 0; i < 20; i += 1) await server.chat(ask(`kept ${i}`), voice);
    let full = 0;
    await server.until(async () => { full = await cached(); return full > 20 * 500; }, 'the cache holds the answers');
    const trimmed = await trims();
    root.memory(0.88);
    await reaches('memory', 'soft');
    await server.until(async () => await cached() <= full / 2, 'half of the cache is gone');
    await server.until(async () => await trims() > trimmed, 'the heap was trimmed');
    assert.match((await server.get('/metrics')).text, /mainstay_cache_evictions_total\{reason="pressure"\} [1-9]/);
    root.memory(0.97);
    await reaches('memory', 'hard');
    await server.until(async () => await cached() === 0, 'the cache is empty');
    assert.equal((await server.chat(ask('after'), voice)).status, 200);
  });

  test('the cache is emptied at the hard level', async (t) => {
    const { root, server, provider, reaches, as } = await machine(t);
    const voice = { ...as.ann, 'x-priority': 'voice' };
    const asked = () => provider.requests.filter((r) => r.text === 'same').length;
    for (let i = 0; i < 3; i += 1) await server.chat(ask('same'), voice);
    assert.equal(asked(), 1, 'kept');
    root.memory(0.99);
    await reaches('memory', 'hard');
    await server.until(async () => { await server.chat(ask('same'), voice); return asked() >= 2; }, 'forgotten');
  });
});

describe('descriptors', () => {
  test('fault_09_before_the_end: idle connections go first, then new ones are answered 503', { skip: missing(['prlimit']) }, async (t) => {
    const { root, server, reaches } = await machine(t, {}, { before: ['prlimit', '--nofile=200:200'] });
    root.descriptors(139);
    await pause(200);
    assert.notEqual((await server.get('/health')).headers.connection, 'close');
    root.descriptors(140);  // 70 %
    await reaches('descriptors', 'soft');
    assert.equal((await server.get('/health')).headers.connection, 'close');
    assert.equal((await server.chat(ask('served all the same'))).status, 200);
    root.descriptors(180);
    await server.until(() => /"pressure.switch","resource":"descriptors","from":"soft","to":"hard"/.test(server.err) ||
      /"resource":"descriptors"[^\n]*"to":"hard"/.test(server.err), 'hard');
    const refused = await server.request('GET', '/health', { agent: false });
    assert.equal(refused.status, 503);
    assert.match(refused.text, /too_many_connections/);
    assert.equal(refused.headers['retry-after'], '1');
    root.descriptors(10);
    await server.until(async () => (await server.get('/health/live').catch(() => ({}))).status === 200, 'recovered');
    await server.until(async () => (await server.get('/health')).headers.connection !== 'close', 'kept again');
    assert.ok((await server.metrics())('mainstay_http_refused_total', { reason: 'pressure' }) > 0);
  });
});

describe('heat', () => {
  test('fault_14_heat: 80 to 95 degrees: half the permits, then one; no flapping', async (t) => {
    const { root, server, provider, reaches, level, switches } = await machine(t);
    const permits = async () => Number(/mainstay_admission_permits (\d+)/.exec((await server.get('/metrics')).text)[1]);
    const all = await permits();
    root.heat(86);  // trip 95: soft from 85, hard from 92
    await reaches('heat', 'soft');
    await server.until(async () => await permits() === all / 2, 'half the permits');
    root.heat(94);
    await reaches('heat', 'hard');
    await server.until(async () => await permits() === 1, 'one permit');
    provider.script({ match: { text: 'one' }, replies: [{ text: 'done', delay_ms: 100 }] });
    const got = await Promise.all([server.chat(ask('one')), server.chat(ask('two')), server.chat(ask('three'))]);
    assert.ok(got.every((r) => [200, 503].includes(r.status)), `${got.map((r) => r.status)}`);
    assert.ok(got.some((r) => r.status === 200), 'one at a time goes on');
    for (let i = 0; i < 30; i += 1) {  // on the edge of hard, again and again
      root.heat(i % 2 ? 93 : 91);
      await pause(60);
    }
    assert.equal(await level('heat'), 'hard');
    assert.deepEqual(switches('heat'), ['normal>soft', 'soft>hard'], 'two changes in this minute, no flapping');
    const stats_now = await stats(server);
    assert.equal(stats_now.heat[0].type, 'soc');
    assert.ok(stats_now.level_changes >= 2);
    assert.equal((await server.get('/health')).status, 200);
  });
});
