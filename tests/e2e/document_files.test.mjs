// Documents that come as files: forms, kept files, kill -9 in the middle, bad files, other people's.
// proves K2 K10 M9
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { JobEvents } from './lib/events.mjs';
import { assert_error, serve, temp_dir } from './lib/harness.mjs';
import { bearer, new_key } from './lib/people.mjs';

/** Sends a form to POST /v1/documents: {status, json}. */
async function upload(server, bytes, name, fields = {}, headers = {}) {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) form.append(field, value);
  form.append('file', new Blob([bytes]), name);
  const reply = await fetch(`${server.url}/v1/documents`, { method: 'POST', body: form, headers });
  const text = await reply.text();
  return { status: reply.status, text, json: JSON.parse(text), headers: Object.fromEntries(reply.headers) };
}

async function ended(server, job, headers = {}, limit_ms = 60_000) {
  let row;
  await server.until(async () => {
    row = (await server.get(`/v1/jobs/${job}`, headers)).json;
    return ['succeeded', 'dead', 'cancelled', 'expired'].includes(row?.state);
  }, `job ${job} ended`, limit_ms);
  return row;
}

/** Paragraphs that differ, `size` bytes at least. */
function book(size) {
  const parts = ['# The long book\n\n'];
  for (let i = 0, at = 0; at < size; i += 1) {
    parts.push(`Paragraph ${i} tells of lantern${i} and of the sea behind the dunes, where nobody goes in winter.\n\n`);
    at += parts.at(-1).length;
  }
  return parts.join('');
}

/** A PDF with one line of text on each page. */
function pdf(lines) {
  const bodies = ['<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Count ${lines.length} /Kids [${lines.map((_, i) => `${4 + 2 * i} 0 R`).join(' ')}] >>`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>'];
  lines.forEach((line, i) => {
    const text = `BT /F1 18 Tf 60 700 Td (${line}) Tj ET`;
    bodies.push(`<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents ${5 + 2 * i} 0 R /Resources << /Font << /F1 3 0 R >> >> >>`,
      `<< /Length ${text.length} >>\nstream\n${text}\nendstream`);
  });
  let out = '%PDF-1.4\n';
  const places = bodies.map((body, i) => {
    const at = out.length;
    out += `${i + 1} 0 obj\n${body}\nendobj\n`;
    return at;
  });
  const table = out.length;
  out += `xref\n0 ${bodies.length + 1}\n0000000000 65535 f \n${places.map((at) => `${String(at).padStart(10, '0')} 00000 n \n`).join('')}`;
  return `${out}trailer\n<< /Size ${bodies.length + 1} /Root 1 0 R >>\nstartxref\n${table}\n%%EOF\n`;
}

describe('documents as files', () => {
  test('the text of a PDF is found with its page; one that is none is refused', async (t) => {
    const server = await serve(t);
    const got = await upload(server, pdf(['The harbour has a lighthouse.', 'The museum opens at nine.']), 'guide.txt');
    assert.equal(got.status, 202, got.text);
    const job = await ended(server, got.json.job);
    assert.equal(job.state, 'succeeded', JSON.stringify(job));
    const found = (await server.post('/v1/search', { query: 'When does the museum open?' })).json.data;
    assert.equal(found[0].page, 2);
    assert.match(found[0].text, /museum opens at nine/);
    assert.equal((await server.get(`/v1/documents/${got.json.id}`)).json.media_type, 'application/pdf');
    const broken = await upload(server, '%PDF-1.7\nnothing of the kind', 'broken.pdf');
    const end = await ended(server, broken.json.job);
    assert.equal(end.state, 'dead');
    assert.match(JSON.stringify(end.error), /pdf_|PDF/);
    assert.equal((await server.get('/v1/documents')).json.data.length, 1);
  });

  test('a form is accepted, read by a job, and found by its words', async (t) => {
    const server = await serve(t);
    const got = await upload(server, '# Ports\n\nThe harbour of Genoa has a lighthouse.\n', 'notes.md',
      { collection: 'sea', tags: 'harbour, italy' });
    assert.equal(got.status, 202, got.text);
    assert.match(got.json.id, /^doc_/);
    assert.equal(got.json.state, 'ingesting');
    const job = await ended(server, got.json.job);
    assert.equal(job.state, 'succeeded', JSON.stringify(job));
    assert.equal(job.result.id, got.json.id);
    const document = (await server.get(`/v1/documents/${got.json.id}`)).json;
    assert.equal(document.state, 'ready');
    assert.equal(document.media_type, 'text/markdown');
    assert.equal(document.source, 'notes.md');
    assert.deepEqual(document.tags, ['harbour', 'italy']);
    const found = (await server.post('/v1/search', { query: 'Genoa lighthouse', collection: 'sea' })).json.data;
    assert.equal(found[0].document, got.json.id);
    assert.equal(found[0].heading, 'Ports');
    assert.deepEqual((await server.get('/v1/files')).json.data, [], 'the file went with the job');
  });

  test('a file that is here already is read and stays', async (t) => {
    const server = await serve(t);
    const form = new FormData();
    form.append('purpose', 'user_data');
    form.append('file', new Blob(['name,role\nAda,engineer\nGrace,admiral\n']), 'people.csv');
    const file = await (await fetch(`${server.url}/v1/files`, { method: 'POST', body: form })).json();
    const got = await server.post('/v1/documents', { file: file.id, title: 'People' });
    assert.equal(got.status, 202, got.text);
    assert.equal((await ended(server, got.json.job)).state, 'succeeded');
    const found = (await server.post('/v1/search', { query: 'admiral' })).json.data;
    assert.match(found[0].text, /name: Grace\nrole: admiral/);
    assert.equal(found[0].title, 'People');
    assert.equal((await server.get(`/v1/files/${file.id}`)).status, 200);
    assert_error(await server.post('/v1/documents', { file: file.id, text: 'x' }), 400, { param: 'file' });
    assert_error(await server.post('/v1/documents', { file: 'file-none' }), 404, { code: 'unknown_file' });
  });

  test('a large file tells how far it is, survives kill -9 in the middle, and is whole', async (t) => {
    const data = path.join(temp_dir(t), 'data');
    const first = await serve(t, { data });
    const text = book(30_000_000);
    const got = await upload(first, text, 'book.md');
    assert.equal(got.status, 202, got.text);
    const events = new JobEvents(first, got.json.job);
    const progress = await events.heard('progress');
    assert.equal(progress.data.bytes_total, Buffer.byteLength(text));
    assert.ok(progress.data.chunks > 0);
    assert.equal((await first.get(`/v1/documents/${got.json.id}`)).json.state, 'ingesting');
    assert.deepEqual((await first.get('/v1/documents')).json.data, [], 'nothing half done is listed');
    assert.deepEqual((await first.post('/v1/search', { query: 'lantern0' })).json.data, []);
    await first.kill();
    const second = await serve(t, { data });
    const job = await ended(second, got.json.job, {}, 120_000);
    assert.equal(job.state, 'succeeded', JSON.stringify(job));
    const last = text.match(/lantern\d+/g).at(-1);
    for (const word of ['lantern0', 'lantern123456', last]) {
      const found = (await second.post('/v1/search', { query: word, limit: 3 })).json.data;
      assert.equal(found.length, 1, `${word} once, not twice`);
    }
    assert.equal((await second.get(`/v1/documents/${got.json.id}`)).json.bytes, Buffer.byteLength(text));
    assert.equal((await second.delete(`/v1/documents/${got.json.id}`)).status, 200);
    assert.deepEqual((await second.post('/v1/search', { query: 'lantern0' })).json.data, []);
  });

  test('bad files are refused at once with what they are', async (t) => {
    const server = await serve(t, { config: { files: { size_max: '1MiB' } } });
    const refused = async (bytes, name, fields, status, code) => {
      const got = await upload(server, bytes, name, fields);
      assert_error(got, status, { code });
    };
    await refused('', 'empty.txt', {}, 400, 'empty_field');
    await refused(Buffer.from('PK\x03\x04\x14\x00\x00\x00'), 'book.docx', {}, 415, 'unsupported_file_type');
    await refused(Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), 'notes.txt', {}, 415, 'unsupported_file_type');
    await refused('words', 'a.pdf', { format: 'pdf' }, 400, 'format_mismatch');
    await refused('words', 'a.txt', { format: 'docx' }, 400, 'invalid_value');
    await refused('words', 'a.txt', { collection: '../x' }, 400, 'invalid_name');
    await refused(Buffer.alloc((1 << 20) + 1, 'x'), 'big.txt', {}, 413, 'file_too_large');
    const tags = await upload(server, 'words', 'a.txt', { tags: Array(17).fill('t').join(',') });
    assert.equal(tags.status, 400, tags.text);
    assert.deepEqual((await server.get('/v1/files')).json.data, [], 'nothing is kept of them');
    const late = await upload(server, `${'good words '.repeat(9000)}\0`, 'late.txt');
    assert.equal(late.status, 202);
    const job = await ended(server, late.json.job);
    assert.equal(job.state, 'dead');
    assert.match(JSON.stringify(job), /control_character|NUL/);
    assert.deepEqual((await server.get('/v1/documents')).json.data, []);
    assert.deepEqual(fs.readdirSync(path.join(server.data, 'files')).length <= 1, true);
  });

  test('the same key is one document; another user sees neither job nor document', async (t) => {
    const server = await serve(t);
    const [ann, bob] = [(await new_key(server.data, 'ann', '--user', 'ann', '--tenant', 'a')).key,
      (await new_key(server.data, 'bob', '--user', 'bob', '--tenant', 'b')).key];
    await server.until(async () => (await server.get('/v1/jobs', bearer(bob))).json.data !== undefined &&
      (await server.get('/admin/tasks', bearer(bob))).status === 403, 'keys known');
    const headers = { ...bearer(ann), 'idempotency-key': 'one' };
    const first = await upload(server, 'The secret is violet.', 'a.txt', {}, headers);
    const again = await upload(server, 'The secret is violet.', 'a.txt', {}, headers);
    assert.equal(first.status, 202, first.text);
    assert.deepEqual(again.json, first.json);
    assert.equal((await upload(server, 'Another secret.', 'a.txt', {}, headers)).status, 409);
    assert.equal((await ended(server, first.json.job, bearer(ann))).state, 'succeeded');
    assert.equal((await server.get(`/v1/jobs/${first.json.job}`, bearer(bob))).status, 404);
    assert.equal((await server.get(`/v1/documents/${first.json.id}`, bearer(bob))).status, 404);
    assert.deepEqual((await server.post('/v1/search', { query: 'violet' }, bearer(bob))).json.data, []);
    assert.equal((await server.post('/v1/search', { query: 'violet' }, bearer(ann))).json.data.length, 1);
  });
});
