// The chat page: streaming, Markdown, citations, stop, models, conversations, export, limits, errors.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, describe, test } from 'node:test';
import { scope } from '../e2e/lib/harness.mjs';
import { ask, assert_calm, close_dialog, console_pair, launch, open, until } from './lib/browser.mjs';

const suite = scope();
const browser = await launch(suite);
after(() => suite.end());

const last = (page) => page.locator('article.turn').last();

describe('chat', () => {
  test('an answer comes piece by piece, as Markdown, and markup in it stays text', async (t) => {
    const { server, provider } = await console_pair(t);
    provider.script({ match: { text: 'roses' }, replies: [{ gate: 'go', gate_at: 3,
      tokens: ['## Roses\n', '\nWater them **early**. ', '<img src=x onerror="window.hit=1">', '\n\n```js\nlet a = 1;\n```\n', '\n| a | b |\n|---|---|\n| 1 | 2 |\n'] }] });
    const page = await open(t, browser, server);
    await ask(page, 'tell me about roses');
    await page.locator('article[aria-busy] strong', { hasText: 'early' }).waitFor();
    assert.equal(await page.locator('article[aria-busy] pre').count(), 0, 'the rest has not come yet');
    provider.open('go');
    await page.locator('article.turn pre code', { hasText: 'let a = 1;' }).waitFor();
    await page.locator('article.turn td', { hasText: '2' }).waitFor();
    assert.equal(await page.locator('article.turn img').count(), 0);
    assert.equal(await page.evaluate(() => window.hit), undefined);
    assert.match(await last(page).innerText(), /<img src=x/);
    await until(() => page.url().includes('#/chat/conv_'), 'the address names the conversation');
    await page.locator('.list .item', { hasText: 'tell me about roses' }).waitFor();
    await assert_calm(page);
  });

  test('who comes to the chat may type at once', async (t) => {
    const { server } = await console_pair(t);
    const page = await open(t, browser, server, { hash: '#/jobs' });
    await page.getByRole('link', { name: 'Chat', exact: true }).click();
    await page.getByLabel('Your question').waitFor();
    // Longer than the page waits before its heading takes a focus that nobody has.
    await page.evaluate(() => new Promise((go) => { setTimeout(go, 200); }));
    await page.keyboard.type('typed at once');
    await page.keyboard.press('Enter');
    await page.getByText('You said: typed at once').waitFor();
    await assert_calm(page);
  });

  test('a citation opens its passage, and the passage its document', async (t) => {
    const { server } = await console_pair(t);
    await server.post('/v1/documents', { collection: 'garden', source: 'roses.md', format: 'markdown',
      text: '# Roses\n\nWater roses in the morning, never at noon.' });
    const page = await open(t, browser, server);
    await page.getByLabel('Answer from').selectOption('garden');
    await page.getByLabel('Model', { exact: true }).selectOption('mainstay/extractive');
    await ask(page, 'When should I water roses?');
    await until(() => page.url().includes('#/chat/conv_'), 'the address names the conversation');
    const address = page.url();
    await page.locator('.source').first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Water roses in the morning').waitFor();
    await dialog.getByRole('link', { name: 'Open the document' }).click();
    await page.getByRole('dialog').locator('.parts', { hasText: 'never at noon' }).waitFor();
    await close_dialog(page);
    await page.goto(address);
    await page.reload();
    await page.locator('.source').first().waitFor();  // as the server has kept them
    await assert_calm(page);
  });

  test('a question asked again in a new conversation is answered from the cache', async (t) => {
    const { server } = await console_pair(t, { config: { cache: { enabled: true } } });
    const page = await open(t, browser, server);
    const caches = [];
    page.on('response', (reply) => {
      if (reply.url().endsWith('/v1/chat/completions')) caches.push(reply.headers()['x-mainstay-cache']);
    });
    for (const round of [1, 2]) {
      await page.getByRole('button', { name: 'New conversation' }).click();
      await ask(page, 'tell me about lilies');
      await page.getByText('You said: tell me about lilies').waitFor();
      await until(() => caches.length === round, `answer ${round}`);
      await page.getByRole('button', { name: 'Send' }).waitFor();
    }
    assert.deepEqual(caches, ['miss', 'hit']);
    await assert_calm(page);
  });

  test('the stop button keeps what came and frees the composer', async (t) => {
    const { server, provider } = await console_pair(t);
    provider.script({ match: { text: 'long' }, replies: [{ tokens: ['One ', 'two ', 'three'], gate: 'never', gate_at: 2 }] });
    const page = await open(t, browser, server);
    await ask(page, 'a long one');
    await page.getByText('One two').waitFor();
    await page.getByRole('button', { name: 'Stop the answer' }).click();
    await page.getByText('Stopped.').first().waitFor();
    assert.match(await last(page).innerText(), /One two/);
    await page.getByRole('button', { name: 'Send' }).waitFor();
    provider.open('never');
    await ask(page, 'and another');
    await page.getByText('You said: and another').waitFor();
    await assert_calm(page);
  });

  test('the stop button ends the work at the server, which keeps what was said', async (t) => {
    const { server, provider } = await console_pair(t);
    provider.script({ match: { text: 'long' }, replies: [{
      // So many that the stop is there long before the end.
      tokens: ['One ', 'two ', ...Array(60).fill('more '), 'and the end'], gate: 'go', gate_at: 2, token_delay_ms: 50 }] });
    const page = await open(t, browser, server);
    await ask(page, 'a long one');
    await page.getByText('One two').waitFor();
    const stopping = page.waitForResponse((reply) => reply.url().endsWith('/cancel'));
    await page.keyboard.press('Escape');
    await page.getByText('Stopped.').first().waitFor();
    provider.open('go');
    assert.equal((await stopping).status(), 200);
    const free = () => server.until(async () => (await server.metrics())('mainstay_admission_in_use') === 0, 'the permit is free');
    await free();
    await page.reload();
    await page.locator('article.turn', { hasText: 'One two' }).waitFor();
    assert.doesNotMatch(await page.locator('.turns').innerText(), /and the end/);
    // A model that says nothing more is not waited for.
    provider.script({ match: { text: 'silent' }, replies: [{ text: 'late', gate: 'never' }] });
    await ask(page, 'a silent one');
    await provider.until(() => provider.requests.some((one) => JSON.stringify(one.body ?? '').includes('a silent one')));
    const again = page.waitForResponse((reply) => reply.url().endsWith('/cancel'));
    await page.getByRole('button', { name: 'Stop the answer' }).click();
    assert.equal((await again).status(), 200);
    await free();
    await assert_calm(page);
  });

  test('conversations are found, renamed, exported and deleted', async (t) => {
    const { server } = await console_pair(t);
    for (const text of ['about tulips', 'about bees']) {
      await server.chat({ messages: [{ role: 'user', content: text }], conversation: `conv-${text.slice(6)}` });
    }
    const page = await open(t, browser, server, { hash: '#/chat/conv-tulips' });
    await page.getByText('You said: about tulips').waitFor();
    await page.getByRole('button', { name: 'Rename' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('Spring flowers');
    await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
    await page.locator('.list .item', { hasText: 'Spring flowers' }).waitFor();
    await page.getByLabel('Search conversations').fill('spring');
    await page.locator('.list .item', { hasText: 'about bees' }).waitFor({ state: 'detached' });
    assert.equal(await page.locator('.list .item').count(), 1);

    await page.getByRole('button', { name: 'Export' }).click();
    const [markdown] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Markdown' }).click()]);
    assert.equal(markdown.suggestedFilename(), 'Spring-flowers.md');
    assert.match(fs.readFileSync(await markdown.path(), 'utf8'), /## Question\n\nabout tulips\n\n## Answer\n\nYou said: about tulips/);
    await page.getByRole('button', { name: 'Export' }).click();
    const [json] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'JSON' }).click()]);
    assert.equal(JSON.parse(fs.readFileSync(await json.path(), 'utf8')).messages.length, 2);

    await page.getByRole('button', { name: 'Delete conversation' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('Ask something').first().waitFor();
    assert.equal((await server.get('/v1/conversations/conv-tulips')).status, 404);
    await assert_calm(page);
  });

  test('the model picker says how each model is', async (t) => {
    const { server } = await console_pair(t);
    const page = await open(t, browser, server);
    const picker = page.getByLabel('Model', { exact: true });
    await until(async () => (await picker.innerText()).includes('mainstay/extractive'), 'the models are there');
    const models = (await server.get('/v1/models')).json.data;
    const one = models.find((model) => model.id.includes('model-a') && model.state === 'ready' && model.loaded) ?? models.find((model) => model.state === 'ready' && model.loaded);
    await picker.selectOption(one.id);
    await page.locator('.composer .chip', { hasText: 'ready' }).waitFor();
    await assert_calm(page);
  });

  test('a model whose provider is away, or fails, is said to be so', async (t) => {
    const { server, provider } = await console_pair(t, { config: { models: { discover_interval: '1s', breaker_calls_min: 2, breaker_open: '60s', attempts_max: 1 } } });
    const page = await open(t, browser, server);
    const state = (words) => until(async () => {
      await page.reload();
      const picker = page.getByLabel('Model', { exact: true });
      await until(async () => (await picker.innerText()).includes('model-a'), 'the models are there');
      return (await picker.innerText()).includes(words);
    }, words, 30_000);
    await page.getByLabel('Model', { exact: true }).selectOption('model-a');
    provider.script({ match: { text: 'fails' }, repeat: true, replies: [{ status: 500, message: 'broken' }] });
    for (let i = 0; i < 6; i += 1) await server.chat({ model: 'model-a', messages: [{ role: 'user', content: `fails ${i}` }] });
    await state('model-a (degraded)');
    await page.locator('.composer .chip.warn', { hasText: 'degraded' }).waitFor();
    await provider.mode('refuse');
    await state('model-a (unavailable)');
    await page.locator('.composer .chip.bad', { hasText: 'unavailable' }).waitFor();
  });

  test('a limit is told in words, counts down, and the same question goes through after it', async (t) => {
    const { server } = await console_pair(t, { config: { limits: { enabled: true, user: { requests_per_minute: 20, burst: 0 } } } });
    for (let i = 0; i < 20; i += 1) await server.chat(`n${i}`);
    const page = await open(t, browser, server);
    await ask(page, 'one too many');
    const note = page.locator('.note.bad');
    await note.waitFor();
    assert.equal(await note.getAttribute('data-code'), 'rate_limited');
    assert.match(await note.innerText(), /Try again in \d/);
    const again = note.getByRole('button', { name: 'Try again' });
    assert.equal(await again.isDisabled(), true);
    await until(() => again.isEnabled(), 'the time to wait is over', 10_000);
    await again.click();
    await page.getByText('You said: one too many').waitFor();
    await assert_calm(page);
  });

  test('an error of the model is told in words', async (t) => {
    const { server, provider } = await console_pair(t);
    provider.script({ match: { text: 'refused' }, repeat: true, replies: [{ status: 400, message: 'no such thing' }] });
    const page = await open(t, browser, server);
    await ask(page, 'refused');
    await page.locator('.note.bad').waitFor();
    assert.ok((await page.locator('.note.bad').innerText()).length > 10);
    await ask(page, 'fine');
    await page.getByText('You said: fine').waitFor();
    await assert_calm(page);
  });

  test('documents and pictures are attached', async (t) => {
    const { server, provider } = await console_pair(t);
    const page = await open(t, browser, server);
    const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
    await page.locator('.composer input[type=file]').setInputFiles([
      { name: 'bees.md', mimeType: 'text/markdown', buffer: Buffer.from('# Bees\n\nBees need water in summer.') },
      { name: 'dot.png', mimeType: 'image/png', buffer: png }]);
    await page.locator('.attached li', { hasText: 'bees.md' }).getByText('ready').waitFor();
    await page.locator('.attached img').waitFor();
    await ask(page, 'what do bees need');
    await page.locator('article.turn').nth(1).waitFor();
    const sent = await until(() => provider.requests.find((one) => JSON.stringify(one.body ?? '').includes('what do bees need')), 'the question reached the model');
    const body = JSON.stringify(sent.body);
    assert.match(body, /Bees need water in summer/, 'the passage is in the prompt');
    assert.match(body, /data:image\/png;base64/);
    assert.equal(await page.locator('article.turn.mine img').count(), 1);
    await assert_calm(page);
  });
});
