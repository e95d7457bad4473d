// What the suites about audio share: a recording, uploads, servers with engines of speech.
import fs from 'node:fs';
import path from 'node:path';
import OpenAI, { toFile } from 'openai';
import { tone, wav_of } from '../../provider/audio.mjs';
import { start as start_wyoming } from '../../provider/wyoming.mjs';
import { BIN, cleanup, pair, serve } from './harness.mjs';

export const MODELS = ['whisper-x', 'voice-x', 'model-a'];
const BUILT_IN = fs.existsSync(path.join(path.dirname(BIN), 'mainstay-audio'));
export const needs_built_in = { skip: BUILT_IN ? false : 'mainstay-audio was not built' };
/** No engine may be tried twice unless a test says so, and none is left alone after its failures. */
export const ONCE = { models: { attempts_max: 1, breaker_window: 1000, breaker_calls_min: 1000 } };
export const WAV = wav_of(tone('a recording'));

export const client_of = (server) => new OpenAI({ apiKey: 'sk-test', baseURL: `${server.url}/v1`, maxRetries: 0 });
export const recording = (bytes = WAV, name = 'question.wav', type = 'audio/wav') => toFile(bytes, name, { type });
export const speak = (server, body, headers) => server.post('/v1/audio/speech', { input: 'hello there', ...body }, headers);

/** POST of a form: {status, headers, text, json}. */
export async function upload(server, target, fields = {}, { bytes = WAV, name = 'question.wav', headers } = {}) {
  const form = new FormData();
  for (const [key, value] of Object.entries(fields)) for (const one of [value].flat()) form.append(key, one);
  if (bytes) form.append('file', new Blob([bytes], { type: 'audio/wav' }), name);
  const reply = await fetch(server.url + target, { method: 'POST', body: form, headers });
  const text = await reply.text();
  let json;
  try { json = JSON.parse(text); } catch { json = undefined; }
  return { status: reply.status, headers: Object.fromEntries(reply.headers), text, json };
}
export const transcribe = (server, fields, options) => upload(server, '/v1/audio/transcriptions', fields, options);

/** One server with a scripted OpenAI-compatible engine for speech. */
export async function rig(t, { config = {}, ...more } = {}) {
  const both = await pair(t, { provider: { models: MODELS }, ...more, config: { ...config,
    models: { transcription: 'openai/whisper-x', speech: 'openai/voice-x', ...config.models } } });
  return { ...both, client: client_of(both.server) };
}

export async function wyoming_rig(t, options = {}, config = {}) {
  const wyoming = await start_wyoming(options);
  cleanup(t, () => wyoming.close());
  const server = await serve(t, { config: { providers: [{ name: 'house', kind: 'wyoming', base_url: wyoming.url }], ...config } });
  return { wyoming, server, client: client_of(server) };
}
