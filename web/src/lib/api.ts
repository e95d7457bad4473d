// Every request to the server goes through here: credentials, errors in words, waiting times.
// Two credentials are kept apart: the user's for /v1, the administrator's for /admin.
import { signal } from '@preact/signals';

/** An answer of the server that is not what was asked for, or no answer at all (status 0). */
export class ApiError extends Error {
  constructor(readonly status: number, readonly code: string, message: string,
              /** Moment (ms since 1970) from which trying again can help; 0: unknown. */
              readonly retryAt = 0, readonly requestId = '', readonly param = '') {
    super(message);
  }

  /** Trying the very same again may work: the connection, the server's capacity, a limit. */
  get passing(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status === 502 ||
      this.status === 503 || this.status === 504;
  }
}

export type Who = 'user' | 'admin';
const STORE = { user: 'mainstay.key', admin: 'mainstay.admin' } as const;
const stored = (who: Who) =>
  (typeof sessionStorage === 'undefined' ? '' : sessionStorage.getItem(STORE[who]) ?? '');

export const keys = { user: signal(stored('user')), admin: signal(stored('admin')) };

/** Keeps a key for this tab and its reloads. Empty: forgets it. */
export function keepKey(who: Who, key: string): void {
  if (key) sessionStorage.setItem(STORE[who], key);
  else sessionStorage.removeItem(STORE[who]);
  keys[who].value = key;
}

/** True while the server cannot be reached. */
export const offline = signal(false);
/** Set when the server asks a user for a key: its sentence. */
export const signInWanted = signal('');

/** The administrator's key is for /admin alone; a user's key with the right may go there, too. */
export function authorization(path: string, as?: Who): Record<string, string> {
  const admin = as ? as === 'admin' : path.startsWith('/admin');
  const key = admin ? keys.admin.value || (as ? '' : keys.user.value) : keys.user.value;
  return key ? { authorization: `Bearer ${key}` } : {};
}

export interface Ask {
  method?: string;
  /** Sent as JSON unless it is a form or a blob. */
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Whose key, where the path does not say it. */
  as?: Who;
}

/** The raw answer, also when it is an error's. Throws ApiError(0) when there is none. */
export async function request(path: string, ask: Ask = {}): Promise<Response> {
  const raw = ask.body instanceof FormData || ask.body instanceof Blob ||
    ask.body instanceof ArrayBuffer;
  const init: RequestInit = {
    method: ask.method ?? (ask.body === undefined ? 'GET' : 'POST'),
    headers: { ...authorization(path, ask.as), ...ask.headers,
               ...(ask.body === undefined || raw ? {} : { 'content-type': 'application/json' }) },
    // 'no-store' would ask the server for a new answer, too, in place of one it has kept.
    signal: ask.signal, cache: ask.body === undefined ? 'no-store' : 'default',
    credentials: 'omit', redirect: 'error',
  };
  if (ask.body !== undefined) init.body = raw ? ask.body as BodyInit : JSON.stringify(ask.body);
  try {
    const response = await fetch(path, init);
    offline.value = false;
    return response;
  } catch (error) {
    if (ask.signal?.aborted) throw error;
    offline.value = true;
    throw new ApiError(0, 'no_connection', 'The server cannot be reached. It may be restarting.');
  }
}

/** When to try again, from the answer's headers. */
export function retryAt(headers: Headers, now: number): number {
  const ms = Number(headers.get('retry-after-ms') ?? NaN);
  if (Number.isFinite(ms)) return now + ms;
  const s = Number(headers.get('retry-after') ?? NaN);
  return Number.isFinite(s) ? now + s * 1000 : 0;
}

/** The error object of the API, as it stands in a body or in a stream. */
export function errorOf(status: number, body: unknown, at = 0, requestId = ''): ApiError {
  const error = (body as { error?: Record<string, unknown> } | null)?.error;
  const text = (name: string, other: string) =>
    (typeof error?.[name] === 'string' ? error[name] as string : other);
  return new ApiError(status, text('code', `status_${status}`),
    text('message', `The server answered with status ${status}.`), at, requestId, text('param', ''));
}

export async function failure(response: Response): Promise<ApiError> {
  let body: unknown = null;
  try {
    body = await response.json();
  } catch { /* not JSON: the status has to do */ }
  return errorOf(response.status, body, retryAt(response.headers, Date.now()),
                 response.headers.get('x-request-id') ?? '');
}

/** The answer's JSON. Throws ApiError. */
export async function call<T = any>(path: string, ask: Ask = {}): Promise<T> {
  const response = await request(path, ask);
  if (!response.ok) {
    const error = await failure(response);
    if (error.status === 401 && !path.startsWith('/admin') && !ask.as) signInWanted.value = error.message;
    throw error;
  }
  try {
    return await response.json() as T;
  } catch {
    throw new ApiError(0, 'cut_answer', 'The answer broke off. Try again.');
  }
}

/** Pages through a list whose `after` is the last id seen, until `most` are there; `more`: it goes on. */
export async function callAll<T extends { id: string }>(path: string, most: number): Promise<{ data: T[]; more: boolean }> {
  const out: T[] = [];
  const joint = path.includes('?') ? '&' : '?';
  for (let after = ''; out.length < most;) {
    const page = await call<{ data: T[]; has_more?: boolean }>(
      `${path}${joint}limit=100${after ? `&after=${encodeURIComponent(after)}` : ''}`);
    out.push(...page.data);
    if (!page.has_more || page.data.length === 0) return { data: out, more: false };
    after = page.data[page.data.length - 1]!.id;
  }
  return { data: out, more: true };
}

export function asError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(0, 'page_error', error instanceof Error ? error.message : String(error));
}

/** An id that is safe in a header: 128 random bits. */
export function freshId(): string {
  const bits = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bits, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export const pause = (ms: number, by?: AbortSignal) => new Promise<void>((done) => {
  const timer = setTimeout(done, ms);
  by?.addEventListener('abort', () => { clearTimeout(timer); done(); }, { once: true });
});
