// Numbers, sizes and times as people read them. Pure; used by every page and tested in node.

/** 1234567 -> "1.23 M"; small numbers keep at most two decimals. */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 1e9) return `${trim(value / 1e9)} G`;
  if (size >= 1e6) return `${trim(value / 1e6)} M`;
  if (size >= 1e4) return `${trim(value / 1e3)} k`;
  return trim(value);
}

function trim(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2;
  const text = value.toFixed(digits);
  return digits === 0 ? text : text.replace(/\.?0+$/, '');
}

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let left = value;
  while (Math.abs(left) >= 1024 && unit < units.length - 1) {
    left /= 1024;
    unit += 1;
  }
  return `${trim(left)} ${units[unit]}`;
}

/** 0.42 -> "42 %". */
export function share(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  return `${trim(value * 100)} %`;
}

export function millis(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  if (value < 1000) return `${trim(value)} ms`;
  return seconds(value / 1000);
}

/** A length of time: "4.2 s", "3 min", "2 h 5 min", "3 d". */
export function seconds(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  if (value < 60) return `${trim(value)} s`;
  const minutes = Math.floor(value / 60);
  if (minutes < 60) {
    const rest = Math.floor(value % 60);
    return minutes < 10 && rest > 0 ? `${minutes} min ${rest} s` : `${minutes} min`;
  }
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} d`;
}

/** How long ago a moment in Unix seconds was: "just now", "5 min ago", else the date. */
export function ago(at: number | null | undefined, now: number): string {
  if (!at) return '–';
  const passed = now - at;
  if (passed < 0) return `in ${seconds(-passed)}`;
  if (passed < 5) return 'just now';
  if (passed < 86400) return `${seconds(Math.floor(passed))} ago`;
  return day(at);
}

export function day(at: number): string {
  return new Date(at * 1000).toLocaleDateString(undefined,
    { year: 'numeric', month: 'short', day: 'numeric' });
}

export function clock(at: number): string {
  return new Date(at * 1000).toLocaleTimeString(undefined, { hour12: false });
}

/** A time stamp of the server ("2026-01-02T03:04:05.678Z") or Unix seconds, as local date and time. */
export function moment(at: string | number | null | undefined): string {
  if (at === null || at === undefined || at === '') return '–';
  const date = new Date(typeof at === 'number' ? at * 1000 : at);
  if (Number.isNaN(date.getTime())) return String(at);
  return date.toLocaleString(undefined, { hour12: false, dateStyle: 'medium', timeStyle: 'medium' });
}

/** "1 document", "3 documents". */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}
