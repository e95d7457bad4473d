// The tree of lib/markdown.ts as nodes. Text only ever becomes text nodes, never markup.
import type { ComponentChild, VNode } from 'preact';
import { memo } from './memo';
import { parseMarkdown, type Block, type Inline } from '../lib/markdown';
import { copyText } from './kit';

interface Props {
  text: string;
  /** How many passages `[n]` may point to, and what opens one. */
  cited?: number;
  onCite?: (number: number) => void;
}

/** Rendered again only when the text or the number of passages changes. */
export const Markdown = memo(function Markdown(props: Props): VNode {
  return <div class="md">{parseMarkdown(props.text).map((one) => block(one, props))}</div>;
}, (a: Props, b: Props) => a.text === b.text && a.cited === b.cited);

function block(one: Block, props: Props): VNode {
  const say = (of: Inline[]) => of.map((part) => inline(part, props));
  switch (one.kind) {
    case 'paragraph':
      return <p>{say(one.of)}</p>;
    case 'heading': {
      // The page has one h1 and the conversation an h2: an answer's headings stand below.
      const Tag = `h${Math.min(one.level + 2, 6)}` as 'h3';
      return <Tag>{say(one.of)}</Tag>;
    }
    case 'code':
      return <CodeBlock language={one.language} text={one.text} />;
    case 'quote':
      return <blockquote>{one.of.map((inner) => block(inner, props))}</blockquote>;
    case 'rule':
      return <hr />;
    case 'list': {
      const items = one.items.map((item) => (
        <li class={item.checked === null ? '' : 'task'}>
          {item.checked === null ? null :
            <input type="checkbox" checked={item.checked} disabled aria-label="Task" />}
          {item.of.map((inner) => (one.tight && inner.kind === 'paragraph' ? say(inner.of) :
            block(inner, props)))}
        </li>
      ));
      return one.ordered ? <ol start={one.start}>{items}</ol> : <ul>{items}</ul>;
    }
    case 'table':
      return (
        <div class="scroll" tabIndex={0} role="region" aria-label="Table">
          <table>
            <thead><tr>{one.head.map((cell, i) => <th class={one.align[i]}>{say(cell)}</th>)}</tr></thead>
            <tbody>
              {one.rows.map((row) => (
                <tr>{row.map((cell, i) => <td class={one.align[i]}>{say(cell)}</td>)}</tr>
              ))}
            </tbody>
          </table>
        </div>
      );
  }
}

function inline(one: Inline, props: Props): ComponentChild {
  const say = (of: Inline[]) => of.map((part) => inline(part, props));
  switch (one.kind) {
    case 'text':
      return one.text;
    case 'break':
      return <br />;
    case 'code':
      return <code>{one.text}</code>;
    case 'strong':
      return <strong>{say(one.of)}</strong>;
    case 'em':
      return <em>{say(one.of)}</em>;
    case 'del':
      return <del>{say(one.of)}</del>;
    case 'link':
      return <a href={one.href} target="_blank" rel="noopener noreferrer nofollow">{say(one.of)}</a>;
    case 'cite': {
      const number = one.number;
      if (!props.onCite || number < 1 || number > (props.cited ?? 0)) return `[${number}]`;
      return (
        <button type="button" class="cite" aria-label={`Open passage ${number}`}
                onClick={() => props.onCite!(number)}>{number}</button>
      );
    }
  }
}

function CodeBlock({ language, text }: { language: string; text: string }): VNode {
  return (
    <figure class="code">
      <figcaption>
        <span>{language || 'text'}</span>
        <button type="button" class="quiet small" onClick={() => copyText(text, 'Code copied.')}>Copy</button>
      </figcaption>
      <pre tabIndex={0}><code>{text}</code></pre>
    </figure>
  );
}
