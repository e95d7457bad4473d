// Jobs over HTTP against a scripted model: a job's whole life, order, times, limits, ends, events,
// webhooks, two tenants, the command line, stop and kill -9.
// proves G3, G6, G7, K5, M15
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { assert_error, cleanup, pair, pause, provide, provider_entry, run, serve, Server, temp_dir,
  write_config } from './lib/harness.mjs';
import { ENDS, JobEvents } from './lib/events.mjs';
import { missing } from './lib/machine.mjs';
import { admin_of, bearer, new_key } from './lib/people.mjs';
import { redis } from './lib/redis.mjs';

/** Retries soon, so that a test need not wait; one job at a time where the order matters. */
const QUICK = { backoff_min: '10ms', backoff_max: '50ms', events: { recheck: '500ms' } };
const ONE_WORKER = { jobs: { ...QUICK, workers: 1 } };

const chat = (text, more = {}) => ({ kind: 'chat', input: { model: 'model-a', messages: [{ role: 'user', content: text }] }, ...more });
const in_conversation = (text, conversation) => {
  const order = chat(text);
  order.input.conversation = conversation;
  return order;
};

async function submit(server, order, headers) {
  const reply = await server.post('/v1/jobs', order, headers);
  assert.equal(reply.status, 202, reply.text);
  assert.equal(reply.headers.location, `/v1/jobs/${reply.json.id}`);
  return reply.json.id;
}
async function job_of(server, id, headers) {
  const reply = await server.get(`/v1/jobs/${id}`, headers);
  assert.equal(reply.status, 200, reply.text);
  return reply.json;
}
async function reaches(server, id, state, headers) {
  let job;
  await server.until(async () => {
    job = await job_of(server, id, headers);
    assert.ok(job.state === state || !ENDS.includes(job.state), `${job.state} instead of ${state}: ${JSON.stringify(job)}`);
    return job.state === state;
  }, `${id} is ${state}`, 15_000);
  return job;
}
const asked = (provider) => provider.requests.filter((one) => one.format)
  .map((one) => one.body.messages.at(-1).content);
const count = (list, value) => list.filter((one) => one === value).length;

test('a job from its submission to its result, with every event on the way', async (t) => {
  const { server, provider } = await pair(t, { config: { jobs: QUICK } });
  provider.script({ match: { text: 'whole life' }, replies: [{ tokens: ['Once', ' upon', ' a time'], gate: 'go' }] });
  const id = await submit(server, chat('whole life'));
  const events = new JobEvents(server, id);
  await events.heard('started');
  assert.equal(events.headers['content-type'], 'text/event-stream');
  assert.equal((await job_of(server, id)).state, 'running');
  provider.open('go');
  await events.all();
  assert.equal(events.ended, 'clean');
  const told = events.types().filter((one) => one !== 'token');
  assert.deepEqual(told.filter((one) => one !== 'queued'), ['started', 'succeeded']);
  assert.equal(events.events.filter((one) => one.type === 'token').map((one) => one.data.text).join(''), 'Once upon a time');
  assert.equal(new Set(events.events.map((one) => one.id)).size, events.events.length);
  const end = events.events.at(-1).data;
  assert.equal(end.result.choices[0].message.content, 'Once upon a time');
  const job = await job_of(server, id);
  assert.deepEqual(job.result, end.result);
  assert.equal(job.attempts, 1);
  assert.equal(count(asked(provider), 'whole life'), 1);
  const { json } = await server.get('/v1/jobs?state=succeeded');
  assert.deepEqual(json.data.map((one) => one.id), [id]);
});

test('the most urgent class goes first, whatever came first', async (t) => {
  const { server, provider } = await pair(t, { config: ONE_WORKER });
  provider.script({ match: { text: 'blocker' }, replies: [{ text: 'done', gate: 'go' }] });
  const first = await submit(server, chat('blocker'));
  await reaches(server, first, 'running');
  const ids = [];
  for (const priority of ['background', 'batch', 'interactive', 'voice']) {
    ids.push(await submit(server, chat(`class ${priority}`, { priority })));
  }
  provider.open('go');
  for (const id of ids) await reaches(server, id, 'succeeded');
  assert.deepEqual(asked(provider), ['blocker', 'class voice', 'class interactive', 'class batch', 'class background']);
});

test('users take turns: a hundred jobs of one delay another\'s by one', async (t) => {
  const data = path.join(temp_dir(t), 'data');
  const provider = await provide(t);
  const ann = bearer((await new_key(data, 'ann', '--user', 'ann')).key);
  const bob = bearer((await new_key(data, 'bob', '--user', 'bob')).key);
  const server = await serve(t, { data, config: { ...ONE_WORKER, providers: [provider_entry(provider)] } });
  provider.script({ match: { text: 'blocker' }, replies: [{ text: 'done', gate: 'go' }] });
  const first = await submit(server, chat('blocker'), ann);
  await reaches(server, first, 'running', ann);
  for (let i = 0; i < 30; ++i) await submit(server, chat(`ann ${i}`), ann);
  const his = await submit(server, chat('bob'), bob);
  provider.open('go');
  await reaches(server, his, 'succeeded', bob);
  const place = asked(provider).indexOf('bob');
  assert.ok(place >= 1 && place <= 3, `bob came ${place}th`);
});

test('a delayed job waits for its time, and a repeating one comes again until it is cancelled', async (t) => {
  const { server, provider } = await pair(t, { config: { jobs: { ...QUICK, repeat_min: '1s' } } });
  const delayed = await submit(server, chat('later', { delay: 1.5 }));
  const began = Date.now();
  const waiting = await job_of(server, delayed);
  assert.equal(waiting.state, 'scheduled');
  const done = await reaches(server, delayed, 'succeeded');
  assert.ok(Date.now() - began >= 1000, 'not before its time');
  assert.ok(done.started_at >= waiting.run_at);
  const cleanup_job = { kind: 'cleanup', repeat_every: 1 };
  const admin = admin_of(server);
  await submit(server, cleanup_job, admin);
  const cleanups = async () => (await server.get('/v1/jobs?kind=cleanup&limit=50', admin)).json.data;
  await server.until(async () => (await cleanups()).filter((one) => one.state === 'succeeded').length >= 2, 'two occurrences');
  const next = (await cleanups()).find((one) => one.state === 'scheduled');
  assert.ok(next, 'the next one is planned');
  assert.equal((await server.delete(`/v1/jobs/${next.id}`, admin)).json.cancelled, true);
  const ended = (await cleanups()).length;
  await pause(1500);
  assert.equal((await cleanups()).length, ended, 'a cancelled occurrence has no next one');
  assert.equal(count(asked(provider), 'later'), 1);
});

test('a job too late for its expiry is not begun', async (t) => {
  const { server, provider } = await pair(t, { config: ONE_WORKER });
  provider.script({ match: { text: 'blocker' }, replies: [{ text: 'done', gate: 'go' }] });
  const first = await submit(server, chat('blocker'));
  await reaches(server, first, 'running');
  const id = await submit(server, chat('too late', { expires_in: 0.3 }));
  const events = new JobEvents(server, id);
  await events.heard('expired');
  provider.open('go');
  await reaches(server, first, 'succeeded');
  assert.equal((await job_of(server, id)).state, 'expired');
  assert.equal(count(asked(provider), 'too late'), 0);
});

test('a user may have ten jobs waiting, and another user is not concerned', async (t) => {
  const data = path.join(temp_dir(t), 'data');
  const keys = [];
  for (const name of ['ann', 'bob']) keys.push(bearer((await new_key(data, name, '--user', name)).key));
  const [ann, bob] = keys;
  const server = await serve(t, { data, config: { jobs: QUICK,
    limits: { enabled: true, user: { requests_per_minute: 6000, burst: 1000 } } } });
  const later = (n, headers) => server.post('/v1/jobs', chat(`waiting ${n}`, { delay: 3600 }), headers);
  const ids = [];
  for (let i = 1; i <= 10; ++i) {
    const reply = await later(i, ann);
    assert.equal(reply.status, 202, `${i}: ${reply.text}`);
    assert.equal(reply.json.waiting, i);
    ids.push(reply.json.id);
  }
  assert_error(await later(11, ann), 429, { code: 'too_many_waiting_jobs' });
  assert.equal((await later(1, bob)).status, 202);
  assert.equal((await server.delete(`/v1/jobs/${ids[4]}`, ann)).json.cancelled, true);
  assert.equal((await later(12, ann)).status, 202);
  assert_error(await later(13, ann), 429, { code: 'too_many_waiting_jobs' });
});

// proves G3
test('above the high mark work is refused until the queue is below the low one', async (t) => {
  const { server } = await pair(t, { config: { jobs: { ...QUICK, depth_high: 20, depth_low: 10 } } });
  const later = (priority) => server.post('/v1/jobs', chat('deep', { delay: 3600, priority }));
  const ids = [];
  const until_refused = async (priority, depth) => {
    while (ids.length < depth) {
      const reply = await later(priority);
      assert.equal(reply.status, 202, `${priority} at ${ids.length}: ${reply.text}`);
      ids.push(reply.json.id);
    }
    const refused = await later(priority);
    assert_error(refused, 503, { code: 'queue_overloaded' });
    assert.ok(Number(refused.headers['retry-after']) >= 1, 'Retry-After');
  };
  await until_refused('background', 12);
  await until_refused('interactive', 18);
  await until_refused('voice', 20);
  const metric = await server.metrics();
  assert.equal(metric('mainstay_jobs_depth'), 20);
  assert.ok(metric('mainstay_jobs_refused_total', { reason: 'queue_overloaded' }) >= 3);
  for (const id of ids.splice(0, 10)) await server.delete(`/v1/jobs/${id}`);
  assert_error(await later('voice'), 503, { code: 'queue_overloaded' });
  await server.delete(`/v1/jobs/${ids.pop()}`);
  assert.equal((await later('voice')).status, 202, 'below the low mark');
});

test('a failing job is tried again, given up, and repeated by hand', async (t) => {
  const { server, provider } = await pair(t, { config: { jobs: QUICK } });
  provider.script({ match: { text: 'wrong model' }, replies: [{ status: 400, message: 'not like this' }], repeat: true });
  const id = await submit(server, chat('wrong model'));
  const dead = await reaches(server, id, 'dead');
  assert.ok(dead.error.code && dead.error.message, JSON.stringify(dead.error));
  assert.ok(dead.finished_at);
  const admin = admin_of(server);
  const stats = (await server.get('/admin/jobs', admin)).json;
  assert.deepEqual(stats.dead.map((one) => one.id), [id]);
  provider.reset();
  const events = new JobEvents(server, id);
  await events.heard('dead');
  const again = await server.post(`/admin/jobs/${id}/retry`, undefined, admin);
  assert.equal(again.status, 200, again.text);
  assert.equal((await reaches(server, id, 'succeeded')).attempts, 1);
  assert_error(await server.post(`/v1/jobs/${id}/retry`), 409, { code: 'job_succeeded' });
  const audit = (await server.get('/admin/audit', admin)).json.data;
  assert.ok(audit.some((one) => one.what === 'job.retry' && one.before === `job ${id}`));
});

test('cancelling a running job stops it at once', async (t) => {
  const { server, provider } = await pair(t, { config: { jobs: QUICK } });
  provider.script({ match: { text: 'endless' }, replies: [{ text: 'never', gate: 'never' }] });
  const id = await submit(server, chat('endless'));
  const events = new JobEvents(server, id);
  await provider.until(() => asked(provider).includes('endless'));
  const began = performance.now();
  assert.equal((await server.delete(`/v1/jobs/${id}`)).json.cancelled, true);
  await events.heard('cancelled');
  await provider.until(() => provider.requests.some((one) => one.format && one.closed), 'the provider is left', 5000);
  t.diagnostic(`${(performance.now() - began).toFixed(0)} ms until the provider was left`);
  await server.until(async () => (await server.metrics())('mainstay_jobs_worker_busy') === 0, 'no worker is busy');
  assert.equal((await job_of(server, id)).state, 'cancelled');
});

test('a reader that is cut off again and again hears every event once', async (t) => {
  const { server, provider } = await pair(t, { config: { jobs: QUICK } });
  const words = Array.from({ length: 60 }, (_, i) => ` word${i}`);
  provider.script({ match: { text: 'long story' }, replies: [{ tokens: words, token_delay_ms: 25 }] });
  const id = await submit(server, chat('long story'));
  const heard = [];
  let after;
  for (let rounds = 0; rounds < 200; ++rounds) {
    const events = new JobEvents(server, id, { after });
    const wanted = 1 + (rounds % 3);
    await events.until(() => events.events.length >= wanted || events.ended, 'some events');
    heard.push(...events.events);
    after = heard.at(-1).id;
    const over = ENDS.includes(heard.at(-1).type);
    events.leave();
    if (over) break;
  }
  assert.equal(heard.at(-1).type, 'succeeded');
  assert.equal(new Set(heard.map((one) => one.id)).size, heard.length, 'none twice');
  assert.equal(heard.filter((one) => one.type === 'token').map((one) => one.data.text).join(''), words.join(''), 'none lost');
  const rest = new JobEvents(server, id, { after });
  await rest.until(() => rest.status, 'a reply');
  assert.equal(rest.status, 204, 'there is no more');
});

test('a reader who takes nothing holds up nobody', async (t) => {
  const { server, provider } = await pair(t, { config: { jobs: QUICK } });
  const words = Array.from({ length: 400 }, (_, i) => ` ${'x'.repeat(2000)}${i}`);
  provider.script({ match: { text: 'flood' }, replies: [{ tokens: words, token_delay_ms: 1 }] });
  const id = await submit(server, chat('flood'));
  const slow = new JobEvents(server, id);
  await slow.until(() => slow.status === 200, 'the head');
  slow.request.socket.pause();
  const quick = new JobEvents(server, id);
  await quick.heard('succeeded');
  assert.equal((await server.get('/health')).status, 200);
  slow.leave();
});

// proves security 1 on every job route
test('of two tenants and two users none sees, ends or repeats a job of another', async (t) => {
  const data = path.join(temp_dir(t), 'data');
  const provider = await provide(t);
  const people = { ann: ['--user', 'ann'], bob: ['--user', 'bob'], far: ['--user', 'ann', '--tenant', 'north'] };
  const as = {};
  for (const [name, flags] of Object.entries(people)) as[name] = bearer((await new_key(data, name, ...flags)).key);
  const server = await serve(t, { data, config: { jobs: QUICK, providers: [provider_entry(provider)] } });
  const id = await submit(server, chat('ann-secret', { delay: 3600 }), as.ann);
  const none = 'job_00000000000000000000000000';
  const api = (await server.get('/openapi.json')).json;
  let seen = 0;
  for (const [target, operations] of Object.entries(api.paths)) {
    if (!target.startsWith('/v1/jobs/{id}')) continue;
    for (const method of Object.keys(operations)) {
      for (const stranger of [as.bob, as.far]) {
        const his = await server.request(method.toUpperCase(), target.replace('{id}', id), { headers: stranger });
        const unknown = await server.request(method.toUpperCase(), target.replace('{id}', none), { headers: stranger });
        assert.equal(his.status, 404, `${method} ${target} ${his.text}`);
        assert.equal(his.text, unknown.text);
        seen += 1;
      }
    }
  }
  assert.ok(seen >= 10, `${seen}`);
  for (const stranger of [as.bob, as.far]) {
    const list = await server.get('/v1/jobs', stranger);
    assert.deepEqual(list.json.data, []);
    assert.equal((await server.post('/v1/jobs', chat('ann-secret', { delay: 3600 }), { ...stranger, 'idempotency-key': 'k' })).status, 202, 'keys are of the user');
  }
  for (const target of ['/admin/jobs', `/admin/jobs/${id}`]) assert_error(await server.get(target, as.ann), 403);
  assert.equal((await job_of(server, id, as.ann)).state, 'scheduled', 'nothing happened to it');
});

test('an Idempotency-Key makes one job, also when many send it at once', async (t) => {
  const { server, provider } = await pair(t, { config: { jobs: QUICK } });
  const key = { 'idempotency-key': 'once-only' };
  const replies = await Promise.all(Array.from({ length: 20 }, () => server.post('/v1/jobs', chat('keyed'), key)));
  assert.equal(new Set(replies.map((one) => one.json.id)).size, 1);
  assert.equal(replies.filter((one) => one.status === 202).length, 1);
  assert.ok(replies.filter((one) => one.status === 200).every((one) => one.headers['idempotent-replayed'] === 'true'));
  assert_error(await server.post('/v1/jobs', chat('another'), key), 409, { code: 'idempotency_key_reused' });
  await reaches(server, replies[0].json.id, 'succeeded');
  assert.equal(count(asked(provider), 'keyed'), 1);
});

const SECRET = Buffer.alloc(32, 7);

/** A receiver of webhooks that answers with `statuses` in turn, then 204. */
async function receiver(t, statuses = []) {
  const got = [];
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (d) => (body += d));
    request.on('end', () => {
      got.push({ headers: request.headers, body });
      response.writeHead(...[statuses.shift() ?? 204].flat()).end();
    });
  });
  await new Promise((go) => server.listen(0, '127.0.0.1', go));
  cleanup(t, () => new Promise((go) => { server.closeAllConnections?.(); server.close(go); }));
  return { got, url: `http://127.0.0.1:${server.address().port}/hook` };
}

test('a webhook tells of the end, signed, and again after a failure under the same id', async (t) => {
  const hook = await receiver(t, [500]);
  const { server } = await pair(t, { config: { jobs: { ...QUICK, webhooks: {
    secret: `whsec_${SECRET.toString('base64')}`, allow: ['127.0.0.1'], backoff_min: '20ms', backoff_max: '100ms' } } } });
  const id = await submit(server, chat('tell me', { webhook: { url: hook.url } }));
  await reaches(server, id, 'succeeded');
  await server.until(() => hook.got.length >= 2, 'two deliveries');
  const [first, second] = hook.got;
  assert.equal(first.headers['webhook-id'], second.headers['webhook-id']);
  for (const one of [first, second]) {
    const signed = `${one.headers['webhook-id']}.${one.headers['webhook-timestamp']}.${one.body}`;
    const mac = crypto.createHmac('sha256', SECRET).update(signed).digest('base64');
    assert.equal(one.headers['webhook-signature'], `v1,${mac}`);
    const message = JSON.parse(one.body);
    assert.equal(message.type, 'job.succeeded');
    assert.equal(message.data.id, id);
  }
  const inside = await server.post('/v1/jobs', chat('x', { webhook: { url: 'http://169.254.169.254/latest' } }));
  assert.equal(inside.status, 403, inside.text);
  assert.equal(inside.json.error.code, 'webhook_address_refused');
});

test('a webhook is sent again when its receiver says, by seconds or a date, at most an hour later', async (t) => {
  const date = new Date(Date.now() + 600_000).toUTCString();
  for (const [after, seconds] of [['600', 600], [date, 600], ['9'.repeat(30), 3600], [new Date(0).toUTCString(), 0]]) {
    const hook = await receiver(t, [[503, { 'retry-after': after }]]);
    const { server } = await pair(t, { config: { jobs: { ...QUICK, webhooks: {
      secret: `whsec_${SECRET.toString('base64url')}`, allow: ['127.0.0.1'], backoff_min: '20ms', backoff_max: '100ms' } } } });
    const began = Date.now() / 1000;
    await submit(server, chat('tell me', { webhook: { url: hook.url } }));
    await server.until(() => hook.got.length >= 1, 'a delivery');
    let due;
    await server.until(async () => {
      const { data } = (await server.get('/admin/jobs?kind=webhook&limit=100', admin_of(server))).json;
      due = data.find((one) => one.attempts === 1 && ['scheduled', 'succeeded'].includes(one.state));
      return due !== undefined;
    }, 'a put-off delivery');
    if (seconds === 0) continue;
    assert.equal(due.state, 'scheduled');
    assert.ok(Math.abs(due.run_at - began - seconds) < 30, `${after}: ${due.run_at - began}`);
  }
});

test('figures of the queue and of the workers are in /metrics and /admin/jobs', async (t) => {
  const { server, provider } = await pair(t, { config: { jobs: { ...QUICK, workers: 3 } } });
  provider.script({ match: { text: 'held' }, replies: [{ text: 'done', gate: 'go' }] });
  const held = await submit(server, chat('held'));
  await reaches(server, held, 'running');
  const planned = await submit(server, chat('planned', { delay: 3600, priority: 'batch' }));
  const metric = await server.metrics();
  assert.equal(metric('mainstay_jobs', { class: 'interactive', state: 'running' }), 1);
  assert.equal(metric('mainstay_jobs', { class: 'batch', state: 'scheduled' }), 1);
  assert.equal(metric('mainstay_jobs_depth'), 2);
  assert.equal(metric('mainstay_jobs_worker_slots'), 3);
  assert.equal(metric('mainstay_jobs_worker_busy'), 1);
  const admin = admin_of(server);
  const stats = (await server.get('/admin/jobs', admin)).json;
  assert.deepEqual(stats.workers.flatMap((one) => one.running).map((one) => one.id), [held]);
  assert.equal(stats.workers.reduce((sum, one) => sum + one.slots, 0), 3);
  assert.deepEqual(stats.data.map((one) => one.id), [planned, held]);
  assert.equal((await server.post(`/admin/jobs/${planned}/cancel`, undefined, admin)).json.state, 'cancelled');
  provider.open('go');
  await reaches(server, held, 'succeeded');
  await server.until(async () => (await server.metrics())('mainstay_jobs_attempts_total', { outcome: 'succeeded' }) === 1, 'the attempt is counted');
});

test('a job begun after a reload runs with what the reload put in force', async (t) => {
  const dir = temp_dir(t);
  const [one, two] = [await provide(t), await provide(t)];
  const config = (provider) => ({ limits: { enabled: false }, models: { discover: false }, jobs: QUICK,
    providers: [provider_entry(provider)] });
  const file = write_config(dir, config(one));
  const server = new Server({ dir, data: path.join(dir, 'data'), args: ['--config', file] });
  cleanup(t, () => server.stop());
  await server.up();
  await reaches(server, await submit(server, chat('first')), 'succeeded');
  write_config(dir, config(two));
  assert.equal((await server.post('/admin/reload', undefined, admin_of(server))).status, 200);
  await reaches(server, await submit(server, chat('second')), 'succeeded');
  assert.deepEqual([asked(one), asked(two)], [['first'], ['second']]);
});

test('a stop lets a running job finish, and hands back what cannot', async (t) => {
  const dir = temp_dir(t);
  const provider = await provide(t);
  const file = write_config(dir, { limits: { enabled: false }, models: { discover: false },
    server: { stop_timeout: '3s' }, jobs: { ...QUICK, workers: 2, give_back_time: '1s' }, providers: [provider_entry(provider)] });
  const start = () => new Server({ dir, data: path.join(dir, 'data'), args: ['--config', file] }).up();
  provider.script({ match: { text: 'finishes' }, replies: [{ text: 'done', gate: 'soon' }] });
  provider.script({ match: { text: 'cannot' }, replies: [{ text: 'done', gate: 'never' }] });
  let server = await start();
  cleanup(t, () => server.stop());
  const finishes = await submit(server, chat('finishes'));
  const cannot = await submit(server, chat('cannot'));
  for (const id of [finishes, cannot]) await reaches(server, id, 'running');
  const events = new JobEvents(server, cannot);
  await events.heard('started');
  const stopped = server.stop();
  provider.open('soon');
  await stopped;
  assert.ok(events.ended, 'the stream has ended');
  provider.script({ match: { text: 'cannot' }, replies: [{ text: 'at last' }] });
  server = await start();
  assert.equal((await job_of(server, finishes)).state, 'succeeded');
  const again = await reaches(server, cannot, 'succeeded');
  assert.equal(again.attempts, 1, 'what was handed back is not counted');
  assert.deepEqual([count(asked(provider), 'finishes'), count(asked(provider), 'cannot')], [1, 2]);
});

// proves G6, G7
test('kill -9 with jobs in every state: nothing is lost, nothing takes effect twice', async (t) => {
  const dir = temp_dir(t);
  const provider = await provide(t);
  const file = write_config(dir, { limits: { enabled: false }, models: { discover: false },
    jobs: { ...QUICK, workers: 2, attempts_max: 5 }, providers: [provider_entry(provider)] });
  const start = () => new Server({ dir, data: path.join(dir, 'data'), args: ['--config', file] }).up();
  let server = await start();
  cleanup(t, () => server.stop());
  provider.script({ match: { text: 'dead one' }, replies: [{ status: 400, message: 'no' }], repeat: true });
  const done = await submit(server, in_conversation('done one', 'conv-done'));
  await reaches(server, done, 'succeeded');
  const dead = await submit(server, chat('dead one'));
  await reaches(server, dead, 'dead');
  const cancelled = await submit(server, chat('cancelled one', { delay: 3600 }));
  await server.delete(`/v1/jobs/${cancelled}`);
  const planned = await submit(server, chat('planned one', { delay: 2 }));
  const running = [];
  const queued = [];
  for (let i = 0; i < 2; ++i) {
    provider.script({ match: { text: `running ${i}` }, replies: [{ text: 'lost', gate: 'never' }] });
    running.push(await submit(server, in_conversation(`running ${i}`, `conv-running-${i}`)));
    await reaches(server, running[i], 'running');
  }
  for (let i = 0; i < 20; ++i) queued.push(await submit(server, in_conversation(`queued ${i}`, `conv-queued-${i}`)));
  await server.kill();
  server = await start();
  for (const id of [...running, ...queued, planned]) await reaches(server, id, 'succeeded');
  assert.equal((await job_of(server, done)).result.choices[0].message.content.length > 0, true);
  assert.equal((await job_of(server, dead)).state, 'dead');
  assert.equal((await job_of(server, cancelled)).state, 'cancelled');
  const list = asked(provider);
  for (const text of ['done one', 'dead one', 'planned one', ...queued.map((_, i) => `queued ${i}`)]) {
    assert.equal(count(list, text), 1, text);
  }
  for (let i = 0; i < 2; ++i) assert.equal(count(list, `running ${i}`), 2, 'executed again');
  assert.equal(count(list, 'cancelled one'), 0);
  for (const name of ['conv-done', 'conv-running-0', 'conv-running-1', ...queued.map((_, i) => `conv-queued-${i}`)]) {
    const conversation = await server.get(`/v1/conversations/${name}`);
    assert.equal(conversation.status, 200, conversation.text);
    assert.deepEqual(conversation.json.messages.map((one) => one.role), ['user', 'assistant'], `${name} was told once`);
  }
});

test('kill -9 again and again: each accepted job has one effect', async (t) => {
  const dir = temp_dir(t);
  const provider = await provide(t);
  const file = write_config(dir, { limits: { enabled: false }, models: { discover: false },
    jobs: { ...QUICK, workers: 4, attempts_max: 50 }, providers: [provider_entry(provider)] });
  const start = () => new Server({ dir, data: path.join(dir, 'data'), args: ['--config', file] }).up();
  let server = await start();
  cleanup(t, () => server.stop());
  const accepted = new Map();
  for (let round = 0; round < 8; ++round) {
    const sends = Array.from({ length: 25 }, async (_, i) => {
      const name = `r${round}n${i}`;
      const reply = await server.post('/v1/jobs', in_conversation(`kill ${name}`, `conv-${name}`),
        { 'idempotency-key': name }).catch(() => undefined);
      if (reply?.status === 202) accepted.set(name, reply.json.id);
    });
    await pause(5 + 11 * round);
    await server.kill();
    await Promise.all(sends);
    server = await start();
  }
  t.diagnostic(`${accepted.size} accepted in 8 lives`);
  for (const id of accepted.values()) await reaches(server, id, 'succeeded');
  for (const name of accepted.keys()) {
    const { json } = await server.get(`/v1/conversations/conv-${name}`);
    assert.equal(json.messages.length, 2, `conv-${name}`);
  }
});

test('with Redis jobs run the same, and its loss is told by /health/ready', { skip: missing(['redis-server']) }, async (t) => {
  const queue = await redis(t);
  const { server, provider } = await pair(t, { config: { jobs: QUICK, storage: { redis_url: queue.url } } });
  const id = await submit(server, in_conversation('over redis', 'conv-redis'));
  const events = new JobEvents(server, id);
  await events.heard('succeeded');
  assert.equal((await job_of(server, id)).state, 'succeeded');
  assert.equal((await server.get('/v1/conversations/conv-redis')).json.messages.length, 2);
  assert.equal(count(asked(provider), 'over redis'), 1);
  await queue.end();
  let ready;
  await server.until(async () => { ready = await server.get('/health/ready'); return ready.status === 503; }, 'not ready');
  assert.ok(ready.json.reasons.some((one) => one.part === 'jobs'), ready.text);
  const refused = await server.post('/v1/jobs', chat('nobody there'));
  assert.ok([503, 504].includes(refused.status), refused.text);
  assert.equal((await server.chat('answered without jobs')).status, 200);
});

test('an idle program leaves Redis alone, however often its loops ask', { skip: missing(['redis-server']) }, async (t) => {
  const queue = await redis(t);
  const often = { jobs: { ...QUICK, poll: '100ms' }, batches: { recheck: '1s' } };
  const { server } = await pair(t, { config: { ...often, storage: { redis_url: queue.url } } });
  const commands = async () => {
    const stats = await queue.ask('INFO', 'commandstats');
    return [...stats.matchAll(/cmdstat_(?:evalsha|xread|ping):calls=(\d+)/g)].reduce((sum, one) => sum + Number(one[1]), 0);
  };
  await reaches(server, await submit(server, chat('before the rest')), 'succeeded');
  await pause(3000);  // what followed the job
  const before = await commands();
  await pause(5000);
  const sent = await commands() - before;
  t.diagnostic(`${sent} commands in 5 s`);
  assert.ok(sent <= 15, `${sent} commands in 5 s`);  // two loops that asked each time would send 100
  await reaches(server, await submit(server, chat('after the rest')), 'succeeded');
});

test('mainstay jobs: submit, watch, list, show, retry, cancel', async (t) => {
  const { server, provider } = await pair(t, { config: { jobs: QUICK } });
  const tool = (...words) => run(['jobs', ...words, '--data', server.data]);
  const order = JSON.stringify(chat('from the shell').input);
  const watched = await tool('submit', 'chat', '--input', order, '--watch');
  assert.equal(watched.code, 0, watched.err);
  assert.match(watched.out, /You said: from the shell/);
  assert.match(watched.err, /succeeded/);
  const lines = await tool('submit', 'chat', '--input', JSON.stringify(chat('as lines').input), '--watch', '--json');
  const events = lines.out.trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(events.at(-1).event, 'succeeded');
  const planned = (await tool('submit', 'chat', '--input', order, '--delay', '3600', '--key', 'k1')).out.trim();
  assert.equal((await tool('submit', 'chat', '--input', order, '--delay', '3600', '--key', 'k1')).out.trim(), planned);
  const list = await tool('list');
  assert.match(list.out, new RegExp(`${planned} +scheduled`));
  assert.match(list.out, /1 unfinished/);
  const shown = JSON.parse((await tool('show', planned)).out);
  assert.equal(shown.input.messages[0].content, 'from the shell');
  const cancelled = await tool('cancel', planned);
  assert.equal(cancelled.code, 0, cancelled.err);
  assert.match(cancelled.out, /cancelled/);
  assert.equal((await tool('cancel', planned)).code, 1, 'it has ended');
  assert.equal((await tool('retry')).code, 2);
  provider.script({ match: { text: 'refused' }, replies: [{ status: 400, message: 'no' }], repeat: true });
  const dead = await tool('submit', 'chat', '--input', JSON.stringify(chat('refused').input), '--watch');
  assert.equal(dead.code, 1);
  assert.match(dead.err, /dead: /);
  provider.reset();
  const retried = await tool('retry', '--dead', '--json');
  assert.equal(retried.code, 0, retried.err);
  const [{ id }] = JSON.parse(retried.out);
  await reaches(server, id, 'succeeded');
  assert.equal((await tool('watch', id)).code, 0, 'one that has ended');
  const unknown = await tool('show', 'job_none');
  assert.equal(unknown.code, 1);
  assert.match(unknown.err, /no such job/);
  await server.stop();
  assert.equal((await tool('list')).code, 69);
});
