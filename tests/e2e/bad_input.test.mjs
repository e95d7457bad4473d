// Bad input to every endpoint: 400, 404, 413, 415 or 422 with the field's path; nothing stored,
// nothing sent upstream, and the server lives on.   proves security rows 28, 32
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { assert_error, pair, provide, provider_entry, scope, serve } from './lib/harness.mjs';

const CHAT = '/v1/chat/completions';
const message = { role: 'user', content: 'x' };
const chat = (more) => ({ model: 'model-a', messages: [message], ...more });
const deep = (n) => '['.repeat(n) + ']'.repeat(n);

/** [name, body, status, param]; a string body is sent as it is. */
const CHATS = [
  ['empty body', '', 400],
  ['not JSON', 'hello', 400],
  ['cut JSON', '{"model":"model-a","messages":[{"role":"user"', 400],
  ['trailing garbage', `${JSON.stringify(chat())} x`, 400],
  ['two values', '{}{}', 400],
  ['an array', '[]', 400],
  ['null', 'null', 400],
  ['a number', '1e999', 400],
  ['NaN', '{"model":"model-a","temperature":NaN,"messages":[{"role":"user","content":"x"}]}', 400],
  ['invalid UTF-8', Buffer.concat([Buffer.from('{"model":"model-a","messages":[{"role":"user","content":"'),
    Buffer.from([0xc3, 0x28]), Buffer.from('"}]}')]), 400],
  ['a lone surrogate', '{"model":"model-a","messages":[{"role":"user","content":"\\ud800"}]}', [200, 400]],
  ['100,000 brackets', `{"model":"model-a","messages":${deep(100_000)}}`, 400],
  ['too deep', `{"model":"model-a","messages":[{"role":"user","content":"x"}],"metadata":${deep(200)}}`, 400],
  ['no messages', { model: 'model-a' }, 400, 'messages'],
  ['messages is a text', chat({ messages: 'x' }), 400, 'messages'],
  ['messages is empty', chat({ messages: [] }), 400, 'messages'],
  ['a message is a number', chat({ messages: [message, 7] }), 400, 'messages[1]'],
  ['no role', chat({ messages: [{ content: 'x' }] }), 400, 'messages[0].role'],
  ['unknown role', chat({ messages: [message, { role: 'wizard', content: 'x' }] }), 400, 'messages[1].role'],
  ['role is a number', chat({ messages: [{ role: 5, content: 'x' }] }), 400, 'messages[0].role'],
  ['no content', chat({ messages: [{ role: 'user' }] }), 400, 'messages[0].content'],
  ['content is a number', chat({ messages: [{ role: 'user', content: 5 }] }), 400, 'messages[0].content'],
  ['content part without type', chat({ messages: [{ role: 'user', content: [{ text: 'x' }] }] }), 400, 'messages[0].content[0].type'],
  ['text part without text', chat({ messages: [{ role: 'user', content: [{ type: 'text' }] }] }), 400, 'messages[0].content[0].text'],
  ['image part without url', chat({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }] }), 400,
    'messages[0].content[0].image_url.url'],
  ['tool result without its id', chat({ messages: [message, { role: 'tool', content: 'x' }] }), 400, 'messages[1].tool_call_id'],
  ['model is a number', chat({ model: 5 }), 400, 'model'],
  ['model is empty', chat({ model: '' }), [400, 404], 'model'],
  ['unknown model', chat({ model: 'no/such' }), 404, 'model'],
  ['model of 10,000 letters', chat({ model: 'm'.repeat(10_000) }), [400, 404], 'model'],
  ['stream is a text', chat({ stream: 'yes' }), 400, 'stream'],
  ['temperature is a text', chat({ temperature: 'hot' }), 400, 'temperature'],
  ['temperature below 0', chat({ temperature: -0.1 }), 400, 'temperature'],
  ['temperature above 2', chat({ temperature: 2.01 }), 400, 'temperature'],
  ['temperature out of all range', '{"model":"model-a","temperature":1e999,"messages":[{"role":"user","content":"x"}]}', 400],
  ['top_p above 1', chat({ top_p: 1.01 }), 400, 'top_p'],
  ['n of 0', chat({ n: 0 }), 400, 'n'],
  ['n of 9', chat({ n: 9 }), 400, 'n'],
  ['n of 1.5', chat({ n: 1.5 }), 400, 'n'],
  ['max_tokens of 0', chat({ max_tokens: 0 }), 400, 'max_tokens'],
  ['max_tokens below 0', chat({ max_tokens: -1 }), 400, 'max_tokens'],
  ['max_tokens of 1e9', chat({ max_tokens: 1e9 }), 400, 'max_tokens'],
  ['max_completion_tokens of 1e9', chat({ max_completion_tokens: 1e9 }), 400, 'max_completion_tokens'],
  ['tools is a text', chat({ tools: 'add' }), 400, 'tools'],
  ['129 tools', chat({ tools: Array.from({ length: 129 }, (_, i) => ({ type: 'function', function: { name: `f${i}` } })) }), 400, 'tools'],
  ['a tool without name', chat({ tools: [{ type: 'function', function: {} }] }), 400, 'tools[0].function.name'],
  ['2,049 messages', chat({ messages: Array(2049).fill(message) }), 400, 'messages'],
  ['message over its limit', chat({ messages: [{ role: 'user', content: 'x'.repeat((4 << 20) + 1) }] }), [400, 413], 'messages[0].content'],
  ['conversation is a number', chat({ conversation: 5 }), 400, 'conversation'],
  ['conversation of 1,000 letters', chat({ conversation: 'c'.repeat(1000) }), 400, 'conversation'],
  ['conversation with a newline', chat({ conversation: 'a\nb' }), 400, 'conversation'],
  ['collection is a list', chat({ collection: [] }), 400, 'collection'],
];

const OTHERS = [
  ['/chat', 'no prompt', {}, 400, 'prompt'],
  ['/chat', 'prompt is a number', { prompt: 5 }, 400, 'prompt'],
  ['/chat', 'prompt is empty', { prompt: '' }, 400, 'prompt'],
  ['/chat', 'not JSON', 'prompt=hello', 400],
  ['/v1/documents', 'no text', { title: 'x' }, 400, 'text'],
  ['/v1/documents', 'empty text', { text: '' }, [400, 422], 'text'],
  ['/v1/documents', 'text is a number', { text: 5 }, 400, 'text'],
  ['/v1/documents', 'unknown format', { text: 'x', format: 'docx' }, [400, 415, 422], 'format'],
  ['/v1/documents', 'title is a number', { text: 'x', title: 5 }, 400, 'title'],
  ['/v1/documents', 'collection with a slash', { text: 'x', collection: '../x' }, 400, 'collection'],
  ['/v1/documents', 'not JSON', '<html>', 400],
  ['/v1/documents', 'invalid UTF-8', Buffer.from([0x7b, 0x22, 0x74, 0x65, 0x78, 0x74, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]), 400],
  ['/v1/search', 'no query', {}, 400, 'query'],
  ['/v1/search', 'query is a list', { query: [] }, 400, 'query'],
  ['/v1/search', 'empty query', { query: '' }, 400, 'query'],
  ['/v1/search', 'limit of 0', { query: 'x', limit: 0 }, 400, 'limit'],
  ['/v1/search', 'limit below 0', { query: 'x', limit: -5 }, 400, 'limit'],
  ['/v1/search', 'limit of 101', { query: 'x', limit: 101 }, 400, 'limit'],
  ['/v1/search', 'limit is a text', { query: 'x', limit: '5' }, 400, 'limit'],
  ['/v1/search', 'not JSON', '{', 400],
];

describe('bad input', () => {
  const shared = scope();
  after(() => shared.end());
  let server;
  let provider;
  before(async () => {
    provider = await provide(shared);
    server = await serve(shared, { config: { providers: [provider_entry(provider)] } });
  });

  const check = async (target, body, status, param) => {
    const before_count = provider.requests.filter((r) => r.format).length;
    const got = await server.post(target, body);
    const allowed = [].concat(status);
    assert.ok(allowed.includes(got.status), `${got.status} instead of ${status}: ${got.text.slice(0, 300)}`);
    if (got.status === 200) return;
    assert_error(got, got.status, { param });
    assert.equal(provider.requests.filter((r) => r.format).length, before_count, 'nothing sent upstream');
    assert.equal((await server.get('/health')).status, 200);
  };

  for (const [name, body, status, param] of CHATS) test(`chat: ${name}`, () => check(CHAT, body, status, param));
  for (const [target, name, body, status, param] of OTHERS) test(`${target}: ${name}`, () => check(target, body, status, param));

  test('bad streamed requests are refused with a status, not an event', async () => {
    const got = await server.stream({ model: 'model-a', messages: [{ role: 'wizard', content: 'x' }] });
    assert.equal(got.status, 400);
    assert.equal(got.json.error.param, 'messages[0].role');
  });

  test('limits hold exactly: at the limit it passes, one more is refused', async () => {
    const ok = async (body) => assert.equal((await server.chat(body)).status, 200);
    const refused = async (body) => assert.equal((await server.chat(body)).status, 400);
    await ok(chat({ n: 8 }));
    await ok(chat({ temperature: 0 }));
    await ok(chat({ temperature: 2 }));
    await ok(chat({ max_tokens: 1_000_000 }));
    await refused(chat({ max_tokens: 1_000_001 }));
    await ok(chat({ messages: Array(2048).fill(message) }));
    await ok(chat({ max_tokens: 1 }));
  });

  for (const target of [CHAT, '/chat', '/v1/documents', '/v1/search']) {
    test(`${target}: a content type that is not JSON is 415`, async () => {
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/xml']) {
        const form = target === '/v1/documents' && type.startsWith('multipart');  // that it takes
        assert_error(await server.post(target, '{"query":"x","text":"x","prompt":"x"}', { 'content-type': type }), form ? 400 : 415);
      }
    });
    test(`${target}: JSON with a charset is accepted as JSON`, async () => {
      const got = await server.post(target, '{}', { 'content-type': 'Application/JSON; charset=utf-8' });
      assert.equal(got.status, 400, got.text);
    });
  }

  test('unknown paths are 404, wrong methods 405 with Allow', async () => {
    assert_error(await server.get('/v1/nothing'), 404);
    assert_error(await server.post('/nothing', {}), 404);
    for (const [method, target, allow] of [['GET', CHAT, 'POST'], ['PUT', CHAT, 'POST'], ['DELETE', '/v1/models', 'GET'],
      ['POST', '/health', 'GET'], ['PATCH', '/v1/documents', 'GET'], ['GET', '/chat', 'POST'], ['GET', '/v1/search', 'POST']]) {
      const got = await server.request(method, target);
      assert_error(got, 405);
      assert.match(got.headers.allow ?? '', new RegExp(`\\b${allow}\\b`), `${method} ${target}`);
    }
  });

  test('ids that cannot be are 404 or 400, never 500', async () => {
    for (const id of ['x', '..', '%2e%2e%2f', '%00', 'a'.repeat(3000), '%ff', "';--"]) {
      for (const base of ['/v1/documents/', '/v1/conversations/']) {
        const got = await server.delete(base + id);
        assert.ok([400, 404, 405, 414].includes(got.status), `${base}${id.slice(0, 20)}: ${got.status}`);
      }
    }
  });

  test('bad query parameters name themselves', async () => {
    for (const target of ['/v1/documents', '/v1/conversations']) {
      for (const limit of ['0', '-1', 'x', '1e3', '999999999999999999999']) {
        assert_error(await server.get(`${target}?limit=${limit}`), 400, { param: 'limit' });
      }
    }
  });

  test('nothing of all that was stored', async () => {
    assert.deepEqual((await server.get('/v1/conversations')).json.data, []);
    assert.deepEqual((await server.get('/v1/documents')).json.data, []);
  });
});

test('a body over body_max is 413, at the limit it is read', async (t) => {
  const { server } = await pair(t, { config: { server: { body_max: '64KiB' } } });
  const body = JSON.stringify(chat({ messages: [{ role: 'user', content: '' }] }));
  const sized = (n) => body.replace('""', `"${'x'.repeat(n - body.length)}"`);
  assert.equal((await server.post(CHAT, sized(64 << 10))).status, 200);
  assert_error(await server.post(CHAT, sized((64 << 10) + 1), { connection: 'close' }), 413);
  // Also one that is still being sent when it is refused: no reset takes the answer away.
  for (let i = 0; i < 5; ++i) assert_error(await server.post(CHAT, sized(20 << 20)), 413);
});
