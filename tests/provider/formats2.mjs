// The wire formats Gemini (generateContent) and Anthropic Messages as their servers speak them.
// Used by provider.mjs, beside formats.mjs.
import { frame, reply_tokens, usage_of } from './formats.mjs';

const GEMINI_KEYS = new Set(['contents', 'systemInstruction', 'system_instruction', 'tools', 'toolConfig',
  'tool_config', 'generationConfig', 'generation_config', 'safetySettings', 'cachedContent', 'labels']);
const GEMINI_PARTS = new Set(['text', 'inlineData', 'inline_data', 'fileData', 'file_data', 'functionCall',
  'function_call', 'functionResponse', 'function_response', 'thought', 'thoughtSignature']);

function gemini_problem(body) {
  for (const key of Object.keys(body)) {
    if (!GEMINI_KEYS.has(key)) return `Invalid JSON payload received. Unknown name "${key}": Cannot find field.`;
  }
  if (!Array.isArray(body.contents) || !body.contents.length) {
    return '* GenerateContentRequest.contents: contents is not specified';
  }
  for (const content of body.contents) {
    if (!['user', 'model', 'function'].includes(content.role ?? 'user')) {
      return 'Please use a valid role: user, model.';
    }
    if (!content.parts?.length) return 'contents.parts must not be empty.';
    for (const key of content.parts.flatMap(Object.keys)) {
      if (!GEMINI_PARTS.has(key)) return `Unknown name "${key}" at 'contents[0].parts[0]'`;
    }
  }
  return null;
}

const GEMINI_STATUS = { 400: 'INVALID_ARGUMENT', 401: 'UNAUTHENTICATED', 403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND', 429: 'RESOURCE_EXHAUSTED', 500: 'INTERNAL', 503: 'UNAVAILABLE', 504: 'DEADLINE_EXCEEDED' };

export const gemini = {
  name: 'gemini',
  read(request) {
    const [, model, verb] = /\/models\/([^/:]+):(\w+)$/.exec(request.path) ?? [];
    const body = request.json ?? {};
    const problem = gemini_problem(body);
    if (problem) return { problem };
    const parts = body.contents.flatMap((c) => c.parts);
    const last = body.contents.at(-1);
    const inline = (p) => p.inlineData ?? p.inline_data;
    const result = last.parts.find((p) => p.functionResponse ?? p.function_response);
    const system = body.systemInstruction ?? body.system_instruction;
    return {
      model, stream: verb === 'streamGenerateContent', array: !/(^|&)alt=sse(&|$)/.test(request.query),
      role: result ? 'tool' : 'user',
      text: result ? JSON.stringify((result.functionResponse ?? result.function_response).response)
        : last.parts.map((p) => p.text ?? '').join(''),
      prompt: [...(system?.parts ?? []), ...parts].map((p) => p.text ?? '').join(' '),
      images: parts.filter(inline).map((p) => inline(p).data), choices: 1,
    };
  },
  stream_type: 'text/event-stream',
  finish: (reply) => ({ length: 'MAX_TOKENS', content_filter: 'SAFETY' })[reply.finish] ?? 'STOP',
  body(ask, reply, parts, finish) {
    const { input, output } = usage_of(ask, reply);
    const out = {
      candidates: [{ content: { parts, role: 'model' }, ...(finish ? { finishReason: finish } : {}), index: 0 }],
    };
    if (reply.usage !== null) {
      out.usageMetadata = { promptTokenCount: input, candidatesTokenCount: finish ? output : 0,
        totalTokenCount: input + (finish ? output : 0) };
    }
    return { ...out, modelVersion: ask.model, responseId: 'scripted' };
  },
  calls: (reply) => reply.tool_calls?.map((c) => ({ functionCall: { name: c.name, args: c.arguments } })),
  whole(ask, reply) {
    return this.body(ask, reply, this.calls(reply) ?? [{ text: reply.text }], this.finish(reply));
  },
  frames(ask, reply) {
    const event = (mark, body, i) => frame(mark, ask.array
      ? `${i === 0 ? '[' : ','}${JSON.stringify(body)}\n` : `data: ${JSON.stringify(body)}\r\n\r\n`);
    const pieces = this.calls(reply) ?? reply_tokens(reply).map((text) => ({ text }));
    const out = pieces.map((p, i) => event('token', this.body(ask, reply, [p], null), i));
    out.push(event('end', this.body(ask, reply, [{ text: '' }], this.finish(reply)), out.length));
    if (ask.array) out.push(frame('end', ']'));
    return out;
  },
  error(status, message, _code, wait_s) {
    const details = wait_s === undefined ? [] : [
      { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${wait_s}s` }];
    return { error: { code: status, message, status: GEMINI_STATUS[status] ?? 'UNKNOWN', details } };
  },
  stream_error: (message) => frame('error',
    `data: ${JSON.stringify({ error: { code: 503, message, status: 'UNAVAILABLE' } })}\r\n\r\n`),
  garbage: 'data: {"candidates":[{"content":{"parts":[{"te\r\n\r\n',
};

const ANTHROPIC_KEYS = new Set(['model', 'messages', 'max_tokens', 'system', 'stream', 'temperature', 'top_p',
  'top_k', 'stop_sequences', 'tools', 'tool_choice', 'metadata', 'service_tier', 'thinking', 'output_config']);

function anthropic_problem(request, body) {
  if (!request.headers['anthropic-version']) return 'anthropic-version: header is required';
  for (const key of Object.keys(body)) {
    if (!ANTHROPIC_KEYS.has(key)) return `${key}: Extra inputs are not permitted`;
  }
  if (typeof body.model !== 'string') return 'model: Field required';
  if (!Number.isInteger(body.max_tokens) || body.max_tokens < 1) return 'max_tokens: Field required';
  if (!Array.isArray(body.messages) || !body.messages.length) return 'messages: at least one message is required';
  if (body.messages[0].role !== 'user') return 'messages: first message must use the "user" role';
  for (const [i, m] of body.messages.entries()) {
    if (!['user', 'assistant'].includes(m.role)) return `messages.${i}.role: Input should be 'user' or 'assistant'`;
    if (!m.content?.length) return `messages.${i}: all messages must have non-empty content`;
    for (const block of Array.isArray(m.content) ? m.content : []) {
      if (!['text', 'image', 'tool_use', 'tool_result', 'document'].includes(block.type)) {
        return `messages.${i}.content.0.type: unexpected '${block.type}'`;
      }
      if (block.type === 'image' && !['base64', 'url'].includes(block.source?.type)) {
        return `messages.${i}.content.0.image.source: Field required`;
      }
    }
  }
  for (const tool of body.tools ?? []) {
    if (!tool.name || !tool.input_schema) return 'tools.0.input_schema: Field required';
  }
  return null;
}

const ANTHROPIC_TYPES = { 400: 'invalid_request_error', 401: 'authentication_error', 403: 'permission_error',
  404: 'not_found_error', 413: 'request_too_large', 429: 'rate_limit_error', 529: 'overloaded_error' };

const block_text = (content) => typeof content === 'string' ? content : (content ?? [])
  .map((b) => b.type === 'text' ? b.text : b.type === 'tool_result' ? block_text(b.content) : '').join('');

export const anthropic = {
  name: 'anthropic',
  read(request) {
    const body = request.json ?? {};
    const problem = anthropic_problem(request, body);
    if (problem) return { problem };
    const last = body.messages.at(-1);
    const blocks = body.messages.flatMap((m) => Array.isArray(m.content) ? m.content : []);
    const result = Array.isArray(last.content) && last.content.some((b) => b.type === 'tool_result');
    return {
      model: body.model, stream: body.stream === true, role: result ? 'tool' : last.role,
      text: block_text(last.content),
      prompt: [block_text(body.system), ...body.messages.map((m) => block_text(m.content))].join(' '),
      images: blocks.filter((b) => b.type === 'image').map((b) => b.source.data ?? b.source.url), choices: 1,
    };
  },
  stream_type: 'text/event-stream; charset=utf-8',
  stop: (reply) => reply.tool_calls ? 'tool_use'
    : ({ length: 'max_tokens', stop_sequence: 'stop_sequence' })[reply.finish] ?? 'end_turn',
  blocks: (reply) => reply.tool_calls
    ? reply.tool_calls.map((c, i) => ({ type: 'tool_use', id: c.id ?? `toolu_${i}_${c.name}`, name: c.name, input: c.arguments }))
    : [{ type: 'text', text: reply.text }],
  whole(ask, reply) {
    const { input, output } = usage_of(ask, reply);
    const out = { id: 'msg_scripted', type: 'message', role: 'assistant', model: ask.model,
      content: this.blocks(reply), stop_reason: this.stop(reply), stop_sequence: null };
    if (reply.usage !== null) out.usage = { input_tokens: input, output_tokens: output };
    return out;
  },
  frames(ask, reply) {
    const { input, output } = usage_of(ask, reply);
    const event = (mark, body) => frame(mark, `event: ${body.type}\ndata: ${JSON.stringify(body)}\n\n`);
    const usage = (u) => reply.usage === null ? {} : { usage: u };
    const out = [event('start', { type: 'message_start', message: { id: 'msg_scripted', type: 'message',
      role: 'assistant', content: [], model: ask.model, stop_reason: null, stop_sequence: null,
      ...usage({ input_tokens: input, output_tokens: 1 }) } })];
    for (const [index, block] of this.blocks(reply).entries()) {
      const tool = block.type === 'tool_use';
      out.push(event('start', { type: 'content_block_start', index,
        content_block: tool ? { ...block, input: {} } : { type: 'text', text: '' } }));
      if (index === 0) out.push(event('ping', { type: 'ping' }));
      const pieces = tool ? JSON.stringify(block.input).match(/.{1,6}/gs) : reply_tokens(reply);
      for (const piece of pieces) {
        out.push(event('token', { type: 'content_block_delta', index, delta: tool
          ? { type: 'input_json_delta', partial_json: piece } : { type: 'text_delta', text: piece } }));
      }
      out.push(event('finish', { type: 'content_block_stop', index }));
    }
    out.push(event('finish', { type: 'message_delta',
      delta: { stop_reason: this.stop(reply), stop_sequence: null }, ...usage({ output_tokens: output }) }));
    out.push(event('end', { type: 'message_stop' }));
    return out;
  },
  error: (status, message) => ({ type: 'error', request_id: 'req_scripted',
    error: { type: ANTHROPIC_TYPES[status] ?? 'api_error', message } }),
  stream_error: (message) => frame('error', `event: error\ndata: ${JSON.stringify(
    { type: 'error', error: { type: 'overloaded_error', message } })}\n\n`),
  garbage: 'event: content_block_delta\ndata: {"type":"content_block_del\n\n',
};
