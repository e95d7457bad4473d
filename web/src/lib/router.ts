// The address behind '#': which page is shown, and of what. `#/chat/conv_1?find=tea`.
// parse() and href() are pure; the signal follows the browser.
import { signal } from '@preact/signals';

export interface Route {
  page: string;
  /** What follows the page: ids and sub-pages, decoded. */
  parts: string[];
  query: Record<string, string>;
}

export const PAGES = ['chat', 'voice', 'knowledge', 'jobs', 'dashboard', 'operate', 'sign-in'];

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replace(/\+/g, ' '));
  } catch {
    return text;
  }
}

export function parse(hash: string): Route {
  const bare = hash.replace(/^#?\/?/, '');
  const [path = '', search = ''] = split(bare, '?');
  const [page = '', ...parts] = path.split('/').filter((part) => part !== '').map(decode);
  const query: Record<string, string> = {};
  for (const pair of search.split('&')) {
    if (!pair) continue;
    const [name = '', value = ''] = split(pair, '=');
    query[decode(name)] = decode(value);
  }
  return { page: PAGES.includes(page) ? page : 'chat', parts: PAGES.includes(page) ? parts : [],
           query };
}

function split(text: string, by: string): [string, string] {
  const at = text.indexOf(by);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + by.length)];
}

export function href(page: string, parts: string[] = [], query: Record<string, string> = {}): string {
  const path = [page, ...parts].map(encodeURIComponent).join('/');
  const search = Object.entries(query).filter(([, value]) => value !== '')
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
  return `#/${path}${search ? `?${search}` : ''}`;
}

const here = () => (typeof location === 'undefined' ? '' : location.hash);

export const route = signal<Route>(parse(here()));

if (typeof window !== 'undefined') {
  window.addEventListener('hashchange', () => { route.value = parse(location.hash); });
}

export function go(page: string, parts: string[] = [], query: Record<string, string> = {}): void {
  location.hash = href(page, parts, query);
}

/** Changes the address without a new entry in the history. */
export function rename(page: string, parts: string[] = [], query: Record<string, string> = {}): void {
  history.replaceState(null, '', href(page, parts, query));
  route.value = parse(location.hash);
}
