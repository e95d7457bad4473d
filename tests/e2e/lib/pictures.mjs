// Pictures made for tests. Used by the suites about images and documents.
import zlib from 'node:zlib';

/** A PNG of one colour, or of noise that does not pack; `says`: its texts, such as Description. */
export function png(width, height, { colour = [200, 30, 30], noise = false, ...says } = {}) {
  const rows = Buffer.alloc(height * (1 + width * 3));
  let seed = 12345;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width * 3; x += 1) {
      seed = (seed * 1103515245 + 12345) >>> 0;
      rows[y * (1 + width * 3) + 1 + x] = noise ? seed >>> 24 : colour[x % 3];
    }
  }
  const texts = Object.entries(says).map(([key, text]) => chunk('tEXt', Buffer.from(`${key}\0${text}`, 'latin1')));
  return Buffer.concat([SIGNATURE, head(width, height), ...texts, chunk('IDAT', zlib.deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}

/** The head of a PNG of 3,600 megapixels, with next to nothing behind it. */
export function huge_png() {
  return Buffer.concat([SIGNATURE, head(60_000, 60_000), chunk('IDAT', zlib.deflateSync(Buffer.alloc(1000))), chunk('IEND', Buffer.alloc(0))]);
}

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

function head(width, height) {
  const out = Buffer.alloc(13);
  out.writeUInt32BE(width, 0);
  out.writeUInt32BE(height, 4);
  out.set([8, 2, 0, 0, 0], 8);
  return chunk('IHDR', out);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc(body), body.length + 4);
  return out;
}

function crc(bytes) {
  let out = 0xffffffff;
  for (const byte of bytes) {
    out ^= byte;
    for (let bit = 0; bit < 8; bit += 1) out = (out >>> 1) ^ (out & 1 ? 0xedb88320 : 0);
  }
  return ~out >>> 0;
}
