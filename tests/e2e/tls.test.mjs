// Providers over https, the second transport of the one upstream client: the same answers, the same
// faults, the same counters.   proves V1
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assert_error, cleanup, provide, provider_entry, run, said, scope, serve, Server, temp_dir, write_config } from './lib/harness.mjs';

const ask = (text, more = {}) => ({ model: 'model-a', messages: [{ role: 'user', content: text }], ...more });
const TOKENS = ['alpha', ' beta', ' gamma'];

describe('https providers', () => {
  const shared = scope();
  after(() => shared.end());
  let files;
  before(() => {
    const dir = temp_dir(shared);
    files = { cert: path.join(dir, 'cert.pem'), key: path.join(dir, 'key.pem') };
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', files.key,
      '-out', files.cert, '-days', '2', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' });
  });

  async function setup(t, { kind = 'openai', trusted = true, models = {} } = {}) {
    const tls = { key: fs.readFileSync(files.key), cert: fs.readFileSync(files.cert) };
    const provider = await provide(t, { tls, api_key: 'key-0009' });
    const server = await serve(t, { config: {
      upstream: trusted ? { ca_file: files.cert } : {}, server: { threads: 1 }, cache: { enabled: false, coalesce: false },
      models: { attempts_max: 1, first_token_timeout: '1s', whole_answer_timeout: '1s', between_tokens_timeout: '500ms', ...models },
      providers: [provider_entry(provider, { kind, api_key: 'key-0009' })],
      routes: [{ model: 'model-a', extractive_fallback: false, candidates: [{ provider: kind, model: 'model-a' }] }],
    } });
    return { provider, server };
  }

  for (const kind of ['openai', 'gemini', 'anthropic']) {
    test(`${kind}: whole replies and streams, one connection`, async (t) => {
      const { server, provider } = await setup(t, { kind });
      for (let i = 0; i < 10; i += 1) {
        assert.equal(said(await server.chat(ask(`whole ${i}`))), `You said: whole ${i}`);
        const streamed = await server.stream(ask(`stream ${i}`));
        assert.equal(streamed.text, `You said: stream ${i}`, streamed.raw);
        assert.equal(streamed.done, 1);
      }
      // A probe of the provider may run beside the first chat, on a connection of its own.
      assert.ok(provider.connections().accepted <= 2, `${provider.connections().accepted} connections`);
    });
  }

  test('tokens come through as they are made', async (t) => {
    const { server, provider } = await setup(t);
    provider.script({ tokens: TOKENS, gate: 'g', gate_at: 1 });
    const reader = await server.open_stream(ask('live'));
    assert.equal(await reader.next_text(), 'alpha');
    provider.open('g');
    assert.equal((await reader.all()).text, ' beta gamma');
  });

  test('faults are told as with http', async (t) => {
    const { server, provider } = await setup(t, { models: { breaker_window: 1000, breaker_calls_min: 1000 } });
    for (const [reply, status, code] of [[{ status: 500 }, 502, 'upstream_error'], [{ fault: 'reset_before_headers' }, 502, 'upstream_reset'], [{ fault: 'garbage' }, 502, 'upstream_bad_reply'],
      [{ fault: 'no_bytes' }, 504, 'upstream_first_byte_timeout'], [{ fault: 'cut' }, 502, ['upstream_truncated', 'upstream_reset']]]) {
      provider.script({ replies: [reply], repeat: true });
      const got = await server.chat(ask(JSON.stringify(reply)));
      provider.scripts.length = 0;
      assert_error(got, status, { code });
    }
    for (const fault of ['cut', 'stall', 'reset_mid_body', 'error_in_stream', 'no_end_marker']) {
      provider.script({ tokens: TOKENS, fault, after: 2 });
      const got = await server.stream(ask(`stream ${fault}`));
      assert.match(got.error?.code ?? '', /^upstream_/, `${fault}: ${got.raw}`);
      assert.equal(got.done, 0);
    }
  });

  test('abort closes the upstream call', async (t) => {
    const { server, provider } = await setup(t);
    provider.script({ tokens: TOKENS, gate: 'never', gate_at: 1 });
    const reader = await server.open_stream(ask('leave'));
    await reader.next_text();
    reader.leave();
    await provider.until(() => provider.connections().closed_while_streaming === 1, 'upstream closed');
  });

  test('a certificate nobody vouches for is refused before anything is sent', async (t) => {
    const { server, provider } = await setup(t, { trusted: false });
    const got = await server.chat(ask('secret'));
    assert.ok([502, 503].includes(got.status), got.text);
    assert_error(got, got.status);
    assert.equal(provider.requests.length, 0);
  });

  test('commands tell a certificate that is not trusted from a server that is not there', async (t) => {
    const dir = temp_dir(t);
    const data = path.join(dir, 'data');
    const file = write_config(dir, { models: { discover: false }, server: { tls_certificate: files.cert, tls_key: files.key } });
    const server = new Server({ dir, data, args: ['--config', file] });
    cleanup(t, () => server.stop());
    await server.until(() => /https:\/\/127/.test(server.out), 'the https address');
    const at = { cwd: dir, home: dir };
    for (const args of [['status'], ['jobs', 'list'], ['ask', 'Anybody?']]) {
      const got = await run([...args, '--data', data], at);
      assert.equal(got.code, 69, got.out + got.err);
      assert.match(got.err, /certificate is not trusted here.*upstream\.ca_file/, args.join(' '));
    }
    const trusting = await run(['jobs', 'list', '--data', data, '--set', `upstream.ca_file=${files.cert}`], at);
    assert.equal(trusting.code, 0, trusting.err);
  });

  test('a redirect is not followed with a credential', async (t) => {
    const { server, provider } = await setup(t);
    const other = await provide(t);
    provider.script({ status: 307, headers: { location: `${other.url}/v1/chat/completions` } });
    assert.equal((await server.chat(ask('moved'))).status, 502);
    assert.equal(other.requests.length, 0);
  });
});
