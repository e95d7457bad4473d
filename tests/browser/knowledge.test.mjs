// The knowledge page: uploads with their progress, also resumed; collections, search, documents.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { provider_entry, scope, serve, temp_dir } from '../e2e/lib/harness.mjs';
import { assert_calm, close_dialog, console_pair, enter, front, launch, open, until } from './lib/browser.mjs';

const suite = scope();
const browser = await launch(suite);
after(() => suite.end());

const text = (name, words) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(words) });
const row = (page, name) => page.locator('.uploads li', { hasText: name });
const stages = (page) => page.evaluate(() => window.stages);

/** Notes each stage that an upload shows. */
async function watch_stages(page) {
  await page.evaluate(() => {
    window.stages = [];
    new MutationObserver(() => {
      for (const one of document.querySelectorAll('.uploads li')) {
        const said = `${one.querySelector('.cut').textContent} ${one.dataset.stage} ${one.querySelector('.meter i')?.style.width ?? ''}`;
        if (window.stages.at(-1) !== said) window.stages.push(said);
      }
    }).observe(document.querySelector('main'), { subtree: true, childList: true, attributes: true, characterData: true });
  });
}

describe('knowledge', () => {
  test('an empty page says what to do', async (t) => {
    const { server } = await console_pair(t);
    const page = await open(t, browser, server, { hash: '#/knowledge' });
    await page.getByText('Nothing to search yet').waitFor();
    await assert_calm(page);
  });

  test('many files go up with their progress and stage, and one that cannot be read says why', async (t) => {
    const { server } = await console_pair(t);
    const page = await open(t, browser, server, { hash: '#/knowledge' });
    await watch_stages(page);
    await page.locator('[data-test=files]').setInputFiles([
      text('one.txt', 'Roses want water in the morning.'), text('two.txt', 'Tulips are planted in autumn.'),
      text('large.txt', 'Bees and flowers belong together. '.repeat(90_000)),
      { name: 'bad.bin', mimeType: 'application/octet-stream', buffer: Buffer.from([0, 1, 2, 0xff, 0xfe, 0]) }]);
    for (const name of ['one.txt', 'two.txt', 'large.txt']) await row(page, name).getByText('ready').waitFor({ timeout: 60_000 });
    await row(page, 'bad.bin').getByText('failed').waitFor();
    assert.match(await row(page, 'bad.bin').innerText(), /cannot be read/);
    const seen = await stages(page);
    assert.ok(seen.some((one) => /^large.txt sending/.test(one)), seen.join('\n'));
    assert.ok(seen.some((one) => /^large.txt reading/.test(one)), seen.join('\n'));
    assert.match(await row(page, 'large.txt').innerText(), /\d passages/);
    await page.locator('tbody a', { hasText: 'Roses want water' }).waitFor();
    await page.getByRole('button', { name: 'Clear ended' }).click();
    assert.equal(await page.locator('.uploads li').count(), 0);
    await assert_calm(page);
  });

  test('dropped files go into the open collection', async (t) => {
    const { server } = await console_pair(t);
    await server.post('/v1/collections', { id: 'garden' });
    const page = await open(t, browser, server, { hash: '#/knowledge/garden' });
    const files = await page.evaluateHandle(() => {
      const data = new DataTransfer();
      data.items.add(new File(['Peas climb.'], 'peas.txt', { type: 'text/plain' }));
      return data;
    });
    await page.locator('.drop').dispatchEvent('drop', { dataTransfer: files });
    await row(page, 'peas.txt').getByText('ready').waitFor();
    const list = (await server.get('/v1/documents')).json.data;
    assert.deepEqual(list.map((one) => one.collection), ['garden']);
    await assert_calm(page);
  });

  test('a large file goes on where it was when the connection is lost', async (t) => {
    const { server } = await console_pair(t);
    const door = await front(t);
    door.to(server);
    const page = await open(t, browser, server, { url: door.url, hash: '#/knowledge' });
    let parts = 0;
    page.on('response', (response) => {
      if (!response.url().endsWith('/parts') || response.status() >= 300) return;
      parts += 1;
      if (parts === 1) { door.refuse(true); setTimeout(() => door.refuse(false), 700); }
    });
    await page.locator('[data-test=files]').setInputFiles([text('huge.txt', 'A line about bees and their hives, long enough.\n'.repeat(270_000))]);
    await row(page, 'huge.txt').getByText('reading').or(row(page, 'huge.txt').getByText('ready')).waitFor({ timeout: 60_000 });
    assert.ok(parts >= 3 && parts <= 4, `${parts} parts were taken: none twice`);
    assert.equal(page.asked.filter((one) => one.startsWith('POST') && one.endsWith('/v1/uploads')).length, 1);
    await row(page, 'huge.txt').getByRole('button', { name: 'Cancel huge.txt' }).click({ timeout: 2000 }).catch(() => {});
  });

  test('a search marks the words and opens the document at the passage', async (t) => {
    const { server } = await console_pair(t);
    await server.post('/v1/documents', { collection: 'garden', source: 'roses.md', format: 'markdown', tags: ['plants'],
      text: '# Roses\n\nWater roses in the morning.\n\n# Tulips\n\nTulip bulbs go into the ground in autumn.' });
    const page = await open(t, browser, server, { hash: '#/knowledge' });
    await enter(page.getByLabel('Search passages'), 'watering a rose');
    await page.locator('mark', { hasText: 'Water' }).first().waitFor();
    assert.ok((await page.locator('mark').allInnerTexts()).includes('roses'));
    await page.locator('.results a').first().click();
    const dialog = page.getByRole('dialog');
    await dialog.locator('.wanted', { hasText: 'Water roses' }).waitFor();
    await close_dialog(page);
    await enter(page.getByLabel('Search passages'), 'zzzzqqq xxyyzz');
    await page.getByText('Nothing found.').waitFor();
    await assert_calm(page);
  });

  test('all passages of a document are read in pages, and a link opens it in the middle', async (t) => {
    const { server } = await console_pair(t);
    const text = Array.from({ length: 160 }, (_, i) => `# Chapter ${i}\n\n${`Words of chapter ${i} about bees. `.repeat(30)}`).join('\n\n');
    const made = (await server.post('/v1/documents', { collection: 'garden', source: 'bees.md', format: 'markdown', text })).json;
    assert.ok(made.chunks > 110, `${made.chunks} passages`);
    const page = await open(t, browser, server, { hash: '#/knowledge' });
    await page.locator('tbody a', { hasText: 'Chapter 0' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(`Passages 1 to 50 of ${made.chunks}`).waitFor();
    await dialog.getByRole('button', { name: 'Show more' }).click();
    await dialog.getByText(`Passages 1 to 100 of ${made.chunks}`).waitFor();
    await close_dialog(page);
    const { data } = (await server.get(`/v1/documents/${made.id}/passages?from=90&limit=1`)).json;
    await page.goto(`${server.url}/#/knowledge?document=${made.id}&at=${data[0].position.start}`);
    const marked = dialog.locator('.wanted');
    await marked.waitFor();
    assert.match(await marked.innerText(), new RegExp(data[0].text.slice(0, 20)));
    await dialog.getByText(`Passages 86 to`).waitFor();
    await until(() => marked.evaluate((it) => { const box = it.getBoundingClientRect(); return box.top < innerHeight && box.bottom > 0; }), 'the passage is in sight');
    await dialog.getByRole('button', { name: 'Show earlier' }).click();
    await dialog.getByText('Passages 36 to').waitFor();
    assert.equal(page.asked.some((one) => one.endsWith('/v1/search')), false);
    await assert_calm(page);
  });

  test('a long list of documents says that it goes on, and does so when asked', async (t) => {
    const { server } = await console_pair(t);
    for (let at = 0; at <= 500; at += 50) {
      await Promise.all(Array.from({ length: Math.min(50, 501 - at) }, async (_, i) => {
        const made = await server.post('/v1/documents', { collection: 'long', source: `${at + i}.txt`, text: `Note number ${at + i}.` });
        assert.equal(made.status, 201, made.text);
      }));
    }
    const page = await open(t, browser, server, { hash: '#/knowledge' });
    const rows = page.locator('tbody tr');
    await page.getByText('500 documents shown; there are more.').waitFor();
    assert.equal(await rows.count(), 500);
    await page.getByRole('button', { name: 'Show more' }).click();
    await until(async () => await rows.count() === 501, 'all of them');
    assert.equal(await page.getByRole('button', { name: 'Show more' }).count(), 0);
    await assert_calm(page);
  });

  test('a new embedding model shows how far it is, and what serves until then', async (t) => {
    const models = ['small-embed', 'model-a'];
    const data = `${temp_dir(t)}/data`;
    const more = { provider: { models }, entry: { models }, data };
    const { server: first, provider } = await console_pair(t, { ...more, config: { knowledge: { embedding_model: 'openai/small-embed' } } });
    const add = (source, text) => first.post('/v1/documents', { collection: 'garden', source, format: 'markdown', text });
    await add('a.md', 'Roses want water.');
    const long = (await add('b.md', Array.from({ length: 300 }, (_, i) => `# Part ${i}\n\n${`Words of part ${i}. `.repeat(50)}`).join('\n\n'))).json;
    assert.ok(long.chunks > 256, `${long.chunks} passages`);
    await add('c.md', 'The lighthouse stands by the sea.');
    const meaning = async (server) => (await server.get('/v1/collections')).json.meaning;
    await first.until(async () => { const of = await meaning(first); return of.state === 'whole' && of.serves !== null; }, 'the first index', 30_000);
    await first.stop();
    provider.script({ match: { model: 'model-a', text: 'lighthouse' }, repeat: true, replies: [{ gate: 'rest' }] });
    const server = await serve(t, { data, config: { cache: { enabled: false }, providers: [provider_entry(provider, { models })], knowledge: { embedding_model: 'openai/model-a' } } });
    const page = await open(t, browser, server, { hash: '#/knowledge' });
    const note = page.locator('section[aria-label="Search by meaning"]');
    await note.getByText('openai/model-a indexes the documents by meaning: 1 of 3 documents.').waitFor({ timeout: 30_000 });
    await note.getByText('Until all are, searches use openai/small-embed.').waitFor();
    const bar = note.getByRole('meter');
    assert.ok(Number(await bar.getAttribute('aria-valuenow')) > 34, 'the part of the long one counts');
    assert.ok(Number(await bar.getAttribute('aria-valuenow')) < 67);
    provider.open('rest');
    await page.getByText('Searched by words and by meaning, with openai/model-a.').waitFor({ timeout: 30_000 });
    await assert_calm(page);
  });

  test('collections are made, renamed and deleted, documents deleted', async (t) => {
    const { server } = await console_pair(t);
    const page = await open(t, browser, server, { hash: '#/knowledge' });
    const named = async (button, name, action) => {
      await page.getByRole('button', { name: button }).click();
      await page.getByRole('dialog').getByLabel('Name').fill(name);
      await page.getByRole('dialog').getByRole('button', { name: action }).click();
    };
    await named('New collection', 'herbs', 'Create');
    await page.getByText('No documents here').waitFor();
    await page.locator('[data-test=files]').setInputFiles([text('mint.txt', 'Mint spreads.')]);
    await page.locator('tbody a', { hasText: 'Mint' }).waitFor();
    await named('Rename collection', 'kitchen-herbs', 'Rename');
    await page.locator('.side .item', { hasText: 'kitchen-herbs' }).waitFor();
    await page.locator('tbody').getByRole('button', { name: /^Delete/ }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('No documents here').waitFor();
    await page.getByRole('button', { name: 'Delete collection' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await until(async () => (await server.get('/v1/collections')).json.data.length === 0, 'gone');
    await assert_calm(page);
  });
});
