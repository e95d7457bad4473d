// Operate: the server's levers and its settings. Sub-pages: overview, keys, limits, configuration,
// logs, doctor, audit. Who may only look sees everything and can change nothing.
import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { call } from '../lib/api';
import { bytes, count, millis, moment, plural, seconds, share } from '../lib/format';
import { secondly, beat, state, watch } from '../lib/live';
import { href, route } from '../lib/router';
import { may } from '../lib/session';
import { Bar, Chip, confirmed, ErrorNote, Grid, Meter, toast, useAction, useLoad, type Tone } from '../ui/kit';
import { Banners } from './dashboard';
import { KeysPage } from './keys';
import { LogsPage } from './logs';

const SUBS: [string, string][] = [['', 'Overview'], ['keys', 'Keys'], ['limits', 'Limits'], ['configuration', 'Configuration'],
  ['logs', 'Logs'], ['doctor', 'Doctor'], ['audit', 'Audit']];

export function OperatePage(): VNode {
  const sub = route.value.parts[0] ?? '';
  useEffect(watch, []);
  const pages: Record<string, () => VNode> = { '': Overview, keys: KeysPage, limits: LimitsPage,
    configuration: ConfigurationPage, logs: LogsPage, doctor: DoctorPage, audit: AuditPage };
  const Shown = pages[sub] ?? Overview;
  return (
    <div class="page">
      <Bar title="Operate">{may.value.change ? null : <Chip tone="warn">read only</Chip>}</Bar>
      <nav class="tabs" aria-label="Operate">
        {SUBS.map(([id, text]) => <a key={id} href={href('operate', id ? [id] : [])} aria-current={id === sub ? 'page' : undefined}
            ref={(it) => { if (id === sub) it?.scrollIntoView({ block: 'nearest' }); }}>{text}</a>)}
      </nav>
      {may.value.change ? null : <p class="note">This key may look at everything here and change nothing. Sign in with a key of the scope admin to change something.</p>}
      <Shown key={sub} />
    </div>
  );
}

// -- overview -------------------------------------------------------------------------------------

interface Maintenance { enabled: boolean; message: string; retry_after_seconds: number }

function Overview(): VNode {
  return (
    <div class="stack">
      <Banners />
      <div class="cards"><MaintenanceCard /><div class="stack"><CleanupCard /><ReloadCard /></div><TasksCard /></div>
    </div>
  );
}

function MaintenanceCard(): VNode {
  const got = useLoad((by) => call<Maintenance>('/admin/maintenance', { signal: by }), []);
  const [text, setText] = useState('');
  const [minutes, setMinutes] = useState('10');
  const [run, busy, error] = useAction();
  const on = got.data?.enabled ?? false;
  const set = (enabled: boolean) => run(async () => {
    await call('/admin/maintenance', { body: enabled ? { enabled, ...(text.trim() ? { message: text.trim() } : {}),
      retry_after_seconds: Math.max(1, Math.round(Number(minutes) * 60)) } : { enabled } });
    toast(enabled ? 'Maintenance is on.' : 'Maintenance is over.');
    got.again();
  });
  return (
    <section class="card" aria-label="Maintenance">
      <h2>Maintenance <Chip tone={on ? 'warn' : 'ok'}>{on ? 'on' : 'off'}</Chip></h2>
      <p class="faint">While it is on, new work is refused with your message; what runs is finished.</p>
      <ErrorNote error={got.error ?? error} />
      {on ? <><p>“{got.data!.message}” Come back in {seconds(got.data!.retry_after_seconds)}.</p>
        <button type="button" class="primary" disabled={busy || !may.value.change} onClick={() => set(false)}>Take work again</button></> : (
        <form class="stack" onSubmit={(e) => { e.preventDefault(); void set(true); }}>
          <label>Message<input value={text} maxLength={500} placeholder="Back at noon." onInput={(e) => setText(e.currentTarget.value)} /></label>
          <label>Minutes until clients try again<input type="number" min="1" max="1440" required value={minutes} onInput={(e) => setMinutes(e.currentTarget.value)} /></label>
          <button class="danger" disabled={busy || !may.value.change}>Refuse new work</button>
        </form>
      )}
    </section>
  );
}

function CleanupCard(): VNode {
  const [says, setSays] = useState('');
  const [run, busy, error] = useAction();
  const clean = () => run(async () => {
    const got = await call<{ sessions_removed: number; cached_answers_removed: number; bytes_returned: number }>('/admin/cleanup', { method: 'POST', body: {} });
    setSays(`${plural(got.sessions_removed, 'session')} and ${plural(got.cached_answers_removed, 'kept answer')} removed, ${bytes(got.bytes_returned)} given back.`);
  });
  return (
    <section class="card" aria-label="Memory">
      <h2>Memory</h2>
      <p class="faint">Gives memory back: ended sessions, kept answers that are over, free heap.</p>
      <ErrorNote error={error} />
      <button type="button" disabled={busy || !may.value.change} onClick={clean}>Clean up now</button>
      <p role="status">{says}</p>
    </section>
  );
}

interface Report { version: number; changed: string[]; restart_needed: string[]; unreachable: string[]; cache_emptied: boolean; took_ms: number;
                   before: Values; after: Values }

function ReloadCard(): VNode {
  const [report, setReport] = useState<Report | null>(null);
  const [run, busy, error] = useAction();
  const settings = async () => (await loadSettings()).settings;
  const reload = () => run(async () => {
    setReport(null);
    const before = await settings();
    const got = await call<Report>('/admin/reload', { method: 'POST', body: {} });
    setReport({ ...got, before, after: got.changed.length ? await settings() : before });
  });
  const invalidate = () => run(async () => {
    await call('/admin/resources/cache/invalidate', { method: 'POST', body: {} });
    toast('The cached configuration was thrown away and read again.');
  });
  return (
    <section class="card" aria-label="Configuration">
      <h2>Configuration <span class="faint small num">version {state.value?.config_version ?? '–'}</span></h2>
      <p class="faint">Read the file again. When anything in it is wrong, nothing changes and the error names the line.</p>
      <ErrorNote error={error} />
      <div class="row wrap">
        <button type="button" disabled={busy || !may.value.change} onClick={reload}>Reload and show differences</button>
        <button type="button" class="quiet" disabled={busy || !may.value.change} onClick={invalidate}>Invalidate the cache</button>
      </div>
      {report ? <Differences of={report} /> : null}
    </section>
  );
}

function Differences({ of }: { of: Report }): VNode {
  const list = (title: string, keys: string[]) => (keys.length ? <><dt>{title}</dt><dd>{keys.map((key) => <code>{key} </code>)}</dd></> : null);
  return (
    <div role="status">
      <p>{of.changed.length ? `Version ${of.version} is in force after ${millis(of.took_ms)}.` : 'Nothing has changed.'}{of.cache_emptied ? ' The kept answers were dropped.' : ''}</p>
      {of.changed.length ? <Grid label="Changed settings" heads={['Changed', 'Before', 'Now']}>{of.changed.map((key) => (
        <tr key={key}><td><code>{key}</code></td><td class="faint">{text(of.before[key]?.value)}</td><td class="main">{text(of.after[key]?.value)}</td></tr>))}</Grid> : null}
      <dl class="facts">{list('After a restart', of.restart_needed)}{list('Do not answer', of.unreachable)}</dl>
    </div>
  );
}

interface Task { id: string; name: string; state: string; cancellable: boolean; why: string; started_at: string; ended_at: string | null }

function TasksCard(): VNode {
  const got = useLoad((by) => call<{ data: Task[] }>('/admin/tasks', { signal: by }), [], 5000);
  const cancel = async (one: Task) => {
    if (!await confirmed(`Cancel ${one.name}?`, 'What it does ends until the next start.', 'Cancel task')) return;
    try { await call(`/admin/tasks/${one.id}`, { method: 'DELETE' }); } catch (error) { toast((error as Error).message); }
    got.again();
  };
  return (
    <section class="card wide" aria-label="Background tasks">
      <h2>Background tasks</h2>
      <ErrorNote error={got.error} />
      <Grid label="Tasks" heads={['Name', 'State', 'Since', '']}>{got.data?.data.map((one) => (
          <tr key={one.id}><td class="main">{one.name}{one.why ? <span class="faint small"> {one.why}</span> : null}</td>
            <td><Chip tone={one.state === 'running' ? 'ok' : one.state === 'failed' ? 'bad' : 'plain'}>{one.state}</Chip></td>
            <td class="num">{moment(one.started_at)}</td>
            <td class="right">{one.cancellable && one.state === 'running' ? <button type="button" class="small" disabled={!may.value.change} onClick={() => cancel(one)}>Cancel</button> : null}</td></tr>
        ))}</Grid>
    </section>
  );
}

// -- limits ---------------------------------------------------------------------------------------

type Values = Record<string, { value: unknown; default: unknown; origin: string }>;
interface Settings { version: number; file: string; profile: string; age_seconds: number; last_error: string; restart_needed: string[];
                     settings: Values }
const loadSettings = (by?: AbortSignal) => call<Settings>('/admin/config', { signal: by });

function LimitsPage(): VNode {
  beat.value;
  const got = useLoad(loadSettings, []);
  const set = got.data?.settings ?? {};
  const value = (key: string) => { const v = set[key]?.value; return v === undefined ? '–' : v === 0 ? 'none' : text(v); };
  const names = ['requests_per_minute', 'burst', 'tokens_per_minute', 'tokens_per_day', 'concurrent', 'queued'];
  const subjects = ['user', 'key', 'address', 'model'];
  const v = (name: string) => secondly.value(name);
  const used = (v('permits_in_use') ?? 0) / Math.max(1, v('permits') ?? 1);
  return (
    <div class="stack">
      <ErrorNote error={got.error} again={got.again} />
      <div class="card"><h2>Permits</h2>
          <Meter value={used} label="Permits in use" tone={used > 0.9 ? 'warn' : 'plain'} />
          <p><b class="num">{count(v('permits_in_use'))}</b> of <b class="num">{count(v('permits'))}</b> in use, <b class="num">{count(v('waiting'))}</b> of <b class="num">{count(v('waiting_max'))}</b> waiting.
            {(v('permit_factor') ?? 1) < 1 ? ` Pressure has cut them to ${share(v('permit_factor'))}.` : ''}</p></div>
      <Grid label={`Quotas, by what they hold for${set['limits.enabled']?.value === false ? ' (switched off)' : ''}`} card
            heads={['Quota', ...subjects.map((one) => `>each ${one}`)]}>
        {names.map((name) => <tr><td>{name.replace(/_/g, ' ')}</td>{subjects.map((s) => <td class="right num">{value(`limits.${s}.${name}`)}</td>)}</tr>)}</Grid>
      <p class="faint">Quotas are set in the configuration under <code>[limits]</code>; a key may have figures of its own (Keys).</p>
    </div>
  );
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value) ?? '–';
}

// -- configuration --------------------------------------------------------------------------------

function ConfigurationPage(): VNode {
  const got = useLoad(loadSettings, [state.value?.config_version]);
  const [find, setFind] = useState('');
  const [own, setOwn] = useState(true);
  const rows = Object.entries(got.data?.settings ?? {})
    .filter(([key, one]) => (!own || one.origin !== 'default') && key.includes(find.trim().toLowerCase()));
  return (
    <div class="stack">
      <ErrorNote error={got.error} again={got.again} />
      {got.data ? <p class="faint">{got.data.file ? <>File <code>{got.data.file}</code>, </> : 'No file, '}profile {got.data.profile}, version {got.data.version}, read {seconds(Math.round(got.data.age_seconds))} ago.</p> : null}
      {got.data?.last_error ? <p class="note bad">The last reading failed, the one before stays in force: {got.data.last_error}</p> : null}
      {got.data?.restart_needed.length ? <p class="note warn">Changed, but in force only after a restart: {got.data.restart_needed.join(', ')}</p> : null}
      <div class="row wrap">
        <input type="search" aria-label="Find a setting" placeholder="Find a setting" value={find} onInput={(e) => setFind(e.currentTarget.value)} />
        <label class="check"><input type="checkbox" checked={own} onChange={(e) => setOwn(e.currentTarget.checked)} />Only what differs from the defaults</label>
        <span class="faint num">{plural(rows.length, 'setting')}</span>
      </div>
      {got.data && rows.length === 0 ? <p class="faint">{own ? 'Everything is at its default.' : 'No setting has this in its name.'}</p> : null}
      <Grid label="Settings" heads={['Setting', 'In force', 'Default', 'From']}>{rows.map(([key, one]) => (
          <tr key={key} class={one.origin === 'default' ? '' : 'own'}><td><code>{key}</code></td><td class="main">{text(one.value)}</td>
            <td class="faint">{text(one.default)}</td><td>{one.origin}</td></tr>
        ))}</Grid>
    </div>
  );
}

// -- doctor, audit --------------------------------------------------------------------------------

interface Check { check: string; state: string; says: string; fix: string }
const CHECK_TONE: Record<string, Tone> = { ok: 'ok', warning: 'warn', bad: 'bad' };

function DoctorPage(): VNode {
  const [fresh, setFresh] = useState(0);
  const got = useLoad((by) => call<{ ok: boolean; profile: string; version: string; age_seconds: number; checks: Check[] }>(
    `/admin/doctor${fresh ? '?fresh=true' : ''}`, { signal: by }), [fresh]);
  const order = ['bad', 'warning', 'ok'];
  const checks = [...got.data?.checks ?? []].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  const warnings = checks.filter((one) => one.state === 'warning').length;
  return (
    <div class="stack">
      <div class="row"><button type="button" disabled={got.busy} onClick={() => setFresh(fresh + 1)}>{got.busy ? 'Looking' : 'Look again'}</button>
        {got.data ? <span class="faint" role="status">{got.data.ok ? warnings ? `Nothing is wrong, ${plural(warnings, 'warning')}.` : 'Nothing is wrong.' : 'Something is wrong.'} Profile {got.data.profile}, version {got.data.version}, looked {seconds(Math.round(got.data.age_seconds))} ago.</span> : null}</div>
      <ErrorNote error={got.error} again={got.again} />
      <Grid label="Checks" heads={['State', 'Check', 'Finding']}>{checks.map((one) => (
          <tr key={one.check + one.says}><td><Chip tone={CHECK_TONE[one.state] ?? 'plain'}>{one.state}</Chip></td><td>{one.check}</td>
            <td class="main">{one.says}{one.fix ? <p class="fix">{one.fix}</p> : null}</td></tr>
        ))}</Grid>
    </div>
  );
}

interface Entry { number: number; at: string; who: string; key: string; from: string; what: string; before: string; after: string; outcome: string }

function AuditPage(): VNode {
  const got = useLoad((by) => call<{ data: Entry[]; total: number }>('/admin/audit?limit=100', { signal: by }), [], 10_000);
  return (
    <div class="stack">
      <ErrorNote error={got.error} again={got.again} />
      {got.data?.data.length === 0 ? <p class="faint">No administrator has changed anything since the start.</p> : null}
      <Grid label="Audit" heads={['When', 'Who', 'What', 'Before', 'After', 'Outcome']}>{got.data?.data.map((one) => (
          <tr key={one.number} title={`${one.key} from ${one.from}`}><td class="num">{moment(one.at)}</td><td>{one.who}</td><td>{one.what}</td>
            <td class="faint">{one.before}</td><td class="main">{one.after}</td><td><Chip tone={one.outcome === 'done' ? 'ok' : 'bad'}>{one.outcome}</Chip></td></tr>
        ))}</Grid>
    </div>
  );
}
