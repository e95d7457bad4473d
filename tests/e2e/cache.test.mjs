// The response cache and coalescing of identical requests in flight.   proves Z3, M10 (cached answers)
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pair, said } from './lib/harness.mjs';

const ask = (text, more = {}) => ({ model: 'model-a', messages: [{ role: 'user', content: text }], ...more });
const chats = (provider) => provider.requests.filter((r) => r.format);
const cache = (reply) => reply.headers['x-mainstay-cache'];

describe('cache', () => {
  test('the second identical question is a hit with an Age and makes no upstream call', async (t) => {
    const { server, provider } = await pair(t);
    const miss = await server.chat(ask('same'));
    const hit = await server.chat(ask('same'));
    assert.equal(cache(miss), 'miss');
    assert.equal(cache(hit), 'hit');
    assert.match(hit.headers.age, /^\d+$/);
    assert.equal(miss.headers.age, undefined);
    assert.equal(hit.text, miss.text);
    assert.equal(chats(provider).length, 1);
    assert.equal(hit.headers['x-mainstay-provider'], miss.headers['x-mainstay-provider']);
  });

  test('hit and miss counters move', async (t) => {
    const { server } = await pair(t);
    await server.chat(ask('counted'));
    const before = await server.metrics();
    await server.chat(ask('counted'));
    const after = await server.metrics();
    const moved = after.series.filter((s) => /cache/.test(s.name) && /hit/.test(s.name + s.labels) &&
      s.value > (before.series.find((b) => b.name === s.name && b.labels === s.labels)?.value ?? 0));
    assert.ok(moved.length >= 1, after.series.filter((s) => /cache/.test(s.name)).map((s) => `${s.name}{${s.labels}} ${s.value}`).join('\n'));
  });

  test('everything that changes the answer is part of the key', async (t) => {
    const { server, provider } = await pair(t);
    const variants = [ask('q'), ask('Q'), ask('q', { temperature: 0.5 }), ask('q', { model: 'model-b' }),
      ask('q', { max_tokens: 5 }), ask('q', { seed: 1 }), ask('q', { stop: ['x'] }),
      ask('q', { tools: [{ type: 'function', function: { name: 'f', parameters: {} } }] }),
      { ...ask('q'), messages: [{ role: 'system', content: 's' }, { role: 'user', content: 'q' }] }];
    for (const body of variants) assert.equal(cache(await server.chat(body)), 'miss', JSON.stringify(body));
    assert.equal(chats(provider).length, variants.length);
  });

  test('the order of members and blanks in the JSON is not part of the key', async (t) => {
    const { server } = await pair(t);
    await server.post('/v1/chat/completions', '{"model":"model-a","temperature":0.5,"messages":[{"role":"user","content":"o"}]}');
    const got = await server.post('/v1/chat/completions',
      '{ "temperature": 0.5, "messages": [ {"role": "user", "content": "o"} ], "model": "model-a" }');
    assert.ok(['hit', 'miss'].includes(cache(got)));  // a hit is welcome, a wrong answer is not
    assert.equal(said(got), 'You said: o');
  });

  test('Cache-Control: no-store neither looks up nor keeps', async (t) => {
    const { server, provider } = await pair(t);
    assert.equal(cache(await server.chat(ask('private'), { 'cache-control': 'no-store' })), 'bypass');
    assert.equal(cache(await server.chat(ask('private'))), 'miss');
    assert.equal(cache(await server.chat(ask('private'), { 'cache-control': 'no-store' })), 'bypass');
    assert.equal(chats(provider).length, 3);
  });

  test('Cache-Control: no-cache asks anew and keeps the new answer', async (t) => {
    const { server, provider } = await pair(t);
    provider.script({ replies: [{ text: 'old' }, { text: 'new' }] });
    assert.equal(said(await server.chat(ask('fresh'))), 'old');
    const again = await server.chat(ask('fresh'), { 'cache-control': 'no-cache' });
    assert.equal(said(again), 'new');
    assert.notEqual(cache(again), 'hit');
    assert.equal(said(await server.chat(ask('fresh'))), 'new');
    assert.equal(chats(provider).length, 2);
  });

  test('Cache-Control: max-age=0 does not take an older answer', async (t) => {
    const { server, provider } = await pair(t);
    await server.chat(ask('aged'));
    await new Promise((go) => setTimeout(go, 1100));
    assert.notEqual(cache(await server.chat(ask('aged'), { 'cache-control': 'max-age=0' })), 'hit');
    assert.equal(chats(provider).length, 2);
  });

  test('an entry expires after its ttl', async (t) => {
    const { server } = await pair(t, { config: { cache: { ttl: '1s' } } });
    await server.chat(ask('short'));
    assert.equal(cache(await server.chat(ask('short'))), 'hit');
    await server.until(async () => cache(await server.chat(ask('short'))) === 'miss', 'expiry');
  });

  test('failures and cut lengths are not kept as answers of others', async (t) => {
    const { server, provider } = await pair(t, { config: { models: { attempts_max: 1 } } });
    provider.script({ status: 400, message: 'bad' });
    assert.equal((await server.chat(ask('failing'))).status, 400);
    assert.equal(said(await server.chat(ask('failing'))), 'You said: failing');
  });

  test('switched off it says off or bypass and asks every time', async (t) => {
    const { server, provider } = await pair(t, { config: { cache: { enabled: false, coalesce: false } } });
    await server.chat(ask('off'));
    const got = await server.chat(ask('off'));
    assert.ok([undefined, 'off', 'bypass'].includes(cache(got)), cache(got));
    assert.equal(chats(provider).length, 2);
  });

  test('it is bounded: old entries leave when it is full', async (t) => {
    const { server, provider } = await pair(t, { config: { cache: { size_max: '1MiB', entry_max: '256KiB' } } });
    for (let i = 0; i < 20; i += 1) await server.chat(ask(`${i} ${'x'.repeat(100_000)}`));
    assert.equal(chats(provider).length, 20);
    const metric = await server.metrics();
    assert.ok(metric('mainstay_cache_bytes') <= 1 << 20, `${metric('mainstay_cache_bytes')} bytes`);
    const again = [];
    for (let i = 19; i >= 0; i -= 1) again.push(cache(await server.chat(ask(`${i} ${'x'.repeat(100_000)}`))));
    assert.ok(again.includes('hit') && again.filter((s) => s === 'miss').length >= 10, again.join());
  });

  test('a complete stream is kept and replayed as a stream; a whole request may not see it as text', async (t) => {
    const { server, provider } = await pair(t);
    const first = await server.stream(ask('streamed twice'));
    const second = await server.stream(ask('streamed twice'));
    assert.equal(first.headers['x-mainstay-cache'], 'miss');
    assert.equal(second.headers['x-mainstay-cache'], 'hit');
    assert.equal(second.text, first.text);
    assert.equal(second.done, 1);
    assert.deepEqual(second.finish, ['stop']);
    assert.equal(chats(provider).length, 1);
    const whole = await server.chat(ask('streamed twice'));
    assert.equal(whole.json.object, 'chat.completion');
    assert.equal(said(whole), first.text);
  });

  test('a stream that is cut is not kept', async (t) => {
    const { server, provider } = await pair(t);
    provider.script({ tokens: ['half', ' an', ' answer'], fault: 'cut', after: 1 });
    assert.ok((await server.stream(ask('broken'))).error);
    const again = await server.stream(ask('broken'));
    assert.equal(again.text, 'You said: broken');
    assert.equal(again.headers['x-mainstay-cache'], 'miss');
  });
});

describe('coalescing', () => {
  test('identical requests in flight make one upstream call', async (t) => {
    const { server, provider } = await pair(t);
    provider.script({ text: 'shared', gate: 'g' });
    const replies = Array.from({ length: 20 }, () => server.chat(ask('together')));
    await provider.until(() => chats(provider).length === 1);
    await server.until(async () => {
      const m = await server.metrics();
      const waiting = m.series.find((s) => /followers|coalesc/.test(s.name) && s.value >= 19);
      return waiting !== undefined;
    }, 'all followers joined', 1500).catch(() => {});
    provider.open('g');
    const got = await Promise.all(replies);
    assert.ok(got.every((r) => said(r) === 'shared'), got.map((r) => r.text).join('\n'));
    assert.equal(chats(provider).length, 1);
    const states = got.map(cache).sort();
    assert.equal(states.filter((s) => s === 'miss').length, 1, states.join());
    assert.ok(states.filter((s) => s === 'coalesced').length >= 15, states.join());
  });

  test('followers join a live stream and get all of it', async (t) => {
    const { server, provider } = await pair(t);
    provider.script({ tokens: ['one', ' two', ' three', ' four'], gate: 'g', gate_at: 2 });
    const leader = await server.open_stream(ask('live'));
    assert.equal(await leader.next_text(), 'one');
    assert.equal(await leader.next_text(), ' two');
    const follower = await server.open_stream(ask('live'));
    assert.equal(follower.headers['x-mainstay-cache'], 'coalesced');
    assert.equal(await follower.next_text(), 'one');
    provider.open('g');
    const [rest, all] = await Promise.all([leader.all(), follower.all()]);
    assert.equal(rest.text, ' three four');
    assert.equal(all.text, ' two three four');
    assert.equal(rest.done + all.done, 2);
    assert.equal(chats(provider).length, 1);
  });

  test('the leader leaving does not end the stream of a follower', async (t) => {
    const { server, provider } = await pair(t);
    provider.script({ tokens: ['one', ' two', ' three'], gate: 'g', gate_at: 1 });
    const leader = await server.open_stream(ask('handed over'));
    assert.equal(await leader.next_text(), 'one');
    const follower = await server.open_stream(ask('handed over'));
    assert.equal(await follower.next_text(), 'one');
    leader.leave();
    provider.open('g');
    const all = await follower.all();
    assert.equal(all.text, ' two three');
    assert.equal(all.done, 1);
    assert.equal(chats(provider).length, 1);
  });

  test('when the last one leaves the upstream call is closed', async (t) => {
    const { server, provider } = await pair(t);
    provider.script({ tokens: ['one', ' two'], gate: 'g', gate_at: 1 });
    const readers = [await server.open_stream(ask('all leave')), await server.open_stream(ask('all leave'))];
    for (const reader of readers) assert.equal(await reader.next_text(), 'one');
    for (const reader of readers) reader.leave();
    await provider.until(() => provider.connections().closed_while_streaming === 1, 'upstream closed');
  });

  test('a failure of the leader reaches every follower', async (t) => {
    const { server, provider } = await pair(t, { config: { models: { attempts_max: 1 } } });
    provider.script({ status: 400, message: 'shared refusal', gate: 'g', delay_ms: 100 });
    const replies = Array.from({ length: 5 }, () => server.chat(ask('fails together')));
    await provider.until(() => chats(provider).length === 1);
    provider.open('g');
    const statuses = (await Promise.all(replies)).map((r) => r.status);
    assert.ok(statuses.filter((s) => s === 400).length >= 1 && statuses.every((s) => s === 400 || s === 200), statuses.join());
  });

  test('no-store requests are never joined', async (t) => {
    const { server, provider } = await pair(t);
    provider.script({ replies: [{ text: 'a', gate: 'g' }, { text: 'b', gate: 'g' }] });
    const replies = [1, 2].map(() => server.chat(ask('alone'), { 'cache-control': 'no-store' }));
    await provider.until(() => chats(provider).length === 2);
    provider.open('g');
    assert.deepEqual((await Promise.all(replies)).map(said).sort(), ['a', 'b']);
  });
});
