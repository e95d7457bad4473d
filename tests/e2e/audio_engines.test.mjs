// /v1/audio before Gemini, Wyoming servers and the built-in engine, and what each of them cannot do.
// proves Z4, Z6; fault rows 11, 15
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tone, wav_of } from '../provider/audio.mjs';
import { ONCE, WAV, client_of, needs_built_in, recording, rig, speak, transcribe, upload, wyoming_rig } from './lib/audio.mjs';
import { assert_error, pair, serve } from './lib/harness.mjs';

describe('Gemini', () => {
  const setup = (t, config = {}) => pair(t, { kind: 'gemini', provider: { models: ['gemini-x', 'gemini-x-tts'] },
    config: { ...ONCE, ...config } });

  test('hears a recording sent inline, and tells no times', async (t) => {
    const { server, provider } = await setup(t);
    provider.script({ text: 'hello from gemini' });
    const reply = await transcribe(server, { model: 'gemini/gemini-x', language: 'de' });
    assert.equal(reply.json?.text, 'hello from gemini', reply.text);
    const parts = provider.requests.at(-1).body.contents[0].parts;
    assert.deepEqual(Buffer.from(parts[1].inlineData.data, 'base64'), WAV);
    assert.match(parts[0].text, /Transcribe.*code de/s);
    assert_error(await transcribe(server, { model: 'gemini/gemini-x', response_format: 'srt' }), 415, { code: 'upstream_cannot' });
    assert_error(await transcribe(server, { model: 'gemini/gemini-x', 'include[]': 'logprobs' }), 415, { code: 'upstream_cannot' });
  });

  test('speaks: its samples as wav', async (t) => {
    const { server, provider } = await setup(t);
    const reply = await fetch(`${server.url}/v1/audio/speech`, { method: 'POST', headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gemini/gemini-x-tts', input: 'Hello.', voice: 'Puck', response_format: 'wav' }) });
    assert.equal(reply.status, 200);
    const bytes = Buffer.from(await reply.arrayBuffer());
    assert.equal(bytes.toString('latin1', 0, 4), 'RIFF');
    assert.equal(bytes.readUInt32LE(24), 24_000);
    assert.deepEqual(bytes.subarray(44), tone('Hello.'));
    assert.equal(provider.requests.at(-1).ask.voice, 'Puck');
  });

  test('what is no sound is told', async (t) => {
    const { server, provider } = await setup(t);
    for (const script of [{ mime: 'audio/mpeg' }, { parts: [{ text: 'no' }] }, { parts: [] }, { finish: 'SAFETY' }, { fault: 'garbage' }]) {
      provider.script(script);
      const reply = await speak(server, { model: 'gemini/gemini-x-tts', response_format: 'pcm' });
      assert_error(reply, 502, { code: ['upstream_bad_reply', 'upstream_error'] });
    }
    assert_error(await speak(server, { model: 'gemini/gemini-x-tts', speed: 2 }), 415, { code: 'upstream_cannot' });
  });
});

describe('Wyoming servers', () => {
  test('a text is spoken sentence by sentence', async (t) => {
    const { server, wyoming } = await wyoming_rig(t);
    const reply = await fetch(`${server.url}/v1/audio/speech`, { method: 'POST', headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'house/default', input: 'One thing. And then another.', response_format: 'wav', voice: 'de_DE-test-low' }) });
    assert.equal(reply.status, 200);
    const bytes = Buffer.from(await reply.arrayBuffer());
    assert.equal(bytes.readUInt32LE(24), 22_050);
    assert.deepEqual(bytes.subarray(44), Buffer.concat([tone('One thing.', 22_050), tone('And then another.', 22_050)]));
    const asked = wyoming.events.filter((e) => e.type === 'synthesize').map((e) => e.data);
    assert.deepEqual(asked, ['One thing.', 'And then another.'].map((text) => ({ text, voice: { name: 'de_DE-test-low' } })));
  });

  test('a server that closes after each text is called again', async (t) => {
    const { server, wyoming } = await wyoming_rig(t);
    wyoming.script({ close_after: true });
    const before = wyoming.connections;
    const reply = await fetch(`${server.url}/v1/audio/speech`, { method: 'POST', headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'house/default', input: 'First one. Second one.', response_format: 'wav' }) });
    const bytes = Buffer.from(await reply.arrayBuffer());
    assert.deepEqual(bytes.subarray(44), Buffer.concat([tone('First one.', 22_050), tone('Second one.', 22_050)]));
    assert.ok(wyoming.connections >= before + 2);
  });

  test('its voices and models are listed', async (t) => {
    const { server, client } = await wyoming_rig(t);
    const voices = (await server.get('/v1/audio/voices')).json;
    const names = voices.data.filter((v) => v.provider === 'house').map((v) => v.id);
    assert.deepEqual(names, ['en_US-test-medium', 'de_DE-test-low']);
    assert.ok(voices.voices.length >= 2);
    const models = [];
    for await (const model of client.models.list()) models.push(model);
    assert.deepEqual(models.find((m) => m.id === 'tiny-int8')?.capabilities, ['transcription']);
    assert.deepEqual(models.find((m) => m.id === 'scripted-piper')?.capabilities, ['speech']);
  });

  test('its failures are told', async (t) => {
    const { server, wyoming } = await wyoming_rig(t, {}, { ...ONCE, models: { ...ONCE.models, first_token_timeout: '400ms' } });
    for (const [script, status, code] of [
      [{ error: 'no such voice' }, 502, 'upstream_error'],
      [{ fault: 'garbage' }, 502, 'upstream_bad_reply'],
      [{ fault: 'big' }, 502, 'upstream_bad_reply'],
      [{ fault: 'fin' }, 502, 'upstream_truncated'],
      [{ fault: 'stall' }, 504, undefined],
    ]) {
      wyoming.script(script);
      assert_error(await speak(server, { model: 'house/default', response_format: 'wav' }), status, { code });
    }
    assert.equal((await speak(server, { model: 'house/default', response_format: 'wav' })).status, 200);
    assert_error(await speak(server, { model: 'house/default', speed: 2 }), 415, { code: 'upstream_cannot' });
  });

  test('a recording is decoded and heard', needs_built_in, async (t) => {
    const { server, wyoming } = await wyoming_rig(t, {}, ONCE);
    const reply = await transcribe(server, { model: 'house/tiny-int8', language: 'de' });
    assert.equal(reply.status, 200, reply.text);
    assert.match(reply.json.text, /^You said \d+ samples at 16000$/);
    const heard = wyoming.events.find((e) => e.type === 'transcribe');
    assert.deepEqual(heard.data, { name: 'tiny-int8', language: 'de' });
    wyoming.script({ text: 'one two', chunks: ['one ', 'two'] });
    const stream = await transcribe(server, { model: 'house/tiny-int8', stream: 'true' });
    assert.match(stream.text, /"delta":"one "/);
    assert.match(stream.text, /"type":"transcript.text.done","text":"one two"/);
    for (const [script, code] of [[{ error: 'busy' }, 'upstream_error'], [{ fault: 'cut' }, 'upstream_truncated'],
      [{ fault: 'garbage' }, 'upstream_bad_reply']]) {
      wyoming.script(script);
      assert_error(await transcribe(server, { model: 'house/tiny-int8' }), 502, { code });
    }
  });

  test('auto takes the house, and the built-in engine when the house is silent', needs_built_in, async (t) => {
    const { server, wyoming } = await wyoming_rig(t, {}, ONCE);
    const first = await speak(server, { response_format: 'wav' });
    assert.equal(first.headers['x-mainstay-provider'], 'house');
    await wyoming.close();
    const second = await speak(server, { response_format: 'wav', input: 'someone else speaks' });
    assert.equal(second.status, 200, second.text);
    assert.equal(second.headers['x-mainstay-provider'], 'builtin');
  });
});

describe('the built-in engine', needs_built_in, () => {
  test('what it speaks it can hear, with no configuration', async (t) => {
    const server = await serve(t);
    const client = client_of(server);
    const spoken = await client.audio.speech.create({ model: 'auto', voice: 'alloy', input: 'one two three four', response_format: 'wav' });
    const wav = Buffer.from(await spoken.arrayBuffer());
    assert.equal(wav.toString('latin1', 0, 4), 'RIFF');
    assert.ok(wav.length > 20_000);
    const heard = await client.audio.transcriptions.create({ model: 'auto', file: await recording(wav, 'said.wav'),
      response_format: 'verbose_json' });
    const right = ['one', 'two', 'three', 'four'].filter((w) => heard.text.includes(w)).length;
    assert.ok(right >= 2, heard.text);
    assert.ok(heard.segments.length >= 1 && heard.duration > 0.5);
  });

  test('each form begins as it should', async (t) => {
    const server = await serve(t);
    const client = client_of(server);
    for (const [form, begins] of [['mp3', /^(ID3|\xff[\xe0-\xff])/], ['wav', /^RIFF/], ['opus', /^OggS/], ['flac', /^fLaC/],
      ['aac', /^\xff[\xf0-\xff]/]]) {
      const reply = await client.audio.speech.create({ model: 'builtin/espeak-ng', voice: 'alloy', input: 'Hello.', response_format: form });
      const bytes = Buffer.from(await reply.arrayBuffer());
      assert.match(bytes.toString('latin1', 0, 8), begins, form);
    }
    const pcm = await client.audio.speech.create({ model: 'builtin/espeak-ng', voice: 'alloy', input: 'Hello.', response_format: 'pcm' });
    const samples = Buffer.from(await pcm.arrayBuffer());
    assert.ok(samples.length % 2 === 0 && samples.length > 4000);
  });

  test('sound of other engines is packed anew', async (t) => {
    const { server } = await wyoming_rig(t);
    for (const [form, begins] of [['mp3', /^(ID3|\xff[\xe0-\xff])/], ['opus', /^OggS/], ['flac', /^fLaC/]]) {
      const reply = await fetch(`${server.url}/v1/audio/speech`, { method: 'POST', headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'house/default', input: 'One. Two. Three.', response_format: form }) });
      assert.equal(reply.status, 200);
      assert.match(Buffer.from(await reply.arrayBuffer()).toString('latin1', 0, 8), begins, form);
    }
  });

  test('it says what it cannot do', async (t) => {
    const server = await serve(t);
    for (const [fields, options, status, code] of [
      [{ language: 'de' }, {}, 400, 'language_unsupported'],
      [{}, { bytes: Buffer.from('this is not audio at all, only words') }, [400, 415, 422], undefined],
      [{}, { bytes: WAV.subarray(0, 44) }, [400, 415, 422, 200], undefined],
    ]) {
      const reply = await transcribe(server, fields, options);
      assert.ok([status].flat().includes(reply.status), `${reply.status} ${reply.text}`);
      if (code) assert_error(reply, reply.status, { code });
    }
    assert_error(await upload(server, '/v1/audio/translations'), 400, { code: 'translation_unsupported' });
    const times = { response_format: 'verbose_json', 'timestamp_granularities[]': 'word' };
    assert_error(await transcribe(server, times), 415, { code: 'upstream_cannot', param: 'timestamp_granularities' });
    assert_error(await transcribe(server, { 'include[]': 'logprobs' }), 415, { code: 'upstream_cannot', param: 'include' });
    for (const fields of [{ 'include[]': 'secrets' }, { 'include[]': 'logprobs', response_format: 'text' }]) {
      assert_error(await transcribe(server, fields), 400, { code: 'invalid_value', param: 'include' });
    }
    for (const voice of ['no-such-voice', 'en-us+nobody']) {
      assert_error(await speak(server, { voice }), 400, { code: 'voice_unknown', param: 'voice' });
    }
    assert.equal((await speak(server, { voice: 'en-us+f2' })).status, 200, 'a variant of a voice');
    const models = (await server.get('/v1/models')).json.data;
    const hears = models.find((m) => m.id === 'builtin/pocketsphinx');
    assert.equal(hears?.state, 'ready', JSON.stringify(hears));
    assert.match(hears.description, /poor at free speech/);
  });

  test('it stands in for an engine that fails, when the request named none', async (t) => {
    const { server, provider } = await rig(t, { config: ONCE });
    provider.script({ status: 500 });
    const reply = await speak(server, { model: 'auto', response_format: 'wav' });
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.headers['x-mainstay-provider'], 'builtin');
    assert.equal(reply.headers['x-mainstay-degraded'], 'true');
  });

  test('a route goes on to an engine that tells the times of words', async (t) => {
    const { server } = await rig(t, { config: { ...ONCE, routes: [{ model: 'ears', candidates: [
      { provider: 'builtin', model: 'pocketsphinx' }, { provider: 'openai', model: 'whisper-x' }] }] } });
    const reply = await transcribe(server, { model: 'ears', response_format: 'verbose_json', 'timestamp_granularities[]': 'word' });
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.headers['x-mainstay-provider'], 'openai');
    assert.equal(reply.json.words.length, 1);
  });

  test('silence is no text', async (t) => {
    const server = await serve(t);
    const reply = await transcribe(server, {}, { bytes: wav_of(Buffer.alloc(48_000)) });
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.json.text, '');
  });
});
