// Idempotency-Key on every POST: carried out once, answered alike, also for those who come while the
// first runs, whose client went, or whose server was killed.   proves G8
import assert from 'node:assert/strict';
import http from 'node:http';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import { assert_error, Server, cleanup, pair, said } from './lib/harness.mjs';

const key = (value) => ({ 'idempotency-key': value });
const asked = (provider) => provider.requests.filter((r) => r.path.endsWith('/chat/completions')).length;

describe('Idempotency-Key', () => {
  test('the same request is answered alike and asked once; another body is refused', async (t) => {
    const { server, provider } = await pair(t);
    const first = await server.chat('one', key('k-1'));
    const again = await server.chat('one', key('k-1'));
    assert.equal(first.status, 200, first.text);
    assert.equal(again.status, 200);
    assert.equal(again.text, first.text);
    assert.equal(first.headers['idempotent-replayed'], undefined);
    assert.equal(again.headers['idempotent-replayed'], 'true');
    assert.equal(asked(provider), 1);
    assert_error(await server.chat('two', key('k-1')), 409, { code: 'idempotency_key_reused' });
    assert_error(await server.chat('one', key('k'.repeat(256))), 400, { code: 'invalid_idempotency_key' });
    assert_error(await server.chat('one', key('')), 400, { code: 'invalid_idempotency_key' });
  });

  test('a second request while the first runs waits and gets the same reply', async (t) => {
    const { server, provider } = await pair(t);
    provider.script({ match: { text: 'slow' }, replies: [{ text: 'done', gate: 'go' }] });
    const first = server.chat('slow', key('k-2'));
    await provider.until(() => asked(provider) === 1);
    const second = server.chat('slow', key('k-2'));
    provider.open('go');
    const [a, b] = await Promise.all([first, second]);
    assert.equal(said(a), 'done');
    assert.equal(b.text, a.text);
    assert.equal(asked(provider), 1);
  });

  test('a client that went away finds its reply when it comes again', async (t) => {
    const { server, provider } = await pair(t);
    provider.script({ match: { text: 'gone' }, replies: [{ text: 'kept', gate: 'go' }] });
    const body = JSON.stringify({ model: 'auto', messages: [{ role: 'user', content: 'gone' }] });
    const request = http.request(`${server.url}/v1/chat/completions`, { method: 'POST', agent: false,
      headers: { 'content-type': 'application/json', 'content-length': body.length, ...key('k-3') } });
    request.on('error', () => {});
    request.end(body);
    await provider.until(() => asked(provider) === 1);
    request.destroy();
    const second = server.request('POST', '/v1/chat/completions', { body, headers: key('k-3') });
    provider.open('go');
    assert.equal(said(await second), 'kept');
    assert.equal(asked(provider), 1);
  });

  test('a stream is given again', async (t) => {
    const { server, provider } = await pair(t);
    const first = await server.stream('a b c', key('k-4'));
    assert.equal(first.done, 1);
    const again = await server.stream('a b c', key('k-4'));
    assert.equal(again.text, first.text);
    assert.equal(again.done, 1);
    assert.equal(asked(provider), 1);
  });

  test('a stream of responses is given again; one that broke is not, however long it was', async (t) => {
    const { server, provider } = await pair(t, { config: { idempotency: { reply_max: '4KiB' }, cache: { enabled: false } } });
    const ask = (input) => server.post('/v1/responses', { model: 'model-a', input, stream: true }, key('k-rs'));
    provider.script({ match: { text: 'short' }, replies: [{ text: 'done' }] });
    const first = await ask('short');
    assert.match(first.text, /response\.completed/);
    const again = await ask('short');
    assert.equal(again.text, first.text);
    assert.equal(again.headers['idempotent-replayed'], 'true');
    assert_error(await ask('other'), 409, { code: 'idempotency_key_reused' });
    assert.equal(asked(provider), 1);
    provider.script({ match: { text: 'long' }, repeat: true, replies: [{ tokens: Array.from({ length: 40 }, () => 'word '.repeat(50)), fault: 'cut', after: 30 }] });
    const broken = await server.stream('long', key('k-cut'));
    assert.ok(broken.text.length > 4096 && !broken.text.includes('[DONE]'), broken.text.slice(-300));
    const before = asked(provider);
    const retried = await server.stream('long', key('k-cut'));
    assert.equal(retried.status, 200, retried.text);
    assert.ok(asked(provider) > before, 'it is asked again');
  });

  test('a refusal that stays is given again', async (t) => {
    const { server } = await pair(t);
    const wrong = { messages: [] };
    const first = await server.chat(wrong, key('k-5'));
    const again = await server.chat(wrong, key('k-5'));
    assert.equal(first.status, 400, first.text);
    assert.equal(again.text, first.text);
    assert.equal(again.headers['idempotent-replayed'], 'true');
  });

  test('kept replies survive kill -9; the turn of a killed request is stored once', async (t) => {
    const { server, provider } = await pair(t);
    const body = { messages: [{ role: 'user', content: 'remember' }], conversation: 'new' };
    const first = await server.chat(body, key('k-6'));
    assert.equal(first.status, 200, first.text);
    provider.script({ match: { text: 'cut' }, replies: [{ text: 'late', gate: 'never' }, { text: 'again' }] });
    const cut = server.chat({ ...body, messages: [{ role: 'user', content: 'cut' }] }, key('k-7')).catch(() => 'cut');
    await provider.until(() => asked(provider) === 2);
    await server.kill();
    assert.equal(await cut, 'cut');
    const next = new Server({ dir: server.dir, data: server.data, args: ['--config', `${server.dir}/mainstay.toml`] });
    cleanup(t, () => next.stop());
    await next.up();
    const again = await next.chat(body, key('k-6'));
    assert.equal(again.text, first.text);
    assert.equal(again.headers['x-conversation-id'], first.headers['x-conversation-id']);
    const retried = await next.chat({ ...body, messages: [{ role: 'user', content: 'cut' }] }, key('k-7'));
    assert.equal(said(retried), 'again');
    const stored = await next.get(`/v1/conversations/${retried.headers['x-conversation-id']}`);
    assert.equal(stored.json.messages.length, 2);
  });

  test('documents, searches and jobs heed it too', async (t) => {
    const { server } = await pair(t);
    const document = { text: 'Bern is the capital of Switzerland.', title: 'Bern' };
    for (const [path, body] of [['/v1/documents', document], ['/v1/search', { query: 'Bern' }],
      ['/v1/jobs', { kind: 'chat', input: { messages: [{ role: 'user', content: 'x' }] } }]]) {
      const first = await server.post(path, body, key('k-8'));
      const again = await server.post(path, body, key('k-8'));
      assert.ok(first.status < 300, `${path}: ${first.text}`);
      assert.equal(again.headers['idempotent-replayed'], 'true', path);
      assert.equal(again.json.id, first.json.id);
    }
  });

  test('a chat is stopped by its key: the model is not waited for, the place is free', async (t) => {
    const { server, provider } = await pair(t);
    provider.script({ match: { text: 'silent' }, replies: [{ text: 'late', gate: 'never' }] });
    const cut = server.chat('silent', key('k-10')).catch(() => 'cut');
    await provider.until(() => asked(provider) === 1);
    const stop = (name, headers) => server.post('/v1/chat/completions/cancel', { idempotency_key: name }, headers);
    assert_error(await stop('k-other'), 404, { code: 'unknown_chat' });
    const stopped = await stop('k-10');
    assert.deepEqual(stopped.json, { object: 'chat.completion.cancelled', cancelled: true }, stopped.text);
    assert.equal(await cut, 'cut');
    await server.until(async () => (await server.metrics())('mainstay_admission_in_use') === 0, 'the permit is free');
    await provider.until(() => provider.count.closed_while_waiting === 1);
    assert_error(await stop('k-10'), 404, { code: 'unknown_chat' });
    assert_error(await server.chat('silent', key('k-10')), 499, { code: 'chat_stopped' });
    assert.equal(asked(provider), 1);
  });

  test('a stream that is stopped keeps what was said in its conversation, also when its reader went', async (t) => {
    const { server, provider } = await pair(t);
    provider.script({ match: { text: 'long' }, replies: [{ tokens: ['One ', 'two ', 'three ', 'four'], gate: 'go', gate_at: 2 }] });
    const stream = await server.open_stream({ messages: [{ role: 'user', content: 'long' }], conversation: 'conv-stop' }, key('k-11'));
    assert.equal(await stream.next_text() + await stream.next_text(), 'One two ');
    stream.request.destroy();
    const stopping = server.post('/v1/chat/completions/cancel', { idempotency_key: 'k-11' });
    await new Promise((go) => setTimeout(go, 100));
    provider.open('go');
    assert.equal((await stopping).status, 200);
    const stored = (await server.get('/v1/conversations/conv-stop')).json;
    assert.deepEqual(stored.messages.map((one) => one.role), ['user', 'assistant']);
    assert.match(stored.messages[1].content, /^One two /);
    assert.doesNotMatch(stored.messages[1].content, /four/);
  });

  test('the official client sends it with its own option', async (t) => {
    const { server, provider } = await pair(t);
    const client = new OpenAI({ apiKey: 'k', baseURL: `${server.url}/v1` });
    const ask = () => client.chat.completions.create({ model: 'auto', messages: [{ role: 'user', content: 'hi' }] },
      { idempotencyKey: 'own', headers: key('own') });
    const [a, b] = [await ask(), await ask()];
    assert.equal(a.id, b.id);
    assert.equal(asked(provider), 1);
  });
});
