// The command line: ask, search, ingest, config, doctor, completion; exit codes, --json, NO_COLOR.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BIN, pair, provide, provider_entry, run, scope, serve, temp_dir, write_config } from './lib/harness.mjs';
import { bearer, new_key } from './lib/people.mjs';
import { png } from './lib/pictures.mjs';

const NOTES = `# Boiler

The boiler of the mill was built by Gustav Lindqvist in 1911. It burns birch wood.

## Pressure

The pressure must stay below nine bar.
`;
const COLOUR = /\u001b\[/;

describe('without a server', () => {
  const usage = (got) => assert.equal(got.code, 2, `${got.code}: ${got.err}`);

  test('--help and --version succeed', async () => {
    const help = await run(['--help']);
    assert.equal(help.code, 0);
    for (const command of ['serve', 'ask', 'ingest', 'search', 'config', 'doctor', 'completion']) assert.match(help.out, new RegExp(`\\b${command}\\b`));
    const version = await run(['--version']);
    assert.equal(version.code, 0);
    assert.match(version.out, /\d+\.\d+\.\d+/);
    for (const command of ['serve', 'ask', 'ingest', 'search', 'config', 'doctor', 'completion']) {
      assert.equal((await run([command, '--help'])).code, 0, command);
    }
  });

  test('wrong usage exits 2 with a line on standard error', async () => {
    for (const args of [[], ['juggle'], ['ask'], ['search'], ['ingest'], ['serve', '--listen'], ['config', 'bake'], ['serve', '--no-such-flag'], ['completion', 'tcl']]) {
      const got = await run(args);
      usage(got);
      assert.ok((got.err + got.out).length > 5, args.join(' '));
    }
  });

  test('what cannot be written is a failure, and a key file that cannot be read is said', async (t) => {
    const full = spawnSync('sh', ['-c', `exec "${BIN}" config reference > /dev/full`], { encoding: 'utf8' });
    assert.equal(full.status, 1, full.stderr);
    assert.match(full.stderr, /standard output/);
    const dir = temp_dir(t);
    const got = await run(['ask', '--data', path.join(dir, 'data'), '--key-file', path.join(dir, 'nowhere'), 'Anybody?'], { cwd: dir, home: dir });
    assert.equal(got.code, 1, got.out);
    assert.match(got.err, /nowhere/);
    const closed = spawnSync('sh', ['-c', `exec "${BIN}" config check 0<&- 2>&-`], { encoding: 'utf8', cwd: dir, env: { PATH: process.env.PATH, HOME: dir } });
    assert.equal(closed.status, 0, closed.stdout);
  });

  test('speech that did not come leaves the file that stood there', async (t) => {
    const dir = temp_dir(t);
    const file = path.join(dir, 'out.wav');
    fs.writeFileSync(file, 'older sound');
    const away = ['--url', 'http://127.0.0.1:9', '-o'];
    for (const command of ['say', 'ask']) {
      assert.equal((await run([command, ...away, file, 'Anybody?'])).code, 69);
      assert.equal(fs.readFileSync(file, 'utf8'), 'older sound', command);
      const nowhere = await run([command, ...away, path.join(dir, 'nowhere', 'out.wav'), 'Anybody?']);
      assert.equal(nowhere.code, 1, nowhere.err);
      assert.match(nowhere.err, /nowhere\/out\.wav cannot be written: No such file/);
    }
    assert.deepEqual(fs.readdirSync(dir), ['out.wav']);
  });

  test('config check names file, line, range and the nearest key; exits 78', async (t) => {
    const dir = temp_dir(t);
    const file = path.join(dir, 'bad.toml');
    fs.writeFileSync(file, '[limits]\nqueud_max = 5\n\n[cache]\nttl = "banana"\n\n[limits.user]\nburst = -3\n');
    const got = await run(['config', 'check', '--config', file], { cwd: dir, home: dir });
    assert.equal(got.code, 78, got.err + got.out);
    const text = got.err + got.out;
    assert.match(text, /bad\.toml:2/);
    assert.match(text, /queued_max/);
    assert.match(text, /bad\.toml:5/);
    assert.match(text, /bad\.toml:8/);
  });

  test('config check accepts a good file, refuses broken TOML and a missing file', async (t) => {
    const dir = temp_dir(t);
    const good = write_config(dir, { log: { level: 'warn' }, cache: { ttl: '90s', size_max: '2MiB' } });
    const at = { cwd: dir, home: dir };
    assert.equal((await run(['config', 'check', '--config', good], at)).code, 0);
    fs.writeFileSync(path.join(dir, 'broken.toml'), 'a = [1,\n');
    assert.equal((await run(['config', 'check', '--config', path.join(dir, 'broken.toml')], at)).code, 78);
    assert.equal((await run(['config', 'check', '--config', path.join(dir, 'missing.toml')], at)).code, 78);
  });

  test('config check refuses what serve would refuse, in the same words', async (t) => {
    const dir = temp_dir(t);
    const at = { cwd: dir, home: dir };
    const tls = ['--set', 'server.listen=127.0.0.1:0', '--set', 'server.tls_certificate=/nowhere/cert.pem', '--set', 'server.tls_key=/nowhere/key.pem'];
    const postgres = { MAINSTAY_STORAGE__POSTGRES_URL: 'foo' };
    const wyoming = ['--set', 'wyoming.listen=127.0.0.1:0', '--set', 'wyoming.allow=["nonsense"]'];
    const token = ['--set', 'auth.jwt.issuer=a', '--set', 'auth.jwt.audience=b', '--set', 'auth.jwt.public_key=/nowhere/key.pem'];
    for (const [sets, env] of [[['--set', 'storage.redis_url=redis://h/abc']], [[], postgres], [tls], [wyoming], [token],
      [['--set', 'upstream.ca_file=/nowhere/ca.pem']],
      [['--set', 'server.listen=127.0.0.1:8099', '--set', 'server.admin_listen=127.0.0.1:8099']]]) {
      const checked = await run(['config', 'check', '--data', path.join(dir, 'data'), ...sets], { ...at, env });
      const served = await run(['serve', '--data', path.join(dir, 'data'), ...sets], { ...at, env });
      assert.deepEqual([checked.code, served.code], [78, 78], checked.out + checked.err + served.err);
      const says = served.err.trim().split('\n').pop().replace(/^mainstay: /, '');
      assert.ok(checked.err.includes(says), `${checked.err} ${says}`);
      assert.doesNotMatch(checked.err, /(server\.\w+: ).*\1.*\1/);  // the origin and the key, once each
    }
  });

  test('a key to revoke must be named, and an occurrence needs a time', async (t) => {
    const dir = temp_dir(t);
    const at = { cwd: dir, home: dir };
    const revoke = await run(['keys', 'revoke', '--data', path.join(dir, 'data')], at);
    usage(revoke);
    assert.match(revoke.err, /Name a key or --token-id\./);
    usage(await run(['jobs', 'submit', 'cleanup', '--input', '{bad', '--data', path.join(dir, 'data')], at));
    usage(await run(['jobs', 'submit', 'cleanup', '--repeat-every', '0', '--data', path.join(dir, 'data')], at));
  });

  test('an address that is none, an unknown state and a data directory that is not there are told as such', async (t) => {
    const dir = temp_dir(t);
    const at = { cwd: dir, home: dir };
    for (const args of [['jobs', 'list', '--url', 'notaurl'], ['ask', 'x', '--url', 'notaurl'], ['search', 'x', '--url', 'http://[bad']]) {
      const got = await run(args, at);
      usage(got);
      assert.match(got.err, /--url: (An address starts with|The address has no)/);
    }
    const state = await run(['jobs', 'list', '--state', 'bogus'], at);
    usage(state);
    assert.match(state.err, /scheduled.*expired/);
    for (const args of [['keys', 'list'], ['keys', 'revoke', 'abc'], ['search', 'river']]) {
      const got = await run([...args, '--data', path.join(dir, 'typo')], at);
      assert.equal(got.code, 1, got.out + got.err);
      assert.match(got.err, /There is no data directory .*typo/);
    }
    assert.ok(!fs.existsSync(path.join(dir, 'typo')), 'it was not made');
  });

  test('config show tells values and origins, secrets as stars', async (t) => {
    const dir = temp_dir(t);
    const file = write_config(dir, { log: { level: 'warn' }, auth: { keys: ['canary-secret-key-0001'] },
      providers: [{ name: 'p', kind: 'openai', base_url: 'http://127.0.0.1:9/v1', api_key: 'canary-secret-key-0002' }] });
    const env = { MAINSTAY_CACHE__TTL: '77s' };
    const got = await run(['config', 'show', '--config', file], { cwd: dir, home: dir, env });
    assert.equal(got.code, 0, got.err);
    assert.match(got.out, /warn/);
    assert.match(got.out, /77/);
    assert.match(got.out, /mainstay\.toml:\d+/);
    assert.match(got.out, /MAINSTAY_CACHE__TTL/);
    assert.doesNotMatch(got.out + got.err, /canary/);
    const json = await run(['config', 'show', '--json', '--config', file], { cwd: dir, home: dir, env });
    assert.equal(typeof JSON.parse(json.out), 'object');
    assert.doesNotMatch(json.out, /canary/);
  });

  test('a bad environment value names the variable', async (t) => {
    const dir = temp_dir(t);
    const got = await run(['config', 'check'], { cwd: dir, home: dir, env: { MAINSTAY_LIMITS__USER__BURST: 'many' } });
    assert.equal(got.code, 78, got.out + got.err);
    assert.match(got.err + got.out, /MAINSTAY_LIMITS__USER__BURST/);
  });

  test('config reference lists the settings that scripts rely on', async () => {
    const got = await run(['config', 'reference']);
    assert.equal(got.code, 0, got.err);
    for (const key of ['server.listen', 'storage.data_dir', 'storage.redis_url', 'storage.postgres_url', 'limits.user.requests_per_minute',
      'limits.user.burst', 'limits.user.queued', 'log.level', 'log.sink']) assert.ok(got.out.includes(key), key);
    const json = await run(['config', 'reference', '--json']);
    assert.equal(typeof JSON.parse(json.out), 'object');
  });

  test('completion prints scripts that their shells accept', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const got = await run(['completion', shell]);
      assert.equal(got.code, 0, `${shell}: ${got.err}`);
      assert.match(got.out, /mainstay/);
      assert.match(got.out, /ingest/);
    }
  });

  test('doctor says what it found, with --json too', async (t) => {
    const dir = temp_dir(t);
    const at = { cwd: dir, home: dir };
    const got = await run(['doctor', '--data', path.join(dir, 'data')], at);
    assert.ok([0, 1].includes(got.code), `${got.code} ${got.err}`);
    assert.ok(got.out.length > 40);
    const json = await run(['doctor', '--json', '--data', path.join(dir, 'data')], at);
    assert.equal(typeof JSON.parse(json.out), 'object');
  });
});

describe('with documents', () => {
  const shared = scope();
  after(() => shared.end());
  let dir;
  let at;
  let data;
  before(async () => {
    dir = temp_dir(shared);
    data = path.join(dir, 'data');
    fs.mkdirSync(path.join(dir, 'docs', 'deep'), { recursive: true });
    fs.writeFileSync(path.join(dir, 'docs', 'boiler.md'), NOTES);
    fs.writeFileSync(path.join(dir, 'docs', 'deep', 'mill.txt'), 'The mill stands beside the river Nidelva since 1683.');
    fs.writeFileSync(path.join(dir, 'docs', 'page.html'), '<h1>Owner</h1><p>The owner is Astrid Haugen.</p>');
    fs.writeFileSync(path.join(dir, 'docs', 'picture.png'), Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 3]));
    const config = write_config(dir, { models: { discover: false } });
    at = { cwd: dir, home: dir, env: { MAINSTAY_MODELS__DISCOVER: 'false' } };
    const got = await run(['ingest', '--config', config, '--data', data, path.join(dir, 'docs')], at);
    assert.equal(got.code, 0, got.err + got.out);
  });

  test('ingest again adds nothing twice', async () => {
    const got = await run(['ingest', '--json', '--data', data, path.join(dir, 'docs')], at);
    assert.equal(got.code, 0, got.err);
    const found = await run(['search', '--json', '--data', data, 'boiler built'], at);
    const { data: hits } = JSON.parse(found.out);
    assert.equal(hits.filter((h) => /Gustav Lindqvist/.test(h.text)).length, 1, found.out);
  });

  test('ask prints the answer and its source, exits 0', async () => {
    const got = await run(['ask', '--data', data, 'Who built the boiler of the mill?'], at);
    assert.equal(got.code, 0, got.err);
    assert.match(got.out, /Gustav Lindqvist/);
    assert.match(got.out, /boiler/i);
    assert.doesNotMatch(got.out, COLOUR, 'no colour into a pipe');
  });

  test('ask --json is one JSON object with citations', async () => {
    const got = await run(['ask', '--json', '--data', data, 'Who is the owner?'], at);
    assert.equal(got.code, 0, got.err);
    const json = JSON.parse(got.out);
    assert.match(JSON.stringify(json), /Astrid Haugen/);
    assert.ok(json.citations.length >= 1);
  });

  test('search prints passages; --json prints the list', async () => {
    const got = await run(['search', '--data', data, 'river'], at);
    assert.equal(got.code, 0, got.err);
    assert.match(got.out, /Nidelva/);
    const json = JSON.parse((await run(['search', '--json', '--data', data, 'river'], at)).out);
    assert.equal(json.object, 'list');
    const none = await run(['search', '--json', '--data', data, 'zzzzqqqq'], at);
    assert.deepEqual(JSON.parse(none.out).data, []);
  });

  test('ingest takes tables and PDFs by itself, other files when they are named, and no hidden ones or links', async (t) => {
    const here = temp_dir(t);
    const put = (name, bytes) => { fs.mkdirSync(path.dirname(path.join(here, name)), { recursive: true }); fs.writeFileSync(path.join(here, name), bytes); };
    put('people.csv', 'name,role\nAda,engineer\n');
    put('.hidden/secret.txt', 'nobody reads this');
    put('.env', 'KEY=1');
    put('build/out.md', '# built');
    put('docs/long.txt', 'The tower of Vardø has seen the northern lights.');
    put('docs/data.bin', Buffer.from([0, 1, 2, 3, 0, 5, 6, 7, 0, 0]));
    put('photo.png', png(20, 10));
    put('app.log', 'The winter was long.');
    const outside = temp_dir(t);
    fs.writeFileSync(path.join(outside, 'foreign.txt'), 'outside of the folder');
    fs.symlinkSync(outside, path.join(here, 'link'));
    fs.symlinkSync(path.join(outside, 'foreign.txt'), path.join(here, 'foreign.txt'));
    const ingest = async (...args) => {
      const got = await run(['ingest', '--json', '--data', data, ...args], at);
      return { ...got, json: got.out ? JSON.parse(got.out) : undefined };
    };
    const names = (got) => got.json.files.map((one) => path.relative(here, one.file)).sort();
    const first = await ingest('--exclude', 'build', '--tag', 'north', '--collection', 'tower', here);
    assert.equal(first.code, 0, first.err);
    assert.deepEqual(names(first), ['docs/long.txt', 'people.csv']);
    assert.deepEqual(first.json.files[0].document.tags, ['north']);
    const again = await ingest('--exclude', 'build', '--tag', 'north', '--collection', 'tower', here);
    assert.deepEqual([again.json.stored, again.json.unchanged], [0, 2]);
    const pictures = await ingest('--include', '*.png', '--include', 'docs/*.txt', here);
    assert.equal(pictures.code, 0, pictures.err);
    assert.deepEqual(names(pictures), ['docs/long.txt', 'photo.png']);
    assert.equal(pictures.json.files.find((one) => one.file.endsWith('png')).document.media_type, 'image/png');
    const mixed = await run(['ingest', '--data', data, path.join(here, 'app.log'), path.join(here, 'docs/data.bin')], at);
    assert.equal(mixed.code, 1, mixed.out);
    assert.match(mixed.out, /^1 stored, 0 unchanged, 1 failed/);
    assert.match(mixed.err, /data\.bin: .*binary/);
    const away = await run(['ingest', '--url', 'http://127.0.0.1:9', path.join(here, 'app.log')], at);
    assert.equal(away.code, 69, away.err);
  });

  test('files of one name below two directories are both kept, and what would still collide is refused', async (t) => {
    const here = temp_dir(t);
    for (const [name, text] of [['one/README.md', 'The ferry leaves from Bodø.'], ['two/README.md', 'The bridge leads to Tromsø.'],
      ['x/two/README.md', 'The tunnel ends in Narvik.']]) {
      fs.mkdirSync(path.dirname(path.join(here, name)), { recursive: true });
      fs.writeFileSync(path.join(here, name), text);
    }
    const ingest = (...names) => run(['ingest', '--json', '--data', data, ...names.map((name) => path.join(here, name))], at);
    const got = await ingest('one', 'two');
    assert.equal(got.code, 0, got.err);
    assert.deepEqual(JSON.parse(got.out).files.map((one) => one.document.source), ['one/README.md', 'two/README.md']);
    for (const [words, place] of [['ferry', 'Bodø'], ['bridge', 'Tromsø']]) {
      assert.match((await run(['search', '--data', data, words], at)).out, new RegExp(place));
    }
    const refused = await ingest('two', 'x/two');
    assert.equal(refused.code, 1, refused.out);
    assert.match(refused.out, /same_source/);
    assert.doesNotMatch((await run(['search', '--data', data, 'tunnel'], at)).out, /Narvik/);
  });

  test('ingest counts what it skips for its kind, and goes on past a directory that cannot be read', async (t) => {
    const here = temp_dir(t);
    for (const name of ['a.md', 'b.docx', 'c.rst', 'deep/d.md', 'z/e.md']) {
      fs.mkdirSync(path.dirname(path.join(here, name)), { recursive: true });
      fs.writeFileSync(path.join(here, name), `The word of ${name}.`);
    }
    const skipped = await run(['ingest', '--data', data, here], at);
    assert.equal(skipped.code, 0, skipped.err);
    assert.match(skipped.out, /^3 stored, 0 unchanged, 0 failed, 2 skipped: kinds that are not read without --include\n$/);
    // A path that is too long cannot be read even where the tests run as root.
    const dig = 'process.chdir(process.argv[1]); for (let i = 0; i < 22; ++i) { fs.mkdirSync("n".repeat(200)); process.chdir("n".repeat(200)); }';
    try {
      assert.equal(spawnSync(process.execPath, ['-e', dig, path.join(here, 'deep')]).status, 0);
      const got = await run(['ingest', '--data', data, here], at);
      assert.equal(got.code, 1, got.out);
      assert.match(got.out, /^0 stored, 3 unchanged, 0 failed, 2 skipped: .*, 1 unreadable\n$/);
      assert.match(got.err, /deep\/n+.*: cannot be read: File name too long/);
      const json = JSON.parse((await run(['ingest', '--json', '--data', data, here], at)).out);
      assert.deepEqual([json.unchanged, json.skipped, json.unreadable.length], [3, 2, 1]);
      assert.match(json.unreadable[0].path, /deep\/n+/);
    } finally {
      spawnSync('rm', ['-rf', path.join(here, 'deep')]);
    }
  });

  test('a small text that is not UTF-8 fails and is not stored', async (t) => {
    const here = temp_dir(t);
    fs.writeFileSync(path.join(here, 'latin.txt'), Buffer.from('The caf\xe9 of \xd8stersund is closed.', 'latin1'));
    fs.writeFileSync(path.join(here, 'good.txt'), 'The café of Östersund is open.');
    const got = await run(['ingest', '--json', '--data', data, '--collection', 'latin', here], at);
    assert.equal(got.code, 1, got.out);
    const json = JSON.parse(got.out);
    assert.deepEqual([json.stored, json.failed], [1, 1]);
    assert.match(json.files.find((one) => one.file.endsWith('latin.txt')).error, /not valid UTF-8/);
    const found = await run(['search', '--json', '--data', data, '--collection', 'latin', 'café closed open'], at);
    assert.deepEqual(JSON.parse(found.out).data.map((one) => one.text), ['The café of Östersund is open.']);
  });

  test('the words behind --set belong to the command', async () => {
    for (const command of ['search', 'ask']) {
      const got = await run([command, '--data', data, '--set', 'log.sink=none', '--set', 'log.level=warn', 'Which river?'], at);
      assert.equal(got.code, 0, got.err);
      assert.match(got.out, /Nidelva/);
    }
    const twice = await run(['config', 'show', '--set', 'log.level=warn', 'cache.ttl=77s'], at);
    assert.equal(twice.code, 2, twice.out);
  });

  test('ingest of something missing fails with 1 and its name', async () => {
    const got = await run(['ingest', '--data', data, path.join(dir, 'nowhere.md')], at);
    assert.equal(got.code, 1, got.err);
    assert.match(got.err, /nowhere\.md/);
  });

  test('NO_COLOR and a pipe mean no escape codes anywhere', async () => {
    for (const args of [['search', '--data', data, 'river'], ['doctor', '--data', data], ['config', 'show']]) {
      const got = await run(args, { ...at, env: { ...at.env, NO_COLOR: '1', TERM: 'xterm-256color' } });
      assert.doesNotMatch(got.out + got.err, COLOUR, args.join(' '));
    }
  });
});

describe('beside a running server', () => {
  test('ask uses the data of a running server or says who holds it', async (t) => {
    const { server } = await pair(t);
    await server.post('/v1/documents', { title: 'Tower', text: 'The tower bell weighs 4200 kilograms.' });
    const got = await run(['ask', '--data', server.data, '--config', path.join(server.dir, 'mainstay.toml'), 'How much does the tower bell weigh?'],
      { cwd: server.dir, home: server.dir });
    assert.equal(got.code, 0, `${got.code} ${got.err}`);
    assert.ok(got.out.length > 5);
    assert.equal((await server.get('/health')).status, 200);
  });

  test('ask sends what standard input holds for -, says refusals, and asks without documents where the key may not', async (t) => {
    const data = `${temp_dir(t)}/data`;
    const chats = await new_key(data, 'chats', '--scopes', 'chat');
    const { server, provider } = await pair(t, { data, config: { auth: { required: true } } });
    const as = { cwd: server.dir, home: server.dir, env: { MAINSTAY_API_KEY: chats.key } };
    const asked = (words, more = {}) => run(['ask', '--url', server.url, '--model', 'openai/model-a', ...words], { ...as, ...more });
    const got = await asked(['Summarise this:', '-'], { input: 'the whole file' });
    assert.equal(got.code, 0, got.err);
    assert.match(got.out, /You said: Summarise this: the whole file/);
    assert.match((await asked(['what', 'is', '5', '-', '3'], { input: 'not read' })).out, /You said: what is 5 - 3/);
    assert.equal((await asked(['-'], { input: ' \n' })).code, 2, 'nothing was asked');
    provider.script({ refusal: 'That I will not do.' });
    const refused = await asked(['harm']);
    assert.match(refused.out, /That I will not do/);
    provider.script({ refusal: 'Nor that.' });
    const simple = await server.post('/chat', { prompt: 'harm again', model: 'openai/model-a' }, bearer(chats.key));
    assert.equal(simple.json.response, 'Nor that.');
  });

  test('ask exits 69 when the only provider is down and nothing may stand in', async (t) => {
    const provider = await provide(t);
    await provider.mode('refuse');
    const dir = temp_dir(t);
    const file = write_config(dir, { models: { discover: false, attempts_max: 1 }, providers: [provider_entry(provider, { name: 'gone' })],
      routes: [{ model: 'model-a', extractive_fallback: false, candidates: [{ provider: 'gone', model: 'model-a' }] }] });
    const got = await run(['ask', '--config', file, '--data', path.join(dir, 'data'), '--model', 'model-a', 'Anybody?'], { cwd: dir, home: dir });
    assert.equal(got.code, 69, `${got.code} ${got.out} ${got.err}`);
    assert.ok(got.err.trim().length > 10);
  });

  test('ask exits 75 or 69 when the provider says to come back later', async (t) => {
    const provider = await provide(t);
    provider.script({ replies: [{ status: 429, retry_after: 3600 }], repeat: true });
    const dir = temp_dir(t);
    const file = write_config(dir, { models: { discover: false, attempts_max: 1 }, providers: [provider_entry(provider, { name: 'busy' })],
      routes: [{ model: 'model-a', extractive_fallback: false, candidates: [{ provider: 'busy', model: 'model-a' }] }] });
    const got = await run(['ask', '--config', file, '--data', path.join(dir, 'data'), '--model', 'model-a', 'Anybody?'], { cwd: dir, home: dir });
    assert.ok([69, 75].includes(got.code), `${got.code} ${got.out} ${got.err}`);
  });

  test('a question through standard input', async (t) => {
    const server = await serve(t);
    await server.stop();
    const got = await run(['ask', '--data', server.data, '-'], { cwd: server.dir, home: server.dir, input: 'What is here?\n', env: { MAINSTAY_MODELS__DISCOVER: 'false' } });
    assert.ok([0, 2].includes(got.code), `${got.code} ${got.err}`);
  });
});
