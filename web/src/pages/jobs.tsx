// Jobs: what waits, runs and failed, one's own or (for administrators) everybody's, live.
import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { call } from '../lib/api';
import { ago, count, moment, seconds } from '../lib/format';
import { connected, latest, listen } from '../lib/jobfeed';
import { href, route } from '../lib/router';
import { may, me } from '../lib/session';
import type { Job, JobRow } from '../lib/types';
import { Bar, Chip, Choice, confirmed, Dialog, Empty, ErrorNote, Grid, IconButton, Meter, now, toast, useLoad,
         type Tone } from '../ui/kit';

const TONES: Record<string, Tone> = { succeeded: 'ok', running: 'busy', queued: 'plain', scheduled: 'plain',
                                      dead: 'bad', cancelled: 'warn', expired: 'warn' };
const ENDED = ['succeeded', 'dead', 'cancelled', 'expired'];
const STATES: [string, string][] = [['', 'All'], ['queued', 'Queued'], ['scheduled', 'Scheduled'],
  ['running', 'Running'], ['succeeded', 'Succeeded'], ['dead', 'Dead'], ['cancelled', 'Cancelled']];

interface ClassRow { class: string; states: Record<string, number>; oldest_ready_seconds: number }
interface Worker { name: string; slots: number; busy: number; succeeded?: number; failed?: number;
                   running: { id: string; kind: string; attempt: number; started_at: string }[] }
interface Page { data: JobRow[]; has_more: boolean; dead?: JobRow[]; depth?: number; shedding?: boolean;
                 drained_per_second?: number; classes?: ClassRow[]; workers?: Worker[] }

export function JobsPage(): VNode {
  const look = may.value.look;
  const whose = look && (route.value.query['whose'] === 'all' || !may.value.jobs) ? 'all' : 'mine';
  const state = route.value.query['state'] ?? '';
  const open = route.value.parts[0] ?? '';
  const [progress, setProgress] = useState<Record<string, number>>({});
  const base = whose === 'all' ? '/admin/jobs' : '/v1/jobs';
  const list = useLoad((by) => call<Page>(`${base}?limit=50${state ? `&state=${state}` : ''}`, { signal: by }),
    [base, state, me.value?.user], connected.value && whose === 'mine' ? 10_000 : 2_000);
  useEffect(listen, [me.value?.user]);
  useEffect(() => {
    const event = latest.value;
    if (!event) return;
    if (event.event === 'progress' && event.data?.bytes_total) {
      setProgress((old) => ({ ...Object.fromEntries(Object.entries(old).slice(-50)), [event.job]: event.data.bytes / event.data.bytes_total }));
    } else if (event.event !== 'token') {
      const timer = setTimeout(list.again, 150);
      return () => clearTimeout(timer);
    }
    return undefined;
  }, [latest.value]);
  const query = { whose: whose === 'all' ? 'all' : '', state };
  return (
    <div class="page">
      <Bar title="Jobs">
        <span class="faint small" role="status">{connected.value ? 'Live' : 'Looking every 2 s'}</span>
        <span class="grow" />
        {look && may.value.jobs ? <Choice label="Whose jobs" value={whose} options={[['mine', 'Mine'], ['all', "Everybody's"]]}
                        onPick={(to) => { location.hash = href('jobs', [], { ...query, whose: to === 'all' ? 'all' : '' }); }} /> : null}
      </Bar>
      {whose === 'all' && list.data ? <Queue of={list.data} /> : null}
      <div class="row wrap"><Choice label="State" value={state} options={STATES}
                               onPick={(to) => { location.hash = href('jobs', [], { ...query, state: to }); }} /></div>
      <ErrorNote error={list.error} again={list.again} />
      {list.data ? <Table rows={list.data.data} base={base} query={query} progress={progress} again={list.again} state={state} /> : null}
      {list.data?.has_more ? <p class="faint">Only the newest 50 are shown.</p> : null}
      {open ? <JobDialog id={open} base={base} again={list.again}
                         onClose={() => { location.hash = href('jobs', [], query); }} /> : null}
    </div>
  );
}

function Queue({ of }: { of: Page }): VNode {
  return (
    <div class="stack">
      <div class="tiles">
        <Tile label="Not ended" value={count(of.depth)} bad={of.shedding} />
        <Tile label="Ending each second" value={count(of.drained_per_second)} />
        <Tile label="Given up" value={count(of.dead?.length)} bad={(of.dead?.length ?? 0) > 0} />
      </div>
      {of.shedding ? <p class="note warn">The queue is too long: new batch and background jobs are refused until it is shorter.</p> : null}
      <div class="pair">
        <Grid label="Queue by class" card heads={['Class', '>Queued', '>Running', '>Dead', '>Oldest waits']}>{of.classes?.map((one) => (
            <tr><td>{one.class}</td><td class="right num">{count(one.states['queued'] ?? 0)}</td><td class="right num">{count(one.states['running'] ?? 0)}</td>
              <td class="right num">{count(one.states['dead'] ?? 0)}</td><td class="right num">{one.oldest_ready_seconds ? seconds(one.oldest_ready_seconds) : '–'}</td></tr>
          ))}</Grid>
        <Grid label="Workers" card heads={['Worker', 'Busy', 'Runs']}>{of.workers?.map((one) => (
            <tr><td>{one.name}</td><td class="main"><Meter value={one.busy / Math.max(1, one.slots)} label={`${one.name} busy`} text={`${one.busy} of ${one.slots}`} />
              <span class="num faint small">{one.busy} of {one.slots}</span></td>
              <td>{one.running.map((r) => <a class="tag" href={href('jobs', [r.id], { whose: 'all' })}>{r.kind}</a>)}</td></tr>
          ))}</Grid>
      </div>
    </div>
  );
}

export function Tile({ label, value, bad, note }: { label: string; value: string; bad?: boolean; note?: string }): VNode {
  return <div class={`tile ${bad ? 'bad' : ''}`}><span>{label}</span><b class="num">{value}</b>{note ? <small>{note}</small> : null}</div>;
}

async function act(base: string, one: { id: string }, what: 'retry' | 'cancel', again: () => void): Promise<void> {
  try {
    await call(`${base}/${one.id}/${what}`, { method: 'POST', body: {} });
    toast(what === 'retry' ? 'The job runs again.' : 'Job cancelled.');
  } catch (error) { toast((error as Error).message); }
  again();
}

function Actions({ one, base, again }: { one: JobRow; base: string; again: () => void }): VNode {
  const ended = ENDED.includes(one.state);
  const locked = base === '/admin/jobs' && !may.value.change;
  const forget = async () => {
    if (!await confirmed('Forget this job?', 'Its input and result are removed.', 'Forget')) return;
    try { await call(`/v1/jobs/${one.id}`, { method: 'DELETE' }); } catch (error) { toast((error as Error).message); }
    again();
  };
  return (
    <span class="row end">
      {ended && one.state !== 'succeeded' ? <button type="button" class="small" disabled={locked} onClick={() => act(base, one, 'retry', again)}>Retry</button> : null}
      {!ended ? <button type="button" class="small" disabled={locked} onClick={() => act(base, one, 'cancel', again)}>Cancel</button> : null}
      {ended && base === '/v1/jobs' ? <IconButton icon="trash" label="Forget this job" onClick={forget} /> : null}
    </span>
  );
}

function Table({ rows, base, query, progress, again, state }: { rows: JobRow[]; base: string; query: Record<string, string>;
    progress: Record<string, number>; again: () => void; state: string }): VNode {
  if (!rows.length) {
    return <Empty title={state ? `No ${state} jobs` : 'No jobs yet'}>
      <p>{state ? 'Choose another state above.' : 'Documents that you add under Knowledge are read by jobs; programs hand in theirs with POST /v1/jobs.'}</p></Empty>;
  }
  const all = base === '/admin/jobs';
  return (
    <Grid label="Jobs" heads={['State', 'Kind', ...(all ? ['User'] : []), 'Class', '>Attempts', 'Age', 'Reason', '']}>{rows.map((one) => (
          <tr key={one.id} data-job={one.id}>
            <td><Chip tone={TONES[one.state] ?? 'plain'}>{one.state}</Chip>
              {one.state === 'running' && progress[one.id] !== undefined ? <Meter value={progress[one.id]!} label="Progress" tone="busy" /> : null}</td>
            <td><a href={href('jobs', [one.id], query)}>{one.kind}</a></td>
            {all ? <td>{one.user}</td> : null}
            <td>{one.priority}</td>
            <td class="right num">{one.attempts} of {one.attempts_max}</td>
            <td class="num" title={moment(one.created_at)}>{when(one)}</td>
            <td class="main faint">{one.error ? one.error.message ?? one.error.code : ''}</td>
            <td><Actions one={one} base={base} again={again} /></td>
          </tr>
        ))}</Grid>
  );
}

function when(one: JobRow): string {
  if (one.state === 'scheduled' && one.run_at) return `due ${ago(one.run_at, now.value)}`;
  if (one.state === 'queued') return `waits ${seconds(Math.max(0, Math.floor(now.value - one.created_at)))}`;
  if (one.state === 'running' && one.started_at) return `runs ${seconds(Math.max(0, Math.floor(now.value - one.started_at)))}`;
  return ago(one.finished_at ?? one.created_at, now.value);
}

function JobDialog({ id, base, onClose, again }: { id: string; base: string; onClose: () => void; again: () => void }): VNode {
  const [heard, setHeard] = useState<{ event: string; at: number; says: string }[]>([]);
  const got = useLoad((by) => call<Job>(`${base}/${encodeURIComponent(id)}`, { signal: by }), [id, base], 3000);
  const [text, setText] = useState('');
  useEffect(() => {
    const event = latest.value;
    if (!event || event.job !== id) return;
    if (event.event === 'token') setText((old) => (old + (event.data?.text ?? '')).slice(-20_000));
    else {
      const says = event.data?.error?.message ?? (event.data?.bytes_total ? `${Math.round(event.data.bytes / event.data.bytes_total * 100)} %` : '');
      setHeard((old) => [...old.slice(-99), { event: event.event, at: Date.now() / 1000, says }]);
      got.again();
    }
  }, [latest.value]);
  const one = got.data;
  return (
    <Dialog title={one ? `${one.kind} job` : 'Job'} onClose={onClose} wide>
      <ErrorNote error={got.error} again={got.again} />
      {one ? (
        <div class="stack">
          <div class="row wrap"><Chip tone={TONES[one.state] ?? 'plain'}>{one.state}</Chip>
            <span class="faint">{one.id}</span><span class="grow" />
            <Actions one={one} base={base} again={() => { got.again(); again(); }} /></div>
          {one.error ? <div class="note bad"><p>{one.error.message ?? 'It failed.'}</p><p class="faint">{one.error.code}</p></div> : null}
          <dl class="facts">
            <dt>Handed in</dt><dd>{moment(one.created_at)}</dd>
            {one.started_at ? <><dt>Began</dt><dd>{moment(one.started_at)}</dd></> : null}
            {one.finished_at ? <><dt>Ended</dt><dd>{moment(one.finished_at)}{one.started_at ? `, after ${seconds(one.finished_at - one.started_at)}` : ''}</dd></> : null}
            <dt>Class</dt><dd>{one.priority}</dd><dt>Attempts</dt><dd>{one.attempts} of {one.attempts_max}</dd>
            {one.repeat_every ? <><dt>Repeats</dt><dd>every {seconds(one.repeat_every)}</dd></> : null}
            {one.user ? <><dt>User</dt><dd>{one.user}</dd></> : null}
          </dl>
          {heard.length ? <ol class="events" aria-label="Events" aria-live="polite">{heard.map((e) => <li><span class="num faint">{moment(e.at)}</span> {e.event} {e.says}</li>)}</ol> : null}
          {text && one.state === 'running' ? <pre class="json" aria-live="off">{text}</pre> : null}
          <details><summary>Input</summary><pre class="json" tabIndex={0}>{JSON.stringify(one.input, null, 2)}</pre></details>
          {one.result ? <details open={one.state === 'succeeded'}><summary>Result</summary><pre class="json" tabIndex={0}>{JSON.stringify(one.result, null, 2)}</pre></details> : null}
        </div>
      ) : null}
    </Dialog>
  );
}

