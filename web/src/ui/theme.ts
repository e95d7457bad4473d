// Light or dark: what the system prefers, unless the reader chose.
import { effect, signal } from '@preact/signals';

export type Choice = 'auto' | 'light' | 'dark';
const STORE = 'mainstay.theme';

const system = typeof matchMedia === 'undefined' ? null : matchMedia('(prefers-color-scheme: dark)');
const stored = typeof localStorage === 'undefined' ? null : localStorage.getItem(STORE);

export const choice = signal<Choice>(stored === 'light' || stored === 'dark' ? stored : 'auto');
/** What is shown now. */
export const theme = signal<'light' | 'dark'>('light');

export function start(): void {
  const apply = () => {
    const dark = choice.value === 'dark' || (choice.value === 'auto' && system!.matches);
    document.documentElement.dataset['theme'] = dark ? 'dark' : 'light';
    theme.value = dark ? 'dark' : 'light';
  };
  effect(apply);
  system!.addEventListener('change', apply);
}

export function toggle(): void {
  const next: Choice = theme.value === 'dark' ? 'light' : 'dark';
  const fits = (next === 'dark') === system!.matches;
  choice.value = fits ? 'auto' : next;
  if (fits) localStorage.removeItem(STORE);
  else localStorage.setItem(STORE, next);
}
