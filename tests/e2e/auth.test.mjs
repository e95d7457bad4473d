// Who gets in: keys, tokens of an issuer, revocation, brute force, over real sockets.
// proves G10 (JWT), security rows 5 to 14
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { assert_error, pause, run, scope, serve, temp_dir } from './lib/harness.mjs';
import { admin_of, all_bytes, bearer, claims_for, issuer, jwt_settings, known, many, new_key,
  seconds_now, signing_key, token } from './lib/people.mjs';

const LENIENT = { failures_free: 1_000_000 };
const ask = (server, key) => server.get('/v1/models', bearer(key));
/** The body without its request id and what else is of one reply alone. */
const said = (reply) => JSON.stringify(reply.json?.error);

/** A key set of three algorithms at a served address. */
async function issued(t, more = {}, auth = {}) {
  const keys = { rs: signing_key('RS256', 'rs-1'), es: signing_key('ES256', 'es-1'), ed: signing_key('EdDSA', 'ed-1') };
  const from = await issuer(t, Object.values(keys));
  const server = await serve(t, { config: { auth: { ...LENIENT, required: true, ...auth,
    jwt: jwt_settings({ jwks_url: from.url, ...more }) } } });
  const good = (k = keys.rs, claims = {}, rest = {}) =>
    token({ alg: k.kind, kid: k.kid, key: k.private, claims: claims_for(claims), ...rest });
  await server.until(async () => (await ask(server, good())).status === 200, 'the key set is read');
  return { server, from, keys, good };
}

describe('tokens', () => {
  const shared = scope();
  after(() => shared.end());
  let server, from, keys, good;
  before(async () => { ({ server, from, keys, good } = await issued(shared)); });
  const refused = async (text, what, code = 'wrong_token') => {
    const got = await ask(server, text);
    assert.equal(got.status, 401, `${what}: ${got.status} ${got.text}`);
    assert_error(got, 401, { code: [].concat(code, 'wrong_key') });
  };

  test('RS256, ES256 and EdDSA pass, in both headers', async () => {
    for (const k of Object.values(keys)) {
      assert.equal((await ask(server, good(k))).status, 200, k.kind);
      assert.equal((await server.get('/v1/models', { 'x-api-key': good(k) })).status, 200, k.kind);
    }
  });

  test('security_06_jwt_none: no algorithm, in any writing, and empty signatures', async () => {
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', 'HS384', 'RS512', null, 7]) {
      await refused(token({ head: JSON.stringify({ alg, typ: 'JWT' }), sign: 'none', claims: claims_for() }), `alg ${alg} unsigned`);
      await refused(token({ head: JSON.stringify({ alg, kid: 'rs-1' }), sign: 'RS256', key: keys.rs.private, claims: claims_for() }), `alg ${alg} signed`);
    }
    await refused(good().split('.').slice(0, 2).join('.') + '.', 'empty signature');
    await refused(good().split('.').slice(0, 2).join('.') + '.AAAA', 'short signature');
  });

  test('security_07_jwt_key_confusion: HS256 with the public key as secret', async () => {
    const publics = [keys.rs.pem, keys.rs.pem.trim(), JSON.stringify(keys.rs.jwk), keys.rs.jwk.n,
      Buffer.from(keys.rs.jwk.n, 'base64url'), ''];
    for (const key of publics) {
      for (const kid of ['rs-1', 'es-1', undefined]) {
        await refused(token({ alg: 'HS256', kid, key, claims: claims_for() }), `kid ${kid}`);
      }
    }
    await refused(good(keys.rs, {}, { head: { alg: 'ES256' } }), 'RS256 signature under ES256');
    await refused(good(keys.rs, {}, { kid: 'es-1' }), 'the key of another algorithm');
  });

  test('security_08_jwt_kid: paths, SQL, 4 KiB, NUL and other types', async () => {
    const reads = from.reads;
    for (const kid of ['../../../../dev/null', "' OR 1=1 --", 'x'.repeat(4096), 'rs-1\u0000', '/etc/passwd', 'http://127.0.0.1/']) {
      await refused(good(keys.rs, {}, { kid }), kid.slice(0, 20));
    }
    for (const kid of [1, null, ['rs-1'], { a: 1 }, '']) {
      await refused(token({ head: JSON.stringify({ alg: 'RS256', kid }), sign: 'RS256', key: keys.rs.private, claims: claims_for() }), `${kid}`);
    }
    assert.ok(from.reads - reads <= 1, `${from.reads - reads} further reads`);
  });

  test('security_09_jwt_key_in_the_head: jwk, jku, x5u, x5c are not looked at', async (t) => {
    const evil = signing_key('RS256', 'evil');
    const trap = await issuer(t, [evil]);
    for (const head of [{ jwk: evil.jwk }, { jku: trap.url }, { x5u: trap.url },
      { x5c: [evil.pem.replace(/-----[^-]+-----|\n/g, '')] }, { jku: trap.url, jwk: evil.jwk }]) {
      for (const kid of ['evil', 'rs-1', undefined]) {
        await refused(token({ alg: 'RS256', kid, head, key: evil.private, claims: claims_for() }), JSON.stringify(Object.keys(head)));
      }
    }
    await pause(300);
    assert.equal(trap.reads, 0, 'no request to the attacker');
    await refused(good(keys.rs, {}, { head: { crit: ['exp'] } }), 'crit');
  });

  test('security_11_jwt_claims: times with 60 s of leeway, issuer, audience, duplicates', async () => {
    const now = seconds_now();
    const passes = async (claims, what) => assert.equal((await ask(server, good(keys.es, claims))).status, 200, what);
    await passes({ exp: now - 50 }, 'ended 50 s ago');
    await passes({ nbf: now + 50 }, 'valid in 50 s');
    await passes({ aud: ['other', 'mainstay'] }, 'one of several audiences');
    await refused(good(keys.es, { exp: now - 62 }), 'ended 62 s ago', 'expired_token');
    await refused(good(keys.es, { nbf: now + 70 }), 'valid in 70 s');
    for (const [what, claims] of Object.entries({
      issuer: { iss: 'https://id.example.evil' }, 'no issuer': { iss: undefined }, audience: { aud: 'other' },
      'no audience': { aud: undefined }, 'empty audiences': { aud: [] }, 'no exp': { exp: undefined },
      'exp as text': { exp: `${now + 600}` }, 'no user': { sub: undefined }, 'empty user': { sub: '' },
      'user local': { sub: 'local' }, 'user admin': { sub: 'admin' }, 'a key as user': { sub: 'key_1234567812345678' },
      'user with a newline': { sub: 'a\nb' }, 'exp beyond all time': { exp: 1e300 } })) {
      await refused(good(keys.es, claims), what);
    }
    const twice = JSON.stringify(claims_for()).replace('{', '{"sub":"bob",');
    await refused(token({ alg: 'ES256', kid: 'es-1', key: keys.es.private, claims: twice }), 'a claim given twice');
    await refused(token({ head: '{"alg":"none","alg":"ES256","kid":"es-1"}', sign: 'ES256', key: keys.es.private, claims: claims_for() }), 'alg given twice');
  });

  test('a changed claim, a cut token and other encodings are refused', async () => {
    const [head, claims, signature] = good().split('.');
    const forged = Buffer.from(JSON.stringify(claims_for({ sub: 'bob' }))).toString('base64url');
    await refused(`${head}.${forged}.${signature}`, 'forged claims');
    await refused(`${head}.${claims}.${signature.slice(0, -4)}`, 'cut signature');
    for (const odd of [`${head}.${claims}.${signature}=`, `${head}.${claims}.${signature}.x`, `${head}..${signature}`, 'ey..', `ey${'a'.repeat(20_000)}`]) {
      const got = await ask(server, odd);
      assert.ok([401, 431].includes(got.status), `${got.status} ${got.text}`);
    }
  });

  test('scopes of the token hold; the admin scope of a token opens the admin API', async () => {
    assert_error(await server.get('/v1/documents', bearer(good(keys.rs, { scope: 'chat' }))), 403, { code: 'scope_required' });
    assert.equal((await server.get('/v1/documents', bearer(good(keys.rs, { scope: 'knowledge' })))).status, 200);
    assert_error(await server.get('/admin/tasks', bearer(good())), 403, { code: 'admin_scope_required' });
    assert.equal((await server.get('/admin/tasks', bearer(good(keys.rs, { scope: 'admin' })))).status, 200);
  });
});

describe('the issuer', () => {
  test('security_10_jwks: 1,000 unknown key names cause at most one reading; a new key serves after it', async (t) => {
    const { server, from, keys, good } = await issued(t, { refresh_min: '2s' });
    const stranger = signing_key('RS256', 'nowhere');
    await pause(2000);  // a reading is due now: the first unknown name may cause it
    const reads = from.reads;
    const began = performance.now();
    const got = await many(1000, 16, (i) => ask(server,
      token({ alg: 'RS256', kid: `made-up-${i}`, key: stranger.private, claims: claims_for() })));
    const took = performance.now() - began;
    assert.ok(got.every((r) => r.status === 401), `${got.map((r) => r.status)}`);
    const allowed = 1 + Math.floor(took / 2000);
    t.diagnostic(`${from.reads - reads} readings in ${Math.round(took)} ms with refresh_min of 2 s`);
    assert.ok(from.reads - reads <= allowed, `${from.reads - reads} readings in ${took} ms`);
    const fresh = signing_key('EdDSA', 'ed-2');
    from.keys = [keys.rs, fresh];
    await server.until(async () => (await ask(server, good(fresh))).status === 200, 'the rotated key', 15_000);
    assert.equal((await ask(server, good(keys.rs))).status, 200, 'the kept key');
    assert.equal((await ask(server, good(keys.es))).status, 401, 'the removed key');
  });

  test('security_10_jwks_stale: while the issuer is down its last keys serve', async (t) => {
    const { server, from, keys, good } = await issued(t, { refresh: '1s', refresh_min: '1s' });
    from.fail = true;
    const reads = from.reads;
    await server.until(() => from.reads >= reads + 2, 'readings that fail', 15_000);
    assert.equal((await ask(server, good(keys.rs, { jti: 'new one' }))).status, 200);
    await server.until(() => /issuer_unreadable/.test(server.err), 'a line in the log');
    from.fail = false;
  });

  test('before any key set was read, tokens are told to come back', async (t) => {
    const from = await issuer(t, []);
    from.fail = true;
    const key = signing_key('RS256', 'rs-1');
    const server = await serve(t, { config: { auth: { required: true, jwt: jwt_settings({ jwks_url: from.url }) } } });
    const got = await ask(server, token({ alg: 'RS256', kid: 'rs-1', key: key.private, claims: claims_for() }));
    assert_error(got, 503, { code: 'keys_not_loaded' });
    assert.ok(Number(got.headers['retry-after']) >= 1);
  });

  test('a shared secret (HS256) and a public key file serve too, each alone', async (t) => {
    const secret = crypto.randomBytes(48).toString('base64url');
    const server = await serve(t, { config: { auth: { ...LENIENT, required: true, jwt: jwt_settings() } },
      env: { MAINSTAY_AUTH__JWT__SECRET: secret } });
    const made = token({ alg: 'HS256', key: secret, claims: claims_for() });
    assert.equal((await ask(server, made)).status, 200);
    assert.equal((await ask(server, token({ alg: 'HS256', key: `${secret}x`, claims: claims_for() }))).status, 401);
    assert.doesNotMatch(server.err + server.out, new RegExp(secret));
  });
});

test('security_10_defaults: one further reading a minute, keys used for a day without the issuer', async () => {
  const { settings } = JSON.parse((await run(['config', 'reference', '--json'])).out);
  for (const [key, text] of Object.entries({ refresh: '5m', refresh_min: '1m', stale_max: '1d', leeway: '1m' })) {
    assert.equal(settings.find((row) => row.key === `auth.jwt.${key}`).default, text, key);
  }
});

describe('revocation', () => {
  test('security_12_token: revoked by its id, also when encoded anew', async (t) => {
    const { server, keys, good } = await issued(t, {}, { keys_refresh: '200ms' });
    const claims = { jti: 'session-77' };
    const first = good(keys.rs, claims);
    assert.equal((await ask(server, first)).status, 200);
    const revoked = await run(['keys', 'revoke', '--config', `${server.dir}/mainstay.toml`, '--data', server.data, '--token-id', 'session-77', '--for', '1d']);
    assert.equal(revoked.code, 0, revoked.err);
    await server.until(async () => (await ask(server, first)).status === 401, 'refused');
    const again = token({ head: JSON.stringify({ kid: 'rs-1', typ: 'JWT', alg: 'RS256', x: 1 }), sign: 'RS256', key: keys.rs.private, claims: claims_for(claims) });
    assert.equal((await ask(server, again)).status, 401, 'the same token in other bytes');
    assert.equal((await ask(server, good(keys.es, claims))).status, 401, 'with another key of the issuer');
    assert.equal((await ask(server, good(keys.rs, { jti: 'session-78' }))).status, 200, 'another token');
  });

  test('a key for chats alone reads no documents, whoever answers', async (t) => {
    const data = `${temp_dir(t)}/data`;
    const chats = await new_key(data, 'chats', '--scopes', 'chat', '--user', 'ann');
    const both = await new_key(data, 'both', '--scopes', 'chat,knowledge', '--user', 'ann');
    const server = await serve(t, { data, config: { models: { discover: false } } });
    const put = await server.post('/v1/documents', { title: 'Vault', collection: 'vault',
      text: 'The code of the vault is 4711.' }, bearer(both.key));
    assert.equal(put.status, 201, put.text);
    const question = (more = {}) => ({ messages: [{ role: 'user', content: 'What is the code of the vault?' }], ...more });
    const chat = (key, more) => server.post('/v1/chat/completions', question(more), bearer(key));
    assert.match((await chat(both.key)).text, /4711/);
    for (const more of [{}, { model: 'mainstay/extractive' }, { stream: true }]) {
      const got = await chat(chats.key, more);
      assert.equal(got.status, 200, got.text);
      assert.doesNotMatch(got.text, /4711/, JSON.stringify(more));
    }
    assert_error(await chat(chats.key, { collection: 'vault' }), 403);
    assert.doesNotMatch((await chat(both.key, { documents: false })).text, /4711/);
  });

  test('security_12_key: a revoked key is refused within keys_refresh, expired ones are told so', async (t) => {
    const data = `${temp_dir(t)}/data`;
    const mine = await new_key(data, 'mine');
    const short = await new_key(data, 'short', '--expires', '1s');
    const server = await serve(t, { data, config: { auth: { keys_refresh: '200ms' } } });
    await known(server, mine.key);
    const revoked = await run(['keys', 'revoke', '--data', data, mine.id]);
    assert.equal(revoked.code, 0, revoked.err);
    const began = performance.now();
    await server.until(async () => (await ask(server, mine.key)).status === 401, 'refused');
    t.diagnostic(`refused ${Math.round(performance.now() - began)} ms after it was revoked`);
    await server.until(async () => (await ask(server, short.key)).json?.error?.code === 'expired_key', 'expired');
  });
});

describe('keys', () => {
  test('security_05_brute_force: 1,000 wrong keys: 401, then 429 with a growing wait; one body for all', async (t) => {
    const data = `${temp_dir(t)}/data`;
    const mine = await new_key(data, 'mine');
    const server = await serve(t, { data, config: { auth: { failure_delay: '300ms' } } });
    await known(server, mine.key);
    const guess = (i) => `ms_${crypto.createHash('sha256').update(`${i}`).digest('base64url')}`;
    const got = await many(1000, 8, (i) => ask(server, guess(i)));
    const denied = got.filter((r) => r.status === 401);
    const delayed = got.filter((r) => r.status === 429);
    assert.equal(denied.length + delayed.length, 1000);
    assert.ok(denied.length >= 50 && denied.length < 70, `${denied.length} were looked at`);
    assert.equal(new Set(denied.map(said)).size, 1, 'every wrong key gets the same answer');
    for (const reply of delayed) {
      assert_error(reply, 429, { code: 'too_many_failures' });
      assert.ok(Number(reply.headers['retry-after']) >= 1);
    }
    assert.equal((await ask(server, mine.key)).status, 200, 'the right key is let in meanwhile');
    // The wait grows: after it ended, one more failure makes a longer one.
    const wait_of = async () => { await ask(server, guess('more')); return Number((await ask(server, guess('again'))).headers['retry-after']); };
    const first = await wait_of();
    assert.ok(first >= 1, `${first}`);
    const metric = await server.request('GET', '/metrics', { headers: bearer(mine.key) });
    assert.match(metric.text, /mainstay_admission_refused_total\{reason="denied"\} \d+/);
  });

  test('security_13_key_storage: no file of the data folder holds a key, only its hash and beginning', async (t) => {
    const data = `${temp_dir(t)}/data`;
    const made = [await new_key(data, 'one'), await new_key(data, 'two', '--scopes', 'admin')];
    const server = await serve(t, { data });
    for (const { key } of made) {
      await ask(server, key);
      await known(server, key);
      assert.match(key, /^ms_[A-Za-z0-9_-]{43}/, '256 bits');
    }
    await server.stop();
    const files = all_bytes(data);
    assert.ok(files.some((f) => f.name === 'keys.db'));
    for (const { key } of made) {
      const secret = key.slice(12);
      for (const { name, bytes } of files) assert.ok(!bytes.includes(secret), `${name} holds the key`);
      const raw = Buffer.from(key.slice(3), 'base64url');
      for (const { name, bytes } of files) assert.ok(!bytes.includes(raw), `${name} holds the key's bytes`);
      const digest = crypto.createHash('sha256').update(key).digest('hex');
      assert.ok(files.some((f) => f.bytes.includes(digest) || f.bytes.includes(Buffer.from(digest, 'hex'))), 'the hash is there');
    }
    const list = await run(['keys', 'list', '--json', '--data', data]);
    const used = JSON.parse(list.out);
    assert.equal((used.keys ?? used).filter((key) => key.last_used).length, made.length, `the stop notes the last uses: ${list.out}`);
    for (const { key } of made) assert.ok(!list.out.includes(key.slice(12)));
  });

  test('security_14_compare_time: a key that is nearly right takes as long as one that is not', async (t) => {
    const data = `${temp_dir(t)}/data`;
    const { key } = await new_key(data, 'mine');
    const server = await serve(t, { data, config: { auth: LENIENT } });
    await known(server, key);
    const flip = (text, at) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
    const near = flip(key, key.length - 2);
    const far = flip(key, 3);
    const times = { near: [], far: [] };
    for (let i = 0; i < 1500; i += 1) {  // in turns, so that the machine's moods meet both
      for (const [name, guess] of i % 2 ? [['near', near], ['far', far]] : [['far', far], ['near', near]]) {
        const began = performance.now();
        assert.equal((await ask(server, guess)).status, 401);
        times[name].push(performance.now() - began);
      }
    }
    const middle = (list) => list.sort((a, b) => a - b)[list.length >> 1];
    const [near_ms, far_ms] = [middle(times.near), middle(times.far)];
    t.diagnostic(`medians: near ${(near_ms * 1000).toFixed(0)} us, far ${(far_ms * 1000).toFixed(0)} us`);
    // What is looked up is the digest, so no byte of a key is compared before the others.
    assert.ok(Math.abs(near_ms - far_ms) < 0.1 * Math.max(near_ms, far_ms), `${near_ms} and ${far_ms} ms`);
  });

  test('keys are asked for where credentials are required, in their exact form; of two headers the first counts', async (t) => {
    const data = `${temp_dir(t)}/data`;
    const { key } = await new_key(data, 'mine');
    const server = await serve(t, { data, config: { auth: { required: true } }, ready: true });
    assert_error(await server.get('/v1/models'), 401, { code: 'missing_key' });
    await known(server, key);
    assert.equal((await server.get('/v1/models', { 'x-api-key': key })).status, 200);
    for (const odd of ['Bearer', 'Bearer ', `Basic ${Buffer.from(`x:${key}`).toString('base64')}`, key, `Bearer  ${key} x`]) {
      const got = await server.get('/v1/models', { authorization: odd });
      assert.equal(got.status, 401, `${odd.slice(0, 12)}: ${got.text}`);
    }
    assert.equal((await server.get('/v1/models', { authorization: `bearer ${key}` })).status, 200, 'the scheme has no case');
    assert.equal((await server.get('/v1/models', { ...bearer(key), 'x-api-key': 'wrong' })).status, 200);
    assert.equal((await server.get('/v1/models', { ...bearer('wrong'), 'x-api-key': key })).status, 401);
    assert.equal((await server.get('/admin/tasks', admin_of(server))).status, 200);
    assert.equal((await server.get('/health')).status, 200, 'health asks nobody');
  });
});
