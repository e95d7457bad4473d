// The dashboard: what the server measures, live. Charts from lib/live.ts, states from its `state`
// event, slow requests from /admin/slow.
import type { ComponentChildren, VNode } from 'preact';
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { call } from '../lib/api';
import { bytes, count, millis, moment, plural, seconds, share } from '../lib/format';
import { beat, feed, minutely, secondly, state, watch, type Columns, type State } from '../lib/live';
import { may } from '../lib/session';
import { Bar, Chip, Choice, Empty, ErrorNote, Grid, Meter, now, useLoad, type Tone } from '../ui/kit';
import { Chart, type Line } from '../ui/chart';
import { Tile } from './jobs';

const RANGES: [string, string][] = [['300', '5 min'], ['900', '15 min'], ['3600', '1 h'], ['86400', '24 h']];
const range = signal('300');

const rate = (v: number | null) => (v === null ? '–' : `${count(v)}/s`);
const time = (v: number | null) => (v === null ? '–' : millis(v * 1000));
const degrees = (v: number | null) => (v === null ? '–' : `${count(v)} °C`);
const level = (names: string[]) => (v: number | null) => (v === null ? '–' : names[Math.round(v)] ?? '');

interface Spec { title: string; lines: [string, string][] | string; say: (v: number | null) => string; max?: number; step?: boolean }
interface Group { title: string; charts: Spec[] }

/** `lines` as a text is a prefix: every series of that name. */
const GROUPS: Group[] = [
  { title: 'Traffic', charts: [
    { title: 'Requests', lines: [['requests', 'all'], ['refused', 'refused'], ['errors', 'errors']], say: rate },
    { title: 'Latency', lines: [['latency_p50', 'median'], ['latency_p95', 'p95'], ['latency_p99', 'p99']], say: time },
    { title: 'First token', lines: [['first_token_p50', 'median'], ['first_token_p95', 'p95']], say: time },
    { title: 'Tokens', lines: [['tokens_in', 'in'], ['tokens_out', 'out']], say: rate },
    { title: 'Cache hits', lines: [['cache_hits', 'answers'], ['embedding_hits', 'embeddings']], say: share, max: 1 },
    { title: 'Connections', lines: [['connections', 'clients'], ['websockets', 'WebSockets'], ['upstream_connections', 'to models'], ['upstream_waiting', 'waiting']], say: count },
  ] },
  { title: 'Queues', charts: [
    { title: 'Permits', lines: [['permits_in_use', 'in use'], ['permits', 'limit'], ['waiting', 'waiting'], ['waiting_max', 'may wait']], say: count },
    { title: 'Permit held', lines: [['permit_held', 'mean']], say: time },
    { title: 'Jobs', lines: [['jobs_queued', 'queued'], ['jobs_running', 'running'], ['jobs_scheduled', 'scheduled'], ['jobs_depth', 'not ended'], ['jobs_dead', 'given up']], say: count },
    { title: 'Oldest ready job', lines: [['jobs_oldest', 'age']], say: (v) => seconds(v) },
    { title: 'Jobs ended', lines: [['jobs_ended', 'ended']], say: rate },
    { title: 'Pools in use', lines: 'pool.', say: count },
  ] },
  { title: 'Machine', charts: [
    { title: 'Pressure', lines: 'pressure.', say: share, max: 1 },
    { title: 'Ladder', lines: 'level.', say: level(['normal', 'soft', 'hard']), max: 2.1, step: true },
    { title: 'Processor', lines: [['cpu', 'all cores'], ['permit_factor', 'permits left']], say: share, max: 1 },
    { title: 'Memory', lines: [['memory_resident', 'resident'], ['heap', 'heap'], ['memory_used', 'used, whole group']], say: bytes },
    { title: 'Memory by part', lines: 'memory.', say: bytes },
    { title: 'Disk free', lines: 'disk_free.', say: bytes },
    { title: 'Temperature', lines: [['temperature', 'hottest zone'], ['gpu_temperature', 'GPU']], say: degrees },
    { title: 'GPU', lines: [['gpu_load', 'load'], ['gpu_memory', 'memory']], say: share, max: 1 },
    { title: 'Event loops', lines: [['loop_lag', 'loops late'], ['offload_lag', 'pool late']], say: time },
    { title: 'Open files', lines: [['open_files', 'open']], say: count },
  ] },
  { title: 'Models', charts: [
    { title: 'Breakers', lines: 'breaker.', say: level(['closed', 'half open', 'open']), max: 2.1, step: true },
    { title: 'Providers up', lines: 'up.', say: level(['down', 'up']), max: 1.1, step: true },
    { title: 'Model hosts', lines: 'host.', say: level(['absent', 'starting', 'ready', 'failed']), max: 3.1, step: true },
  ] },
];

export function DashboardPage(): VNode {
  useEffect(watch, []);
  const columns = range.value === '86400' ? minutely : secondly;
  return (
    <div class="page">
      <Bar title="Dashboard">
        <FeedState />
        <span class="grow" />
        <Choice label="Time shown" value={range.value} options={RANGES} onPick={(to) => { range.value = to; }} />
      </Bar>
      <Banners />
      <ErrorNote error={feed.value.error} />
      <Tiles />
      {GROUPS.map((group) => <GroupView key={group.title} group={group} columns={columns} />)}
      <Slow />
    </div>
  );
}

export function FeedState(): VNode {
  const { open, error } = feed.value;
  return <Chip tone={open ? 'ok' : error ? 'bad' : 'busy'}>{open ? 'live' : error ? 'not connected' : 'connecting'}</Chip>;
}

/** What is wrong now, above everything else. */
export function Banners(): VNode | null {
  const so = state.value;
  if (!so) return null;
  const out: { key: string; tone: string; text: ComponentChildren }[] = [];
  if (!so.ready) out.push({ key: 'ready', tone: 'bad', text: `Not ready: ${so.reasons.map((r) => `${r.part}: ${r.why}`).join('; ')}` });
  if (so.maintenance) out.push({ key: 'maintenance', tone: 'warn', text: 'Maintenance: new work is refused.' });
  for (const alert of so.alerts) {
    if (alert.cleared_at) continue;
    out.push({ key: alert.name, tone: alert.severity === 'critical' ? 'bad' : 'warn',
               text: <>{alert.sentence} <span class="faint small">since {moment(alert.raised_at)}</span></> });
  }
  if (so.shedding.length) out.push({ key: 'shed', tone: 'warn', text: `Refused under pressure: ${so.shedding.join(', ')}.` });
  return <div class="stack" role="status" aria-label="Alerts">{out.map((one) => <p key={one.key} class={`note ${one.tone}`}>{one.text}</p>)}</div>;
}

function Tiles(): VNode {
  beat.value;
  const v = (name: string) => secondly.value(name);
  const requests = v('requests') ?? 0;
  const failed = v('errors') ?? 0;
  const so = state.value;
  return (
    <div class="tiles">
      <Tile label="Requests" value={rate(v('requests'))} note={failed > 0 ? `${share(failed / Math.max(requests, failed))} failed` : undefined} bad={failed > 0.05 * requests && failed > 0} />
      <Tile label="Latency, p95" value={time(v('latency_p95'))} />
      <Tile label="Answering now" value={count(v('permits_in_use'))} note={`of ${count(v('permits'))}`} />
      <Tile label="Waiting" value={count(v('waiting'))} bad={(v('waiting') ?? 0) > 0 && (v('waiting') ?? 0) >= (v('waiting_max') ?? 1)} />
      <Tile label="Jobs not ended" value={count(v('jobs_depth'))} note={(v('jobs_dead') ?? 0) > 0 ? `${count(v('jobs_dead'))} given up` : undefined} />
      <Tile label="Memory" value={bytes(v('memory_resident'))} note={share(v('pressure.memory'))} bad={(v('level.memory') ?? 0) > 0} />
      <Tile label="Processor" value={share(v('cpu'))} note={(v('level.cpu') ?? 0) > 0 ? 'under pressure' : undefined} bad={(v('level.cpu') ?? 0) > 0} />
      <Tile label="Running for" value={so ? seconds(Math.max(0, Math.floor(now.value - so.started_at))) : '–'} />
    </div>
  );
}

function linesOf(spec: Spec, columns: Columns): Line[] {
  if (typeof spec.lines !== 'string') return spec.lines.map(([name, label]) => ({ name, label }));
  const prefix = spec.lines;
  return columns.names(prefix).slice(0, 12).map((name) => ({ name, label: name.slice(prefix.length) }));
}

function GroupView({ group, columns }: { group: Group; columns: Columns }): VNode {
  // Read, so that columns which appear with their first measurement get their chart.
  beat.value;
  const charts = group.charts.map((spec) => ({ spec, lines: linesOf(spec, columns) }))
    .filter(({ lines }) => lines.some((line) => columns.series.has(line.name)));
  return (
    <section aria-label={group.title}>
      <h2>{group.title}</h2>
      {group.title === 'Machine' && state.value ? <Ladder so={state.value} /> : null}
      {group.title === 'Models' && state.value ? <Providers so={state.value} /> : null}
      {charts.length ? null : columns.times.length ? null :
        <Empty title="Nothing measured yet"><p>The first figures come within a second{range.value === '86400' ? '; those of minutes within two minutes' : ''}.</p></Empty>}
      <div class="charts">
        {charts.map(({ spec, lines }) => (
          <Chart key={spec.title} title={spec.title} lines={lines} columns={columns} seconds={Number(range.value)}
                 beat={beat} say={spec.say} max={spec.max} step={spec.step} />
        ))}
      </div>
    </section>
  );
}

const LEVEL_TONE: Record<string, Tone> = { normal: 'ok', soft: 'warn', hard: 'bad' };

/** Each resource: how near its end it is, and on which step of the ladder. */
function Ladder({ so }: { so: State }): VNode {
  beat.value;
  const names = Object.keys(so.levels);
  return (
    <div class="card ladder">
      {names.map((name) => {
        const pressure = secondly.value(`pressure.${name}`) ?? 0;
        const at = so.levels[name]!;
        return (
          <div key={name}><span>{name}</span><Meter value={pressure} label={`Pressure: ${name}`} tone={LEVEL_TONE[at] ?? 'plain'} />
            <span class="num">{share(pressure)}</span><Chip tone={LEVEL_TONE[at] ?? 'plain'}>{at}</Chip></div>
        );
      })}
      {Object.entries(so.pools).map(([name, pool]) => (
        <div key={`pool ${name}`}><span>pool {name}</span><Meter value={pool.used / Math.max(1, pool.max)} label={`Pool ${name}`} tone={pool.used >= pool.max ? 'warn' : 'plain'} />
          <span class="num">{count(pool.used)} / {count(pool.max)}</span><span /></div>
      ))}
      <p class="faint small">{so.permit_factor < 1 ? `Permits are cut to ${share(so.permit_factor)}. ` : ''}Soft from 85 %, hard from 95 %; what goes first at each step is in docs/resources.md.</p>
    </div>
  );
}

function Providers({ so }: { so: State }): VNode | null {
  if (!so.providers.length && !so.hosts.length) {
    return <Empty title="No model provider"><p>The built-in answerer quotes your documents. Name a provider in the configuration, or start Ollama on this machine, and it appears here.</p></Empty>;
  }
  return (
    <div class="pair">
      <Grid label="Providers" card heads={['Name', 'State', 'Breaker']}>{so.providers.map((one) => (
          <tr key={one.name}><td>{one.name}</td><td><Chip tone={one.up ? 'ok' : 'bad'}>{one.up ? 'up' : 'down'}</Chip> <span class="faint small">{one.why}</span></td>
            <td><Chip tone={one.breaker === 'closed' ? 'ok' : one.breaker === 'open' ? 'bad' : 'warn'}>{one.breaker.replace('_', ' ')}</Chip></td></tr>
        ))}</Grid>
      {so.hosts.length ? <Grid label="Model hosts" card heads={['Name', 'State', 'Details']}>{so.hosts.map((one) => (
          <tr key={one.name}><td>{one.name}</td><td><Chip tone={one.state === 'ready' ? 'ok' : one.state === 'failed' ? 'bad' : 'busy'}>{one.state}</Chip></td>
            <td class="faint small">{String(one['why'] ?? one['model'] ?? '')}</td></tr>
        ))}</Grid> : null}
    </div>
  );
}

interface SlowRow { id: string; at: string; method: string; route: string; status: number; total_ms: number; queue_ms: number;
                    first_token_ms: number; provider: string; model: string; stream: boolean }

/** Slow requests, each with where its time went. */
function Slow(): VNode {
  const got = useLoad((by) => call<{ data: SlowRow[]; threshold_ms: number; total: number }>('/admin/slow?limit=25', { signal: by }),
    [may.value.look], 5_000);
  return (
    <section>
      <h2>Slow requests</h2>
      <ErrorNote error={got.error} />
      {got.data?.data.length === 0 ? <p class="faint">None took {millis(got.data.threshold_ms)} or longer since the start.</p> : null}
      {got.data?.data.length ? (
        <Grid label="Slow requests" heads={['When', 'Request', '>Status', 'Time', '>Waited', '>First token', '>Total', 'Model']} caption={<>{plural(got.data.total, 'request')} took {millis(got.data.threshold_ms)} or longer. Bars: waiting, until the first token, the rest.</>}>{got.data.data.map((one) => <SlowLine key={one.id + one.at} one={one} />)}</Grid>
      ) : null}
    </section>
  );
}

function SlowLine({ one }: { one: SlowRow }): VNode {
  const first = Math.max(0, one.first_token_ms - one.queue_ms);
  const parts: [string, number][] = [['wait', one.queue_ms], ['first', first], ['rest', Math.max(0, one.total_ms - one.queue_ms - first)]];
  return (
    <tr title={one.id}>
      <td class="num">{moment(one.at)}</td><td>{one.method} {one.route}</td><td class="right num">{one.status}</td>
      <td class="main"><span class="breakdown" aria-hidden="true">{parts.map(([name, ms]) => <i class={name} style={{ flexGrow: ms }} />)}</span></td>
      <td class="right num">{millis(one.queue_ms)}</td><td class="right num">{one.first_token_ms ? millis(one.first_token_ms) : '–'}</td>
      <td class="right num">{millis(one.total_ms)}</td><td>{[one.provider, one.model].filter(Boolean).join(' / ')}</td>
    </tr>
  );
}
