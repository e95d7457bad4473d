// Reads a streamed chat reply event by event, or to its end. Used by harness.mjs.

export class SseReader {
  constructor(request, response) {
    Object.assign(this, { request, response, status: response.statusCode, headers: response.headers });
    this.buffer = '';
    this.raw = '';
    this.waiting = [];
    this.queue = [];
    this.ended = null;
    response.setEncoding('utf8');
    response.on('data', (text) => this.take(text));
    response.on('end', () => this.end('clean'));
    response.on('aborted', () => this.end('broken'));
    response.on('error', () => this.end('broken'));
    response.on('close', () => this.end('broken'));
    request.on('error', () => this.end('broken'));
  }

  take(text) {
    this.raw += text;
    this.buffer += text;
    for (;;) {
      const end = this.buffer.indexOf('\n\n');
      if (end < 0) return;
      const lines = this.buffer.slice(0, end).split('\n');
      this.buffer = this.buffer.slice(end + 2);
      const data = lines.filter((l) => l.startsWith('data:')).map((l) => l.slice(5).trimStart()).join('\n');
      if (data) this.give(data === '[DONE]' ? { done: true } : { json: JSON.parse(data) });
    }
  }

  give(event) {
    const waiting = this.waiting.shift();
    if (waiting) waiting(event);
    else this.queue.push(event);
  }

  end(how) {
    if (this.ended) return;
    this.ended = how;
    for (const waiting of this.waiting.splice(0)) waiting(null);
  }

  /** The next event: {json} or {done: true}; null at the end. */
  next() {
    if (this.queue.length) return Promise.resolve(this.queue.shift());
    if (this.ended) return Promise.resolve(null);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Reads up to and with the next event that carries text. */
  async next_text() {
    for (;;) {
      const event = await this.next();
      if (!event || event.done) return null;
      const text = event.json.choices?.[0]?.delta?.content;
      if (text) return text;
    }
  }

  leave() {
    this.request.destroy();
  }

  /** Everything to the end: {status, headers, events, text, done, error, ended, json, finish, usage}. */
  async all() {
    const events = [];
    let done = 0;
    let error;
    for (let event = await this.next(); event; event = await this.next()) {
      if (event.done) done += 1;
      else if (event.json.error) error = event.json.error;
      else events.push(event.json);
    }
    const text = events.map((e) => e.choices?.[0]?.delta?.content ?? '').join('');
    let json;
    try { json = JSON.parse(this.raw); } catch { json = undefined; }
    const finish = events.map((e) => e.choices?.[0]?.finish_reason).filter(Boolean);
    const usage = events.map((e) => e.usage).filter(Boolean).at(-1);
    const { status, headers, raw, ended } = this;
    return { status, headers, events, text: text || (json ? raw : text), raw, done, error, ended, json, finish, usage };
  }
}
