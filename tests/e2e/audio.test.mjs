// /v1/audio with the official `openai` client and with raw requests, before an OpenAI-compatible engine:
// what is refused, what an engine's failures become, where audio is kept. Other engines: audio_engines.
// proves Z7, Z13, M5, M11; fault rows 11, 13, 34, 35, 42; security rows 12, 30, 31, 42
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, test } from 'node:test';
import { sound_of } from '../provider/audio.mjs';
import { MODELS, ONCE, WAV, recording, rig, speak, transcribe } from './lib/audio.mjs';
import { assert_error, pause, serve, temp_dir } from './lib/harness.mjs';
import { bearer, known, new_key } from './lib/people.mjs';

describe('a recording to text, by an OpenAI-compatible engine', () => {
  test('the official client gets each of its formats', async (t) => {
    const { client, provider } = await rig(t);
    const plain = await client.audio.transcriptions.create({ model: 'whisper-x', file: await recording(), language: 'en',
      prompt: 'names: Ada', temperature: 0.25 });
    assert.equal(plain.text, `You said: question.wav ${WAV.length}`);
    const asked = provider.requests.at(-1).ask;
    assert.deepEqual(asked.file.data, WAV);
    assert.deepEqual([asked.language, asked.prompt, asked.temperature, asked.format], ['en', 'names: Ada', '0.25', 'json']);
    const verbose = await client.audio.transcriptions.create({ model: 'whisper-x', file: await recording(),
      response_format: 'verbose_json', timestamp_granularities: ['segment', 'word'] });
    assert.equal(verbose.segments.length, 2);
    assert.deepEqual([verbose.segments[1].start, verbose.segments[1].end, verbose.duration], [1.5, 3.25, 3.25]);
    assert.deepEqual(verbose.words, [{ word: 'You', start: 0, end: 0.4 }]);
    const { tokens, avg_logprob, compression_ratio, no_speech_prob } = verbose.segments[0];
    assert.deepEqual([tokens, avg_logprob, compression_ratio, no_speech_prob], [[1], -0.25, 1, 0.01]);
    const srt = await client.audio.transcriptions.create({ model: 'whisper-x', file: await recording(), response_format: 'srt' });
    assert.equal(srt, `1\n00:00:00,000 --> 00:00:01,500\nYou said:\n\n2\n00:00:01,500 --> 00:00:03,250\nquestion.wav ${WAV.length}\n\n`);
    const vtt = await client.audio.transcriptions.create({ model: 'whisper-x', file: await recording(), response_format: 'vtt' });
    assert.match(vtt, /^WEBVTT\n\n00:00:00\.000 --> 00:00:01\.500\nYou said:\n\n/);
    const text = await client.audio.transcriptions.create({ model: 'whisper-x', file: await recording(), response_format: 'text' });
    assert.equal(text, `You said: question.wav ${WAV.length}\n`);
  });

  test('what an engine says beside the text is passed on: usage and logprobs', async (t) => {
    const { client, provider } = await rig(t);
    const beside = { usage: { type: 'tokens', input_tokens: 3, output_tokens: 2, total_tokens: 5 }, logprobs: [{ token: 'one', logprob: -1 }] };
    provider.script({ text: 'one', beside });
    const reply = await client.audio.transcriptions.create({ model: 'whisper-x', file: await recording(), include: ['logprobs'],
      chunking_strategy: { type: 'server_vad' } });
    assert.deepEqual(reply, { text: 'one', ...beside });
    const { include, chunking } = provider.requests.at(-1).ask;
    assert.deepEqual([include, chunking], [['logprobs'], 'server_vad']);
    provider.script({ text: 'one', beside });
    const stream = await client.audio.transcriptions.create({ model: 'whisper-x', file: await recording(), stream: true,
      include: ['logprobs'], chunking_strategy: 'auto' });
    const events = [];
    for await (const one of stream) events.push(one);
    assert.deepEqual(events.at(-1), { type: 'transcript.text.done', text: 'one', ...beside });
    assert.equal(provider.requests.at(-1).ask.chunking, 'auto');
  });

  test('a stream gives pieces and the whole at its end', async (t) => {
    const { client } = await rig(t);
    const stream = await client.audio.transcriptions.create({ model: 'whisper-x', file: await recording(), stream: true });
    const events = [];
    for await (const event of stream) events.push(event);
    const deltas = events.filter((e) => e.type === 'transcript.text.delta').map((e) => e.delta);
    assert.ok(deltas.length > 1, JSON.stringify(events));
    assert.deepEqual([events.at(-1).type, events.at(-1).text], ['transcript.text.done', deltas.join('')]);
  });

  test('a stream that breaks off ends with an error event, never as if it were whole', async (t) => {
    const { server, provider } = await rig(t, { config: ONCE });
    provider.script({ fault: 'cut', after: 1, text: 'one two three' });
    const reply = await transcribe(server, { stream: 'true' });
    assert.equal(reply.status, 200, reply.text);
    assert.match(reply.text, /transcript\.text\.delta/);
    assert.doesNotMatch(reply.text, /transcript\.text\.done/);
    assert.match(reply.text, /"code":"upstream_truncated"/);
  });

  test('a translation goes to the engine that can', async (t) => {
    const { client, provider } = await rig(t);
    const got = await client.audio.translations.create({ model: 'whisper-x', file: await recording() });
    assert.equal(got.text, `You said: question.wav ${WAV.length}`);
    assert.equal(provider.requests.at(-1).path, '/v1/audio/translations');
  });

  test('a recording larger than memory keeps goes through the disk and leaves nothing there', async (t) => {
    const { server, provider } = await rig(t);
    const bytes = Buffer.alloc(5_000_000, 'abcdefg');
    const reply = await transcribe(server, {}, { bytes, name: 'long.mp3' });
    assert.equal(reply.status, 200, reply.text);
    assert.ok(provider.requests.at(-1).ask.file.data.equals(bytes));
    await server.until(() => fs.readdirSync(path.join(server.data, 'files')).length === 0, 'the shelf is empty');
  });

  test('over TLS the recording is sent from the disk too', async (t) => {
    const dir = temp_dir(t);
    const [cert, key] = ['cert.pem', 'key.pem'].map((name) => path.join(dir, name));
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
      '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'],
    { stdio: 'ignore' });
    const tls = { key: fs.readFileSync(key), cert: fs.readFileSync(cert) };
    const { server, provider } = await rig(t, { provider: { models: MODELS, tls }, config: { upstream: { ca_file: cert } } });
    for (const size of [10, 3_000_001]) {
      const bytes = Buffer.alloc(size, 'tls-');
      const reply = await transcribe(server, {}, { bytes });
      assert.equal(reply.status, 200, reply.text);
      assert.ok(provider.requests.at(-1).ask.file.data.equals(bytes));
    }
    const spoken = await speak(server, { input: 'over tls' });
    assert.equal(spoken.text, sound_of('mp3', 'over tls').toString('utf8'));
  });

  test('its failures and broken replies are told like those of chat', async (t) => {
    const { server, provider } = await rig(t, { config: ONCE });
    for (const [script, status, code] of [
      [{ status: 500 }, 502, 'upstream_error'],
      [{ status: 401 }, 502, 'upstream_credentials'],
      [{ status: 400, message: 'could not decode the audio' }, 400, 'upstream_rejected'],
      [{ fault: 'garbage' }, 502, 'upstream_bad_reply'],
      [{ fault: 'empty_json' }, 502, 'upstream_bad_reply'],
      [{ fault: 'deep_json' }, 502, 'upstream_bad_reply'],
      [{ fault: 'wrong_content_type' }, 502, 'upstream_bad_reply'],
      [{ fault: 'reset_mid_body' }, 502, 'upstream_reset'],
      [{ fault: 'close_before_headers' }, 502, 'upstream_reset'],
    ]) {
      provider.script(script);
      const reply = await transcribe(server, { model: 'openai/whisper-x' });
      assert_error(reply, status, { code });
    }
    provider.script({ status: 429, retry_after: 1 });
    assert_error(await transcribe(server, { model: 'openai/whisper-x' }), 503, { code: 'upstream_rate_limited' });
    await pause(1100);
    assert.equal((await transcribe(server, { model: 'openai/whisper-x' })).status, 200);
  });

  test('a failure before the first piece is tried again', async (t) => {
    const { server, provider } = await rig(t);
    provider.script([{ status: 500 }, { fault: 'reset_before_headers' }]);
    const reply = await transcribe(server, { stream: 'true' });
    assert.equal(reply.status, 200, reply.text);
    assert.match(reply.text, /transcript\.text\.done/);
    assert.equal(provider.requests.filter((r) => r.path.includes('audio')).length, 3);
  });

  test('an engine that says nothing is given up in time', async (t) => {
    const { server, provider } = await rig(t, { config: { ...ONCE, audio: { transcription_timeout: '300ms' } } });
    provider.script({ fault: 'no_bytes' });
    const reply = await transcribe(server, { model: 'openai/whisper-x' });
    assert_error(reply, 504);
  });
});

describe('what is refused of recordings', () => {
  test('what is wrong is named', async (t) => {
    const { server, provider } = await rig(t);
    for (const [fields, options, status, code, param] of [
      [{ model: 'auto' }, { bytes: null }, 400, 'missing_field', 'file'],
      [{}, { bytes: Buffer.alloc(0) }, 400, 'empty_audio', 'file'],
      [{ response_format: 'mp4' }, {}, 400, 'invalid_value', 'response_format'],
      [{ language: 'x' }, {}, 400, 'invalid_value', 'language'],
      [{ language: '../../etc' }, {}, 400, 'invalid_value', 'language'],
      [{ temperature: '1.5' }, {}, 400, 'out_of_range', 'temperature'],
      [{ temperature: 'nan' }, {}, 400, 'out_of_range', 'temperature'],
      [{ stream: 'yes' }, {}, 400, 'invalid_type', 'stream'],
      [{ stream: 'true', response_format: 'srt' }, {}, 400, 'invalid_value', 'stream'],
      [{ 'timestamp_granularities[]': 'word' }, {}, 400, 'invalid_value', 'timestamp_granularities'],
      [{ prompt: ['a', 'b'] }, {}, 400, 'duplicate_field', 'prompt'],
      [{ prompt: 'x'.repeat(5000) }, {}, 400, 'field_too_long', 'prompt'],
      [{ model: 'no/such' }, {}, 404, 'unknown_model', 'model'],
      [{ model: 'mainstay/extractive' }, {}, 400, 'model_cannot_transcribe', 'model'],
    ]) {
      const before = provider.requests.filter((r) => r.path.includes('audio')).length;
      const reply = await transcribe(server, fields, options);
      assert_error(reply, status, { code, param });
      assert.equal(provider.requests.filter((r) => r.path.includes('audio')).length, before, 'nothing goes out');
    }
    assert_error(await server.post('/v1/audio/transcriptions', { file: 'x' }), 415);
    assert_error(await server.request('POST', '/v1/audio/transcriptions', { body: Buffer.from('--x\r\nnonsense'),
      headers: { 'content-type': 'multipart/form-data; boundary=x' } }), 400, { code: 'bad_multipart' });
  });

  test('security_30 a recording at its limit passes, one byte more does not', async (t) => {
    const { server } = await rig(t, { config: { audio: { upload_max: '2MiB' } } });
    for (const [size, status] of [[(2 << 20) - 1, 200], [2 << 20, 200], [(2 << 20) + 1, 413]]) {
      const reply = await transcribe(server, {}, { bytes: Buffer.alloc(size, 'x') });
      assert.equal(reply.status, status, `${size}: ${reply.text}`);
      if (status === 413) assert_error(reply, 413, { code: 'recording_too_large', param: 'file' });
    }
    await server.until(() => fs.readdirSync(path.join(server.data, 'files')).length === 0, 'the shelf is empty');
  });

  test('security_12 a file name stays a name', async (t) => {
    const { server, provider } = await rig(t);
    for (const [name, sent] of [['../../etc/passwd', 'passwd'], ['C:\\x\\y.wav', 'y.wav'], ['a\tb.wav', 'ab.wav']]) {
      const reply = await transcribe(server, {}, { name });
      assert.equal(reply.status, 200, reply.text);
      assert.equal(provider.requests.at(-1).ask.file.filename, sent);
    }
    const reply = await transcribe(server, {}, { name: 'x"; name="model"; y=".wav' });
    assert.equal(reply.status, 200, reply.text);
    assert.equal(provider.requests.at(-1).ask.model, 'whisper-x');
  });

  test('a client that goes in the middle of its upload leaves nothing', async (t) => {
    const { server, provider } = await rig(t);
    const socket = net.connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    const head = '--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n';
    socket.write(`POST /v1/audio/transcriptions HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\n` +
      `content-type: multipart/form-data; boundary=b\r\ncontent-length: 9000000\r\n\r\n${head}`);
    socket.write(Buffer.alloc(4_000_000, 'x'));
    const files = () => fs.readdirSync(path.join(server.data, 'files'));
    await server.until(() => files().length === 1, 'the recording is on its way');
    socket.destroy();
    await server.until(() => files().length === 0, 'nothing is left');
    assert.equal(provider.requests.filter((r) => r.path.includes('audio')).length, 0);
    assert.equal((await transcribe(server, {})).status, 200);
  });
});

describe('speech, by an OpenAI-compatible engine', () => {
  test('the official client gets each form, as the engine made it', async (t) => {
    const { client, server } = await rig(t);
    for (const [form, type] of [['mp3', 'audio/mpeg'], ['wav', 'audio/wav'], ['opus', 'audio/ogg'],
      ['flac', 'audio/flac'], ['pcm', 'audio/pcm'], ['aac', 'audio/aac']]) {
      const reply = await client.audio.speech.create({ model: 'voice-x', voice: 'alloy', input: `hello ${form}`, response_format: form });
      assert.equal(reply.headers.get('content-type'), type);
      assert.deepEqual(Buffer.from(await reply.arrayBuffer()), sound_of(form, `hello ${form}`));
    }
    const mp3 = await speak(server, {});
    assert.equal(mp3.headers['content-type'], 'audio/mpeg');
    assert.equal(mp3.headers['x-content-type-options'], 'nosniff');
  });

  test('its sound comes while it is made', async (t) => {
    const { client, provider } = await rig(t);
    provider.script({ gate: 'more', gate_at: 2, pieces: 4 });
    const reply = await client.audio.speech.create({ model: 'voice-x', voice: 'alloy', input: 'a longer text', speed: 1.5 });
    const reader = reply.body.getReader();
    const first = await reader.read();
    assert.ok(first.value.length > 0 && provider.requests.at(-1).done === false);
    assert.equal(provider.requests.at(-1).ask.speed, 1.5);
    provider.open('more');
    let size = first.value.length;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.length;
    }
    assert.equal(size, sound_of('mp3', 'a longer text').length);
  });

  test('as events it is base64', async (t) => {
    const { server } = await rig(t);
    const reply = await speak(server, { stream_format: 'sse', input: 'events' });
    assert.match(reply.headers['content-type'], /^text\/event-stream/);
    const events = reply.text.trim().split('\n\n').map((e) => JSON.parse(e.replace(/^data: /, '')));
    assert.equal(events.at(-1).type, 'speech.audio.done');
    const sound = Buffer.concat(events.slice(0, -1).map((e) => Buffer.from(e.audio, 'base64')));
    assert.deepEqual(sound, sound_of('mp3', 'events'));
  });

  test('what is wrong is named', async (t) => {
    const { server, provider } = await rig(t, { config: { audio: { text_max: 10 } } });
    for (const [body, status, code, param] of [
      [{ input: undefined }, 400, 'missing_field', 'input'],
      [{ input: '' }, 400, undefined, 'input'],
      [{ input: ' \n ' }, 400, 'empty_field', 'input'],
      [{ input: 7 }, 400, 'invalid_type', 'input'],
      [{ input: 'x'.repeat(11) }, 400, 'text_too_long', 'input'],
      [{ input: 'x', speed: 0.2 }, 400, 'out_of_range', 'speed'],
      [{ input: 'x', speed: 4.01 }, 400, 'out_of_range', 'speed'],
      [{ input: 'x', speed: 'fast' }, 400, 'out_of_range', 'speed'],
      [{ input: 'x', voice: 5 }, 400, 'invalid_type', 'voice'],
      [{ input: 'x', response_format: 'mp4' }, 400, 'invalid_value', 'response_format'],
      [{ input: 'x', stream_format: 'tape' }, 400, 'invalid_value', 'stream_format'],
      [{ input: 'x', colour: 'red' }, 400, 'unknown_field', 'colour'],
      [{ input: 'x', model: 'mainstay/extractive' }, 400, 'model_cannot_speak', 'model'],
    ]) {
      assert_error(await speak(server, body), status, { code, param });
    }
    assert.equal(provider.requests.filter((r) => r.path.includes('audio')).length, 0);
    for (const input of ['x'.repeat(9), 'x'.repeat(10), 'ä'.repeat(10)]) {
      assert.equal((await speak(server, { input })).status, 200, input);
    }
  });

  test('an engine that fails before its first sound is told; one that breaks off is not passed as whole', async (t) => {
    const { server, provider, client } = await rig(t, { config: { ...ONCE, audio: { cache: false } } });
    const named = { model: 'openai/voice-x' };
    for (const [script, status, code] of [
      [{ status: 500 }, 502, 'upstream_error'],
      [{ status: 400, message: 'no such voice' }, 400, 'upstream_rejected'],
      [{ fault: 'wrong_content_type' }, 502, 'upstream_bad_reply'],
      [{ fault: 'empty_json' }, 502, 'upstream_bad_reply'],
      [{ sound: Buffer.alloc(0) }, 502, 'upstream_bad_reply'],
    ]) {
      provider.script(script);
      assert_error(await speak(server, named), status, { code });
    }
    provider.script({ fault: 'cut', after: 2 });
    const broken = await client.audio.speech.create({ ...named, voice: 'alloy', input: 'cut off' });
    await assert.rejects(broken.arrayBuffer());
    provider.script({ fault: 'cut', after: 2 });
    const events = await speak(server, { ...named, stream_format: 'sse' });
    assert.match(events.text, /"code":"upstream_truncated"/);
    assert.doesNotMatch(events.text, /speech\.audio\.done/);
  });

  test('the same text is spoken from the cache, for its tenant, voice, speed and form alone', async (t) => {
    const { server, provider } = await rig(t);
    const calls = () => provider.requests.filter((r) => r.path === '/v1/audio/speech').length;
    const first = await speak(server, { input: 'again' });
    assert.equal(first.headers['x-mainstay-cache'], 'miss');
    const second = await speak(server, { input: 'again' });
    assert.equal(second.headers['x-mainstay-cache'], 'hit');
    assert.equal(second.text, first.text);
    assert.equal(calls(), 1);
    for (const other of [{ voice: 'nova' }, { speed: 1.25 }, { response_format: 'wav' }, { input: 'again.' }]) {
      await speak(server, { input: 'again', ...other });
    }
    assert.equal(calls(), 5);
    await speak(server, { input: 'again' }, { 'cache-control': 'no-store' });
    assert.equal(calls(), 6);
    const metric = await server.metrics();
    assert.equal(metric('mainstay_speech_cache_hits_total'), 1);
    assert.ok(metric('mainstay_speech_cache_bytes') > 0);
  });
});

describe('where audio is kept', () => {
  const kept = (server, body, headers) => speak(server, { stream_format: 'file', ...body }, headers);

  test('on the disk: an address for its owner alone, also after a restart, until it is deleted', async (t) => {
    const data = temp_dir(t);
    const { server, provider } = await rig(t, { data });
    const reply = await kept(server, { input: 'keep me' });
    assert.equal(reply.status, 200, reply.text);
    assert.match(reply.json.id, /^audio-[0-9a-z]{26}$/i);
    const sound = await server.get(reply.json.url);
    assert.equal(sound.status, 200);
    assert.equal(sound.headers['content-type'], 'audio/mpeg');
    assert.equal(sound.text, sound_of('mp3', 'keep me').toString('utf8'));
    const other = `${reply.json.url.slice(0, -1)}${reply.json.url.endsWith('0') ? '1' : '0'}`;
    assert_error(await server.get(other), 404, { code: 'unknown_audio' });
    assert_error(await server.get('/v1/audio/files/..%2f..%2fmainstay.db'), 404);
    await server.stop();
    const again = await serve(t, { data, config: { providers: [{ name: 'openai', kind: 'openai', base_url: `${provider.url}/v1` }] } });
    assert.equal((await again.get(reply.json.url)).text, sound.text);
    assert.equal((await again.delete(reply.json.url)).json.deleted, true);
    assert_error(await again.get(reply.json.url), 404, { code: 'unknown_audio' });
    await again.until(() => fs.readdirSync(path.join(data, 'audio')).length === 0, 'nothing is left');
  });

  test('for everybody but its owner it is not there', async (t) => {
    const data = temp_dir(t);
    const keys = [await new_key(data, 'ann', '--user', 'ann'), await new_key(data, 'bob', '--user', 'bob')];
    const { server } = await rig(t, { data });
    for (const { key } of keys) await known(server, key);
    const [ann, bob] = keys.map(({ key }) => bearer(key));
    const reply = await kept(server, { input: 'for ann alone' }, ann);
    assert.equal(reply.status, 200, reply.text);
    assert.equal((await server.get(reply.json.url, ann)).status, 200);
    assert_error(await server.get(reply.json.url, bob), 404, { code: 'unknown_audio' });
    assert_error(await server.delete(reply.json.url, bob), 404, { code: 'unknown_audio' });
    assert.ok([401, 404].includes((await server.get(reply.json.url)).status));
    assert.equal((await server.get(reply.json.url, ann)).status, 200);
  });

  test('its time ends', async (t) => {
    const { server } = await rig(t, { config: { audio: { keep: '1s' } } });
    const from = Date.now();
    const reply = await kept(server, {});
    const soon = await server.get(reply.json.url);
    assert.ok(soon.status === 200 || Date.now() - from >= 1000, `gone before its time: ${soon.status}`);
    await server.until(async () => (await server.get(reply.json.url)).status === 404, 'expired');
  });

  for (const [store, extra] of [['memory', {}], ['auto', { folder: '/proc/nowhere' }]]) {
    test(`in memory: ${store}, when no folder can be written to`, async (t) => {
      const { server } = await rig(t, { config: { audio: { store, ...extra } } });
      const reply = await kept(server, { input: 'in memory' });
      assert.equal((await server.get(reply.json.url)).text, sound_of('mp3', 'in memory').toString('utf8'));
      assert.ok(!fs.existsSync(path.join(server.data, 'audio')) || fs.readdirSync(path.join(server.data, 'audio')).length === 0);
      const metric = await server.metrics();
      assert.equal(metric('mainstay_audio_kept_bytes', { place: 'memory' }), sound_of('mp3', 'in memory').length);
    });
  }

  test('nowhere: the sound is in the reply', async (t) => {
    const { server } = await rig(t, { config: { audio: { store: 'inline' } } });
    const reply = await kept(server, { input: 'inline' });
    assert.equal(reply.json.url, undefined);
    assert.deepEqual(Buffer.from(reply.json.audio, 'base64'), sound_of('mp3', 'inline'));
  });

  test('a user has so many pieces: the oldest makes room', async (t) => {
    const { server } = await rig(t, { config: { audio: { owner_entries_max: 2 } } });
    const urls = [];
    for (const input of ['one', 'two', 'three']) urls.push((await kept(server, { input })).json.url);
    const found = await Promise.all(urls.map(async (url) => (await server.get(url)).status));
    assert.deepEqual(found, [404, 200, 200]);
  });

  test('a speech that breaks off is not kept', async (t) => {
    const { server, provider } = await rig(t, { config: ONCE });
    provider.script({ fault: 'cut', after: 2 });
    assert_error(await kept(server, { model: 'openai/voice-x', input: 'cut' }), 502, { code: 'upstream_truncated' });
    await server.until(() => fs.readdirSync(path.join(server.data, 'audio')).length === 0, 'nothing is left');
  });
});
