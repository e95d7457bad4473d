// A chart of some series over time, with its table twin. Drawn by uPlot on a canvas; colours come from
// the theme, and nothing is drawn while the chart is out of sight.
import type { VNode } from 'preact';
import { effect, signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { clock, day } from '../lib/format';
import type { Column, Columns } from '../lib/live';
import { theme } from './theme';

export interface Line { name: string; label: string }
export interface ChartProps {
  title: string;
  /** What is drawn; at most six lines tell themselves apart. */
  lines: Line[];
  columns: Columns;
  seconds: number;
  /** Read on each draw: a signal that counts samples. */
  beat: { value: number };
  say: (value: number | null) => string;
  max?: number;
  step?: boolean;
}

const TABLE_ROWS = 30;
/** The time under the pointer, in all charts at once; 0: none. */
const pointed = signal(0);
/** Where the x axis may have its marks, in seconds. */
const MARKS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

function colours(): { line: string[]; text: string; grid: string } {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(name).trim();
  return { line: [1, 2, 3, 4, 5, 6].map((n) => of(`--line-${n}`)), text: of('--faint'), grid: of('--grid') };
}

function options(props: ChartProps, width: number): uPlot.Options {
  const { line, text, grid } = colours();
  const font = '11px system-ui, sans-serif';
  const days = props.seconds > 7200;
  return {
    width, height: 132, padding: [8, 24, 0, 0], legend: { show: false, markers: {} },
    cursor: { show: false, points: {}, drag: {} }, select: { show: false } as uPlot.Select,
    scales: { x: { time: true }, y: { range: (_, low, high) => [Math.min(0, low ?? 0), props.max ?? ((high ?? 0) > 0 ? high * 1.08 : 1)] } },
    axes: [
      { stroke: text, font, grid: { stroke: grid, width: 1 }, ticks: { show: false }, size: 22, space: 70, incrs: MARKS,
        values: (_, at) => at.map((t) => clock(t).slice(0, days ? 5 : 8)) },
      { stroke: text, font, grid: { stroke: grid, width: 1 }, ticks: { show: false }, size: 58, space: 28,
        values: (_, at) => at.map((v) => props.say(v)) },
    ],
    series: [{}, ...props.lines.map((_, i) => ({
      stroke: line[i % 6]!, width: 1.5, points: { show: false }, dash: i >= 6 ? [4, 3] : undefined,
      paths: path(props.step),
    }))] as uPlot.Series[],
  };
}

/** A line through what was measured, interrupted where nothing was; `step`: in steps. */
function path(step?: boolean): uPlot.Series.PathBuilder {
  return (u, series, from, to) => {
    const stroke = new Path2D();
    const [times, values] = [u.data[0], u.data[series]!];
    let drawn = false;
    for (let i = from; i <= to; i += 1) {
      const value = values[i];
      if (value === null || value === undefined) {
        drawn = false;
        continue;
      }
      const x = u.valToPos(times[i]!, 'x', true);
      const y = u.valToPos(value, 'y', true);
      if (drawn && step) stroke.lineTo(x, u.valToPos(values[i - 1]!, 'y', true));
      if (drawn) stroke.lineTo(x, y);
      else stroke.moveTo(x, y);
      drawn = true;
    }
    return { stroke, fill: null, clip: null, band: null, gaps: null, flags: 1 } as unknown as uPlot.Series.Paths;
  };
}

function dataOf(props: ChartProps): uPlot.AlignedData {
  const from = props.columns.from(props.seconds);
  const times = props.columns.times.slice(from);
  const none = () => new Array<number | null>(times.length).fill(null);
  return [times, ...props.lines.map((one) => props.columns.series.get(one.name)?.slice(from) ?? none())] as uPlot.AlignedData;
}

export function Chart(props: ChartProps): VNode {
  const [asTable, setTable] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const names = props.lines.map((one) => one.name).join();
  useEffect(() => {
    if (asTable) return undefined;
    return draw(box.current!, props);
  }, [asTable, names, props.columns, props.seconds, theme.value]);
  return (
    <figure class="card chart">
      <figcaption><h3>{props.title}</h3>
        <button type="button" class="quiet small" aria-pressed={asTable} onClick={() => setTable(!asTable)}
                aria-label={`${props.title} as a table`}>Table</button></figcaption>
      {asTable ? <Twin {...props} /> :
        <div class="plot" ref={box} role="img" aria-label={`${props.title}: ${props.lines.map((l) => l.label).join(', ')} over time. The button Table shows the figures.`} />}
      <Legend {...props} />
    </figure>
  );
}

/** Draws until the returned function is called. */
function draw(box: HTMLDivElement, props: ChartProps): () => void {
  const plot = new uPlot(options(props, Math.max(120, box.clientWidth)), dataOf(props), box);
  const seen = signal(false);
  const look = new IntersectionObserver((found) => { seen.value = found[found.length - 1]!.isIntersecting; });
  look.observe(box);
  let width = box.clientWidth;
  const size = new ResizeObserver(() => {
    if (box.clientWidth === width || box.clientWidth < 40) return;
    width = box.clientWidth;
    plot.setSize({ width, height: 132 });
  });
  size.observe(box);
  const stop = effect(() => {
    props.beat.value;
    if (seen.value) plot.setData(dataOf(props));
  });
  const hair = document.createElement('i');
  plot.over.append(hair);
  plot.over.onpointermove = (event) => { pointed.value = plot.data[0]![plot.posToIdx(event.offsetX)] ?? 0; };
  plot.over.onpointerleave = () => { pointed.value = 0; };
  const stopHair = effect(() => {
    const x = pointed.value ? plot.valToPos(pointed.value, 'x') : -1;
    hair.hidden = !(x >= 0 && x <= plot.over.clientWidth);
    hair.style.left = `${x}px`;
  });
  return () => {
    stop();
    stopHair();
    look.disconnect();
    size.disconnect();
    plot.destroy();
  };
}

function Legend({ lines, columns, beat, say }: ChartProps): VNode {
  beat.value;
  const at = pointed.value ? columns.at(pointed.value) : columns.times.length - 1;
  return (
    <ul class="legend">
      {lines.map((one, i) => (
        <li key={one.name}><i style={{ background: `var(--line-${(i % 6) + 1})` }} />{one.label} <b class="num">{say(columns.series.get(one.name)?.[at] ?? null)}</b></li>
      ))}
      {pointed.value ? <li class="num">{clock(pointed.value)}</li> : null}
    </ul>
  );
}

/** The same figures as a table: the latest, newest first. */
function Twin({ title, lines, columns, beat, seconds, say }: ChartProps): VNode {
  beat.value;
  const from = columns.from(seconds);
  const end = columns.times.length;
  const stride = Math.max(1, Math.ceil((end - from) / TABLE_ROWS));
  const rows: number[] = [];
  for (let i = end - 1; i >= from && rows.length < TABLE_ROWS; i -= stride) rows.push(i);
  const at = (name: string, i: number) => (columns.series.get(name) as Column | undefined)?.[i] ?? null;
  return (
    <div class="scroll twin" tabIndex={0} role="region" aria-label={`${title}, table`}>
      <table>
        <caption class="unseen">{title}</caption>
        <thead><tr><th>Time</th>{lines.map((one) => <th class="right">{one.label}</th>)}</tr></thead>
        <tbody>{rows.map((i) => (
          <tr key={columns.times[i]}><td class="num">{seconds > 7200 ? `${day(columns.times[i]!)} ` : ''}{clock(columns.times[i]!)}</td>
            {lines.map((one) => <td class="right num">{say(at(one.name, i))}</td>)}</tr>
        ))}</tbody>
      </table>
    </div>
  );
}
