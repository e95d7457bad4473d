// What comes of jobs when a provider is away for a while, and what `mainstay jobs watch` leaves behind
// when the news of a job were dropped: the whole answer, once.
// proves G3, G7
import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { assert_error, cleanup, pair, pause, provide, provider_entry, run, Server, temp_dir,
  write_config } from './lib/harness.mjs';
import { ended, JobEvents } from './lib/events.mjs';
import { admin_of } from './lib/people.mjs';

const QUICK = { backoff_min: '10ms', backoff_max: '50ms', events: { recheck: '500ms' } };
const chat = (text, more = {}) => ({ kind: 'chat', input: { model: 'model-a', messages: [{ role: 'user', content: text }] }, ...more });
const input = (text) => JSON.stringify(chat(text).input);
/** More than is kept of one job's news, and than an end event carries. */
const FLOOD = Array.from({ length: 400 }, (_, i) => ` ${'x'.repeat(2000)}${i}`);

async function submit(server, order) {
  const reply = await server.post('/v1/jobs', order);
  assert.equal(reply.status, 202, reply.text);
  return reply.json.id;
}

test('while the breaker is open jobs wait, and no attempt is used up', async (t) => {
  const { server, provider } = await pair(t, { config: { jobs: { ...QUICK, workers: 8 },
    models: { attempts_max: 1, breaker_calls_min: 5, breaker_open: '2s' } } });
  provider.script({ replies: [{ status: 500 }], repeat: true });
  for (let i = 0; i < 5; ++i) await server.chat({ model: 'model-a', messages: [{ role: 'user', content: `fail ${i}` }] });
  const while_open = await server.chat({ model: 'model-a', messages: [{ role: 'user', content: 'refused' }] });
  assert_error(while_open, 503, { code: 'circuit_open' });
  provider.scripts.length = 0;
  const ids = [];
  for (let i = 0; i < 6; ++i) ids.push(await submit(server, chat(`patient ${i}`)));
  await pause(700);
  for (const id of ids) assert.equal((await server.get(`/v1/jobs/${id}`)).json.state, 'running');
  for (const id of ids) {
    const job = await ended(server, id);
    assert.equal(job.state, 'succeeded', JSON.stringify(job));
    assert.equal(job.attempts, 1);
  }
});

test('a stop does not wait for a job that waits for its provider', async (t) => {
  const { server, provider } = await pair(t, { config: { jobs: QUICK, server: { stop_timeout: '20s' },
    models: { attempts_max: 1, breaker_calls_min: 5, breaker_open: '60s' } } });
  provider.script({ replies: [{ status: 500 }], repeat: true });
  for (let i = 0; i < 5; ++i) await server.chat({ model: 'model-a', messages: [{ role: 'user', content: `fail ${i}` }] });
  const id = await submit(server, chat('waits'));
  await server.until(async () => (await server.get(`/v1/jobs/${id}`)).json.state === 'running', 'it runs');
  const began = performance.now();
  await server.stop();
  assert.ok(performance.now() - began < 5000, `${performance.now() - began} ms`);
});

test('a result says that the built-in answerer stood in', async (t) => {
  const { server, provider } = await pair(t, { config: { jobs: QUICK, models: { attempts_max: 1 },
    routes: [{ model: 'model-a', extractive_fallback: true, candidates: [{ provider: 'openai', model: 'model-a' }] }] } });
  assert.equal((await ended(server, await submit(server, chat('there')))).result.degraded, undefined);
  await provider.mode('refuse');
  assert.equal((await ended(server, await submit(server, chat('Is anybody there?')))).result.degraded, true);
});

test('jobs watch leaves the whole answer once, whatever of the news was dropped', async (t) => {
  const dir = temp_dir(t);
  const provider = await provide(t);
  const file = write_config(dir, { limits: { enabled: false }, models: { discover: false }, jobs: QUICK,
    providers: [provider_entry(provider)] });
  const start = () => new Server({ dir, data: path.join(dir, 'data'), args: ['--config', file] }).up();
  let server = await start();
  cleanup(t, () => server.stop());
  const tool = (...words) => run(['jobs', ...words, '--data', server.data]);
  const whole = `${FLOOD.join('')}\n`;
  provider.script({ match: { text: 'flood' }, replies: [{ tokens: FLOOD }], repeat: true });

  const live = await tool('submit', 'chat', '--input', input('flood live'), '--watch');
  assert.equal(live.code, 0, live.err);
  assert.ok(live.out === whole, `${live.out.length} bytes of ${whole.length}`);

  const id = await submit(server, chat('flood before'));
  await ended(server, id);
  const events = await new JobEvents(server, id).all();
  assert.deepEqual([events[0].type, events.at(-1).type], ['missed', 'succeeded']);
  assert.equal(events.at(-1).data.result, undefined, 'it is too long for news');
  for (const when of ['after the end', 'after a restart']) {
    const late = await tool('watch', id);
    assert.equal(late.code, 0, late.err);
    assert.ok(late.out === whole, `${when}: ${late.out.length} bytes of ${whole.length}`);
    if (when === 'after a restart') break;
    await server.stop();
    server = await start();
  }
});

test('jobs watch stays with a job of which nothing is heard for many streams', async (t) => {
  const { server, provider } = await pair(t, { config: { jobs: QUICK, server: { request_timeout: '3s' } } });
  provider.script({ match: { text: 'quiet' }, replies: [{ text: 'said at last', gate: 'go' }] });
  const id = await submit(server, chat('quiet'));
  let over = false;
  const watching = run(['jobs', 'watch', id, '--data', server.data]).finally(() => (over = true));
  // A stream ends a second after its begin here, and the next one comes a second later.
  await pause(9000);
  assert.equal(over, false, 'it waits');
  provider.open('go');
  const watched = await watching;
  assert.equal(watched.code, 0, watched.err);
  assert.equal(watched.out, 'said at last\n');
  assert.match(watched.err, /started, attempt 1\nsucceeded\n$/);
  const planned = await submit(server, chat('never', { delay: 3600 }));
  const waiting = run(['jobs', 'watch', planned, '--data', server.data]);
  await pause(3000);
  assert.equal((await server.post(`/v1/jobs/${planned}/cancel`)).status, 200);
  const ended_so = await waiting;
  assert.equal(ended_so.code, 1);
  assert.match(ended_so.err, /cancelled/);
});

test('a receiver that hangs up is asked no more often than webhooks are tried', async (t) => {
  const asked = [];
  const receiver = http.createServer((request, response) => {
    request.resume().on('end', () => {
      asked.push(request.headers['webhook-id']);
      if (asked.length === 1) response.writeHead(200).end();
      else request.socket.destroy();
    });
  });
  await new Promise((go) => receiver.listen(0, '127.0.0.1', go));
  cleanup(t, () => new Promise((go) => { receiver.closeAllConnections(); receiver.close(go); }));
  const { server } = await pair(t, { config: { jobs: { ...QUICK, webhooks: { secret: `whsec_${Buffer.alloc(24, 7).toString('base64')}`,
    allow: ['127.0.0.1'], attempts_max: 3, backoff_min: '1ms', backoff_max: '5ms' } } } });
  const webhook = { url: `http://127.0.0.1:${receiver.address().port}/hook` };
  await submit(server, chat('first', { webhook }));
  await server.until(() => asked.length === 1, 'the first is told, over a connection that could be kept');
  const id = await submit(server, chat('second', { webhook }));
  const dead = async () => (await server.get('/admin/jobs?kind=webhook&state=dead', admin_of(server))).json.data;
  await server.until(async () => (await dead()).length === 1, 'the second is given up');
  assert.equal(asked.length, 1 + 3);
  assert.equal(new Set(asked.slice(1)).size, 1);
  assert.match(asked[1], new RegExp(`^${id}_`));
});

test('an answer that was begun twice is in a file once', async (t) => {
  const { server, provider } = await pair(t, { config: { jobs: QUICK } });
  provider.script({ match: { text: 'begun twice' },
    replies: [{ tokens: ['one', ' two', ' three', ' four'], fault: 'cut', after: 3 }, { tokens: ['one', ' two', ' three', ' four'] }] });
  const got = await run(['jobs', 'submit', 'chat', '--input', input('begun twice'), '--watch', '--data', server.data]);
  assert.equal(got.code, 0, got.err);
  assert.match(got.err, /attempt_failed/);
  assert.equal(got.out, 'one two three four\n');
});

test('jobs list fetches as many pages as the asked number takes', async (t) => {
  const { server } = await pair(t, { config: { jobs: QUICK, limits: { enabled: false } } });
  for (let n = 0; n < 104; ++n) await submit(server, chat(`one of many ${n}`, { delay: 3600 }));
  const tool = (...words) => run(['jobs', 'list', ...words, '--data', server.data]);
  const all = JSON.parse((await tool('--limit', '500', '--json')).out);
  assert.equal(new Set(all.data.map((one) => one.id)).size, 104);
  assert.equal(all.has_more, false);
  const most = JSON.parse((await tool('--limit', '103', '--json')).out);
  assert.deepEqual(most.data, all.data.slice(0, 103));
  assert.equal(most.has_more, true);
  assert.match((await tool('--limit', '1000')).out, /^(job_.*\n){104}104 unfinished\n$/);
  for (const wrong of ['0', '-1', 'many', '1001']) assert.equal((await tool('--limit', wrong)).code, 2, wrong);
});

test('the id of a repeating job names the next one and ends the repetition', async (t) => {
  const { server, provider } = await pair(t, { config: { jobs: { ...QUICK, repeat_min: '1s' } } });
  const id = await submit(server, chat('again', { repeat_every: 1 }));
  await ended(server, id);
  const { json } = await server.get(`/v1/jobs/${id}`);
  assert.match(json.next, new RegExp(`^${id}\\.\\d+$`));
  await ended(server, json.next);
  const asked = () => provider.requests.filter((one) => one.format).length;
  assert.ok(asked() >= 2, 'an occurrence is not answered from the cache');
  const stopped = await server.post(`/v1/jobs/${id}/cancel`);
  assert.equal(stopped.status, 200, stopped.text);
  assert.equal(stopped.json.state, 'cancelled');
  const before = asked();
  await pause(2500);
  assert.equal(asked(), before);
  assert_error(await server.post(`/v1/jobs/${id}/cancel`), 409, { code: 'job_ended' });
});

test('times that are none are refused by the command line and by the server', async (t) => {
  const { server } = await pair(t, { config: { jobs: QUICK } });
  for (const wrong of ['--delay=-1', '--delay=nan', '--delay=inf', '--repeat-every=-5', '--repeat-every=nan']) {
    const got = await run(['jobs', 'submit', 'chat', '--input', input('never'), wrong, '--data', server.data]);
    assert.equal(got.code, 2, `${wrong}: ${got.out}${got.err}`);
    assert.match(got.err, new RegExp(wrong.split('=')[0]));
  }
  assert.deepEqual((await server.get('/v1/jobs')).json.data, []);
  assert_error(await server.post('/v1/jobs', chat('never', { repeat_every: 90.5 })), 400, { code: 'out_of_range', param: 'repeat_every' });
});
