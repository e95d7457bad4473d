// The Markdown renderer: what models write, what they half wrote, and what must never become markup.
import assert from 'node:assert/strict';
import { test } from 'node:test';

const { Markdown, inline, parseMarkdown, plainText, safeHref } = await import(process.env.CONSOLE_PARTS);

/** The tree in short: "p(text strong(bold))". */
function short(one) {
  if (Array.isArray(one)) return one.map(short).join(' ');
  switch (one.kind) {
    case 'text': return JSON.stringify(one.text);
    case 'code': return one.language === undefined ? `code(${one.text})` : `fence:${one.language}(${one.text})`;
    case 'break': return 'br';
    case 'cite': return `cite${one.number}`;
    case 'link': return `link<${one.href}>(${short(one.of)})`;
    case 'paragraph': return `p(${short(one.of)})`;
    case 'heading': return `h${one.level}(${short(one.of)})`;
    case 'list': return `${one.ordered ? `ol${one.start}` : 'ul'}${one.tight ? '' : '-loose'}(${one.items
      .map((item) => `${item.checked === null ? '' : item.checked ? '[x]' : '[ ]'}li(${short(item.of)})`).join(' ')})`;
    case 'table': return `table(${one.head.map(short).join('|')};${one.rows.map((row) => row.map(short).join('|')).join(';')})`;
    case 'rule': return 'hr';
    default: return `${one.kind}(${short(one.of)})`;
  }
}
const md = (text) => short(parseMarkdown(text));
const line = (text) => short(inline(text));

test('headings_paragraphs_rules_and_line_breaks_are_told_apart', () => {
  assert.equal(md('# One\ntext\nmore\n\n---\n### Three ###'), 'h1("One") p("text" br "more") hr h3("Three")');
});

test('emphasis_nests_and_an_underscore_inside_a_word_is_a_letter', () => {
  assert.equal(line('a **b *c* d** e'), '"a " strong("b " em("c") " d") " e"');
  assert.equal(line('***both***'), 'strong(em("both"))');
  assert.equal(line('snake_case_name and _em_'), '"snake_case_name and " em("em")');
  assert.equal(line('2 * 3 * 4'), '"2 * 3 * 4"');
  assert.equal(line('~~gone~~'), 'del("gone")');
});

test('code_keeps_what_is_in_it', () => {
  assert.equal(line('`a **b** <c>`'), 'code(a **b** <c>)');
  assert.equal(line('``a ` b``'), 'code(a ` b)');
  assert.equal(md('```js\nlet a = 1;\n\n# no\n```\nafter'), 'fence:js(let a = 1;\n\n# no) p("after")');
});

test('a_fence_that_is_still_streaming_is_code_to_the_end', () => {
  assert.equal(md('look:\n```py\nprint(1)\n'), 'p("look:") fence:py(print(1)\n)');
});

test('lists_nest_by_two_spaces_and_keep_their_first_number', () => {
  assert.equal(md('- a\n  - b\n- c'), 'ul(li(p("a") ul(li(p("b")))) li(p("c")))');
  assert.equal(md('3. a\n4. b'), 'ol3(li(p("a")) li(p("b")))');
  assert.equal(md('- [x] done\n- [ ] open'), 'ul([x]li(p("done")) [ ]li(p("open")))');
  assert.equal(md('- a\n\n- b'), 'ul-loose(li(p("a")) li(p("b")))');
});

test('tables_need_a_rule_with_as_many_columns', () => {
  assert.equal(md('| a | b |\n|---|:-:|\n| 1 | 2 |\n| 3 |'), 'table("a"|"b";"1"|"2";"3"|)');
  assert.equal(md('a | b\nc | d'), 'p("a | b" br "c | d")');
});

test('quotes_hold_blocks', () => {
  assert.equal(md('> # a\n> b\n\nc'), 'quote(h1("a") p("b")) p("c")');
});

test('numbers_in_brackets_are_citations_and_links_are_not', () => {
  assert.equal(line('so [1], [12].'), '"so " cite1 ", " cite12 "."');
  assert.equal(line('[1](https://a.example)'), 'link<https://a.example>("1")');
});

test('only_addresses_of_the_web_and_of_mail_are_links', () => {
  for (const bad of ['javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'data:text/html,x', 'vbscript:x', 'file:///etc/passwd',
    ' javascript:alert(1)', 'java\nscript:x', '/admin/cleanup', '//evil.example']) {
    assert.equal(safeHref(bad), null, bad);
    assert.ok(!line(`[x](${bad})`).includes('link<'), bad);
  }
  assert.equal(safeHref('https://a.example/b?c=d'), 'https://a.example/b?c=d');
  assert.equal(line('see https://a.example/x.'), '"see " link<https://a.example/x>("https://a.example/x") "."');
  assert.equal(line('<mailto:a@b.example>'), 'link<mailto:a@b.example>("mailto:a@b.example")');
});

test('a_picture_is_a_link_so_that_nothing_is_loaded', () => {
  assert.equal(line('![cat](https://a.example/cat.png)'), 'link<https://a.example/cat.png>("cat")');
});

test('markup_in_an_answer_stays_text', () => {
  const text = '<img src=x onerror=alert(1)><script>alert(1)</script>';
  assert.equal(plainText(inline(text)), text);
  const seen = [];
  const walk = (node) => {
    if (Array.isArray(node)) return node.forEach(walk);
    if (!node || typeof node !== 'object') return;
    seen.push(node);
    walk(typeof node.type === 'function' && node.type.prototype?.render === undefined ? node.type(node.props) : node.props?.children);
  };
  const rendered = new Markdown({ text: `${text}\n\n\`\`\`html\n${text}\n\`\`\`` }).render({ text: `${text}\n\n\`\`\`html\n${text}\n\`\`\`` });
  walk(rendered.type(rendered.props));
  const types = seen.map((node) => node.type).filter((type) => typeof type === 'string');
  assert.ok(types.includes('pre') && !types.includes('script') && !types.includes('img'), types.join());
  assert.ok(!seen.some((node) => node.props && 'dangerouslySetInnerHTML' in node.props));
});

test('deep_nesting_and_long_runs_end_quickly', () => {
  const began = performance.now();
  md('>'.repeat(2000) + ' deep');
  md('- '.repeat(500) + 'x');
  line('*'.repeat(5000));
  line('**a '.repeat(800));
  line('['.repeat(3000));
  line('`'.repeat(3001) + 'x');
  assert.ok(performance.now() - began < 3000);
});
