// The operate pages: keys, maintenance, configuration, logs, doctor, audit; and who may do what.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { scope, temp_dir } from '../e2e/lib/harness.mjs';
import { bearer, new_key } from '../e2e/lib/people.mjs';
import { ask, assert_calm, close_dialog, console_pair, key_of_admin, launch, open, until } from './lib/browser.mjs';

const suite = scope();
const browser = await launch(suite);
after(() => suite.end());

async function operated(t, hash, more = {}) {
  const { server, provider } = await console_pair(t, more);
  const page = await open(t, browser, server, { hash, admin: key_of_admin(server) });
  return { server, provider, page };
}

describe('operate', () => {
  test('a key is made, works, and is revoked', async (t) => {
    const { server, page } = await operated(t, '#/operate/keys', { config: { limits: { enabled: true } } });
    await page.getByText('No keys yet').waitFor();
    await page.getByRole('button', { name: 'New key' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill('laptop');
    await dialog.getByLabel('Requests a minute').fill('7');
    await dialog.getByRole('button', { name: 'Make key' }).click();
    const key = await page.locator('[data-test=new-key]').innerText();
    assert.match(key, /^ms_/);
    assert.equal((await server.get('/v1/me', bearer(key))).json.limits.requests_per_minute, 7);
    await close_dialog(page);
    await page.locator('tr', { hasText: 'laptop' }).getByText('active').waitFor();
    assert.equal(await page.getByText(key).count(), 0, 'it is shown once');
    await page.locator('tr', { hasText: 'laptop' }).getByRole('button', { name: 'Revoke' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    await page.locator('tr', { hasText: 'laptop' }).getByText('revoked').waitFor();
    assert.equal((await server.get('/v1/me', bearer(key))).status, 401);
    await assert_calm(page);
  });

  test('maintenance refuses new work with the message, and ends', async (t) => {
    const { server, page } = await operated(t, '#/operate');
    const card = page.locator('section[aria-label=Maintenance]');
    await card.getByLabel('Message').fill('Back at noon.');
    await card.getByRole('button', { name: 'Refuse new work' }).click();
    await card.getByText('Back at noon.').waitFor();
    const refused = await server.chat('hello');
    assert.equal(refused.status, 503);
    assert.equal(refused.json.error.message.includes('Back at noon.'), true);
    await card.getByRole('button', { name: 'Take work again' }).click();
    await card.getByText('off').waitFor();
    assert.equal((await server.chat('hello')).status, 200);
    await page.goto(`${server.url}/#/operate/audit`);
    await page.locator('tbody tr', { hasText: 'maintenance' }).first().waitFor();
    await assert_calm(page);
  });

  test('cleanup, cache invalidation and a reload with its differences', async (t) => {
    const { server, page } = await operated(t, '#/operate');
    await page.getByRole('button', { name: 'Clean up now' }).click();
    await page.getByText(/given back\./).waitFor();
    await page.getByRole('button', { name: 'Invalidate the cache' }).click();
    await page.getByText('thrown away and read again').first().waitFor();
    const file = path.join(server.dir, 'mainstay.toml');
    fs.writeFileSync(file, `${fs.readFileSync(file, 'utf8')}\n[limits.user]\nrequests_per_minute = 77\n`);
    await page.getByRole('button', { name: 'Reload and show differences' }).click();
    const changed = page.locator('[aria-label="Changed settings"] tr', { hasText: 'limits.user.requests_per_minute' });
    await changed.getByText('77', { exact: true }).waitFor();
    assert.match(await changed.innerText(), /30\s+77$/, 'before and now');
    await page.goto(`${server.url}/#/operate/configuration`);
    await page.locator('tr', { hasText: 'limits.user.requests_per_minute' }).getByText('77', { exact: true }).waitFor();
    await page.getByLabel('Find a setting').fill('limits.user.burst');
    await page.getByLabel('Only what differs').uncheck();
    await page.locator('tr', { hasText: 'limits.user.burst' }).waitFor();
    await page.goto(`${server.url}/#/operate`);
    fs.writeFileSync(file, `${fs.readFileSync(file, 'utf8')}\nnonsense = 1\n`);
    await page.getByRole('button', { name: 'Reload and show differences' }).click();
    await page.locator('.note.bad').first().waitFor();
    await assert_calm(page);
  });

  test('the log is followed and filtered', async (t) => {
    const { server, page } = await operated(t, '#/operate/logs');
    await page.getByText('live', { exact: true }).waitFor();
    await page.locator('.logline').first().waitFor();
    const before = await page.locator('.logline').count();
    await server.post('/admin/maintenance', { enabled: false }, bearer(key_of_admin(server)));
    await page.locator('.logline', { hasText: 'audit' }).first().waitFor();
    assert.ok(await page.locator('.logline').count() > before);
    await page.getByLabel('Text in the line').fill('audit');
    await until(async () => (await page.locator('.logline').allInnerTexts()).every((line) => line.includes('audit')) &&
      await page.locator('.logline').count() > 0, 'only lines with the text');
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('paused').waitFor();
    await assert_calm(page);
  });

  test('doctor, limits and tasks are shown', async (t) => {
    const { server, page } = await operated(t, '#/operate/doctor');
    await page.locator('tbody tr').first().waitFor({ timeout: 30_000 });
    await page.getByRole('button', { name: 'Look again' }).click();
    const warnings = await page.locator('tbody .chip.warn').count();
    await page.getByText(warnings ? `${warnings} warning` : 'Nothing is wrong.').first().waitFor();
    await page.goto(`${server.url}/#/operate/limits`);
    await page.locator('tr', { hasText: 'requests per minute' }).waitFor();
    await page.goto(`${server.url}/#/operate`);
    await page.locator('section[aria-label="Background tasks"] tbody tr').first().waitFor();
    await assert_calm(page);
  });

  test('who may only look is told so and can change nothing', async (t) => {
    const data = `${temp_dir(t)}/data`;
    const board = await new_key(data, 'board', '--scopes', 'admin:read');
    const { server } = await console_pair(t, { data });
    const page = await open(t, browser, server, { hash: '#/operate', admin: board.key });
    await page.getByText('read only').first().waitFor();
    for (const name of ['Refuse new work', 'Clean up now', 'Reload and show differences']) {
      assert.equal(await page.getByRole('button', { name }).isDisabled(), true, name);
    }
    await page.goto(`${server.url}/#/operate/keys`);
    await page.locator('tr', { hasText: 'board' }).waitFor();
    assert.equal(await page.getByRole('button', { name: 'New key' }).isDisabled(), true);
    await page.goto(`${server.url}/#/dashboard`);
    await page.locator('canvas').first().waitFor();
    await assert_calm(page);
  });
});

describe('signing in', () => {
  test('a wrong key is refused in words; the admin key opens administration and nothing else changes', async (t) => {
    const { server } = await console_pair(t);
    const page = await open(t, browser, server, { hash: '#/dashboard' });
    await page.getByText('An administrator’s page').waitFor();
    await page.locator('#main').getByRole('link', { name: 'Sign in' }).click();
    const card = page.locator('section[aria-label=Administration]');
    await card.getByLabel('Key or token').fill('ms_wrong');
    await card.getByRole('button', { name: 'Sign in' }).click();
    await card.locator('.note.bad').waitFor();
    await card.getByLabel('Key or token').fill(key_of_admin(server));
    await card.getByRole('button', { name: 'Sign in' }).click();
    await card.getByText('signed in').waitFor();
    assert.equal(await page.getByText('Local, admin').count(), 1, 'the user stays this machine');
    assert.deepEqual(await page.context().cookies(), []);
    assert.equal(await page.evaluate(() => JSON.stringify(localStorage).includes('admin')), false);
    await card.getByRole('button', { name: 'Sign out' }).click();
    await card.getByLabel('Key or token').waitFor();
    await page.goto(`${server.url}/#/operate`);
    await page.getByText('An administrator’s page').waitFor();
    await assert_calm(page);
  });

  test('a server that asks for keys shows the way in, and two users never see each other', async (t) => {
    const data = `${temp_dir(t)}/data`;
    const ann = await new_key(data, 'ann', '--user', 'ann');
    const bob = await new_key(data, 'bob', '--user', 'bob');
    const { server } = await console_pair(t, { data, config: { auth: { required: true } } });
    const stranger = await open(t, browser, server, { hash: '#/chat' });
    await stranger.getByText('A key is needed').waitFor();
    await stranger.locator('#main').getByRole('link', { name: 'Sign in' }).click();
    const you = stranger.locator('section[aria-label=You]');
    await you.getByLabel('Key or token').fill(ann.key);
    await you.getByRole('button', { name: 'Sign in' }).click();
    await you.getByText('signed in').waitFor();
    await stranger.goto(`${server.url}/#/chat`);
    await ask(stranger, 'the secret of ann');
    await stranger.getByText('You said: the secret of ann').waitFor();
    await server.post('/v1/jobs', { kind: 'chat', delay: 3600, input: { messages: [{ role: 'user', content: 'x' }] } }, bearer(ann.key));

    const other = await open(t, browser, server, { user: bob.key });
    await other.getByText('Conversations appear here').waitFor();
    await other.goto(stranger.url());
    await other.locator('.note.bad').waitFor();
    assert.equal((await other.locator('body').innerText()).includes('secret of ann'), false);
    await other.goto(`${server.url}/#/jobs`);
    await other.getByText('No jobs yet').waitFor();
    await stranger.goto(`${server.url}/#/jobs`);
    await stranger.locator('tr[data-job]').waitFor();
    await assert_calm(other);
  });
});
