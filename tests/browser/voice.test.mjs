// The voice page with a recording as the microphone: hands-free and by the space bar, captions, sound
// that begins before the text ends, barge-in. The recording is spoken by espeak-ng here.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { scope, temp_dir } from '../e2e/lib/harness.mjs';
import { assert_calm, console_pair, launch, open, until } from './lib/browser.mjs';

const suite = scope();
after(() => suite.end());

/** A sentence between two silences. The browser plays it over and over: the second silence leaves time
 * for an answer on a busy machine, or the sentence would interrupt it. */
function recording(words) {
  const dir = temp_dir(suite);
  const [speech, file] = [path.join(dir, 'speech.wav'), path.join(dir, 'microphone.wav')];
  execFileSync('espeak-ng', ['-v', 'en-us', '-s', '140', '-w', speech, words]);
  execFileSync('ffmpeg', ['-loglevel', 'error', '-y', '-i', speech, '-af', 'adelay=1500,apad=pad_dur=60', '-ar', '48000', '-ac', '1', file]);
  return file;
}

const wav = recording('go forward ten meters');
const browser = await launch(suite, ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream',
  `--use-file-for-fake-audio-capture=${wav}`, '--autoplay-policy=no-user-gesture-required']);

const phase = (page) => page.locator('.talker').getAttribute('data-phase');

/** Notes phases, and how much text there was when the first sound was played. */
async function watch(page) {
  await page.evaluate(() => {
    window.phases = [];
    window.soundAt = null;
    new MutationObserver(() => {
      const now = document.querySelector('.talker')?.dataset.phase;
      if (now && window.phases.at(-1) !== now) window.phases.push(now);
    }).observe(document.querySelector('main'), { subtree: true, childList: true, attributes: true });
    const start = AudioBufferSourceNode.prototype.start;
    AudioBufferSourceNode.prototype.start = function played(...args) {
      window.soundAt ??= document.querySelector('.captions .md')?.textContent ?? '';
      window.pieces = (window.pieces ?? 0) + 1;
      return start.apply(this, args);
    };
  });
}

async function talking(t, replies) {
  const { server, provider } = await console_pair(t);
  if (replies) provider.script({ repeat: true, replies });
  const page = await open(t, browser, server, { hash: '#/voice', permissions: ['microphone'] });
  await watch(page);
  return { server, provider, page };
}

describe('voice', () => {
  test('hands-free: heard, shown, answered, spoken before the text has ended', async (t) => {
    const { provider, page } = await talking(t, [{ tokens: ['This is the first sentence of it. ', 'And here comes ', 'the last one.'], gate: 'rest', gate_at: 2 }]);
    await page.getByRole('button', { name: 'Hands-free' }).click();
    await page.getByRole('button', { name: 'Start listening' }).click();
    await until(() => page.locator('.talker .meter').getAttribute('aria-valuenow').then((v) => Number(v) > 3), 'the level moves', 20_000);
    await page.locator('.captions .said').first().waitFor({ timeout: 60_000 });
    // Which words the small built-in engine makes of it is not the page's matter.
    const heard = await page.locator('.captions .said').first().innerText();
    t.diagnostic(`heard: ${heard}`);
    assert.match(heard, /[a-z]+ [a-z]+/i);
    await until(() => page.evaluate(() => window.pieces > 0), 'the first sentence is spoken', 30_000);
    assert.doesNotMatch(await page.evaluate(() => window.soundAt), /last one/);
    provider.open('rest');
    await page.getByRole('button', { name: 'Stop listening' }).click();
    assert.equal(await phase(page), 'idle');
    const phases = await page.evaluate(() => window.phases);
    for (const one of ['ready', 'hearing', 'thinking', 'speaking']) assert.ok(phases.includes(one), phases.join());
    await assert_calm(page);
  });

  test('the space bar held: a question of its own, and holding it again interrupts the answer', async (t) => {
    const long = Array.from({ length: 30 }, (_, i) => `This is sentence number ${i} of a long answer. `);
    const { page } = await talking(t, [{ tokens: long }]);
    await page.locator('h1').focus();
    await page.keyboard.down('Space');
    await until(async () => await phase(page) === 'hearing', 'listening');
    await page.waitForTimeout(9000);
    await page.keyboard.up('Space');
    await page.locator('.captions .said').first().waitFor({ timeout: 60_000 });
    await until(async () => await phase(page) === 'speaking', 'spoken', 30_000);
    await page.locator('h1').focus();
    await page.keyboard.down('Space');
    await until(async () => await phase(page) === 'hearing', 'listening again');
    await page.keyboard.up('Space');
    await page.getByRole('button', { name: 'Close the microphone' }).click();
    assert.equal(await phase(page), 'idle');
    await assert_calm(page);
  });

  test('a page without the microphone says what to do', async (t) => {
    const { server } = await console_pair(t);
    const deaf = await launch(t);
    const page = await open(t, deaf, server, { hash: '#/voice' });
    await page.getByRole('button', { name: 'Hands-free' }).click();
    await page.getByRole('button', { name: 'Start listening' }).click();
    await page.locator('.note.bad').waitFor();
    assert.match(await page.locator('.note.bad').innerText(), /microphone/);
    await assert_calm(page);
  });
});

