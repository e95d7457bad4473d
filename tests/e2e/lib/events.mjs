// Follows the events of a job over HTTP, with their ids, and can leave and come back; waits for a
// job's end. Used by the suites that hand jobs in.
import http from 'node:http';

export const ENDS = ['succeeded', 'dead', 'cancelled', 'expired'];

/** The job once it has ended. */
export async function ended(server, job, { headers = {}, limit_ms = 60_000 } = {}) {
  let row;
  await server.until(async () => {
    row = (await server.get(`/v1/jobs/${job}`, headers)).json;
    return ENDS.includes(row?.state);
  }, `job ${job} ended`, limit_ms);
  return row;
}

/** One connection to GET /v1/jobs/{id}/events. */
export class JobEvents {
  constructor(server, id, { headers = {}, after } = {}) {
    Object.assign(this, { events: [], comments: 0, ended: null, watching: [], buffer: '' });
    const more = after === undefined ? {} : { 'last-event-id': after };
    this.request = http.get(`${server.url}/v1/jobs/${id}/events`, { agent: false, headers: { ...headers, ...more } });
    this.request.on('error', () => this.end('broken'));
    this.request.on('response', (response) => {
      Object.assign(this, { status: response.statusCode, headers: response.headers });
      response.setEncoding('utf8');
      response.on('data', (text) => this.take(text));
      response.on('end', () => this.end('clean'));
      response.on('close', () => this.end('broken'));
      response.on('error', () => this.end('broken'));
      this.look();
    });
  }

  take(text) {
    this.buffer += text;
    for (let cut = this.buffer.indexOf('\n\n'); cut >= 0; cut = this.buffer.indexOf('\n\n')) {
      const lines = this.buffer.slice(0, cut).split('\n');
      this.buffer = this.buffer.slice(cut + 2);
      const field = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      if (field('data') === undefined) this.comments += 1;
      else this.events.push({ id: field('id'), type: field('event'), data: JSON.parse(field('data')) });
    }
    this.look();
  }

  end(how) {
    this.ended ??= how;
    this.look();
  }

  look() { for (const one of [...this.watching]) one(); }

  until(condition, what, limit_ms = 15_000) {
    return new Promise((resolve, reject) => {
      const stop = (done, value) => {
        clearTimeout(timer);
        this.watching = this.watching.filter((one) => one !== look);
        done(value);
      };
      const look = () => { const got = condition(this); if (got) stop(resolve, got); };
      const timer = setTimeout(() => stop(reject, new Error(
        `${what}: status=${this.status} ended=${this.ended} events=${JSON.stringify(this.events).slice(0, 2000)}`)), limit_ms);
      this.watching.push(look);
      look();
    });
  }

  /** The first event of this type. */
  heard(type) { return this.until(() => this.events.find((one) => one.type === type), type); }
  /** All events, once the server has ended the stream. */
  async all() {
    await this.until(() => this.ended, 'the end of the stream');
    return this.events;
  }
  types() { return this.events.map((one) => one.type); }
  leave() { this.request.destroy(); }
}
