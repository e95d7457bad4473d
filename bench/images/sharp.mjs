// npm sharp in the bench: makes the photographs, and turns a folder of them into thumbnails.
//   node sharp.mjs make FOLDER COUNT     4000 x 3000, JPEG
//   node sharp.mjs thumbnails FOLDER     prints {"seconds", "count", "bytes"} as JSON
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.join(process.env.PEERS, 'package.json'));
const sharp = require('sharp');
const [, , verb, folder, count] = process.argv;
const AT_ONCE = 2;
const WARM = 20;  // pictures that are not timed

/** Noise of several scales with light and shade: as hard to decode as a photograph (about 4 MB). */
async function photograph(seed) {
  const noise = (width, height, sigma) => sharp({ create: { width, height, channels: 3,
    background: '#808080', noise: { type: 'gaussian', mean: 100 + (seed * 37) % 60, sigma } } }).png().toBuffer();
  const coarse = await sharp(await noise(125, 94, 60)).resize(4000, 3000, { kernel: 'cubic' }).png().toBuffer();
  const fine = await sharp(await noise(1000, 750, 30)).resize(4000, 3000, { kernel: 'cubic' }).png().toBuffer();
  return sharp(coarse).composite([{ input: fine, blend: 'overlay' }]).jpeg({ quality: 92 }).toBuffer();
}

if (verb === 'make') {
  const different = 10;
  for (let i = 0; i < different; i += 1) {
    const bytes = await photograph(i);
    for (let at = i; at < Number(count); at += different) {
      fs.writeFileSync(path.join(folder, `${String(at).padStart(4, '0')}.jpg`), bytes);
    }
  }
} else {
  sharp.cache(false);
  sharp.concurrency(1);
  const files = fs.readdirSync(folder).sort().map((name) => path.join(folder, name));
  let bytes = 0;
  const work = async (left) => {
    for (let file = left.pop(); file; file = left.pop()) {
      const out = await sharp(file).resize({ width: 320, height: 320, fit: 'inside' }).jpeg({ quality: 80 }).toBuffer();
      bytes += out.length;
    }
  };
  const all = (some) => Promise.all(Array.from({ length: AT_ONCE }, () => work(some)));
  await all(files.slice(0, WARM));
  bytes = 0;
  const began = performance.now();
  await all([...files]);
  console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000, count: files.length, bytes }));
}
