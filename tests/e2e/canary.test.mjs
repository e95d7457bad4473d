// Secrets and people's words go in by every door; nothing that the program says anywhere may hold
// them: logs, metrics, errors, admin replies, configuration, doctor, status.
// proves M9, M14 (content), security rows 25 (logs), 40, 41
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { provide, provider_entry, run, serve, temp_dir } from './lib/harness.mjs';
import { admin_of, bearer, claims_for, jwt_settings, known, new_key, token } from './lib/people.mjs';
import { exchange, request_bytes } from './lib/raw.mjs';

const canary = (name) => `canary${name}${crypto.randomBytes(12).toString('hex')}`;

/** Everything that must not come out, by name. */
function canaries() {
  const out = {};
  for (const name of ['provider_key', 'anthropic_key', 'configured_key', 'jwt_secret', 'message', 'answer', 'stored_message',
    'stored_answer', 'document', 'query', 'title', 'mail', 'bad_key', 'tool_argument', 'env_key']) out[name] = canary(name.replaceAll('_', ''));
  out.mail = `${out.mail}@people.example`;
  return out;
}

test('no secret and nobody\'s words in logs, metrics, errors, admin replies, configuration, doctor and status', async (t) => {
  const secret = canaries();
  const data = `${temp_dir(t)}/data`;
  const made = await new_key(data, 'someone');
  const provider = await provide(t, { api_key: secret.provider_key });
  const echo = await provide(t, { models: ['echo-model'] });
  // A provider that says everything back: the key it was given, and what it was asked.
  const says = `Incorrect API key provided: ${secret.anthropic_key}. You sent ${secret.message} as ${secret.mail}.`;
  const blames = (status) => ({ match: { text: `blame ${status}` }, repeat: true, replies: [{ status, message: says, code: secret.anthropic_key }] });
  echo.script([400, 401, 403, 404, 413, 422, 429, 500, 503, 529].map(blames));
  echo.script({ match: { text: 'break' }, repeat: true, replies: [{ fault: 'error_in_stream', message: says }] });
  const cert_dir = temp_dir(t);
  const key_file = path.join(cert_dir, 'provider.key');
  fs.writeFileSync(key_file, `${secret.provider_key}\n`, { mode: 0o600 });
  const providers = [
    provider_entry(provider, { api_key_file: key_file }),
    { name: 'echo', kind: 'anthropic', base_url: echo.url, models: ['echo-model'], api_key: secret.anthropic_key },
  ];
  const config = {
    providers,
    routes: [{ model: 'loud', candidates: [{ provider: 'echo', model: 'echo-model' }], extractive_fallback: false }],
    auth: { jwt: jwt_settings() }, log: { level: 'debug' }, admin: { slow_threshold: '0ms' }, models: { discover: false, attempts_max: 2, retry_base: '5ms', breaker_calls_min: 1000, breaker_window: 1000 },
  };
  const env = { MAINSTAY_AUTH__KEYS: secret.configured_key, MAINSTAY_AUTH__JWT__SECRET: secret.jwt_secret, GEMINI_API_KEY: secret.env_key };
  const server = await serve(t, { data, config, env });
  const admin_key = admin_of(server)['x-api-key'];
  const hidden = { ...secret, made_key: made.key, admin_key };
  await known(server, made.key);
  const me = bearer(made.key);
  const jwt = token({ alg: 'HS256', key: secret.jwt_secret, claims: claims_for({ sub: 'ann', jti: 'j1' }) });
  hidden.token = jwt.split('.')[2];

  const heard = [];  // every reply that is not the caller's own content
  const hear = (what, reply) => { heard.push([what, `${JSON.stringify(reply.headers)} ${reply.text ?? JSON.stringify(reply)}`]); return reply; };
  const own = async (reply) => { const got = await reply; assert.equal(got.status, 200, got.text); return got; };

  // Work as it should be. Its replies hold its own words; everything else must not.
  provider.script({ match: { text: secret.message }, replies: [{ text: secret.answer }] });
  provider.script({ match: { text: secret.stored_message }, replies: [{ text: secret.stored_answer }] });
  const ask = (text, more = {}) => ({ model: 'model-a', messages: [{ role: 'user', content: text }], user: secret.mail, ...more });
  await own(server.chat(ask(secret.message), me));
  const kept = await own(server.chat(ask(secret.stored_message, { conversation: 'new' }), me));
  const conversation = kept.headers['x-conversation-id'];
  const document = await server.post('/v1/documents', { title: secret.title, source: secret.mail, text: `The word is ${secret.document}.` }, me);
  assert.equal(document.status, 201, document.text);
  await own(server.post('/v1/search', { query: `${secret.query} ${secret.document}` }, me));
  await own(server.chat(ask(`What is the word ${secret.document}?`, { model: 'mainstay/extractive', collection: 'default' }), bearer(jwt)));
  await own(server.chat(ask('x', { tools: [{ type: 'function', function: { name: 'f', parameters: { note: secret.tool_argument } } }] }), bearer(secret.configured_key)));
  const stream = await server.stream(ask(`streamed ${secret.message}`), me);
  assert.equal(stream.status, 200);

  // Errors of every kind.
  const post = async (what, target, body, headers = me) => hear(what, await server.post(target, body, headers));
  for (const status of [400, 401, 403, 404, 413, 422, 429, 500, 503, 529]) {
    const loud = ask(`blame ${status} ${secret.message}`, { model: 'loud' });
    // Why the provider refused may be quoted to the one who sent it, his own words with it.
    const quoted = (reply) => ({ headers: reply.headers, text: (reply.text ?? reply.raw).replaceAll(secret.message, '').replaceAll(secret.mail, '') });
    const got = await server.chat(loud, me);
    assert.ok(got.status >= 400 && (status === 404 || got.json.error.code !== 'upstream_model_unknown'), `${status}: ${got.text}`);
    hear(`a provider that echoes its key with ${status}`, quoted(got));
    hear(`the same with ${status}, streamed`, quoted(await server.stream(loud, me)));
  }
  const broken = await server.stream(ask(`break ${secret.message}`, { model: 'loud' }), me);
  hear('an error within a stream', { headers: broken.headers, text: JSON.stringify(broken.error ?? '').replaceAll(secret.message, '').replaceAll(secret.mail, '') });
  await post('unknown model', '/v1/chat/completions', ask(secret.message, { model: 'no/such' }));
  await post('unknown role', '/v1/chat/completions', { messages: [{ role: 'wizard', content: secret.message }] });
  await post('bad JSON', '/v1/chat/completions', `{"messages": "${secret.message}`);
  await post('wrong type', '/v1/chat/completions', { messages: secret.message });
  await post('out of range', '/v1/chat/completions', ask(secret.message, { temperature: 9 }));
  await post('unknown field', '/v1/search', { query: secret.query, extra: secret.message });
  await post('a bad document', '/v1/documents', { text: `%PDF-1.7 ${secret.document}`, title: secret.title });
  await post('a bad title', '/v1/documents', { text: secret.document, title: `${secret.title}\n` });
  await post('a wrong key', '/v1/chat/completions', ask(secret.message), bearer(secret.bad_key));
  await post('a wrong key of our form', '/v1/chat/completions', ask(secret.message), bearer(`ms_${secret.bad_key}`));
  await post('a wrong token', '/v1/chat/completions', ask(secret.message), bearer(`${jwt}x`));
  await post('no right', '/admin/maintenance', { enabled: true, message: secret.message });
  hear('an unknown path', await server.get(`/v1/nothing?key=${secret.bad_key}`, me));
  hear('an unknown document', await server.get('/v1/documents/doc_nothing', me));
  hear('an unknown conversation', await server.get('/v1/conversations/conv_nothing', bearer(jwt)));
  const cut = await exchange(server.port, request_bytes('POST', '/v1/chat/completions', [`Authorization: Bearer ${made.key}`, 'Content-Length: 4', 'Transfer-Encoding: chunked'], secret.message));
  hear('a smuggled request', { headers: {}, text: cut.received });
  await provider.mode('reset');
  await post('a broken provider', '/v1/chat/completions', ask(`${secret.message} again`, { routes: undefined }));
  await provider.mode('normal');

  // What administrators do and see.
  const admin = { 'x-api-key': admin_key };
  const api = (await server.get('/openapi.json')).json;
  for (const [target, operations] of Object.entries(api.paths)) {
    if (!target.startsWith('/admin/') && !target.startsWith('/health')) continue;
    if (operations.get) hear(target, await server.get(target, admin));
    if (operations.post && target !== '/admin/maintenance') hear(target, await server.post(target, undefined, admin));
  }
  hear('/metrics', await server.get('/metrics', me));
  hear('/v1/models', await server.get('/v1/models', me));
  hear('/health/ready', await server.get('/health/ready'));
  server.child.kill('SIGHUP');
  await server.until(() => (server.err.match(/"event":"config\./g) ?? []).length >= 1, 'a reload');
  fs.appendFileSync(`${server.dir}/mainstay.toml`, `\n[nonsense]\nkey = "x"\n`);
  hear('a reload that fails', await server.post('/admin/reload', undefined, admin));
  const file = fs.readFileSync(`${server.dir}/mainstay.toml`, 'utf8');
  fs.writeFileSync(`${server.dir}/mainstay.toml`, file.replace('[nonsense]\nkey = "x"', ''));
  hear('a reload', await server.post('/admin/reload', undefined, admin));

  // What the commands print.
  const common = ['--config', `${server.dir}/mainstay.toml`, '--data', data];
  const options = { env: { ...env, MAINSTAY_API_KEY: admin_key }, cwd: server.dir, limit_ms: 120_000 };
  for (const args of [['config', 'show'], ['config', 'check'], ['config', 'check', '--json'], ['doctor', '--json'], ['doctor'], ['status'], ['status', '--json'], ['keys', 'list'], ['keys', 'list', '--json']]) {
    const got = await run([...args, ...common], options);
    heard.push([`mainstay ${args.join(' ')}`, got.out + got.err]);
  }
  heard.push(['/proc/PID/cmdline', fs.readFileSync(`/proc/${server.child.pid}/cmdline`, 'latin1')]);
  await server.stop();
  heard.push(['the log', server.err]);
  // The first start prints the admin key once, by design; nothing else may.
  heard.push(['standard output', server.out.replace(admin_key, '')]);

  const found = [];
  for (const [where, text] of heard) {
    for (const [name, value] of Object.entries(hidden)) {
      const forms = [value, Buffer.from(value).toString('base64').slice(0, -4), encodeURIComponent(value)];
      if (forms.some((form) => text.includes(form))) found.push(`${name} in ${where}: ${text.slice(Math.max(0, text.indexOf(value) - 160), text.indexOf(value) + 60)}`);
    }
  }
  t.diagnostic(`${heard.length} places, ${Object.keys(hidden).length} canaries`);
  // A 400 quotes what its own sender wrote in a name of a field, never in a text: none of these is one.
  assert.deepEqual(found, []);
  assert.ok(heard.length > 45, `${heard.length} places`);
  assert.ok(server.err.split('\n').length > 30, 'the log says something');
  assert.equal((await run(['keys', 'list', '--json', '--data', data])).code, 0);
  assert.ok(conversation);
});
