// Pictures of each page, light and dark, for docs/screenshots: a server with something in it, a
// scripted model, and some traffic so that the charts have lines. Run by run.sh screenshots.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { pause, scope } from '../e2e/lib/harness.mjs';
import { bearer } from '../e2e/lib/people.mjs';
import { ask, console_pair, key_of_admin, launch, open } from './lib/browser.mjs';

const OUT = path.resolve(fileURLToPath(new URL('../../docs/screenshots', import.meta.url)));
const ANSWER = `Water roses **early in the morning** [1], so that the leaves dry during the day.

| When | How much |
|---|---|
| Spring | twice a week |
| High summer | every other day, deeply |

\`\`\`sh
mainstay ask --collection garden "When are tulips planted?"
\`\`\`

A wet leaf at night invites black spot, which is why noon and evening are worse.`;

const HANDBOOK = `# Roses\n\nWater roses early in the morning, never at noon. Cut them in early spring, above an eye that looks outwards.

# Tulips\n\nTulip bulbs go into the ground in autumn, three times as deep as they are high.\n\n# Bees\n\nBees need water in summer: a flat bowl with stones to land on.\n`;

async function fill(server) {
  for (const [collection, source, text] of [['garden', 'handbook.md', HANDBOOK], ['garden', 'herbs.md', '# Herbs\n\nMint spreads; plant it in a pot.'],
    ['kitchen', 'bread.md', '# Bread\n\nA slow rise in the cold gives more taste.']]) {
    await server.post('/v1/documents', { collection, source, format: 'markdown', text });
  }
  for (const text of ['A speech for the anniversary', 'Ideas for the balcony', 'What does this error mean?']) {
    await server.chat({ messages: [{ role: 'user', content: text }], conversation: `conv-${text.length}` });
  }
  const order = (content, more) => ({ kind: 'chat', input: { model: 'model-a', messages: [{ role: 'user', content }] }, ...more });
  await server.post('/v1/jobs', order('nightly summary', { delay: 5400, priority: 'batch' }));
  await server.post('/v1/jobs', order('translate the handbook'));
  await server.post('/v1/jobs', { kind: 'chat', input: { model: 'no-such-model', messages: [{ role: 'user', content: 'x' }] } });
  const admin = bearer(key_of_admin(server));
  for (const [name, scopes] of [['laptop', ['chat', 'jobs', 'knowledge']], ['wall board', ['admin:read']]]) {
    await server.post('/admin/keys', { name, scopes, expires_in_seconds: 7776000 }, admin);
  }
}

/** Some questions each second until it is told to stop: charts with nothing in them show nothing. */
async function traffic(server, until) {
  for (let at = 0; !until.over; at += 1) {
    const many = 2 + Math.round(4 + 4 * Math.sin(at / 6));
    await Promise.all([pause(1000), ...Array.from({ length: many }, (_, i) => server.chat(`question ${at} ${i % 3}`))]);
  }
}

/** With a palette of 160 colours: a third of the size, and nobody sees it. */
async function picture(page, name) {
  const raw = path.join(OUT, `${name}.raw.png`);
  await page.screenshot({ path: raw });
  execFileSync('ffmpeg', ['-loglevel', 'error', '-y', '-i', raw, '-vf', 'split[a][b];[a]palettegen=max_colors=160:reserve_transparent=0[p];[b][p]paletteuse=dither=none',
    path.join(OUT, `${name}.png`)]);
  fs.rmSync(raw);
}

const PAGES = [['chat', '#/chat'], ['voice', '#/voice'], ['knowledge', '#/knowledge'], ['jobs', '#/jobs?whose=all'], ['dashboard', '#/dashboard'],
  ['operate', '#/operate'], ['keys', '#/operate/keys'], ['configuration', '#/operate/configuration'], ['logs', '#/operate/logs'], ['doctor', '#/operate/doctor'], ['sign-in', '#/sign-in']];

const t = scope();
const ends = { after: (end) => t.after(end) };
try {
  fs.mkdirSync(OUT, { recursive: true });
  const { server, provider } = await console_pair(ends, { config: { cache: { enabled: true }, admin: { slow_threshold: '30ms' } } });
  provider.script({ match: { text: 'water roses' }, repeat: true, replies: [{ text: ANSWER }] });
  provider.script({ match: { text: 'question' }, repeat: true, replies: [{ text: 'Short and done.', delay_ms: 20, token_delay_ms: 5 }] });
  await fill(server);
  const until = { over: false };
  const going = traffic(server, until);
  await pause(1000 * Number(process.env.TRAFFIC_SECONDS ?? 75));
  const browser = await launch(ends);
  for (const dark of [false, true]) {
    const page = await open(ends, browser, server, { admin: key_of_admin(server), dark, viewport: { width: 1280, height: 800 } });
    for (const [name, hash] of PAGES) {
      await page.goto(`${server.url}/${hash}`);
      await pause(name === 'dashboard' || name === 'doctor' ? 2500 : 700);
      if (name === 'chat') {
        await page.getByLabel('Answer from').selectOption('garden');
        await ask(page, 'When should I water roses?');
        await page.locator('.source').first().waitFor();
        await page.locator('h1').click();
      }
      if (name === 'knowledge') {
        await page.getByLabel('Search passages').fill('watering roses');
        await page.keyboard.press('Enter');
        await page.locator('mark').first().waitFor();
        await page.locator('h1').click();
      }
      await picture(page, `${name}-${dark ? 'dark' : 'light'}`);
    }
  }
  const phone = await open(ends, browser, server, { admin: key_of_admin(server), phone: true, hash: '#/dashboard' });
  await pause(2000);
  await picture(phone, 'phone-light');
  until.over = true;
  await going;
} finally {
  await t.end();
}
