// Chat: conversations on the left, the one that is open on the right.
import type { VNode } from 'preact';
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { call } from '../lib/api';
import * as chat from '../lib/chat';
import { ago, plural } from '../lib/format';
import { go, href, rename, route } from '../lib/router';
import { me } from '../lib/session';
import { sentencesOf } from '../lib/sentences';
import type { Citation, Conversation } from '../lib/types';
import { collections, Composer, refreshChoices } from './composer';
import { announce, confirmed, Dialog, Empty, ErrorNote, Icon, IconButton, now, save, toast, useAction,
         useLoad } from '../ui/kit';
import { Markdown } from '../ui/markdown';

const find = signal('');

export function ChatPage(): VNode {
  const id = route.value.parts[0] ?? '';
  const [listed, setListed] = useState(false);
  useEffect(() => { void chat.open(id); setListed(false); }, [id]);
  useEffect(() => {
    refreshChoices();
    const timer = setInterval(() => { if (!document.hidden) refreshChoices(); }, 10_000);
    return () => clearInterval(timer);
  }, [me.value]);
  return (
    <div class={`split ${listed ? 'listed' : ''}`}>
      <Conversations open={id} onPick={() => setListed(false)} />
      <section class="talk" aria-label="Conversation">
        <TalkBar id={id} listed={listed} onList={() => setListed(!listed)} />
        <Turns />
        <Composer onAsk={(wanted) => { const to = chat.ask(wanted); if (to !== id) rename('chat', [to]); }} />
      </section>
    </div>
  );
}

// -- the list -------------------------------------------------------------------------------------

function Conversations({ open, onPick }: { open: string; onPick: () => void }): VNode {
  const q = find.value.trim();
  const [typed, setTyped] = useState(q);
  useEffect(() => {
    const timer = setTimeout(() => { find.value = typed; }, 250);
    return () => clearTimeout(timer);
  }, [typed]);
  const list = useLoad<{ data: Conversation[]; has_more: boolean }>((by) =>
    call(`/v1/conversations?limit=100${q ? `&q=${encodeURIComponent(q)}` : ''}`, { signal: by }),
    [q, chat.changed.value, me.value?.user]);
  return (
    <aside class="list" aria-label="Conversations">
      <div class="row">
        <input type="search" placeholder="Search conversations" aria-label="Search conversations" value={typed}
               onInput={(event) => setTyped(event.currentTarget.value)} />
        <IconButton icon="plus" label="New conversation" onClick={() => { void chat.open(''); go('chat'); onPick(); }} />
      </div>
      <ErrorNote error={list.error} again={list.again} />
      {list.data?.data.length === 0 ? <p class="faint pad">{q ? 'No conversation has this in its title.' :
        'Conversations appear here with their first answer.'}</p> : null}
      <nav aria-label="Conversations" onClick={onPick}>
        {list.data?.data.map((one) => (
          <a key={one.id} class="item" href={href('chat', [one.id])} aria-current={one.id === open ? 'page' : undefined}>
            <span class="cut">{one.title || 'Untitled'}</span>
            <span class="faint">{ago(one.updated_at, now.value)}</span>
          </a>
        ))}
      </nav>
      {list.data?.has_more ? <p class="faint pad">Older ones are found by the search.</p> : null}
    </aside>
  );
}

function TalkBar({ id, listed, onList }: { id: string; listed: boolean; onList: () => void }): VNode {
  const [naming, setNaming] = useState(false);
  const title = chat.title.value || (id ? 'Conversation' : 'New conversation');
  const known = id !== '' && chat.turns.value.length > 0;
  const remove = async () => {
    if (!await confirmed('Delete this conversation?', 'Its messages are removed from the server. This cannot be undone.', 'Delete')) return;
    try {
      await call(`/v1/conversations/${encodeURIComponent(id)}`, { method: 'DELETE' });
      chat.changed.value += 1;
      void chat.open('');
      go('chat');
      toast('Conversation deleted.');
    } catch (error) { toast((error as Error).message); }
  };
  return (
    <header class="bar">
      <button type="button" class="quiet icon-only narrow" aria-expanded={listed} aria-label="Show conversations"
              onClick={onList}><Icon name="menu" /></button>
      <h1 class="cut" tabIndex={-1}>{title}</h1>
      {known ? (
        <div class="row">
          <IconButton icon="edit" label="Rename" onClick={() => setNaming(true)} />
          <ExportButton id={id} />
          <IconButton icon="trash" label="Delete conversation" onClick={remove} />
        </div>
      ) : null}
      {naming ? <RenameDialog id={id} title={chat.title.value} onClose={() => setNaming(false)} /> : null}
    </header>
  );
}

function RenameDialog({ id, title, onClose }: { id: string; title: string; onClose: () => void }): VNode {
  const [text, setText] = useState(title);
  const [run, busy, error] = useAction();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const got = await call<Conversation>(`/v1/conversations/${encodeURIComponent(id)}`, { body: { title: text.trim() } });
      chat.title.value = got.title;
      chat.changed.value += 1;
      onClose();
    });
  };
  return (
    <Dialog title="Rename conversation" onClose={onClose}>
      <form onSubmit={submit}>
        <label>Name<input value={text} maxLength={200} required onInput={(e) => setText(e.currentTarget.value)} /></label>
        <ErrorNote error={error} />
        <div class="row end"><button class="primary" disabled={busy || !text.trim()}>Rename</button></div>
      </form>
    </Dialog>
  );
}

function ExportButton({ id }: { id: string }): VNode {
  const [asked, setAsked] = useState(false);
  const [run, busy, error] = useAction();
  const get = (kind: 'json' | 'md') => run(async () => {
    const found = await chat.loadConversation(id);
    const name = (found.title || 'conversation').replace(/[^\p{L}\p{N}]+/gu, '-').slice(0, 60);
    if (kind === 'json') save(`${name}.json`, JSON.stringify(found, null, 2), 'application/json');
    else save(`${name}.md`, chat.asMarkdown(found), 'text/markdown');
    setAsked(false);
  });
  return (
    <>
      <IconButton icon="down" label="Export" onClick={() => setAsked(true)} />
      {asked ? (
        <Dialog title="Export conversation" onClose={() => setAsked(false)}>
          <p>Markdown is for reading, JSON holds everything that is stored.</p>
          <ErrorNote error={error} />
          <div class="row end">
            <button type="button" disabled={busy} onClick={() => get('json')}>JSON</button>
            <button type="button" class="primary" disabled={busy} onClick={() => get('md')}>Markdown</button>
          </div>
        </Dialog>
      ) : null}
    </>
  );
}

// -- the turns ------------------------------------------------------------------------------------

function Turns(): VNode {
  const box = useRef<HTMLDivElement>(null);
  const [away, setAway] = useState(false);
  const list = chat.turns.value;
  const so = chat.answer.value;
  useEffect(() => {
    if (!away && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [list.length, so?.text, so?.thought, chat.problem.value]);
  useEffect(() => { setAway(false); }, [chat.conversation.value, list.length]);
  const scrolled = () => {
    const it = box.current!;
    setAway(it.scrollHeight - it.scrollTop - it.clientHeight > 80);
  };
  return (
    <div class="turns" ref={box} onScroll={scrolled} tabIndex={0} role="region" aria-label="Messages">
      <div class="column">
        {list.length === 0 && !so && !chat.loading.value && !chat.problem.value ? <Welcome /> : null}
        {list.map((turn) => <TurnView key={turn.id} turn={turn} />)}
        {so ? <Under so={so} /> : null}
        <ErrorNote error={chat.problem.value} again={chat.tryAgain} />
      </div>
      {away ? <button type="button" class="latest" onClick={() => setAway(false)}
                      ref={(it) => { it?.blur(); }}><Icon name="down" />Latest</button> : null}
    </div>
  );
}

function Welcome(): VNode {
  const found = collections.value.filter((one) => one.documents > 0);
  return (
    <Empty title="Ask something">
      <p>{found.length ?
        `Answers can cite your documents: choose a collection below (${plural(found.length, 'collection')} to choose from).` :
        'Answers can cite your own documents: attach one below, or put many into Knowledge.'}</p>
      <p class="faint">Enter sends, Shift and Enter begins a new line, Escape stops an answer.</p>
    </Empty>
  );
}

function TurnView({ turn }: { turn: chat.Turn }): VNode {
  const [shown, setShown] = useState(0);
  const mine = turn.role === 'user';
  return (
    <article class={`turn ${mine ? 'mine' : ''}`} aria-label={mine ? 'You' : 'Answer'}>
      {turn.pictures.map((url) => <img src={url} alt="Attached picture" />)}
      {mine ? <p class="said">{turn.text}</p> :
        <Markdown text={turn.text} cited={turn.citations.length} onCite={setShown} />}
      {turn.citations.length ? <Sources of={turn.citations} onOpen={setShown} /> : null}
      {turn.note ? <p class="faint small">{turn.note}</p> : null}
      {shown ? <PassageDialog of={turn.citations} number={shown} onClose={() => setShown(0)} /> : null}
    </article>
  );
}

function Under({ so }: { so: NonNullable<typeof chat.answer.value> }): VNode {
  const told = useRef(0);
  useEffect(() => {
    const [ready, upTo] = sentencesOf(so.text, told.current);
    told.current = upTo;
    if (ready) announce(ready);
  }, [so.text]);
  return (
    <article class="turn" aria-label="Answer" aria-busy="true">
      {so.thought ? <details class="thought"><summary>Thinking</summary><p>{so.thought}</p></details> : null}
      {so.text ? <Markdown text={so.text} /> : null}
      <p class="faint small" role="status">
        {so.state === 'lost' ? 'Connection lost. The answer goes on as soon as the server is back.' :
          so.state === 'waiting' ? <span class="dots">Waiting for the model</span> : <span class="dots">Writing</span>}
      </p>
    </article>
  );
}

function Sources({ of, onOpen }: { of: Citation[]; onOpen: (number: number) => void }): VNode {
  return (
    <div class="sources" aria-label="Sources">
      {of.map((one, i) => (
        <button type="button" class="source" onClick={() => onOpen(i + 1)}>
          <b>{i + 1}</b><span class="cut">{one.title || one.source || one.document}{one.page ? `, page ${one.page}` : ''}</span>
        </button>
      ))}
    </div>
  );
}

function PassageDialog({ of, number, onClose }: { of: Citation[]; number: number; onClose: () => void }): VNode {
  const one = of[number - 1]!;
  return (
    <Dialog title={`${number}. ${one.title || one.source || 'Passage'}`} onClose={onClose} wide>
      <p class="faint">{[one.source, one.heading, one.page ? `page ${one.page}` : ''].filter(Boolean).join(' · ')}</p>
      <blockquote class="passage">{one.text}</blockquote>
      <div class="row end">
        <a class="button" href={href('knowledge', [], { document: one.document, at: String(one.position?.start ?? '') })}
           onClick={onClose}>Open the document</a>
      </div>
    </Dialog>
  );
}
