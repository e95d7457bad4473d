// HTTP/1.1 over raw sockets for the scriptable provider: reads requests strictly in order and lets
// the answerer write any bytes it likes, also broken ones. Used by provider.mjs; knows no format.

const HEAD_MAX = 1 << 20;

/** Reads one chunked body from `buffer`; null while it is incomplete. */
function read_chunked(buffer, from) {
  const parts = [];
  let at = from;
  for (;;) {
    const line = buffer.indexOf('\r\n', at);
    if (line < 0) return null;
    const size = parseInt(buffer.toString('latin1', at, line), 16);
    if (!Number.isFinite(size)) throw new Error('bad chunk size');
    if (size === 0) {
      const end = buffer.indexOf('\r\n', line + 2);
      return end < 0 ? null : { body: Buffer.concat(parts), end: end + 2 };
    }
    if (buffer.length < line + 2 + size + 2) return null;
    parts.push(buffer.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}

/** One request from the front of `buffer`: {request, end}, or null while it is incomplete. */
export function parse_request(buffer) {
  const head_end = buffer.indexOf('\r\n\r\n');
  if (head_end < 0) {
    if (buffer.length > HEAD_MAX) throw new Error('head too long');
    return null;
  }
  const lines = buffer.toString('latin1', 0, head_end).split('\r\n');
  const [method, target, version] = lines[0].split(' ');
  const header_list = lines.slice(1).map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const headers = {};
  for (const [name, value] of header_list) headers[name.toLowerCase()] = value;
  const start = head_end + 4;
  let body = Buffer.alloc(0);
  let end = start;
  if (/chunked/i.test(headers['transfer-encoding'] ?? '')) {
    const read = read_chunked(buffer, start);
    if (!read) return null;
    ({ body, end } = read);
  } else if (headers['content-length']) {
    end = start + Number(headers['content-length']);
    if (buffer.length < end) return null;
    body = buffer.subarray(start, end);
  }
  const [path, query = ''] = target.split('?');
  return {
    request: { method, target, path, query, version, headers, header_list, body: Buffer.from(body) },
    end,
  };
}

/** The writing side of one connection. Every wait also ends when the client goes away. */
export class Wire {
  constructor(socket) {
    this.socket = socket;
    this.closed = false;
    this.gone = new Promise((resolve) => (this.mark_gone = resolve));
    const end = () => {
      this.closed = true;
      this.mark_gone();
    };
    socket.on('close', end);
    socket.on('end', end);
    socket.on('error', end);
  }

  write(bytes) {
    if (this.closed || this.socket.destroyed) return Promise.resolve();
    if (this.socket.write(bytes)) return Promise.resolve();
    return Promise.race([new Promise((go) => this.socket.once('drain', go)), this.gone]);
  }

  sleep(ms) {
    let timer;
    const slept = new Promise((go) => (timer = setTimeout(go, ms)));
    return Promise.race([slept, this.gone]).finally(() => clearTimeout(timer));
  }

  reset() {
    (this.socket._parent ?? this.socket).resetAndDestroy?.();  // of a TLS socket: the TCP one below
    this.socket.destroy();
  }

  fin() {
    this.socket.end();
  }

  head(status, headers) {
    const lines = Object.entries(headers)
      .flatMap(([name, value]) => [].concat(value).map((one) => `${name}: ${one}\r\n`));
    return this.write(`HTTP/1.1 ${status} ${reason(status)}\r\n${lines.join('')}\r\n`);
  }

  async body(status, headers, bytes) {
    const data = Buffer.from(bytes);
    await this.head(status, { ...headers, 'content-length': data.length });
    await this.write(data);
  }

  /** One HTTP chunk; `piece` splits the data into chunks of that many bytes, each its own write. */
  async chunk(data, piece = 0) {
    const bytes = Buffer.from(data);
    if (!piece) {
      const head = `${bytes.length.toString(16)}\r\n`;
      await this.write(Buffer.concat([Buffer.from(head), bytes, Buffer.from('\r\n')]));
      return;
    }
    for (let at = 0; at < bytes.length && !this.closed; at += piece) {
      await this.chunk(bytes.subarray(at, at + piece));
      await new Promise(setImmediate);
    }
  }
}

/** Serves one socket: requests one after the other, each answered by `answer(request, wire)`. */
export function serve_socket(socket, answer) {
  const wire = new Wire(socket);
  let buffer = Buffer.alloc(0);
  let busy = false;
  const next = async () => {
    if (busy) return;
    let parsed;
    try {
      parsed = parse_request(buffer);
    } catch (error) {
      socket.end(`HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
      return;
    }
    if (!parsed) return;
    buffer = buffer.subarray(parsed.end);
    busy = true;
    try {
      await answer(parsed.request, wire);
    } catch (error) {
      process.stderr.write(`provider: ${error.stack}\n`);
      socket.destroy();
    }
    busy = false;
    if (!socket.destroyed) next();
  };
  socket.setNoDelay(true);
  socket.on('data', (data) => {
    buffer = Buffer.concat([buffer, data]);
    next();
  });
  socket.on('end', () => socket.end());
  return wire;
}

const REASONS = {
  200: 'OK', 301: 'Moved Permanently', 302: 'Found', 307: 'Temporary Redirect', 400: 'Bad Request',
  401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 408: 'Request Timeout',
  413: 'Payload Too Large', 422: 'Unprocessable Entity', 429: 'Too Many Requests',
  500: 'Internal Server Error', 502: 'Bad Gateway', 503: 'Service Unavailable',
  504: 'Gateway Timeout', 529: 'Overloaded',
};
function reason(status) {
  return REASONS[status] ?? 'Status';
}
