// The dashboard: live charts with history and tables, one stream, paused when hidden, alerts, slow
// requests, and no growth while it is open (BROWSER_MEMORY_SECONDS, 20 unless told).
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { pause, scope } from '../e2e/lib/harness.mjs';
import { assert_calm, colours, console_pair, contrast, key_of_admin, launch, open, until } from './lib/browser.mjs';

const suite = scope();
const browser = await launch(suite);
after(() => suite.end());

const chart = (page, title) => page.locator('.chart', { has: page.getByRole('heading', { name: title, exact: true }) });
const looks = (page) => page.asked.filter((one) => one.includes('/admin/live')).length;

async function watched(t, more = {}) {
  const { server, provider } = await console_pair(t, { config: { admin: { slow_threshold: '400ms' } } });
  for (let i = 0; i < 5; i += 1) await server.chat(`warm ${i}`);
  await until(async () => (await server.get('/admin/history?step=1s', { authorization: `Bearer ${key_of_admin(server)}` })).json.times.length > 2, 'history');
  const page = await open(t, browser, server, { hash: '#/dashboard', admin: key_of_admin(server), ...more });
  await chart(page, 'Requests').locator('canvas').waitFor();
  return { server, provider, page };
}

describe('dashboard', () => {
  test('charts are drawn in the colours of the theme, axes included, and tell the same as their tables', async (t) => {
    for (const dark of [false, true]) {
      const { page } = await watched(t, { dark });
      await chart(page, 'Memory').scrollIntoViewIfNeeded();
      const wanted = await page.evaluate(() => ['--line-2', '--faint'].map((name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()));
      const rgb_of = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
      const near = (found, rgb) => found.filter((one) => one.rgb.every((v, i) => Math.abs(v - rgb[i]) < 40)).reduce((sum, one) => sum + one.count, 0);
      let found = [];
      await until(async () => {
        found = await colours(page, chart(page, 'Memory').locator('canvas'));
        return wanted.every((hex) => near(found, rgb_of(hex)) > 20);
      }, `${dark ? 'dark' : 'light'}: pixels near ${wanted}`);
      for (const hex of wanted) assert.ok(contrast(rgb_of(hex), found[0].rgb) > 4.4, `${hex} on ${found[0].rgb}`);
      await chart(page, 'Requests').getByRole('button', { name: 'Requests as a table' }).click();
      const rows = chart(page, 'Requests').locator('tbody tr');
      await until(async () => await rows.count() >= 2, 'two rows');
      await assert_calm(page);
    }
  });

  test('new figures come by themselves, over one stream, and none while the page is hidden', async (t) => {
    const { server, page } = await watched(t);
    const newest = () => chart(page, 'Requests').locator('tbody tr').first().locator('td').first().innerText();
    await chart(page, 'Requests').getByRole('button', { name: 'Requests as a table' }).click();
    const before = await newest();
    await until(async () => await newest() !== before, 'a new sample');
    assert.equal(looks(page), 1);
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { configurable: true, value: true });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    const frozen = await newest();
    await pause(2500);
    assert.equal(await newest(), frozen);
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { configurable: true, value: false });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await until(async () => await newest() !== frozen, 'goes on');
    await until(() => looks(page) === 2, 'the stream is opened again');
    await page.goto(`${server.url}/#/chat`);
    await page.getByLabel('Your question').waitFor();
    await assert_calm(page);
  });

  test('every fixed chart has figures: what it asks for is measured', async (t) => {
    const { page } = await watched(t);
    await chart(page, 'Permit held').waitFor();
    for (const [title, words] of [['Jobs', /queued 0.*running 0.*scheduled 0.*not ended 0.*given up 0/s], ['Permits', /in use \d.*limit \d.*waiting \d/s],
      ['Requests', /all [\d.]+\/s/], ['Memory', /resident \d.*heap \d/s]]) {
      await until(async () => words.test(await chart(page, title).locator('.legend').innerText()), `${title}: ${words}`);
    }
  });

  test('the pointer shows the figures of its moment in all charts', async (t) => {
    const { page } = await watched(t);
    const plot = chart(page, 'Requests').locator('.u-over');
    const box = await plot.boundingBox();
    await page.mouse.move(box.x + box.width - 2, box.y + box.height / 2);
    await chart(page, 'Requests').locator('.legend', { hasText: /\d\d:\d\d:\d\d/ }).waitFor();
    await chart(page, 'Latency').locator('.legend', { hasText: /\d\d:\d\d:\d\d/ }).waitFor();
    await page.mouse.move(2, 2);
    await chart(page, 'Latency').locator('.legend', { hasText: /\d\d:\d\d:\d\d/ }).waitFor({ state: 'detached' });
  });

  test('maintenance is a banner; slow requests show where their time went; a day is a choice', async (t) => {
    const { server, provider, page } = await watched(t);
    provider.script({ match: { text: 'slow' }, replies: [{ text: 'at last', delay_ms: 600 }] });
    await server.chat('a slow one');
    await server.post('/admin/maintenance', { enabled: true, message: 'Back at noon.' }, { authorization: `Bearer ${key_of_admin(server)}` });
    await page.getByText('Maintenance: new work is refused.').waitFor();
    await page.locator('[aria-label="Slow requests"] tbody tr', { hasText: '/v1/chat/completions' }).first().waitFor();
    await page.getByRole('button', { name: '24 h' }).click();
    await page.getByRole('button', { name: '1 h', exact: true }).click();
    await page.getByText('Provider').first().waitFor();
    await assert_calm(page);
  });

  test('the stream comes back after the server was away', async (t) => {
    const { page } = await watched(t);
    await page.getByText('live', { exact: true }).waitFor();
    await page.context().setOffline(true);
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { configurable: true, value: true });
      document.dispatchEvent(new Event('visibilitychange'));
      Object.defineProperty(document, 'hidden', { configurable: true, value: false });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await page.getByText('not connected').waitFor();
    await page.context().setOffline(false);
    await page.getByText('live', { exact: true }).waitFor({ timeout: 20_000 });
  });

  test('an open dashboard does not grow', async (t) => {
    const seconds = Number(process.env.BROWSER_MEMORY_SECONDS ?? 20);
    const settled = Math.min(120, seconds / 2);
    const { server, page } = await watched(t);
    // Every row of the slow requests is another one at each look, so that a row which stays in memory shows.
    let serial = 0;
    const row = () => ({ id: `req_${serial += 1}`, at: new Date().toISOString(), method: 'POST', route: '/v1/chat/completions', status: 200,
      total_ms: 900, queue_ms: 10, first_token_ms: 400, provider: 'scripted', model: 'm', stream: true });
    await page.route('**/admin/slow*', (route) => route.fulfill({ json: { threshold_ms: 400, total: serial, data: Array.from({ length: 25 }, row) } }));
    const session = await page.context().newCDPSession(page);
    await session.send('Performance.enable');
    /** After two collections: what one frees may hold what the next one frees. */
    const figures = async () => {
      for (let i = 0; i < 2; i += 1) await session.send('HeapProfiler.collectGarbage');
      const { metrics } = await session.send('Performance.getMetrics');
      const of = (name) => metrics.find((one) => one.name === name).value;
      const shown = await page.evaluate(() => {
        const walk = document.createTreeWalker(document);
        let count = 1;
        while (walk.nextNode()) count += 1;
        return count;
      });
      return { heap: of('JSHeapUsedSize'), nodes: of('Nodes'), shown, listeners: of('JSEventListeners') };
    };
    const traffic = setInterval(() => { server.chat('more').catch(() => {}); }, 500);
    t.after(() => clearInterval(traffic));
    await pause(settled * 1000);
    const first = await figures();
    const series = await page.evaluate(async (key) => {
      const reply = await fetch('/admin/history?step=1s', { headers: { authorization: `Bearer ${key}` } });
      return Object.keys((await reply.json()).series).length;
    }, key_of_admin(server));
    await pause((seconds - settled) * 1000);
    const last = await figures();
    t.diagnostic(`from second ${settled} to ${seconds}: ${JSON.stringify(first)} -> ${JSON.stringify(last)}, ${series} columns`);
    // Samples are kept for an hour, 8 bytes each, in arrays that grow by half; 400 kB are the rest's.
    const kept = (seconds - settled) * series * 8 * 1.5;
    assert.ok(last.heap - first.heap < 400_000 + kept, `heap grew by ${last.heap - first.heap}, samples by ${kept}`);
    // What the page shows may grow to its bounds (25 slow requests, 12 lines a chart). Of what it let go one list of
    // slow requests (546 nodes) may be there until the next, never a second.
    const loose = (of) => of.nodes - of.shown;
    assert.ok(serial >= 25 * (seconds - settled) / 10, `${serial} rows were shown`);
    assert.ok(loose(last) - loose(first) < 700, `nodes outside the page grew by ${loose(last) - loose(first)}`);
    assert.ok(last.shown < 4000, `${last.shown} nodes are shown`);
    assert.ok(last.listeners - first.listeners < 50, `listeners grew by ${last.listeners - first.listeners}`);
    await assert_calm(page);
  });
});
