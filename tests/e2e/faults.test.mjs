// Each fault a provider can play, and what the client of mainstay sees: never a silent half answer.
// proves Z17 (provider part), M10, G14; fault rows 22 to 27
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assert_error, pair, provide, provider_entry, said, serve } from './lib/harness.mjs';

const QUICK = { first_token_timeout: '300ms', whole_answer_timeout: '300ms', between_tokens_timeout: '300ms', total_timeout: '3s', attempts_max: 1 };
/** The breaker never looks at so few calls. */
const NO_BREAKER = { breaker_window: 1000, breaker_calls_min: 1000 };
const TOKENS = ['alpha', ' beta', ' gamma', ' delta', ' epsilon'];

/** mainstay before one provider; the route has no built-in fallback unless `fallback`. */
function alone(t, { kind = 'openai', fallback = false, models = {}, ...more } = {}) {
  const routes = [{ model: 'model-a', extractive_fallback: fallback, candidates: [{ provider: kind, model: 'model-a' }] }];
  return pair(t, { kind, config: { routes, models: { ...QUICK, ...models }, ...more } });
}
const ask = (text, more = {}) => ({ model: 'model-a', messages: [{ role: 'user', content: text }], ...more });
const chats = (provider) => provider.requests.filter((r) => r.format);

/** Fault of a whole reply -> status and code the client sees. A provider's quota is our capacity: 503. */
const WHOLE = [
  ['no bytes', { fault: 'no_bytes' }, 504, 'upstream_first_byte_timeout'],
  ['429 without a time', { status: 429 }, 503, 'upstream_rate_limited'],
  ['500', { status: 500 }, 502, 'upstream_error'],
  ['503', { status: 503 }, 503, 'upstream_overloaded'],
  ['reset before headers', { fault: 'reset_before_headers' }, 502, 'upstream_reset'],
  ['close before headers', { fault: 'close_before_headers' }, 502, ['upstream_reset', 'upstream_truncated']],
  ['reset in the body', { fault: 'reset_mid_body' }, 502, ['upstream_reset', 'upstream_truncated']],
  ['cut body', { fault: 'cut' }, 502, ['upstream_truncated', 'upstream_reset']],
  ['stalled body', { fault: 'stall' }, 504, ['upstream_stalled', 'upstream_timeout', 'upstream_first_byte_timeout']],
  ['garbage JSON', { fault: 'garbage' }, 502, 'upstream_bad_reply'],
  ['JSON without an answer', { fault: 'empty_json' }, 502, 'upstream_bad_reply'],
  ['wrong content type', { fault: 'wrong_content_type' }, 502, 'upstream_bad_reply'],
  ['too deep JSON', { fault: 'deep_json' }, 502, 'upstream_bad_reply'],
  ['body shorter than its length', { fault: 'long_content_length' }, 502, ['upstream_truncated', 'upstream_reset']],
  ['body longer than its length', { fault: 'short_content_length' }, 502, 'upstream_bad_reply'],
  ['header too large', { fault: 'huge_header' }, 502, ['upstream_bad_reply', 'upstream_too_large']],
  ['401 for our key', { status: 401 }, 502, 'upstream_credentials'],
  ['404 for the model', { status: 404, message: 'model not found', code: 'model_not_found' }, 404, 'upstream_model_unknown'],
  ['redirect', { status: 302, headers: { location: 'http://127.0.0.1:9/' } }, 502, ['upstream_bad_reply', 'upstream_error']],
  ['429 with Retry-After', { status: 429, retry_after: 7 }, 503, 'upstream_rate_limited'],  // last: pauses the provider
];

describe('faults of whole replies', () => {
  for (const kind of ['openai', 'ollama', 'gemini', 'anthropic']) {
    test(`every fault of ${kind} has its status and code`, async (t) => {
      const { server, provider } = await alone(t, { kind, models: NO_BREAKER });
      for (const [name, reply, status, code] of WHOLE) {
        await t.test(name, async () => {
          provider.script({ replies: [reply], repeat: true });
          const before = chats(provider).length;
          const got = await server.chat(ask(`fault ${name}`));
          provider.scripts.length = 0;
          assert_error(got, status, { code });
          // A kept connection that ends before the first byte says nothing: a new one is tried once.
          const calls = chats(provider).length - before;
          assert.ok(calls === 1 || (calls === 2 && /before_headers/.test(reply.fault)), `${calls} calls`);
          if (reply.retry_after) assert.equal(got.headers['retry-after'], String(reply.retry_after));
        });
      }
      const calls = chats(provider).length;
      const paused = await server.chat(ask('while paused'));
      assert_error(paused, 503, { code: 'upstream_rate_limited' });
      assert.ok(Number(paused.headers['retry-after']) <= 7);
      assert.equal(chats(provider).length, calls, 'a provider that asked for time is left alone');
    });
  }

  test('a provider that accepts but never reads ends in a timeout', async (t) => {
    const { server, provider } = await alone(t);
    await provider.mode('no_read');
    assert_error(await server.chat(ask('x')), 504, { code: ['upstream_first_byte_timeout', 'upstream_timeout'] });
  });

  test('a refused connection says so at once', async (t) => {
    const { server, provider } = await alone(t);
    await provider.mode('refuse');
    assert_error(await server.chat(ask('x')), 503, { code: ['upstream_refused', 'upstream_reset'] });
  });

  test('usage left out: the answer comes, without invented counts', async (t) => {
    const { server, provider } = await alone(t);
    provider.script({ text: 'no counts', usage: null });
    const got = await server.chat(ask('x'));
    assert.equal(got.status, 200, got.text);
    assert.equal(said(got), 'no counts');
  });

  test('an upstream body over its limit is refused', async (t) => {
    const { server, provider } = await alone(t, { upstream: { response_max: '1MiB' } });
    provider.script({ text: 'x'.repeat(2 << 20) });
    assert_error(await server.chat(ask('big')), 502, { code: 'upstream_too_large' });
  });
});

/** Faults that strike after tokens were sent: an error event, then the end without [DONE]. */
const AFTER = ['cut', 'reset_mid_body', 'stall', 'error_in_stream', 'garbage', 'no_end_marker'];

describe('faults inside a stream', () => {
  for (const kind of ['openai', 'ollama', 'gemini', 'anthropic']) {
    test(`${kind}: a stream that breaks ends with an error event and no [DONE]`, async (t) => {
      const { server, provider } = await alone(t, { kind, models: NO_BREAKER });
      for (const fault of AFTER) {
        await t.test(fault, async () => {
          provider.script({ tokens: TOKENS, fault, after: 2 });
          const got = await server.stream(ask(`stream ${fault}`));
          assert.equal(got.status, 200, got.raw);
          assert.equal(got.text, fault === 'no_end_marker' ? TOKENS.join('') : 'alpha beta');
          assert.ok(got.error, `an error event: ${got.raw}`);
          assert.match(got.error.code, fault === 'stall' ? /^upstream_stalled$/ : /^upstream_/);
          assert.equal(typeof got.error.message, 'string');
          assert.equal(got.done, 0, 'no [DONE]');
          assert.deepEqual(got.finish, [], 'no finish reason');
          const again = await server.chat(ask(`stream ${fault}`));
          assert.notEqual(again.headers['x-mainstay-cache'], 'hit', 'a broken stream is not kept');
        });
      }
    });

    test(`${kind}: a stream that fails before its first token is an HTTP error`, async (t) => {
      const { server, provider } = await alone(t, { kind, models: NO_BREAKER });
      for (const [fault, status] of [['cut', 502], ['error_in_stream', 502], ['stall', 504], ['no_bytes', 504],
        ['wrong_content_type', 502], ['bad_chunk_size', 502], ['reset_before_headers', 502]]) {
        provider.script({ replies: [{ tokens: TOKENS, fault, after: 0 }], repeat: true });
        const got = await server.stream(ask(`early ${fault}`));
        provider.scripts.length = 0;
        // The scripted error of these two says "overloaded", which is a 503 of its own.
        const overloaded = fault === 'error_in_stream' && ['gemini', 'anthropic'].includes(kind);
        assert.equal(got.status, overloaded ? 503 : status, `${fault}: ${got.status} ${got.raw}`);
        assert.match(got.json?.error?.code ?? '', /^upstream_/, fault);
      }
    });

    test(`${kind}: silence after the head is the wait for the first token`, async (t) => {
      const { server, provider } = await alone(t, { kind, models: { first_token_timeout: '10s', total_timeout: '20s' } });
      provider.script({ tokens: TOKENS, gate: 'thought', gate_at: 0 });
      const answer = server.stream(ask('think first'));
      await provider.until(() => chats(provider).length === 1);
      await new Promise((go) => setTimeout(go, 900));  // three times between_tokens_timeout
      provider.open('thought');
      const got = await answer;
      assert.equal(got.status, 200, got.raw);
      assert.equal(got.text, TOKENS.join(''));
      assert.equal(got.done, 1, got.raw);
    });

    test(`${kind}: odd but complete streams are whole answers`, async (t) => {
      const { server, provider } = await alone(t, { kind });
      const whole = async (name, reply) => {
        provider.script({ tokens: TOKENS, ...reply });
        const got = await server.stream(ask(`odd ${name}`));
        assert.equal(got.status, 200, `${name}: ${got.raw}`);
        assert.equal(got.error, undefined, `${name}: ${got.raw.slice(-500)}`);
        assert.equal(got.text, (reply.tokens ?? TOKENS).join(''), name);
        assert.equal(got.done, 1, name);
      };
      await whole('one byte chunks', { chunk_bytes: 1 });
      await whole('trailer', { fault: 'trailer' });
      await whole('without usage', { usage: null });
      await whole('unicode in pieces', { tokens: ['día ', '😀', ' ’x’'], chunk_bytes: 1 });
      await whole('half a megabyte in one event', { tokens: ['x'.repeat(500_000), ' end'] });
      if (kind !== 'ollama') await whole('connection close', { framing: 'close' });
    });
  }

  test('an event over its limit is an error, not memory', async (t) => {
    const { server, provider } = await alone(t);
    provider.script({ tokens: ['small', 'x'.repeat(1_500_000), ' end'] });
    const got = await server.stream(ask('huge event'));
    assert.equal(got.text, 'small');
    assert.match(got.error?.code ?? '', /^upstream_/, got.raw.slice(0, 300));
    assert.equal(got.done, 0);
  });

  test('the total time of a request ends a stream that never stops', async (t) => {
    const { server, provider } = await alone(t, { models: { total_timeout: '600ms' } });
    provider.script({ tokens: Array.from({ length: 400 }, (_, i) => `t${i} `), token_delay_ms: 20 });
    const got = await server.stream(ask('endless'));
    assert.equal(got.done, 0);
    assert.match(got.error?.code ?? '', /^upstream_|deadline/, got.raw.slice(-300));
    await provider.until(() => provider.connections().closed_while_streaming === 1, 'upstream closed');
  });
});

describe('retry, fallback, breaker', () => {
  const two = async (t, models = {}) => {
    const first = await provide(t);
    const second = await provide(t);
    const server = await serve(t, { config: {
      models: { ...QUICK, attempts_max: 2, ...models },
      providers: [provider_entry(first, { name: 'first' }), provider_entry(second, { name: 'second' })],
      routes: [{ model: 'team', candidates: [{ provider: 'first', model: 'model-a', order: 0 },
        { provider: 'second', model: 'model-b', order: 1 }] }],
    } });
    return { first, second, server };
  };
  const team = (text) => ({ model: 'team', messages: [{ role: 'user', content: text }] });

  test('a failing first try is retried on the same provider', async (t) => {
    const { server, provider } = await alone(t, { models: { attempts_max: 3 } });
    provider.script({ replies: [{ status: 500 }, { status: 500 }] });
    const got = await server.chat(ask('third time'));
    assert.equal(said(got), 'You said: third time', got.text);
    assert.equal(got.headers['x-mainstay-attempts'], '3');
    assert.equal(chats(provider).length, 3);
  });

  test('a reset before the reply is tried again', async (t) => {
    const { server, provider } = await alone(t, { models: { attempts_max: 2 } });
    provider.script({ replies: [{ fault: 'reset_before_headers' }] });
    assert.equal(said(await server.chat(ask('again'))), 'You said: again');
    assert.equal(chats(provider).length, 2);
  });

  test('Retry-After, retry-after-ms and x-ratelimit-reset are waited for', async (t) => {
    for (const headers of [{ 'retry-after': '1' }, { 'retry-after-ms': '800' }, { 'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': '900ms' }]) {
      const { server, provider } = await alone(t, { models: { attempts_max: 2, retry_cap: '5s' } });
      provider.script({ status: 429, headers });
      const got = await server.chat(ask('patience'));
      assert.equal(said(got), 'You said: patience', got.text);
      const [one, two_] = chats(provider).map((r) => r.at_ms);
      assert.ok(two_ - one >= 790, `waited ${two_ - one} ms for ${JSON.stringify(headers)}`);
    }
  });

  test('a Retry-After beyond the deadline is told, not waited for', async (t) => {
    const { server, provider } = await alone(t, { models: { attempts_max: 3 } });
    provider.script({ replies: [{ status: 429, retry_after: 3600 }], repeat: true });
    const got = await server.chat(ask('later'));
    assert_error(got, 503, { code: 'upstream_rate_limited' });
    assert.equal(got.headers['retry-after'], '3600');
    assert.equal(chats(provider).length, 1);
  });

  test('a rejected request is not tried again, but once elsewhere; what both reject is told', async (t) => {
    const { first, second, server } = await two(t);
    first.script({ status: 400, message: 'Your credit balance is too low' });
    const taken = await server.chat(team('x'));
    assert.equal(taken.headers['x-mainstay-provider'], 'second', taken.text);
    first.script({ status: 400, message: 'no such parameter' });
    second.script({ status: 400, message: 'not here either' });
    const told = await server.chat(team('y'));
    assert_error(told, 400, { code: 'upstream_rejected' });
    assert.match(told.text, /no such parameter/);
    assert.equal(chats(first).length, 2);
    assert.equal(chats(second).length, 2);
  });

  test('the next candidate answers, whole and streamed, and is named', async (t) => {
    const { first, second, server } = await two(t);
    first.script({ replies: [{ status: 500 }], repeat: true });
    const whole = await server.chat(team('whole'));
    assert.equal(said(whole), 'You said: whole', whole.text);
    assert.equal(whole.headers['x-mainstay-provider'], 'second');
    assert.equal(whole.headers['x-mainstay-model'], 'model-b');
    assert.equal(whole.headers['x-mainstay-degraded'], undefined);
    const streamed = await server.stream(team('streamed'));
    assert.equal(streamed.text, 'You said: streamed', streamed.raw);
    assert.equal(streamed.done, 1);
    assert.ok(chats(second).length === 2);
  });

  test('a stream that breaks before its first token falls back unseen; after it, never', async (t) => {
    const { first, second, server } = await two(t, { attempts_max: 1 });
    first.script({ tokens: TOKENS, fault: 'cut', after: 0 });
    const early = await server.stream(team('early'));
    assert.equal(early.text, 'You said: early', early.raw);
    assert.equal(early.done, 1);
    first.script({ tokens: TOKENS, fault: 'cut', after: 1 });
    const late = await server.stream(team('late'));
    assert.equal(late.text, 'alpha');
    assert.ok(late.error);
    assert.deepEqual(chats(second).map((r) => r.text), ['early'], 'no tokens replayed');
  });

  test('when every candidate fails the built-in answerer stands in, marked as degraded', async (t) => {
    const { server, provider } = await alone(t, { fallback: true });
    await provider.mode('refuse');
    const got = await server.chat(ask('Is anybody there?'));
    assert.equal(got.status, 200, got.text);
    assert.equal(got.json.degraded, true);
    assert.equal(got.headers['x-mainstay-degraded'], 'true');
    const streamed = await server.stream(ask('Is anybody there now?'));
    assert.equal(streamed.status, 200, streamed.raw);
    assert.equal(streamed.headers['x-mainstay-degraded'], 'true');
    assert.equal(streamed.done, 1);
  });

  test('where plain text is no answer the built-in answerer does not stand in', async (t) => {
    const { server, provider } = await alone(t, { fallback: true });
    await provider.mode('refuse');
    const json = { response_format: { type: 'json_object' } };
    assert_error(await server.chat({ ...ask('As JSON, please'), ...json }), 503, { code: 'upstream_refused' });
    const itself = await server.chat({ ...ask('As JSON, please'), ...json, model: 'mainstay/extractive' });
    assert_error(itself, 415, { code: 'upstream_cannot', param: 'response_format' });
  });

  test('the breaker opens after failures, stops the calls, and lets one probe through', async (t) => {
    const { server, provider } = await alone(t, { models: { breaker_calls_min: 5, breaker_open: '700ms' } });
    provider.script({ replies: [{ status: 500 }], repeat: true });
    for (let i = 0; i < 5; i += 1) await server.chat(ask(`fail ${i}`));
    assert.equal(chats(provider).length, 5);
    const refused = await server.chat(ask('while open'));
    assert_error(refused, 503, { code: 'circuit_open' });
    assert.ok(Number(refused.headers['retry-after']) >= 1);
    assert.equal(chats(provider).length, 5, 'no call while open');
    provider.scripts.length = 0;
    await server.until(async () => (await server.chat(ask('probe'))).status === 200, 'the breaker closes');
    assert.equal(said(await server.chat(ask('closed again'))), 'You said: closed again');
  });

  test('bad requests of clients do not open the breaker', async (t) => {
    const { server, provider } = await alone(t, { models: { breaker_calls_min: 5 } });
    provider.script({ replies: [{ status: 400, message: 'no' }], repeat: true });
    for (let i = 0; i < 8; i += 1) assert.equal((await server.chat(ask(`bad ${i}`))).status, 400);
    assert.equal(chats(provider).length, 8);
  });

  test("a provider's own times stand for those of all", async (t) => {
    const { server, provider } = await pair(t, {
      entry: { first_token_timeout: '200ms', whole_answer_timeout: '200ms' },
      config: {
        routes: [{ model: 'model-a', extractive_fallback: false, candidates: [{ provider: 'openai', model: 'model-a' }] }],
        models: { first_token_timeout: '10m', whole_answer_timeout: '10m', total_timeout: '10m', attempts_max: 1 },
      },
    });
    provider.script({ replies: [{ fault: 'no_bytes' }], repeat: true });
    assert_error(await server.chat(ask('whole')), 504, { code: 'upstream_first_byte_timeout' });
    assert_error(await server.chat(ask('streamed', { stream: true })), 504, { code: 'upstream_first_byte_timeout' });
  });

  test('a client that leaves does not count against the provider', async (t) => {
    const { server, provider } = await alone(t, { models: { first_token_timeout: '20s', total_timeout: '30s' } });
    for (let i = 0; i < 6; i += 1) {
      provider.script({ tokens: TOKENS, gate: `g${i}`, gate_at: 1 });
      const reader = await server.open_stream(ask(`leave ${i}`));
      await reader.next_text();
      reader.leave();
      await provider.until(() => provider.connections().closed_while_streaming === i + 1);
    }
    assert.equal(said(await server.chat(ask('fine'))), 'You said: fine');
  });

  test('an Ollama model that refuses chat is asked by generate', async (t) => {
    const { server, provider } = await pair(t, { kind: 'ollama', provider: { models: { old: { chat: false } } } });
    const body = { model: 'old', messages: [{ role: 'system', content: 'Be kind.' }, { role: 'user', content: 'hello' }] };
    const got = await server.chat(body);
    assert.equal(got.status, 200, got.text);
    assert.match(said(got), /hello/);
    const streamed = await server.stream({ ...body, messages: [{ role: 'user', content: 'streamed hello' }] });
    assert.match(streamed.text, /streamed hello/);
    assert.equal(streamed.done, 1);
    assert.ok(provider.requests.some((r) => r.path === '/api/generate'));
  });
});
