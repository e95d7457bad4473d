// Strangers, greedy clients and hostile bytes against the built server, over real sockets; each test
// is named after its row of the security matrix.
// proves M9, security rows 1 to 4, 28, 32 to 35, 37, 38, 40, 41
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assert_error, pair, pause, run, scope, serve, temp_dir } from './lib/harness.mjs';
import { quantile, times_of } from './lib/machine.mjs';
import { admin_of, bearer, known, new_key } from './lib/people.mjs';
import { RawSocket, exchange, request_bytes } from './lib/raw.mjs';
import { extras } from './lib/schema.mjs';

const CHAT = '/v1/chat/completions';
const ask = (text, more = {}) => ({ model: 'model-a', messages: [{ role: 'user', content: text }], ...more });
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Two users of one tenant and one of another, each with a conversation and a document. */
async function town(t, config = {}) {
  const data = `${temp_dir(t)}/data`;
  const keys = {
    ann: await new_key(data, 'ann', '--user', 'ann', '--tenant', 'north'),
    bob: await new_key(data, 'bob', '--user', 'bob', '--tenant', 'north'),
    eve: await new_key(data, 'eve', '--user', 'eve', '--tenant', 'south'),
  };
  const { server, provider } = await pair(t, { data, config });
  for (const { key } of Object.values(keys)) await known(server, key);
  const as = Object.fromEntries(Object.entries(keys).map(([name, { key }]) => [name, bearer(key)]));
  const chat = await server.chat(ask('ann-secret-ledger', { conversation: 'new' }), as.ann);
  assert.equal(chat.status, 200, chat.text);
  const doc = await server.post('/v1/documents', { title: 'T', text: 'The vault code of the north is heliotrope.', collection: 'vault' }, as.ann);
  assert.equal(doc.status, 201, doc.text);
  const job = await server.post('/v1/jobs', { kind: 'chat', input: ask('later'), delay: 3600 }, as.ann);
  assert.equal(job.status, 202, job.text);
  const line = JSON.stringify({ custom_id: 'a', method: 'POST', url: CHAT, body: ask('later') });
  const part = '--cut\r\nContent-Disposition: form-data; name=';
  const file = await server.request('POST', '/v1/files', {
    headers: { ...as.ann, 'content-type': 'multipart/form-data; boundary=cut' },
    body: `${part}"purpose"\r\n\r\nbatch\r\n${part}"file"; filename="lines.jsonl"\r\n\r\n${line}\n\r\n--cut--\r\n` });
  assert.equal(file.status, 200, file.text);
  const upload = await server.post('/v1/uploads', { filename: 'u', bytes: 9, mime_type: 'text/plain', purpose: 'user_data' }, as.ann);
  assert.equal(upload.status, 200, upload.text);
  const batch = await server.post('/v1/batches', { input_file_id: file.json.id, endpoint: CHAT, completion_window: '24h' }, as.ann);
  assert.equal(batch.status, 200, batch.text);
  const audio = await server.post('/v1/audio/speech', { model: 'openai/model-a', input: 'for ann alone', stream_format: 'file' }, as.ann);
  assert.equal(audio.status, 200, audio.text);
  return { server, provider, as, ids: {
    conversations: chat.headers['x-conversation-id'], documents: doc.json.id, jobs: job.json.id, files: file.json.id, uploads: upload.json.id, batches: batch.json.id,
    collections: 'vault', 'audio/files': audio.json.id } };
}

describe('whose it is', () => {
  const shared = scope();
  after(() => shared.end());
  let server, provider, as, ids, api;
  before(async () => {
    ({ server, provider, as, ids } = await town(shared));
    api = (await server.get('/openapi.json')).json;
  });
  const shape = (reply, id) => `${reply.status} ${JSON.stringify(reply.json).replaceAll(id, 'ID')}`;

  test('security_01_object_access: every route with an id answers a stranger as if there were none', async (t) => {
    let seen = 0;
    for (const [target, operations] of Object.entries(api.paths)) {
      const kind = /^\/v1\/(audio\/files|conversations|documents|collections|jobs|files|uploads|batches)\/\{id\}/.exec(target)?.[1];
      if (!target.includes('{id}')) continue;
      if (!kind) { assert.match(target, /^\/(v1\/models|assets|admin\/(tasks|jobs|keys|hosts))\//, `${target} needs a case here`); continue; }
      const strangers = ['documents', 'collections'].includes(kind) ? [as.eve] : [as.bob, as.eve];
      for (const method of Object.keys(operations)) {
        for (const stranger of strangers) {
          seen += 1;
          const changes = { collections: { id: 'another' }, conversations: { title: 'another' } };
          const body = method === 'post' ? changes[kind] : undefined;
          const unknown = `${{ documents: 'doc_', collections: 'name-', conversations: 'conv_', jobs: 'job_', files: 'file-', uploads: 'upload_', batches: 'batch_', 'audio/files': 'audio-' }[kind]}00000000000000000000000000`;
          const his = await server.request(method.toUpperCase(), target.replace('{id}', ids[kind]), { headers: stranger, body });
          const none = await server.request(method.toUpperCase(), target.replace('{id}', unknown), { headers: stranger, body });
          assert.equal(his.status, 404, `${method} ${target}: ${his.text}`);
          assert.equal(shape(his, ids[kind]), shape(none, unknown), `${method} ${target}`);
        }
      }
    }
    assert.ok(seen >= 6, `${seen} cases`);
    assert.equal((await server.get(`/v1/conversations/${ids.conversations}`, as.ann)).status, 200, 'nothing was deleted');
    assert.equal((await server.get(`/v1/documents/${ids.documents}`, as.bob)).status, 200, 'documents belong to the tenant');
    assert.equal((await server.get(`/v1/jobs/${ids.jobs}`, as.ann)).json.state, 'scheduled', 'nothing was cancelled');
    assert.equal((await server.get(`/v1/files/${ids.files}`, as.ann)).status, 200, 'nothing was deleted');
    assert.equal((await server.get(`/v1/uploads/${ids.uploads}`, as.ann)).json.status, 'pending', 'nothing was cancelled');
    assert.doesNotMatch((await server.get(`/v1/batches/${ids.batches}`, as.ann)).json.status, /cancel/, 'nothing was cancelled');
    assert.equal((await server.get(`/v1/audio/files/${ids['audio/files']}`, as.ann)).status, 200, 'nothing was deleted');
    const unknown = 'conv_00000000000000000000000000';
    const mine = await times_of(200, () => server.get(`/v1/conversations/${ids.conversations}`, as.eve));
    const none = await times_of(200, () => server.get(`/v1/conversations/${unknown}`, as.eve));
    t.diagnostic(`medians: another's ${quantile(mine, 0.5).toFixed(3)} ms, unknown ${quantile(none, 0.5).toFixed(3)} ms`);
  });

  test('security_01_running_chats: nobody stops another\'s chat, and a stranger hears nothing of it', async () => {
    provider.script({ match: { text: 'ann thinks' }, replies: [{ text: 'of heliotropes', gate: 'ann' }] });
    const hers = server.chat(ask('ann thinks'), { ...as.ann, 'idempotency-key': 'ann-key-1' });
    await provider.until(() => provider.requests.some((one) => JSON.stringify(one.body ?? '').includes('ann thinks')));
    const stop = (name, who) => server.post(`${CHAT}/cancel`, { idempotency_key: name }, who);
    for (const who of [as.bob, as.eve]) {
      assert.equal(shape(await stop('ann-key-1', who), 'ann-key-1'), shape(await stop('ann-key-2', who), 'ann-key-2'));
      assert_error(await stop('ann-key-1', who), 404, { code: 'unknown_chat' });
    }
    provider.open('ann');
    assert.equal((await hers).status, 200, 'it went on');
    const his = await server.chat(ask('bob'), { ...as.bob, 'idempotency-key': 'ann-key-3' });
    assert.equal(his.status, 200, his.text);
  });

  test('security_01_lists: lists, search and chat show nothing of others', async () => {
    for (const who of [as.bob, as.eve]) {
      for (const list of ['conversations', 'jobs', 'files', 'uploads', 'batches']) {
        assert.deepEqual((await server.get(`/v1/${list}`, who)).json.data, [], list);
      }
    }
    assert.deepEqual((await server.get('/v1/documents', as.eve)).json.data, []);
    assert.deepEqual((await server.get('/v1/documents?collection=vault', as.eve)).json.data, []);
    assert.deepEqual((await server.get('/v1/collections', as.eve)).json.data, []);
    assert.deepEqual((await server.post('/v1/search', { query: 'vault code heliotrope', collection: 'vault' }, as.eve)).json.data, []);
    for (const who of [as.bob, as.eve]) {
      const went_on = await server.chat(ask('what did I say?', { conversation: ids.conversations }), who);
      assert.doesNotMatch(went_on.text, /ann-secret-ledger/);
      assert.ok([200, 404].includes(went_on.status), went_on.text);
    }
    const hers = (await server.get(`/v1/conversations/${ids.conversations}`, as.ann)).json;
    assert.equal(hers.messages.length, 2, 'nobody wrote into her conversation');
    const told = await server.chat(ask('What is the vault code?', { model: 'mainstay/extractive', collection: 'vault' }), as.eve);
    assert.doesNotMatch(told.text, /heliotrope/);
  });

  test('security_02_function_access: a key opens what its scopes say, on every path and method', async (t) => {
    const data = server.data;
    const scopes = {};
    for (const name of ['chat', 'knowledge', 'jobs', 'admin']) scopes[name] = bearer((await new_key(data, name, '--scopes', name)).key);
    for (const name of Object.keys(scopes)) await server.until(async () => (await server.get('/v1/models', scopes[name])).status === 200, 'known');
    const wanted = (target) => target.startsWith('/admin/') ? 'admin'
      : /^\/(chat$|v1\/(chat|responses|embeddings|audio|voice|conversations|files|uploads|batches))/.test(target) ? 'chat'
        : /^\/v1\/(documents|collections|vectors|search|images|analyze)/.test(target) ? 'knowledge'
          : /^\/v1\/(jobs|ws)/.test(target) ? 'jobs' : 'any';
    let refusals = 0;
    for (const [target, operations] of Object.entries(api.paths)) {
      for (const method of METHODS) {
        const there = method.toLowerCase() in operations;
        for (const [name, headers] of Object.entries(scopes)) {
          if (target === '/admin/live' && name === 'admin' && method === 'GET') continue; // a stream without an end
          const got = await server.request(method, target.replace('{id}', 'x'), { headers });
          const what = `${name}: ${method} ${target}: ${got.status} ${got.text.slice(0, 120)}`;
          if (!there) assert.equal(got.status, 405, what);
          else if (wanted(target) !== 'any' && wanted(target) !== name) { refusals += 1; assert_error(got, 403); }
          else assert.notEqual(got.status, 403, what);
        }
      }
    }
    t.diagnostic(`${refusals} refusals`);
    assert.ok(refusals >= 60);
    for (const twisted of ['/admin/../admin/tasks', '//admin/tasks', '/Admin/tasks', '/admin/tasks/', '/admin%2ftasks', '/v1/..%2fadmin/tasks', '/admin/tasks;x', '/%61dmin/tasks']) {
      const got = await exchange(server.port, request_bytes('GET', twisted, [`Authorization: ${as.ann.authorization}`, 'Connection: close']));
      assert.ok([400, 403, 404].includes(got.responses[0].status), `${twisted}: ${got.responses[0].status}`);
    }
  });

  test('security_03_extra_properties: refused by name, or passed by and never kept', async () => {
    const extra = { role: 'admin', user_id: 'eve-canary', cost: -1, priority: 'voice', tenant: 'south', owner: 'eve-canary', scopes: ['admin'] };
    for (const [target, body] of [['/chat', { prompt: 'x' }], ['/v1/documents', { text: 'x' }], ['/v1/search', { query: 'x' }]]) {
      for (const [key, value] of Object.entries(extra)) {
        assert_error(await server.post(target, { ...body, [key]: value }, as.bob), 400, { code: 'unknown_field', param: key });
      }
    }
    for (const target of ['/admin/maintenance']) {
      assert_error(await server.post(target, { enabled: false, ...extra }, admin_of(server)), 400, { code: 'unknown_field' });
    }
    const chat = await server.chat({ ...ask('x', { conversation: 'new', ...extra }),
      messages: [{ content: 'x', ...extra, role: 'user' }] }, as.bob);
    assert.ok([200, 400].includes(chat.status), chat.text);
    if (chat.status === 200) {
      const id = chat.headers['x-conversation-id'];
      const kept = await server.get(`/v1/conversations/${id}`, as.bob);
      assert.equal(kept.json.messages[0].role, 'user');
      assert.doesNotMatch(kept.text, /eve-canary|"cost"|"tenant"|"scopes"/, kept.text);
      assert.equal((await server.get(`/v1/conversations/${id}`, as.eve)).status, 404);
    }
    for (const name of ['x-user', 'x-user-id', 'x-tenant', 'x-scopes', 'x-forwarded-user', 'x-mainstay-user']) {
      assert.deepEqual((await server.get('/v1/conversations', { ...as.eve, [name]: 'ann' })).json.data, [], name);
    }
  });

  test('security_04_over_exposure: no reply holds a field that its schema does not name', async () => {
    const targets = Object.entries(api.paths).filter(([, o]) => o.get?.responses['200']?.content?.['application/json']?.schema);
    let seen = 0;
    for (const [target, operations] of targets) {
      const kind = /^\/(?:v1|admin)\/(conversations|documents|collections|jobs|files|uploads|batches)\/\{id\}/.exec(target)?.[1];
      const at = target.replace('{id}', kind ? ids[kind] : 'model-a');
      if (target === '/openapi.json') continue;
      const headers = target.startsWith('/admin') ? admin_of(server) : as.ann;
      const got = await server.get(at, headers);
      assert.equal(got.status, 200, `${at} ${got.text}`);
      seen += 1;
      const schema = operations.get.responses['200'].content['application/json'].schema;
      assert.deepEqual(extras(api, schema, got.json), [], at);
      if (!at.startsWith('/admin')) assert.ok(!got.text.includes(server.dir), `${at}: a path of the machine`);
    }
    assert.ok(seen >= 20, `${seen}`);
  });
});

describe('too much', () => {
  const shared = scope();
  after(() => shared.end());
  let server, provider;
  before(async () => { ({ server, provider } = await pair(shared)); });
  const sent = () => provider.requests.filter((r) => r.format).length;

  test('security_28_consumption: greedy parameters are refused by name before a model is asked', async () => {
    const long = 'x'.repeat(1 << 20);
    const before_count = sent();
    for (const [more, param] of [[{ n: 1000 }, 'n'], [{ max_tokens: 1e9 }, 'max_tokens'], [{ max_completion_tokens: 1e9 }, 'max_completion_tokens'],
      [{ stop: long }, 'stop'], [{ stop: Array(5).fill('x') }, 'stop'], [{ stop: ['x'.repeat(300)] }, 'stop[0]'], [{ user: long }, 'user'],
      [{ model: long }, 'model'], [{ temperature: 1e9 }, 'temperature'], [{ top_logprobs: 1e6 }, 'top_logprobs']]) {
      const got = await server.chat(ask('x', more));
      assert.ok([400, 404, 413].includes(got.status), `${param}: ${got.status} ${got.text.slice(0, 200)}`);
      assert.equal(got.json.error.param, param, got.text.slice(0, 200));
    }
    assert.equal(sent(), before_count, 'no model was asked');
  });

  test('security_32_json: bombs end in 400 within a moment, on every path that takes a body', async (t) => {
    const bombs = {
      arrays: '['.repeat(100_000), 'closed arrays': '['.repeat(100_000) + ']'.repeat(100_000),
      objects: '{"a":'.repeat(100_000), 'closed objects': '{"a":'.repeat(50_000) + '1' + '}'.repeat(50_000),
      'deep member': `{"messages":${'['.repeat(65)}${']'.repeat(65)}}`,
      duplicate: '{"text":"a","text":"b","query":"a","query":"b","prompt":"a","prompt":"b","messages":[],"messages":[]}',
      'many members': `{${Array.from({ length: 100_000 }, (_, i) => `"k${i}":1`).join()}}`,
      'the same member': `{${Array.from({ length: 100_000 }, () => '"k":1').join()}}`,
      'huge number': '{"limit":1e999}', 'long number': `{"limit":${'9'.repeat(100_000)}}`, 'long exponent': `{"limit":1e${'9'.repeat(10_000)}}`,
      'bad UTF-8': Buffer.from([0x7b, 0x22, 0x74, 0x65, 0x78, 0x74, 0x22, 0x3a, 0x22, 0xc0, 0xaf, 0x22, 0x7d]),
      'lone surrogate': '{"text":"\\ud800","prompt":"\\ud800","query":"\\udc00","messages":"\\ud800"}', 'NUL': '{"text":"a\\u0000b","prompt":"a\\u0000b","query":"a\\u0000","messages":"\\u0000"}',
      'raw control': '{"text":"a\u0001b","prompt":"a\u0001","query":"\u0001"}', BOM: '\ufeff[]', 'half a body': '{"text":',
    };
    let slowest = 0;
    for (const target of [CHAT, '/chat', '/v1/documents', '/v1/search', '/admin/maintenance']) {
      const headers = target.startsWith('/admin') ? admin_of(server) : {};
      for (const [name, body] of Object.entries(bombs)) {
        const began = performance.now();
        const got = await server.post(target, body, headers);
        slowest = Math.max(slowest, performance.now() - began);
        assert.ok([400, 413].includes(got.status), `${target} ${name}: ${got.status} ${got.text.slice(0, 200)}`);
        assert_error(got, got.status);
      }
    }
    t.diagnostic(`slowest refusal ${Math.round(slowest)} ms`);
    assert.ok(slowest < 2000, `${slowest} ms`);
    assert.equal((await server.chat(ask('still here'))).status, 200);
  });

  test('security_33_path_traversal: no path leads out of the table', async () => {
    const secret = fs.readFileSync(path.join(server.data, 'admin.key'), 'utf8').trim();
    const ways = ['/../../../../etc/passwd', '/v1/documents/../../admin.key', '/v1/documents/..%2f..%2fadmin.key', '/v1/documents/%2e%2e%2f%2e%2e%2fetc%2fpasswd',
      '/v1/documents/..%5c..%5cadmin.key', '/v1/documents/%00', '/v1/documents/admin.key%00.txt', '/v1/conversations/..%252f..%252fadmin.key', '/v1/models/../../admin.key',
      '/v1/models/%2fetc%2fpasswd', '/openapi.json/../admin.key', '/%c0%ae%c0%ae/etc/passwd', '/v1/documents/%ff', 'file:///etc/passwd', '/.env', '/admin.key', '/data/admin.key'];
    for (const way of ways) {
      const { responses, received } = await exchange(server.port, request_bytes('GET', way, ['Connection: close']));
      assert.ok([400, 404].includes(responses[0]?.status), `${way}: ${responses[0]?.status}`);
      assert.ok(!received.includes(secret) && !received.includes('root:'), way);
    }
    for (const name of ['../x', '/etc/passwd', 'a/b', 'a\\b', '..', '.', 'a\u0000', 'C:', 'a b', '%2e%2e', 'x'.repeat(129)]) {
      const made = await server.post('/v1/documents', { text: 'words', collection: name });
      if (['..', '.', 'C:'].includes(name)) continue;  // names like others: no file is ever named by them
      assert_error(made, 400, { param: 'collection' });
      assert_error(await server.chat(ask('x', { conversation: name })), 400, { param: 'conversation' });
    }
    assert.deepEqual(fs.readdirSync(server.dir).sort(), ['data', 'mainstay.toml'], 'no file beside the data folder');
  });

  test('M9: a document is judged by its content, not by what it says it is', async () => {
    const cases = [['%PDF-1.7\n1 0 obj', 'PDF'], ['PK\u0003\u0004\u0014\u0000', null], ['{\\rtf1 hello}', 'RTF'], ['GIF89a\u0001', 'image'],
      [Buffer.concat([Buffer.from('%PDF-1.4\n'), Buffer.alloc(100, 7)]).toString('base64'), 'PDF'],
      [Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), Buffer.alloc(100, 1)]).toString('base64'), 'image'],
      [Buffer.concat([Buffer.from([0x50, 0x4b, 3, 4]), Buffer.alloc(100, 1)]).toString('base64'), 'zip'],
      ['\u0001\u0002\u0003'.repeat(100), 'binary']];
    for (const format of ['text', 'markdown', 'html']) {
      for (const [text, kind] of cases) {
        const got = await server.post('/v1/documents', { text, format });
        if (kind === null) { assert.ok([400, 415].includes(got.status), got.text); continue; }
        assert_error(got, 415, { code: 'unsupported_file_type', param: 'text' });
        assert.match(got.json.error.message, new RegExp(kind));
      }
    }
    for (const text of ['A PDF begins with %PDF-1.7 and a zip with PK.', 'ERROR \u001b[31mred\u001b[0m line', 'JVBERi0 is how PDFs begin in base64', 'PKWARE made zip']) {
      assert.equal((await server.post('/v1/documents', { text })).status, 201, text);
    }
  });

  test('M9: names and lines: lengths, control characters, UTF-8; each error names its field', async () => {
    for (const [body, param, status = 400] of [
      [{ text: 'x', title: 'a\nb' }, 'title'], [{ text: 'x', title: 'a\u001bb' }, 'title'], [{ text: 'x', title: 'x'.repeat(1025) }, 'title', 413],
      [{ text: 'x', source: 'a\u0007' }, 'source'], [{ text: 'x', source: 'x'.repeat(2049) }, 'source', 413], [{ text: 'x', collection: 'a\tb' }, 'collection'],
      [{ text: 'x', format: 'x'.repeat(33) }, 'format', 413], [{ text: 'a\u0000b' }, 'text'], [{ text: ' \n ' }, 'text']]) {
      assert_error(await server.post('/v1/documents', body), status, { param });
    }
    for (const [more, param] of [[{ user: 'a\nb' }, 'user'], [{ user: '' }, 'user'], [{ user: 'x'.repeat(257) }, 'user'], [{ model: 'a\u001b[2J' }, 'model']]) {
      assert_error(await server.chat(ask('x', more)), 400, { param });
    }
    assert.equal((await server.chat(ask('x', { user: 'someone@mail.example' }))).status, 200, 'an e-mail address is a name like others');
    assert_error(await server.post('/v1/search', { query: 'x'.repeat(8193) }), 413, { param: 'query' });
  });

  test('security_35_smuggling: ambiguous lengths are 400 and the end of the connection', async () => {
    const before_count = sent();
    const hidden = request_bytes('POST', '/v1/documents', ['Content-Type: application/json', 'Content-Length: 14'], '{"text":"bad"}');
    const cases = {
      'CL and TE': ['POST', ['Content-Length: 4', 'Transfer-Encoding: chunked']], 'two CL': ['POST', ['Content-Length: 4', 'Content-Length: 5']],
      'CL list': ['POST', ['Content-Length: 4, 5']], 'TE xchunked': ['POST', ['Transfer-Encoding: xchunked']], 'TE twice': ['POST', ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity']],
      'TE then more': ['POST', ['Transfer-Encoding: chunked, identity']], 'space before colon': ['POST', ['Content-Length : 4']], 'obs-fold': ['POST', ['X-A: b\r\n c', 'Content-Length: 4']],
      'plus sign': ['POST', ['Content-Length: +4']], 'hex CL': ['POST', ['Content-Length: 0x4']], 'negative CL': ['POST', ['Content-Length: -1']], 'CL overflow': ['POST', [`Content-Length: ${'9'.repeat(30)}`]],
      'NUL in a value': ['POST', ['X-A: a\u0000b', 'Content-Length: 4']], 'two hosts': ['POST', ['Host: other.example', 'Content-Length: 4']],
    };
    for (const [name, [method, lines]] of Object.entries(cases)) {
      const { responses } = await exchange(server.port, request_bytes(method, CHAT, lines, `0\r\n\r\n${hidden}`));
      assert.equal(responses.length, 1, `${name}: ${responses.length} replies`);
      assert.ok([400, 413, 501].includes(responses[0].status), `${name}: ${responses[0].status}`);
    }
    for (const body of ['zz\r\nhello\r\n0\r\n\r\n', '5 \r\nhello\r\n0\r\n\r\n', '5\nhello\n0\n\n', '-1\r\nx\r\n', 'ffffffffffffffffff\r\nx\r\n', '5\r\nhelloXX0\r\n\r\n']) {
      const { responses } = await exchange(server.port, request_bytes('POST', CHAT, ['Content-Type: application/json', 'Transfer-Encoding: chunked'], body + hidden));
      assert.equal(responses.length, 1, JSON.stringify(body));
      assert.ok([400, 413].includes(responses[0].status), `${JSON.stringify(body)}: ${responses[0].status}`);
    }
    const bare = await exchange(server.port, `GET /v1/models HTTP/1.1\nHost: 127.0.0.1\n\n`);
    assert.equal(bare.responses[0].status, 400, 'bare LF');
    assert.equal(sent(), before_count);
    assert.ok(!(await server.get('/v1/documents')).text.includes('"bad"'), 'the hidden request was not served');
  });
});

describe('slow clients', () => {
  test('security_34_defaults: 10 s for a head, 1 KiB/s for a body after 10 s, 30 s for a write', async () => {
    const shown = JSON.parse((await run(['config', 'reference', '--json'])).out);
    const value = (key) => shown.settings.find((row) => row.key === key)?.default;
    const wanted = { header_timeout: '10s', body_rate_min: '1KiB', body_rate_window: '10s', write_timeout: '30s' };
    for (const [key, text] of Object.entries(wanted)) assert.equal(value(`server.${key}`), text, key);
  });

  test('security_34_slow_clients: heads, bodies and readers that trickle are cut; others do not notice', async (t) => {
    const server = await serve(t, { config: { server: { header_timeout: '1s', body_rate_window: '1s', body_rate_min: '1KiB', write_timeout: '1s' } } });
    const idle = await times_of(300, () => server.get('/v1/models'));
    const slow = [];
    const began = performance.now();
    const drip = (bytes, piece, every = 100) => {
      const socket = new RawSocket(server.port);
      const state = { socket, closed_after: null };
      socket.send(bytes).catch(() => {});
      const timer = setInterval(() => socket.send(piece).catch(() => {}), every);
      socket.gone.then(() => { clearInterval(timer); state.closed_after = performance.now() - began; });
      slow.push(state);
      return state;
    };
    const heads = Array.from({ length: 60 }, () => drip('GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n', 'X-A: b\r\n'));
    const body_head = request_bytes('POST', CHAT, ['Content-Type: application/json', 'Content-Length: 100000']);
    const bodies = Array.from({ length: 60 }, () => drip(body_head, ' '));
    const chunked = drip(request_bytes('POST', CHAT, ['Content-Type: application/json', 'Transfer-Encoding: chunked']), '1\r\n \r\n');
    const fast_enough = drip(body_head, ' '.repeat(400));  // 4,000 bytes a second
    const meanwhile = await times_of(300, () => server.get('/v1/models'));
    await server.until(() => [...heads, ...bodies, chunked].every((s) => s.closed_after !== null), 'all slow ones are cut', 10_000);
    for (const one of heads) assert.match(one.socket.received, /^HTTP\/1.1 408/);
    for (const one of [...bodies, chunked]) assert.match(one.socket.received, /^HTTP\/1.1 (408|504)[^]*request_timeout/);
    assert.equal(fast_enough.closed_after, null, 'a body at 4 KB/s goes on');
    const last = Math.max(...bodies.map((s) => s.closed_after));
    t.diagnostic(`bodies cut after ${Math.round(Math.min(...bodies.map((s) => s.closed_after)))} to ${Math.round(last)} ms; p99 of others ${quantile(idle, 0.99).toFixed(2)} -> ${quantile(meanwhile, 0.99).toFixed(2)} ms`);
    assert.ok(quantile(meanwhile, 0.5) < Math.max(quantile(idle, 0.5) * 3, 15), 'others do not notice');
    for (const one of slow) one.socket.destroy();
    await server.until(() => /"event":"body.too_slow"/.test(server.err), 'the line in the log');
  });

  test('security_34_rate: at the limit a body passes, below it in one window it does not', async (t) => {
    const server = await serve(t, { config: { server: { body_rate_window: '500ms', body_rate_min: '2KiB' } } });
    const text = JSON.stringify(ask('x'.repeat(3000)));
    const send = async (size, every) => {
      const socket = new RawSocket(server.port);
      try {
        await socket.send(request_bytes('POST', CHAT, ['Content-Type: application/json', `Content-Length: ${text.length}`]));
        for (let at = 0; at < text.length && !socket.received; at += size) {
          await socket.send(text.slice(at, at + size));
          if (at + size < text.length) await pause(every);
        }
        return (await socket.until_responses(1)).at(0).status;
      } finally { socket.destroy(); }
    };
    assert.notEqual(await send(300, 50), 408, '6 KB/s');
    assert.equal(await send(20, 100), 408, '200 B/s');
    assert.equal(await send(2900, 1200), 408, 'a quick start does not pay for a stop');
  });
});

describe('browsers', () => {
  test('security_37_host: a page that made its name resolve to 127.0.0.1 gets nothing', async (t) => {
    const { server, provider } = await pair(t, { config: { server: { allowed_hosts: ['box.example'] } } });
    const host = (name, target = '/v1/models') => exchange(server.port, `GET ${target} HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`).then((r) => r.responses[0]);
    for (const name of ['evil.example', 'evil.example:80', '127.0.0.1.evil.example', 'localhost.evil.example', '169.254.169.254', '0.0.0.0', '[::2]', '127.0.0.1@evil.example', 'box.example.evil', '127.0.0.2']) {
      for (const target of ['/v1/models', '/openapi.json', '/metrics', '/admin/tasks', '/health/ready', '/v1/nothing']) {
        const got = await host(name, target);
        const fine = target === '/v1/nothing' ? [403, 404, 400] : [403, 400];
        assert.ok(fine.includes(got.status), `${name} ${target}: ${got.status}`);
      }
    }
    for (const name of ['127.0.0.1', `127.0.0.1:${server.port}`, 'localhost', 'LOCALHOST:1', '[::1]', '[::1]:8080', 'box.example', 'Box.Example:8080']) {
      assert.equal((await host(name)).status, 200, name);
    }
    assert.equal(provider.requests.filter((r) => r.format).length, 0);
  });

  test('security_38_cors: an exact list, no credentials, null never; admin takes JSON alone', async (t) => {
    const { server } = await pair(t, { config: { server: { cors_origins: ['https://app.example'] } } });
    const admin = admin_of(server);
    const post = (headers, target = CHAT) => server.post(target, ask('x'), headers);
    for (const origin of ['https://evil.example', 'http://app.example', 'https://app.example.evil', 'https://app.example:444', 'null', 'file://', 'https://sub.app.example', 'https://app.example/']) {
      const got = await post({ origin });
      assert_error(got, 403, { code: 'origin_not_allowed' });
      assert.equal(got.headers['access-control-allow-origin'], undefined, origin);
    }
    const allowed = await post({ origin: 'https://app.example' });
    assert.equal(allowed.status, 200, allowed.text);
    assert.equal(allowed.headers['access-control-allow-origin'], 'https://app.example');
    assert.equal(allowed.headers['access-control-allow-credentials'], undefined);
    const lost = await post({ origin: 'https://app.example' }, '/chat/completion');
    assert_error(lost, 404, { code: 'unknown_path' });
    assert.equal(lost.headers['access-control-allow-origin'], 'https://app.example', 'its page can read why');
    assert.equal((await post({ origin: 'https://evil.example' }, '/nope')).headers['access-control-allow-origin'], undefined);
    assert.match(allowed.headers.vary, /origin/i);
    assert.equal((await post({ origin: server.url })).status, 200, 'our own page');
    assert_error(await post({ 'sec-fetch-site': 'cross-site' }), 403, { code: 'origin_not_allowed' });
    const preflight = (origin, target = CHAT) => server.request('OPTIONS', target, { headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization, content-type' } });
    const yes = await preflight('https://app.example');
    assert.equal(yes.status, 204);
    assert.match(yes.headers['access-control-allow-methods'], /POST/);
    assert.match(yes.headers['access-control-allow-headers'], /authorization/);
    for (const origin of ['https://evil.example', 'null']) {
      const no = await preflight(origin);
      assert.equal(no.status, 403);
      assert.equal(no.headers['access-control-allow-origin'], undefined);
    }
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const got = await server.request('POST', '/admin/maintenance', { body: '{"enabled":true}', headers: { ...admin, 'content-type': type } });
      assert_error(got, 415, { code: 'unsupported_media_type' });
    }
    assert_error(await server.post('/admin/cleanup', undefined, { ...admin, origin: 'https://evil.example' }), 403, { code: 'origin_not_allowed' });
    assert.equal((await server.get('/admin/maintenance', admin)).json.enabled, false);
  });
});

describe('what is written and shown', () => {
  test('security_40_logs: line breaks, escapes and keys from clients never make a line or an escape', async (t) => {
    const { server } = await pair(t, { config: { log: { level: 'debug' } } });
    const evil = 'x\\r\\n{"event":"forged"}';
    for (const value of [`a\u001b[31mred`, `{"event":"forged"}`, '"},{"event":"forged"', evil, '%0d%0aevent=forged']) {
      const id = value.replaceAll(/[^\x20-\x7e]/g, '');
      await exchange(server.port, request_bytes('GET', '/v1/models', [`User-Agent: ${value}`, `X-Request-Id: ${id}`, `Traceparent: ${id}`, 'Connection: close'])).catch(() => {});
      await server.chat(ask('x', { user: id.slice(0, 200), model: id.slice(0, 100) }));
      await server.post('/v1/documents', { text: 'x', title: value, source: value });
      await server.get(`/v1/documents/${encodeURIComponent(`\r\n{"event":"forged"}${value}`)}`);
      await server.get(`/v1/conversations?after=${encodeURIComponent(`\n${value}`)}`);
    }
    await pause(200);
    const lines = server.err.split('\n').filter(Boolean);
    assert.ok(lines.length > 10);
    for (const line of lines) {
      const parsed = JSON.parse(line);
      assert.notEqual(parsed.event, 'forged', line);
      assert.doesNotMatch(line, /[\x00-\x08\x0b-\x1f]/, 'no control character');
    }
  });

  test('security_41_secrets: read from the environment, then gone from it; undumpable; masked', async (t) => {
    const dir = temp_dir(t);
    const key = 'canary-environment-key-0123456789abcdef';
    const jwt = 'canary-jwt-secret-0123456789abcdef-0123456789';
    const server = await serve(t, { config: { auth: { jwt: { issuer: 'https://id.example', audience: 'mainstay' } } },
      env: { MAINSTAY_AUTH__KEYS: key, MAINSTAY_AUTH__JWT__SECRET: jwt, OPENAI_API_KEY: 'sk-canary-openai-0123456789' } });
    assert.equal((await server.get('/v1/models', bearer(key))).status, 200, 'the key counts');
    const pid = server.child.pid;
    assert.doesNotMatch(fs.readFileSync(`/proc/${pid}/environ`, 'latin1'), /canary/, 'not in /proc/PID/environ');
    assert.doesNotMatch(fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1'), /canary/);
    if (process.getuid?.() === 0) {
      const child = await run(['config', 'check']);  // started as root, yet owned by root alone because undumpable
      assert.equal(child.code, 0);
      assert.equal(fs.statSync(`/proc/${pid}/mem`).uid, 0);
    }
    server.child.kill('SIGHUP');
    await server.until(() => /config.(reload|unchanged)|reload/.test(server.err), 'a reload');
    assert.equal((await server.get('/v1/models', bearer(key))).status, 200, 'the key counts after a reload too');
    const file = path.join(dir, 'key');
    fs.writeFileSync(file, `${key}\n`, { mode: 0o600 });
    const shown = await run(['config', 'show', '--config', `${server.dir}/mainstay.toml`], { env: { MAINSTAY_AUTH__KEYS_FILE: file, OPENAI_API_KEY: 'sk-canary-openai-0123456789', MAINSTAY_AUTH__JWT__SECRET: jwt } });
    assert.equal(shown.code, 0, shown.err);
    assert.doesNotMatch(shown.out, /canary-env|canary-jwt|sk-canary/);
    assert.match(shown.out, /\*\*\*/);
    const flag = await run(['serve', '--set', `auth.keys=${key}`]);
    assert.equal(flag.code, 78);
    assert.match(flag.err, /secret/);
  });

  test('security_41_modes: files with secrets are 0600, and doctor says when one is not', async (t) => {
    const server = await serve(t);
    for (const name of ['admin.key', 'keys.db']) {
      const file = path.join(server.data, name);
      if (name === 'keys.db' && !fs.existsSync(file)) continue;
      assert.equal(fs.statSync(file).mode & 0o077, 0, `${name} is open to others`);
    }
    const told = async () => (await run(['doctor', '--json', '--config', `${server.dir}/mainstay.toml`, '--data', server.data], { limit_ms: 120_000 })).out;
    fs.chmodSync(path.join(server.data, 'admin.key'), 0o644);
    assert.match(await told(), /admin\.key/);
  });
});
