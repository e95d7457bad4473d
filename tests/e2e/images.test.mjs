// POST /v1/images over the built program and the real decoder: results as parts and as lines, pictures
// that fail alone, limits, kept results, a decoder that dies.   proves K1, fault rows of decoders
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, test } from 'node:test';
import zlib from 'node:zlib';
import { assert_error, pause, serve } from './lib/harness.mjs';

/** A PNG of one colour, or of noise that does not pack. */
function png(width, height, { colour = [200, 30, 30], noise = false } = {}) {
  const rows = Buffer.alloc(height * (1 + width * 3));
  let seed = 12345;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width * 3; x += 1) {
      seed = (seed * 1103515245 + 12345) >>> 0;
      rows[y * (1 + width * 3) + 1 + x] = noise ? seed >>> 24 : colour[x % 3];
    }
  }
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length, 0);
    body.copy(out, 4);
    out.writeUInt32BE(crc(body), body.length + 4);
    return out;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', head),
    chunk('IDAT', zlib.deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}
function crc(bytes) {
  let out = 0xffffffff;
  for (const byte of bytes) {
    out ^= byte;
    for (let bit = 0; bit < 8; bit += 1) out = (out >>> 1) ^ (out & 1 ? 0xedb88320 : 0);
  }
  return ~out >>> 0;
}

const BOUNDARY = 'of-the-form';
function form(parts) {
  const out = [];
  for (const { name = 'image', file, type = 'application/octet-stream', body } of parts) {
    const named = file === undefined ? '' : `; filename="${file}"`;
    out.push(Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${named}\r\n`
      + `${file === undefined ? '' : `Content-Type: ${type}\r\n`}\r\n`), Buffer.from(body), Buffer.from('\r\n'));
  }
  out.push(Buffer.from(`--${BOUNDARY}--\r\n`));
  return Buffer.concat(out);
}

/** Sends pictures: {status, type, body, results}. */
async function send(server, parts, { query = '', lines = false } = {}) {
  const reply = await fetch(`${server.url}/v1/images${query}`, { method: 'POST', body: form(parts),
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
      ...(lines ? { accept: 'application/x-ndjson' } : {}) } });
  const body = Buffer.from(await reply.arrayBuffer());
  const type = reply.headers.get('content-type');
  let results = [];
  if (reply.status === 200 && lines) results = body.toString().trim().split('\n').map((line) => JSON.parse(line));
  if (reply.status === 200 && !lines) results = parts_of(body, /boundary=(.+)$/.exec(type)[1]);
  let json;
  try { json = JSON.parse(body.toString()); } catch { json = undefined; }
  return { status: reply.status, type, body, json, text: body.toString(), results, headers: Object.fromEntries(reply.headers) };
}

/** Parts by their content-length, so that a boundary inside a picture would show. */
function parts_of(body, boundary) {
  const out = [];
  let at = 0;
  for (;;) {
    const delimiter = `--${boundary}`;
    assert.equal(body.toString('latin1', at, at + delimiter.length), delimiter);
    at += delimiter.length;
    if (body.toString('latin1', at, at + 2) === '--') return out;
    const end = body.indexOf('\r\n\r\n', at);
    const headers = Object.fromEntries(body.toString('utf8', at + 2, end).split('\r\n')
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]));
    const length = Number(headers['content-length']);
    out.push({ headers, body: body.subarray(end + 4, end + 4 + length) });
    at = end + 4 + length + 2;
  }
}

const PICTURE = { file: 'a.png', body: png(400, 200) };
const decoders = (server) => fs.readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('mainstay-decoder\0serve')
      && fs.readFileSync(`/proc/${pid}/status`, 'utf8').includes(`PPid:\t${server.child.pid}\n`);
  } catch { return false; }
}).map(Number);

describe('images', () => {
  test('results come as parts, in order, and a bad picture fails alone', async (t) => {
    const server = await serve(t);
    const reply = await send(server, [
      { name: 'operations', body: '{"width":100,"format":"jpeg"}' },
      PICTURE,
      { file: 'no picture.jpg', type: 'image/jpeg', body: 'only words' },
      { file: 'cut.png', body: png(300, 300, { noise: true }).subarray(0, 5000) },
      { file: 'b.png', body: png(50, 80) },
      { file: 'nothing.png', body: '' },
    ]);
    assert.equal(reply.status, 200);
    assert.match(reply.type, /^multipart\/mixed; boundary=/);
    assert.equal(reply.headers['x-content-type-options'], 'nosniff');
    assert.deepEqual(reply.results.map((one) => one.headers['x-mainstay-index']), ['0', '1', '2', '3', '4']);
    const [a, text, cut, b, empty] = reply.results;
    assert.equal(a.headers['content-type'], 'image/jpeg');
    assert.equal(a.headers['x-mainstay-size'], '100x50');
    assert.equal(a.headers['content-disposition'], 'attachment; filename="a.jpg"');
    assert.equal(a.body.readUInt16BE(0), 0xffd8);
    assert.equal(b.headers['x-mainstay-size'], '50x80', 'nothing grows unless asked');
    assert.equal(text.headers['x-mainstay-status'], '415');
    assert.equal(JSON.parse(text.body).error.code, 'image_format');
    assert.equal(JSON.parse(cut.body).error.code, 'image_damaged');
    assert.equal(JSON.parse(empty.body).error.code, 'file_empty');
    assert.match((await server.get('/metrics')).text, /mainstay_decoder_items_total\{outcome="done"\} 2\n/);
  });

  test('results come as lines with their bytes inside, and results can be sent again', async (t) => {
    const server = await serve(t);
    let body = PICTURE.body;
    for (const format of ['jpeg', 'webp', 'png']) {
      const reply = await send(server, [{ file: 'x', body }], { query: `?width=64&format=${format}&quality=90`, lines: true });
      assert.equal(reply.status, 200);
      assert.equal(reply.type, 'application/x-ndjson');
      const [one] = reply.results;
      assert.deepEqual({ ...one, data: 0, bytes: 0 },
        { index: 0, name: 'x', status: 'done', format, width: 64, height: 32, bytes: 0, data: 0 });
      body = Buffer.from(one.data, 'base64');
      assert.equal(body.length, one.bytes);
    }
    const failed = await send(server, [{ file: 'x', body: 'words' }, PICTURE], { lines: true });
    assert.deepEqual(failed.results.map((one) => one.status), ['failed', 'done']);
    assert.equal(failed.results[0].error.code, 'image_format');
  });

  test('large results go over the disk and come whole', async (t) => {
    const server = await serve(t);
    const large = png(1500, 1000, { noise: true });
    for (const lines of [false, true]) {
      const reply = await send(server, [{ file: 'n.png', body: large }, { file: 'n.png', body: large }], { lines, query: '?width=1499' });
      assert.equal(reply.results.length, 2);
      const bytes = lines ? Buffer.from(reply.results[1].data, 'base64') : reply.results[1].body;
      assert.ok(bytes.length > 3 << 20, `${bytes.length}`);
      assert.equal(bytes.readUInt32BE(16), 1499);
      assert.equal(bytes.toString('latin1', bytes.length - 8, bytes.length - 4), 'IEND');
    }
    await pause(200);
    assert.deepEqual(fs.readdirSync(`${server.data}/files`), [], 'nothing stays behind');
  });

  test('results can be kept as files', async (t) => {
    const server = await serve(t);
    // security row 33: what a client calls its file never becomes a path
    const reply = await send(server, [{ ...PICTURE, file: '../../etc/a.jpg' }, { file: 'b.gif', body: 'words' }],
      { lines: true, query: '?results=kept&height=20&format=png' });
    const [kept, failed] = reply.results;
    assert.equal(kept.status, 'done');
    assert.equal(failed.status, 'failed');
    const content = await fetch(server.url + kept.url);
    const bytes = Buffer.from(await content.arrayBuffer());
    assert.equal(bytes.length, kept.bytes);
    assert.equal(bytes.readUInt32BE(20), 20);
    const facts = await server.get(`/v1/files/${kept.file}`);
    assert.equal(facts.json.filename, 'a.png');
    assert.equal(facts.json.purpose, 'vision');
    await pause(100);
    assert.deepEqual(fs.readdirSync(`${server.data}/files`), [kept.file]);
  });

  test('what is wrong as a whole is refused before any result', async (t) => {
    const small = { file: 's.png', body: png(8, 8) };
    const noise = { file: 'n.png', body: png(60, 60, { noise: true }) };
    const both = noise.body.length + small.body.length;
    assert.ok(noise.body.length > 4096);
    const server = await serve(t, { config: { media: { images_max: 2, image_bytes_max: '4KiB', images_bytes_max: both } } });
    const wrong = async (parts, code, status = 400, query = '') => {
      const reply = await send(server, parts, { query });
      assert_error(reply, status, { code });
    };
    await wrong([{ name: 'operations', body: '' }], 'missing_field');
    await wrong([{ name: 'operations', body: '{}' }], 'missing_field');
    await wrong([small, { name: 'operations', body: '{"width":0}' }], 'out_of_range');
    await wrong([small, { name: 'operations', body: '{"wide":3}' }], 'unknown_field');
    await wrong([small, { name: 'operations', body: '{' }], 'invalid_json');
    await wrong([small, { name: 'operations', body: '{"width":3}' }], 'duplicate_field', 400, '?width=3');
    await wrong([small, { name: 'colour', body: 'red' }], 'unknown_field');
    await wrong([small], 'invalid_type', 400, '?width=wide');
    await wrong([small], 'invalid_value', 400, '?results=kept');
    await wrong([small, small, small], 'too_many_images', 413);
    const reply = await send(server, [noise, small]);
    assert.equal(JSON.parse(reply.results[0].body).error.code, 'image_too_large');
    assert.equal(reply.results[1].headers['content-type'], 'image/png');
    await wrong([noise, noise], 'images_too_large', 413);
    assert.equal((await server.post('/v1/images', '{}', { 'content-type': 'application/json' })).status, 415);
    await pause(100);
    assert.deepEqual(fs.readdirSync(`${server.data}/files`), []);
  });

  test('security_30_more pixels than allowed are refused from the head', async (t) => {
    const server = await serve(t, { config: { media: { image_pixels_max: 10_000 } } });
    const reply = await send(server, [{ file: 'a', body: png(100, 100) }, { file: 'b', body: png(101, 100) }], { lines: true });
    assert.equal(reply.results[0].status, 'done');
    assert.equal(reply.results[1].error.code, 'image_too_many_pixels');
  });

  test('no decoder runs before the first picture; one that dies is replaced; none outlives the server', async (t) => {
    const server = await serve(t, { config: { media: { decoders: 1 } } });
    assert.deepEqual(decoders(server), []);
    await send(server, [PICTURE]);
    const [first] = decoders(server);
    assert.ok(first > 0);
    await send(server, [PICTURE]);
    assert.deepEqual(decoders(server), [first], 'one serves many');
    process.kill(first, 'SIGKILL');
    await pause(100);
    assert.equal((await send(server, [PICTURE], { lines: true })).results[0].status, 'done');
    const [second] = decoders(server);
    assert.notEqual(second, first);
    await server.kill();
    await pause(300);
    assert.ok(!fs.existsSync(`/proc/${second}`) || fs.readFileSync(`/proc/${second}/stat`, 'utf8').includes(') Z '));
  });

  test('many at once, each its own results', async (t) => {
    const server = await serve(t);
    const replies = await Promise.all(Array.from({ length: 8 }, (_, i) =>
      send(server, [PICTURE, { file: `${i}.png`, body: png(100 + i, 50) }, PICTURE], { lines: true, query: '?format=webp' })));
    replies.forEach((reply, i) => assert.deepEqual(reply.results.map((one) => one.width), [400, 100 + i, 400]));
  });

  test('without a decoder the request is refused', async (t) => {
    const server = await serve(t, { config: { media: { decoder: '/nonexistent/decoder' } } });
    assert_error(await send(server, [PICTURE], { lines: true }), 503, { code: 'decoder_missing' });
  });
});
