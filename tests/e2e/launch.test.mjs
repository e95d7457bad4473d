// `mainstay launch` and `mainstay worker`: a web process and worker processes over Redis, a job that
// kills its worker, a child that cannot start, one that hangs, a launcher that is killed.
// proves fault_33, fault_34, fault_35
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { BIN, cleanup, pause, provide, provider_entry, run, Server, temp_dir, write_config } from './lib/harness.mjs';
import { ENDS } from './lib/events.mjs';
import { missing, process_figures } from './lib/machine.mjs';
import { redis } from './lib/redis.mjs';

const skip = missing(['redis-server']);
const QUICK_JOBS = { backoff_min: '10ms', backoff_max: '50ms', lease: '1s', events: { recheck: '500ms' } };
const QUICK_STARTS = { backoff_min: '50ms', backoff_max: '200ms' };

const chat = (text, more = {}) =>
  ({ kind: 'chat', input: { model: 'model-a', messages: [{ role: 'user', content: text }], ...more } });

const alive = (pid) => {
  try {
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch { return false; }
};

/** The settings of a test, in a folder of their own. */
function settings(t, { provider, queue, jobs = {}, launch = {}, more = {} }) {
  const dir = temp_dir(t);
  const config = {
    limits: { enabled: false },
    models: { discover: false, retry_base: '5ms', retry_cap: '40ms' },
    log: { level: 'info', sink: 'stderr' },
    jobs: { ...QUICK_JOBS, ...jobs }, launch: { ...QUICK_STARTS, ...launch },
    providers: provider ? [provider_entry(provider)] : [],
    ...(queue ? { storage: { redis_url: queue.url } } : {}), ...more,
  };
  return { dir, file: write_config(dir, config), data: path.join(dir, 'data') };
}

/** A running `mainstay launch`, with its processes. */
class Launched extends Server {
  children() {
    try {
      return JSON.parse(fs.readFileSync(path.join(this.data, 'launch.json'), 'utf8')).children;
    } catch { return []; }
  }
  one(name) { return this.children().find((one) => one.name === name); }
  all_run() { return this.until(() => this.children().length > 0 && this.children().every((one) => one.state === 'running'), 'all run', 20_000); }
  async runs(name, restarts = 0) {
    await this.until(() => {
      const one = this.one(name);
      return one?.state === 'running' && one.restarts >= restarts;
    }, `${name} runs after ${restarts} restarts`, 30_000);
    return this.one(name);
  }
}
async function launch(t, place, args = []) {
  const server = new Launched({ dir: place.dir, data: place.data, command: 'launch', args: ['--config', place.file, ...args] });
  cleanup(t, () => server.stop());
  await server.up();
  await server.all_run();
  return server;
}

/** A `mainstay worker` by itself. */
async function worker(t, place, ...args) {
  const child = spawn(BIN, ['worker', '--config', place.file, '--data', place.data, ...args],
    { env: { PATH: process.env.PATH, HOME: place.dir }, stdio: ['ignore', 'pipe', 'pipe'] });
  const self = { child, out: '', err: '', exit: null };
  child.stdout.on('data', (d) => (self.out += d));
  child.stderr.on('data', (d) => (self.err += d));
  self.ended = new Promise((go) => child.on('close', (code, signal) => { self.exit = { code, signal }; go(self.exit); }));
  self.stop = async (signal = 'SIGTERM') => { child.kill(signal); return self.ended; };
  cleanup(t, () => (self.exit ? null : self.stop('SIGKILL')));
  for (let i = 0; !/takes jobs/.test(self.out) && !self.exit && i < 1000; ++i) await pause(20);
  assert.equal(self.exit, null, self.err);
  return self;
}

async function submit(server, order) {
  const reply = await server.post('/v1/jobs', order);
  assert.equal(reply.status, 202, reply.text);
  return reply.json.id;
}
async function job_of(server, id) {
  const reply = await server.get(`/v1/jobs/${id}`);
  assert.equal(reply.status, 200, reply.text);
  return reply.json;
}
async function reaches(server, id, state, limit_ms = 20_000) {
  let job;
  await server.until(async () => {
    job = await job_of(server, id);
    assert.ok(job.state === state || !ENDS.includes(job.state), `${job.state} instead of ${state}: ${JSON.stringify(job)}`);
    return job.state === state;
  }, `${id} is ${state}`, limit_ms);
  return job;
}
const asked = (provider, text) => provider.requests.filter((one) => one.format && one.body.messages.at(-1).content === text);

test('launch: workers take the jobs, the web process keeps what needs its data', { skip }, async (t) => {
  const [provider, queue] = [await provide(t), await redis(t)];
  const server = await launch(t, settings(t, { provider, queue, launch: { worker_processes: 2 } }));
  assert.deepEqual(server.children().map((one) => one.name), ['web', 'worker-1', 'worker-2']);
  const ready = (await server.get('/health/ready')).json;
  await server.until(async () => {
    const told = (await server.get('/health/ready')).json.processes?.children ?? [];
    return told.length === 3 && told.every((one) => one.state === 'running');
  }, 'processes told');
  assert.equal(ready.status, 'ready');

  const anywhere = await submit(server, chat('anywhere'));
  const at_home = await submit(server, chat('at home', { conversation: 'conv-home' }));
  assert.equal((await reaches(server, anywhere, 'succeeded')).kind, 'chat');
  assert.equal((await reaches(server, at_home, 'succeeded')).kind, 'chat');
  assert.equal((await server.get('/v1/conversations/conv-home')).json.messages.length, 2);
  const document = { kind: 'ingest', input: { collection: 'c', text: 'The lighthouse of Alexandria stood for centuries.' } };
  await reaches(server, await submit(server, document), 'succeeded');
  assert.equal((await server.get('/v1/jobs?kind=ingest')).json.data.length, 1);
  const ran_here = (await server.metrics())('mainstay_jobs_run_seconds_count', { kind: 'chat' }) ?? 0;
  assert.equal(ran_here, 1, 'the one with a conversation alone');

  server.child.kill('SIGUSR1');
  await server.until(() => /worker-2: running, pid \d+, 0 restarts/.test(server.out), 'the status is printed');
  const status = await run(['status', '--data', server.data, '--json']);
  const row = JSON.parse(status.out).checks.find((one) => one.check === 'processes');
  assert.equal(row.state, 'ok', status.out);

  const pids = server.children().map((one) => one.pid);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  assert.deepEqual(pids.filter(alive), []);
  assert.ok(!fs.existsSync(path.join(server.data, 'launch.json')));
});

test('without Redis jobs run inside the web process, and it is said', async (t) => {
  const provider = await provide(t);
  const server = await launch(t, settings(t, { provider, launch: { worker_processes: 2 } }));
  assert.deepEqual(server.children().map((one) => one.name), ['web']);
  await server.until(() => /worker processes need storage.redis_url/.test(server.err), 'the line in the log');
  await reaches(server, await submit(server, chat('inside')), 'succeeded');
});

test('a worker without Redis refuses with the reason and what to do', async (t) => {
  const refused = await run(['worker', '--data', path.join(temp_dir(t), 'data')]);
  assert.equal(refused.code, 78);
  assert.match(refused.err, /one process owns the database.*jobs\.workers/);
  assert.equal((await run(['worker', '--name', '../x', '--data', temp_dir(t)])).code, 2);
});

test('a worker by itself: figures on its own address, and what it runs it finishes before it goes', { skip }, async (t) => {
  const [provider, queue] = [await provide(t), await redis(t)];
  const place = settings(t, { provider, queue, jobs: { runs: 'own' } });
  const server = new Server({ dir: place.dir, data: place.data, args: ['--config', place.file] });
  cleanup(t, () => server.stop());
  await server.up();
  const one = await worker(t, place, '--listen', '127.0.0.1:0');
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(one.out)[0];
  assert.equal((await fetch(`${url}/health`)).status, 200);
  assert.match(await (await fetch(`${url}/metrics`)).text(), /mainstay_jobs_depth/);
  assert.equal((await fetch(`${url}/v1/models`)).status, 404, 'it answers no questions');
  provider.script({ match: { text: 'finish me' }, replies: [{ text: 'done', gate: 'go' }] });
  const id = await submit(server, chat('finish me'));
  await reaches(server, id, 'running');
  one.child.kill('SIGTERM');
  await server.until(() => one.err.includes('engine.stopping'), 'the worker stops');
  const waiting = await submit(server, chat('for the next one'));
  await pause(500);
  assert.equal(one.exit, null, 'it waits for its job');
  provider.open('go');
  assert.deepEqual(await one.ended, { code: 0, signal: null }, one.err);
  assert.equal((await job_of(server, id)).state, 'succeeded');
  assert.equal((await job_of(server, id)).attempts, 1);
  assert.equal((await job_of(server, waiting)).state, 'queued', 'it took no more');
  await worker(t, place);
  await reaches(server, waiting, 'succeeded');
});

// Row 33: the job brings down whoever runs it, three times; then it is dead and the rest goes on.
test('a job that kills its worker is given up after three, and the web process stays', { skip }, async (t) => {
  const [provider, queue] = [await provide(t), await redis(t)];
  const server = await launch(t, settings(t, { provider, queue, jobs: { workers: 1 } }));
  const web = server.one('web').pid;
  provider.script({ match: { text: 'poison' }, replies: [{ text: 'never', gate: 'never' }], repeat: true });
  const id = await submit(server, chat('poison'));
  for (let kills = 1; kills <= 3; ++kills) {
    await server.until(() => asked(provider, 'poison').length >= kills, `attempt ${kills}`, 20_000);
    process.kill(server.one('worker-1').pid, 'SIGKILL');
    await server.runs('worker-1', kills);
  }
  const dead = await reaches(server, id, 'dead');
  assert.equal(dead.attempts, 3);
  assert.match(JSON.stringify(dead.error), /poison|vanish|silent|lease/i);
  assert.equal(asked(provider, 'poison').length, 3);
  assert.equal(server.one('worker-1').restarts, 3);
  assert.equal(server.one('web').pid, web);
  await reaches(server, await submit(server, chat('after it')), 'succeeded');
});

// Row 34: a worker that cannot start is tried five more times and then left alone; the rest serves.
test('a child that cannot start is given up, the rest serves, and SIGHUP gives it another life', { skip }, async (t) => {
  const [provider, queue] = [await provide(t), await redis(t)];
  const place = settings(t, { provider, queue, launch: { worker_processes: 2 } });
  const holder = await worker(t, place, '--name', '1');  // owns worker-1's folder
  const server = new Launched({ dir: place.dir, data: place.data, command: 'launch', args: ['--config', place.file] });
  cleanup(t, () => server.stop());
  await server.up();
  await server.until(() => server.one('worker-1')?.state === 'degraded', 'given up', 30_000);
  assert.equal(server.one('worker-1').restarts, 5);
  assert.equal(server.one('worker-1').last_exit, 'exit code 75');
  await server.runs('worker-2');
  await reaches(server, await submit(server, chat('the rest serves')), 'succeeded');
  await server.until(async () => {
    const ready = await server.get('/health/ready');
    return ready.status === 200 && ready.json.processes?.children.some((one) => one.state === 'degraded');
  }, 'readiness tells it');
  const status = await run(['status', '--data', server.data]);
  assert.equal(status.code, 1);
  assert.match(status.out, /worker-1 is degraded \(exit code 75\)/);
  const before = process_figures(server.child.pid).cpu_ms;
  await pause(2000);
  const spent = process_figures(server.child.pid).cpu_ms - before;
  assert.ok(spent <= 60, `the launcher used ${spent} ms of processor time in 2 s`);
  assert.equal(server.one('worker-1').restarts, 5, 'never a loop');
  await holder.stop();
  server.child.kill('SIGHUP');
  await server.runs('worker-1');
});

// Row 35: a child that hangs is found by its silence and replaced; its job goes to another attempt.
test('a worker that hangs is killed within eight seconds and its job done by the next', { skip }, async (t) => {
  const [provider, queue] = [await provide(t), await redis(t)];
  const server = await launch(t, settings(t, { provider, queue }));
  provider.script({ match: { text: 'slow' }, replies: [{ text: 'late', gate: 'never' }, { text: 'in time' }] });
  const id = await submit(server, chat('slow'));
  await server.until(() => asked(provider, 'slow').length === 1, 'asked');
  const { pid } = server.one('worker-1');
  const began = performance.now();
  process.kill(pid, 'SIGSTOP');
  await server.until(() => !alive(pid), 'killed', 9_000);
  const took = performance.now() - began;
  t.diagnostic(`found after ${Math.round(took)} ms`);
  assert.ok(took <= 8_000, `${took} ms`);
  const again = await server.runs('worker-1', 1);
  assert.equal(again.last_exit, 'killed: no sign of life');
  const job = await reaches(server, id, 'succeeded');
  assert.equal(job.attempts, 2);
  assert.equal(job.result.choices[0].message.content, 'in time');
});

test('a web process that is killed comes again at the same address', { skip }, async (t) => {
  const [provider, queue] = [await provide(t), await redis(t)];
  const first = await launch(t, settings(t, { provider, queue }), ['--set', 'launch.backoff_min=10ms']);
  const { port } = first;
  await first.stop();
  const place = { dir: first.dir, file: path.join(first.dir, 'mainstay.toml'), data: first.data };
  const server = new Launched({ dir: place.dir, data: place.data, command: 'launch',
    args: ['--config', place.file, '--set', `server.listen=127.0.0.1:${port}`] });
  cleanup(t, () => server.stop());
  await server.up({ ready: false });
  const id = await submit(server, chat('kept'));
  process.kill(server.one('web').pid, 'SIGKILL');
  await server.runs('web', 1);
  assert.equal(server.one('web').last_exit, 'signal 9 (Killed)');
  await reaches(server, id, 'succeeded');
});

test('a launcher that is killed takes its children along, and the next start finds everything free', { skip }, async (t) => {
  const [provider, queue] = [await provide(t), await redis(t)];
  const place = settings(t, { provider, queue });
  const server = await launch(t, place);
  const pids = server.children().map((one) => one.pid);
  await server.kill();
  await server.until(() => pids.every((pid) => !alive(pid)), 'no orphans');
  const next = await launch(t, place);
  await reaches(next, await submit(next, chat('after the fall')), 'succeeded');
  const second = await run(['launch', '--config', place.file, '--data', place.data]);
  assert.equal(second.code, 75);
  assert.match(second.err, /Another `mainstay launch` uses/);
});

test('a web process that cannot start ends the launcher with its exit code, without a loop', async (t) => {
  const place = settings(t, { launch: { restarts_max: 2 } });
  const wrong = await run(['launch', '--config', place.file, '--data', place.data, '--set', 'server.listen=0.0.0.0:0']);
  assert.equal(wrong.code, 78, wrong.err);
  assert.equal((wrong.err.match(/"event":"child.started"|child\.started/g) ?? []).length, 1);
  fs.mkdirSync(place.data, { recursive: true });
  const holder = await launch(t, settings(t, {}));
  const taken = await run(['launch', '--config', place.file, '--data', place.data, '--listen', `127.0.0.1:${holder.port}`]);
  assert.notEqual(taken.code, 0);
  assert.equal((taken.err.match(/child\.started/g) ?? []).length, 3, taken.err);
});
