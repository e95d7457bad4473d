// Markdown as models write it, parsed into a tree. Pure: no text becomes markup here; ui/markdown.tsx
// makes nodes of the tree. What is not closed yet (an answer still streaming) reads as if it were.

export type Inline =
  | { kind: 'text'; text: string }
  | { kind: 'code'; text: string }
  | { kind: 'strong' | 'em' | 'del'; of: Inline[] }
  | { kind: 'link'; href: string; of: Inline[] }
  | { kind: 'cite'; number: number }
  | { kind: 'break' };

export type Block =
  | { kind: 'paragraph'; of: Inline[] }
  | { kind: 'heading'; level: number; of: Inline[] }
  | { kind: 'code'; language: string; text: string }
  | { kind: 'list'; ordered: boolean; start: number; tight: boolean; items: Item[] }
  | { kind: 'quote'; of: Block[] }
  | { kind: 'table'; align: Align[]; head: Inline[][]; rows: Inline[][][] }
  | { kind: 'rule' };

export interface Item { checked: boolean | null; of: Block[] }
export type Align = '' | 'left' | 'center' | 'right';

const DEPTH_MAX = 12;
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:\s+(.*?))?\s*#*\s*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const BULLET = /^( {0,3})([-*+]|\d{1,9}[.)])(\s+|$)(.*)$/;
const QUOTE = /^ {0,3}> ?(.*)$/;
const TABLE_RULE = /^ {0,3}\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

export function parseMarkdown(text: string): Block[] {
  return blocks(text.replace(/\r\n?/g, '\n').replace(/\t/g, '    ').split('\n'), 0);
}

function blocks(lines: string[], depth: number): Block[] {
  const out: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at]!;
    if (line.trim() === '') {
      at += 1;
      continue;
    }
    const took = depth < DEPTH_MAX ? container(lines, at, depth, out) : 0;
    at += took || leaf(lines, at, out);
  }
  return out;
}

/** A quote or a list at `at`: adds it and returns how many lines it took; 0: neither. */
function container(lines: string[], at: number, depth: number, out: Block[]): number {
  const line = lines[at]!;
  if (QUOTE.test(line)) {
    const inner: string[] = [];
    let end = at;
    for (; end < lines.length && lines[end]!.trim() !== ''; end += 1) {
      const quoted = QUOTE.exec(lines[end]!);
      if (!quoted && starts(lines[end]!)) break;
      inner.push(quoted ? quoted[1]! : lines[end]!);
    }
    out.push({ kind: 'quote', of: blocks(inner, depth + 1) });
    return end - at;
  }
  if (BULLET.test(line) && !RULE.test(line)) return list(lines, at, depth, out);
  return 0;
}

function list(lines: string[], at: number, depth: number, out: Block[]): number {
  const first = BULLET.exec(lines[at]!)!;
  const ordered = /\d/.test(first[2]!);
  const items: Item[] = [];
  let tight = true;
  let end = at;
  while (end < lines.length) {
    const bullet = BULLET.exec(lines[end]!);
    if (!bullet || RULE.test(lines[end]!) || /\d/.test(bullet[2]!) !== ordered) break;
    const indent = bullet[1]!.length + bullet[2]!.length + Math.min(bullet[3]!.length || 1, 4);
    const inner = [bullet[4]!];
    let blank = false;
    for (end += 1; end < lines.length; end += 1) {
      const next = lines[end]!;
      if (next.trim() === '') {
        blank = true;
        inner.push('');
        continue;
      }
      const spaces = next.length - next.trimStart().length;
      // Two spaces are enough for what belongs to the item: models write nested lists that way.
      if (spaces >= Math.min(indent, 2)) {
        if (blank && spaces < indent && !BULLET.test(next.trimStart())) tight = false;
        inner.push(next.slice(Math.min(spaces, indent)));
      } else if (!blank && !starts(next)) {
        inner.push(next);
      } else {
        break;
      }
      blank = false;
    }
    const more = end < lines.length && BULLET.test(lines[end]!);
    if (blank && more) tight = false;
    items.push(item(inner, depth));
  }
  out.push({ kind: 'list', ordered, start: ordered ? parseInt(first[2]!, 10) : 1, tight, items });
  return end - at;
}

function item(lines: string[], depth: number): Item {
  const task = /^\[([ xX])\]\s+(.*)$/.exec(lines[0]!);
  const checked = task ? task[1] !== ' ' : null;
  if (task) lines[0] = task[2]!;
  return { checked, of: blocks(lines, depth + 1) };
}

/** A block without blocks in it at `at`: adds it and returns how many lines it took. */
function leaf(lines: string[], at: number, out: Block[]): number {
  const line = lines[at]!;
  const fence = FENCE.exec(line);
  if (fence) return fenced(lines, at, fence, out);
  const heading = HEADING.exec(line);
  if (heading) {
    out.push({ kind: 'heading', level: heading[1]!.length, of: inline(heading[2] ?? '') });
    return 1;
  }
  if (RULE.test(line)) {
    out.push({ kind: 'rule' });
    return 1;
  }
  if (line.includes('|') && at + 1 < lines.length && TABLE_RULE.test(lines[at + 1]!) &&
      cells(line).length === cells(lines[at + 1]!).length) {
    return table(lines, at, out);
  }
  let end = at + 1;
  while (end < lines.length && lines[end]!.trim() !== '' && !starts(lines[end]!)) end += 1;
  out.push({ kind: 'paragraph', of: inline(lines.slice(at, end).map((l) => l.trimStart()).join('\n')) });
  return end - at;
}

/** True when a line begins something that ends a paragraph. */
function starts(line: string): boolean {
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) ||
    BULLET.test(line);
}

function fenced(lines: string[], at: number, fence: RegExpExecArray, out: Block[]): number {
  const mark = fence[1]!;
  let end = at + 1;
  const closing = new RegExp(`^ {0,3}${mark[0] === '`' ? '`' : '~'}{${mark.length},}\\s*$`);
  while (end < lines.length && !closing.test(lines[end]!)) end += 1;
  out.push({ kind: 'code', language: fence[2]!.trim().split(/\s/)[0] ?? '',
             text: lines.slice(at + 1, end).join('\n') });
  return Math.min(end + 1, lines.length) - at;
}

function cells(line: string): string[] {
  const bare = line.trim().replace(/^\|/, '').replace(/(?<!\\)\|$/, '');
  return bare.split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, '|'));
}

function table(lines: string[], at: number, out: Block[]): number {
  const head = cells(lines[at]!).map(inline);
  const align = cells(lines[at + 1]!).map((rule): Align =>
    (rule.startsWith(':') ? (rule.endsWith(':') ? 'center' : 'left') : rule.endsWith(':') ? 'right' : ''));
  const rows: Inline[][][] = [];
  let end = at + 2;
  for (; end < lines.length && lines[end]!.trim() !== '' && lines[end]!.includes('|'); end += 1) {
    const row = cells(lines[end]!).slice(0, head.length).map(inline);
    while (row.length < head.length) row.push([]);
    rows.push(row);
  }
  out.push({ kind: 'table', align, head, rows });
  return end - at;
}

/** Only addresses that a person may follow: the web and mail. */
export function safeHref(href: string): string | null {
  const bare = href.trim();
  return /^(https?:\/\/|mailto:)[^\s]+$/i.test(bare) ? bare : null;
}

const ESCAPED = /^\\([\\`*_{}[\]()#+\-.!|<>~])/;
const CODE = /^(`+)([^]*?[^`])\1(?!`)/;
const CITE = /^\[(\d{1,3})\](?!\()/;
const LINK = /^!?\[((?:[^[\]\\]|\\.|\[[^[\]]*\])*)\]\(\s*<?([^\s()<>]*(?:\([^\s()]*\)[^\s()<>]*)*)>?(?:\s+["'][^"']*["'])?\s*\)/;
const AUTO = /^<((?:https?:\/\/|mailto:)[^\s<>]+)>/i;
const BARE = /^https?:\/\/[^\s<>"'`]+[^\s<>"'`.,;:!?)\]}*_]/i;
const PLAIN = /^[^\\`*_~[\]!<\nh]+/;

export function inline(text: string, depth = 0): Inline[] {
  const out: Inline[] = [];
  let plain = '';
  const flush = () => {
    if (plain) out.push({ kind: 'text', text: plain });
    plain = '';
  };
  let left = text;
  let before = '';
  while (left) {
    const run = PLAIN.exec(left);
    const token = run ? null : special(left, before, depth);
    if (token && token.node) {
      flush();
      out.push(token.node);
    } else {
      plain += run ? run[0] : token ? token.text : left[0];
    }
    const took = run ? run[0].length : token ? token.took : 1;
    before = left[took - 1]!;
    left = left.slice(took);
  }
  flush();
  return out;
}

interface Token { took: number; node?: Inline; text: string }
const node = (took: number, made: Inline): Token => ({ took, node: made, text: '' });

function special(left: string, before: string, depth: number): Token | null {
  let m: RegExpExecArray | null;
  switch (left[0]) {
    case '\\':
      if (left[1] === '\n') return node(2, { kind: 'break' });
      m = ESCAPED.exec(left);
      return m ? { took: 2, text: m[1]! } : null;
    case '\n':
      return node(1, { kind: 'break' });
    case '`':
      m = CODE.exec(left);
      if (m) return node(m[0].length, { kind: 'code', text: m[2]!.replace(/^ (.+) $/s, '$1') });
      m = /^`+/.exec(left);
      return { took: m![0].length, text: m![0] };
    case '[':
    case '!':
      return bracket(left, depth);
    case '<':
      m = AUTO.exec(left);
      return m ? link(m[0].length, m[1]!, [{ kind: 'text', text: m[1]! }]) : null;
    case 'h':
      m = /\w/.test(before) ? null : BARE.exec(left);
      return m ? link(m[0].length, m[0], [{ kind: 'text', text: m[0] }]) : null;
    default:
      return depth < DEPTH_MAX ? emphasis(left, before, depth) : null;
  }
}

function bracket(left: string, depth: number): Token | null {
  const cite = CITE.exec(left);
  if (cite) return node(cite[0].length, { kind: 'cite', number: Number(cite[1]) });
  const m = depth < DEPTH_MAX ? LINK.exec(left) : null;
  if (!m) return null;
  // A picture is shown as a link: no request may leave the machine by itself.
  return link(m[0].length, m[2]!, inline(m[1] || m[2]!, depth + 1));
}

function link(took: number, target: string, of: Inline[]): Token {
  const href = safeHref(target);
  if (href) return node(took, { kind: 'link', href, of });
  return node(took, { kind: 'em', of });
}

/** `**strong**`, `*em*`, `_em_`, `~~del~~`. An underscore inside a word is a letter. */
function emphasis(left: string, before: string, depth: number): Token | null {
  const run = /^(\*+|_+|~+)/.exec(left)?.[0];
  if (!run) return null;
  const mark = run[0]!;
  const size = mark === '~' ? 2 : Math.min(run.length, 2);
  const opens = run.length >= size && /\S/.test(left[run.length] ?? '') &&
    !(mark === '_' && /\w/.test(before));
  if (opens && run.length <= 3) {
    for (const n of run.length === 3 ? [2] : [size]) {
      const end = closing(left, mark, n);
      if (end < 0) continue;
      const of = inline(left.slice(n, end), depth + 1);
      return node(end + n, { kind: mark === '~' ? 'del' : n === 2 ? 'strong' : 'em', of });
    }
  }
  return { took: run.length, text: run };
}

/** Where the run of `n` marks closes that opened at 0; -1: nowhere. */
function closing(text: string, mark: string, n: number): number {
  for (let at = n; at < text.length; at += 1) {
    const c = text[at];
    if (c === '\\') {
      at += 1;
    } else if (c === '`') {
      const code = CODE.exec(text.slice(at));
      if (code) at += code[0].length - 1;
    } else if (c === mark) {
      let size = 1;
      while (text[at + size] === mark) size += 1;
      const word = mark === '_' && /\w/.test(text[at + size] ?? '');
      if (size >= n && /\S/.test(text[at - 1]!) && !word && (n === 2 || size !== 2)) {
        return at + (size > n ? size - n : 0);
      }
      at += size - 1;
    }
  }
  return -1;
}

/** The tree as plain text, for reading aloud to assistive technology. */
export function plainText(of: Inline[]): string {
  return of.map((one) => {
    if (one.kind === 'text' || one.kind === 'code') return one.text;
    if (one.kind === 'break') return ' ';
    return one.kind === 'cite' ? `[${one.number}]` : plainText(one.of);
  }).join('');
}
