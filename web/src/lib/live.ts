// What the server measures, in the page: history once, then one stream of samples while the page is
// visible and somebody looks. Columns are bounded: an hour of seconds, a day of minutes.
import { batch, signal } from '@preact/signals';
import { ApiError, asError, call, failure, pause, request } from './api';
import { readEvents } from './sse';
import type { Alert, Provider } from './types';

export type Column = (number | null)[];

/** Samples of one step width: a column for each series, all as long as `times`. */
export class Columns {
  times: number[] = [];
  series = new Map<string, Column>();

  constructor(readonly step: number, readonly most: number) {}

  get last(): number { return this.times[this.times.length - 1] ?? 0; }

  add(at: number, values: Record<string, number | null>): void {
    if (at <= this.last) return;
    const before = this.times.length;
    this.times.push(at);
    for (const [name, value] of Object.entries(values)) this.column(name, before).push(value);
    for (const column of this.series.values()) if (column.length <= before) column.push(null);
    this.trim();
  }

  addBlock(times: number[], series: Record<string, Column>): void {
    const from = times.findIndex((at) => at > this.last);
    if (from < 0) return;
    const before = this.times.length;
    for (let i = from; i < times.length; i += 1) this.times.push(times[i]!);
    for (const [name, values] of Object.entries(series)) {
      const column = this.column(name, before);
      for (let i = from; i < times.length; i += 1) column.push(values[i] ?? null);
    }
    for (const column of this.series.values()) {
      while (column.length < this.times.length) column.push(null);
    }
    this.trim();
  }

  /** The index of the first sample within `seconds` before the last one. */
  from(seconds: number): number { return this.at(this.last - seconds); }

  /** The index of the first sample at or after a moment. */
  at(since: number): number {
    let low = 0;
    let high = this.times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle]! < since) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  value(name: string): number | null {
    const column = this.series.get(name);
    return column?.[column.length - 1] ?? null;
  }

  names(prefix: string): string[] {
    return [...this.series.keys()].filter((name) => name.startsWith(prefix)).sort();
  }

  private column(name: string, length: number): Column {
    let column = this.series.get(name);
    if (!column) {
      column = new Array<number | null>(length).fill(null);
      this.series.set(name, column);
    }
    return column;
  }

  private trim(): void {
    const over = this.times.length - this.most;
    if (over <= 0) return;
    // A tenth at once, so that a long look costs no copy each second.
    const cut = Math.min(this.times.length - 1, over + Math.floor(this.most / 10));
    this.times.splice(0, cut);
    for (const column of this.series.values()) column.splice(0, cut);
  }
}

export interface State {
  ready: boolean;
  reasons: { part: string; why: string }[];
  providers: Provider[];
  alerts: Alert[];
  shedding: string[];
  permit_factor: number;
  levels: Record<string, string>;
  pools: Record<string, { used: number; max: number }>;
  maintenance: boolean;
  heat: { zone?: string; type?: string; celsius?: number; trip_celsius?: number | null }[];
  gpus: { index: number; memory_total_bytes: number; memory_used_bytes: number; load: number | null;
          celsius: number | null }[];
  hosts: { name: string; state: string; [more: string]: unknown }[];
  config_version: number;
  started_at: number;
}

export const secondly = new Columns(1, 3600);
export const minutely = new Columns(60, 1440);
export const state = signal<State | null>(null);
/** Counts up with each new sample: what draws reads it. */
export const beat = signal(0);
export const feed = signal<{ open: boolean; error: ApiError | null }>({ open: false, error: null });

let watchers = 0;
let running: AbortController | null = null;

/** Keeps the stream open until the returned function is called; many may watch, one stream serves. */
export function watch(): () => void {
  watchers += 1;
  update();
  return () => {
    watchers -= 1;
    update();
  };
}

function update(): void {
  const wanted = watchers > 0 && !document.hidden;
  if (wanted && !running) {
    running = new AbortController();
    void follow(running.signal);
  } else if (!wanted && running) {
    running.abort();
    running = null;
    feed.value = { open: false, error: null };
  }
}

if (typeof document !== 'undefined') document.addEventListener('visibilitychange', update);

/** Forgets what was measured: another server, another administrator. */
export function reset(): void {
  for (const one of [secondly, minutely]) {
    one.times = [];
    one.series.clear();
  }
  batch(() => { state.value = null; beat.value += 1; });
}

async function follow(by: AbortSignal): Promise<void> {
  for (let tries = 0; !by.aborted; tries += 1) {
    let wait = Math.min(500 * 2 ** tries, 8000);
    try {
      await Promise.all([catchUp(secondly, '1s', by), catchUp(minutely, '1m', by)]);
      const response = await request(`/admin/live?since=${secondly.last}`, { signal: by });
      if (!response.ok) throw await failure(response);
      feed.value = { open: true, error: null };
      await readEvents(response, (event) => {
        tries = 0;
        take(event.event, event.data);
      });
      wait = 1000;
    } catch (thrown) {
      if (by.aborted) return;
      const error = asError(thrown);
      feed.value = { open: false, error };
      if (!error.passing && error.code !== 'page_error') return;
      wait = Math.max(wait, error.retryAt - Date.now());
    }
    await pause(wait, by);
  }
}

interface Sample { at: number; values: Record<string, number | null> }

function take(event: string, data: string): void {
  if (event === 'state') {
    state.value = JSON.parse(data) as State;
  } else if (event === 'sample') {
    const sample = JSON.parse(data) as Sample;
    secondly.add(sample.at, sample.values);
    if (sample.at - minutely.last >= 120) void catchUp(minutely, '1m', new AbortController().signal).catch(() => {});
    beat.value += 1;
  }
}

let asking = new Set<Columns>();

/** Loads what is not here yet. */
async function catchUp(columns: Columns, step: string, by: AbortSignal): Promise<void> {
  if (asking.has(columns)) return;
  asking.add(columns);
  try {
    for (let more = true; more && !by.aborted;) {
      const got = await call<{ times: number[]; series: Record<string, Column>; has_more: boolean }>(
        `/admin/history?step=${step}${columns.last ? `&since=${columns.last}` : ''}`, { signal: by });
      columns.addBlock(got.times, got.series);
      more = got.has_more && got.times.length > 0;
    }
    beat.value += 1;
  } finally {
    asking.delete(columns);
  }
}
