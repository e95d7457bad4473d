// Job events of the user over the WebSocket /v1/ws, while a page listens. Lost connections are opened
// again and go on behind the last event. What the events say is a hint: the lists are read anew.
import { signal } from '@preact/signals';
import { keys } from './api';

export interface JobEvent { event: string; job: string; data: any; event_id?: string }

export const connected = signal(false);
/** The latest event; who needs it reads it in an effect. */
export const latest = signal<JobEvent | null>(null);

let listeners = 0;
let socket: WebSocket | null = null;
let place = '';
let tries = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

export function listen(): () => void {
  listeners += 1;
  update();
  return () => { listeners -= 1; update(); };
}

/** Another user: its events, from now on. */
export function forget(): void {
  place = '';
  latest.value = null;
  const open = socket;
  socket = null;
  open?.close();
  update();
}

function update(): void {
  const wanted = listeners > 0 && !document.hidden;
  if (wanted && !socket) connect();
  if (!wanted && socket) {
    socket.close();
    socket = null;
    connected.value = false;
  }
}

if (typeof document !== 'undefined') document.addEventListener('visibilitychange', update);

function connect(): void {
  clearTimeout(timer);
  const url = new URL('/v1/ws', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const key = keys.user.value;
  const one = new WebSocket(url, key ? ['mainstay.v1', `bearer.${key}`] : ['mainstay.v1']);
  socket = one;
  one.onmessage = (event) => {
    const said = JSON.parse(String(event.data));
    if (said.type === 'ready') {
      tries = 0;
      connected.value = true;
      one.send(JSON.stringify({ type: 'attach', last_event_id: place || said.place }));
    } else if (said.type === 'event') {
      if (said.event_id) place = said.event_id;
      latest.value = said;
    } else if (said.type === 'missed') {
      latest.value = { event: 'missed', job: '', data: {} };
    }
  };
  one.onclose = () => {
    if (socket !== one) return;
    socket = null;
    connected.value = false;
    tries += 1;
    timer = setTimeout(update, Math.min(500 * 2 ** tries, 15_000));
  };
}
