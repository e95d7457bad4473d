// A Wyoming server (Piper, faster-whisper and their kin) that does what a test tells it, on a real
// socket. It hears "You said N samples" and speaks tones.
//   const w = await start({hears: true, speaks: true, voices: [...], rate})
//   w.url (tcp://…)  w.events (of clients, payloads as lengths)  w.script(reply)  w.connections  w.close()
// A script serves one transcription or one text. Its fields: text, chunks[] (transcript-chunk events
// before the transcript), error, delay_ms, sound (Buffer), pieces, close_after (ends the connection),
// fault: stall | cut (in the middle of an event) | garbage | big (a length above every limit) | fin.
import net from 'node:net';
import { tone } from './audio.mjs';

/** One event as bytes. */
export function event_bytes(type, data = {}, payload = Buffer.alloc(0)) {
  const body = Buffer.from(JSON.stringify(data));
  const head = { type, version: '1.5.0', data_length: body.length };
  if (payload.length) head.payload_length = payload.length;
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body, payload]);
}

/** Whole events from the front of `buffer`: {events, rest}. */
export function read_events(buffer) {
  const events = [];
  for (;;) {
    const line = buffer.indexOf('\n');
    if (line < 0) return { events, rest: buffer };
    const head = JSON.parse(buffer.toString('utf8', 0, line));
    const data_end = line + 1 + (head.data_length ?? 0);
    const end = data_end + (head.payload_length ?? 0);
    if (buffer.length < end) return { events, rest: buffer };
    const more = head.data_length ? JSON.parse(buffer.toString('utf8', line + 1, data_end)) : {};
    events.push({ type: head.type, data: { ...head.data, ...more }, payload: Buffer.from(buffer.subarray(data_end, end)) });
    buffer = buffer.subarray(end);
  }
}

const sleep = (ms) => new Promise((go) => setTimeout(go, ms));

class WyomingServer {
  constructor({ hears = true, speaks = true, rate = 22_050, voices = ['en_US-test-medium', 'de_DE-test-low'] } = {}) {
    Object.assign(this, { hears, speaks, rate, voices, scripts: [], events: [], sockets: new Set(), connections: 0 });
  }

  script(...replies) { this.scripts.push(...replies); }

  info() {
    const about = { attribution: { name: 'test', url: 'https://example.org' }, installed: true, version: '1' };
    return {
      asr: this.hears ? [{ name: 'scripted-whisper', description: 'hears', ...about,
        models: [{ name: 'tiny-int8', description: 'small', languages: ['en', 'de'], ...about },
          { name: 'absent', languages: ['en'], ...about, installed: false }] }] : [],
      tts: this.speaks ? [{ name: 'scripted-piper', description: 'speaks', ...about,
        voices: this.voices.map((name) => ({ name, description: name, languages: [name.slice(0, 5)], ...about })) }] : [],
      handle: [], intent: [], wake: [],
    };
  }

  async serve(socket) {
    this.connections += 1;
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => {});
    const state = { samples: 0, rate: 0 };
    let buffer = Buffer.alloc(0);
    let work = Promise.resolve();
    socket.on('data', (data) => {
      buffer = Buffer.concat([buffer, data]);
      const { events, rest } = read_events(buffer);
      buffer = rest;
      for (const event of events) {
        this.events.push({ type: event.type, data: event.data, payload: event.payload.length });
        work = work.then(() => this.answer(socket, state, event)).catch((error) => socket.destroy(error));
      }
    });
  }

  async answer(socket, state, { type, data, payload }) {
    if (type === 'describe') socket.write(event_bytes('info', this.info()));
    if (type === 'audio-start') Object.assign(state, { samples: 0, rate: data.rate });
    if (type === 'audio-chunk') state.samples += payload.length / 2;
    if (type === 'audio-stop') await this.heard(socket, state);
    if (type === 'synthesize') await this.spoken(socket, data.text);
  }

  async broken(socket, reply) {
    if (reply.delay_ms) await sleep(reply.delay_ms);
    if (reply.error) { socket.write(event_bytes('error', { text: reply.error, code: 'scripted' })); return true; }
    if (reply.fault === 'stall') return true;
    if (reply.fault === 'garbage') { socket.write('{"type": "transcr\n'); return true; }
    if (reply.fault === 'big') { socket.write('{"type":"audio-chunk","payload_length":99999999999}\n'); return true; }
    if (reply.fault === 'fin') { socket.end(); return true; }
    if (reply.fault === 'cut') {
      const whole = event_bytes('transcript', { text: 'never whole' });
      socket.write(whole.subarray(0, whole.length - 6));
      await sleep(20);
      socket.destroy();
      return true;
    }
    return false;
  }

  async heard(socket, { samples, rate }) {
    const reply = this.scripts.shift() ?? {};
    if (await this.broken(socket, reply)) return;
    for (const text of reply.chunks ?? []) socket.write(event_bytes('transcript-chunk', { text }));
    socket.write(event_bytes('transcript', { text: reply.text ?? `You said ${samples} samples at ${rate}`, language: 'en' }));
    if (reply.close_after) socket.end();
  }

  async spoken(socket, text) {
    const reply = this.scripts.shift() ?? {};
    if (await this.broken(socket, reply)) return;
    const layout = { rate: reply.rate ?? this.rate, width: 2, channels: 1 };
    socket.write(event_bytes('audio-start', layout));
    const sound = reply.sound ?? tone(text, this.rate);
    const size = Math.ceil(sound.length / (reply.pieces ?? 3) / 2) * 2;
    for (let at = 0; at < sound.length; at += size) {
      socket.write(event_bytes('audio-chunk', layout, sound.subarray(at, at + size)));
      if (reply.cut_at !== undefined && at / size >= reply.cut_at) return void socket.destroy();
    }
    socket.write(event_bytes('audio-stop'));
    if (reply.close_after) socket.end();
  }

  close() {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((done) => this.server.close(done));
  }
}

export async function start(options = {}) {
  const wyoming = new WyomingServer(options);
  wyoming.server = net.createServer((socket) => wyoming.serve(socket));
  await new Promise((go) => wyoming.server.listen(0, '127.0.0.1', go));
  wyoming.port = wyoming.server.address().port;
  wyoming.url = `tcp://127.0.0.1:${wyoming.port}`;
  return wyoming;
}
