// POST /v1/embeddings with the official `openai` client, before each kind of provider that makes
// vectors; what it refuses, and what a provider's failures become.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import { vector_of } from '../provider/embeddings.mjs';
import { assert_error, pair } from './lib/harness.mjs';

const MODELS = ['small-embed', 'model-a'];
const client_of = (server) => new OpenAI({ apiKey: 'sk-test', baseURL: `${server.url}/v1`, maxRetries: 0 });
const post = (server, body) => server.post('/v1/embeddings', body);

for (const kind of ['openai', 'ollama', 'gemini']) {
  describe(`embeddings of ${kind}`, () => {
    const setup = async (t, options = {}) => {
      const both = await pair(t, { kind, provider: { models: MODELS }, entry: { models: ['small-embed'] }, ...options });
      return { ...both, client: client_of(both.server) };
    };

    test('one text and many texts become vectors, in order', async (t) => {
      const { client, provider } = await setup(t);
      const one = await client.embeddings.create({ model: 'small-embed', input: 'the quick fox' });
      assert.equal(one.object, 'list');
      assert.deepEqual(one.data.map((d) => d.embedding), [vector_of('the quick fox')]);  // by base64
      assert.equal(provider.requests.at(-1).text, 'the quick fox');
      const texts = ['a', 'zwei', '三つ', 'a'];
      const many = await client.embeddings.create({ model: 'small-embed', input: texts, encoding_format: 'float' });
      assert.deepEqual(many.data.map((d) => d.embedding), texts.map((text) => vector_of(text)));
      assert.deepEqual(many.data.map((d) => d.index), [0, 1, 2, 3]);
      assert.ok(many.usage.prompt_tokens > 0 && many.usage.total_tokens === many.usage.prompt_tokens);
    });

    test('the dimensions that are asked for are given', async (t) => {
      const { client } = await setup(t);
      const got = await client.embeddings.create({ model: 'small-embed', input: 'x', dimensions: 5 });
      assert.deepEqual(got.data[0].embedding.map((n) => +n.toFixed(4)), vector_of('x', 5));
    });

    test('failures and broken replies of the provider are told like those of chat', async (t) => {
      const { server, provider } = await setup(t, { config: { models: { attempts_max: 1, breaker_window: 1000, breaker_calls_min: 1000 } } });
      for (const [script, status, code] of [
        [{ status: 500 }, 502, 'upstream_error'],
        [{ status: 429, retry_after: 1 }, 503, 'upstream_rate_limited'],
        [{ fault: 'garbage' }, 502, 'upstream_bad_reply'],
        [{ fault: 'empty_json' }, 502, 'upstream_bad_reply'],
        [{ fault: 'reset_mid_body' }, 502, 'upstream_reset'],
        [{ drop: 1 }, 502, 'upstream_bad_reply'],
        [{ vectors: [[1, 2], [1]] }, 502, 'upstream_bad_reply'],
        [{ vectors: [[], []] }, 502, 'upstream_bad_reply'],
        [{ vectors: [[1, null], [1, 2]] }, 502, 'upstream_bad_reply'],
      ]) {
        provider.script(script);
        const reply = await post(server, { model: 'small-embed', input: ['a', 'b'] });
        assert.ok([status, 502, 503, 429].includes(reply.status), `${code}: ${reply.status} ${reply.text}`);
        assert.equal(reply.json?.error?.code, code, `${JSON.stringify(script)}: ${reply.text}`);
        if (script.status === 429) await new Promise((go) => setTimeout(go, 1200));
      }
      const fine = await post(server, { model: 'small-embed', input: ['a', 'b'] });
      assert.equal(fine.status, 200, fine.text);
    });
  });
}

describe('requests for embeddings', () => {
  test('what is wrong is named', async (t) => {
    const { server, provider } = await pair(t, { provider: { models: MODELS }, entry: { models: ['small-embed'] } });
    const before = provider.requests.length;
    for (const [body, status, code, param] of [
      [{ model: 'small-embed' }, 400, 'missing_field', 'input'],
      [{ input: 'x' }, 400, 'missing_field', 'model'],
      [{ model: 'small-embed', input: '' }, 400, 'empty_field', 'input'],
      [{ model: 'small-embed', input: [] }, 400, 'empty_field', 'input'],
      [{ model: 'small-embed', input: ['x', ''] }, 400, 'empty_field', 'input[1]'],
      [{ model: 'small-embed', input: [1, 2, 3] }, 400, 'invalid_type', 'input[0]'],
      [{ model: 'small-embed', input: [[1, 2], [3]] }, 400, 'invalid_type', 'input[0]'],
      [{ model: 'small-embed', input: 7 }, 400, 'invalid_type', 'input'],
      [{ model: 'small-embed', input: Array(2049).fill('x') }, 400, 'too_many', 'input'],
      [{ model: 'small-embed', input: 'x', encoding_format: 'int8' }, 400, 'invalid_value', 'encoding_format'],
      [{ model: 'small-embed', input: 'x', dimensions: 0 }, 400, 'out_of_range', 'dimensions'],
      [{ model: 'small-embed', input: 'x', dimensions: 1.5 }, 400, 'out_of_range', 'dimensions'],
      [{ model: 'small-embed', input: 'x', colour: 'red' }, 400, 'unknown_field', 'colour'],
      [{ model: 'auto', input: 'x' }, 400, 'model_cannot_embed', 'model'],
      [{ model: 'mainstay/extractive', input: 'x' }, 400, 'model_cannot_embed', 'model'],
      [{ model: 'nobodys', input: 'x' }, 404, 'unknown_model', 'model'],
    ]) {
      assert_error(await post(server, body), status, { code, param });
    }
    assert.equal(provider.requests.slice(before).filter((r) => r.path === '/v1/embeddings').length, 0);
  });

  test('as many texts as are allowed are taken', async (t) => {
    const { server } = await pair(t, { provider: { models: MODELS }, entry: { models: ['small-embed'] } });
    const texts = Array.from({ length: 2048 }, (_, i) => `text ${i}`);
    const reply = await post(server, { model: 'small-embed', input: texts, encoding_format: 'base64' });
    assert.equal(reply.status, 200, reply.text?.slice(0, 300));
    assert.equal(reply.json.data.length, 2048);
    const last = Buffer.from(reply.json.data[2047].embedding, 'base64');
    assert.deepEqual([...new Float32Array(last.buffer.slice(last.byteOffset, last.byteOffset + last.length))],
      vector_of('text 2047'));
  });

  test('a provider of chat alone says that it cannot', async (t) => {
    const { server } = await pair(t, { kind: 'anthropic' });
    assert_error(await post(server, { model: 'model-a', input: 'x' }), 415, { code: 'upstream_cannot' });
  });
});
