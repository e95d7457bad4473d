// The whole loop over the built program, with its own ears and its own mouth: a spoken question about
// a known document, the right passage, a spoken answer; over POST /v1/voice and over the WebSocket;
// interrupted, abandoned, silent, not audio; whose speech it is; the command line.
// proves Z7, M11, V13, fault rows of audio
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assert_error, pause, provide, provider_entry, run, scope, serve, temp_dir } from './lib/harness.mjs';
import { bearer, new_key } from './lib/people.mjs';
import { Talker, decode, measure, read_wav, samples_of, silence, sound_of, speak, voice, write_wav } from './lib/voice.mjs';

const DOCUMENT = `# Buildings

The price of the house is ninety thousand francs.

# Machines

The pump starts at seven in the morning and stops at nine.`;
// The built-in recogniser is poor at free speech (docs/voice.md): this is a question that it hears well.
const QUESTION = 'what is the price of the house';
const SPEED = 0.8;
const HEARD = /price|house/i;
const RIGHT = /ninety thousand/i;

/** Speech, as far as samples show it: so long, loud for a good part, and not a single tone throughout. */
function assert_speech(sound, least_seconds = 0.8) {
  const facts = measure(sound);
  const said = JSON.stringify(facts);
  assert.ok(facts.seconds >= least_seconds && facts.seconds < 60, said);
  assert.ok(facts.rms > 0.005, `too quiet: ${said}`);
  assert.ok(facts.loud > 0.2, `mostly silence: ${said}`);
}

const types = (events) => events.map((event) => event.type);
const written = (events) => events.filter((one) => one.type === 'token').map((one) => one.text).join('');

describe('the whole loop', () => {
  const life = scope();
  let server;
  let question;
  before(async () => {
    server = await serve(life, { config: { knowledge: { default_collection: 'default' } } });
    const added = await server.post('/v1/documents', { text: DOCUMENT, format: 'markdown', title: 'Notes' });
    assert.equal(added.status, 201, added.text);
    question = await speak(server, QUESTION, { speed: SPEED });
    assert_speech(question);
  });
  after(() => life.end());
  const file = () => write_wav(question);

  test('a question that is spoken is heard, answered from the document and spoken', async () => {
    const got = await voice(server, { file: file(), format: 'wav', audio: 'inline', response: 'json' });
    assert.equal(got.status, 200, got.text);
    assert.match(got.json.transcript, HEARD, got.json.transcript);
    assert.match(got.json.answer, RIGHT, got.text.slice(0, 500));
    assert.equal(got.json.citations[0].title, 'Notes');
    const sound = Buffer.from(got.json.audio.base64, 'base64');
    assert.equal(sound.length, got.json.audio.bytes);
    assert.equal(sound.readUInt32LE(4), sound.length - 8, 'the head tells the length');
    assert_speech(read_wav(sound));
    assert.ok(Math.abs(read_wav(sound).samples.length / got.json.audio.sample_rate - got.json.audio.seconds) < 0.01);
  });

  test('events come as it is made, and the kept audio is at its address', async () => {
    const got = await voice(server, { file: file(), conversation_id: 'new' }, { headers: { accept: 'text/event-stream' } });
    assert.equal(got.status, 200, got.text);
    const { events } = got;
    const order = types(events);
    assert.equal(order[0], 'speech_started');
    assert.equal(order.at(-1), 'done');
    for (const one of ['transcript', 'token', 'audio_coming', 'audio_ready']) assert.ok(order.includes(one), order.join());
    assert.ok(order.indexOf('audio_coming') < order.indexOf('audio_ready'));
    const done = events.at(-1);
    assert.match(done.answer, RIGHT);
    assert.equal(written(events), done.answer);
    const coming = events.find((one) => one.type === 'audio_coming').audio;
    const ready = events.find((one) => one.type === 'audio_ready').audio;
    assert.equal(coming.url, ready.url);
    const sound = await fetch(server.url + ready.url);
    assert.equal(sound.status, 200);
    assert.equal(sound.headers.get('content-type'), 'audio/mpeg');
    const bytes = Buffer.from(await sound.arrayBuffer());
    assert.equal(bytes.length, ready.bytes);
    assert_speech(decode(bytes));
    // The turn is part of its conversation.
    assert.equal(got.headers.get('x-conversation-id'), done.conversation_id);
    const kept = await server.get(`/v1/conversations/${done.conversation_id}`);
    assert.equal(kept.json.messages.length, 2, kept.text);
    assert.equal(kept.json.messages[1].content, done.answer);
  });

  test('the sound alone is sent where sound is asked for', async () => {
    for (const [accept, type] of [['audio/wav', 'audio/wav'], ['audio/mpeg', 'audio/mpeg'], ['audio/ogg', 'audio/ogg']]) {
      const got = await voice(server, { file: file() }, { headers: { accept } });
      assert.equal(got.status, 200, got.text.slice(0, 300));
      assert.equal(got.type, type);
      assert_speech(decode(got.bytes));
    }
  });

  test('bare sound and a written question are questions too', async () => {
    const bare = await fetch(`${server.url}/v1/voice?audio=inline&format=wav`, { method: 'POST', body: file(),
      headers: { 'content-type': 'audio/wav' } });
    const json = await bare.json();
    assert.equal(bare.status, 200, JSON.stringify(json).slice(0, 300));
    assert.match(json.answer, RIGHT);
    const text = await voice(server, { text: QUESTION, response: 'stream', audio: 'inline', format: 'mp3' });
    assert.match(text.events.at(-1).answer, RIGHT);
    assert.ok(!types(text.events).includes('transcript'));
    assert_speech(decode(sound_of(text.events)));
    const silent = await voice(server, { text: QUESTION, speak: 'false' });
    assert.equal(silent.json.audio, undefined, 'not spoken');
  });

  test('silence, noise of bytes, nothing and nonsense are told apart', async () => {
    assert_error(await as_reply(voice(server, { file: write_wav({ rate: 16_000, samples: silence(2) }) })), 422, { code: 'nothing_heard' });
    const junk = await as_reply(voice(server, { file: Buffer.from('This is no sound at all, only text. '.repeat(200)) }));
    assert.ok(junk.status >= 400 && junk.status < 500, `${junk.status} ${junk.text}`);
    const png = await as_reply(voice(server, { file: Buffer.from('\x89PNG\r\n\x1a\n' + 'x'.repeat(5000), 'latin1') }));
    assert.ok(png.status >= 400 && png.status < 500, `${png.status} ${png.text}`);
    const lying = write_wav({ rate: 16_000, samples: silence(0.1) });
    lying.writeUInt32LE(0xffffff00, 40);
    const lied = await as_reply(voice(server, { file: lying }));
    assert.ok(lied.status >= 400 && lied.status < 500, `${lied.status} ${lied.text}`);
    assert_error(await as_reply(voice(server, { file: Buffer.alloc(0) })), 400, { code: 'empty_audio' });
    assert_error(await as_reply(voice(server, {})), 400, { code: ['missing_field', 'bad_multipart'] });
    assert_error(await as_reply(voice(server, { file: file(), text: 'both' })), 400, { code: 'missing_field' });
    assert_error(await as_reply(voice(server, { text: 'x', format: 'flac' })), 415, { code: 'audio_format_unsupported' });
    assert_error(await as_reply(voice(server, { text: 'x', speed: 9 })), 400, { code: 'invalid_value', param: 'speed' });
    assert_error(await as_reply(voice(server, { text: 'x', colour: 'red' })), 400, { code: 'unknown_field' });
    assert_error(await server.post('/v1/voice', { text: 'x' }), 415, { code: 'unsupported_media_type' });
  });

  test('hands-free: the ends of a question are heard, at any rate', async (t) => {
    const talker = new Talker(t, server);
    await talker.heard({ type: 'ready' });
    talker.say({ type: 'start', id: 's', mode: 'hands_free', sample_rate: question.rate, conversation_id: 'new' });
    const started = await talker.heard({ type: 'started', id: 's' });
    const { rate } = question;
    talker.play({ rate, samples: silence(0.7, rate) });
    talker.play(question);
    talker.play({ rate, samples: silence(1.5, rate) });
    await talker.heard({ type: 'speech_started' });
    const heard = await talker.heard({ type: 'transcript' });
    assert.match(heard.text, HEARD);
    const done = await talker.heard({ type: 'done' });
    assert.match(done.answer, RIGHT);
    assert.equal(done.conversation_id, started.conversation_id);
    const told = talker.told.find((one) => one.type === 'audio').audio;
    assert.equal(told.format, 'pcm');
    assert_speech({ rate: told.sample_rate, samples: samples_of(Buffer.concat(talker.sound)) });
    // A second question in the same conversation.
    const from = talker.told.length;
    talker.play(question);
    talker.play({ rate, samples: silence(1.5, rate) });
    await talker.heard({ type: 'done' }, from);
    const kept = await server.get(`/v1/conversations/${started.conversation_id}`);
    assert.equal(kept.json.messages.length, 4, kept.text);
  });

  test('push to talk: the buttons say where a question begins and ends', async (t) => {
    const talker = new Talker(t, server);
    talker.ws.on('open', () => talker.say({ type: 'start', sample_rate: question.rate, format: 'mp3' }));
    await talker.heard({ type: 'started' });
    talker.play(question);
    talker.say({ type: 'stop', id: 'x' });
    await talker.heard({ type: 'stopped', id: 'x' });
    const done = await talker.heard({ type: 'done' });
    assert.match(done.answer, RIGHT);
    assert_speech(decode(Buffer.concat(talker.sound)));
    talker.say({ type: 'start', sample_rate: 16_000 });
    talker.play({ rate: 16_000, samples: silence(1) });
    talker.say({ type: 'stop', id: 'y' });
    const error = await talker.heard({ type: 'error' });
    assert.equal(error.error.code, 'nothing_heard');
    talker.say({ type: 'stop', id: 'z' });
    assert.equal((await talker.heard({ type: 'error', id: 'z' })).error.code, 'not_started');
  });

  test('what breaks the rules of the socket is told or closed', async (t) => {
    const early = new Talker(t, server);
    await early.heard({ type: 'ready' });
    early.play({ rate: 16_000, samples: silence(0.1) });
    assert.equal(await early.goodbye(), '1008 not_started');
    const talker = new Talker(t, server);
    await talker.heard({ type: 'ready' });
    for (const [message, code] of [[{ type: 'dance' }, 'unknown_message_type'], [{ type: 'start', mode: 'loud' }, 'invalid_value'],
      [{ type: 'start', sample_rate: 7999 }, 'invalid_value'], [{ type: 'start', colour: 1 }, 'unknown_field'],
      [{ type: 'text' }, 'missing_field'], [{ type: 'text', text: ' ' }, 'empty_field']]) {
      const from = talker.told.length;
      talker.say({ ...message, id: 'q' });
      assert.equal((await talker.heard({ type: 'error', id: 'q' }, from)).error.code, code, JSON.stringify(message));
    }
    talker.ws.send('not json');
    await talker.heard({ type: 'error' });
    talker.say({ type: 'ping', id: 'p' });
    await talker.heard({ type: 'pong', id: 'p' });
    const plain = await server.get('/v1/voice');
    assert.equal(plain.status, 426);
    assert_error(await server.get('/v1/voice?key=x', { connection: 'upgrade', upgrade: 'websocket' }), 400, { code: 'invalid_query' });
  });

  test('the command line speaks, hears and asks aloud', async (t) => {
    const dir = temp_dir(t);
    const at = (name) => path.join(dir, name);
    const url = ['--url', server.url];
    const say = await run(['say', ...url, '--speed', String(SPEED), '-o', at('q.wav'), QUESTION]);
    assert.equal(say.code, 0, say.err);
    const spoken = fs.readFileSync(at('q.wav'));
    assert_speech(read_wav(spoken));
    const heard = await run(['transcribe', ...url, at('q.wav')]);
    assert.equal(heard.code, 0, heard.err);
    assert.match(heard.out, HEARD);
    for (const [format, looks] of [['json', /"segments"/], ['srt', /-->/], ['vtt', /^WEBVTT/]]) {
      const got = await run(['transcribe', ...url, '--format', format, at('q.wav')]);
      assert.equal(got.code, 0, got.err);
      assert.match(got.out, looks);
    }
    const asked = await run(['ask', ...url, '--voice', at('q.wav'), '-o', at('a.mp3')]);
    assert.equal(asked.code, 0, asked.err);
    assert.match(asked.out, RIGHT);
    assert.match(asked.err, HEARD, 'what was heard');
    assert_speech(decode(fs.readFileSync(at('a.mp3'))));
    const both = await run(['ask', ...url, '--json', '-o', at('b.wav'), QUESTION]);
    assert.equal(both.code, 0, both.err);
    assert.match(JSON.parse(both.out).answer, RIGHT);
    assert_speech(read_wav(fs.readFileSync(at('b.wav'))));
    assert.equal((await run(['transcribe', ...url, at('none.wav')])).code, 1);
    fs.writeFileSync(at('empty.wav'), '');
    assert.equal((await run(['ask', ...url, '--voice', at('empty.wav')])).code, 1);
  });
});

/** The reply of a voice turn as the harness's checks want it. */
async function as_reply(promise) {
  const got = await promise;
  return { ...got, headers: Object.fromEntries(got.headers) };
}

/** A server with a model that writes slowly: one sentence for each open gate would be too fine, so tokens
 * come one after the other, each after a while. */
async function slow_world(t, { users = [], config = {} } = {}) {
  const provider = await provide(t);
  const tokens = Array.from({ length: 200 }, (_, i) => `Sentence number ${i} goes on. `);
  provider.script({ repeat: true, replies: [{ tokens, token_delay_ms: 40 }] });
  const data = path.join(temp_dir(t), 'data');
  const keys = [];
  for (const user of users) keys.push((await new_key(data, user, '--user', user)).key);
  const server = await serve(t, { data, config: { ...config, auth: { required: users.length > 0 },
    providers: [provider_entry(provider)] } });
  return { server, provider, keys };
}

describe('opus', () => {
  test('an answer of several sentences is one stream of its full length', async (t) => {
    const provider = await provide(t);
    const tokens = ['The first sentence is spoken. ', 'The second one is spoken as well. ', 'Then the third.'];
    provider.script({ repeat: true, replies: [{ tokens }] });
    const server = await serve(t, { config: { providers: [provider_entry(provider)] } });
    const sound_as = async (format) => {
      const got = await voice(server, { text: 'Talk.', response: 'stream', audio: 'inline', format });
      assert.equal(types(got.events).at(-1), 'done', got.text?.slice(0, 300));
      return sound_of(got.events);
    };
    const opus = await sound_as('opus');
    const file = path.join(temp_dir(t), 'answer.ogg');
    fs.writeFileSync(file, opus);
    const begins = [];
    for (let at = opus.indexOf('OggS'); at >= 0; at = opus.indexOf('OggS', at + 4)) {
      if (opus[at + 5] & 2) begins.push(at);
    }
    assert.deepEqual(begins, [0], 'one stream begins, at the start');
    const asked = spawnSync('ffprobe', ['-v', 'warning', '-of', 'json', '-show_entries', 'stream=codec_name:format=duration', file],
      { encoding: 'utf8' });
    assert.equal(asked.stderr, '', 'no page is missing, none is broken');
    const probed = JSON.parse(asked.stdout);
    assert.deepEqual(probed.streams, [{ codec_name: 'opus' }]);
    const seconds = (await sound_as('pcm')).length / 2 / 24_000;
    assert.ok(Math.abs(Number(probed.format.duration) - seconds) < 0.3, `${probed.format.duration} of ${seconds}`);
    const back = measure(decode(opus));
    assert.ok(Math.abs(back.seconds - seconds) < 0.3, `${back.seconds} of ${seconds}`);
  });
});

describe('interrupted', () => {
  test('barge-in ends the answer that is written and spoken', async (t) => {
    const { server, provider } = await slow_world(t);
    const talker = new Talker(t, server);
    await talker.heard({ type: 'ready' });
    talker.say({ type: 'text', text: 'Talk for a long time.' });
    await talker.until(() => talker.sound.length > 0, 'sound');
    talker.say({ type: 'cancel', id: 'c' });
    await talker.heard({ type: 'cancelled', id: 'c' });
    const at = talker.told.findIndex((one) => one.type === 'interrupted');
    assert.ok(at >= 0);
    const sounds = talker.sound.length;
    await pause(400);
    assert.equal(talker.sound.length, sounds, 'no more sound');
    assert.deepEqual(talker.told.slice(at + 1).filter((one) => one.type === 'token'), []);
    // A new question interrupts as well, and is answered.
    provider.reset();
    provider.script({ replies: [{ tokens: ['Only ', 'this.'] }] });
    const from = talker.told.length;
    talker.say({ type: 'text', text: 'And now?' });
    const done = await talker.heard({ type: 'done' }, from);
    assert.equal(done.answer, 'Only this.');
  });

  test('a voice that begins to speak ends the answer', async (t) => {
    const { server } = await slow_world(t);
    const question = await speak(server, QUESTION);
    const { rate } = question;
    const talker = new Talker(t, server);
    await talker.heard({ type: 'ready' });
    talker.say({ type: 'start', mode: 'hands_free', sample_rate: rate });
    await talker.heard({ type: 'started' });
    talker.say({ type: 'text', text: 'Talk for a long time.' });
    await talker.heard({ type: 'token' });
    talker.play({ rate, samples: silence(0.7, rate) });
    talker.play(question);
    await talker.heard({ type: 'interrupted' });
    await talker.heard({ type: 'speech_started' });
  });

  test('a client that goes takes its turn along', async (t) => {
    const { server } = await slow_world(t);
    const gone = new AbortController();
    const reply = await fetch(`${server.url}/v1/voice`, { method: 'POST', signal: gone.signal,
      headers: { accept: 'text/event-stream', 'content-type': 'multipart/form-data; boundary=b' },
      body: '--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nTalk.\r\n--b--\r\n' });
    const reader = reply.body.getReader();
    await reader.read();
    gone.abort();
    await server.until(async () => {
      const metric = await server.metrics();
      return (metric('mainstay_admission_in_use') ?? 0) === 0;
    }, 'the permit is free again');
    assert.equal((await server.get('/health')).status, 200);
  });

  test('a socket that goes takes its turn along', async (t) => {
    const { server } = await slow_world(t);
    const talker = new Talker(t, server);
    await talker.heard({ type: 'ready' });
    talker.say({ type: 'text', text: 'Talk for a long time.' });
    await talker.until(() => talker.sound.length > 0, 'sound');
    talker.ws.terminate();
    await server.until(async () => ((await server.metrics())('mainstay_admission_in_use') ?? 0) === 0, 'the permit is free again');
  });
});

describe('whose it is', () => {
  test('speech is its user\'s alone, and so is the socket', async (t) => {
    const { server, provider, keys: [ann, bob] } = await slow_world(t, { users: ['ann', 'bob'] });
    provider.reset();
    const got = await voice(server, { text: 'Hello', response: 'json' }, { headers: bearer(ann) });
    assert.equal(got.status, 200, got.text);
    const { url } = got.json.audio;
    assert.match(url, /audio-[0-9A-Za-z]{20,}/);
    assert.equal((await server.get(url, bearer(ann))).status, 200);
    assert_error(await server.get(url, bearer(bob)), 404, { code: 'unknown_audio' });
    assert.equal((await server.get(url)).status, 401);
    assert_error(await as_reply(voice(server, { text: 'Hello' })), 401);
    const stranger = new Talker(t, server);
    stranger.ws.on('open', () => stranger.say({ type: 'text', text: 'Hello' }));
    assert.equal(await stranger.goodbye(), '1008 missing_key');
    const browser = new Talker(t, server, { protocols: ['mainstay.v1', `bearer.${bob}`] });
    await browser.heard({ type: 'ready' });
    const late = new Talker(t, server);
    late.ws.on('open', () => late.say({ type: 'auth', token: ann }));
    await late.heard({ type: 'ready' });
    const foreign = new Talker(t, server, { headers: { ...bearer(ann), origin: 'https://evil.example' } });
    await foreign.until(() => foreign.refused, 'refused');
    assert.equal(foreign.refused, 403);
  });
});
