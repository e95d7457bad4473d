// The configuration changes while the program serves: by the admin API, the signal, the file itself.
// No request is lost, and what is wrong changes nothing.   proves V2; fault row 39
// MAINSTAY_RELOADS=1000 runs the full number.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { assert_error, pair, pause, provide, provider_entry, serve } from './lib/harness.mjs';

const RELOADS = Number(process.env.MAINSTAY_RELOADS ?? 60);
const ask = (text) => ({ model: 'model-a', messages: [{ role: 'user', content: text }] });
const config_of = (server) => path.join(path.dirname(server.data), 'mainstay.toml');
const admin_of = (server) => ({ 'x-api-key': fs.readFileSync(path.join(server.data, 'admin.key'), 'utf8').trim() });

/** Replaces text in the server's configuration file, as an editor does: write beside it, then rename. */
function rewrite(server, change) {
  const file = config_of(server);
  const text = change(fs.readFileSync(file, 'utf8'));
  fs.writeFileSync(`${file}.new`, text);
  fs.renameSync(`${file}.new`, file);
}
const with_line = (text, table, line) => text.includes(`[${table}]`)
  ? text.replace(`[${table}]`, `[${table}]\n${line}`) : `${text}\n[${table}]\n${line}\n`;
const set_burst = (n) => (text) => with_line(text.replace(/^burst = .*\n/gm, ''), 'limits.user', `burst = ${n}`);
const reload = (server) => server.post('/admin/reload', undefined, admin_of(server));

describe('reload', () => {
  test('POST /admin/reload brings a change into force and names it', async (t) => {
    const { server } = await pair(t);
    rewrite(server, set_burst(7));
    const got = await reload(server);
    assert.equal(got.status, 200, got.text);
    assert.deepEqual(got.json.changed, ['limits.user.burst']);
    assert.equal(got.json.version, 2);
    const shown = await server.get('/admin/config', admin_of(server));
    assert.equal(shown.json.settings['limits.user.burst'].value, 7);
    assert.deepEqual((await reload(server)).json.changed, [], 'once');
  });

  test('fault_39 a wrong file changes nothing and says why; the next right one is taken', async (t) => {
    const { server } = await pair(t);
    const before = fs.readFileSync(config_of(server), 'utf8');
    rewrite(server, (text) => with_line(text, 'limits.user', 'brust = 7'));
    const got = await reload(server);
    assert_error(got, 422);
    assert.match(got.json.error.message, /brust/);
    assert.match(got.json.error.message, /burst/, 'offers the right name');
    assert.equal((await server.chat(ask('still'))).status, 200);
    const admin = admin_of(server);
    const health = await server.get('/admin/resources/health', admin);
    assert.equal(health.json.checks.config_cache, false);
    assert.equal((await server.metrics())('mainstay_config_reload_success'), 0);
    await server.until(() => /config\.reload_failed/.test(server.err), 'the log says so');
    rewrite(server, () => before);
    assert.equal((await reload(server)).status, 200);
    assert.equal((await server.metrics())('mainstay_config_reload_success'), 1);
  });

  test('a value that the next start would refuse is refused by a reload', async (t) => {
    const { server } = await pair(t);
    rewrite(server, (text) => with_line(set_burst(7)(text), 'storage', 'redis_url = "http://nowhere"'));
    assert_error(await reload(server), 422);
    const shown = await server.get('/admin/config', admin_of(server));
    assert.notEqual(shown.json.settings['limits.user.burst'].value, 7, 'the old configuration stays');
  });

  test('SIGHUP reloads', async (t) => {
    const { server } = await pair(t);
    rewrite(server, set_burst(8));
    server.child.kill('SIGHUP');
    await server.until(() => /config\.reloaded.*"why":"signal"/.test(server.err), 'reloaded by the signal');
    assert.equal((await server.get('/admin/config', admin_of(server))).json.settings['limits.user.burst'].value, 8);
  });

  test('a changed file is noticed by itself; a deleted one keeps the settings', async (t) => {
    const { server } = await pair(t, { config: { reload: { check_interval: '50ms' } } });
    rewrite(server, set_burst(9));
    await server.until(() => /config\.reloaded.*"why":"file"/.test(server.err), 'noticed');
    fs.rmSync(config_of(server));
    await server.until(() => /config\.reload_failed.*"why":"file"/.test(server.err), 'noticed that it is gone');
    assert.equal((await server.get('/admin/config', admin_of(server))).json.settings['limits.user.burst'].value, 9);
    const audit = await server.get('/admin/audit', admin_of(server));
    assert.ok(audit.json.data.some((e) => e.who === 'file' && e.outcome === 'done'), audit.text);
  });

  test('what needs a restart is named and waits', async (t) => {
    const { server } = await pair(t);
    rewrite(server, (text) => with_line(text, 'offload', 'threads = 3'));
    const got = await reload(server);
    assert.deepEqual(got.json.restart_needed, ['offload.threads'], got.text);
    assert.deepEqual(got.json.changed, []);
    assert.match(got.json.message, /restart/);
  });

  test('a new provider takes over; a stream on the old one ends well', async (t) => {
    const { server, provider } = await pair(t);
    provider.script({ tokens: ['one', ' two', ' three'], gate: 'g', gate_at: 1 });
    const reader = await server.open_stream(ask('old one'));
    assert.equal(await reader.next_text(), 'one');
    const other = await provide(t, {});
    rewrite(server, (text) => text.replaceAll(`:${provider.port}`, `:${other.port}`));
    const got = await reload(server);
    assert.equal(got.status, 200, got.text);
    assert.equal(got.json.cache_emptied, true);
    const before = other.requests.filter((r) => r.format).length;
    assert.equal((await server.chat(ask('new one'))).status, 200);
    assert.equal(other.requests.filter((r) => r.format).length, before + 1, 'the new one is asked');
    provider.open('g');
    const all = await reader.all();
    assert.equal(all.text, ' two three', all.raw);
    assert.equal(all.done, 1);
  });

  test(`${RELOADS} reloads under load lose no request`, { timeout: 300_000 }, async (t) => {
    const { server, provider } = await pair(t);
    const entry = provider_entry(provider);
    assert.ok(entry.base_url);
    let running = true;
    let answered = 0;
    const wrong = [];
    const asker = async (who) => {
      for (let i = 0; running; i += 1) {
        const got = i % 3 === 2
          ? await server.stream(ask(`${who} ${i}`)).catch((e) => ({ status: String(e) }))
          : await server.chat(ask(`${who} ${i}`)).catch((e) => ({ status: String(e) }));
        if (got.status === 200 && (i % 3 !== 2 || got.done === 1)) answered += 1;
        else wrong.push(got.status);
      }
    };
    const askers = Array.from({ length: 8 }, (_, i) => asker(`asker-${i}`));
    const admin = admin_of(server);
    for (let i = 0; i < RELOADS; i += 1) {
      // Every other reload makes the models anew, too.
      const seconds = 200 + (i >> 1);
      rewrite(server, (text) => with_line(set_burst(10 + i)(text).replace(/^total_timeout = .*\n/gm, ''), 'models',
        `total_timeout = "${seconds}s"`));
      const got = await server.post('/admin/reload', undefined, admin);
      assert.equal(got.status, 200, got.text);
      assert.ok(got.json.changed.includes('limits.user.burst'), got.text);
    }
    running = false;
    await Promise.all(askers);
    assert.deepEqual(wrong, [], `${wrong.length} lost beside ${answered}`);
    assert.ok(answered > RELOADS, `${answered} answered`);
    const stats = (await server.get('/admin/resources/stats', admin)).json;
    assert.equal(stats.config_cache.version, RELOADS + 1);
    assert.equal(stats.config_cache.failures, 0);
    assert.equal(stats.resource_manager.http_clients_created, 1);
    assert.ok(stats.config_cache.hits > stats.config_cache.misses || RELOADS > 500, JSON.stringify(stats.config_cache));
    await pause(0);
  });

  test('the configuration cache hits for more than 95 % of reads', async (t) => {
    const { server } = await pair(t);
    for (let i = 0; i < 200; i += 1) await server.get('/health/ready');
    const { config_cache } = (await server.get('/admin/resources/stats', admin_of(server))).json;
    assert.ok(config_cache.hit_rate > 95, JSON.stringify(config_cache));
  });
});
