// The parts all pages are made of: icons, notes, chips, dialogs, loading, words for assistive
// technology. No page-specific knowledge here.
import type { ComponentChildren, VNode } from 'preact';
import { signal, type Signal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { asError, type ApiError } from '../lib/api';
import { seconds } from '../lib/format';

/** Unix seconds, one tick a second while the page is visible. */
export const now = signal(Date.now() / 1000);
if (typeof window !== 'undefined') {
  setInterval(() => { if (!document.hidden) now.value = Date.now() / 1000; }, 1000);
}

const ICONS: Record<string, string> = {
  chat: 'M4 5h16v11H9l-5 4z',
  voice: 'M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM6 11a6 6 0 0 0 12 0M12 17v4',
  knowledge: 'M5 4h10l4 4v12H5zM9 12h6M9 16h6',
  jobs: 'M4 6h16M4 12h16M4 18h10',
  dashboard: 'M4 19V10M10 19V5M16 19v-7M21 19H3',
  operate: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4',
  send: 'M12 19V5M6 11l6-6 6 6',
  stop: 'M7 7h10v10H7z',
  plus: 'M12 5v14M5 12h14',
  close: 'M6 6l12 12M18 6L6 18',
  attach: 'M20 11l-8 8a5 5 0 0 1-7-7l8-8a3.3 3.3 0 0 1 5 5l-8 8a1.7 1.7 0 0 1-2-2l7-7',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  edit: 'M4 20l1-4L16 5l3 3L8 19z',
  down: 'M12 5v14M6 13l6 6 6-6',
  menu: 'M4 7h16M4 12h16M4 17h16',
  sun: 'M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1 1M18 18l1 1M5 19l1-1M18 6l1-1',
  moon: 'M20 14A8 8 0 1 1 10 4a6.5 6.5 0 0 0 10 10z',
  user: 'M12 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM4 21c1-5 4-6 8-6s7 1 8 6',
  again: 'M20 5v5h-5M19.5 10A8 8 0 1 0 20 14',
};

export function Icon({ name }: { name: string }): VNode {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d={ICONS[name]} /></svg>
  );
}

export function IconButton(props: { icon: string; label: string; onClick: () => void; class?: string;
                                    disabled?: boolean }): VNode {
  return (
    <button type="button" class={`quiet icon-only ${props.class ?? ''}`} aria-label={props.label}
            title={props.label} onClick={props.onClick} disabled={props.disabled}>
      <Icon name={props.icon} />
    </button>
  );
}

// -- words for those who listen, and for all ------------------------------------------------------

const polite = signal('');
const toasts = signal<{ id: number; text: string }[]>([]);
let toastId = 0;

/** Read out by screen readers without taking the focus. */
export function announce(text: string): void {
  polite.value = polite.value === text ? `${text} ` : text;
}

export function toast(text: string): void {
  const id = (toastId += 1);
  toasts.value = [...toasts.value.slice(-2), { id, text }];
  announce(text);
  setTimeout(() => { toasts.value = toasts.value.filter((one) => one.id !== id); }, 5000);
}

export function Announcer(): VNode {
  return (
    <>
      <div class="unseen" role="status" aria-live="polite">{polite}</div>
      <div class="toasts" aria-hidden="true">{toasts.value.map((one) => <div key={one.id}>{one.text}</div>)}</div>
    </>
  );
}

export async function copyText(text: string, done: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(done);
  } catch {
    toast('The browser does not let this page copy. Select the text and copy it.');
  }
}

export function save(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// -- errors, empty places, states -----------------------------------------------------------------

/** An error in words; counts down when the server said how long to wait. */
export function ErrorNote({ error, again, label = 'Try again' }:
    { error: ApiError | null; again?: () => void; label?: string }): VNode | null {
  if (!error) return null;
  const left = error.retryAt ? Math.ceil(error.retryAt / 1000 - now.value) : 0;
  return (
    <div class="note bad" role="alert" data-code={error.code}>
      <p>{error.message}</p>
      <div class="row">
        {left > 0 ? <span class="num">Try again in {seconds(left)}.</span> : null}
        {again ? <button type="button" disabled={left > 0} onClick={again}>{label}</button> : null}
        {error.requestId ? <span class="faint">Request {error.requestId}</span> : null}
      </div>
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }): VNode {
  return <div class="empty"><h2>{title}</h2>{children}</div>;
}

export type Tone = 'ok' | 'warn' | 'bad' | 'busy' | 'plain';
export function Chip({ tone, children }: { tone: Tone; children: ComponentChildren }): VNode {
  return <span class={`chip ${tone}`}>{children}</span>;
}

/** A share between 0 and 1 as a bar, with its words. */
export function Meter({ value, label, text, tone = 'plain' }:
    { value: number; label: string; text?: string; tone?: Tone }): VNode {
  const part = Math.max(0, Math.min(1, Number.isFinite(value) ? value : 0));
  return (
    <div class={`meter ${tone}`} role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100}
         aria-valuenow={Math.round(part * 100)} aria-valuetext={text ?? `${Math.round(part * 100)} %`}>
      <i style={{ width: `${part * 100}%` }} />
    </div>
  );
}

export function Bar({ title, children }: { title: string; children?: ComponentChildren }): VNode {
  return <header class="bar"><h1 tabIndex={-1}>{title}</h1>{children}</header>;
}

/** A table that scrolls by itself. A head that begins with '>' is a column of numbers, '' one of buttons. */
export function Grid({ label, heads, caption, card, children }: { label: string; heads: string[]; caption?: ComponentChildren;
    card?: boolean; children?: ComponentChildren }): VNode {
  return (
    <div class={card ? 'scroll card flat' : 'scroll'} tabIndex={0} role="region" aria-label={label}>
      <table>
        {card ? <caption>{label}</caption> : caption ? <caption class="faint">{caption}</caption> : null}
        <thead><tr>{heads.map((one) => (one === '' ? <th><span class="unseen">Actions</span></th> :
          one[0] === '>' ? <th class="right">{one.slice(1)}</th> : <th>{one}</th>))}</tr></thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

// -- loading --------------------------------------------------------------------------------------

export interface Loaded<T> {
  data: T | null;
  error: ApiError | null;
  busy: boolean;
  again: () => void;
}

/** Loads when `deps` change and on again(); `every` ms also anew while the page is visible. */
export function useLoad<T>(load: (by: AbortSignal) => Promise<T>, deps: unknown[], every = 0): Loaded<T> {
  const [state, set] = useState<{ data: T | null; error: ApiError | null; busy: boolean }>(
    { data: null, error: null, busy: true });
  const run = useRef<() => void>(() => {});
  useEffect(() => {
    const gone = new AbortController();
    let asking = false;
    run.current = async () => {
      if (asking) return;
      asking = true;
      set((old) => ({ ...old, busy: true }));
      try {
        const data = await load(gone.signal);
        if (!gone.signal.aborted) set({ data, error: null, busy: false });
      } catch (error) {
        if (!gone.signal.aborted) set((old) => ({ data: old.data, error: asError(error), busy: false }));
      }
      asking = false;
    };
    run.current();
    const timer = every ? setInterval(() => { if (!document.hidden) run.current(); }, every) : 0;
    return () => { gone.abort(); clearInterval(timer); };
  }, deps);
  return { ...state, again: () => run.current() };
}

/** Runs one action at a time: [run, busy, error]. */
export function useAction(): [(work: () => Promise<void>) => Promise<boolean>, boolean, ApiError | null] {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const run = async (work: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    try {
      await work();
      return true;
    } catch (problem) {
      setError(asError(problem));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return [run, busy, error];
}

// -- dialogs --------------------------------------------------------------------------------------

/** A modal dialog of the browser: Escape closes it, the focus stays in it and returns. */
export function Dialog({ title, onClose, children, wide }:
    { title: string; onClose: () => void; children: ComponentChildren; wide?: boolean }): VNode {
  const ref = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {  // before a key is pressed
    const was = document.activeElement as HTMLElement | null;
    ref.current!.showModal();
    return () => was?.focus?.();
  }, []);
  return (
    <dialog ref={ref} class={wide ? 'wide' : ''} aria-label={title} onClose={onClose}
            onClick={(event) => { if (event.target === ref.current) ref.current!.close(); }}>
      <div class="dialog">
        <header class="bar">
          <h2>{title}</h2>
          <IconButton icon="close" label="Close" onClick={() => ref.current!.close()} />
        </header>
        {children}
      </div>
    </dialog>
  );
}

interface Question { title: string; text: string; action: string; done: (yes: boolean) => void }
const question: Signal<Question | null> = signal(null);

/** Asks before something is lost. */
export function confirmed(title: string, text: string, action: string): Promise<boolean> {
  return new Promise((done) => { question.value = { title, text, action, done }; });
}

export function Questions(): VNode | null {
  const asked = question.value;
  if (!asked) return null;
  const answer = (yes: boolean) => { question.value = null; asked.done(yes); };
  return (
    <Dialog title={asked.title} onClose={() => { if (question.value) answer(false); }}>
      <p>{asked.text}</p>
      <div class="row end">
        <button type="button" onClick={() => answer(false)}>Keep</button>
        <button type="button" class="danger" onClick={() => answer(true)}>{asked.action}</button>
      </div>
    </Dialog>
  );
}

/** Buttons of which one is chosen. */
export function Choice<T extends string>({ label, options, value, onPick }:
    { label: string; options: [T, string][]; value: T; onPick: (value: T) => void }): VNode {
  return (
    <div class="choice" role="group" aria-label={label}>
      {options.map(([key, text]) => (
        <button type="button" key={key} aria-pressed={key === value} onClick={() => onPick(key)}>{text}</button>
      ))}
    </div>
  );
}
