// Starts the built `mainstay` for a test: temporary data folder, free port, clean environment; talks
// HTTP to it, stops it and checks that it went with exit code 0. Used by every suite.
import assert from 'node:assert/strict';
import { File } from 'node:buffer';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { start } from '../../provider/provider.mjs';
import { SseReader } from './sse.mjs';
import { to_toml } from './toml.mjs';

// Debian 12 has Node 18, where this is not global yet; the openai client wants it for uploads.
globalThis.File ??= File;

export const BIN = path.resolve(process.env.MAINSTAY_BIN ??
  fileURLToPath(new URL('../../../build/dev/mainstay', import.meta.url)));
const START_LIMIT_MS = 20_000;
const STOP_LIMIT_MS = 40_000;

const cleanups = new WeakMap();
/** Runs `undo` when the test (or suite) `t` has ended; the latest first, each even if another fails. */
export function cleanup(t, undo) {
  if (!cleanups.has(t)) {
    cleanups.set(t, []);
    t.after(async () => {
      let failure;
      for (const one of cleanups.get(t).reverse()) {
        try { await one(); } catch (error) { failure ??= error; }
      }
      if (failure) throw failure;
    });
  }
  cleanups.get(t).push(undo);
}

/** Stands for `t` where one server serves a whole suite: made outside, ended in the suite's after(). */
export function scope() {
  const ends = [];
  return { after: (end) => ends.push(end), end: async () => { for (const one of ends) await one(); } };
}

/** A new temporary folder, removed after the test (or suite) `t`. */
export function temp_dir(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mainstay-e2e-'));
  cleanup(t, () => fs.rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** The environment of a started program: nothing of the machine's own keys or addresses. */
function environment(home, env = {}) {
  return { PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8', ...sanitizer_options(), ...env };
}
function sanitizer_options() {
  const kept = ['ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS', 'LSAN_OPTIONS'];
  return Object.fromEntries(kept.filter((k) => process.env[k]).map((k) => [k, process.env[k]]));
}

/** Settings of every test server unless it says otherwise: quick retries, no limits, no discovery. */
const DEFAULTS = {
  limits: { enabled: false },
  models: { discover: false, retry_base: '5ms', retry_cap: '40ms' },
  log: { level: 'info', sink: 'stderr' },
};
function merged(base, more = {}) {
  const out = { ...base };
  for (const [key, value] of Object.entries(more)) {
    const deep = value && typeof value === 'object' && !Array.isArray(value);
    out[key] = deep ? merged(base[key] ?? {}, value) : value;
  }
  return out;
}

/** Runs the program once: {code, signal, out, err}. */
export function run(args, { env, cwd, input, home = os.tmpdir(), limit_ms = 60_000 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(BIN, args, { cwd, env: environment(home, env), stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), limit_ms);
    child.stdout.on('data', (d) => (out += d));
    child.stderr.on('data', (d) => (err += d));
    child.stdin.on('error', () => {});
    child.on('error', reject);
    child.on('close', (code, signal) => { clearTimeout(timer); resolve({ code, signal, out, err }); });
    child.stdin.end(input ?? '');
  });
}

export class Server {
  /** `before`: a program and its arguments that start ours, e.g. ['prlimit', '--nofile=64']. */
  constructor({ dir, data, args = [], env, command = 'serve', before = [] }) {
    Object.assign(this, { dir, data, out: '', err: '', exit: null });
    this.agent = new http.Agent({ keepAlive: true });
    const [program, ...words] = [...before, BIN, command, '--listen', '127.0.0.1:0', '--data', data, ...args];
    this.child = spawn(program, words,
      { env: environment(dir, env), cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
    this.exited = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code, signal) => { this.exit = { code, signal }; resolve(this.exit); });
    });
    this.exited.catch(() => {});
    this.child.stderr.on('data', (d) => (this.err += d));
    this.child.stdout.on('data', (d) => (this.out += d));
  }

  /** Resolves when the address is printed and /health/ready says yes (`ready: false`: address only). */
  async up({ ready = true } = {}) {
    const began = performance.now();
    const address = /http:\/\/127\.0\.0\.1:(\d+)/;
    while (!address.test(this.out)) {
      if (this.exit) throw new Error(`mainstay ended at start: ${JSON.stringify(this.exit)}\n${this.tail()}`);
      if (performance.now() - began > START_LIMIT_MS) throw new Error(`no address printed\n${this.tail()}`);
      await Promise.race([this.exited, new Promise((go) => this.child.stdout.once('data', go)), pause(250)]);
    }
    this.port = Number(address.exec(this.out)[1]);
    this.url = `http://127.0.0.1:${this.port}`;
    // Without keep-alive: a server short of descriptors ends idle connections, maybe under a request.
    const is_ready = async () => (await this.request('GET', '/health/ready', { agent: false })).status === 200;
    if (ready) await this.until(is_ready, 'ready');
    return this;
  }

  /** Asks again until `condition` holds; for states that come about on their own. */
  async until(condition, what, limit_ms = 10_000) {
    const began = performance.now();
    while (!(await condition())) {
      if (performance.now() - began > limit_ms) throw new Error(`did not come true: ${what}\n${this.tail()}`);
      await pause(10);
    }
  }

  tail() {
    return `--- stdout\n${this.out.slice(-1500)}\n--- stderr\n${this.err.slice(-3000)}`;
  }

  /** One HTTP exchange: {status, headers, text, json}. An object body is sent as JSON. */
  request(method, target, { body, headers = {}, agent = this.agent } = {}) {
    return new Promise((resolve, reject) => {
      const raw = body !== undefined && (typeof body === 'string' || Buffer.isBuffer(body));
      const bytes = body === undefined ? undefined : Buffer.from(raw ? body : JSON.stringify(body));
      const type = bytes ? { 'content-type': 'application/json', 'content-length': bytes.length } : {};
      const request = http.request(this.url + target, { method, agent, headers: { ...type, ...headers } });
      request.on('response', (response) => {
        const parts = [];
        response.on('data', (d) => parts.push(d));
        response.on('error', reject);
        response.on('aborted', () => reject(new Error('response cut')));
        response.on('end', () => {
          const text = Buffer.concat(parts).toString('utf8');
          let json;
          try { json = JSON.parse(text); } catch { json = undefined; }
          resolve({ status: response.statusCode, headers: response.headers, text, json });
        });
      });
      request.on('error', reject);
      request.end(bytes);
    });
  }

  get(target, headers) { return this.request('GET', target, { headers }); }
  post(target, body, headers) { return this.request('POST', target, { body, headers }); }
  delete(target, headers) { return this.request('DELETE', target, { headers }); }
  chat(body, headers) { return this.post('/v1/chat/completions', question(body), headers); }

  /** Starts a streamed chat; resolves with an SseReader once the head is there. */
  open_stream(body, headers = {}, target = '/v1/chat/completions') {
    return new Promise((resolve, reject) => {
      const bytes = Buffer.from(JSON.stringify({ ...question(body), stream: true }));
      const request = http.request(this.url + target, { method: 'POST', agent: false, headers: {
        'content-type': 'application/json', 'content-length': bytes.length, ...headers } });
      request.on('response', (response) => resolve(new SseReader(request, response)));
      request.on('error', reject);
      request.end(bytes);
    });
  }

  /** A whole streamed chat: {status, headers, events, text, done, error, ended}. */
  async stream(body, headers) {
    const reader = await this.open_stream(body, headers);
    return reader.all();
  }

  /** Metrics now: metric('name', {label: 'part'}) sums the matching series; undefined when absent. */
  async metrics() {
    const { status, text } = await this.get('/metrics');
    assert.equal(status, 200, text);
    const series = [...text.matchAll(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/gm)]
      .map(([, name, labels = '', value]) => ({ name, labels, value: Number(value) }));
    const metric = (name, want = {}) => {
      const found = series.filter((s) => s.name === name &&
        Object.entries(want).every(([k, v]) => s.labels.includes(`${k}="${v}"`)));
      return found.length ? found.reduce((sum, s) => sum + s.value, 0) : undefined;
    };
    return Object.assign(metric, { series, text });
  }

  /** SIGTERM, then exit code 0 is required. */
  async stop() {
    this.agent.destroy();
    if (this.exit) return this.exit;
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_LIMIT_MS);
    await this.exited;
    clearTimeout(timer);
    assert.deepEqual(this.exit, { code: 0, signal: null }, `SIGTERM must end it with 0\n${this.tail()}`);
    return this.exit;
  }

  async kill() {
    this.agent.destroy();
    this.child.kill('SIGKILL');
    await this.exited;
  }
}

/** A chat body: a bare text becomes one user message; the model defaults to `auto`. */
export function question(body) {
  const ask = typeof body === 'string' ? { messages: [{ role: 'user', content: body }] } : body;
  return { model: 'auto', ...ask };
}

/** A port that nobody listened on a moment ago. */
export async function free_port(host = '127.0.0.1') {
  const probe = net.createServer();
  await new Promise((go) => probe.listen(0, host, go));
  const { port } = probe.address();
  await new Promise((go) => probe.close(go));
  return port;
}

export const pause = (ms) => new Promise((go) => setTimeout(go, ms));

/** Writes a configuration file into `dir` and returns its path. */
export function write_config(dir, config) {
  const file = path.join(dir, 'mainstay.toml');
  fs.writeFileSync(file, to_toml(config));
  return file;
}

/** Starts mainstay for `t` (a test or {after}). Options: config, env, args, data, ready, before. */
export async function serve(t, { config = {}, env, args = [], data, ready, before } = {}) {
  const dir = temp_dir(t);
  const file = write_config(dir, merged(DEFAULTS, config));
  const server = new Server({ dir, data: data ?? path.join(dir, 'data'), env, before, args: ['--config', file, ...args] });
  cleanup(t, () => server.stop());
  await server.up({ ready });
  return server;
}

/** Starts a scripted provider for `t`. */
export async function provide(t, options) {
  const provider = await start(options);
  cleanup(t, () => provider.close());
  return provider;
}

/** The [[providers]] entry of a scripted provider. `kind` decides how its address is written. */
export function provider_entry(provider, { kind = 'openai', name = kind, ...more } = {}) {
  const base_url = kind === 'openai' ? `${provider.url}/v1` : provider.url;
  return { name, kind, base_url, models: Object.keys(provider.models), ...more };
}

/** One scripted provider with mainstay before it: {server, provider}. */
export async function pair(t, { kind = 'openai', config = {}, provider: options, entry, ...more } = {}) {
  const provider = await provide(t, options);
  const providers = [provider_entry(provider, { kind, ...entry })];
  const server = await serve(t, { config: { providers, ...config }, ...more });
  return { server, provider };
}

/** Asserts an error reply: status, code, field path; and the shape every error has. */
export function assert_error(reply, status, { code, param } = {}) {
  const said = `${reply.status} ${reply.text}`;
  assert.equal(reply.status, status, said);
  const error = reply.json?.error;
  assert.ok(error && typeof error.message === 'string' && error.message.length > 8, said);
  assert.deepEqual(Object.keys(error).filter((k) => ['message', 'type', 'param', 'code'].includes(k)).sort(),
    ['code', 'message', 'param', 'type'], said);
  assert.equal(typeof error.type, 'string', said);
  assert.match(String(error.code), /^[a-z][a-z0-9_]*$/, said);
  if (code) assert.ok([].concat(code).includes(error.code), `code ${code}: ${said}`);
  if (param !== undefined) assert.equal(error.param, param, said);
  assert.match(reply.headers['content-type'], /^application\/json/);
  assert.ok(reply.headers['x-request-id'], 'errors carry x-request-id');
}

/** The text of a whole chat reply. */
export const said = (reply) => reply.json?.choices?.[0]?.message?.content;
