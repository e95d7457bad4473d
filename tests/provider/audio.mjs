// Recordings and speech as OpenAI's and Gemini's servers have them, with the scripts and faults of
// provider.mjs. A transcription says "You said: NAME SIZE" of the file, or the script's `text`;
// `segments` and `words` of a script replace the made-up ones, `beside` is what stands beside the text
// (usage, logprobs). Speech is sound_of(form, text).
import { openai } from './formats.mjs';
import { gemini } from './formats2.mjs';

const RATE = 24_000;
const MIMES = { mp3: 'audio/mpeg', wav: 'audio/wav', opus: 'audio/ogg', flac: 'audio/flac', aac: 'audio/aac', pcm: 'audio/pcm' };

/** 16 bit samples of a tone, a twentieth of a second for each character. */
export function tone(text, rate = RATE) {
  const samples = Buffer.alloc(Math.max(1, text.length) * Math.floor(rate / 20) * 2);
  for (let i = 0; i < samples.length / 2; i += 1) {
    samples.writeInt16LE(Math.round(8000 * Math.sin((i * 2 * Math.PI * 440) / rate)), i * 2);
  }
  return samples;
}
export function wav_of(samples, rate = RATE) {
  const head = Buffer.alloc(44);
  head.write('RIFF', 0, 'latin1');
  head.writeUInt32LE(36 + samples.length, 4);
  head.write('WAVEfmt ', 8, 'latin1');
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36, 'latin1');
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]);
}
/** The bytes of a text's speech: real for pcm and wav; of other forms only told apart by name and text. */
export function sound_of(form, text) {
  if (form === 'pcm') return tone(text);
  if (form === 'wav') return wav_of(tone(text));
  return Buffer.from(`${form}:${text}:`.repeat(64), 'utf8');
}

/** The parts of a multipart body: {name, filename, type, data}. */
export function parts_of({ headers, body }) {
  const [, boundary] = /^multipart\/form-data;.*boundary="?([^";]+)"?/i.exec(headers['content-type'] ?? '') ?? [];
  if (!boundary) return null;
  const text = body.toString('latin1');
  const out = [];
  for (const piece of text.split(`--${boundary}`).slice(1, -1)) {
    const end = piece.indexOf('\r\n\r\n');
    if (!piece.startsWith('\r\n') || end < 0 || !piece.endsWith('\r\n')) return null;
    const head = piece.slice(2, end);
    const [, name] = /name="([^"]*)"/i.exec(head) ?? [];
    const [, filename] = /filename="([^"]*)"/i.exec(head) ?? [];
    const [, type] = /content-type: (.*)/i.exec(head) ?? [];
    out.push({ name, filename, type, data: Buffer.from(piece.slice(end + 4, -2), 'latin1') });
  }
  return text.endsWith(`--${boundary}--\r\n`) ? out : null;
}

const plain = { name: 'openai', error: (...said) => openai.error(...said), garbage: 'data: {"type":"transcr\n\n' };
const event = (mark, body) => ({ mark, data: `data: ${JSON.stringify(body)}\n\n` });

const transcription = {
  ...plain, form: true, stream_type: 'text/event-stream',
  read(request) {
    const parts = parts_of(request);
    if (!parts) return { problem: 'could not parse the multipart form' };
    const value = (name) => parts.find((p) => p.name === name)?.data.toString('utf8');
    const file = parts.find((p) => p.name === 'file');
    if (!file?.filename) return { problem: 'file is required' };
    if (!value('model')) return { problem: 'you must provide a model parameter' };
    const format = value('response_format') ?? 'json';
    if (!['json', 'verbose_json', 'text', 'srt', 'vtt'].includes(format)) return { problem: 'bad response_format' };
    const translate = request.path.endsWith('/translations');
    if (translate && value('language')) return { problem: 'language is not a parameter of translations' };
    return { model: value('model'), stream: value('stream') === 'true', text: `${file.filename} ${file.data.length}`,
      role: 'user', prompt: value('prompt') ?? '', images: [], choices: 1, format, translate, file,
      language: value('language'), temperature: value('temperature'),
      include: parts.filter((p) => p.name === 'include[]').map((p) => p.data.toString()),
      chunking: value('chunking_strategy') ?? value('chunking_strategy[type]'),
      times: parts.filter((p) => p.name === 'timestamp_granularities[]').map((p) => p.data.toString()) };
  },
  whole(ask, reply) {
    if (ask.format !== 'verbose_json') return { text: reply.text, ...reply.beside };
    const out = { task: ask.translate ? 'translate' : 'transcribe', language: 'english', duration: 3.25, text: reply.text };
    if (ask.times.includes('segment') || !ask.times.length) {
      out.segments = reply.segments ?? [
        { id: 0, seek: 0, start: 0, end: 1.5, text: ' You said:', tokens: [1], temperature: 0, avg_logprob: -0.25,
          compression_ratio: 1, no_speech_prob: 0.01 },
        { id: 1, seek: 0, start: 1.5, end: 3.25, text: ` ${ask.text}`, tokens: [2], temperature: 0, avg_logprob: -0.5,
          compression_ratio: 1, no_speech_prob: 0.01 }];
    }
    if (ask.times.includes('word')) out.words = reply.words ?? [{ word: 'You', start: 0, end: 0.4 }];
    return out;
  },
  frames(ask, reply) {
    const pieces = reply.tokens ?? reply.text.split(/(?<= )/);
    return [...pieces.map((delta) => event('token', { type: 'transcript.text.delta', delta })),
      event('end', { type: 'transcript.text.done', text: reply.text, ...reply.beside })];
  },
  stream_error: (message) => ({ data: `data: ${JSON.stringify({ error: { message } })}\n\n` }),
};

const speech = {
  ...plain, garbage: '\x00\x01',
  read({ json }) {
    if (typeof json?.model !== 'string') return { problem: 'you must provide a model parameter' };
    if (typeof json.input !== 'string' || !json.input) return { problem: 'input is required' };
    if (typeof json.voice !== 'string') return { problem: 'voice is required' };
    const form = json.response_format ?? 'mp3';
    if (!MIMES[form]) return { problem: 'bad response_format' };
    this.stream_type = MIMES[form];
    return { model: json.model, stream: true, text: json.input, role: 'user', prompt: json.input, images: [], choices: 1,
      form, voice: json.voice, speed: json.speed };
  },
  frames(ask, reply) {
    const bytes = reply.sound ?? sound_of(ask.form, ask.text);
    const size = Math.max(1, Math.ceil(bytes.length / (reply.pieces ?? 4)));
    const out = [];
    for (let at = 0; at < bytes.length; at += size) out.push({ mark: 'token', data: bytes.subarray(at, at + size) });
    return out;
  },
  stream_error: () => ({ data: '' }),
};

const gemini_speech = {
  name: 'gemini', error: (...said) => gemini.error(...said), garbage: '{', stream_error: () => ({ data: '' }),
  frames: () => [], stream_type: 'application/json',
  read({ path, json }) {
    const [, model] = /\/models\/([^/:]+):generateContent$/.exec(path) ?? [];
    const text = (json.contents ?? []).flatMap((c) => c.parts).map((p) => p.text ?? '').join('');
    const voice = json.generationConfig.speechConfig?.voiceConfig?.prebuiltVoiceConfig?.voiceName;
    if (!text) return { problem: 'contents must not be empty' };
    return { model, stream: false, text, role: 'user', prompt: text, images: [], choices: 1, voice };
  },
  whole: (ask, reply) => ({ candidates: [{ finishReason: reply.finish ?? 'STOP', index: 0, content: { role: 'model',
    parts: reply.parts ?? [{ inlineData: { mimeType: reply.mime ?? `audio/L16;codec=pcm;rate=${RATE}`,
      data: (reply.sound ?? tone(ask.text)).toString('base64') } }] } }] }),
};

/** The audio format of a request, or undefined. */
export function audio_format({ path, json }) {
  if (path === '/v1/audio/transcriptions' || path === '/v1/audio/translations') return transcription;
  if (path === '/v1/audio/speech') return speech;
  const spoken = /:generateContent$/.test(path) && json?.generationConfig?.responseModalities?.includes('AUDIO');
  return spoken ? gemini_speech : undefined;
}
