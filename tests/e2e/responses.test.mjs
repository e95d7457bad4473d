// The official `openai` client's Responses API before each of the four kinds of provider.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import { pair } from './lib/harness.mjs';

const ADD = { type: 'function', name: 'add', description: 'Adds two numbers', strict: true,
  parameters: { type: 'object', properties: { a: { type: 'number' }, b: { type: 'number' } }, required: ['a', 'b'],
    additionalProperties: false } };
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

async function setup(t, kind, options = {}) {
  const both = await pair(t, { kind, ...options });
  return { ...both, client: new OpenAI({ apiKey: 'sk-test', baseURL: `${both.server.url}/v1`, maxRetries: 0 }) };
}
async function collect(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

for (const kind of ['openai', 'ollama', 'gemini', 'anthropic']) {
  describe(`responses before ${kind}`, () => {
    test('a text is answered with text, usage and what was asked for', async (t) => {
      const { client, provider } = await setup(t, kind);
      const reply = await client.responses.create({ model: 'model-a', instructions: 'Be brief.',
        input: 'seven plus eight', temperature: 0.25, max_output_tokens: 77 });
      assert.equal(reply.object, 'response');
      assert.equal(reply.status, 'completed');
      assert.equal(reply.output_text, 'You said: seven plus eight');
      assert.equal(reply.usage.input_tokens + reply.usage.output_tokens, reply.usage.total_tokens);
      assert.equal(reply.usage.total_tokens, 10);
      const sent = JSON.stringify(provider.requests.at(-1).body);
      for (const word of [/Be brief\./, /0\.25/, /77/]) assert.match(sent, word);
    });

    test('a stream tells the text piece by piece and ends with the whole response', async (t) => {
      const { client } = await setup(t, kind);
      const events = await collect(await client.responses.create({ model: 'model-a', input: 'one two', stream: true }));
      const deltas = events.filter((e) => e.type === 'response.output_text.delta').map((e) => e.delta);
      assert.ok(deltas.length >= 4, 'token by token');
      assert.equal(deltas.join(''), 'You said: one two');
      assert.deepEqual(events.map((e) => e.sequence_number), events.map((_, i) => i));
      assert.equal(events[0].type, 'response.created');
      assert.equal(events.at(-1).type, 'response.completed');
      assert.equal(events.at(-1).response.output[0].content[0].text, 'You said: one two');
      assert.equal(events.at(-1).response.usage.output_tokens, 4);
    });

    test('the functions that a model calls, and what came of them, go both ways', async (t) => {
      const { client, provider } = await setup(t, kind);
      provider.script({ tool_calls: [{ name: 'add', arguments: { a: 3, b: 9 } },
        { name: 'add', arguments: { a: 4, b: 16 } }] });
      const input = [{ role: 'user', content: 'sums' }];
      const final = await client.responses.stream({ model: 'model-a', input, tools: [ADD] }).finalResponse();
      const calls = final.output.filter((item) => item.type === 'function_call');
      assert.deepEqual(calls.map((c) => JSON.parse(c.arguments)), [{ a: 3, b: 9 }, { a: 4, b: 16 }]);
      assert.equal(new Set(calls.map((c) => c.call_id)).size, 2);
      assert.match(JSON.stringify(provider.requests.at(-1).body), /Adds two numbers/);
      const outputs = calls.map((c, i) => ({ type: 'function_call_output', call_id: c.call_id, output: `{"sum":${[12, 20][i]}}` }));
      const second = await client.responses.create({ model: 'model-a', input: [...input, ...final.output, ...outputs], tools: [ADD] });
      assert.match(second.output_text, /^Tool said: .*(12|20)/);
    });

    test('a picture reaches the provider', async (t) => {
      const { client, provider } = await setup(t, kind);
      await client.responses.create({ model: 'model-a', input: [{ role: 'user', content: [
        { type: 'input_text', text: 'what is this' },
        { type: 'input_image', detail: 'auto', image_url: `data:image/png;base64,${PIXEL}` }] }] });
      const { images, text } = provider.requests.at(-1);
      assert.ok(images[0].endsWith(PIXEL));
      assert.match(text, /what is this/);
    });

    test('an answer cut by its length is incomplete', async (t) => {
      const { client, provider } = await setup(t, kind);
      provider.script({ text: 'cut here', finish: 'length' });
      const reply = await client.responses.create({ model: 'model-a', input: 'long', max_output_tokens: 16 });
      assert.equal(reply.status, 'incomplete');
      assert.equal(reply.incomplete_details.reason, 'max_output_tokens');
    });
  });
}

describe('responses: failures, conversations, the built-in answerer', () => {
  test('a stream that breaks throws, and was never complete', async (t) => {
    const { client, provider } = await setup(t, 'openai');
    provider.script({ tokens: ['a', ' b', ' c', ' d'], fault: 'cut', after: 2 });
    const seen = [];
    const broken = (async () => {
      for await (const event of await client.responses.create({ model: 'model-a', input: 'x', stream: true })) seen.push(event);
    })();
    await assert.rejects(broken, OpenAI.APIError);
    assert.equal(seen.at(-1).type, 'response.failed');
    assert.equal(seen.at(-1).response.error.code, 'upstream_truncated');
    assert.ok(seen.every((event) => event.type !== 'response.completed'));
  });

  test('what there is not is refused with its place, and nothing is sent', async (t) => {
    const { client, provider } = await setup(t, 'openai');
    for (const [more, param] of [[{ previous_response_id: 'resp_1' }, 'previous_response_id'],
      [{ background: true }, 'background'], [{ tools: [{ type: 'web_search' }] }, 'tools[0].type']]) {
      const error = await client.responses.create({ model: 'model-a', input: 'x', ...more }).catch((e) => e);
      assert.ok(error instanceof OpenAI.BadRequestError, String(error));
      assert.equal(error.code, 'unsupported_parameter');
      assert.equal(error.param, param);
    }
    assert.equal(provider.requests.filter((r) => r.format).length, 0);
  });

  test('a conversation is continued by both kinds of request', async (t) => {
    const { client, provider } = await setup(t, 'openai');
    const first = await client.responses.create({ model: 'model-a', input: 'my name is Ada', conversation: 'new' });
    assert.ok(first.conversation.id.startsWith('conv_'));
    await client.responses.create({ model: 'model-a', input: 'and again', conversation: first.conversation.id });
    assert.match(JSON.stringify(provider.requests.at(-1).body.messages), /my name is Ada.*and again/);
    await client.chat.completions.create({ model: 'model-a', messages: [{ role: 'user', content: 'third' }],
      conversation: first.conversation.id });
    assert.equal(provider.requests.at(-1).body.messages.length, 5);
  });

  test('an answer with an Idempotency-Key is given again, stream or whole', async (t) => {
    const { client, provider } = await setup(t, 'openai');
    for (const stream of [false, true]) {
      const headers = { 'Idempotency-Key': `key-${stream}` };
      const ask = async () => {
        const reply = await client.responses.create({ model: 'model-a', input: `k ${stream}`, stream }, { headers });
        return stream ? (await collect(reply)).at(-1).response : reply;
      };
      const [once, again] = [await ask(), await ask()];
      assert.equal(once.id, again.id);
      assert.equal(provider.requests.filter((r) => r.text === `k ${stream}`).length, 1);
    }
  });

  test('the built-in answerer cites in a response as well', async (t) => {
    const { server, client } = await setup(t, 'openai');
    const sent = await fetch(`${server.url}/v1/documents`, { method: 'POST', headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ title: 'Roses', text: 'Roses are watered in the morning. Tulips need less water.' }) });
    assert.equal(sent.status, 201);
    const reply = await client.responses.create({ model: 'mainstay/extractive', input: 'When are roses watered?' });
    assert.match(reply.output_text, /in the morning/);
    assert.equal(reply.citations[0].title, 'Roses');
  });
});
