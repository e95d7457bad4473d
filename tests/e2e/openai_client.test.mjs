// The official `openai` client against mainstay before each of the four kinds of provider: what the
// client's users see is the same, whatever stands behind.   proves M10, Z17 (provider part)
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import { pair } from './lib/harness.mjs';

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const TOOLS = [{ type: 'function', function: { name: 'add', description: 'Adds two numbers',
  parameters: { type: 'object', properties: { a: { type: 'number' }, b: { type: 'number' } }, required: ['a', 'b'] } } }];
const user = (content) => [{ role: 'user', content }];
const client_of = (server, more = {}) =>
  new OpenAI({ apiKey: 'sk-test', baseURL: `${server.url}/v1`, maxRetries: 0, ...more });

async function setup(t, kind, options = {}) {
  const both = await pair(t, { kind, ...options });
  return { ...both, client: client_of(both.server) };
}
async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

for (const kind of ['openai', 'ollama', 'gemini', 'anthropic']) {
  describe(`official client before ${kind}`, () => {
    test('a chat answers with text, finish reason, usage and the asked model', async (t) => {
      const { client, provider } = await setup(t, kind);
      const reply = await client.chat.completions.create({ model: 'model-a', temperature: 0.25, max_tokens: 77,
        messages: [{ role: 'system', content: 'Be brief.' }, ...user('seven plus eight')] });
      assert.equal(reply.object, 'chat.completion');
      assert.equal(reply.choices[0].message.role, 'assistant');
      assert.equal(reply.choices[0].message.content, 'You said: seven plus eight');
      assert.equal(reply.choices[0].finish_reason, 'stop');
      assert.deepEqual({ ...reply.usage }, { ...reply.usage, prompt_tokens: 5, completion_tokens: 5, total_tokens: 10 });
      assert.ok(reply.id && Number.isInteger(reply.created) && reply.model);
      const sent = JSON.stringify(provider.requests.at(-1).body);
      assert.match(sent, /Be brief\./);
      assert.match(sent, /0\.25/);
      assert.match(sent, /77/);
    });

    test('a stream brings the tokens one by one, one finish reason, usage when asked', async (t) => {
      const { client } = await setup(t, kind);
      const stream = await client.chat.completions.create({ model: 'model-a', messages: user('one two'), stream: true,
        stream_options: { include_usage: true } });
      const chunks = await collect(stream);
      assert.equal(chunks.map((c) => c.choices[0]?.delta?.content ?? '').join(''), 'You said: one two');
      assert.ok(chunks.filter((c) => c.choices[0]?.delta?.content).length >= 4, 'token by token');
      assert.deepEqual(chunks.map((c) => c.choices[0]?.finish_reason).filter(Boolean), ['stop']);
      const usage = chunks.map((c) => c.usage).filter(Boolean).at(-1);
      assert.equal(usage?.prompt_tokens, 2);
      assert.equal(usage?.completion_tokens, 4);
      assert.equal(new Set(chunks.map((c) => c.id)).size, 1, 'one id');
      assert.ok(chunks.every((c) => c.object === 'chat.completion.chunk'));
    });

    test('a stream without include_usage brings no usage chunk', async (t) => {
      const { client } = await setup(t, kind);
      const chunks = await collect(await client.chat.completions.create(
        { model: 'model-a', messages: user('x'), stream: true }));
      assert.equal(chunks.filter((c) => c.choices.length === 0).length, 0);
    });

    test('tool calls arrive whole, and the tool result goes back', async (t) => {
      const { client, provider } = await setup(t, kind);
      provider.script({ tool_calls: [{ name: 'add', arguments: { a: 17, b: 25 } }] });
      const ask = { model: 'model-a', messages: user('17+25?'), tools: TOOLS };
      const first = await client.chat.completions.create(ask);
      const message = first.choices[0].message;
      assert.equal(first.choices[0].finish_reason, 'tool_calls');
      assert.equal(message.tool_calls.length, 1);
      const [call] = message.tool_calls;
      assert.equal(call.type, 'function');
      assert.ok(call.id);
      assert.equal(call.function.name, 'add');
      assert.deepEqual(JSON.parse(call.function.arguments), { a: 17, b: 25 });
      assert.match(JSON.stringify(provider.requests.at(-1).body), /Adds two numbers/);
      const second = await client.chat.completions.create({ ...ask, messages: [...ask.messages, message,
        { role: 'tool', tool_call_id: call.id, content: '{"sum":42}' }] });
      assert.match(second.choices[0].message.content, /^Tool said: .*42/);
    });

    test('streamed tool calls assemble to the same arguments', async (t) => {
      const { client, provider } = await setup(t, kind);
      provider.script({ tool_calls: [{ name: 'add', arguments: { a: 3, b: 9 } },
        { name: 'add', arguments: { a: 4, b: 16 } }] });
      const runner = client.chat.completions.stream({ model: 'model-a', messages: user('sums'), tools: TOOLS });
      const final = await runner.finalChatCompletion();
      const calls = final.choices[0].message.tool_calls;
      assert.deepEqual(calls.map((c) => JSON.parse(c.function.arguments)), [{ a: 3, b: 9 }, { a: 4, b: 16 }]);
      assert.equal(new Set(calls.map((c) => c.id)).size, 2);
      assert.equal(final.choices[0].finish_reason, 'tool_calls');
    });

    test('an image in a message reaches the provider', async (t) => {
      const { client, provider } = await setup(t, kind);
      await client.chat.completions.create({ model: 'model-a', messages: user([
        { type: 'text', text: 'what is this' },
        { type: 'image_url', image_url: { url: `data:image/png;base64,${PIXEL}` } }]) });
      const { images, text } = provider.requests.at(-1);
      assert.equal(images.length, 1);
      assert.ok(images[0].endsWith(PIXEL));
      assert.match(text, /what is this/);
    });

    test('a reply cut by its length says so', async (t) => {
      const { client, provider } = await setup(t, kind);
      provider.script({ text: 'cut here', finish: 'length' });
      const reply = await client.chat.completions.create({ model: 'model-a', messages: user('long'), max_tokens: 2 });
      assert.equal(reply.choices[0].finish_reason, 'length');
    });

    test('abort in a stream closes the upstream call', async (t) => {
      const { client, provider } = await setup(t, kind);
      provider.script({ tokens: ['first', ' second', ' third'], gate: 'g', gate_at: 1 });
      const stream = await client.chat.completions.create({ model: 'model-a', messages: user('hold'), stream: true });
      for await (const chunk of stream) {
        if (chunk.choices[0]?.delta?.content) { stream.controller.abort(); break; }
      }
      await provider.until(() => provider.connections().closed_while_streaming === 1, 'upstream closed');
      assert.equal(provider.connections().last_closed_at_token, 1);
    });

    test('abort before a whole reply closes the upstream call', async (t) => {
      const { client, provider } = await setup(t, kind);
      provider.script({ text: 'late', gate: 'g' });
      const leave = new AbortController();
      const reply = client.chat.completions.create({ model: 'model-a', messages: user('hold') }, { signal: leave.signal });
      reply.catch(() => {});
      await provider.until(() => provider.requests.some((r) => r.text === 'hold'));
      leave.abort();
      await assert.rejects(reply, OpenAI.APIUserAbortError);
      await provider.until(() => provider.connections().closed_while_waiting === 1, 'upstream closed');
    });

    test('a request the provider refuses is a BadRequestError with its words', async (t) => {
      const { client, provider } = await setup(t, kind);
      provider.script({ status: 400, message: 'temperature must not be purple' });
      const error = await client.chat.completions.create({ model: 'model-a', messages: user('x') }).catch((e) => e);
      assert.ok(error instanceof OpenAI.BadRequestError, String(error));
      assert.match(error.message, /purple/);
      assert.equal(error.code, 'upstream_rejected');
    });

    test('the models list names what the provider serves', async (t) => {
      const { client } = await setup(t, kind, { entry: { models: [] } });
      const ids = (await client.models.list()).data.map((m) => m.id);
      assert.ok(ids.includes('model-a') && ids.includes('model-b'), ids.join());
      assert.ok(ids.includes('auto') && ids.includes('mainstay/extractive'), ids.join());
    });
  });
}

describe('official client: errors and retries', () => {
  const strict = { routes: [{ model: 'model-a', extractive_fallback: false,
    candidates: [{ provider: 'openai', model: 'model-a' }] }], models: { attempts_max: 1 } };

  test('errors map to the classes of the client', async (t) => {
    const { client, provider } = await setup(t, 'openai', { config: strict });
    const failing = async (body) => client.chat.completions.create(body).catch((e) => e);
    const unknown = await failing({ model: 'no-such-model', messages: user('x') });
    assert.ok(unknown instanceof OpenAI.NotFoundError, String(unknown));
    assert.equal(unknown.code, 'unknown_model');
    const wrong = await failing({ model: 'model-a', messages: [{ role: 'wizard', content: 'x' }] });
    assert.ok(wrong instanceof OpenAI.BadRequestError, String(wrong));
    assert.equal(wrong.param, 'messages[0].role');
    provider.script({ status: 500 });
    assert.ok(await failing({ model: 'model-a', messages: user('y') }) instanceof OpenAI.InternalServerError);
    provider.script({ status: 429, retry_after: 1 });
    const limited = await failing({ model: 'model-a', messages: user('z') });
    assert.equal(limited.status, 503);
    assert.equal(limited.code, 'upstream_rate_limited');
    assert.equal(provider.requests.filter((r) => r.format).length, 2, 'bad requests are not sent upstream');
  });

  test('a wrong key is an AuthenticationError', async (t) => {
    const { server } = await pair(t, { config: { auth: { keys: ['right-key-of-good-length-0001'] } }, ready: false });
    const wrong = client_of(server, { apiKey: 'wrong' });
    await assert.rejects(wrong.models.list(), OpenAI.AuthenticationError);
    const right = client_of(server, { apiKey: 'right-key-of-good-length-0001' });
    assert.ok((await right.models.list()).data.length > 0);
  });

  test('the caller over its own limit gets a RateLimitError', async (t) => {
    const { server } = await pair(t, { config: { limits: { enabled: true, user: { requests_per_minute: 1, burst: 1 } } } });
    const client = client_of(server);
    const ask = () => client.chat.completions.create({ model: 'model-a', messages: user('x') });
    const outcomes = [];
    for (let i = 0; i < 4; i += 1) outcomes.push(await ask().then(() => 'ok', (e) => e));
    assert.equal(outcomes[0], 'ok');
    assert.ok(outcomes.at(-1) instanceof OpenAI.RateLimitError, String(outcomes.at(-1)));
  });

  test('the client retries a 503 of mainstay and gets the answer', async (t) => {
    const { server, provider } = await pair(t, { config: { ...strict, models: { attempts_max: 1, breaker_calls_min: 20 } } });
    provider.script({ replies: [{ status: 500 }] });
    const client = client_of(server, { maxRetries: 2 });
    const reply = await client.chat.completions.create({ model: 'model-a', messages: user('again') });
    assert.equal(reply.choices[0].message.content, 'You said: again');
    assert.equal(provider.requests.filter((r) => r.text === 'again').length, 2);
  });

  test('the client does not repeat what would fail again', async (t) => {
    const { server, provider } = await pair(t, { config: strict });
    provider.script({ status: 401, message: 'wrong key' });
    const client = client_of(server, { maxRetries: 2 });
    const failed = await client.chat.completions.create({ model: 'model-a', messages: user('once') }).then(() => null, (e) => e);
    assert.equal(failed?.status, 502, String(failed));
    assert.equal(failed.code, 'upstream_credentials');
    assert.equal(provider.requests.filter((r) => r.text === 'once').length, 1);
  });

  test('an error inside a stream surfaces as an APIError', async (t) => {
    const { client, provider } = await setup(t, 'openai');
    provider.script({ tokens: ['a', ' b', ' c', ' d'], fault: 'cut', after: 2 });
    const stream = await client.chat.completions.create({ model: 'model-a', messages: user('x'), stream: true });
    await assert.rejects(collect(stream), OpenAI.APIError);
  });
});
