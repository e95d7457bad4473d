// The jobs page: states as they change, dead letters with their reason, retry, cancel, everybody's.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { scope } from '../e2e/lib/harness.mjs';
import { assert_calm, close_dialog, console_pair, key_of_admin, launch, open, until } from './lib/browser.mjs';

const suite = scope();
const browser = await launch(suite);
after(() => suite.end());

const order = (text, more = {}) => ({ kind: 'chat', input: { model: 'model-a', messages: [{ role: 'user', content: text }] }, ...more });
const state = (page, id) => page.locator(`tr[data-job="${id}"] .chip`);

describe('jobs', () => {
  test('a job is seen from queue to end without a reload', async (t) => {
    const { server, provider } = await console_pair(t);
    provider.script({ match: { text: 'slow' }, replies: [{ text: 'done at last', gate: 'go' }] });
    const page = await open(t, browser, server, { hash: '#/jobs' });
    await page.getByText('No jobs yet').waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    const { id } = (await server.post('/v1/jobs', order('slow'))).json;
    await state(page, id).getByText('running').waitFor();
    await page.locator(`tr[data-job="${id}"] a`).click();
    await page.getByRole('dialog').getByText('running').waitFor();
    provider.open('go');
    await page.getByRole('dialog').getByText('succeeded').first().waitFor();
    await page.getByRole('dialog').getByText('done at last').waitFor();
    await close_dialog(page);
    await state(page, id).getByText('succeeded').waitFor();
    await page.locator(`tr[data-job="${id}"]`).getByRole('button', { name: 'Forget this job' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Forget' }).click();
    await state(page, id).waitFor({ state: 'detached' });
    await assert_calm(page);
  });

  test('a dead job shows why, and a retry brings it back', async (t) => {
    const { server } = await console_pair(t);
    const { id } = (await server.post('/v1/jobs', { ...order('x'), input: { model: 'no-such-model', messages: [{ role: 'user', content: 'x' }] } })).json;
    await until(async () => (await server.get(`/v1/jobs/${id}`)).json.state === 'dead', 'dead');
    const page = await open(t, browser, server, { hash: '#/jobs?state=dead' });
    await state(page, id).getByText('dead').waitFor();
    assert.match(await page.locator(`tr[data-job="${id}"]`).innerText(), /model/i, 'the reason is there');
    await page.locator(`tr[data-job="${id}"]`).getByRole('button', { name: 'Retry' }).click();
    await page.getByText('The job runs again.').first().waitFor();
    await until(async () => (await server.get(`/v1/jobs/${id}`)).json.attempts >= 1, 'tried');
    await assert_calm(page);
  });

  test('a waiting job is cancelled', async (t) => {
    const { server } = await console_pair(t);
    const { id } = (await server.post('/v1/jobs', order('later', { delay: 3600 }))).json;
    const page = await open(t, browser, server, { hash: '#/jobs' });
    assert.match(await page.locator(`tr[data-job="${id}"]`).innerText(), /due in/);
    await page.locator(`tr[data-job="${id}"]`).getByRole('button', { name: 'Cancel' }).click();
    await state(page, id).getByText('cancelled').waitFor();
    await assert_calm(page);
  });

  test('an administrator sees the queue, its workers and everybody\'s jobs', async (t) => {
    const { server } = await console_pair(t);
    const { id } = (await server.post('/v1/jobs', order('later', { delay: 3600 }))).json;
    const page = await open(t, browser, server, { hash: '#/jobs?whose=all', admin: key_of_admin(server) });
    await page.getByText('Queue by class').waitFor();
    await state(page, id).getByText('scheduled').waitFor();
    await page.locator(`tr[data-job="${id}"]`, { hasText: 'local' }).waitFor();
    await page.locator(`tr[data-job="${id}"]`).getByRole('button', { name: 'Cancel' }).click();
    await state(page, id).getByText('cancelled').waitFor();
    const audit = (await server.get('/admin/audit', { authorization: `Bearer ${key_of_admin(server)}` })).json.data;
    assert.ok(audit.some((one) => one.what.includes('cancel')), JSON.stringify(audit));
    await assert_calm(page);
  });
});
