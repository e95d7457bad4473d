// Which provider answers for which name: routes, aliases, weights, `auto`, providers taken from the
// environment.   proves M10
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assert_error, pair, provide, provider_entry, said, serve } from './lib/harness.mjs';

const ask = (model, text = 'hi') => ({ model, messages: [{ role: 'user', content: text }] });
const chats = (provider) => provider.requests.filter((r) => r.format);

async function three(t, routes, more = {}) {
  const providers = {};
  for (const name of ['red', 'green', 'blue']) providers[name] = await provide(t);
  const entries = Object.entries(providers).map(([name, p]) => provider_entry(p, { name }));
  const server = await serve(t, { config: { providers: entries, routes, cache: { enabled: false }, ...more } });
  return { ...providers, server };
}

describe('routes', () => {
  test('a name and its aliases lead to the candidate of the route', async (t) => {
    const { server, green } = await three(t, [{ model: 'fast', aliases: ['quick', 'gpt-4o-mini'],
      candidates: [{ provider: 'green', model: 'model-b' }] }]);
    for (const name of ['fast', 'quick', 'gpt-4o-mini']) {
      const got = await server.chat(ask(name, `by ${name}`));
      assert.equal(said(got), `You said: by ${name}`, got.text);
      assert.equal(got.headers['x-mainstay-provider'], 'green');
      assert.equal(got.headers['x-mainstay-model'], 'model-b');
      assert.equal(got.headers['x-mainstay-attempts'], '1');
    }
    assert.deepEqual(chats(green).map((r) => r.model), ['model-b', 'model-b', 'model-b']);
  });

  test('candidates of one order share by weight', async (t) => {
    const { server, red, green, blue } = await three(t, [{ model: 'mixed', candidates: [
      { provider: 'red', model: 'model-a', weight: 9 }, { provider: 'green', model: 'model-a', weight: 1 },
      { provider: 'blue', model: 'model-a', weight: 5, order: 1 }] }]);
    for (let i = 0; i < 120; i += 1) assert.equal((await server.chat(ask('mixed', `n${i}`))).status, 200);
    const [r, g, b] = [red, green, blue].map((p) => chats(p).length);
    assert.equal(r + g, 120);
    assert.equal(b, 0, 'a later order is only a fallback');
    assert.ok(r > 85 && g >= 1, `red ${r} green ${g}`);  // 9:1; fails by chance less than once in 10^5
  });

  test('later orders are tried in turn', async (t) => {
    const { server, red, green } = await three(t, [{ model: 'chain', candidates: [
      { provider: 'red', model: 'model-a', order: 0 }, { provider: 'green', model: 'model-a', order: 1 },
      { provider: 'blue', model: 'model-a', order: 2 }] }], { models: { attempts_max: 1 } });
    await red.mode('refuse');
    await green.mode('refuse');
    const got = await server.chat(ask('chain'));
    assert.equal(got.headers['x-mainstay-provider'], 'blue', got.text);
  });

  test('the reply names the model that was asked for', async (t) => {
    const { server } = await three(t, [{ model: 'fast', candidates: [{ provider: 'red', model: 'model-a' }] }]);
    const got = await server.chat(ask('fast'));
    assert.equal(got.status, 200);
    assert.ok(['fast', 'model-a'].includes(got.json.model), got.text);
  });

  test('an unknown model is 404 with its name, and nothing is sent', async (t) => {
    const { server, red } = await three(t, []);
    const got = await server.chat(ask('modell-a'));
    assert_error(got, 404, { code: 'unknown_model', param: 'model' });
    assert.match(got.json.error.message, /modell-a/);
    assert.equal(chats(red).length, 0);
  });
});

describe('auto', () => {
  test('asks the first configured provider that is up', async (t) => {
    const { server, red } = await three(t, [], { models: { attempts_max: 1 } });
    assert.equal((await server.chat(ask('auto', 'one'))).headers['x-mainstay-provider'], 'red');
    await red.mode('refuse');
    assert.equal((await server.chat(ask('auto', 'two'))).headers['x-mainstay-provider'], 'green');
  });

  test('is the default when no model is named', async (t) => {
    const { server } = await pair(t);
    const got = await server.post('/v1/chat/completions', { messages: [{ role: 'user', content: 'unnamed' }] });
    assert.equal(said(got), 'You said: unnamed', got.text);
  });

  test('uses default_model of the provider', async (t) => {
    const { server, provider } = await pair(t, { entry: { default_model: 'model-b' } });
    await server.chat(ask('auto'));
    assert.equal(chats(provider)[0].model, 'model-b');
  });

  test('without any provider the built-in answerer answers, not as degraded', async (t) => {
    const server = await serve(t);
    const got = await server.chat('What is the capital of Atlantis?');
    assert.equal(got.status, 200, got.text);
    assert.match(got.headers['x-mainstay-provider'], /^mainstay/);
    assert.match(got.headers['x-mainstay-model'], /extractive/);
    assert.equal(got.headers['x-mainstay-degraded'], undefined);
    assert.equal(got.json.degraded, undefined);
  });

  test('an Ollama named by OLLAMA_HOST is used', async (t) => {
    const ollama = await provide(t, { models: ['llama3.2:latest'] });
    const server = await serve(t, { env: { OLLAMA_HOST: `127.0.0.1:${ollama.port}` } });
    await server.until(async () => said(await server.chat(ask('auto', 'found'))) === 'You said: found', 'ollama used');
    assert.equal(chats(ollama)[0].path, '/api/chat');
    assert.equal(chats(ollama)[0].model, 'llama3.2:latest');
  });

  for (const [name, env, path, header] of [
    ['OPENAI_API_KEY', (p) => ({ OPENAI_API_KEY: 'sk-env-0001', OPENAI_BASE_URL: `${p.url}/v1` }), '/v1/chat/completions', 'authorization'],
  ]) {
    test(`${name} makes a provider with that key`, async (t) => {
      const provider = await provide(t, { api_key: 'sk-env-0001' });
      const server = await serve(t, { env: env(provider) });
      const got = await server.chat(ask('model-a', 'keyed'));
      assert.equal(said(got), 'You said: keyed', got.text);
      const sent = chats(provider)[0];
      assert.equal(sent.path, path);
      assert.match(sent.headers[header], /sk-env-0001/);
    });
  }
});

describe('what is sent to a provider', () => {
  for (const [kind, header, value] of [['openai', 'authorization', 'Bearer key-0001'],
    ['gemini', 'x-goog-api-key', 'key-0001'], ['anthropic', 'x-api-key', 'key-0001']]) {
    test(`${kind}: its own key, not the caller's`, async (t) => {
      const { server, provider } = await pair(t, { kind, provider: { api_key: 'key-0001' }, entry: { api_key: 'key-0001' } });
      const got = await server.chat(ask('model-a'), { authorization: 'Bearer callers-own-key' });
      assert.equal(got.status, 200, got.text);
      const sent = chats(provider)[0];
      assert.equal(sent.headers[header], value);
      assert.doesNotMatch(JSON.stringify(sent), /callers-own-key/);
    });
  }

  test('a traceparent is passed on with the same trace id', async (t) => {
    const { server, provider } = await pair(t);
    const trace = '0af7651916cd43dd8448eb211c80319c';
    await server.chat(ask('model-a'), { traceparent: `00-${trace}-b7ad6b7169203331-01` });
    assert.match(chats(provider)[0].headers.traceparent, new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
  });

  test('parameters mainstay does not know reach an OpenAI-compatible provider as they are', async (t) => {
    const { server, provider } = await pair(t);
    await server.chat({ ...ask('model-a'), logit_bias: { 50256: -100 }, seed: 7, vendor_extra: { deep: [1, 2.5, null] } });
    const { body } = chats(provider)[0];
    assert.deepEqual(body.logit_bias, { 50256: -100 });
    assert.equal(body.seed, 7);
    assert.deepEqual(body.vendor_extra, { deep: [1, 2.5, null] });
  });

  test('members of mainstay itself are not sent', async (t) => {
    const { server, provider } = await pair(t);
    const got = await server.chat({ ...ask('model-a'), conversation: 'conv-own-1' });
    assert.equal(got.status, 200, got.text);
    assert.equal(chats(provider)[0].body.conversation, undefined);
  });

  test('at most concurrent_max calls run at one provider', async (t) => {
    const { server, provider } = await pair(t, { entry: { concurrent_max: 2 }, config: { models: { queue_timeout: '10s' } } });
    provider.script({ replies: Array.from({ length: 6 }, () => ({ text: 'slow', gate: 'g' })) });
    const replies = Array.from({ length: 6 }, (_, i) => server.chat(ask('model-a', `c${i}`)));
    await provider.until(() => chats(provider).length === 2);
    await server.until(async () => (await server.metrics()).series.length > 0, 'metrics answer meanwhile');
    assert.equal(chats(provider).length, 2);
    provider.open('g');
    for (const reply of await Promise.all(replies)) assert.equal(reply.status, 200, reply.text);
    assert.equal(chats(provider).length, 6);
  });

  test('a call that waits longer than queue_timeout is refused with provider_busy', async (t) => {
    const { server, provider } = await pair(t, { entry: { concurrent_max: 1, name: 'solo' },
      config: { models: { queue_timeout: '150ms' }, routes: [{ model: 'model-a', extractive_fallback: false,
        candidates: [{ provider: 'solo', model: 'model-a' }] }] } });
    provider.script({ text: 'slow', gate: 'g' });
    const first = server.chat(ask('model-a', 'one'));
    await provider.until(() => chats(provider).length === 1);
    assert_error(await server.chat(ask('model-a', 'two')), 503, { code: 'provider_busy' });
    provider.open('g');
    assert.equal((await first).status, 200);
  });
});
