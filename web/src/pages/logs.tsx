// Operate, logs: the tail of the server's log, followed live, with filters that the server applies.
import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, asError, call, failure, pause, request } from '../lib/api';
import { readEvents } from '../lib/sse';
import { clock } from '../lib/format';
import { Chip, Choice, Empty, ErrorNote, type Tone } from '../ui/kit';

interface Line { number: number; level: string; line: string; gap?: number }

const LEVELS: [string, string][] = [['debug', 'Debug'], ['info', 'Info'], ['warn', 'Warnings'], ['error', 'Errors']];
const TONE: Record<string, Tone> = { warn: 'warn', warning: 'warn', error: 'bad', critical: 'bad' };
const SHOWN_MAX = 1000;

interface Tail { lines: Line[]; kept: boolean; error: ApiError | null; live: boolean }

export function LogsPage(): VNode {
  const [level, setLevel] = useState('info');
  const [find, setFind] = useState('');
  const [id, setId] = useState('');
  const [paused, setPaused] = useState(false);
  const [tail, setTail] = useState<Tail>({ lines: [], kept: true, error: null, live: false });
  const query = `level=${level}${find ? `&q=${encodeURIComponent(find)}` : ''}${id ? `&request=${encodeURIComponent(id)}` : ''}`;
  useEffect(() => {
    if (paused) return undefined;
    const by = new AbortController();
    const timer = setTimeout(() => { void follow(query, by.signal, setTail); }, 250);
    const hide = () => setPaused(true);
    document.addEventListener('visibilitychange', hide, { once: true });
    return () => { clearTimeout(timer); by.abort(); document.removeEventListener('visibilitychange', hide); };
  }, [query, paused]);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => { if (!paused && box.current) box.current.scrollTop = box.current.scrollHeight; }, [tail.lines, paused]);
  return (
    <div class="stack">
      <div class="row wrap">
        <Choice label="Least level" value={level} options={LEVELS} onPick={setLevel} />
        <input type="search" aria-label="Text in the line" placeholder="Text in the line" value={find} onInput={(e) => setFind(e.currentTarget.value.trim())} />
        <input type="search" aria-label="Request id" placeholder="Request id" value={id} onInput={(e) => setId(e.currentTarget.value.trim())} />
        <button type="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>{paused ? 'Follow' : 'Pause'}</button>
        <Chip tone={paused ? 'plain' : tail.live ? 'ok' : 'busy'}>{paused ? 'paused' : tail.live ? 'live' : 'connecting'}</Chip>
      </div>
      <ErrorNote error={tail.error} />
      {!tail.kept ? <Empty title="The server keeps no log lines"><p>Set log.tail above 0 and log.sink to something other than none.</p></Empty> : null}
      <div class="log" ref={box} tabIndex={0} role="log" aria-live="off" aria-label="Log lines">
        {tail.lines.map((one) => (one.gap ? <p class="faint">{one.gap} lines were gone before they could be sent.</p> :
          <LineView key={one.number} one={one} onRequest={setId} />))}
        {tail.kept && !tail.lines.length ? <p class="faint pad">No line matches yet.</p> : null}
      </div>
    </div>
  );
}

async function follow(query: string, by: AbortSignal, set: (change: (old: Tail) => Tail) => void): Promise<void> {
  let last = '';
  for (let tries = 0; !by.aborted; tries += 1) {
    try {
      const head = await call<{ data: Line[]; kept: boolean }>(`/admin/logs?${query}&limit=${last ? 1 : 300}`, { signal: by });
      if (!last) {
        set(() => ({ lines: head.data, kept: head.kept, error: null, live: false }));
        last = String(head.data[head.data.length - 1]?.number ?? '');
      }
      const response = await request(`/admin/logs?${query}&follow=true&limit=1`, { signal: by, headers: last ? { 'last-event-id': last } : {} });
      if (!response.ok) throw await failure(response);
      set((old) => ({ ...old, error: null, live: true }));
      await readEvents(response, (event) => {
        tries = 0;
        const data = JSON.parse(event.data);
        const line: Line = event.event === 'gap' ? { number: -Date.now(), level: '', line: '', gap: data.lost } : data;
        if (!line.gap && line.number <= Number(last || -1)) return;
        // Not the parser's last id: several events may have come in one piece.
        if (event.id) last = event.id;
        set((old) => ({ ...old, lines: [...old.lines.slice(-SHOWN_MAX + 1), line] }));
      });
    } catch (thrown) {
      if (by.aborted) return;
      const error = asError(thrown);
      set((old) => ({ ...old, error, live: false }));
      if (!error.passing && error.code !== 'page_error') return;
      await pause(Math.max(0, error.retryAt - Date.now()), by);
    }
    await pause(Math.min(500 * 2 ** tries, 8000), by);
  }
}

/** A JSON line as time, level, event and the rest; any other as it is. */
function LineView({ one, onRequest }: { one: Line; onRequest: (id: string) => void }): VNode {
  let json: Record<string, unknown> | null = null;
  try { json = JSON.parse(one.line); } catch { /* a text line */ }
  if (!json) return <div class={`logline ${TONE[one.level] ?? ''}`}><span class="says">{one.line}</span></div>;
  const { ts, level, event, msg, id, ...rest } = json as Record<string, any>;
  return (
    <div class={`logline ${TONE[one.level] ?? ''}`}>
      <span class="num faint">{ts ? clock(Date.parse(String(ts)) / 1000) : ''}</span>
      <span class="level">{String(level ?? one.level)}</span>
      <b>{String(event ?? msg ?? '')}</b>
      <span class="says">{event && msg ? `${msg} ` : ''}{Object.entries(rest).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`).join('  ')}
        {typeof id === 'string' && id ? <button type="button" class="cite" title="Only this request" onClick={() => onRequest(id)}>{id}</button> : null}</span>
    </div>
  );
}
