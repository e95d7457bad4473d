// HTTP by hand: smuggling, broken framing, limits, slow clients, pipelining, chunked bodies, methods.
// proves security rows 34, 35, 37
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { pair, pause, scope, serve } from './lib/harness.mjs';
import { exchange, RawSocket, request_bytes, responses_of } from './lib/raw.mjs';

const BODY = JSON.stringify({ messages: [{ role: 'user', content: 'by hand' }] });
const JSON_TYPE = 'Content-Type: application/json';
const SECOND = 'GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
const post = (lines, body = BODY) => request_bytes('POST', '/v1/chat/completions', [JSON_TYPE, ...lines], body);

describe('framing', () => {
  const shared = scope();
  after(() => shared.end());
  let server;
  before(async () => { ({ server } = await pair(shared)); });

  const REFUSED = [
    ['content length and chunked', post(['Content-Length: 5', 'Transfer-Encoding: chunked'], `0\r\n\r\n${SECOND}`)],
    ['chunked and content length', post(['Transfer-Encoding: chunked', 'Content-Length: 5'], `0\r\n\r\n${SECOND}`)],
    ['two content lengths that differ', post(['Content-Length: 5', `Content-Length: ${BODY.length}`])],
    ['two content lengths that agree', post([`Content-Length: ${BODY.length}`, `Content-Length: ${BODY.length}`])],
    ['a list of content lengths', post([`Content-Length: ${BODY.length}, ${BODY.length}`])],
    ['negative content length', post(['Content-Length: -1'])],
    ['content length with a plus', post([`Content-Length: +${BODY.length}`])],
    ['content length in hex', post(['Content-Length: 0x10'])],
    ['content length with letters', post(['Content-Length: 5x'])],
    ['empty content length', post(['Content-Length: '])],
    ['content length beyond 64 bits', post(['Content-Length: 99999999999999999999999'])],
    ['xchunked', post(['Transfer-Encoding: xchunked'], `0\r\n\r\n${SECOND}`)],
    ['identity, then chunked', post(['Transfer-Encoding: identity', 'Transfer-Encoding: chunked'], `0\r\n\r\n${SECOND}`)],
    ['chunked twice', post(['Transfer-Encoding: chunked, chunked'], `0\r\n\r\n${SECOND}`)],
    ['chunked not last', post(['Transfer-Encoding: chunked, gzip'], `0\r\n\r\n${SECOND}`)],
    ['folded header line', request_bytes('GET', '/health', ['X-A: one', ' two'])],
    ['blank before the colon', post([`Content-Length : ${BODY.length}`])],
    ['header without colon', request_bytes('GET', '/health', ['nonsense'])],
    ['empty header name', request_bytes('GET', '/health', [': x'])],
    ['control character in a header', request_bytes('GET', '/health', ['X-A: a\x00b'])],
    ['blank in a header name', request_bytes('GET', '/health', ['X A: b'])],
    ['bare line feeds', 'GET /health HTTP/1.1\nHost: 127.0.0.1\n\n'],
    ['bare carriage return in a header', request_bytes('GET', '/health', ['X-A: a\rX-B: b'])],
    ['chunk size with letters', post(['Transfer-Encoding: chunked'], 'zz\r\nhello\r\n0\r\n\r\n')],
    ['negative chunk size', post(['Transfer-Encoding: chunked'], '-1\r\nhello\r\n0\r\n\r\n')],
    ['chunk size beyond 64 bits', post(['Transfer-Encoding: chunked'], 'fffffffffffffffff\r\nhello\r\n0\r\n\r\n')],
    ['chunk without its line end', post(['Transfer-Encoding: chunked'], '5\r\nhelloXX0\r\n\r\n')],
    ['no Host', 'GET /health HTTP/1.1\r\n\r\n'],
    ['two Hosts', 'GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: localhost\r\n\r\n'],
    ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n'],
    ['unknown version', 'GET /health HTTP/3.7\r\nHost: 127.0.0.1\r\n\r\n'],
    ['no version', 'GET /health\r\n\r\n'],
    ['blank in the target', 'GET /hea lth HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'],
  ];
  for (const [name, bytes] of REFUSED) {
    test(`refused and closed: ${name}`, async () => {
      const { responses, received } = await exchange(server.port, bytes);
      assert.equal(responses.length, 1, received.slice(0, 500));
      assert.ok([400, 431, 413, 414, 501, 505].includes(responses[0].status), received.slice(0, 200));
      assert.doesNotMatch(received, /smuggled/);
      assert.equal((await server.get('/health')).status, 200);
    });
  }

  test('a Host that is not ours is refused (browser to local server)', async () => {
    const { responses } = await exchange(server.port, 'GET /v1/models HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
    assert.equal(responses[0].status, 403);
    assert.equal(JSON.parse(responses[0].body).error.type.length > 0, true);
    for (const host of ['localhost', '127.0.0.1', `127.0.0.1:${server.port}`, `localhost:${server.port}`, '[::1]']) {
      const ok = await exchange(server.port, `GET /v1/models HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      assert.equal(ok.responses[0].status, 200, host);
    }
    // The host of an absolute target goes before the header (RFC 9112, 3.2.2).
    for (const [host, status] of [['evil.example', 403], ['127.0.0.1', 200]]) {
      const absolute = await exchange(server.port, `GET http://${host}/v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      assert.equal(absolute.responses[0].status, status, host);
    }
  });

  test('pipelined requests are answered in order', async () => {
    const one = request_bytes('GET', '/health');
    const two = post([`Content-Length: ${BODY.length}`]);
    const three = request_bytes('GET', '/v1/nothing', ['Connection: close']);
    const { responses, received } = await exchange(server.port, one + two + three);
    assert.deepEqual(responses.map((r) => r.status), [200, 200, 404], received.slice(0, 800));
    assert.match(responses[1].body, /by hand/);
  });

  test('a pipelined request after a stream is answered after its end', async () => {
    const body = JSON.stringify({ stream: true, messages: [{ role: 'user', content: 'streamed by hand' }] });
    const { responses, received } = await exchange(server.port, post([`Content-Length: ${body.length}`], body) +
      request_bytes('GET', '/health', ['Connection: close']));
    assert.deepEqual(responses.map((r) => r.status), [200, 200], received.slice(-600));
    assert.match(responses[0].body, /\[DONE\]/);
  });

  test('a request in single bytes is understood', async () => {
    const socket = new RawSocket(server.port);
    for (const byte of post([`Content-Length: ${BODY.length}`])) await socket.send(byte);
    const [got] = await socket.until_responses(1);
    assert.equal(got.status, 200);
    socket.destroy();
  });

  test('chunked bodies with extensions and trailers are read', async () => {
    const half = BODY.length >> 1;
    const chunk = (text, more = '') => `${text.length.toString(16)}${more}\r\n${text}\r\n`;
    const body = `${chunk(BODY.slice(0, half), ';name=value')}${chunk(BODY.slice(half))}0\r\nX-Trailer: t\r\n\r\n`;
    const { responses, received } = await exchange(server.port,
      post(['Transfer-Encoding: chunked', 'Connection: close'], body));
    assert.equal(responses[0]?.status, 200, received);
    assert.match(responses[0].body, /by hand/);
  });

  test('keep-alive serves many, Connection: close and HTTP/1.0 end after one', async () => {
    const socket = new RawSocket(server.port);
    for (let i = 1; i <= 3; i += 1) {
      await socket.send(request_bytes('GET', '/health'));
      await socket.until_responses(i);
    }
    assert.equal(socket.closed, false);
    socket.destroy();
    assert.equal((await exchange(server.port, request_bytes('GET', '/health', ['Connection: close']))).responses.length, 1);
    assert.equal((await exchange(server.port, 'GET /health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n')).responses.length, 1);
  });

  test('HTTP/1.0 gets a stream without chunks, ended by the close', async () => {
    const body = JSON.stringify({ stream: true, messages: [{ role: 'user', content: 'old client' }] });
    const { received } = await exchange(server.port,
      `POST /v1/chat/completions HTTP/1.0\r\nHost: 127.0.0.1\r\n${JSON_TYPE}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    assert.doesNotMatch(received, /transfer-encoding/i);
    assert.match(received, /data: \[DONE\]\n\n$/);
  });

  test('Expect: 100-continue is answered before the body', async () => {
    const socket = new RawSocket(server.port);
    await socket.send(post([`Content-Length: ${BODY.length}`, 'Expect: 100-continue'], ''));
    await socket.until((text) => text.startsWith('HTTP/1.1 100'));
    await socket.send(BODY);
    await socket.until((text) => /by hand/.test(text));
    socket.destroy();
  });

  test('HEAD is GET without a body, OPTIONS names the methods', async () => {
    const socket = new RawSocket(server.port);
    await socket.send(request_bytes('HEAD', '/health'));
    await socket.until((text) => text.includes('\r\n\r\n'));
    const { responses } = responses_of(socket.received, { head_only: true });
    assert.equal(responses[0].status, 200);
    assert.ok(Number(responses[0].headers['content-length']) > 0);
    await socket.send(request_bytes('GET', '/v1/nothing', ['Connection: close']));
    await socket.until((_, closed) => closed);
    assert.match(socket.received, /HTTP\/1\.1 404/, 'nothing came between');
    const options = await server.request('OPTIONS', '/v1/chat/completions');
    assert.ok([200, 204, 405].includes(options.status), options.text);
    assert.match(options.headers.allow, /POST/);
  });

  test('streams are sent as event streams that no proxy keeps back', async () => {
    const reader = await server.open_stream('head of a stream');
    assert.match(reader.headers['content-type'], /^text\/event-stream/);
    assert.match(reader.headers['cache-control'] ?? '', /no-cache|no-store/);
    assert.equal((await reader.all()).done, 1);
  });
});

describe('limits and slow clients', () => {
  test('header bytes and header count are bounded', async (t) => {
    const server = await serve(t, { config: { server: { header_max: '8KiB', headers_max: 20 } } });
    const status = async (lines) => (await exchange(server.port,
      request_bytes('GET', '/health', [...lines, 'Connection: close']))).responses[0]?.status;
    assert.equal(await status([`X-Long: ${'x'.repeat(7000)}`]), 200);
    assert.equal(await status([`X-Long: ${'x'.repeat(9000)}`]), 431);
    const many = (n) => Array.from({ length: n }, (_, i) => `X-${i}: v`);
    assert.equal(await status(many(18)), 200);   // with Host and Connection: 20
    assert.equal(await status(many(19)), 431);
    assert.equal((await server.get('/health')).status, 200);
  });

  test('a target that is too long is refused', async (t) => {
    const server = await serve(t);
    const { responses } = await exchange(server.port, request_bytes('GET', `/${'x'.repeat(60_000)}`));
    assert.ok([414, 431, 400].includes(responses[0].status), String(responses[0].status));
  });

  test('a header that never ends is cut off, a body that never ends too', async (t) => {
    const server = await serve(t, { config: { server: { header_timeout: '1s', body_timeout: '1s', idle_timeout: '2s' } } });
    const slow = async (bytes) => {
      const socket = new RawSocket(server.port);
      await socket.send(bytes);
      const drip = setInterval(() => socket.closed || socket.send('x'), 200);
      await socket.until((_, closed) => closed, 8000).finally(() => clearInterval(drip));
      return socket.received;
    };
    const [header, body] = await Promise.all([slow('GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: '),
      slow(post(['Content-Length: 100000'], '{"messages":[{"role":"user","content":"'))]);
    assert.match(header, /^(HTTP\/1\.1 408|$)/);
    assert.match(body, /^(HTTP\/1\.1 408|$)/);
    assert.equal((await server.get('/health')).status, 200);
  });

  test('an idle connection is closed after idle_timeout', async (t) => {
    const server = await serve(t, { config: { server: { idle_timeout: '1s' } } });
    const socket = new RawSocket(server.port);
    await socket.send(request_bytes('GET', '/health'));
    await socket.until_responses(1);
    await socket.until((_, closed) => closed, 6000);
  });

  test('a body over its limit is refused before it is sent', async (t) => {
    const { server, provider } = await pair(t, { config: { server: { body_max: '64KiB' } } });
    const { responses } = await exchange(server.port, post(['Content-Length: 70000'], 'x'.repeat(1000)));
    assert.equal(responses[0].status, 413);
    const chunk = `${(16_384).toString(16)}\r\n${'x'.repeat(16_384)}\r\n`;
    const chunked = await exchange(server.port, post(['Transfer-Encoding: chunked'], chunk.repeat(8)));
    assert.equal(chunked.responses[0].status, 413);
    assert.equal(provider.requests.filter((r) => r.format).length, 0);
  });

  test('connections beyond connections_max wait or are refused, and room is made again', async (t) => {
    const server = await serve(t, { config: { server: { connections_max: 8 } } });
    server.agent.destroy();
    const held = Array.from({ length: 8 }, () => new RawSocket(server.port));
    for (const [i, socket] of held.entries()) { await socket.send(request_bytes('GET', '/health')); await socket.until_responses(1).catch(() => i); }
    const extra = new RawSocket(server.port);
    await extra.send(request_bytes('GET', '/health'));
    await pause(200);
    assert.ok(extra.received === '' || /^HTTP\/1\.1 (503|200)/.test(extra.received), extra.received);
    for (const socket of [...held, extra]) socket.destroy();
    await server.until(async () => (await server.get('/health').catch(() => ({}))).status === 200, 'room again');
  });

  test('a silent stream is pinged by comments', async (t) => {
    const { server, provider } = await pair(t, { config: { server: { stream_ping_interval: '1s' } } });
    provider.script({ tokens: ['one', ' two'], gate: 'g', gate_at: 1 });
    const reader = await server.open_stream({ model: 'model-a', messages: [{ role: 'user', content: 'quiet' }] });
    await reader.next_text();
    await server.until(() => /^:/m.test(reader.raw), 'a comment', 5000);
    provider.open('g');
    const all = await reader.all();
    assert.equal(all.done, 1);
  });

  test('a reader that does not read does not grow memory without bound', async (t) => {
    const { server, provider } = await pair(t, { config: { models: { total_timeout: '60s' }, cache: { enabled: false, coalesce: false } } });
    provider.script({ tokens: Array.from({ length: 4000 }, (_, i) => `${i} ${'y'.repeat(8000)}`) });
    const socket = new RawSocket(server.port);
    await socket.until(() => true);
    socket.socket.pause();
    const body = JSON.stringify({ model: 'model-a', stream: true, messages: [{ role: 'user', content: 'flood' }] });
    await socket.send(post([`Content-Length: ${body.length}`], body));
    const flood = () => provider.requests.find((r) => r.text === 'flood')?.tokens ?? 0;
    await server.until(() => flood() > 10, 'the flood begins');
    await pause(700);
    const first = flood();
    await pause(500);
    const second = flood();
    assert.ok(second < 4000, 'backpressure reaches the provider');
    assert.ok(second - first < 500, `still reading: ${first} -> ${second}`);
    socket.destroy();
    await provider.until(() => provider.requests.find((r) => r.text === 'flood').closed, 'upstream closed');
  });
});
