// The scriptable provider itself: formats, faults and counters as the other suites rely on them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import net from 'node:net';
import { sound_of, tone } from './audio.mjs';
import { start } from './provider.mjs';
import { event_bytes, read_events, start as start_wyoming } from './wyoming.mjs';

const ask = (p, path, body, headers = {}) => fetch(p.url + path, {
  method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } });
const messages = [{ role: 'user', content: 'two words' }];
const versions = { 'anthropic-version': '2023-06-01' };
const CHATS = {
  openai: (stream) => ['/v1/chat/completions', { model: 'model-a', messages, stream }],
  ollama: (stream) => ['/api/chat', { model: 'model-a', messages, stream }],
  gemini: (stream) => [`/v1beta/models/model-a:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    { contents: [{ role: 'user', parts: [{ text: 'two words' }] }] }],
  anthropic: (stream) => ['/v1/messages', { model: 'model-a', messages, max_tokens: 9, stream }, versions],
};
async function with_provider(t, options) {
  const p = await start(options);
  t.after(() => p.close());
  return p;
}

for (const [format, chat] of Object.entries(CHATS)) {
  test(`${format}: echoes the last message whole and streamed`, async (t) => {
    const p = await with_provider(t);
    const whole = await ask(p, ...chat(false));
    assert.equal(whole.status, 200);
    assert.match(await whole.text(), /You said: two words/);
    const streamed = await (await ask(p, ...chat(true))).text();
    const tokens = [...streamed.matchAll(/"(?:content|text)":"([^"]+)"/g)].map((m) => m[1]);
    assert.equal(tokens.join(''), 'You said: two words');
    assert.equal(p.requests[1].format, format);
    assert.equal(p.requests[1].tokens, 4);
  });

  test(`${format}: scripted status, tool call and in-stream error`, async (t) => {
    const p = await with_provider(t);
    p.script({ replies: [{ status: 429, retry_after: 3 }, { tool_calls: [{ name: 'add', arguments: { a: 1 } }] },
      { fault: 'error_in_stream', message: 'went wrong' }] });
    const refused = await ask(p, ...chat(false));
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get('retry-after'), '3');
    assert.match(await (await ask(p, ...chat(true))).text(), /add/);
    assert.match(await (await ask(p, ...chat(true))).text(), /went wrong/);
  });

  test(`${format}: cut and reset streams end in a failed read, other faults as named`, async (t) => {
    const p = await with_provider(t);
    p.script({ replies: ['cut', 'reset_mid_body', 'no_end_marker', 'trailer'].map((fault) => ({ fault })) });
    await assert.rejects(async () => (await ask(p, ...chat(true))).text());
    await assert.rejects(async () => (await ask(p, ...chat(true))).text());
    assert.doesNotMatch(await (await ask(p, ...chat(true))).text(), /DONE|"done":true|message_stop|STOP/);
    assert.match(await (await ask(p, ...chat(true))).text(), /DONE|"done":true|message_stop|STOP/);
  });
}

test('refuses what the real servers refuse', async (t) => {
  const p = await with_provider(t, { models: { 'model-a': {}, old: { chat: false } } });
  const status = async (...args) => (await ask(p, ...args)).status;
  assert.equal(await status('/v1/messages', { model: 'model-a', messages }, versions), 400, 'max_tokens');
  assert.equal(await status('/v1/messages', { model: 'model-a', messages, max_tokens: 1 }), 400, 'version');
  assert.equal(await status('/v1beta/models/model-a:generateContent', { messages }), 400, 'unknown key');
  assert.equal(await status('/api/chat', { model: 'old', messages }), 400, 'no chat');
  assert.equal(await status('/api/generate', { model: 'old', prompt: 'x', stream: false }), 200);
  assert.equal(await status('/v1/chat/completions', { model: 'none', messages }), 404);
});

test('a client that leaves mid-stream is counted with its token', async (t) => {
  const p = await with_provider(t);
  p.script({ tokens: ['one', ' two', ' three'], gate: 'g', gate_at: 2 });
  const leave = new AbortController();
  const reply = await fetch(`${p.url}/v1/chat/completions`, { method: 'POST', signal: leave.signal,
    body: JSON.stringify({ model: 'model-a', messages, stream: true }) });
  await p.until(() => p.requests[0].tokens === 2);
  leave.abort();
  await assert.rejects(reply.text());
  await p.until(() => p.connections().closed_while_streaming === 1);
  assert.equal(p.connections().last_closed_at_token, 2);
});

test('no_read accepts and never answers, refuse closes the port, normal opens it again', async (t) => {
  const p = await with_provider(t);
  await p.mode('no_read');
  const socket = net.connect(p.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write('GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n');
  await p.until(() => p.connections().accepted === 1);
  assert.equal(p.requests.length, 0);
  await p.mode('refuse');
  await assert.rejects(fetch(`${p.url}/v1/models`));
  await p.mode('normal');
  assert.equal((await fetch(`${p.url}/v1/models`)).status, 200);
});

test('runs as a command with a control port', async () => {
  const path = fileURLToPath(new URL('provider.mjs', import.meta.url));
  const child = spawn(process.execPath, [path, '--port', '0', '--models', 'm9'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise((got) => child.stdout.once('data', (d) => got(JSON.parse(d))));
  const control = `http://127.0.0.1:${line.control_port}`;
  const p = { url: `http://127.0.0.1:${line.port}` };
  await fetch(`${control}/_script`, { method: 'POST', body: JSON.stringify({ text: 'scripted words' }) });
  const reply = await (await ask(p, '/v1/chat/completions', { model: 'm9', messages })).json();
  assert.equal(reply.choices[0].message.content, 'scripted words');
  const requests = await (await fetch(`${control}/_requests`)).json();
  assert.equal(requests[0].text, 'two words');
  child.kill('SIGTERM');
  assert.equal(await new Promise((got) => child.once('exit', got)), 0);
});

test('audio: a recording is heard whole and streamed, a text is spoken in each form', async (t) => {
  const p = await with_provider(t, { models: ['m'] });
  const hear = (fields) => {
    const form = new FormData();
    for (const [key, value] of Object.entries(fields)) form.append(key, value);
    form.append('file', new Blob([Buffer.from([1, 2, 3])]), 'a.wav');
    return fetch(`${p.url}/v1/audio/transcriptions`, { method: 'POST', body: form });
  };
  assert.deepEqual(await (await hear({ model: 'm' })).json(), { text: 'You said: a.wav 3' });
  assert.match(await (await hear({ model: 'm', stream: 'true' })).text(), /"transcript.text.done","text":"You said: a.wav 3"/);
  assert.equal((await (await hear({ model: 'm', response_format: 'verbose_json' })).json()).segments.length, 2);
  assert.equal((await hear({})).status, 400);
  p.script({ status: 429, retry_after: 2 });
  assert.equal((await hear({ model: 'm' })).headers.get('retry-after'), '2');
  for (const form of ['mp3', 'wav', 'pcm']) {
    const said = await ask(p, '/v1/audio/speech', { model: 'm', input: 'hi', voice: 'v', response_format: form });
    assert.deepEqual(Buffer.from(await said.arrayBuffer()), sound_of(form, 'hi'));
  }
  const spoken = await (await ask(p, '/v1beta/models/m:generateContent', { contents: [{ parts: [{ text: 'hi' }] }],
    generationConfig: { responseModalities: ['AUDIO'] } })).json();
  assert.deepEqual(Buffer.from(spoken.candidates[0].content.parts[0].inlineData.data, 'base64'), sound_of('pcm', 'hi'));
});

test('wyoming: it describes itself, hears, speaks and fails as told', async (t) => {
  const w = await start_wyoming();
  t.after(() => w.close());
  const socket = net.connect(w.port, '127.0.0.1');
  t.after(() => socket.destroy());
  let held = Buffer.alloc(0);
  const got = [];
  let wake = () => {};
  socket.on('data', (data) => {
    const { events, rest } = read_events(Buffer.concat([held, data]));
    held = rest;
    got.push(...events);
    wake();
  });
  const until = async (type) => {
    while (!got.some((e) => e.type === type)) await new Promise((go) => { wake = go; });
    return got.find((e) => e.type === type);
  };
  socket.write(event_bytes('describe'));
  assert.equal((await until('info')).data.asr[0].models[0].name, 'tiny-int8');
  socket.write(Buffer.concat([event_bytes('audio-start', { rate: 16000, width: 2, channels: 1 }),
    event_bytes('audio-chunk', {}, Buffer.alloc(8)), event_bytes('audio-stop')]));
  assert.equal((await until('transcript')).data.text, 'You said 4 samples at 16000');
  socket.write(event_bytes('synthesize', { text: 'hi' }));
  await until('audio-stop');
  const sound = Buffer.concat(got.filter((e) => e.type === 'audio-chunk').map((e) => e.payload));
  assert.deepEqual(sound, tone('hi', 22_050));
  w.script({ error: 'no' });
  socket.write(event_bytes('synthesize', { text: 'hi' }));
  assert.equal((await until('error')).data.text, 'no');
});
