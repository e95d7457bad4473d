// One upstream client for the whole program: connections are pooled, bounded and counted.
// proves V1, V13, Z9
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pair, provide, provider_entry, serve } from './lib/harness.mjs';

const ask = (text) => ({ model: 'model-a', messages: [{ role: 'user', content: text }] });
const off = { cache: { enabled: false, coalesce: false } };
const one_loop = { server: { threads: 1 } };

/** Sum of the series whose name holds `word`. */
const find = (metric, word) => metric.series.filter((s) => s.name.includes(word));

describe('upstream connections', () => {
  for (const kind of ['openai', 'ollama', 'gemini', 'anthropic']) {
    test(`${kind}: 100 chats one after the other use one connection`, async (t) => {
      const { server, provider } = await pair(t, { kind, config: { ...off, ...one_loop } });
      for (let i = 0; i < 50; i += 1) {
        assert.equal((await server.chat(ask(`n${i}`))).status, 200);
        assert.equal((await server.stream(ask(`s${i}`))).done, 1);
      }
      // A probe of the provider may run beside the first chat, on a connection of its own.
      assert.ok(provider.connections().accepted <= 2, `${provider.connections().accepted} connections`);
    });
  }

  test('http_clients_created stays 1, reuse is counted', async (t) => {
    const { server } = await pair(t, { config: { ...off, ...one_loop } });
    for (let i = 0; i < 20; i += 1) await server.chat(ask(`n${i}`));
    const metric = await server.metrics();
    const clients = find(metric, 'clients_created');
    assert.equal(clients.length, 1, metric.text.match(/^# TYPE .*$/gm).join('\n'));
    assert.equal(clients[0].value, 1);
    const reused = find(metric, 'reused');
    assert.ok(reused.some((s) => s.value >= 19), JSON.stringify(reused));
  });

  test('with several loops a connection each is the most that sequential chats open', async (t) => {
    const { server, provider } = await pair(t, { config: { ...off, server: { threads: 2 } } });
    for (let i = 0; i < 100; i += 1) assert.equal((await server.chat(ask(`n${i}`))).status, 200);
    assert.ok(provider.connections().accepted <= 2, String(provider.connections().accepted));
  });

  test('connections_max holds under load, the rest waits and is served', async (t) => {
    const { server, provider } = await pair(t, { entry: { concurrent_max: 200 }, config: { ...off, ...one_loop, upstream: { connections_max: 10, keepalive_max: 10 } } });
    provider.script({ replies: [{ text: 'x', delay_ms: 20 }], repeat: true });
    const replies = await Promise.all(Array.from({ length: 60 }, (_, i) => server.chat(ask(`p${i}`))));
    assert.ok(replies.every((r) => r.status === 200), replies.map((r) => r.status).join());
    const { peak } = provider.connections();
    assert.ok(peak >= 2 && peak <= 10, `peak ${peak}`);
  });

  test('no more than keepalive_max connections stay open', async (t) => {
    const { server, provider } = await pair(t, { entry: { concurrent_max: 200 }, config: { ...off, upstream: { connections_max: 20, keepalive_max: 3 } } });
    provider.script({ replies: [{ text: 'x', delay_ms: 50 }], repeat: true });
    await Promise.all(Array.from({ length: 20 }, (_, i) => server.chat(ask(`p${i}`))));
    assert.ok(provider.connections().peak >= 4, `peak ${provider.connections().peak}`);
    await server.until(() => provider.connections().open <= 3, 'the rest is closed');
  });

  test('a connection the provider closed while idle is not an error', async (t) => {
    const { server, provider } = await pair(t, { config: { ...off, ...one_loop, models: { attempts_max: 1 } } });
    for (let i = 0; i < 5; i += 1) {
      assert.equal((await server.chat(ask(`n${i}`))).status, 200, `round ${i}`);
      provider.drop();
    }
    assert.ok(provider.connections().accepted <= 6, String(provider.connections().accepted));
  });

  test('a connection of a broken reply is not used again', async (t) => {
    const { server, provider } = await pair(t, { config: { ...off, ...one_loop, models: { attempts_max: 1 } } });
    provider.script({ replies: [{ text: 'good' }, { fault: 'short_content_length' }] });
    await server.chat(ask('a'));
    await server.chat(ask('b'));
    const got = await server.chat(ask('c'));
    assert.equal(got.json.choices[0].message.content, 'You said: c', got.text);
  });

  test('two providers share the one client', async (t) => {
    const [one, two] = [await provide(t), await provide(t, { models: ['other'] })];
    const server = await serve(t, { config: { ...off, providers: [provider_entry(one, { name: 'one' }), provider_entry(two, { name: 'two' })] } });
    await server.chat(ask('x'));
    await server.chat({ model: 'other', messages: [{ role: 'user', content: 'y' }] });
    assert.equal(find(await server.metrics(), 'clients_created')[0].value, 1);
  });
});
