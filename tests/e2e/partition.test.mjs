// A worker in a network of its own is cut off from Redis while it has a job, and comes back: another
// worker does the job, and what the late one says changes nothing.
// proves fault_32
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { BIN, cleanup, pause, provide, provider_entry, Server, temp_dir, write_config } from './lib/harness.mjs';
import { missing } from './lib/machine.mjs';
import { redis } from './lib/redis.mjs';

/** PARTITION_SECONDS=60 is the length that the fault matrix names. */
const CUT_MS = Number(process.env.PARTITION_SECONDS ?? 12) * 1000;

const ip = (...words) => spawnSync('ip', words, { encoding: 'utf8' });
function must(...words) {
  const { status, stderr } = ip(...words);
  assert.equal(status, 0, `ip ${words.join(' ')}: ${stderr}`);
}

/** Why network namespaces cannot be made here; false when they can. */
function no_namespaces() {
  const none = missing(['ip', 'redis-server'], { as_root: true });
  if (none) return none;
  const name = `mst-probe-${process.pid}`;
  const made = ip('netns', 'add', name).status === 0;
  const linked = made && ip('link', 'add', `mp${process.pid}`, 'type', 'veth', 'peer', 'name', 'p0', 'netns', name).status === 0;
  if (made) ip('netns', 'del', name);
  return linked ? false : 'this machine does not let us make network namespaces';
}
const skip = no_namespaces();

/** A namespace with a cable to Redis and another one to the provider: {name, redis, provider}. */
function network(t) {
  const name = `mst-${process.pid}`;
  const net = { name, cable: `mr${process.pid}`, redis: '10.231.87.1', provider: '10.231.87.5' };
  must('netns', 'add', name);
  cleanup(t, () => { ip('netns', 'del', name); });
  for (const [cable, inner, ours, theirs] of [[net.cable, 'r0', net.redis, '10.231.87.2'],
    [`mq${process.pid}`, 'q0', net.provider, '10.231.87.6']]) {
    must('link', 'add', cable, 'type', 'veth', 'peer', 'name', inner, 'netns', name);
    cleanup(t, () => { ip('link', 'del', cable); });  // with the namespace it would go later, by itself
    must('addr', 'add', `${ours}/30`, 'dev', cable);
    must('link', 'set', cable, 'up');
    must('-n', name, 'addr', 'add', `${theirs}/30`, 'dev', inner);
    must('-n', name, 'link', 'set', inner, 'up');
  }
  must('-n', name, 'link', 'set', 'lo', 'up');
  return net;
}

async function worker(t, place, name, before = []) {
  const [program, ...words] = [...before, BIN, 'worker', '--config', place.file, '--data', place.data,
    '--name', name, '--listen', '127.0.0.1:0'];
  const child = spawn(program, words, { env: { PATH: process.env.PATH, HOME: place.dir }, stdio: ['ignore', 'pipe', 'pipe'] });
  const self = { child, out: '', err: '', exit: null };
  child.stdout.on('data', (d) => (self.out += d));
  child.stderr.on('data', (d) => (self.err += d));
  self.ended = new Promise((go) => child.on('close', (code, signal) => { self.exit = { code, signal }; go(self.exit); }));
  self.stop = async () => { child.kill('SIGTERM'); return self.ended; };
  cleanup(t, async () => { if (!self.exit) { child.kill('SIGKILL'); await self.ended; } });
  const address = /http:\/\/127\.0\.0\.1:\d+/;
  for (let i = 0; !address.test(self.out) && !self.exit && i < 1000; ++i) await pause(20);
  assert.equal(self.exit, null, self.err);
  self.url = address.exec(self.out)[0];
  return self;
}

/** A figure of the worker inside the namespace. */
function figure(net, url, name) {
  const read = `fetch('${url}/metrics').then((r) => r.text()).then((t) => console.log(t))`;
  const { stdout } = spawnSync('ip', ['netns', 'exec', net.name, process.execPath, '-e', read], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** Every command that Redis runs from now on: {text}. */
async function monitor(t, queue, net) {
  const seen = { text: '' };
  const socket = connect(queue.port, net.redis);
  cleanup(t, () => socket.destroy());
  socket.on('data', (d) => (seen.text += d));
  socket.on('error', () => {});
  socket.write('*1\r\n$7\r\nMONITOR\r\n');
  await new Promise((go) => socket.once('data', go));
  return seen;
}

const chat = (text) => ({ kind: 'chat', input: { model: 'model-a', messages: [{ role: 'user', content: text }] } });

/** `refused`: its late word is still under way when the cable is back, and must be refused there. */
async function cut_off(t, { cut_ms, lease_ms, reply_timeout, refused }) {
  const net = network(t);
  const queue = await redis(t, { host: net.redis });
  const provider = await provide(t, { host: net.provider });
  const dir = temp_dir(t);
  const place = { dir, data: path.join(dir, 'data'), file: write_config(dir, {
    limits: { enabled: false }, models: { discover: false, retry_base: '5ms', retry_cap: '40ms' },
    jobs: { runs: 'own', lease: `${lease_ms}ms`, poll: '1s', backoff_min: '10ms', backoff_max: '50ms' },
    storage: { redis_url: queue.url }, redis: { reply_timeout },
    providers: [provider_entry(provider, { base_url: `http://${net.provider}:${provider.port}/v1` })] }) };
  const server = new Server({ dir, data: place.data, args: ['--config', place.file] });
  cleanup(t, () => server.stop());
  await server.up();
  const asked = (text) => provider.requests.filter((one) => one.format && one.body.messages.at(-1).content === text).length;
  const job_of = async (id) => (await server.get(`/v1/jobs/${id}`)).json;
  const submit = async (text) => (await server.post('/v1/jobs', chat(text))).json.id;

  const far = await worker(t, place, 'far', ['ip', 'netns', 'exec', net.name]);
  provider.script({ match: { text: 'twice' }, replies: [{ text: 'of the late one', gate: 'late' }, { text: 'of the other' }] });
  const id = await submit('twice');
  await server.until(() => asked('twice') === 1, 'the far worker has it');
  const near = await worker(t, place, 'near');

  const arrived = await monitor(t, queue, net);
  must('link', 'set', net.cable, 'down');
  const began = performance.now();
  provider.open('late');  // its result is ready while it cannot tell anyone
  await server.until(async () => (await job_of(id)).state === 'succeeded', 'the other one has done it', 20_000);
  const took = performance.now() - began;
  t.diagnostic(`done by the other after ${Math.round(took)} ms, with a lease of ${lease_ms} ms`);
  await pause(Math.max(0, cut_ms - took));
  must('link', 'set', net.cable, 'up');

  // It takes work again by itself, which comes after whatever it had to say of the first job.
  await near.stop();
  const after = await submit('after it healed');
  await server.until(async () => (await job_of(after)).state === 'succeeded', 'the far worker is back', 60_000);
  const job = await job_of(id);
  assert.equal(job.attempts, 2);
  assert.equal(job.result.choices[0].message.content, 'of the other');
  assert.equal(asked('twice'), 2);
  const figures = (await server.get('/v1/jobs?state=succeeded')).json.data;
  assert.equal(figures.filter((one) => one.id === id).length, 1);
  // The worker has given up waiting for the answer: that its word arrived is seen at Redis.
  const late = () => arrived.text.split('\n').filter((line) => line.includes('of the late one')).length;
  if (refused) await server.until(() => late() >= 1, 'its late word arrives', 30_000);
  t.diagnostic(`late results that arrived: ${late()}`);
  assert.deepEqual((await job_of(id)).result, job.result);
  assert.equal(figure(net, far.url, 'mainstay_jobs_completed_total'), 1, 'the one after it healed');
  assert.deepEqual(await far.stop(), { code: 0, signal: null }, far.err);
}

test('a worker that is cut off for long loses its job to another one, and comes back', { skip },
  (t) => cut_off(t, { cut_ms: CUT_MS, lease_ms: 2000, reply_timeout: '5s', refused: false }));

test('the result that a worker sent while it was cut off is refused when it arrives', { skip },
  (t) => cut_off(t, { cut_ms: 10_000, lease_ms: 8000, reply_timeout: '60s', refused: true }));
