// A Redis server of a test's own, over TCP. Used by the suites about jobs and processes.
import { spawn } from 'node:child_process';
import net from 'node:net';
import { cleanup, free_port, temp_dir } from './harness.mjs';

/** Starts a server that loses nothing it acknowledged: {url, port, end, ask}. */
export async function redis(t, { host = '127.0.0.1', more = [] } = {}) {
  const dir = temp_dir(t);
  const port = await free_port(host);
  const child = spawn('redis-server', ['--port', String(port), '--bind', host, '--dir', dir, '--save', '',
    '--protected-mode', 'no', '--appendonly', 'yes', '--appendfsync', 'always', ...more],
  { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((go) => child.on('close', go));
  const end = async () => { child.kill('SIGKILL'); await ended; };
  cleanup(t, end);
  await new Promise((go) => child.stdout.on('data', (d) => { if (/Ready to accept/.test(String(d))) go(); }));
  return { url: `redis://${host}:${port}/0`, port, end, ask: (...words) => ask(host, port, words) };
}

/** One command; the reply as it came, without its framing where that is simple. */
export function ask(host, port, words) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, host, () => {
      socket.write(`*${words.length}\r\n${words.map((w) => `$${Buffer.byteLength(w)}\r\n${w}\r\n`).join('')}*1\r\n$4\r\nQUIT\r\n`);
    });
    let text = '';
    socket.on('data', (d) => (text += d));
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}
