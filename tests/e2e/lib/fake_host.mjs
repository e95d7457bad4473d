// A scriptable model server for the tests of model hosts: speaks OpenAI's shape on the port that it
// is given, and misbehaves as its arguments say. Run by mainstay itself.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';

const args = Object.fromEntries(process.argv.slice(2).map((word) => {
  const [key, value] = word.replace(/^--/, '').split('=');
  return [key, value ?? 'yes'];
}));
const number = (key, otherwise = 0) => Number(args[key] ?? otherwise);

if (args.starts) fs.appendFileSync(args.starts, `${process.pid} ${process.env.CUDA_VISIBLE_DEVICES ?? '-'}\n`);
if (args['crash-at-start']) {
  console.error(`no model at ${args['crash-at-start']}`);
  process.exit(number('code', 1));
}
if (args['ignore-term']) process.on('SIGTERM', () => console.error('not now'));
// Memory that is really touched.
const held = Buffer.alloc(number('memory') * 1024 * 1024, 1);
// A process that leaves the group and outlives its parent.
if (args.survivor) {
  const left = spawn(process.execPath, ['-e', `const b = Buffer.alloc(${number('survivor')} << 20, 1); setInterval(() => b.length, 1000)`], { detached: true, stdio: 'ignore' });
  fs.writeFileSync(args['survivor-file'], String(left.pid));
  left.unref();
}

const began = Date.now();
const ready = () => !args.hang && Date.now() - began >= number('slow');
const sleep = (ms) => new Promise((go) => setTimeout(go, ms));
const json = (response, status, value) => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
};

async function chat(body, response) {
  const text = `${args.name ?? 'host'} heard: ${body.messages.at(-1).content}`;
  const about = { id: 'c', created: 1, model: body.model };
  if (!body.stream) {
    await sleep(number('answer-ms'));
    json(response, 200, { ...about, object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } });
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const piece = (delta, finish_reason = null) =>
    response.write(`data: ${JSON.stringify({ ...about, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
  for (const word of text.split(' ')) {
    piece({ content: `${word} ` });
    await sleep(number('token-ms'));
  }
  piece({}, 'stop');
  response.end('data: [DONE]\n\n');
}

const server = http.createServer((request, response) => {
  if (args.hang) return;  // takes connections and says nothing
  let text = '';
  request.on('data', (d) => (text += d));
  request.on('end', () => {
    if (request.url === '/health') return json(response, ready() ? 200 : 503, { status: ready() ? 'ok' : 'loading model' });
    if (!ready()) return json(response, 503, { error: { message: 'Loading model', code: 503 } });
    if (request.url === '/v1/models') return json(response, 200, { object: 'list', data: [{ id: 'model-a', object: 'model' }] });
    const body = JSON.parse(text);
    if (request.url === '/v1/chat/completions') return chat(body, response);
    if (request.url === '/v1/embeddings') {
      const texts = [].concat(body.input);
      return json(response, 200, { object: 'list', model: body.model, usage: { prompt_tokens: 1, total_tokens: 1 },
        data: texts.map((_, index) => ({ object: 'embedding', index, embedding: [1, 0, held.length ? 1 : 0] })) });
    }
    return json(response, 404, { error: { message: 'not found' } });
  });
});
setTimeout(() => server.listen(number('port'), '127.0.0.1'), number('listen-after'));
if (args['crash-after']) setTimeout(() => { console.error('segmentation fault, as it were'); process.abort(); }, number('crash-after'));
