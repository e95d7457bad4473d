// The SSE parser, the router, and the small pure parts of the console.
import assert from 'node:assert/strict';
import { test } from 'node:test';

const { ApiError, Columns, SseParser, ago, asMarkdown, bytes, count, errorOf, href, marked, millis, parse, plural, retryAt, seconds,
  sentencesOf, share, textOf } = await import(process.env.CONSOLE_PARTS);

const STREAM = ': hello\nretry: 1500\n\nid: 1\nevent: sample\ndata: {"a":1}\n\ndata: two\ndata: lines\n\nid: 2\r\ndata: cr\r\n\r\n';
const EVENTS = [
  { event: 'sample', data: '{"a":1}', id: '1' },
  { event: 'message', data: 'two\nlines', id: '1' },
  { event: 'message', data: 'cr', id: '2' },
];

test('a_stream_reads_the_same_however_it_is_cut', () => {
  for (let size = 1; size <= STREAM.length; size += 1) {
    const parser = new SseParser();
    const got = [];
    for (let at = 0; at < STREAM.length; at += size) got.push(...parser.push(STREAM.slice(at, at + size)));
    got.push(...parser.push('\n'));
    assert.deepEqual(got, EVENTS, `pieces of ${size}`);
    assert.equal(parser.lastId, '2');
    assert.equal(parser.retry, 1500);
  }
});

test('an_event_without_data_is_none_and_one_that_is_not_ended_waits', () => {
  const parser = new SseParser();
  assert.deepEqual(parser.push('event: ping\n\ndata: half'), []);
  assert.deepEqual(parser.push('\n\n'), [{ event: 'message', data: 'half', id: '' }]);
});

test('an_address_comes_back_from_what_was_made_of_it', () => {
  for (const [page, parts, query] of [['chat', ['conv_1'], {}], ['knowledge', ['a b/c'], { document: 'x&y=z', at: '12' }],
    ['operate', ['keys'], {}], ['jobs', [], { state: 'dead' }]]) {
    assert.deepEqual(parse(href(page, parts, query)), { page, parts, query });
  }
});

test('an_unknown_or_broken_address_is_the_chat', () => {
  assert.deepEqual(parse(''), { page: 'chat', parts: [], query: {} });
  assert.deepEqual(parse('#/nonsense/x'), { page: 'chat', parts: [], query: {} });
  assert.deepEqual(parse('#/knowledge/%E0%A4%A'), { page: 'knowledge', parts: ['%E0%A4%A'], query: {} });
});

test('numbers_read_well', () => {
  assert.deepEqual([0, 7, 1234, 12345, 1.5e6, 3e9, null].map(count), ['0', '7', '1234', '12.3 k', '1.5 M', '3 G', '–']);
  assert.deepEqual([0, 1023, 1024, 1.5 * 1024 ** 2].map(bytes), ['0 B', '1023 B', '1 KiB', '1.5 MiB']);
  assert.deepEqual([12, 999, 1500].map(millis), ['12 ms', '999 ms', '1.5 s']);
  assert.deepEqual([5, 61, 3600, 3660, 200000].map(seconds), ['5 s', '1 min 1 s', '1 h', '1 h 1 min', '2 d']);
  assert.equal(share(0.425), '42.5 %');
  assert.equal(ago(100, 102), 'just now');
  assert.equal(ago(100, 160), '1 min ago');
  assert.equal(plural(1, 'file'), '1 file');
  assert.equal(plural(2, 'file'), '2 files');
});

test('the_time_to_wait_comes_from_either_header_and_the_finer_one_wins', () => {
  assert.equal(retryAt(new Headers({ 'retry-after': '2' }), 1000), 3000);
  assert.equal(retryAt(new Headers({ 'retry-after': '2', 'retry-after-ms': '1500' }), 1000), 2500);
  assert.equal(retryAt(new Headers(), 1000), 0);
});

test('an_error_keeps_its_words_and_knows_whether_it_passes', () => {
  const error = errorOf(429, { error: { code: 'too_many_requests', message: 'Wait.', param: null } }, 5, 'req_1');
  assert.deepEqual([error.code, error.message, error.retryAt, error.requestId, error.passing], ['too_many_requests', 'Wait.', 5, 'req_1', true]);
  assert.equal(errorOf(400, null).passing, false);
  assert.equal(new ApiError(0, 'x', 'y').passing, true);
});

test('words_of_the_question_are_marked_in_their_other_forms', () => {
  const hits = (text, query, more) => marked(text, query, more).filter((piece) => piece.hit).map((piece) => piece.text);
  assert.deepEqual(hits('Water the roses daily.', 'when to water a rose?'), ['Water', 'roses']);
  assert.deepEqual(hits('Watering helps.', 'watered'), ['Watering']);
  assert.deepEqual(hits('Tulips', 'tulpis', ['tulips']), ['Tulips']);
  assert.equal(marked('a <b> c', 'b').map((piece) => piece.text).join(''), 'a <b> c');
});

test('only_whole_sentences_are_read_out', () => {
  assert.deepEqual(sentencesOf('One. Two is ha', 0), ['One.', 4]);
  assert.deepEqual(sentencesOf('One. Two is half. Three', 4), ['Two is half.', 17]);
  assert.deepEqual(sentencesOf('version 1.5 is', 0), ['', 0]);
});

test('columns_stay_as_long_as_their_times_and_bounded', () => {
  const columns = new Columns(1, 100);
  columns.addBlock([1, 2, 3], { a: [1, 2, 3] });
  columns.add(4, { b: 9 });
  columns.add(4, { b: 10 });
  columns.addBlock([3, 4, 5], { a: [0, 0, 5] });
  assert.deepEqual(columns.times, [1, 2, 3, 4, 5]);
  assert.deepEqual(columns.series.get('a'), [1, 2, 3, null, 5]);
  assert.deepEqual(columns.series.get('b'), [null, null, null, 9, null]);
  assert.equal(columns.value('a'), 5);
  for (let at = 6; at <= 5000; at += 1) columns.add(at, { a: at });
  assert.ok(columns.times.length <= 100 && columns.times.length >= 80, String(columns.times.length));
  for (const column of columns.series.values()) assert.equal(column.length, columns.times.length);
  assert.equal(columns.last, 5000);
  assert.equal(columns.times[columns.from(10)], 4990);
  assert.equal(columns.at(10_000), columns.times.length);
});

test('a_conversation_is_exported_with_its_sources', () => {
  const text = asMarkdown({ title: 'Roses', messages: [
    { role: 'user', content: [{ type: 'text', text: 'When?' }, { type: 'image_url', image_url: { url: 'data:image/png;base64,x' } }] },
    { role: 'assistant', content: 'In the morning [1].', citations: [{ title: 'Handbook' }] }] });
  assert.equal(text, '# Roses\n\n## Question\n\nWhen?\n\n## Answer\n\nIn the morning [1].\n\nSources:\n\n1. Handbook\n');
});

test('of_a_message_with_parts_only_pictures_that_are_in_it_are_shown', () => {
  assert.deepEqual(textOf([{ type: 'image_url', image_url: { url: 'https://evil.example/x.png' } },
    { type: 'image_url', image_url: { url: 'data:image/png;base64,AA' } }]), { text: '', pictures: ['data:image/png;base64,AA'] });
});
