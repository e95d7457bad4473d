// One conversation on the screen and the answer that is under way. It lives beside the page, so that
// an answer goes on while another page is shown; what was asked is kept in the tab's storage until
// the answer is whole, so that a reload or a restart of the server resumes it: the same request is
// sent again with the same Idempotency-Key and is carried out once.
import { batch, signal } from '@preact/signals';
import { ApiError, asError, call, errorOf, failure, freshId, pause, request, signInWanted } from './api';
import { readEvents } from './sse';
import type { Citation, Conversation, StoredMessage } from './types';

export interface Turn {
  id: string;
  role: string;
  text: string;
  pictures: string[];
  citations: Citation[];
  note: string;
  at: number;
}

interface Pending {
  key: string;
  conversation: string;
  text: string;
  started: number;
  body: Record<string, unknown>;
}

const STORE = 'mainstay.pending';
const TRY_FOR_MS = 180_000;

export const conversation = signal('');
export const title = signal('');
export const turns = signal<Turn[]>([]);
export const loading = signal(false);
export const problem = signal<ApiError | null>(null);
/** The answer under way: null when there is none. */
export const answer = signal<{ text: string; thought: string; state: 'waiting' | 'writing' | 'lost' } | null>(null);
/** Counts up when the list of conversations is out of date. */
export const changed = signal(0);

let pending: Pending | null = null;
let running: AbortController | null = null;
let shown = 0;

function keep(one: Pending | null): void {
  pending = one;
  try {
    if (one) sessionStorage.setItem(STORE, JSON.stringify(one));
    else sessionStorage.removeItem(STORE);
  } catch { /* too large to keep: a reload will not resume it */ }
}

function kept(): Pending | null {
  try {
    return JSON.parse(sessionStorage.getItem(STORE) ?? 'null') as Pending | null;
  } catch {
    return null;
  }
}

export function textOf(content: unknown): { text: string; pictures: string[] } {
  if (typeof content === 'string') return { text: content, pictures: [] };
  const out = { text: '', pictures: [] as string[] };
  for (const part of Array.isArray(content) ? content : []) {
    if (part?.type === 'text') out.text += (out.text ? '\n' : '') + String(part.text ?? '');
    const url = part?.image_url?.url ?? part?.image_url;
    if (typeof url === 'string' && url.startsWith('data:image/')) out.pictures.push(url);
  }
  return out;
}

function turnOf(message: StoredMessage): Turn {
  return { id: message.id, role: message.role, ...textOf(message.content), citations: message.citations ?? [],
           note: '', at: message.created_at };
}

/** Shows a conversation; '' is a new one. What runs in another one goes on to its end there. */
export async function open(id: string): Promise<void> {
  if (id === conversation.value && (turns.value.length || id === '')) return resume(id);
  leave();
  const mine = (shown += 1);
  batch(() => {
    conversation.value = id;
    title.value = '';
    turns.value = [];
    problem.value = null;
    loading.value = id !== '';
  });
  if (!id) return;
  const waiting = kept();
  try {
    const found = await load(id);
    if (mine !== shown) return;
    batch(() => {
      title.value = found.title;
      turns.value = (found.messages ?? []).filter((one) => one.role === 'user' || one.role === 'assistant')
        .map(turnOf).filter((one) => one.text || one.pictures.length);
    });
  } catch (error) {
    if (mine !== shown) return;
    // The first turn of a conversation is stored with its answer: until then it is not there.
    if (!(asError(error).status === 404 && waiting?.conversation === id)) problem.value = asError(error);
  }
  loading.value = false;
  resume(id);
}

async function load(id: string): Promise<Conversation> {
  const found = await call<Conversation>(`/v1/conversations/${encodeURIComponent(id)}`);
  const all = found.messages ?? [];
  for (let more = found.has_more; more && all.length < 2000;) {
    const next = await call<Conversation>(`/v1/conversations/${encodeURIComponent(id)}?after=` +
      encodeURIComponent(all[all.length - 1]!.id));
    all.push(...next.messages ?? []);
    more = next.has_more && (next.messages ?? []).length > 0;
  }
  return { ...found, messages: all };
}

/** Leaves the answer under way alone: it ends on the server and is stored there. */
function leave(): void {
  running?.abort('left');
  running = null;
  pending = null;
  answer.value = null;
}

/** Another user: nothing of the one before stays. */
export function forget(): void {
  leave();
  keep(null);
  shown += 1;
  batch(() => { conversation.value = title.value = ''; turns.value = []; problem.value = null; changed.value += 1; });
}

function resume(id: string): void {
  const waiting = kept();
  if (!waiting || waiting.conversation !== id || running) return;
  const list = turns.value;
  const last = list[list.length - 1];
  const asked = last?.role === 'assistant' ? list[list.length - 2] : last;
  const there = asked?.role === 'user' && asked.text === waiting.text &&
    asked.at * 1000 >= waiting.started - 5000;
  if (there && last?.role === 'assistant') return keep(null);
  if (!there) add({ role: 'user', text: waiting.text });
  void run(waiting);
}

function add(turn: Partial<Turn> & { role: string; text: string }): void {
  turns.value = [...turns.value, { id: freshId(), pictures: [], citations: [], note: '',
                                   at: Date.now() / 1000, ...turn }];
}

export interface Wanted { text: string; pictures: string[]; model: string; collection: string }

/** Asks. Returns the conversation's id, which is new for a new one. */
export function ask(wanted: Wanted): string {
  const id = conversation.value || `conv_${freshId()}`;
  const content = wanted.pictures.length === 0 ? wanted.text :
    [{ type: 'text', text: wanted.text },
     ...wanted.pictures.map((url) => ({ type: 'image_url', image_url: { url } }))];
  const body: Record<string, unknown> = {
    model: wanted.model || 'auto', stream: true, conversation: id, messages: [{ role: 'user', content }] };
  if (wanted.collection) body['collection'] = wanted.collection;
  batch(() => {
    conversation.value = id;
    problem.value = null;
    add({ role: 'user', text: wanted.text, pictures: wanted.pictures });
  });
  void run({ key: freshId(), conversation: id, text: wanted.text, started: Date.now(), body });
  return id;
}

/** Sends what failed again: nothing is carried out twice. */
export function tryAgain(): void {
  const waiting = pending ?? kept();
  problem.value = null;
  if (waiting && !running) void run(waiting);
}

/** Ends the answer under way, here and at the server, which stores what it has of it. */
export function stop(): void {
  const ended = pending;
  running?.abort('stopped');
  running = null;
  keep(null);
  const so = answer.value;
  batch(() => {
    answer.value = null;
    if (so?.text) add({ role: 'assistant', text: so.text, note: 'Stopped.' });
    changed.value += 1;
  });
  if (ended) void end(ended.key);
}

async function end(key: string): Promise<void> {
  for (let tries = 0; tries < 5; tries += 1) {
    try {
      await call('/v1/chat/completions/cancel', { body: { idempotency_key: key } });
    } catch (error) {
      // Unknown: it has ended already, or will not begin.
      if (asError(error).passing) {
        await pause(1000);
        continue;
      }
    }
    changed.value += 1;
    return;
  }
}

async function run(one: Pending): Promise<void> {
  const mine = new AbortController();
  running = mine;
  keep(one);
  answer.value = { text: '', thought: '', state: 'waiting' };
  const until = Date.now() + TRY_FOR_MS;
  for (let tries = 0; ; tries += 1) {
    let error: ApiError;
    try {
      const got = await attempt(one, mine.signal);
      if (running === mine) finish(got);
      return;
    } catch (thrown) {
      if (mine.signal.aborted || running !== mine) return;
      error = asError(thrown);
    }
    if (!worthAnotherTry(error, tries) || Date.now() > until) return fail(error);
    answer.value = { ...answer.value!, state: 'lost' };
    await pause(Math.min(500 * 2 ** tries, 4000), mine.signal);
    if (mine.signal.aborted) return;
  }
}

/** Lost connections and restarts are waited out; limits are the user's to see, with their countdown. */
function worthAnotherTry(error: ApiError, tries: number): boolean {
  if (error.status === 0) return true;
  if (error.code === 'stopping' || error.code === 'cancelled') return true;
  return error.code === 'broken_answer' && tries < 4;
}

function fail(error: ApiError): void {
  running = null;
  if (error.status === 401) signInWanted.value = error.message;
  // What cannot be sent again as it is is forgotten; the text is still on the screen.
  if (!error.passing) keep(null);
  batch(() => {
    const so = answer.value;
    answer.value = null;
    if (so?.text) add({ role: 'assistant', text: so.text, note: 'This answer broke off.' });
    problem.value = error;
  });
}

interface Got { text: string; thought: string; citations: Citation[]; model: string; degraded: boolean; finish: string }

function finish(got: Got): void {
  running = null;
  keep(null);
  const notes: string[] = [];
  if (got.degraded) notes.push('No model was up: the built-in answerer stood in.');
  if (got.finish === 'length') notes.push('Cut at the length limit.');
  batch(() => {
    answer.value = null;
    title.value ||= turns.value[0]?.text.slice(0, 60) ?? '';
    add({ role: 'assistant', text: got.text, citations: got.citations, note: notes.join(' ') });
    changed.value += 1;
  });
}

async function attempt(one: Pending, by: AbortSignal): Promise<Got> {
  const response = await request('/v1/chat/completions',
    { body: one.body, headers: { 'idempotency-key': one.key }, signal: by });
  if (!response.ok) throw await failure(response);
  const got: Got = { text: '', thought: '', citations: [], model: '', degraded: false, finish: '' };
  let whole = false;
  try {
    await readEvents(response, (event) => {
      if (event.data === '[DONE]') whole = true;
      else if (!whole) take(got, JSON.parse(event.data), by);
    });
  } catch (error) {
    if (error instanceof ApiError || by.aborted) throw error;
    throw new ApiError(0, 'no_connection', 'The connection was lost while the answer came.');
  }
  if (!whole) throw new ApiError(0, 'cut_stream', 'The answer broke off.');
  return got;
}

function take(got: Got, chunk: any, by: AbortSignal): void {
  if (chunk.error) {
    const error = errorOf(200, chunk);
    throw error.code === 'stopping' || error.code === 'cancelled' ? error :
      new ApiError(502, 'broken_answer', error.message);
  }
  const delta = chunk.choices?.[0]?.delta ?? {};
  got.text += typeof delta.content === 'string' ? delta.content : '';
  got.thought += delta.reasoning_content ?? delta.reasoning ?? '';
  got.finish = chunk.choices?.[0]?.finish_reason ?? got.finish;
  got.model = chunk.model ?? got.model;
  got.degraded ||= chunk.degraded === true;
  if (Array.isArray(chunk.citations)) got.citations = chunk.citations;
  const so = answer.value;
  if (!so || by.aborted) return;
  // A resumed answer comes again from its start: what is shown never becomes shorter.
  const longer = got.text.length > so.text.length || got.thought.length > so.thought.length;
  if (longer) {
    answer.value = { text: got.text.length > so.text.length ? got.text : so.text,
                     thought: got.thought.length > so.thought.length ? got.thought : so.thought,
                     state: 'writing' };
  } else if (so.state === 'lost' && so.text) {
    answer.value = { ...so, state: 'writing' };
  }
}

/** The conversation as Markdown, for a file. */
export function asMarkdown(of: Conversation): string {
  const parts = [`# ${of.title || 'Conversation'}`];
  for (const message of of.messages ?? []) {
    const { text } = textOf(message.content);
    if (!text || (message.role !== 'user' && message.role !== 'assistant')) continue;
    parts.push(`## ${message.role === 'user' ? 'Question' : 'Answer'}`, text);
    const sources = (message.citations ?? []).map((one, i) => `${i + 1}. ${one.title || one.source || one.document}`);
    if (sources.length) parts.push('Sources:', sources.join('\n'));
  }
  return `${parts.join('\n\n')}\n`;
}

export { load as loadConversation };
