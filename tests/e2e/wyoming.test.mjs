// The Wyoming server as Home Assistant uses it: exchanges over TCP, written from the protocol's
// description, before a scripted server of speech and chat.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { cleanup, free_port, pause, run, serve, temp_dir, write_config } from './lib/harness.mjs';

const SPEECH = Buffer.from(Array.from({ length: 48_000 }, (_, i) => i % 251));

/** An OpenAI-compatible server that hears "turn on the light", speaks SPEECH and answers. */
async function engine(t) {
  const seen = { heard: [], spoken: [], asked: [] };
  const server = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (d) => parts.push(d));
    request.on('end', () => {
      const body = Buffer.concat(parts);
      const json = (value) => { response.writeHead(200, { 'content-type': 'application/json' }); response.end(JSON.stringify(value)); };
      if (request.url === '/v1/models') return json({ object: 'list', data: [{ id: 'model-a' }, { id: 'whisper-1' }, { id: 'tts-1' }] });
      if (request.url === '/v1/audio/transcriptions') {
        seen.heard.push(body);
        return json({ text: 'turn on the light', language: 'en', duration: 1 });
      }
      if (request.url === '/v1/audio/speech') {
        seen.spoken.push(JSON.parse(body));
        response.writeHead(200, { 'content-type': 'audio/pcm' });
        return response.end(SPEECH);
      }
      if (request.url !== '/v1/chat/completions') { response.writeHead(404); return response.end('{}'); }
      seen.asked.push(JSON.parse(body));
      return json({ id: 'c', object: 'chat.completion', created: 1, model: 'model-a', usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
        choices: [{ index: 0, message: { role: 'assistant', content: 'The **light** is on.' }, finish_reason: 'stop' }] });
    });
  });
  await new Promise((go) => server.listen(0, '127.0.0.1', go));
  cleanup(t, () => { server.closeAllConnections(); server.close(); });
  return Object.assign(seen, { url: `http://127.0.0.1:${server.address().port}` });
}

/** Mainstay with its Wyoming server: {server, port, seen}. */
async function home(t, { wyoming = {}, config = {} } = {}) {
  const seen = await engine(t);
  const port = await free_port();
  const server = await serve(t, { config: {
    wyoming: { listen: `127.0.0.1:${port}`, chat_model: 'voice/model-a', transcription_model: 'voice/whisper-1', speech_model: 'voice/tts-1', ...wyoming },
    providers: [{ name: 'voice', kind: 'openai', base_url: `${seen.url}/v1`, models: ['model-a', 'whisper-1', 'tts-1'] }], ...config } });
  return { server, port, seen };
}

/** One connection: send(type, data, payload), next(), raw(bytes), closed. */
async function connect(t, port) {
  const socket = net.connect(port, '127.0.0.1');
  await new Promise((go, fail) => { socket.once('connect', go); socket.once('error', fail); });
  socket.on('error', () => {});
  cleanup(t, () => socket.destroy());
  let buffer = Buffer.alloc(0);
  const events = [];
  let wake = () => {};
  let ended = false;
  const take = () => {
    for (;;) {
      const end = buffer.indexOf(10);
      if (end < 0) return;
      const head = JSON.parse(buffer.subarray(0, end));
      const [data, payload] = [head.data_length ?? 0, head.payload_length ?? 0];
      if (buffer.length < end + 1 + data + payload) return;
      const more = data ? JSON.parse(buffer.subarray(end + 1, end + 1 + data)) : {};
      events.push({ type: head.type, data: { ...(head.data ?? {}), ...more }, payload: Buffer.from(buffer.subarray(end + 1 + data, end + 1 + data + payload)) });
      buffer = buffer.subarray(end + 1 + data + payload);
    }
  };
  socket.on('data', (d) => { buffer = Buffer.concat([buffer, d]); take(); wake(); });
  const closed = new Promise((go) => socket.on('close', () => { ended = true; wake(); go(); }));
  return {
    socket,
    closed,
    raw: (bytes) => socket.write(bytes),
    send(type, data = {}, payload = Buffer.alloc(0)) {
      const bytes = Buffer.from(Object.keys(data).length ? JSON.stringify(data) : '');
      const head = { type, version: '1.5.4', ...(bytes.length && { data_length: bytes.length }), ...(payload.length && { payload_length: payload.length }) };
      socket.write(Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), bytes, payload]));
    },
    async next(limit_ms = 15_000) {
      const until = performance.now() + limit_ms;
      while (!events.length && !ended && performance.now() < until) {
        await Promise.race([new Promise((go) => { wake = go; }), pause(100)]);
      }
      return events.shift() ?? null;
    },
  };
}

const LAYOUT = { rate: 16000, width: 2, channels: 1 };

test('it says what it can: hearing, speaking, answering', async (t) => {
  const { port } = await home(t);
  const client = await connect(t, port);
  client.send('describe');
  const info = await client.next();
  assert.equal(info.type, 'info');
  for (const part of ['asr', 'tts', 'handle']) {
    assert.equal(info.data[part].length, 1, part);
    assert.ok(info.data[part][0].installed && info.data[part][0].attribution.name, part);
  }
  assert.ok(info.data.asr[0].models[0].languages.includes('en'));
  assert.ok(info.data.tts[0].voices.length >= 1);
  client.send('ping', { text: 'still there?' });
  assert.deepEqual(await client.next(), { type: 'pong', data: { text: 'still there?' }, payload: Buffer.alloc(0) });
});

test('speech to text: a recording in chunks, its words back, twice on one connection', async (t) => {
  const { port, seen } = await home(t);
  const client = await connect(t, port);
  for (let round = 0; round < 2; round += 1) {
    client.send('transcribe', { language: 'en' });
    client.send('audio-start', { ...LAYOUT, timestamp: 0 });
    for (let i = 0; i < 10; i += 1) client.send('audio-chunk', { ...LAYOUT, timestamp: i * 32 }, Buffer.alloc(1024, round + 1));
    client.send('audio-stop', { timestamp: 320 });
    const told = await client.next();
    assert.equal(told?.type, 'transcript', JSON.stringify(told));
    assert.equal(told.data.text, 'turn on the light');
  }
  assert.equal(seen.heard.length, 2);
  const form = seen.heard[0];
  const riff = form.indexOf('RIFF');
  assert.ok(riff > 0 && form.indexOf('WAVEfmt ') === riff + 8, 'a WAV file');
  assert.equal(form.readUInt32LE(riff + 24), 16000);
  assert.equal(form.readUInt32LE(riff + 40), 10 * 1024);
});

test('text to speech: the layout, all of the sound in chunks, the end', async (t) => {
  const { port, seen } = await home(t);
  const client = await connect(t, port);
  client.send('synthesize', { text: 'The light is on.', voice: { name: 'alloy', language: 'en' } });
  const start = await client.next();
  assert.equal(start?.type, 'audio-start', JSON.stringify(start));
  assert.deepEqual([start.data.rate, start.data.width, start.data.channels], [24000, 2, 1]);
  const parts = [];
  let event;
  while ((event = await client.next())?.type === 'audio-chunk') {
    assert.ok(event.payload.length > 0 && event.payload.length <= 12_000 && event.data.rate === 24000);
    parts.push(event.payload);
  }
  assert.equal(event?.type, 'audio-stop');
  assert.ok(Buffer.concat(parts).equals(SPEECH), 'every byte of it');
  assert.equal(seen.spoken[0].input, 'The light is on.');
  assert.equal(seen.spoken[0].voice, 'alloy');
});

test('a conversation: answers to be spoken, remembered by the id that Home Assistant gives', async (t) => {
  const { port, seen } = await home(t);
  const context = { conversation_id: '01JBCDEFGH' };
  for (const text of ['Turn on the light', 'And is it on?']) {
    const client = await connect(t, port);  // one connection for each question
    client.send('transcript', { text, language: 'en', context });
    const handled = await client.next();
    assert.equal(handled?.type, 'handled', JSON.stringify(handled));
    assert.equal(handled.data.text, 'The light is on.', 'without marks');
    assert.deepEqual(handled.data.context, context);
    client.socket.end();
  }
  const last = seen.asked.at(-1).messages.filter((one) => one.role !== 'system').map((one) => one.content);
  assert.deepEqual(last, ['Turn on the light', 'The **light** is on.', 'And is it on?']);
});

test('bytes that are no event, lying lengths and half events end the connection, not the server', async (t) => {
  const { server, port } = await home(t, { wyoming: { event_timeout: '300ms' } });
  for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\x02\x00\n', '{"type":"audio-chunk","payload_length":99999999999}\n',
    `{"type":"x","data":${'['.repeat(100)}\n`, 'a'.repeat(200_000)]) {
    const client = await connect(t, port);
    client.raw(bytes);
    const told = await client.next();
    assert.equal(told?.type, 'error', bytes.slice(0, 40));
    assert.equal(told.data.code, 'bad_event');
    await client.closed;
  }
  const half = await connect(t, port);
  half.raw('{"type":"audio-chunk","payload_length":100}\nonly this');
  await half.closed;
  const bad_audio = await connect(t, port);
  bad_audio.send('transcribe');
  bad_audio.send('audio-start', { rate: 1, width: 2, channels: 1 });
  assert.equal((await bad_audio.next())?.data.code, 'bad_audio');
  assert.equal((await server.get('/health')).status, 200);
});

test('a recording has an end, and so has the number of connections', async (t) => {
  const { server, port } = await home(t, { wyoming: { audio_max: '8KiB', connections_max: 2 } });
  const long = await connect(t, port);
  long.send('transcribe');
  long.send('audio-start', LAYOUT);
  for (let i = 0; i < 9; i += 1) long.send('audio-chunk', LAYOUT, Buffer.alloc(1024));
  const told = await long.next();
  assert.deepEqual([told?.type, told?.data.code], ['error', 'audio_too_long']);
  await long.closed;
  const open = [await connect(t, port), await connect(t, port)];
  for (const client of open) { client.send('ping'); assert.equal((await client.next())?.type, 'pong'); }
  const third = await connect(t, port);
  await third.closed;
  assert.equal((await server.metrics())('mainstay_wyoming_connections_total', { outcome: 'refused' }), 1);
  open[0].socket.destroy();
  await server.until(async () => (await server.metrics())('mainstay_wyoming_connections') === 1, 'one has left');
  const next = await connect(t, port);
  next.send('ping');
  assert.equal((await next.next())?.type, 'pong');
});

test('what fails is told with a code, and the connection goes on', async (t) => {
  const { port } = await home(t, { wyoming: { chat_model: 'nowhere/model', transcription_model: 'nowhere/ear', speech_model: 'nowhere/mouth' } });
  const client = await connect(t, port);
  client.send('transcript', { text: 'hello' });
  assert.equal((await client.next())?.type, 'not-handled');
  client.send('synthesize', { text: 'hello' });
  const told = await client.next();
  assert.equal(told?.type, 'error');
  assert.ok(told.data.code && told.data.text);
  client.send('ping');
  assert.equal((await client.next())?.type, 'pong');
});

// Nobody beyond this machine without a list.
test('an address of the network needs a list of who may connect', async (t) => {
  const dir = temp_dir(t);
  const attempt = async (wyoming) => {
    const file = write_config(dir, { log: { sink: 'stderr' }, models: { discover: false }, wyoming });
    return run(['serve', '--listen', '127.0.0.1:0', '--config', file, '--data', path.join(dir, 'data')], { limit_ms: 20_000 });
  };
  for (const wyoming of [{ listen: '0.0.0.0:0' }, { listen: '127.0.0.1:0', allow: ['my-house'] }]) {
    const ended = await attempt(wyoming);
    assert.notEqual(ended.code, 0);
    assert.match(ended.err, /wyoming\.allow/, ended.err);
  }
});

test('open connections do not hold up the stop', async (t) => {
  const { server, port } = await home(t);
  const client = await connect(t, port);
  client.send('transcribe');
  client.send('audio-start', LAYOUT);
  client.send('ping');
  assert.equal((await client.next())?.type, 'pong');
  const began = performance.now();
  await server.stop();
  assert.ok(performance.now() - began < 10_000);
  await client.closed;
});
