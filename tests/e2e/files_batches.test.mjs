// /v1/files and /v1/batches through the official client: upload, validation, results, cancelling,
// kill -9 in the middle; and that a file is its owner's.   proves G9
import assert from 'node:assert/strict';
import http from 'node:http';
import { describe, test } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { assert_error, Server, cleanup, pair, pause } from './lib/harness.mjs';
import { bearer, known, new_key } from './lib/people.mjs';

const client_of = (server, apiKey = 'sk-test') =>
  new OpenAI({ apiKey, baseURL: `${server.url}/v1`, maxRetries: 0 });
const line = (id, text = id, more = {}) => JSON.stringify({ custom_id: id, method: 'POST',
  url: '/v1/chat/completions', body: { model: 'auto', messages: [{ role: 'user', content: text }] }, ...more });
const upload = async (client, text, name = 'input.jsonl') =>
  client.files.create({ file: await toFile(Buffer.from(text), name), purpose: 'batch' });
const create = (client, file) => client.batches.create({ input_file_id: file.id,
  endpoint: '/v1/chat/completions', completion_window: '24h', metadata: { run: 'one' } });
async function ended(client, id, limit_ms = 30_000) {
  const until = performance.now() + limit_ms;
  for (;;) {
    const batch = await client.batches.retrieve(id);
    if (['completed', 'failed', 'expired', 'cancelled'].includes(batch.status)) return batch;
    assert.ok(performance.now() < until, `batch did not end: ${JSON.stringify(batch)}`);
    await pause(25);
  }
}
const lines_of = async (client, id) => (id === null ? [] :
  (await (await client.files.content(id)).text()).trim().split('\n').map((one) => JSON.parse(one)));
const ids_of = (lines) => lines.map((one) => one.custom_id);

describe('files', () => {
  test('what is put here is listed, read back byte by byte, and removed', async (t) => {
    const { server } = await pair(t);
    const client = client_of(server);
    const bytes = Buffer.alloc(700_001);
    for (let i = 0; i < bytes.length; i += 1) bytes[i] = (i * 31 + (i >> 8)) & 0xff;
    const file = await client.files.create({ file: await toFile(bytes, '../../ünï "x".bin'), purpose: 'assistants' });
    assert.equal(file.object, 'file');
    assert.equal(file.bytes, bytes.length);
    assert.doesNotMatch(file.filename, /\//);
    assert.equal(file.purpose, 'assistants');
    const second = await upload(client, `${line('a')}\n`);
    const listed = [];
    for await (const one of client.files.list({ limit: 1 })) listed.push(one.id);
    assert.deepEqual(listed, [second.id, file.id]);
    const batches = await client.files.list({ purpose: 'batch', order: 'asc' });
    assert.deepEqual(batches.data.map((one) => one.id), [second.id]);
    assert.equal((await client.files.retrieve(file.id)).filename, file.filename);
    const back = Buffer.from(await (await client.files.content(file.id)).arrayBuffer());
    assert.ok(back.equals(bytes));
    assert.deepEqual(await client.files.delete(file.id), { id: file.id, object: 'file', deleted: true });
    await assert.rejects(client.files.retrieve(file.id), { status: 404 });
    await assert.rejects(client.files.content(file.id), { status: 404 });
    const empty = await client.files.create({ file: await toFile(Buffer.alloc(0), 'none'), purpose: 'batch' });
    assert.equal(empty.bytes, 0);
  });

  test('a client lists up to 10,000 and may delete what it lists while it lists', async (t) => {
    const { server } = await pair(t);
    const client = client_of(server);
    for (const name of ['a', 'b', 'c', 'd', 'e']) await upload(client, `${line(name)}\n`);
    assert.equal((await client.files.list({ limit: 10_000 })).data.length, 5);
    await assert.rejects(client.files.list({ limit: 10_001 }), { status: 400 });
    for await (const one of client.files.list({ limit: 2 })) await client.files.delete(one.id);
    assert.deepEqual((await client.files.list()).data, []);
  });

  test('another user sees none of it', async (t) => {
    const { server } = await pair(t);
    const [ann, bob] = [await new_key(server.data, 'ann', '--user', 'ann'), await new_key(server.data, 'bob', '--user', 'bob')];
    for (const one of [ann, bob]) await known(server, one.key);
    const [a, b] = [client_of(server, ann.key), client_of(server, bob.key)];
    const file = await upload(a, `${line('a')}\n`);
    const batch = await create(a, file);
    for (const call of [() => b.files.retrieve(file.id), () => b.files.content(file.id), () => b.files.delete(file.id),
      () => create(b, file), () => b.batches.retrieve(batch.id), () => b.batches.cancel(batch.id)]) {
      await assert.rejects(call(), { status: 404 });
    }
    assert.equal((await b.files.list()).data.length, 0);
    assert.equal((await b.batches.list()).data.length, 0);
    assert.equal((await a.files.retrieve(file.id)).id, file.id);
  });

  test('bounds and broken forms are refused, and leave nothing', async (t) => {
    const { server } = await pair(t, { config: { files: { size_max: '300KiB', owner_entries_max: 1 } } });
    const client = client_of(server);
    const file = async (n) => toFile(Buffer.alloc(n, 'x'), 'x');
    await assert.rejects(client.files.create({ file: await file(300 * 1024 + 1), purpose: 'batch' }), { status: 413 });
    await assert.rejects(client.files.create({ file: await file(3), purpose: 'nonsense' }), { status: 400 });
    await client.files.create({ file: await file(300 * 1024), purpose: 'batch' });
    await assert.rejects(client.files.create({ file: await file(1), purpose: 'batch' }), { status: 429 });
    const send = (body, type = 'multipart/form-data; boundary=b') => server.post('/v1/files', body, { 'content-type': type });
    assert_error(await send('{}', 'application/json'), 415, { code: 'unsupported_media_type' });
    assert_error(await send('x'), 400, { code: 'bad_multipart' });
    assert_error(await send('--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc'), 400, { code: 'bad_multipart' });
    assert_error(await send('--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b--\r\n'), 400, { code: 'missing_field' });
  });

  test('a chunked upload is read as one with a length', async (t) => {
    const { server } = await pair(t);
    const content = 'x'.repeat(300_000);
    const form = `--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b\r\n` +
      `Content-Disposition: form-data; name="file"; filename="f"\r\n\r\n${content}\r\n--b--\r\n`;
    const reply = await new Promise((resolve, reject) => {
      const request = http.request(`${server.url}/v1/files`, { method: 'POST', agent: false,
        headers: { 'content-type': 'multipart/form-data; boundary=b', 'transfer-encoding': 'chunked', expect: '100-continue' } });
      request.on('error', reject);
      request.on('response', (r) => { let text = ''; r.on('data', (d) => (text += d)); r.on('end', () => resolve({ status: r.statusCode, text })); });
      request.on('continue', () => {
        for (let i = 0; i < form.length; i += 9_999) request.write(form.slice(i, i + 9_999));
        request.end();
      });
    });
    assert.equal(reply.status, 200, reply.text);
    assert.equal(JSON.parse(reply.text).bytes, content.length);
  });

  test('an upload with an Idempotency-Key is one file, whatever its boundary', async (t) => {
    const { server } = await pair(t);
    const client = client_of(server);
    const put = async (text) => client.files.create({ file: await toFile(Buffer.from(text), 'a'), purpose: 'batch' },
      { headers: { 'idempotency-key': 'one' } });
    const [a, b] = [await put('same'), await put('same')];
    assert.equal(a.id, b.id);
    await assert.rejects(put('other'), { status: 409 });
    assert.equal((await client.files.list()).data.length, 1);
  });
});

describe('batches', () => {
  test('every request of a batch is answered once, refusals stand in the error file', async (t) => {
    const { server, provider } = await pair(t);
    const client = client_of(server);
    const ids = Array.from({ length: 150 }, (_, i) => `item-${i}`);
    const wrong = JSON.stringify({ custom_id: 'wrong', method: 'POST', url: '/v1/chat/completions', body: { model: 'auto' } });
    const file = await upload(client, [...ids.map((id) => line(id)), '', wrong].join('\n'));
    const batch = await create(client, file);
    assert.equal(batch.object, 'batch');
    assert.equal(batch.input_file_id, file.id);
    assert.deepEqual(batch.metadata, { run: 'one' });
    const done = await ended(client, batch.id);
    assert.equal(done.status, 'completed', JSON.stringify(done));
    assert.deepEqual(done.request_counts, { total: 151, completed: 150, failed: 1 });
    const output = await lines_of(client, done.output_file_id);
    assert.deepEqual(ids_of(output), ids);
    for (const one of output) {
      assert.equal(one.error, null);
      assert.equal(one.response.status_code, 200);
      assert.equal(one.response.body.choices[0].message.content, `You said: ${one.custom_id}`);
      assert.ok(one.id && one.response.request_id);
    }
    const errors = await lines_of(client, done.error_file_id);
    assert.deepEqual(ids_of(errors), ['wrong']);
    assert.equal(errors[0].response.status_code, 400);
    assert.ok(errors[0].response.body.error.message);
    assert.deepEqual((await client.batches.list()).data.map((one) => one.id), [batch.id]);
    assert.equal(provider.requests.filter((r) => r.path.endsWith('/chat/completions')).length, 150);
    await assert.rejects(client.batches.cancel(batch.id), { status: 409 });
  });

  test('an input with a byte order mark is read, and its results are kept as long as was asked', async (t) => {
    const { server } = await pair(t);
    const client = client_of(server);
    const order = { input_file_id: (await upload(client, `\uFEFF${line('a')}\n${line('b')}\n`)).id,
      endpoint: '/v1/chat/completions', completion_window: '24h' };
    for (const output_expires_after of [{ anchor: 'created_at', seconds: 3599 }, { anchor: 'now', seconds: 3600 }, 'soon', { seconds: 3600 }]) {
      await assert.rejects(client.batches.create({ ...order, output_expires_after }), { status: 400, param: 'output_expires_after' });
    }
    const made = await client.batches.create({ ...order, output_expires_after: { anchor: 'created_at', seconds: 7200 } });
    const done = await ended(client, made.id);
    assert.deepEqual(done.request_counts, { total: 2, completed: 2, failed: 0 }, JSON.stringify(done));
    const output = await client.files.retrieve(done.output_file_id);
    assert.equal(output.expires_at - output.created_at, 7200);
  });

  test('a wrong input is refused line by line before anything runs', async (t) => {
    const { server, provider } = await pair(t);
    const client = client_of(server);
    const file = await upload(client, [line('a'), '{', line('a'), line('b', 'b', { url: '/v1/embeddings' }),
      line('c', 'c', { method: 'GET' })].join('\n'));
    const batch = await ended(client, (await create(client, file)).id);
    assert.equal(batch.status, 'failed');
    assert.deepEqual(batch.errors.data.map((one) => [one.line, one.code]),
      [[2, 'invalid_json_line'], [3, 'duplicate_custom_id'], [4, 'invalid_url'], [5, 'invalid_method']]);
    assert.equal(provider.requests.filter((r) => r.path.endsWith('/chat/completions')).length, 0);
    const none = await ended(client, (await create(client, await upload(client, '\n\n'))).id);
    assert.equal(none.errors.data[0].code, 'empty_file');
    await assert.rejects(client.batches.create({ input_file_id: file.id, endpoint: '/v1/embeddings', completion_window: '24h' }), { status: 400 });
    await assert.rejects(client.batches.create({ input_file_id: 'file-none', endpoint: '/v1/chat/completions', completion_window: '24h' }), { status: 404 });
  });

  test('a cancelled batch keeps what was answered and runs nothing more', async (t) => {
    const { server, provider } = await pair(t, { config: { batches: { outstanding: 4 }, jobs: { workers: 2 } } });
    const client = client_of(server);
    provider.script({ match: { text: 'stop' }, replies: [{ text: 'never', gate: 'never' }], repeat: true });
    const ids = Array.from({ length: 20 }, (_, i) => `c-${i}`);
    const file = await upload(client, ids.map((id, i) => line(id, i < 3 ? id : `stop ${id}`)).join('\n'));
    const batch = await create(client, file);
    await provider.until(() => provider.requests.some((r) => JSON.stringify(r.body ?? '').includes('stop')));
    assert.equal((await client.batches.cancel(batch.id)).status, 'cancelling');
    const done = await ended(client, batch.id);
    assert.equal(done.status, 'cancelled');
    const output = await lines_of(client, done.output_file_id);
    const errors = await lines_of(client, done.error_file_id);
    assert.deepEqual(ids_of(output), ids.slice(0, 3));
    assert.deepEqual(ids_of(errors), ids.slice(3));
    assert.ok(errors.every((one) => one.error.code === 'batch_cancelled' && one.response === null));
  });

  // more than is read of the input at once, and more than runs at once
  test('an input cannot be removed before its batch has ended', async (t) => {
    const { server, provider } = await pair(t, { config: { batches: { outstanding: 4 } } });
    const client = client_of(server);
    provider.script({ match: { text: 'wait' }, replies: [{ text: 'done', gate: 'held' }], repeat: true });
    const file = await upload(client, Array.from({ length: 120 }, (_, i) => line(`c-${i}`, `wait ${i} ${'x'.repeat(3000)}`)).join('\n'));
    const batch = await create(client, file);
    await assert.rejects(client.files.delete(file.id), { status: 409, code: 'file_in_use' });
    await provider.until(() => provider.requests.some((r) => JSON.stringify(r.body ?? '').includes('wait')));
    await assert.rejects(client.files.delete(file.id), { status: 409, code: 'file_in_use' });
    assert.equal((await client.batches.cancel(batch.id)).status, 'cancelling');
    const done = await ended(client, batch.id);
    assert.equal(done.status, 'cancelled');
    assert.equal((await lines_of(client, done.error_file_id)).length, 120);
    assert.equal((await client.files.delete(file.id)).deleted, true);
  });

  test('equal requests of a batch are asked once each', async (t) => {
    const { server, provider } = await pair(t);
    const client = client_of(server);
    const file = await upload(client, Array.from({ length: 5 }, (_, i) => line(`c-${i}`, 'a sample')).join('\n'));
    const done = await ended(client, (await create(client, file)).id);
    assert.equal(done.request_counts.completed, 5, JSON.stringify(done));
    assert.equal(provider.requests.filter((r) => r.path.endsWith('/chat/completions')).length, 5);
  });

  // kill -9 at moments of the server's own choosing: whatever was recorded goes on from there
  test('kill -9 in the middle: every custom_id has one line in the end', async (t) => {
    const { server, provider } = await pair(t, { config: { batches: { outstanding: 16 } } });
    const ids = Array.from({ length: 200 }, (_, i) => `k-${i}`);
    let at = server;
    const file = await upload(client_of(at), ids.map((id) => line(id)).join('\n'));
    const batch = await create(client_of(at), file);
    const asked = () => provider.requests.filter((r) => r.path.endsWith('/chat/completions')).length;
    for (const when of [5, 60, 120]) {
      await provider.until(() => asked() >= when);
      await at.kill();
      at = new Server({ dir: server.dir, data: server.data, args: ['--config', `${server.dir}/mainstay.toml`] });
      const started = at;
      cleanup(t, () => started.exit ?? started.stop());
      await at.up();
    }
    const done = await ended(client_of(at), batch.id, 60_000);
    assert.equal(done.status, 'completed', JSON.stringify(done));
    const output = await lines_of(client_of(at), done.output_file_id);
    const errors = await lines_of(client_of(at), done.error_file_id);
    assert.deepEqual([...ids_of(output), ...ids_of(errors)].sort(), [...ids].sort());
    assert.deepEqual(ids_of(errors), []);
  });
});
