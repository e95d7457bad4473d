// The wire formats OpenAI and Ollama as their servers speak them: what a request says, whole
// replies, stream frames, error bodies. Gemini and Anthropic are in formats2.mjs. Used by provider.mjs.

/** Pieces of a text as a model would stream them: words with the blank that follows. */
export function tokens_of(text) {
  return text.match(/\s*\S+\s*?(?=\s|$)|\s+$/g) ?? [];
}
const words = (text) => (text.match(/\S+/g) ?? []).length;
export const usage_of = (ask, reply) => reply.usage ?? {
  input: Math.max(1, words(ask.prompt)),
  output: reply.tool_calls ? 7 : Math.max(1, (reply.tokens ?? tokens_of(reply.text)).length),
};
export const reply_tokens = (reply) => reply.tokens ?? tokens_of(reply.text ?? '');

/** A frame of a stream: `mark` says what it is (faults cut at tokens, drop ends). */
export const frame = (mark, data) => ({ mark, data });

const parts_text = (content) => typeof content === 'string' ? content
  : (content ?? []).filter((p) => p.type === 'text').map((p) => p.text).join('');

const OPENAI_ROLES = ['system', 'developer', 'user', 'assistant', 'tool', 'function'];

function openai_problem(body) {
  if (typeof body.model !== 'string') return 'you must provide a model parameter';
  if (!Array.isArray(body.messages) || !body.messages.length) {
    return "Missing required parameter: 'messages'.";
  }
  for (const [i, m] of body.messages.entries()) {
    if (!OPENAI_ROLES.includes(m.role)) return `Invalid value: '${m.role}' at messages[${i}].role.`;
    if (m.role === 'tool' && !m.tool_call_id) return `Missing messages[${i}].tool_call_id.`;
  }
  if (body.stream_options && !body.stream) {
    return "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
  }
  return null;
}

export const openai = {
  name: 'openai',
  read(request) {
    const body = request.json ?? {};
    const problem = openai_problem(body);
    if (problem) return { problem };
    const last = body.messages.at(-1);
    const images = body.messages.flatMap((m) => Array.isArray(m.content) ? m.content : [])
      .filter((p) => p.type === 'image_url').map((p) => p.image_url.url);
    return {
      model: body.model, stream: body.stream === true, role: last.role, text: parts_text(last.content),
      prompt: body.messages.map((m) => parts_text(m.content)).join(' '), images,
      include_usage: body.stream_options?.include_usage === true, choices: body.n ?? 1,
    };
  },
  stream_type: 'text/event-stream',
  tool_calls: (reply) => reply.tool_calls?.map((call, i) => ({
    id: call.id ?? `call_${i}_${call.name}`, type: 'function',
    function: { name: call.name, arguments: JSON.stringify(call.arguments) },
  })),
  usage(ask, reply) {
    const { input, output } = usage_of(ask, reply);
    return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
  },
  finish: (reply) => reply.finish ?? (reply.tool_calls ? 'tool_calls' : 'stop'),
  whole(ask, reply) {
    const message = { role: 'assistant', content: reply.tool_calls || reply.refusal ? null : reply.text, refusal: reply.refusal ?? null };
    if (reply.thoughts) message.reasoning_content = reply.thoughts;
    if (reply.tool_calls) message.tool_calls = this.tool_calls(reply);
    const out = {
      id: 'chatcmpl-scripted', object: 'chat.completion', created: 1700000000, model: ask.model,
      choices: Array.from({ length: ask.choices }, (_, index) => ({
        index, message, logprobs: null, finish_reason: this.finish(reply),
      })),
      system_fingerprint: 'fp_scripted',
    };
    if (reply.usage !== null) out.usage = this.usage(ask, reply);
    return out;
  },
  frames(ask, reply) {
    const event = (mark, delta, finish_reason = null, extra = {}) => frame(mark, `data: ${JSON.stringify({
      id: 'chatcmpl-scripted', object: 'chat.completion.chunk', created: 1700000000, model: ask.model,
      system_fingerprint: 'fp_scripted',
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
      ...(ask.include_usage ? { usage: null } : {}), ...extra,
    })}\n\n`);
    const out = [event('start', { role: 'assistant', content: reply.tool_calls ? null : '' })];
    if (reply.thoughts) out.push(event('token', { reasoning_content: reply.thoughts }));
    if (reply.tool_calls) {
      for (const [index, call] of this.tool_calls(reply).entries()) {
        const { name, arguments: args } = call.function;
        out.push(event('token', { tool_calls: [{ index, ...call, function: { name, arguments: '' } }] }));
        for (let at = 0; at < args.length; at += 5) {
          const piece = args.slice(at, at + 5);
          out.push(event('token', { tool_calls: [{ index, function: { arguments: piece } }] }));
        }
      }
    } else if (reply.refusal) {
      out.push(event('token', { refusal: reply.refusal }));
    } else {
      for (const token of reply_tokens(reply)) out.push(event('token', { content: token }));
    }
    out.push(event('finish', {}, this.finish(reply)));
    if (ask.include_usage && reply.usage !== null) {
      out.push(event('usage', {}, null, { choices: [], usage: this.usage(ask, reply) }));
    }
    out.push(frame('end', 'data: [DONE]\n\n'));
    return out;
  },
  error(status, message, code = null) {
    const type = status === 429 ? 'requests' : status >= 500 ? 'server_error' : 'invalid_request_error';
    return { error: { message, type, param: null, code: code ?? (status === 429 ? 'rate_limit_exceeded' : null) } };
  },
  stream_error: (message) => frame('error',
    `data: ${JSON.stringify({ error: { message, type: 'server_error', param: null, code: null } })}\n\n`),
  garbage: 'data: {"id":"chatcmpl-scripted","choices":[{"index":0,"delta":{"cont\n\n',
};

const OLLAMA_TIME = '2024-01-02T03:04:05.678901234Z';

export const ollama = {
  name: 'ollama',
  read(request) {
    const body = request.json ?? {};
    const generate = request.path === '/api/generate';
    if (typeof body.model !== 'string') return { problem: 'model is required' };
    if (!generate && !Array.isArray(body.messages)) return { problem: 'messages is required' };
    for (const m of generate ? [] : body.messages) {
      if (!['system', 'user', 'assistant', 'tool'].includes(m.role)) return { problem: 'invalid role' };
      if (typeof (m.content ?? '') !== 'string') return { problem: 'json: cannot unmarshal content' };
    }
    const last = generate ? { role: 'user', content: body.prompt ?? '' } : body.messages.at(-1);
    const images = generate ? body.images ?? [] : body.messages.flatMap((m) => m.images ?? []);
    if (images.some((i) => /^data:|^http/.test(i))) return { problem: 'illegal base64 data at input byte 4' };
    return {
      model: body.model, stream: body.stream !== false, role: last?.role, text: last?.content ?? '',
      prompt: generate ? `${body.system ?? ''} ${body.prompt ?? ''}`
        : body.messages.map((m) => m.content ?? '').join(' '),
      images, generate, choices: 1,
    };
  },
  stream_type: 'application/x-ndjson',
  piece: (ask, text, calls) => ask.generate ? { response: text }
    : { message: { role: 'assistant', content: text, ...(calls ? { tool_calls: calls } : {}) } },
  tool_calls: (reply) => reply.tool_calls?.map((c) => ({ function: { name: c.name, arguments: c.arguments } })),
  last(ask, reply) {
    const { input, output } = usage_of(ask, reply);
    const counts = reply.usage === null ? {} : { prompt_eval_count: input, eval_count: output };
    return {
      done: true, done_reason: reply.finish ?? 'stop', total_duration: 5043500667,
      load_duration: 5025959, ...counts, prompt_eval_duration: 325953000, eval_duration: 4709213000,
    };
  },
  whole(ask, reply) {
    const text = reply.tool_calls ? '' : reply.text;
    return {
      model: ask.model, created_at: OLLAMA_TIME, ...this.piece(ask, text, this.tool_calls(reply)),
      ...this.last(ask, reply),
    };
  },
  frames(ask, reply) {
    const line = (mark, body) =>
      frame(mark, `${JSON.stringify({ model: ask.model, created_at: OLLAMA_TIME, ...body })}\n`);
    const out = reply.tool_calls
      ? [line('token', { ...this.piece(ask, '', this.tool_calls(reply)), done: false })]
      : reply_tokens(reply).map((t) => line('token', { ...this.piece(ask, t), done: false }));
    out.push(line('end', { ...this.piece(ask, ''), ...this.last(ask, reply) }));
    return out;
  },
  error: (status, message) => ({ error: message }),
  stream_error: (message) => frame('error', `${JSON.stringify({ error: message })}\n`),
  garbage: '{"model":"x","message":{"role":"assistant","cont\n',
};
