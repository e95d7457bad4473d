// POST /v1/analyze and mainstay analyze: the same text in every way it can be given, bounds, refusals.
// proves K2
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { describe, test } from 'node:test';
import { assert_error, pair, run, temp_dir } from './lib/harness.mjs';
import { bearer, known, new_key } from './lib/people.mjs';

const TEXT = 'The harbour was quiet. Dr. Solberg didn\u2019t see the boat;\r\nthe boat had left!\n\nThe harbour was quiet.\n';
const PLAIN = { 'content-type': 'text/plain; charset=utf-8' };
const form = (content, more = '') => `--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n${content}\r\n${more}--b--\r\n`;
const FORM = { 'content-type': 'multipart/form-data; boundary=b' };

/** Sends a body in chunks of `step` bytes. */
function chunked(server, body, step) {
  return new Promise((resolve, reject) => {
    const request = http.request(`${server.url}/v1/analyze`, { method: 'POST', agent: false, headers: { ...PLAIN, 'transfer-encoding': 'chunked' } });
    request.on('error', reject);
    request.on('response', (r) => { let text = ''; r.on('data', (d) => (text += d)); r.on('end', () => resolve({ status: r.statusCode, json: JSON.parse(text) })); });
    for (let i = 0; i < body.length; i += step) request.write(body.subarray(i, i + step));
    request.end();
  });
}

async function put_file(server, content, headers = {}) {
  const body = `--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n${form(content)}`;
  const got = await server.post('/v1/files', body, { ...headers, ...FORM });
  assert.equal(got.status, 200, got.text);
  return got.json.id;
}

describe('POST /v1/analyze', () => {
  test('every way to give a text tells the same', async (t) => {
    const { server } = await pair(t);
    const plain = await server.post('/v1/analyze', TEXT, PLAIN);
    assert.equal(plain.status, 200, plain.text);
    const told = plain.json;
    assert.equal(told.bytes, Buffer.byteLength(TEXT));
    assert.equal(told.characters, TEXT.length);
    assert.equal(told.lines, 4);
    assert.equal(told.words, 18);
    assert.equal(told.sentences, 3);
    assert.equal(told.paragraphs, 2);
    assert.equal(told.language.code, 'en');
    assert.deepEqual(told.terms.top[0], { term: 'boat', count: 2 });
    assert.equal(told.repeats.lines.repeated, 0);
    const file = await put_file(server, TEXT);
    for (const same of [
      await server.post('/v1/analyze', { text: TEXT }),
      await server.post('/v1/analyze', { file }),
      await server.post('/v1/analyze', form(TEXT), FORM),
      await chunked(server, Buffer.from(TEXT), 1),
      await chunked(server, Buffer.from(TEXT), 7),
    ]) {
      assert.equal(same.status, 200, same.text);
      assert.deepEqual(same.json, told);
    }
  });

  test('a text larger than any body in memory is analysed; one above the bound is refused', async (t) => {
    const { server } = await pair(t, { config: { server: { body_max: '1MiB' }, analysis: { body_max: '8MiB' } } });
    const line = 'A line of the long text that goes by in pieces.\n';
    const long = Buffer.from(line.repeat(Math.floor(8 * 1024 * 1024 / line.length)));
    const got = await chunked(server, long, 100_000);
    assert.equal(got.status, 200);
    assert.equal(got.json.bytes, long.length);
    assert.equal(got.json.repeats.lines.distinct, 1);
    const { server: small } = await pair(t, { config: { analysis: { body_max: '64KiB' } } });
    assert.equal((await small.post('/v1/analyze', Buffer.alloc(65_536, 'a'), PLAIN)).status, 200);
    assert_error(await small.post('/v1/analyze', Buffer.alloc(65_537, 'a'), PLAIN), 413, { code: 'body_too_large' });
  });

  test('what cannot be analysed is refused with a reason', async (t) => {
    const { server } = await pair(t);
    const send = (body, headers = PLAIN) => server.post('/v1/analyze', body, headers);
    assert_error(await send(Buffer.from('abc\0def')), 415, { code: 'binary_content' });
    assert_error(await send(Buffer.from('\ufeffHello', 'utf16le')), 415, { code: 'utf16_text' });
    assert_error(await send(Buffer.from([0xcf, 0xf0, 0xe8, 0xe2, 0xe5, 0xf2])), 415, { code: 'not_utf8_text' });
    assert_error(await send('x', { 'content-type': 'image/png' }), 415, { code: 'unsupported_media_type' });
    assert_error(await send('x', { 'content-type': 'text/plain; charset=iso-8859-1' }), 415, { code: 'unsupported_media_type' });
    assert_error(await send({ text: 'a', file: 'b' }, {}), 400, { code: 'missing_field' });
    assert_error(await send({}, {}), 400, { code: 'missing_field' });
    assert_error(await send({ file: 'file-nothing' }, {}), 404, { code: 'unknown_file' });
    assert_error(await send('--b--\r\n', FORM), 400, { code: 'missing_field' });
    assert_error(await send(form('a').slice(0, -8), FORM), 400, { code: 'bad_multipart' });
    const empty = await send('');
    assert.equal(empty.status, 200, empty.text);
    assert.equal(empty.json.words, 0);
    assert.equal(empty.json.language.code, 'unknown');
  });

  test('another user\u2019s file is not there, and a repeated key gives the same reply', async (t) => {
    const data = `${temp_dir(t)}/data`;
    const [ann, bob] = [await new_key(data, 'ann', '--user', 'ann'), await new_key(data, 'bob', '--user', 'bob')];
    const { server } = await pair(t, { data });
    for (const one of [ann, bob]) await known(server, one.key);
    const file = await put_file(server, TEXT, bearer(ann.key));
    assert_error(await server.post('/v1/analyze', { file }, bearer(bob.key)), 404, { code: 'unknown_file' });
    const keyed = { ...bearer(ann.key), 'idempotency-key': 'one' };
    const [a, b] = [await server.post('/v1/analyze', { file }, keyed), await server.post('/v1/analyze', { file }, keyed)];
    assert.equal(a.status, 200, a.text);
    assert.equal(b.text, a.text);
    assert_error(await server.post('/v1/analyze', { text: 'other' }, keyed), 409, {});
  });
});

describe('mainstay analyze', () => {
  test('prints for people and for programs; needs no server', async (t) => {
    const dir = temp_dir(t);
    const file = path.join(dir, 'a.txt');
    fs.writeFileSync(file, TEXT);
    const people = await run(['analyze', file], { cwd: dir, home: dir });
    assert.equal(people.code, 0, people.err);
    assert.match(people.out, /18 words, 3 sentences, 2 paragraphs/);
    assert.match(people.out, /Flesch reading ease/);
    const programs = await run(['analyze', '--json', '--terms', '1', file, file], { cwd: dir, home: dir });
    assert.equal(programs.code, 0, programs.err);
    const lines = programs.out.trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(lines.length, 2);
    assert.equal(lines[0].file, file);
    assert.equal(lines[0].terms.top.length, 1);
    assert.equal(lines[0].words, 18);
    assert.deepEqual(fs.readdirSync(dir), ['a.txt'], 'nothing is written');
  });

  test('a file that fails does not keep the others from being told; exit code 1', async (t) => {
    const dir = temp_dir(t);
    fs.writeFileSync(path.join(dir, 'zero'), 'a\0b');
    fs.writeFileSync(path.join(dir, 'good'), 'Good.');
    const got = await run(['analyze', 'zero', 'missing', '.', 'good'], { cwd: dir, home: dir });
    assert.equal(got.code, 1);
    assert.match(got.err, /zero: This is no text/);
    assert.match(got.err, /missing: It cannot be read: No such file/);
    assert.match(got.err, /\.: It cannot be read: Is a directory/);
    assert.match(got.out, /good\n/);
    const json = await run(['analyze', '--json', 'missing'], { cwd: dir, home: dir });
    assert.equal(json.code, 1);
    assert.equal(JSON.parse(json.out).error.code, 'file_not_found');
    assert.equal((await run(['analyze'])).code, 2);
    assert.equal((await run(['analyze', '--terms', '-1', 'good'], { cwd: dir })).code, 2);
  });
});
