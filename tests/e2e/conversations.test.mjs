// Conversations: turns are stored before the client hears of success, survive kill -9, are windowed,
// listed and deleted. Also POST /chat.   proves M12, V5; fault row 2
import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';
import { assert_error, cleanup, pair, provide, provider_entry, said, Server, serve, temp_dir, write_config } from './lib/harness.mjs';

const ask = (text, conversation, more = {}) =>
  ({ model: 'model-a', messages: [{ role: 'user', content: text }], conversation, ...more });
const chats = (provider) => provider.requests.filter((r) => r.format);
const texts = (conversation) => conversation.messages.map((m) => `${m.role}: ${m.content}`);

describe('conversations', () => {
  test('the earlier turns are sent with the next question', async (t) => {
    const { server, provider } = await pair(t);
    await server.chat(ask('my name is Ada', 'conv-names'));
    const got = await server.chat(ask('what is my name', 'conv-names'));
    assert.equal(got.status, 200, got.text);
    assert.deepEqual(chats(provider).at(-1).body.messages.map((m) => [m.role, m.content]), [
      ['user', 'my name is Ada'], ['assistant', 'You said: my name is Ada'], ['user', 'what is my name']]);
  });

  test('what a model thought before it called a tool is sent with the tool\'s result', async (t) => {
    const { server, provider } = await pair(t);
    const tools = [{ type: 'function', function: { name: 'sun', parameters: { type: 'object' } } }];
    for (const stream of [false, true]) {
      const id = `conv-thoughts-${stream}`;
      provider.script({ thoughts: 'I must look.', tool_calls: [{ name: 'sun', id: 'c1', arguments: {} }] });
      const first = await server.chat(ask(`is it sunny ${stream}`, id, { tools, stream }));
      assert.equal(first.status, 200, first.text);
      const result = { model: 'model-a', conversation: id, tools, messages: [{ role: 'tool', tool_call_id: 'c1', content: 'yes' }] };
      assert.equal((await server.chat(result)).status, 200);
      const [, called, told] = chats(provider).at(-1).body.messages;
      assert.equal(called.reasoning_content, 'I must look.');
      assert.equal(called.tool_calls[0].id, 'c1');
      assert.equal(told.role, 'tool');
      provider.script({ thoughts: 'Easy.', text: 'Good bye.' });
      await server.chat(ask('bye', id));
      await server.chat(ask('one more', id));
      assert.equal(chats(provider).at(-1).body.messages.filter((m) => m.reasoning_content).length, 1, 'of calls alone');
    }
  });

  test('x-conversation-id means the same as the field', async (t) => {
    const { server, provider } = await pair(t);
    await server.chat(ask('first'), { 'x-conversation-id': 'conv-header' });
    await server.chat(ask('second'), { 'x-conversation-id': 'conv-header' });
    assert.equal(chats(provider).at(-1).body.messages.length, 3);
  });

  test('without an id nothing is kept', async (t) => {
    const { server, provider } = await pair(t);
    await server.chat(ask('one'));
    await server.chat(ask('two'));
    assert.equal(chats(provider).at(-1).body.messages.length, 1);
    assert.deepEqual((await server.get('/v1/conversations')).json.data, []);
  });

  test('they are listed newest first, read whole, and deleted', async (t) => {
    const { server } = await pair(t);
    await server.chat(ask('alpha question', 'conv-a'));
    await server.chat(ask('beta question', 'conv-b'));
    const list = (await server.get('/v1/conversations')).json;
    assert.equal(list.object, 'list');
    assert.deepEqual(list.data.map((c) => c.id), ['conv-b', 'conv-a']);
    const one = (await server.get('/v1/conversations/conv-a')).json;
    assert.equal(one.id, 'conv-a');
    assert.deepEqual(texts(one), ['user: alpha question', 'assistant: You said: alpha question']);
    const gone = await server.delete('/v1/conversations/conv-a');
    assert.ok([200, 204].includes(gone.status), gone.text);
    assert_error(await server.get('/v1/conversations/conv-a'), 404);
    assert_error(await server.delete('/v1/conversations/conv-a'), 404);
    assert.deepEqual((await server.get('/v1/conversations')).json.data.map((c) => c.id), ['conv-b']);
  });

  test('a list is paged by limit and after', async (t) => {
    const { server } = await pair(t);
    for (let i = 0; i < 5; i += 1) await server.chat(ask(`q${i}`, `conv-${i}`));
    const first = (await server.get('/v1/conversations?limit=2')).json;
    assert.deepEqual(first.data.map((c) => c.id), ['conv-4', 'conv-3']);
    assert.equal(first.has_more, true);
    const next = (await server.get(`/v1/conversations?limit=3&after=${first.data.at(-1).id}`)).json;
    assert.deepEqual(next.data.map((c) => c.id), ['conv-2', 'conv-1', 'conv-0']);
    assert.equal(next.has_more, false);
  });

  test('the window keeps the newest turns within its tokens', async (t) => {
    const { server, provider } = await pair(t, { config: { conversations: { window_tokens: 256 } } });
    const long = Array.from({ length: 60 }, (_, i) => `word${i}`).join(' ');
    for (let i = 0; i < 6; i += 1) await server.chat(ask(`turn ${i} ${long}`, 'conv-window'));
    await server.chat(ask('last', 'conv-window'));
    const sent = chats(provider).at(-1).body.messages;
    assert.equal(sent.at(-1).content, 'last');
    assert.ok(sent.length < 13, `${sent.length} messages sent`);
    assert.notEqual(sent[0].role, 'assistant', 'a window starts with a question');
    const stored = (await server.get('/v1/conversations/conv-window')).json;
    assert.equal(stored.messages.length, 14, 'all of it is stored');
  });

  test('a failed turn is not stored', async (t) => {
    const { server, provider } = await pair(t, { config: { models: { attempts_max: 1 } } });
    provider.script({ status: 400, message: 'refused' });
    assert.equal((await server.chat(ask('lost', 'conv-fail'))).status, 400);
    assert.equal((await server.get('/v1/conversations/conv-fail')).status, 404);
    provider.script({ tokens: ['half', ' done', ' x'], fault: 'cut', after: 1 });
    assert.ok((await server.stream(ask('cut', 'conv-fail'))).error);
    const kept = await server.get('/v1/conversations/conv-fail');
    assert.ok(kept.status === 404 || !texts(kept.json).some((m) => m === 'assistant: half done x'), kept.text);
  });

  test('callers with different keys do not see each other', async (t) => {
    const keys = ['owner-one-key-00000001', 'owner-two-key-00000002'];
    const { server, provider } = await pair(t, { config: { auth: { keys } } });
    const [one, two] = keys.map((k) => ({ authorization: `Bearer ${k}` }));
    await server.chat(ask('mine', 'conv-shared-name'), one);
    assert.equal((await server.get('/v1/conversations/conv-shared-name', two)).status, 404);
    assert.deepEqual((await server.get('/v1/conversations', two)).json.data, []);
    await server.chat(ask('theirs', 'conv-shared-name'), two);
    assert.equal(chats(provider).at(-1).body.messages.length, 1);
  });

  test('questions of one conversation at the same time all end up in it', async (t) => {
    const { server } = await pair(t);
    const replies = await Promise.all(Array.from({ length: 8 }, (_, i) => server.chat(ask(`p${i}`, 'conv-par'))));
    assert.ok(replies.every((r) => r.status === 200), replies.map((r) => r.status).join());
    const { messages } = (await server.get('/v1/conversations/conv-par')).json;
    assert.equal(messages.length, 16);
    const asked = messages.filter((m) => m.role === 'user').map((m) => m.content).sort();
    assert.deepEqual(asked, Array.from({ length: 8 }, (_, i) => `p${i}`));
  });
});

describe('durability', () => {
  /** Starts on a fixed data folder so that a second process can take it over. */
  async function setup(t) {
    const provider = await provide(t);
    const dir = temp_dir(t);
    const file = write_config(dir, { limits: { enabled: false }, models: { discover: false },
      providers: [provider_entry(provider)] });
    const begin = async () => {
      const server = new Server({ dir, data: path.join(dir, 'data'), args: ['--config', file] });
      cleanup(t, () => server.stop());
      return server.up();
    };
    return { provider, begin };
  }

  test('kill -9 right after the 2xx: the turn is there', async (t) => {
    const { begin } = await setup(t);
    for (let round = 0; round < 5; round += 1) {
      const server = await begin();
      const got = await server.chat(ask(`keep ${round}`, `conv-kill-${round}`));
      await server.kill();
      assert.equal(got.status, 200, got.text);
    }
    const server = await begin();
    for (let round = 0; round < 5; round += 1) {
      const one = await server.get(`/v1/conversations/conv-kill-${round}`);
      assert.deepEqual(texts(one.json), [`user: keep ${round}`, `assistant: You said: keep ${round}`]);
    }
  });

  test('kill -9 right after [DONE] of a stream: the turn is there', async (t) => {
    const { begin } = await setup(t);
    const server = await begin();
    const reader = await server.open_stream(ask('stream kept', 'conv-done'));
    for (let event = await reader.next(); event && !event.done; event = await reader.next()) { /* up to [DONE] */ }
    await server.kill();
    const after = await begin();
    const one = await after.get('/v1/conversations/conv-done');
    assert.deepEqual(texts(one.json), ['user: stream kept', 'assistant: You said: stream kept']);
  });

  test('kill -9 under load: every answered turn is there, none twice', async (t) => {
    const { begin } = await setup(t);
    const server = await begin();
    const answered = [];
    const asking = Array.from({ length: 40 }, (_, i) =>
      server.chat(ask(`load ${i}`, `conv-load-${i}`)).then((r) => { if (r.status === 200) answered.push(i); }, () => {}));
    await server.until(() => answered.length >= 10, 'some answered');
    await server.kill();
    await Promise.all(asking);
    const after = await begin();
    for (const i of answered) {
      const one = await after.get(`/v1/conversations/conv-load-${i}`);
      assert.deepEqual(texts(one.json), [`user: load ${i}`, `assistant: You said: load ${i}`]);
    }
  });
});

describe('POST /chat', () => {
  test('a prompt gets a response', async (t) => {
    const { server } = await pair(t);
    const got = await server.post('/chat', { prompt: 'plain question' });
    assert.equal(got.status, 200, got.text);
    assert.equal(got.json.response, 'You said: plain question');
  });

  test('a conversation is continued', async (t) => {
    const { server, provider } = await pair(t);
    const first = await server.post('/chat', { prompt: 'one', conversation: 'conv-chat' });
    assert.equal(first.json.conversation, 'conv-chat', first.text);
    await server.post('/chat', { prompt: 'two', conversation: 'conv-chat' });
    assert.equal(chats(provider).at(-1).body.messages.length, 3);
  });

  test('without any provider it answers from the built-in answerer', async (t) => {
    const server = await serve(t);
    const got = await server.post('/chat', { prompt: 'Anybody there?' });
    assert.equal(got.status, 200, got.text);
    assert.ok(got.json.response.length > 10);
    assert.equal(said(got), undefined);
  });
});
