// Server-sent events, read from a fetch (EventSource cannot send a key). The parser is pure and
// takes the stream in pieces of any size; used by chat, jobs and the dashboard.

export interface SseEvent {
  event: string;
  data: string;
  id: string;
}

/** Cuts a text stream into events. Line ends may be LF, CR or CRLF, also cut between two pieces. */
export class SseParser {
  /** The last id seen, for Last-Event-ID. */
  lastId = '';
  /** What the server asked for with `retry:`, in ms; 0: nothing. */
  retry = 0;
  private rest = '';
  private data: string[] = [];
  private event = '';

  push(piece: string): SseEvent[] {
    const out: SseEvent[] = [];
    let text = this.rest + piece;
    // A CR at the end may be half of a CRLF: it waits for the next piece.
    let held = '';
    if (text.endsWith('\r')) {
      held = '\r';
      text = text.slice(0, -1);
    }
    const lines = text.split(/\r\n|\n|\r/);
    this.rest = (lines.pop() ?? '') + held;
    for (const line of lines) {
      const event = this.line(line);
      if (event) out.push(event);
    }
    return out;
  }

  private line(line: string): SseEvent | null {
    if (line === '') return this.dispatch();
    if (line.startsWith(':')) return null;
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? '' : line.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    if (field === 'data') this.data.push(value);
    else if (field === 'event') this.event = value;
    else if (field === 'id' && !value.includes('\0')) this.lastId = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
    return null;
  }

  private dispatch(): SseEvent | null {
    const event = this.event || 'message';
    const data = this.data;
    this.event = '';
    this.data = [];
    return data.length ? { event, data: data.join('\n'), id: this.lastId } : null;
  }
}

/** Reads a response's events to its end. Errors: those of the connection. */
export async function readEvents(response: Response,
                                 take: (event: SseEvent, parser: SseParser) => void): Promise<void> {
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  const parser = new SseParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      for (const event of parser.push(decoder.decode(value, { stream: true }))) take(event, parser);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
