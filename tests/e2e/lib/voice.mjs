// Sound for tests: WAV files taken apart and put together, loudness, and a client that talks to
// /v1/voice. Used by the suites about voice.
import { execFileSync } from 'node:child_process';
import WebSocket from 'ws';
import { wav_of } from '../../provider/audio.mjs';
import { cleanup } from './harness.mjs';

const LIMIT_MS = 30_000;

/** {rate, samples} of a WAV file of 16 bit and one channel; a length that is not known is all there is. */
export function read_wav(bytes) {
  if (bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WAVE') {
    throw new Error(`no WAV: ${bytes.subarray(0, 16).toString('latin1')}`);
  }
  let at = 12;
  let rate = 0;
  while (at + 8 <= bytes.length) {
    const name = bytes.toString('latin1', at, at + 4);
    const size = Math.min(bytes.readUInt32LE(at + 4), bytes.length - at - 8);
    if (name === 'fmt ') rate = bytes.readUInt32LE(at + 12);
    if (name === 'data') return { rate, samples: samples_of(bytes.subarray(at + 8, at + 8 + size)) };
    at += 8 + size + (size % 2);
  }
  throw new Error('a WAV without samples');
}

export function samples_of(bytes) {
  const out = new Int16Array(Math.floor(bytes.length / 2));
  for (let i = 0; i < out.length; i += 1) out[i] = bytes.readInt16LE(2 * i);
  return out;
}

export function write_wav({ rate, samples }) {
  return wav_of(Buffer.from(samples.buffer, samples.byteOffset, samples.length * 2), rate);
}

export const silence = (seconds, rate = 16_000) => new Int16Array(Math.round(seconds * rate));

/** A file of any format as samples, by the ffmpeg command. */
export function decode(bytes, rate = 16_000) {
  const out = execFileSync('ffmpeg', ['-v', 'error', '-i', 'pipe:0', '-f', 's16le', '-ac', '1',
    '-ar', String(rate), 'pipe:1'], { input: bytes, maxBuffer: 1 << 28 });
  return { rate, samples: samples_of(out) };
}

/** What can be said of samples without ears: {seconds, rms (of full scale), loud: share of 20 ms frames
 * above -40 dB}. Speech is loud in a good part of its time, and not all of it. */
export function measure({ rate, samples }) {
  let sum = 0;
  let loud = 0;
  const frame = Math.round(rate / 50);
  const frames = Math.floor(samples.length / frame);
  for (let f = 0; f < frames; f += 1) {
    let power = 0;
    for (let i = f * frame; i < (f + 1) * frame; i += 1) power += (samples[i] / 32768) ** 2;
    sum += power;
    if (power / frame > 1e-4) loud += 1;
  }
  return { seconds: samples.length / rate, rms: Math.sqrt(sum / Math.max(1, frames * frame)),
    loud: loud / Math.max(1, frames) };
}

/** Speaks a text with the server's own voice: samples of 24,000 a second. */
export async function speak(server, text, { headers = {}, ...more } = {}) {
  const reply = await fetch(`${server.url}/v1/audio/speech`, { method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: 'auto', input: text, voice: 'en-us', response_format: 'wav', ...more }) });
  const bytes = Buffer.from(await reply.arrayBuffer());
  if (reply.status !== 200) throw new Error(`${reply.status} ${bytes.toString()}`);
  return read_wav(bytes);
}

/** A form for POST /v1/voice; `file` is a buffer. */
export function voice_form({ file, name = 'question.wav', ...fields }) {
  const form = new FormData();
  if (file) form.append('file', new Blob([file]), name);
  for (const [key, value] of Object.entries(fields)) form.append(key, String(value));
  return form;
}

/** Sends a voice turn: {status, headers, bytes, json, events}. */
export async function voice(server, fields, { headers = {}, signal } = {}) {
  const reply = await fetch(`${server.url}/v1/voice`, { method: 'POST', body: voice_form(fields), headers, signal });
  const bytes = Buffer.from(await reply.arrayBuffer());
  const type = reply.headers.get('content-type') ?? '';
  const text = bytes.toString('utf8');
  return { status: reply.status, headers: reply.headers, type, bytes, text,
    json: type.startsWith('application/json') ? JSON.parse(text) : undefined,
    events: type.startsWith('text/event-stream') ? events_of(text) : undefined };
}

/** The events of a whole stream, checked: each is named as its object says. */
export function events_of(text) {
  return text.split('\n\n').filter((block) => block.startsWith('event:')).map((block) => {
    const [, name, data] = /^event: (\S+)\ndata: (.*)$/s.exec(block);
    const event = JSON.parse(data);
    if (event.type !== name) throw new Error(`event ${name} says it is ${event.type}`);
    return event;
  });
}

/** The sound inside events. */
export const sound_of = (events) => Buffer.concat(events.filter((event) => event.base64)
  .map((event) => Buffer.from(event.base64, 'base64')));

/** A client of the WebSocket, with all it was told and the sound it got; ends with the test. */
export class Talker {
  constructor(t, server, { headers = {}, protocols = [] } = {}) {
    this.told = [];
    this.sound = [];
    this.watching = [];
    this.ws = new WebSocket(`ws://127.0.0.1:${server.port}/v1/voice`, protocols, { headers });
    this.ws.on('message', (data, binary) => {
      if (binary) this.sound.push(Buffer.from(data));
      else this.told.push(JSON.parse(String(data)));
      this.look();
    });
    this.ws.on('error', (error) => { this.failed = error; this.look(); });
    this.ws.on('unexpected-response', (_, response) => { this.refused = response.statusCode; this.look(); });
    this.ws.on('close', (code, why) => { this.closed = `${code} ${why}`; this.look(); });
    cleanup(t, () => this.ws.terminate());
  }

  look() { for (const one of [...this.watching]) one(); }

  until(condition, what, limit_ms = LIMIT_MS) {
    return new Promise((resolve, reject) => {
      const stop = (end, value) => {
        clearTimeout(timer);
        this.watching = this.watching.filter((one) => one !== look);
        end(value);
      };
      const look = () => { const got = condition(); if (got) stop(resolve, got); };
      const timer = setTimeout(() => stop(reject, new Error(
        `${what}: closed=${this.closed} refused=${this.refused} told=${JSON.stringify(this.told).slice(-2000)}`)), limit_ms);
      this.watching.push(look);
      look();
    });
  }

  /** The first message since `from` of which all of `like` holds. */
  heard(like, from = 0) {
    return this.until(() => this.told.slice(from).find((one) =>
      Object.entries(like).every(([key, value]) => one[key] === value)), JSON.stringify(like));
  }

  say(message) { this.ws.send(JSON.stringify(message)); }

  /** Sends samples in frames of a tenth of a second, as fast as they go. */
  play({ rate, samples }) {
    const step = Math.round(rate / 10);
    for (let at = 0; at < samples.length; at += step) {
      const piece = samples.subarray(at, at + step);
      this.ws.send(Buffer.from(piece.buffer, piece.byteOffset, piece.length * 2), { binary: true });
    }
  }

  async goodbye() { await this.until(() => this.closed, 'close'); return this.closed; }
}
