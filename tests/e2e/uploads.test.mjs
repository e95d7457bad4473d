// /v1/uploads through the official client: parts out of order and at once, going on after kill -9 and
// from the command line, bounds, digests, owners; the finished file is read as a document.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { ended } from './lib/events.mjs';
import { assert_error, run, serve, temp_dir } from './lib/harness.mjs';
import { bearer, known, new_key } from './lib/people.mjs';

const client_of = (server, apiKey = 'sk-test') =>
  new OpenAI({ apiKey, baseURL: `${server.url}/v1`, maxRetries: 0 });
const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');
const md5 = (bytes) => crypto.createHash('md5').update(bytes).digest('hex');
function noise(size, seed = 1) {
  const out = Buffer.alloc(size);
  let x = seed;
  for (let i = 0; i < size; i += 1) {
    x = (x * 1103515245 + 12345) & 0x7fffffff;
    out[i] = x >> 16;
  }
  return out;
}
const begin = (client, bytes, more = {}) => client.uploads.create({ filename: 'big.bin', bytes,
  mime_type: 'application/octet-stream', purpose: 'user_data', ...more });
const put = async (client, upload, bytes) =>
  client.uploads.parts.create(upload.id, { data: await toFile(bytes, 'part') });
const on_shelf = (server) => fs.readdirSync(path.join(server.data, 'files')).sort();
const content_of = async (client, id) => Buffer.from(await (await client.files.content(id)).arrayBuffer());

describe('uploads', () => {
  test('the official client sends parts in any order and at once; the file is whole', async (t) => {
    const server = await serve(t);
    const client = client_of(server);
    const bytes = noise(3_000_000);
    const pieces = [0, 1, 2, 3, 4].map((i) => bytes.subarray(i * 600_000, (i + 1) * 600_000));
    const upload = await begin(client, bytes.length, { filename: '../../ünï/big.bin' });
    assert.equal(upload.object, 'upload');
    assert.equal(upload.status, 'pending');
    assert.equal(upload.filename, 'big.bin');
    assert.ok(upload.expires_at > upload.created_at);
    const last = await put(client, upload, pieces[4]);
    assert.equal(last.object, 'upload.part');
    assert.equal(last.upload_id, upload.id);
    const others = await Promise.all(pieces.slice(0, 4).map((piece) => put(client, upload, piece)));
    const part_ids = [...others, last].map((part) => part.id);
    const state = (await server.get(`/v1/uploads/${upload.id}`)).json;
    assert.equal(state.bytes_received, bytes.length);
    assert.deepEqual(state.parts.map((part) => part.sha256).sort(), pieces.map(sha256).sort());
    await assert.rejects(client.uploads.complete(upload.id, { part_ids, md5: '0'.repeat(32) }), { status: 400 });
    await assert.rejects(client.uploads.complete(upload.id, { part_ids: part_ids.slice(1) }), { status: 400 });
    const done = await client.uploads.complete(upload.id, { part_ids, md5: md5(bytes) });
    assert.equal(done.status, 'completed');
    assert.equal(done.file.bytes, bytes.length);
    assert.equal(done.file.purpose, 'user_data');
    assert.ok((await content_of(client, done.file.id)).equals(bytes));
    assert.equal((await client.uploads.complete(upload.id, { part_ids })).file.id, done.file.id, 'twice is once');
    await server.until(() => on_shelf(server).join() === done.file.id, 'no part stays behind');
    assert.equal((await client.files.list()).data[0].id, done.file.id);
  });

  test('a part may stand twice in a file, and one that was left out goes', async (t) => {
    const server = await serve(t);
    const client = client_of(server);
    const [a, b, c] = [noise(1000, 1), noise(500, 2), noise(100, 3)];
    const upload = await begin(client, 2500);
    const [one, two] = [await put(client, upload, a), await put(client, upload, b)];
    assert.equal((await put(client, upload, a)).id, one.id, 'the same content is the same part');
    await put(client, upload, c);
    const done = await client.uploads.complete(upload.id, { part_ids: [one.id, two.id, one.id] });
    assert.ok((await content_of(client, done.file.id)).equals(Buffer.concat([a, b, a])));
    await server.until(() => on_shelf(server).length === 1, 'what was left out goes');
  });

  // proves that what was acknowledged survives kill -9
  test('kill -9 in the middle: the parts are there, and the upload goes on', async (t) => {
    const data = path.join(temp_dir(t), 'data');
    const first = await serve(t, { data });
    const bytes = noise(2_000_000);
    const upload = await begin(client_of(first), bytes.length);
    const one = await put(client_of(first), upload, bytes.subarray(0, 1_000_000));
    await first.kill();
    const second = await serve(t, { data });
    const client = client_of(second);
    const open = (await second.get('/v1/uploads')).json.data;
    assert.deepEqual(open.map((each) => [each.id, each.bytes_received]), [[upload.id, 1_000_000]]);
    const { parts } = (await second.get(`/v1/uploads/${upload.id}`)).json;
    assert.deepEqual(parts.map((part) => [part.id, part.bytes, part.sha256]),
      [[one.id, 1_000_000, sha256(bytes.subarray(0, 1_000_000))]]);
    const two = await put(client, upload, bytes.subarray(1_000_000));
    const done = await client.uploads.complete(upload.id, { part_ids: [one.id, two.id], md5: md5(bytes) });
    assert.ok((await content_of(client, done.file.id)).equals(bytes));
  });

  test('kill -9 while parts are put together: completing again goes on', async (t) => {
    const data = path.join(temp_dir(t), 'data');
    const first = await serve(t, { data });
    const bytes = noise(48_000_000);
    const upload = await begin(client_of(first), bytes.length);
    const part_ids = [];
    for (let at = 0; at < bytes.length; at += 8_000_000) {
      part_ids.push((await put(client_of(first), upload, bytes.subarray(at, at + 8_000_000))).id);
    }
    const cut = client_of(first).uploads.complete(upload.id, { part_ids }).catch(() => {});
    await first.until(() => !on_shelf(first).includes(part_ids[0]), 'it has begun', 5_000);
    await first.kill();
    await cut;
    const second = await serve(t, { data });
    const done = await client_of(second).uploads.complete(upload.id, { part_ids });
    assert.equal(done.status, 'completed');
    assert.equal(sha256(await content_of(client_of(second), done.file.id)), sha256(bytes));
    await second.until(() => on_shelf(second).join() === done.file.id, 'no part stays behind');
  });

  test('bounds hold at their edge, and what is wrong leaves nothing', async (t) => {
    const server = await serve(t, { config: { uploads: { size_max: '100KiB', part_max: '64KiB', parts_max: 2, owner_open_max: 2 },
      files: { owner_bytes_max: '150KiB' } } });
    const client = client_of(server);
    const kib = 1024;
    await assert.rejects(begin(client, 100 * kib + 1), { status: 413 });
    await assert.rejects(begin(client, 0), { status: 400 });
    await assert.rejects(begin(client, 10, { purpose: 'nonsense' }), { status: 400 });
    await assert.rejects(begin(client, 10, { expires_after: { anchor: 'created_at', seconds: 3599 } }), { status: 400 });
    assert_error(await server.post('/v1/uploads', { filename: 'x', bytes: 1, mime_type: 'a/b', purpose: 'batch', more: 1 }), 400,
      { code: 'unknown_field' });
    const upload = await begin(client, 100 * kib);
    await assert.rejects(begin(client, 50 * kib + 1), { status: 429 }, 'files and uploads of one user together');
    const other = await begin(client, 50 * kib);
    await assert.rejects(begin(client, 1), { status: 429 }, 'unfinished ones');
    await assert.rejects(put(client, upload, noise(64 * kib + 1)), { status: 413 });
    await assert.rejects(put(client, upload, Buffer.alloc(0)), { status: 400 });
    await server.until(() => on_shelf(server).length === 0, 'nothing of them is kept');
    const one = await put(client, upload, noise(64 * kib));
    await put(client, upload, noise(64 * kib, 2));
    await assert.rejects(put(client, upload, noise(3, 3)), { status: 429 }, 'a third part');
    await assert.rejects(client.uploads.complete(upload.id, { part_ids: [one.id] }), { status: 400 });
    await assert.rejects(client.uploads.complete(upload.id, { part_ids: [one.id, 'part_none'] }), { status: 400 });
    await assert.rejects(client.uploads.complete(upload.id, { part_ids: [] }), { status: 400 });
    assert.equal((await client.uploads.cancel(upload.id)).status, 'cancelled');
    assert.equal((await client.uploads.cancel(upload.id)).status, 'cancelled');
    await assert.rejects(put(client, upload, noise(3)), { status: 409 });
    await assert.rejects(client.uploads.complete(upload.id, { part_ids: [one.id] }), { status: 409 });
    await server.until(() => on_shelf(server).length === 0, 'its parts are gone');
    const body = (digest) => {
      const form = new FormData();
      form.append('sha256', digest);
      form.append('data', new Blob([noise(9)]), 'x');
      return fetch(`${server.url}/v1/uploads/${other.id}/parts`, { method: 'POST', body: form });
    };
    assert.equal((await body(sha256(noise(9)))).status, 200);
    assert.equal((await (await body('0'.repeat(64))).json()).error.code, 'digest_mismatch');
  });

  test('security_01_object_access: another user sees no upload', async (t) => {
    const server = await serve(t);
    const [ann, bob] = [await new_key(server.data, 'ann', '--user', 'ann'), await new_key(server.data, 'bob', '--user', 'bob')];
    for (const one of [ann, bob]) await known(server, one.key);
    const [a, b] = [client_of(server, ann.key), client_of(server, bob.key)];
    const upload = await begin(a, 10);
    const part = await put(a, upload, noise(10));
    for (const call of [() => put(b, upload, noise(10)), () => b.uploads.cancel(upload.id),
      () => b.uploads.complete(upload.id, { part_ids: [part.id] })]) {
      await assert.rejects(call(), { status: 404 });
    }
    assert.equal((await server.get(`/v1/uploads/${upload.id}`, bearer(bob.key))).status, 404);
    assert.deepEqual((await server.get('/v1/uploads', bearer(bob.key))).json.data, []);
    assert.equal((await a.uploads.complete(upload.id, { part_ids: [part.id] })).status, 'completed');
  });

  test('an upload that nobody goes on with is given up', async (t) => {
    const data = path.join(temp_dir(t), 'data');
    const first = await serve(t, { data, config: { uploads: { keep: '1s' } } });
    const upload = await begin(client_of(first), 100);
    await put(client_of(first), upload, noise(50));
    assert.equal(on_shelf(first).length, 1);
    await first.until(async () => (await first.get(`/v1/uploads/${upload.id}`)).status === 404, 'its time is over');
    await first.kill();
    const second = await serve(t, { data });
    await second.until(() => on_shelf(second).length === 0, 'its parts are gone');
  });

  test('a finished file is read as a document without a second copy', async (t) => {
    const server = await serve(t);
    const client = client_of(server);
    const lines = Array.from({ length: 60_000 }, (_, i) => `The keeper${i} lights lantern${i} at dusk.\n\n`).join('');
    const bytes = Buffer.from(lines);
    for (const purpose of ['user_data', 'ingest']) {
      const upload = await begin(client, bytes.length, { filename: `${purpose}.txt`, purpose });
      const half = bytes.length >> 1;
      const part_ids = [(await put(client, upload, bytes.subarray(0, half))).id, (await put(client, upload, bytes.subarray(half))).id];
      const { file } = await client.uploads.complete(upload.id, { part_ids });
      const got = await server.post('/v1/documents', { file_id: file.id, collection: purpose, tags: ['sea'] });
      assert.equal(got.status, 202, got.text);
      assert.equal((await ended(server, got.json.job)).state, 'succeeded');
      const found = (await server.post('/v1/search', { query: 'lantern59999', collection: purpose })).json.data;
      assert.match(found[0].text, /keeper59999/);
      assert.equal(found[0].source, `${purpose}.txt`);
      assert.equal((await server.get(`/v1/files/${file.id}`)).status, purpose === 'ingest' ? 404 : 200);
    }
    assert_error(await server.post('/v1/documents', { file_id: 'file-none' }), 404, { code: 'unknown_file' });
    assert_error(await server.post('/v1/documents', { file_id: 'x', text: 'y' }), 400, { param: 'file_id' });
  });

  test('the command line goes on with an upload that was broken off', async (t) => {
    const server = await serve(t);
    const dir = temp_dir(t);
    const text = Array.from({ length: 400_000 }, (_, i) => `Keeper ${i} lights lantern${i} at dusk near the pier.\n\n`).join('');
    const file = path.join(dir, 'large.txt');
    fs.writeFileSync(file, text);
    const size = Buffer.byteLength(text);
    assert.ok(size > 17 << 20, `${size}`);
    const upload = await begin(client_of(server), size, { filename: 'large.txt', purpose: 'ingest' });
    await put(client_of(server), upload, Buffer.from(text).subarray(0, 8 << 20));
    const got = await run(['ingest', '--url', server.url, '--collection', 'sea', '--tag', 'light', '--tag', 'north', '--json', file]);
    assert.equal(got.code, 0, got.err + got.out);
    const out = JSON.parse(got.out);
    assert.equal(out.stored, 1);
    assert.deepEqual(out.files[0].document.tags, ['light', 'north']);
    assert.equal(out.files[0].document.collection, 'sea');
    const state = (await server.get(`/v1/uploads/${upload.id}`)).json;
    assert.equal(state.status, 'completed', 'it was this upload that went on');
    assert.deepEqual((await server.get('/v1/uploads')).json.data, []);
    const found = (await server.post('/v1/search', { query: 'lantern399999' })).json.data;
    assert.match(found[0].text, /Keeper 399999/);
    await server.until(() => on_shelf(server).length === 0, 'the file went with the job');
  });
});
