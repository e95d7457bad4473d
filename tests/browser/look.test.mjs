// How the console looks and loads: accessible, dark by pixels, at home on a phone, small, and silent
// towards everything but its own server.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { scope } from '../e2e/lib/harness.mjs';
import { assert_calm, colours, console_pair, contrast, key_of_admin, launch, luminance, open, until } from './lib/browser.mjs';

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const suite = scope();
const browser = await launch(suite);
after(() => suite.end());

const PAGES = ['#/chat', '#/chat/conv-look', '#/voice', '#/knowledge', '#/jobs', '#/jobs?whose=all', '#/dashboard', '#/operate', '#/operate/keys',
  '#/operate/limits', '#/operate/configuration', '#/operate/logs', '#/operate/doctor', '#/operate/audit', '#/sign-in'];

let server;
before(async () => {
  ({ server } = await console_pair(suite));
  await server.chat({ messages: [{ role: 'user', content: '**bold** [1]' }], conversation: 'conv-look' });
  await server.post('/v1/documents', { collection: 'garden', source: 'roses.md', format: 'markdown', text: '# Roses\n\nWater roses.' });
  await server.post('/v1/jobs', { kind: 'chat', delay: 3600, input: { messages: [{ role: 'user', content: 'x' }] } });
});

/** The findings of axe that matter. It comes by the debugger: the policy of the page stays as it is. */
async function findings(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Runtime.evaluate', { expression: axe });
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return violations.filter((one) => one.impact === 'serious' || one.impact === 'critical')
    .map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(' | ')} ${one.nodes[0]?.any?.[0]?.message ?? ''}`);
}

describe('look', () => {
  for (const [name, how] of [['light', {}], ['dark', { dark: true }], ['on a phone', { phone: true }]]) {
    test(`axe has no serious finding on any page, ${name}`, async (t) => {
      const page = await open(t, browser, server, { admin: key_of_admin(server), ...how });
      for (const hash of PAGES) {
        await page.goto(`${server.url}/${hash}`);
        await page.locator('#main h1').first().waitFor();
        await page.waitForTimeout(400);
        assert.deepEqual(await findings(page), [], hash);
        if (how.phone && hash.startsWith('#/operate')) {
          const tab = await page.locator('.tabs [aria-current=page]').boundingBox();
          assert.ok(tab.x >= 0 && tab.x + tab.width <= 391, `${hash}: its tab is out of sight at ${tab.x}`);
        }
        if (how.phone) {
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(wide <= 0, `${hash} is ${wide} pixels wider than the phone`);
        }
      }
      assert.deepEqual(page.trouble, []);
    });
  }

  test('the policy is never broken on any page, and the server counts no report', async (t) => {
    const reports = async () => (await server.metrics())('mainstay_console_csp_reports_total') ?? 0;
    const before = await reports();
    const page = await open(t, browser, server, { admin: key_of_admin(server) });
    for (const hash of PAGES) {
      await page.goto(`${server.url}/${hash}`);
      await page.locator('#main h1').first().waitFor();
      await page.waitForTimeout(200);
    }
    await assert_calm(page);
    assert.equal(before, 0, 'none came from the pages of the tests before');
    assert.equal(await reports(), 0);
    // It would be seen: the policy forbids what an attacker tries first.
    await page.evaluate(() => { try { document.body.insertAdjacentHTML('beforeend', '<img src=x>'); } catch { /* Trusted Types */ } });
    assert.equal(await page.locator('body > img').count(), 0);
    await until(async () => (await page.evaluate(() => window.violations.length)) > 0, 'the attempt was noticed');
    await until(async () => await reports() > before, 'the browser reported it, and the server counted it');
  });

  test('dark and light by pixels, from the system and by the switch, and kept', async (t) => {
    for (const dark of [true, false]) {
      const page = await open(t, browser, server, { dark });
      const back = async () => luminance((await colours(page))[0].rgb);
      const isDark = (value) => value < 0.05;
      assert.equal(isDark(await back()), dark);
      await page.getByRole('button', { name: dark ? 'Light colours' : 'Dark colours' }).click();
      assert.equal(isDark(await back()), !dark);
      await page.reload();
      await page.getByLabel('Your question').waitFor();
      assert.equal(isDark(await back()), !dark, 'kept');
      const [face, ...others] = await colours(page, page.locator('#main h1'));
      assert.ok(others.some((one) => contrast(face.rgb, one.rgb) > 10), 'the title stands out');
    }
  });

  test('all of it is below 60 KB compressed, and the page paints soon', async (t) => {
    const page = await open(t, browser, server);
    const names = ['/', ...await page.evaluate(() => performance.getEntriesByType('resource').map((one) => new URL(one.name).pathname).filter((name) => name.startsWith('/assets/')))];
    let total = 0;
    for (const name of new Set(names)) {
      const reply = await server.get(name, { 'accept-encoding': 'gzip' });
      assert.equal(reply.headers['content-encoding'], 'gzip', name);
      total += Number(reply.headers['content-length']);
    }
    t.diagnostic(`${total} bytes`);
    assert.ok(total <= 60 * 1024, `${total} bytes`);
    const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
    t.diagnostic(`first paint after ${Math.round(paint)} ms`);
    assert.ok(paint < 3000, `${paint} ms`);
  });

  test('everything in the chat is reached by keyboard', async (t) => {
    const page = await open(t, browser, server, { admin: key_of_admin(server), hash: '#/sign-in' });
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    await page.getByRole('link', { name: 'Chat', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.getByLabel('Your question').waitFor();
    const seen = new Set();
    for (let i = 0; i < 40; i += 1) {
      await page.keyboard.press('Tab');
      seen.add(await page.evaluate(() => { const it = document.activeElement; return it.getAttribute('aria-label') ?? it.textContent.trim(); }));
    }
    for (const name of ['Knowledge', 'Dashboard', 'Search conversations', 'New conversation', 'Your question', 'Attach documents or pictures', 'Answer from', 'Model']) {
      assert.ok(seen.has(name), `${name}: ${[...seen].join(', ')}`);
    }
    await page.getByRole('link', { name: 'Jobs' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Jobs' }).waitFor();
    await until(() => page.evaluate(() => document.activeElement.tagName === 'H1'), 'the new page has the focus');
    assert.equal(await page.title(), 'Jobs · Mainstay');
  });

  test('a server that is away is told, and the page comes back by itself', async (t) => {
    const page = await open(t, browser, server, { hash: '#/jobs' });
    await page.context().setOffline(true);
    await page.getByText('The server cannot be reached').first().waitFor();
    await page.context().setOffline(false);
    await page.getByText('This page tries again by itself').waitFor({ state: 'detached' });
  });
});
