// Who calls: keys made by `mainstay keys`, the admin key, and tokens of an issuer that the test
// plays itself. Used by the suites about identity, limits and security.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { cleanup, pause, run } from './harness.mjs';

/** The header of a key, or of a token. */
export const bearer = (key) => ({ authorization: `Bearer ${key}` });

/** The admin key's header of a server. */
export const admin_of = (server) =>
  ({ 'x-api-key': fs.readFileSync(path.join(server.data, 'admin.key'), 'utf8').trim() });

/** Makes a key on a data folder; `more` are further flags. Gives {key, id, user, ...}. */
export async function new_key(data, name, ...more) {
  const made = await run(['keys', 'new', '--json', '--data', data, '--name', name, ...more]);
  assert.equal(made.code, 0, made.err);
  return JSON.parse(made.out);
}

/** Keys made before the start are known at once; one made later within auth.keys_refresh. */
export async function known(server, key, limit_ms = 10_000) {
  await server.until(async () => (await server.get('/v1/models', bearer(key))).status === 200, 'the key is known', limit_ms);
}

const encode = (value) => Buffer.from(Buffer.isBuffer(value) ? value
  : typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

const SIGN = {
  HS256: (text, key) => crypto.createHmac('sha256', key).update(text).digest(),
  RS256: (text, key) => crypto.sign('sha256', Buffer.from(text), key),
  ES256: (text, key) => crypto.sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }),
  EdDSA: (text, key) => crypto.sign(null, Buffer.from(text), key),
  none: () => Buffer.alloc(0),
};

/** A token; head and claims may be given as text, to be sent as they are. */
export function token({ alg = 'RS256', kid, key, head = {}, claims, sign = alg }) {
  const first = typeof head === 'string' ? head : { alg, typ: 'JWT', ...(kid === undefined ? {} : { kid }), ...head };
  const text = `${encode(first)}.${encode(claims)}`;
  return `${text}.${encode(SIGN[sign](text, key))}`;
}

/** A signing key with its public half as a JWK. */
export function signing_key(kind, kid) {
  const pair = kind === 'RS256' ? crypto.generateKeyPairSync('rsa', { modulusLength: 2048 })
    : kind === 'ES256' ? crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : crypto.generateKeyPairSync('ed25519');
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid, alg: kind, use: 'sig' };
  return { kind, kid, jwk, private: pair.privateKey, pem: pair.publicKey.export({ format: 'pem', type: 'spki' }) };
}

/** An issuer's key set over HTTP: {url, keys, reads, fail}. */
export async function issuer(t, keys) {
  const self = { keys, reads: 0, fail: false };
  const server = http.createServer((request, response) => {
    self.reads += 1;
    if (self.fail) { response.writeHead(500).end('broken'); return; }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ keys: self.keys.map((k) => k.jwk) }));
  });
  await new Promise((go) => server.listen(0, '127.0.0.1', go));
  cleanup(t, () => new Promise((go) => { server.close(go); server.closeAllConnections(); }));
  self.url = `http://127.0.0.1:${server.address().port}/jwks`;
  return self;
}

export const seconds_now = () => Math.floor(Date.now() / 1000);

/** Claims that are right for `auth`; `more` goes over them. */
export const claims_for = (more = {}) => ({ iss: 'https://id.example', aud: 'mainstay', sub: 'ann',
  exp: seconds_now() + 600, scope: 'chat knowledge', ...more });

/** The [auth.jwt] of those claims. */
export const jwt_settings = (more) => ({ issuer: 'https://id.example', audience: 'mainstay', ...more });

/** Every file below a folder, read whole. */
export function all_bytes(folder) {
  return fs.readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((e) => e.isFile())
    .map((e) => ({ name: e.name, bytes: fs.readFileSync(path.join(e.path ?? e.parentPath, e.name)) }));
}

/** Runs `count` calls, `at_once` of them at a time. */
export async function many(count, at_once, call) {
  const out = [];
  let next = 0;
  await Promise.all(Array.from({ length: at_once }, async () => {
    while (next < count) { const i = next++; out[i] = await call(i); }
  }));
  return out;
}

export { pause };
