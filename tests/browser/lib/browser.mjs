// Debian's Chromium with pages of the console in it, for the suites of this folder. Each page notes
// what must not happen: exceptions, violations of the Content-Security-Policy, requests to elsewhere.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { cleanup, pair, pause } from '../../e2e/lib/harness.mjs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const WAIT_MS = 15_000;

/** One browser for a suite: `t` is what the suite's end is told to. */
export async function launch(t, args = []) {
  const browser = await chromium.launch({ executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--lang=en-US', ...args] });
  cleanup(t, () => browser.close());
  return browser;
}

export const key_of_admin = (server) => fs.readFileSync(path.join(server.data, 'admin.key'), 'utf8').trim();

/**
 * A page of the console, signed in as asked. Options: url (default: the server's), hash, user and admin
 * (keys), dark, phone, permissions. `page.trouble` is empty as long as all is well.
 */
export async function open(t, browser, server, { url = server.url, hash = '#/chat', user, admin, dark = false, phone = false,
  permissions = [], viewport } = {}) {
  const context = await browser.newContext({ colorScheme: dark ? 'dark' : 'light', permissions, locale: 'en-US',
    viewport: viewport ?? (phone ? { width: 390, height: 780 } : { width: 1280, height: 860 }), reducedMotion: 'reduce' });
  cleanup(t, () => context.close());
  await context.addInitScript(([one, other]) => {
    if (one) sessionStorage.setItem('mainstay.key', one);
    if (other) sessionStorage.setItem('mainstay.admin', other);
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (e) => window.violations.push(`${e.violatedDirective}: ${e.blockedURI} ${e.sample}`));
  }, [user, admin]);
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  page.trouble = [];
  page.asked = [];
  page.on('pageerror', (error) => page.trouble.push(`exception: ${error.stack}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource') && !/WebSocket|ERR_/.test(message.text())) page.trouble.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    page.asked.push(`${request.method()} ${request.url()}`);
    const at = new URL(request.url());
    if (at.protocol !== 'data:' && at.protocol !== 'blob:' && at.origin !== new URL(url).origin) page.trouble.push(`a request to ${request.url()}`);
  });
  await page.goto(`${url}/${hash}`);
  await page.locator('#main h1').first().waitFor();
  return page;
}

/** Nothing happened on the page that must not. */
export async function assert_calm(page) {
  assert.deepEqual(await page.evaluate(() => window.violations), []);
  assert.deepEqual(page.trouble, []);
}

/** Asks in the chat. */
export async function ask(page, text) {
  await enter(page.getByLabel('Your question'), text);
}

/** Fills a field and presses Enter in it, wherever the focus has gone meanwhile. */
export async function enter(field, text) {
  await field.fill(text);
  await field.press('Enter');
}

/** Escape closes the dialog; the page is behind it a moment later. */
export async function close_dialog(page) {
  await page.locator('dialog[open]').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
}

/** The console before a scripted provider: {server, provider}. */
export function console_pair(t, { config = {}, ...more } = {}) {
  return pair(t, { ...more, config: { cache: { enabled: false }, ...config } });
}

/**
 * A fixed address before a server that may be restarted: to(server) names the one behind it, cut()
 * breaks all connections, refuse(true) lets nobody in.
 */
export async function front(t) {
  const sockets = new Set();
  const self = { port: 0, behind: 0, refusing: false };
  const listener = net.createServer((client) => {
    if (self.refusing || !self.behind) return client.destroy();
    const inner = net.connect(self.behind, '127.0.0.1');
    for (const [one, other] of [[client, inner], [inner, client]]) {
      sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => { sockets.delete(one); other.destroy(); });
    }
    return undefined;
  });
  await new Promise((go) => listener.listen(0, '127.0.0.1', go));
  self.url = `http://127.0.0.1:${listener.address().port}`;
  self.to = (server) => { self.behind = server ? server.port : 0; };
  self.cut = () => { for (const socket of [...sockets]) socket.destroy(); };
  self.refuse = (yes) => { self.refusing = yes; if (yes) self.cut(); };
  cleanup(t, () => { self.cut(); listener.close(); });
  return self;
}

/** Asks again until it holds. */
export async function until(condition, what, limit_ms = WAIT_MS) {
  const began = performance.now();
  for (;;) {
    const got = await condition();
    if (got) return got;
    if (performance.now() - began > limit_ms) throw new Error(`did not come true: ${what}`);
    await pause(50);
  }
}

/** What a screenshot of a part of the page looks like: its colours, with how many pixels have them. */
export async function colours(page, locator) {
  const png = (await (locator ?? page).screenshot()).toString('base64');
  return page.evaluate(async (data) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const canvas = new OffscreenCanvas(picture.width, picture.height);
    const context = canvas.getContext('2d');
    context.drawImage(picture, 0, 0);
    const { data: rgba } = context.getImageData(0, 0, picture.width, picture.height);
    const found = new Map();
    for (let i = 0; i < rgba.length; i += 4) {
      const name = `${rgba[i]},${rgba[i + 1]},${rgba[i + 2]}`;
      found.set(name, (found.get(name) ?? 0) + 1);
    }
    return [...found].map(([name, count]) => ({ rgb: name.split(',').map(Number), count })).sort((a, b) => b.count - a.count);
  }, png);
}

/** Relative luminance, 0 to 1. */
export function luminance([r, g, b]) {
  const part = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
}
export function contrast(one, other) {
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}
