// HTTP by hand: sends exact bytes over a socket and reads what comes back. Used by the suites about
// smuggling, limits, slow clients and stopping.
import net from 'node:net';

/** Splits received bytes into responses: [{status, headers, body}], and what is left over. */
export function responses_of(bytes, { head_only = false } = {}) {
  const out = [];
  let rest = bytes;
  while (rest.length) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) break;
    const lines = rest.slice(0, end).split('\r\n');
    const headers = Object.fromEntries(lines.slice(1).map((l) => {
      const colon = l.indexOf(':');
      return [l.slice(0, colon).toLowerCase(), l.slice(colon + 1).trim()];
    }));
    const status = Number(lines[0].split(' ')[1]);
    const { body, used } = body_of(rest.slice(end + 4), status, headers, head_only);
    out.push({ status, headers, body });
    rest = rest.slice(end + 4 + used);
  }
  return { responses: out, rest };
}

function body_of(text, status, headers, head_only) {
  if (head_only || status === 204 || status === 304 || status < 200) return { body: '', used: 0 };
  if (!/chunked/i.test(headers['transfer-encoding'] ?? '')) {
    const length = headers['content-length'] === undefined ? text.length : Number(headers['content-length']);
    return { body: text.slice(0, length), used: Math.min(length, text.length) };
  }
  let at = 0;
  let body = '';
  for (;;) {
    const line = text.indexOf('\r\n', at);
    if (line < 0) return { body, used: text.length };
    const size = parseInt(text.slice(at, line), 16);
    if (!size) return { body, used: Math.min(line + 4, text.length) };
    body += text.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
}

/** A socket with what it has received; ends with the test. */
export class RawSocket {
  constructor(port, { host = '127.0.0.1', allowHalfOpen = false } = {}) {
    this.received = '';
    this.closed = false;
    this.socket = net.connect({ port, host, allowHalfOpen });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text) => { this.received += text; this.changed(); });
    this.gone = new Promise((resolve) => {
      const end = () => { this.closed = true; this.changed(); resolve(); };
      this.socket.on('close', end);
      this.socket.on('end', end);
      this.socket.on('error', end);
    });
    this.watching = [];
  }

  changed() {
    for (const look of [...this.watching]) look();
  }

  send(bytes) {
    return new Promise((go) => this.socket.write(bytes, 'latin1', () => go()));
  }

  /** Resolves when `condition(received, closed)` holds; rejects after limit_ms. */
  until(condition, limit_ms = 10_000) {
    return new Promise((resolve, reject) => {
      const stop = (done, value) => {
        clearTimeout(timer);
        this.watching = this.watching.filter((one) => one !== look);
        done(value);
      };
      const look = () => { if (condition(this.received, this.closed)) stop(resolve, this.received); };
      const timer = setTimeout(() => stop(reject,
        new Error(`socket: nothing more; closed=${this.closed} received=${JSON.stringify(this.received.slice(0, 600))}`)), limit_ms);
      this.watching.push(look);
      look();
    });
  }

  until_responses(n, limit_ms) {
    return this.until((text) => {
      const { responses } = responses_of(text);
      return responses.length >= n && complete(responses.at(-1));
    }, limit_ms).then((text) => responses_of(text).responses);
  }

  destroy() {
    this.socket.destroy();
  }
}

const complete = ({ headers, body }) => headers['content-length'] === undefined ||
  body.length >= Number(headers['content-length']);

/** Sends `bytes` on a new socket and reads until the server closes: {responses, received}. */
export async function exchange(port, bytes, { limit_ms = 10_000, ...options } = {}) {
  const socket = new RawSocket(port, options);
  try {
    await socket.send(bytes);
    await socket.until((_, closed) => closed, limit_ms);
    return { ...responses_of(socket.received), received: socket.received };
  } finally {
    socket.destroy();
  }
}

/** The bytes of a request with the given header lines. */
export const request_bytes = (method, target, lines = [], body = '') =>
  `${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n${lines.map((l) => `${l}\r\n`).join('')}\r\n${body}`;
