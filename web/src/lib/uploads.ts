// Documents on their way to the server: each is sent (resumable when it is large), then read there by
// a job whose events tell how far it is. A bounded list that outlives the page that shows it.
import { signal } from '@preact/signals';
import { ApiError, asError, authorization, call, errorOf, failure, freshId, offline, pause, request,
         retryAt } from './api';
import { plural } from './format';
import { readEvents } from './sse';

export type Stage = 'waiting' | 'sending' | 'reading' | 'ready' | 'failed' | 'cancelled';

export interface Upload {
  id: string;
  name: string;
  size: number;
  collection: string;
  stage: Stage;
  /** Share of the stage that is done, 0 to 1. */
  done: number;
  /** What there is to say: passages so far, "known already". */
  says: string;
  error: ApiError | null;
  document: string;
}

interface Work { file: File; by: AbortController; job: string }

const AT_ONCE = 2;
const KEEP = 200;
/** Above this a file goes in pieces that survive a lost connection. */
const WHOLE_MAX = 8 * 1024 * 1024;
const PIECE = 4 * 1024 * 1024;

export const uploads = signal<Upload[]>([]);
/** Counts up when a document became ready. */
export const arrived = signal(0);
const works = new Map<string, Work>();

function change(id: string, with_: Partial<Upload>): void {
  uploads.value = uploads.value.map((one) => (one.id === id ? { ...one, ...with_ } : one));
}

export function addFiles(files: Iterable<File>, collection: string): string[] {
  const ids: string[] = [];
  const fresh: Upload[] = [];
  for (const file of files) {
    const id = freshId();
    ids.push(id);
    works.set(id, { file, by: new AbortController(), job: '' });
    fresh.push({ id, name: file.name, size: file.size, collection, stage: 'waiting', done: 0, says: '',
                 error: null, document: '' });
  }
  uploads.value = [...fresh, ...uploads.value].slice(0, KEEP);
  pump();
  return ids;
}

export function cancel(id: string): void {
  const work = works.get(id);
  work?.by.abort();
  if (work?.job) call(`/v1/jobs/${work.job}/cancel`, { method: 'POST', body: {} }).catch(() => {});
  change(id, { stage: 'cancelled', says: '' });
}

export function again(id: string): void {
  const work = works.get(id);
  if (!work) return;
  work.by = new AbortController();
  change(id, { stage: 'waiting', error: null, done: 0 });
  pump();
}

export function clearEnded(): void {
  uploads.value = uploads.value.filter((one) => {
    const runs = one.stage === 'waiting' || one.stage === 'sending' || one.stage === 'reading';
    if (!runs) works.delete(one.id);
    return runs;
  });
}

/** Another user: nothing of the one before stays or goes on. */
export function forget(): void {
  for (const work of works.values()) work.by.abort();
  works.clear();
  uploads.value = [];
}

/** Resolves when all of them have ended; true when every one is ready. */
export async function settled(ids: string[]): Promise<boolean> {
  for (;;) {
    const left = uploads.value.filter((one) => ids.includes(one.id));
    if (left.every((one) => one.stage === 'ready')) return true;
    if (left.every((one) => one.stage === 'ready' || one.stage === 'failed' || one.stage === 'cancelled')) return false;
    await pause(200);
  }
}

function pump(): void {
  const sending = uploads.value.filter((one) => one.stage === 'sending').length;
  const next = uploads.value.filter((one) => one.stage === 'waiting').reverse();
  for (const one of next.slice(0, Math.max(0, AT_ONCE - sending))) void carry(one);
}

async function carry(one: Upload): Promise<void> {
  const work = works.get(one.id)!;
  change(one.id, { stage: 'sending', done: 0 });
  try {
    const accepted = one.size > WHOLE_MAX ? await sendPieces(one, work) : await sendWhole(one, work);
    work.job = accepted.job ?? '';
    change(one.id, { stage: 'reading', done: 0, document: accepted.id });
    pump();
    if (work.job) await follow(one.id, work);
    change(one.id, { stage: 'ready', done: 1, says: accepted.existed ? 'was there already' : said(one.id) });
    arrived.value += 1;
    works.delete(one.id);
  } catch (error) {
    if (!work.by.signal.aborted) change(one.id, { stage: 'failed', error: asError(error) });
  }
  pump();
}

const said = (id: string) => uploads.value.find((one) => one.id === id)?.says ?? '';

interface Accepted { id: string; job?: string; existed?: boolean }

/** One form; XMLHttpRequest, because fetch does not tell how far the sending is. */
function sendWhole(one: Upload, work: Work): Promise<Accepted> {
  const form = new FormData();
  if (one.collection) form.append('collection', one.collection);
  form.append('file', work.file, one.name);
  return new Promise((resolve, reject) => {
    const ask = new XMLHttpRequest();
    ask.open('POST', '/v1/documents');
    for (const [name, value] of Object.entries(authorization('/v1/documents'))) ask.setRequestHeader(name, value);
    ask.upload.onprogress = (event) => { if (event.total) change(one.id, { done: event.loaded / event.total }); };
    ask.onload = () => {
      offline.value = false;
      let body: any = null;
      try { body = JSON.parse(ask.responseText); } catch { /* the status has to do */ }
      if (ask.status < 300 && body) return resolve(body);
      const headers = new Headers();
      for (const name of ['retry-after', 'retry-after-ms']) {
        const value = ask.getResponseHeader(name);
        if (value) headers.set(name, value);
      }
      reject(errorOf(ask.status, body, retryAt(headers, Date.now()), ask.getResponseHeader('x-request-id') ?? ''));
    };
    ask.onerror = () => reject(new ApiError(0, 'no_connection', 'The connection was lost while the file was sent.'));
    work.by.signal.addEventListener('abort', () => ask.abort(), { once: true });
    ask.onabort = () => reject(new ApiError(0, 'stopped', 'Stopped.'));
    ask.send(form);
  });
}

/** In pieces: what the server has is never sent again, also not after a lost connection. */
async function sendPieces(one: Upload, work: Work): Promise<Accepted> {
  const file = await sendResumable(work, (share) => change(one.id, { done: share }));
  const body: Record<string, string> = { file_id: file, source: one.name };
  if (one.collection) body['collection'] = one.collection;
  return call<Accepted>('/v1/documents', { body, signal: work.by.signal });
}

async function sendResumable(work: Work, tell: (share: number) => void): Promise<string> {
  const { file } = work;
  const by = work.by.signal;
  const half = await begun(file, by);
  while (half.parts.length * PIECE < file.size) {
    const from = half.parts.length * PIECE;
    tell(from / file.size);
    half.parts.push(await sendPart(half.upload, file.slice(from, from + PIECE), by));
    remember(file, half);
  }
  tell(1);
  const path = `/v1/uploads/${half.upload}/complete`;
  const ended = await patiently(by, () =>
    call<{ file: { id: string } }>(path, { body: { part_ids: half.parts }, signal: by,
                                           headers: { 'idempotency-key': `${half.upload}-complete` } }));
  remember(file, null);
  return ended.file.id;
}

/** What of a file is on the server: parts of PIECE bytes, in order. */
interface Half { upload: string; parts: string[] }
const halfOf = (file: File) => `mainstay.upload.${file.size}.${file.lastModified}.${file.name}`;

function remember(file: File, half: Half | null): void {
  try {
    if (half) localStorage.setItem(halfOf(file), JSON.stringify(half));
    else localStorage.removeItem(halfOf(file));
  } catch { /* full: a reload begins anew */ }
}

/** The upload of this very file that was begun before, also before a reload; else a new one. */
async function begun(file: File, by: AbortSignal): Promise<Half> {
  const old = localStorage.getItem(halfOf(file));
  if (old) {
    try {
      const half = JSON.parse(old) as Half;
      const found = await call<{ status: string }>(`/v1/uploads/${half.upload}`, { signal: by });
      if (found.status === 'pending') return half;
    } catch (error) {
      if (asError(error).passing) throw error;
    }
  }
  const made = await patiently(by, () => call<{ id: string }>('/v1/uploads', { signal: by, body: {
    filename: file.name, bytes: file.size, mime_type: file.type || 'application/octet-stream',
    purpose: 'ingest' } }));
  const half = { upload: made.id, parts: [] };
  remember(file, half);
  return half;
}

async function sendPart(upload: string, piece: Blob, by: AbortSignal): Promise<string> {
  return patiently(by, async () => {
    const form = new FormData();
    form.append('data', piece, 'part');
    const part = await call<{ id: string }>(`/v1/uploads/${upload}/parts`, { body: form, signal: by });
    return part.id;
  });
}

/** Tries again while the connection or the server's capacity is what fails. */
async function patiently<T>(by: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await work();
    } catch (thrown) {
      const error = asError(thrown);
      if (by.aborted || !error.passing || tries >= 10) throw error;
      await pause(Math.max(error.retryAt - Date.now(), Math.min(500 * 2 ** tries, 8000)), by);
    }
  }
}

/** Follows the job that reads the document to its end, across lost connections. */
async function follow(id: string, work: Work): Promise<void> {
  let last = '';
  for (let tries = 0; ; tries += 1) {
    let outcome: 'open' | 'ready' | ApiError = 'open';
    try {
      const response = await request(`/v1/jobs/${work.job}/events`, { signal: work.by.signal,
        headers: last ? { 'last-event-id': last } : {} });
      if (response.status === 204) outcome = await endOf(work.job);
      else if (!response.ok) throw await failure(response);
      else {
        await readEvents(response, (event, parser) => {
          last = parser.lastId;
          tries = 0;
          outcome = told(id, event.event, JSON.parse(event.data)) ?? outcome;
        });
        if (outcome === 'open') outcome = await endOf(work.job);
      }
    } catch (thrown) {
      const error = asError(thrown);
      if (work.by.signal.aborted || !error.passing && error.code !== 'page_error' || tries > 20) throw error;
    }
    if (outcome === 'ready') return;
    if (outcome instanceof ApiError) throw outcome;
    await pause(Math.min(300 * 2 ** tries, 5000), work.by.signal);
    if (work.by.signal.aborted) throw new ApiError(0, 'stopped', 'Stopped.');
  }
}

function told(id: string, event: string, data: any): 'ready' | ApiError | null {
  if (event === 'progress') {
    change(id, { done: data.bytes_total ? data.bytes / data.bytes_total : 0,
                 says: data.chunks ? plural(data.chunks, 'passage') : '' });
  }
  if (event === 'attempt_failed') change(id, { says: 'Failed once; it will be tried again.' });
  if (event === 'succeeded') {
    const chunks = data.result?.chunks;
    if (chunks) change(id, { says: plural(chunks, 'passage') });
    return 'ready';
  }
  if (event === 'dead' || event === 'cancelled' || event === 'expired') {
    return errorOf(422, { error: data.error ?? { message: 'The document was not read: its job ended early.' } });
  }
  return null;
}

async function endOf(job: string): Promise<'open' | 'ready' | ApiError> {
  const found = await call<{ state: string; error: unknown; result: any }>(`/v1/jobs/${job}`);
  if (found.state === 'succeeded') return 'ready';
  if (['dead', 'cancelled', 'expired'].includes(found.state)) return told('', found.state, found) as ApiError;
  return 'open';
}
