// Faults of the machine for a test: failing or slow system calls, limits, a held database, a service
// manager's socket. What this machine cannot do makes the test skip, with the word why.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { cleanup } from './harness.mjs';

const has = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const root = process.getuid?.() === 0;

/** Why a test that needs these programs (and to be root) cannot run here; false when it can. */
export function missing(programs, { as_root = false } = {}) {
  const none = programs.filter((p) => !has(p));
  if (none.length) return `needs ${none.join(', ')}`;
  if (as_root && !root) return 'needs root';
  return false;
}

/** Resolves once `child` has printed text that matches; rejects when it ends before. */
function printed(child, stream, pattern) {
  return new Promise((resolve, reject) => {
    let text = '';
    child[stream].on('data', (d) => { text += d; if (pattern.test(text)) resolve(text); });
    child.on('close', (code) => reject(new Error(`ended with ${code}: ${text}`)));
    child.on('error', reject);
  });
}

/** Makes system calls of a running process fail or wait: inject(t, pid, ['fdatasync:error=EIO']). */
export async function inject(t, pid, faults) {
  const calls = faults.map((f) => f.split(':')[0]).join(',');
  const args = ['-f', '-o', '/dev/null', '-p', String(pid), '-e', `trace=${calls}`,
    ...faults.flatMap((f) => ['-e', `inject=${f}`])];
  const strace = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((go) => strace.on('close', go));
  const stop = async () => { strace.kill('SIGINT'); await ended; };
  cleanup(t, stop);
  await printed(strace, 'stderr', /attached/);
  return stop;
}

/** Holds the write lock of an SQLite file until the returned function is called. */
export async function hold_database(t, file) {
  const code = 'import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], isolation_level=None)\n' +
    'db.execute("BEGIN IMMEDIATE")\nprint("held", flush=True)\nsys.stdin.read()\n';
  const holder = spawn('python3', ['-c', code, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((go) => holder.on('close', go));
  const release = async () => { holder.stdin.end(); await ended; };
  cleanup(t, release);
  await printed(holder, 'stdout', /held/);
  return release;
}

/** A service manager's socket: {path, messages, until(text)}. */
export async function service_manager(t, dir) {
  const file = path.join(dir, 'notify');
  const code = 'import os, socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n' +
    's.bind(sys.argv[1])\nprint("ready", flush=True)\n' +
    'while True:\n    print(s.recv(4096).decode().replace("\\n", " | "), flush=True)\n';
  const listener = spawn('python3', ['-c', code, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const manager = { path: file, messages: [] };
  const ended = new Promise((go) => listener.on('close', go));
  cleanup(t, async () => { listener.kill('SIGKILL'); await ended; });
  await printed(listener, 'stdout', /ready/);
  let rest = '';
  listener.stdout.on('data', (d) => {
    const lines = (rest + d).split('\n');
    rest = lines.pop();
    manager.messages.push(...lines);
  });
  return manager;
}

/** Figures of a process from /proc: threads, descriptors, cpu_ms. */
export function process_figures(pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return { threads: Number(stat[17]), descriptors: fs.readdirSync(`/proc/${pid}/fd`).length,
    cpu_ms: (Number(stat[11]) + Number(stat[12])) * 10 };
}

/** Times of `count` calls in ms, sorted; `of(times, 0.99)` is a quantile. */
export async function times_of(count, call) {
  const times = [];
  for (let i = 0; i < count; i += 1) {
    const began = performance.now();
    await call(i);
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b);
}
export const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
