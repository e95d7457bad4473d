// An answer under way outlives a reload, a lost connection and a restart of the server.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { scope, serve, provide, provider_entry, temp_dir } from '../e2e/lib/harness.mjs';
import { ask, assert_calm, console_pair, front, launch, open, until } from './lib/browser.mjs';

const suite = scope();
const browser = await launch(suite);
after(() => suite.end());

const asked = (provider) => provider.requests.filter((one) => one.path.endsWith('/chat/completions')).length;
const half = (provider) => provider.script({ match: { text: 'tale' },
  replies: [{ tokens: ['Once ', 'upon ', 'a ', 'time.'], gate: 'go', gate_at: 2 }] });

describe('resuming', () => {
  test('a reload shows the question and goes on with the same answer, asked once', async (t) => {
    const { server, provider } = await console_pair(t);
    half(provider);
    const page = await open(t, browser, server);
    await ask(page, 'a tale');
    await page.getByText('Once upon').waitFor();
    await page.reload();
    await page.locator('article.mine', { hasText: 'a tale' }).waitFor();
    provider.open('go');
    await page.getByText('Once upon a time.').waitFor();
    assert.equal(await page.locator('article.mine').count(), 1);
    assert.equal(asked(provider), 1);
    await page.reload();
    await page.getByText('Once upon a time.').waitFor();
    assert.equal(await page.locator('article.turn').count(), 2, 'stored once');
    await assert_calm(page);
  });

  test('a lost connection is waited out, and what was shown stays', async (t) => {
    const { server, provider } = await console_pair(t);
    const door = await front(t);
    door.to(server);
    half(provider);
    const page = await open(t, browser, server, { url: door.url });
    await ask(page, 'a tale');
    await page.getByText('Once upon').waitFor();
    door.refuse(true);
    await page.getByText('Connection lost').waitFor();
    assert.match(await page.locator('article[aria-busy]').innerText(), /Once upon/);
    provider.open('go');
    door.refuse(false);
    await page.getByText('Once upon a time.').waitFor();
    assert.equal(asked(provider), 1);
  });

  test('after kill -9 and a restart the question is answered, and stored once', async (t) => {
    const provider = await provide(t);
    const data = `${temp_dir(t)}/data`;
    const config = { providers: [provider_entry(provider)], cache: { enabled: false } };
    const door = await front(t);
    const first = await serve(t, { config, data });
    door.to(first);
    half(provider);
    const page = await open(t, browser, first, { url: door.url });
    await ask(page, 'a tale');
    await page.getByText('Once upon').waitFor();
    door.to(null);
    await first.kill();
    door.cut();
    await page.getByText('Connection lost').waitFor();
    provider.script({ match: { text: 'tale' }, replies: [{ tokens: ['Once ', 'upon ', 'a ', 'time, ', 'again.'] }] });
    const second = await serve(t, { config, data });
    door.to(second);
    await page.getByText('Once upon a time, again.').waitFor();
    const id = decodeURIComponent(page.url().split('/').pop());
    const stored = await until(async () => (await second.get(`/v1/conversations/${id}`)).json?.messages, 'stored');
    assert.deepEqual(stored.map((one) => one.role), ['user', 'assistant']);
    await page.getByText('The server cannot be reached').waitFor({ state: 'detached' });
  });
});
