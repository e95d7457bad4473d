// POST /v1/images over the built program and the real decoder: results as parts and as lines, pictures
// that fail alone, limits, kept results, a decoder that dies.   proves K1, fault rows of decoders
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { describe, test } from 'node:test';
import { ended } from './lib/events.mjs';
import { assert_error, pause, serve, temp_dir } from './lib/harness.mjs';
import { png } from './lib/pictures.mjs';

/** An archive made by Python, which checks no names; a null entry is a link. */
function archive_of(t, entries, kind) {
  const dir = temp_dir(t);
  const list = Object.entries(entries).map(([name, bytes], i) => {
    if (bytes !== null) fs.writeFileSync(`${dir}/${i}`, bytes);
    return [name, bytes === null ? null : `${dir}/${i}`];
  });
  const script = `import io, json, sys, tarfile, zipfile
kind, out, entries = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
if kind == 'zip':
    z = zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED)
    for name, path in entries:
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        if path is None: info.create_system, info.external_attr = 3, 0o120777 << 16
        z.writestr(info, b'/etc/passwd' if path is None else open(path, 'rb').read())
    z.close()
else:
    tar = tarfile.open(out, 'w:gz' if kind == 'gztar' else 'w')
    for name, path in entries:
        info = tarfile.TarInfo(name)
        if path is None: info.type, info.linkname = tarfile.SYMTYPE, '/etc/passwd'
        data = b'' if path is None else open(path, 'rb').read()
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    tar.close()
`;
  execFileSync('python3', ['-c', script, kind, `${dir}/out`, JSON.stringify(list)]);
  return fs.readFileSync(`${dir}/out`);
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

describe('pictures in bulk', () => {
  const put = async (server, bytes, name = 'a.png') => {
    const body = new FormData();
    body.append('purpose', 'vision');
    body.append('file', new Blob([bytes]), name);
    return (await (await fetch(`${server.url}/v1/files`, { method: 'POST', body })).json()).id;
  };
  const submit = async (server, input) => server.post('/v1/jobs', { kind: 'images', input });
  const lines_of = async (server, job) => (await (await fetch(server.url + job.result.url)).text()).trim().split('\n')
    .map((line) => JSON.parse(line));
  const zip = (t, entries) => archive_of(t, entries, 'zip');

  test('files become files; a bad one fails alone', async (t) => {
    const server = await serve(t);
    const files = [await put(server, png(400, 200), 'one.png'), await put(server, 'words', 'two.png'), 'file-none',
      await put(server, png(90, 60), 'three.png')];
    const job = await submit(server, { files, operations: { width: 100, format: 'webp' } });
    assert.equal(job.status, 202, job.text);
    const done = await ended(server, job.json.id);
    assert.equal(done.state, 'succeeded', JSON.stringify(done));
    assert.deepEqual([done.result.total, done.result.done, done.result.failed], [4, 2, 2]);
    const lines = await lines_of(server, done);
    assert.deepEqual(lines.map((line) => [line.index, line.name, line.status]),
      [[0, 'one.png', 'done'], [1, 'two.png', 'failed'], [2, 'file-none', 'failed'], [3, 'three.png', 'done']]);
    assert.equal(lines[1].error.code, 'image_format');
    assert.equal(lines[2].error.code, 'unknown_file');
    assert.deepEqual([lines[0].width, lines[0].height, lines[0].format], [100, 50, 'webp']);
    const bytes = Buffer.from(await (await fetch(server.url + lines[0].url)).arrayBuffer());
    assert.equal(bytes.length, lines[0].bytes);
    assert.equal(bytes.toString('latin1', 8, 12), 'WEBP');
    assert.equal((await server.get(`/v1/files/${lines[0].file}`)).json.filename, 'one.webp');
    const events = await (await fetch(`${server.url}/v1/jobs/${job.json.id}/events`)).text();
    assert.match(events, /"done":4/);
  });

  test('what is wrong with the order is refused by its field', async (t) => {
    const server = await serve(t);
    const wrong = async (input, param, code) => assert_error(await submit(server, input), 400, { param, code });
    await wrong({}, 'input.files', 'missing_field');
    await wrong({ files: ['a'], archive: 'b' }, 'input.files', 'invalid_value');
    await wrong({ files: [''] }, 'input.files', 'out_of_range');
    await wrong({ files: ['a'], operations: { width: 0 } }, 'input.width', 'out_of_range');
    await wrong({ files: ['a'], operations: { wide: 1 } }, 'input.operations', 'unknown_field');
    await wrong({ files: ['a'], operations: 5 }, 'input.operations', 'invalid_type');
    const none = await ended(server, (await submit(server, { archive: 'file-none' })).json.id);
    assert.equal(none.state, 'dead');
    assert.equal(none.error.code, 'unknown_file');
    const words = await ended(server, (await submit(server, { archive: await put(server, 'words and words', 'a.zip') })).json.id);
    assert.equal(words.error.code, 'archive_format');
  });

  // proves security_33_path_traversal and security_30_decompression_bombs for archives, end to end
  for (const kind of ['zip', 'tar', 'gztar']) {
    test(`a ${kind} archive: its pictures are made, what is hostile in it fails alone`, async (t) => {
      const server = await serve(t);
      const archive = archive_of(t, { 'pier/ünï.png': png(300, 150), '../up.png': png(10, 10), '/abs.png': png(10, 10),
        'notes.txt': 'words', 'link.png': null, 'last.png': png(64, 64) }, kind);
      const job = await submit(server, { archive: await put(server, archive, `a.${kind}`), operations: { width: 30 } });
      const done = await ended(server, job.json.id);
      assert.equal(done.state, 'succeeded', JSON.stringify(done));
      const lines = await lines_of(server, done);
      assert.deepEqual(lines.map((line) => [line.name, line.error?.code ?? line.width]), [['pier/ünï.png', 30],
        ['../up.png', 'archive_entry_name'], ['/abs.png', 'archive_entry_name'], ['notes.txt', 'image_format'],
        ['link.png', 'archive_entry_kind'], ['last.png', 30]]);
      assert.equal((await server.get(`/v1/files/${lines[0].file}`)).json.filename, 'ünï.png');
      await pause(200);
      const kept = lines.filter((line) => line.file).length + 2;  // the archive and the lines
      assert.equal(fs.readdirSync(`${server.data}/files`).length, kept);
    });
  }

  test('a bomb in an archive is refused, and limits hold', async (t) => {
    const server = await serve(t, { config: { archives: { entries_max: 3, entry_max: '256MiB', ratio_max: 50 } } });
    const bomb = zip(t, { 'a.png': png(20, 20), 'bomb.png': Buffer.alloc(60 << 20), 'b.png': png(20, 20) });
    const done = await ended(server, (await submit(server, { archive: await put(server, bomb, 'b.zip') })).json.id);
    const lines = await lines_of(server, done);
    assert.equal(lines[0].status, 'done');
    assert.equal(lines[1].error.code, 'archive_entry_bomb');
    assert.equal(lines[2].status, 'done', 'those behind it go on');
    const many = zip(t, Object.fromEntries([1, 2, 3, 4].map((i) => [`${i}.png`, png(i, 5)])));
    const cut = await ended(server, (await submit(server, { archive: await put(server, many, 'm.zip') })).json.id);
    assert.deepEqual((await lines_of(server, cut)).map((line) => line.error?.code ?? line.status), ['done', 'done', 'done', 'archive_too_many']);
  });

  // proves that an attempt after a crash goes on behind the last result
  test('kill -9 in the middle: the job goes on behind the last line', async (t) => {
    const data = `${temp_dir(t)}/data`;
    const first = await serve(t, { data });
    const entries = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`${i}.png`, png(700 + i, 500, { noise: true })]));
    const archive = await put(first, zip(t, entries), 'a.zip');
    const job = (await submit(first, { archive, operations: { width: 300 } })).json.id;
    const own = job.slice(4);
    const made = () => fs.readdirSync(`${data}/files`).filter((name) => new RegExp(`^file-${own}-\\d+$`).test(name));
    await first.until(() => made().length >= 10, 'ten are made', 30_000);
    await first.kill();
    const before = new Map(made().slice(0, 8).map((name) => [name, fs.statSync(`${data}/files/${name}`).mtimeMs]));
    const second = await serve(t, { data });
    const done = await ended(second, job, { limit_ms: 120_000 });
    assert.equal(done.state, 'succeeded', JSON.stringify(done));
    const lines = await lines_of(second, done);
    assert.deepEqual(lines.map((line) => line.index), Array.from({ length: 60 }, (_, i) => i));
    assert.ok(lines.every((line, i) => line.status === 'done' && line.name === `${i}.png`));
    let kept = 0;
    for (const [name, time] of before) kept += fs.statSync(`${data}/files/${name}`).mtimeMs === time ? 1 : 0;
    assert.ok(kept >= 7, `${kept} of 8 were not made again`);
  });
});

