// BullMQ doing what jobs.cpp does: jobs with a key of their own (jobId), taken by a worker, completed
// with a result. Prints one JSON object. bench/suites/jobs.py runs it; its arguments are --name value.
//   single  a job for each add(), a new one when one has ended
//   bulk    as many in one addBulk() as have ended meanwhile
//   two     producer and worker in processes of their own, as many outstanding, a quarter in each addBulk()
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const options = { shape: 'single', outstanding: '256', seconds: '3', warm: '1', rate: '0', port: '', peers: '', payload: '512', role: '' };
for (let i = 2; i + 1 < process.argv.length; i += 2) options[process.argv[i].slice(2)] = process.argv[i + 1];
const { Queue, Worker } = createRequire(options.peers + '/')('bullmq');
const connection = { host: '127.0.0.1', port: Number(options.port), maxRetriesPerRequest: null };
const outstanding = Number(options.outstanding), seconds = Number(options.seconds), warm = Number(options.warm);
const data = { text: 'x'.repeat(Number(options.payload) - 11) };
const BULK = Math.max(1, outstanding / 4);  // of the two processes

const order = () => ({ name: 'bench', data: { ...data, at: performance.now() }, opts: { jobId: randomUUID(), removeOnComplete: true, attempts: 3 } });
const add = (queue) => { const o = order(); return queue.add(o.name, o.data, o.opts); };
const median = (values, share) => {
  values.sort((a, b) => a - b);
  return values.length ? values[Math.min(values.length - 1, Math.floor(share * values.length))] : 0;
};

async function produce() {
  const queue = new Queue('bench', { connection });
  let ended = 0, made = 0, filling = false;
  const fill = async () => {
    if (filling) return;
    filling = true;
    while (made - ended <= outstanding - BULK) {
      made += BULK;
      await queue.addBulk(Array.from({ length: BULK }, order));
    }
    filling = false;
  };
  process.on('message', (message) => {
    if (message.stop) {
      process.send({ cpu: process.cpuUsage() }, () => process.exit(0));
      return;
    }
    if (message.mark) process.send({ cpu: process.cpuUsage() });
    ended = message.ended;
    fill();
  });
  await fill();
}

async function main() {
  const queue = new Queue('bench', { connection });
  await queue.waitUntilReady();
  const two = options.shape === 'two';
  const rate = Number(options.rate);
  const begin = performance.now() + warm * 1000, end = begin + seconds * 1000;
  let ended = 0, counted = 0, free = 0, adding = false, over = false;
  const whole = [];
  const refill = async () => {
    if (adding) return;
    adding = true;
    while (free > 0 && !over) {
      const n = free;
      free = 0;
      await queue.addBulk(Array.from({ length: n }, order));
    }
    adding = false;
  };
  const worker = new Worker('bench', async () => ({ ok: true }),
    { connection, concurrency: outstanding });
  worker.on('error', (error) => { console.error(String(error)); });
  worker.on('completed', (job) => {
    const now = performance.now();
    ++ended;
    if (now >= begin && now < end) {
      ++counted;
      if (!two) whole.push(now - job.data.at);
    }
    if (over || two || rate > 0) return;
    if (options.shape === 'bulk') {
      ++free;
      setImmediate(refill);
    } else {
      add(queue);
    }
  });
  await worker.waitUntilReady();

  let other = null, telling = null, others = { user: 0, system: 0 };
  if (two) {
    other = fork(fileURLToPath(import.meta.url), [...process.argv.slice(2), '--role', 'producer']);
    other.on('message', (message) => { others = message.cpu; });
    other.on('error', () => {});  // a message on its way while the producer ends
    telling = setInterval(() => other.connected && other.send({ ended }), 1);
  } else if (rate > 0) {
    const start = performance.now();
    let made = 0;
    setInterval(() => {
      while (!over && made < (performance.now() - start) * rate / 1000) { ++made; add(queue); }
    }, 1).unref();
  } else if (options.shape === 'bulk') {
    free = outstanding;
    await refill();
  } else {
    for (let i = 0; i < outstanding; ++i) add(queue);
  }

  await new Promise((done) => { setTimeout(done, begin - performance.now()); });
  const cpu = process.cpuUsage();
  if (two) other.send({ ended, mark: true });
  console.log(JSON.stringify({ mark: 'begin' }));
  await new Promise((done) => { setTimeout(done, end - performance.now()); });
  over = true;
  const used = process.cpuUsage(cpu);
  console.log(JSON.stringify({ mark: 'end' }));
  if (two) {
    clearInterval(telling);
    const before = others;
    const stopped = new Promise((done) => { other.on('exit', done); });
    other.send({ stop: true });
    await stopped;
    used.user += others.user - before.user;
    used.system += others.system - before.system;
  }
  console.log(JSON.stringify({
    shape: options.shape, jobs: counted, jobs_s: counted / seconds, end_p50_ms: median(whole, 0.5),
    end_p99_ms: median(whole, 0.99), client_cpu_s: (used.user + used.system) / 1e6,
  }));
  process.exit(0);
}

await (options.role === 'producer' ? produce() : main());
