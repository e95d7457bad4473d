// A model provider that does what a test tells it, on real sockets; Node >= 18, no packages.
//
// It speaks OpenAI (/v1/chat/completions, /v1/models, /v1/embeddings), Ollama (/api/chat, generate,
// embed, tags, version, show, ps), Gemini (/v1beta/models/M:generateContent, :streamGenerateContent,
// :batchEmbedContents) and Anthropic (/v1/messages, /v1/models), and audio as OpenAI (/v1/audio/transcriptions,
// translations, speech) and Gemini, whole and streamed, and refuses what those servers refuse.
// Without a script it answers "You said: <last user message>", token by token when streamed.
//
// As a module:  const p = await start({models: ['m1'], api_key: 'k'});
//   p.url p.port  p.script({match, replies, repeat})  p.requests  p.connections()  p.reset()  p.close()
//   start({tls: {key, cert}}) serves https.  p.open('gate')  p.mode('normal'|'no_read'|'reset'|'refuse')  await p.until(() => condition)
// As a command: node provider.mjs --port 0 [--models a,b] [--key K] prints {"port","control_port"};
//   both ports take POST /_script /_reset /_open {gate} /_mode {mode}, GET /_requests /_connections.
//
// match (all given must hold): path (part of it), model, text (part of the last message), stream.
// A reply is used once, in order; with repeat the last one stays. Its fields:
//   text | tokens[] | thoughts and refusal (OpenAI's alone) | tool_calls[{name, arguments, id}] | finish | usage {input, output} or null (left out)
//   status, message, code, headers, retry_after | body (raw, with status)   delay_ms, token_delay_ms
//   gate: wait for open(gate) before the first byte; gate_at: after that many tokens instead
//   chunk_bytes: split the stream into chunks of that size; framing: 'close' (no length, ends with FIN)
//   fault: one of FAULTS, at token `after` (default 2) where it strikes inside a stream.
import net from 'node:net';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { serve_socket } from './http.mjs';
import { openai, ollama, reply_tokens } from './formats.mjs';
import { anthropic, gemini } from './formats2.mjs';
import { embedding_format } from './embeddings.mjs';
import { audio_format } from './audio.mjs';

/** Faults by name: each gets the exchange {wire, format, ask, reply} and ends the answer itself. */
const FAULTS = {
  no_bytes: ({ wire }) => wire.gone,
  reset_before_headers: ({ wire }) => wire.reset(),
  close_before_headers: ({ wire }) => wire.fin(),
  reset_mid_body: (x) => strike(x, (wire) => wire.reset()),
  cut: (x) => strike(x, (wire) => wire.fin()),
  stall: (x) => strike(x, (wire) => wire.gone),
  error_in_stream: (x) => strike(x, async (wire) => {
    await wire.chunk(x.format.stream_error(x.reply.message ?? 'scripted failure').data);
    await wire.write('0\r\n\r\n');
  }),
  garbage: (x) => x.ask.stream ? strike(x, async (wire) => {
    await wire.chunk(x.format.garbage);
    await wire.write('0\r\n\r\n');
  }) : x.wire.body(200, json_type, '{"id": "chatcmpl", "choices": [{"index": 0,'),
  empty_json: ({ wire }) => wire.body(200, json_type, '{}'),
  wrong_content_type: ({ wire }) =>
    wire.body(200, { 'content-type': 'text/html' }, '<html><body>It works!</body></html>'),
  deep_json: ({ wire, reply }) => {
    const depth = reply.depth ?? 100_000;
    return wire.body(200, json_type, `{"choices":${'['.repeat(depth)}${']'.repeat(depth)}}`);
  },
  no_end_marker: async (x) => {
    await stream_head(x);
    const said = frames(x).filter((f) => f.mark === 'start' || f.mark === 'token');
    for (const f of said) await x.wire.chunk(f.data);
    await x.wire.write('0\r\n\r\n');
  },
  finish_without_end: async (x) => {
    await stream_head(x);
    for (const f of frames(x).filter((one) => one.mark !== 'end')) await x.wire.chunk(f.data);
    await x.wire.write('0\r\n\r\n');
  },
  trailer: async (x) => {
    await stream_head(x, { trailer: 'x-checksum' });
    for (const f of frames(x)) await x.wire.chunk(f.data);
    await x.wire.write('0\r\nx-checksum: 0a1b2c\r\n\r\n');
  },
  long_content_length: (x) => wrong_length(x, 40),
  short_content_length: (x) => wrong_length(x, -40),
  bad_chunk_size: async (x) => {
    await stream_head(x);
    await x.wire.write('zz\r\nhello\r\n0\r\n\r\n');
  },
  huge_header: ({ wire }) =>
    wire.body(200, { ...json_type, 'x-long': 'h'.repeat(300_000) }, '{}'),
};
const json_type = { 'content-type': 'application/json' };

const frames = (x) => x.format.frames(x.ask, x.reply);

function stream_head({ wire, format, reply }, more = {}) {
  const length = reply.framing === 'close' ? { connection: 'close' } : { 'transfer-encoding': 'chunked' };
  return wire.head(200, { 'content-type': format.stream_type, ...length, ...reply.headers, ...more });
}

/** Sends the answer up to token `after` (or half the body) and then does `blow`. */
async function strike(x, blow) {
  const { wire, reply, ask } = x;
  if (!ask.stream) {
    const body = Buffer.from(JSON.stringify(x.format.whole(ask, reply)));
    await wire.head(200, { ...json_type, 'content-length': body.length });
    await wire.write(body.subarray(0, body.length >> 1));
    await wire.sleep(20);  // lets the first half arrive before the end does
    return blow(wire);
  }
  await stream_head(x);
  let tokens = 0;
  for (const f of frames(x)) {
    if (f.mark === 'token' && tokens++ === (reply.after ?? 2)) break;
    if (f.mark === 'finish' || f.mark === 'end') break;
    await wire.chunk(f.data);
  }
  await wire.sleep(20);
  return blow(wire);
}

async function wrong_length({ wire, ask, reply, format }, by) {
  const body = Buffer.from(JSON.stringify(format.whole(ask, reply)));
  await wire.head(200, { ...json_type, 'content-length': body.length + by });
  await wire.write(body);
  wire.fin();
}

/** The answer as it should be, with the delays and gates of its script. */
async function play(x, gate, seen) {
  const { wire, ask, reply, format } = x;
  if (reply.delay_ms) await wire.sleep(reply.delay_ms);
  if (reply.gate && reply.gate_at === undefined) await gate(reply.gate, wire);
  if (reply.status) {
    const wait = reply.retry_after;
    const headers = { ...json_type, ...(wait === undefined ? {} : { 'retry-after': wait }), ...reply.headers };
    const message = reply.message ?? `scripted ${reply.status}`;
    const body = reply.body ?? JSON.stringify(format.error(reply.status, message, reply.code, wait));
    return wire.body(reply.status, headers, body);
  }
  if (reply.fault) {
    const fault = FAULTS[reply.fault];
    if (!fault) throw new Error(`unknown fault ${reply.fault}`);
    return fault(x);
  }
  if (!ask.stream) {
    return wire.body(200, { ...json_type, ...reply.headers }, JSON.stringify(format.whole(ask, reply)));
  }
  await stream_head(x);
  const closing = reply.framing === 'close';
  for (const f of frames(x)) {
    if (f.mark === 'token' && seen.tokens === reply.gate_at) await gate(reply.gate, wire);
    if (wire.closed) return undefined;
    if (closing) await wire.write(f.data);
    else await wire.chunk(f.data, reply.chunk_bytes);
    if (f.mark === 'token') seen.tokens += 1;
    if (reply.token_delay_ms) await wire.sleep(reply.token_delay_ms);
  }
  return closing ? wire.fin() : wire.write('0\r\n\r\n');
}

/** The chat format of a path, or undefined. */
function format_of(path) {
  if (path === '/v1/chat/completions') return openai;
  if (path === '/api/chat' || path === '/api/generate') return ollama;
  if (/^\/v1(beta)?\/models\/[^/:]+:(generateContent|streamGenerateContent)$/.test(path)) return gemini;
  return path === '/v1/messages' ? anthropic : embedding_format(path);
}

/** Replies to everything that is neither chat nor embeddings: lists of models, versions. */
function side_reply({ method, path, json, headers }, models) {
  const ids = Object.keys(models);
  if (method === 'GET' && path === '/v1/models' && headers['anthropic-version']) {
    return { data: ids.map((id) => ({ type: 'model', id, display_name: id, created_at: '2024-01-02T00:00:00Z' })),
      has_more: false, first_id: ids[0], last_id: ids.at(-1) };
  }
  if (method === 'GET' && path === '/v1/models') {
    return { object: 'list', data: ids.map((id) => ({ id, object: 'model', created: 1700000001, owned_by: 'scripted' })) };
  }
  if (method === 'GET' && /^\/v1(beta)?\/models$/.test(path)) {
    return { models: ids.map((id) => ({ name: `models/${id}`, displayName: id, inputTokenLimit: 32768,
      outputTokenLimit: 8192, supportedGenerationMethods: ['generateContent', 'countTokens'] })) };
  }
  if (path === '/api/tags' || path === '/api/ps') {
    return { models: ids.map((id) => ({ name: id, model: id, modified_at: '2024-01-02T00:00:00Z', size: 4661224676,
      digest: 'sha256:00ff', details: { family: 'llama', parameter_size: '8.0B', quantization_level: 'Q4_0' } })) };
  }
  if (path === '/api/version') return { version: '0.5.1' };
  if (path === '/api/show' && models[json?.model ?? json?.name]) {
    return { details: { family: 'llama' }, model_info: { 'llama.context_length': 8192 },
      capabilities: ['completion', 'tools'] };
  }
  if (path === '/health') return { status: 'ok' };
  return undefined;
}

class Provider {
  constructor({ models = ['model-a', 'model-b'], api_key } = {}) {
    const entries = Array.isArray(models) ? models.map((id) => [id, {}]) : Object.entries(models);
    this.models = Object.fromEntries(entries);
    this.api_key = api_key;
    this.sockets = new Set();
    this.waiting = new Set();
    this.reset();
    this.count = { accepted: 0, peak: 0, closed_while_streaming: 0, closed_while_waiting: 0, last_closed_at_token: null };
  }

  reset() {
    this.scripts = [];
    this.requests = [];
    this.gates = new Map();
    this.accept = 'normal';
  }

  script(entry) {
    const entries = [entry].flat().map((one) => one.replies ? one : { replies: [one] });
    for (const one of entries) this.scripts.push({ match: {}, ...one, replies: [...one.replies] });
  }

  connections() {
    return { open: this.sockets.size, ...this.count };
  }

  open(name) {
    this.gate(name).open();
  }

  gate(name) {
    if (!this.gates.has(name)) {
      const gate = {};
      gate.passed = new Promise((go) => (gate.open = go));
      this.gates.set(name, gate);
    }
    return this.gates.get(name);
  }

  /** Resolves when `condition()` holds; looked at after every request, reply and close. */
  until(condition, what = String(condition), limit_ms = 10_000) {
    if (condition()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const watch = { condition, resolve: () => { clearTimeout(timer); resolve(); } };
      const timer = setTimeout(() => {
        this.waiting.delete(watch);
        reject(new Error(`provider: did not come true: ${what}`));
      }, limit_ms);
      this.waiting.add(watch);
    });
  }

  changed() {
    for (const watch of this.waiting) {
      if (watch.condition()) { this.waiting.delete(watch); watch.resolve(); }
    }
  }

  async mode(accept) {
    this.accept = accept;
    if (accept === 'no_read') this.drop();  // kept connections would still be read
    if (accept === 'refuse' && this.server.listening) {
      await new Promise((done) => { this.server.close(done); this.drop(); });
    } else if (accept !== 'refuse' && !this.server.listening) {
      await listen(this.server, this.port, this.host);
    }
  }

  drop() {
    for (const socket of this.sockets) socket.destroy();
  }

  next_reply(request, ask) {
    for (const entry of this.scripts) {
      const { path, model, text, stream } = entry.match;
      if (path && !request.path.includes(path)) continue;
      if (model && model !== ask.model) continue;
      if (text && !ask.text.includes(text)) continue;
      if (stream !== undefined && stream !== ask.stream) continue;
      if (!entry.replies.length) continue;
      return entry.repeat && entry.replies.length === 1 ? entry.replies[0] : entry.replies.shift();
    }
    return {};
  }

  authorised({ headers }) {
    if (!this.api_key) return true;
    const bearer = headers.authorization?.replace(/^Bearer /, '');
    return [bearer, headers['x-api-key'], headers['x-goog-api-key']].includes(this.api_key);
  }

  async answer(request, wire, connection) {
    try {
      request.json = request.body.length ? JSON.parse(request.body.toString('utf8')) : undefined;
    } catch {
      request.json = undefined;
    }
    if (request.path.startsWith('/_')) return this.control(request, wire);
    const { method, path, query, headers, header_list, json, body } = request;
    const format = audio_format(request) ?? format_of(path);
    const seen = { n: this.requests.length, at_ms: Math.round(performance.now()), connection, method, path,
      query, headers, header_list, body: json ?? (format?.form ? undefined : body.toString('utf8')), format: format?.name ?? null,
      tokens: 0, done: false, closed: false };
    this.requests.push(seen);
    this.changed();
    if (this.accept === 'reset') return wire.reset();
    await this.reply(request, wire, format, seen);
    seen.done = true;
    seen.closed = wire.closed;
    this.changed();
    return undefined;
  }

  async reply(request, wire, format, seen) {
    const refuse = (status, message, code) => wire.body(status, json_type,
      JSON.stringify((format ?? openai).error(status, message, code)));
    if (!this.authorised(request)) return refuse(401, 'Incorrect API key provided.', 'invalid_api_key');
    if (!format) {
      const out = side_reply(request, this.models);
      return out ? wire.body(200, json_type, JSON.stringify(out)) : refuse(404, 'not found');
    }
    if (request.method !== 'POST' || (request.json === undefined && !format.form)) return refuse(400, 'could not parse the JSON body');
    const ask = format.read(request);
    if (ask.problem) { seen.problem = ask.problem; return refuse(400, ask.problem); }
    Object.assign(seen, { model: ask.model, stream: ask.stream, text: ask.text, images: ask.images, ask });
    this.changed();
    const model = this.models[ask.model];
    if (!model) return refuse(404, `model "${ask.model}" not found`, 'model_not_found');
    if (format === ollama && !ask.generate && model.chat === false) {
      return refuse(400, `"${ask.model}" does not support chat`);
    }
    const scripted = this.next_reply(request, ask);
    const said = `${ask.role === 'tool' ? 'Tool said' : 'You said'}: ${ask.text}`;
    const reply = { text: scripted.tokens?.join('') ?? said, ...scripted };
    const exchange = { wire, format, ask, reply };
    await play(exchange, (name, w) => {
      this.changed();
      return Promise.race([this.gate(name).passed, w.gone]);
    }, seen);
    if (wire.closed && reply.fault !== 'cut' && !(reply.framing === 'close')) {
      if (ask.stream && seen.tokens < reply_tokens(reply).length) {
        this.count.closed_while_streaming += 1;
        this.count.last_closed_at_token = seen.tokens;
      } else if (!ask.stream) this.count.closed_while_waiting += 1;
    }
    return undefined;
  }

  async control(request, wire) {
    const { method, path, json } = request;
    const say = (status, body) => wire.body(status, json_type, JSON.stringify(body));
    if (method === 'GET' && path === '/_requests') return say(200, this.requests);
    if (method === 'GET' && path === '/_connections') return say(200, this.connections());
    if (method === 'POST' && path === '/_script') this.script(json);
    else if (method === 'POST' && path === '/_reset') this.reset();
    else if (method === 'POST' && path === '/_open') this.open(json.gate);
    else if (method === 'POST' && path === '/_mode') await this.mode(json.mode);
    else return say(404, { error: `no such control: ${method} ${path}` });
    return say(200, { ok: true });
  }

  accepted(socket, counted) {
    this.sockets.add(socket);
    const connection = this.count.accepted;
    if (counted) {
      this.count.accepted += 1;
      this.count.peak = Math.max(this.count.peak, this.sockets.size);
    }
    this.changed();
    socket.on('error', () => {});
    socket.on('close', () => { this.sockets.delete(socket); this.changed(); });
    if (counted && this.accept === 'no_read') return;  // accepted by the kernel, never read
    serve_socket(socket, (request, wire) => this.answer(request, wire, connection));
  }

  close() {
    const closing = [this.server, this.control_server].filter((s) => s.listening)
      .map((s) => new Promise((done) => s.close(done)));
    this.drop();
    return Promise.all(closing);
  }
}

function listen(server, port, host) {
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen(port, host, () => done(server.address().port));
  });
}

/** Starts a provider; port 0 picks one. See the top of the file. */
export async function start({ port = 0, control_port = 0, host = '127.0.0.1', ...options } = {}) {
  const provider = new Provider(options);
  const serve = (counted) => (s) => provider.accepted(s, counted);
  provider.server = options.tls ? tls.createServer({ ...options.tls, allowHalfOpen: true }, serve(true))
    : net.createServer({ allowHalfOpen: true }, serve(true));
  provider.control_server = net.createServer({ allowHalfOpen: true }, serve(false));
  provider.host = host;
  provider.port = await listen(provider.server, port, host);
  provider.control_port = await listen(provider.control_server, control_port, host);
  provider.url = `${options.tls ? 'https' : 'http'}://${host}:${provider.port}`;
  return provider;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const option = (name, fallback) => {
    const at = process.argv.indexOf(`--${name}`);
    return at < 0 ? fallback : process.argv[at + 1];
  };
  const provider = await start({
    port: Number(option('port', 0)), control_port: Number(option('control-port', 0)),
    models: option('models', 'model-a,model-b').split(','), api_key: option('key'),
  });
  process.stdout.write(`${JSON.stringify({ port: provider.port, control_port: provider.control_port })}\n`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => provider.close().then(() => process.exit(0)));
}
