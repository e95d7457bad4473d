// The WebSocket over real sockets: the npm client `ws` for what is right, bytes by hand for what is
// not. Who hears what, reconnecting, slow readers, goodbyes, the server's stop.
// proves G10, fault 41, security 12 and 39
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import WebSocket from 'ws';
import { cleanup, pause, provide, provider_entry, run, serve, temp_dir } from './lib/harness.mjs';
import { bearer, new_key } from './lib/people.mjs';
import { RawSocket } from './lib/raw.mjs';

const LIMIT_MS = 15_000;

/** A client with all it was told; ends with the test. */
class Socket {
  constructor(t, server, { headers = {}, protocols = [], url } = {}) {
    this.told = [];
    this.watching = [];
    this.ws = new WebSocket(url ?? `ws://127.0.0.1:${server.port}/v1/ws`, protocols,
      { headers, rejectUnauthorized: false });
    this.ws.on('message', (data) => { this.told.push(JSON.parse(String(data))); this.look(); });
    this.ws.on('error', (error) => { this.failed = error; this.look(); });
    this.ws.on('unexpected-response', (_, response) => { this.refused = response.statusCode; this.look(); });
    this.ws.on('close', (code, why) => { this.closed = `${code} ${why}`; this.look(); });
    cleanup(t, () => this.ws.terminate());
  }

  look() { for (const one of [...this.watching]) one(); }

  until(condition, what) {
    return new Promise((resolve, reject) => {
      const stop = (done, value) => {
        clearTimeout(timer);
        this.watching = this.watching.filter((one) => one !== look);
        done(value);
      };
      const look = () => { const got = condition(); if (got) stop(resolve, got); };
      const timer = setTimeout(() => stop(reject, new Error(
        `${what}: closed=${this.closed} refused=${this.refused} told=${JSON.stringify(this.told)}`)), LIMIT_MS);
      this.watching.push(look);
      look();
    });
  }

  /** The first message of which all of `like` holds. */
  heard(like) {
    return this.until(() => this.told.find((one) =>
      Object.entries(like).every(([key, value]) => one[key] === value)), JSON.stringify(like));
  }

  say(message) { this.ws.send(typeof message === 'string' ? message : JSON.stringify(message)); }
  events(job) { return this.told.filter((one) => one.type === 'event' && one.job === job).map((one) => one.event); }
  async ready() { return this.heard({ type: 'ready' }); }
  async goodbye() { await this.until(() => this.closed, 'close'); return this.closed; }
}

/** A server whose callers need keys, with a scripted model, and keys of several users. */
async function world(t, config = {}, ...users) {
  const data = path.join(temp_dir(t), 'data');
  const provider = await provide(t);
  const keys = [];
  for (const [i, flags] of users.entries()) keys.push((await new_key(data, `key${i}`, ...flags)).key);
  const server = await serve(t, { data, config: { auth: { required: true }, ...config,
    providers: [provider_entry(provider)] } });
  const open = async (key, more = {}) => {
    const socket = new Socket(t, server, { headers: key ? bearer(key) : {}, ...more });
    await socket.ready();
    return socket;
  };
  return { server, provider, keys, open, data };
}

const chat = (id, more = {}) =>
  ({ type: 'chat', id, messages: [{ role: 'user', content: `Hello ${id}` }], model: 'auto', ...more });

const handshake = (server, key, lines = []) => ['GET /v1/ws HTTP/1.1', `Host: 127.0.0.1:${server.port}`,
  'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', `Authorization: Bearer ${key}`, ...lines, '', ''].join('\r\n');

/** A masked frame; `mask` 0 0 0 0 keeps the payload readable. */
function frame(first, payload, masked = true) {
  const bytes = Buffer.from(payload, 'latin1');
  const bit = masked ? 0x80 : 0;
  const head = bytes.length < 126 ? Buffer.from([first, bit | bytes.length])
    : Buffer.concat([Buffer.from([first, bit | 126]), Buffer.from([bytes.length >> 8, bytes.length & 255])]);
  return Buffer.concat([head, masked ? Buffer.alloc(4) : Buffer.alloc(0), bytes]).toString('latin1');
}

test('a message goes through the queue and its answer comes back over the socket', async (t) => {
  const { keys: [ann], open } = await world(t, {}, ['--user', 'ann']);
  const socket = await open(ann);
  socket.say(chat('1'));
  const accepted = await socket.heard({ type: 'accepted', id: '1' });
  const end = await socket.heard({ type: 'event', event: 'succeeded', job: accepted.job });
  assert.ok(end.data.result.choices[0].message.content);
  const events = socket.events(accepted.job);
  assert.ok(['queued', 'started'].includes(events[0]), events.join());
  assert.equal(events.at(-1), 'succeeded');
  assert.equal(events.filter((one) => one === 'succeeded').length, 1);
  const ids = socket.told.filter((one) => one.event_id).map((one) => one.event_id);
  assert.equal(new Set(ids).size, ids.length, 'no event twice');
});

test('tenants, users and clients never hear each other', async (t) => {
  const { keys, open } = await world(t, {}, ['--user', 'ann'], ['--user', 'bob'],
    ['--user', 'ann', '--tenant', 'other']);
  const [ann, bob, far] = await Promise.all(keys.map((key) => open(key)));
  const phone = await open(keys[0]);
  const desk = await open(keys[0]);
  phone.say({ type: 'attach', id: 'a', client: 'phone' });
  desk.say({ type: 'attach', id: 'a', client: 'desk' });
  for (const one of [bob, far]) one.say({ type: 'attach', id: 'a' });
  await Promise.all([phone, desk, bob, far].map((one) => one.heard({ type: 'attached' })));
  phone.say(chat('p'));
  const { job } = await phone.heard({ type: 'accepted' });
  await phone.heard({ type: 'event', event: 'succeeded' });
  ann.say(chat('n'));
  const common = await ann.heard({ type: 'accepted' });
  await desk.heard({ type: 'event', event: 'succeeded', job: common.job });
  assert.deepEqual(desk.events(job), [], 'another client');
  for (const one of [bob, far]) {
    one.say({ type: 'cancel', id: 'c', job });
    assert.equal((await one.heard({ type: 'error', id: 'c' })).error.code, 'unknown_job');
    one.say({ type: 'ping', id: 'last' });
    await one.heard({ type: 'pong', id: 'last' });
    assert.deepEqual(one.told.filter((it) => it.type === 'event'), []);
  }
});

test('after a reconnect events go on, none lost and none repeated', async (t) => {
  const { keys: [ann], open } = await world(t, {}, ['--user', 'ann']);
  let socket = await open(ann);
  let last = socket.told[0].place;
  const jobs = [];
  const seen = [];
  const take = () => { for (const one of socket.told) if (one.event_id) { seen.push(one); last = one.event_id; } };
  for (let i = 0; i < 10; ++i) {
    socket.say({ type: 'attach', id: 'a', last_event_id: last });
    await socket.heard({ type: 'attached' });
    socket.say(chat(`job${i}`, { key: `key${i}` }));
    jobs.push((await socket.heard({ type: 'accepted' })).job);
    if (i % 2 === 0) await socket.heard({ type: 'event', job: jobs.at(-1) });
    socket.ws.terminate();
    await socket.goodbye();
    take();
    socket = await open(ann);
  }
  socket.say({ type: 'attach', id: 'a', last_event_id: last });
  const ended = () => jobs.every((job) => [...seen, ...socket.told].some((one) => one.job === job && one.event === 'succeeded'));
  await socket.until(ended, 'all ends');
  take();
  const ids = seen.map((one) => one.event_id);
  assert.equal(new Set(ids).size, ids.length, 'repeated');
  for (const job of jobs) {
    const told = seen.filter((one) => one.job === job).map((one) => one.event);
    assert.equal(told.filter((one) => one === 'succeeded').length, 1, `${job}: ${told}`);
    assert.ok(told.filter((one) => one === 'queued').length <= 1, `${job}: ${told}`);
  }
});

test('keys come by header, subprotocol or first message, and not by address', async (t) => {
  const { server, keys: [ann, no_jobs] } = await world(t, { server: { websocket: { auth_timeout: '300ms' } } },
    ['--user', 'ann'], ['--user', 'kim', '--scopes', 'chat']);
  const with_protocol = new Socket(t, server, { protocols: ['mainstay.v1', `bearer.${ann}`] });
  await with_protocol.ready();
  assert.equal(with_protocol.ws.protocol, 'mainstay.v1');
  const first_message = new Socket(t, server);
  first_message.ws.on('open', () => first_message.say({ type: 'auth', token: ann }));
  await first_message.ready();
  const silent = new Socket(t, server);
  assert.equal(await silent.goodbye(), '1008 auth_timeout');
  const refusals = [
    [{ url: `ws://127.0.0.1:${server.port}/v1/ws?token=${ann}` }, 400],
    [{ headers: bearer('ms_wrong') }, 401],
    [{ headers: bearer(no_jobs) }, 403],
    [{ headers: { ...bearer(ann), origin: 'https://evil.example' } }, 403],
  ];
  for (const [more, status] of refusals) {
    const socket = new Socket(t, server, more);
    assert.equal(await socket.until(() => socket.refused, 'refusal'), status);
  }
  assert.equal((await server.get('/v1/ws', bearer(ann))).status, 426);
  assert.ok(!server.err.includes(ann) && !server.out.includes(ann), 'no key in the log');
});

test('a revoked key closes its socket within five seconds', async (t) => {
  const { keys: [ann], open, data } = await world(t, {}, ['--user', 'ann']);
  const socket = await open(ann);
  const list = JSON.parse((await run(['keys', 'list', '--json', '--data', data])).out);
  const rows = Array.isArray(list) ? list : list.keys;
  await run(['keys', 'revoke', rows.find((one) => one.name === 'key0').id, '--data', data]);
  const began = performance.now();
  assert.match(await socket.goodbye(), /^1008 /);
  assert.ok(performance.now() - began < 6000);
});

test('frames that break a rule are answered by name', async (t) => {
  const { server, keys: [ann] } = await world(t, { server: { websocket: { message_max: '2KiB', message_rate: 20 } } },
    ['--user', 'ann']);
  const cases = [
    [frame(0x81, '{}', false), 1002, 'unmasked_frame'],
    [frame(0xc1, '{}'), 1002, 'reserved_bits'],
    [frame(0x83, '{}'), 1002, 'opcode'],
    [frame(0x80, '{}'), 1002, 'continuation'],
    [frame(0x09, ''), 1002, 'control_frame'],
    [frame(0x81, '\xff'), 1007, 'not_utf8'],
    [frame(0x82, 'x'), 1003, 'text_only'],
    [frame(0x81, 'x'.repeat(2049)), 1009, 'message_too_big'],
    [frame(0x81, '{"type":"ping"}').repeat(201), 1008, 'too_many_messages'],
  ];
  for (const [bytes, code, why] of cases) {
    const socket = new RawSocket(server.port);
    await socket.send(handshake(server, ann) + bytes);
    const goodbye = String.fromCharCode(0x88, why.length + 2, code >> 8, code & 255) + why;
    await socket.until((text) => text.includes(goodbye));
    await socket.until((_, closed) => closed);
    socket.destroy();
  }
  const metric = await server.metrics().catch(() => undefined);
  if (metric) assert.ok(metric('mainstay_websocket_closed_total', { reason: 'unmasked_frame' }) >= 1);
});

test('an idle socket is closed, one that is used stays', async (t) => {
  const { keys: [ann], open } = await world(t, { server: { websocket: { idle_timeout: '1s' } } }, ['--user', 'ann']);
  const idle = await open(ann);
  const used = await open(ann);
  const beat = setInterval(() => used.say({ type: 'ping' }), 200);
  cleanup(t, () => clearInterval(beat));
  assert.equal(await idle.goodbye(), '1000 idle');
  assert.equal(used.closed, undefined);
});

test('a reader that takes nothing is closed as slow, and others go on', async (t) => {
  const { keys: [ann], server, open } = await world(t, { server: { websocket: { outbound_max: '16KiB', message_rate: 100_000 } } },
    ['--user', 'ann']);
  const slow = await open(ann);
  slow.ws.pause();
  const other = await open(ann);
  const id = 'x'.repeat(120);
  for (let i = 0; i < 200; ++i) {
    for (let n = 0; n < 400; ++n) slow.say({ type: 'ping', id });
    if (/websocket.slow_reader/.test(server.err)) break;
    await pause(5);
  }
  await server.until(() => /websocket.slow_reader/.test(server.err), 'slow reader noticed');
  slow.ws.resume();
  await slow.goodbye();
  other.say({ type: 'ping', id: 'alive' });
  await other.heard({ type: 'pong', id: 'alive' });
});

test('stopping says goodbye at once, and accepted jobs survive it', async (t) => {
  const { server, keys: [ann], open } = await world(t, {}, ['--user', 'ann']);
  const socket = await open(ann);
  const began = performance.now();
  const stopped = server.stop();
  assert.equal(await socket.goodbye(), '1001 stopping');
  await stopped;
  assert.ok(performance.now() - began < 10_000, 'open sockets do not hold up the stop');
});
