// Embeddings as OpenAI, Ollama and Gemini speak them, with the scripts and faults of provider.mjs.
// A text's vector is [its length, the sum of its codes modulo 97, 0.25], cut or filled up to the
// dimensions asked for. A script's `vectors` replaces them all; `drop` leaves that many out.
import { openai, ollama } from './formats.mjs';
import { gemini } from './formats2.mjs';

export function vector_of(text, dimensions = 3) {
  const codes = [...text].reduce((sum, c) => sum + c.codePointAt(0), 0);
  const out = [text.length, codes % 97, 0.25];
  while (out.length < dimensions) out.push(out.length / 100);
  return out.slice(0, dimensions);
}

function vectors_of(ask, reply) {
  const all = reply.vectors ?? ask.texts.map((text) => vector_of(text, ask.dimensions));
  return all.slice(0, all.length - (reply.drop ?? 0));
}
const tokens_of = (ask) => ask.texts.reduce((sum, text) => sum + Math.max(1, text.split(/\s+/).length), 0);
const plain = { garbage: '{', stream_error: () => ({ data: '' }), frames: () => [], stream_type: 'application/json' };

function ask_of(model, texts, dimensions, more = {}) {
  if (typeof model !== 'string') return { problem: 'you must provide a model parameter' };
  if (!texts.length || texts.some((t) => typeof t !== 'string' || t === '')) {
    return { problem: "'input' must hold texts that are not empty" };
  }
  return { model, texts, dimensions, stream: false, role: 'user', text: texts.at(-1), prompt: texts.join(' '),
    images: [], choices: 1, embed: true, ...more };
}

const base64_of = (vector) => Buffer.from(new Float32Array(vector).buffer).toString('base64');

const openai_embed = {
  ...plain, name: 'openai', error: (...said) => openai.error(...said),
  read: ({ json }) => ask_of(json?.model, [json?.input ?? []].flat(), json?.dimensions,
    { base64: json?.encoding_format === 'base64' }),
  whole(ask, reply) {
    const tokens = tokens_of(ask);
    return { object: 'list', model: ask.model, usage: { prompt_tokens: tokens, total_tokens: tokens },
      data: vectors_of(ask, reply).map((vector, index) => ({ object: 'embedding', index,
        embedding: ask.base64 ? base64_of(vector) : vector })) };
  },
};

const ollama_embed = {
  ...plain, name: 'ollama', error: (...said) => ollama.error(...said),
  read: ({ json }) => ask_of(json?.model, [json?.input ?? []].flat(), json?.dimensions),
  whole: (ask, reply) => ({ model: ask.model, embeddings: vectors_of(ask, reply), total_duration: 14143917,
    load_duration: 1019500, prompt_eval_count: tokens_of(ask) }),
};

const GEMINI_TASKS = [undefined, 'RETRIEVAL_QUERY', 'RETRIEVAL_DOCUMENT', 'SEMANTIC_SIMILARITY'];
const gemini_embed = {
  ...plain, name: 'gemini', error: (...said) => gemini.error(...said),
  read({ path, json }) {
    const [, model] = /\/models\/([^/:]+):batchEmbedContents$/.exec(path) ?? [];
    const requests = json?.requests ?? [];
    if (requests.length > 100) return { problem: 'at most 100 requests can be in one batch' };
    if (requests.some((r) => r.model !== `models/${model}`)) return { problem: 'model must match the path' };
    if (requests.some((r) => !GEMINI_TASKS.includes(r.taskType))) return { problem: 'unknown taskType' };
    const texts = requests.map((r) => (r.content?.parts ?? []).map((p) => p.text).join(''));
    return ask_of(model, texts, requests[0]?.outputDimensionality);
  },
  whole: (ask, reply) => ({ embeddings: vectors_of(ask, reply).map((values) => ({ values })) }),
};

/** The embedding format of a path, or undefined. */
export function embedding_format(path) {
  if (path === '/v1/embeddings') return openai_embed;
  if (path === '/api/embed') return ollama_embed;
  return /^\/v1(beta)?\/models\/[^/:]+:batchEmbedContents$/.test(path) ? gemini_embed : undefined;
}
