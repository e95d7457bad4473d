// Knowledge: collections, uploads with their progress, search, documents.
import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { call, callAll } from '../lib/api';
import { ago, bytes, count, day, plural } from '../lib/format';
import { marked } from '../lib/marks';
import { go, href, route } from '../lib/router';
import { me } from '../lib/session';
import type { Collection, Document, MeaningState, Passage } from '../lib/types';
import { addFiles, again, arrived, cancel, clearEnded, uploads, type Upload } from '../lib/uploads';
import { stageText } from './composer';
import { announce, Bar, Chip, confirmed, Dialog, Empty, ErrorNote, Grid, Icon, IconButton, Meter, now, toast, useAction,
         useLoad, type Tone } from '../ui/kit';

export function KnowledgePage(): VNode {
  const name = route.value.parts[0] ?? '';
  const shown = route.value.query['document'] ?? '';
  const user = me.value?.user;
  const collections = useLoad((by) => call<{ data: Collection[]; meaning: MeaningState | null }>('/v1/collections', { signal: by }),
    [user, arrived.value], 15_000);
  const [found, setFound] = useState<string>('');
  return (
    <div class="page">
      <Bar title="Knowledge"><SearchBox onFind={setFound} /></Bar>
      <div class="columns">
        <Collections list={collections.data?.data ?? []} chosen={name} again={collections.again} />
        <div class="stack">
          <ErrorNote error={collections.error} again={collections.again} />
          <Meaning of={collections.data?.meaning} again={collections.again} />
          {found ? <Results query={found} collection={name} onClose={() => setFound('')} /> : null}
          <Uploader collection={name} />
          <Documents collection={name} any={(collections.data?.data.length ?? 0) > 0} changed={collections.again} />
        </div>
      </div>
      {shown ? <DocumentView id={shown} at={Number(route.value.query['at'] ?? -1)}
                             onClose={() => go('knowledge', name ? [name] : [])} /> : null}
    </div>
  );
}

function SearchBox({ onFind }: { onFind: (query: string) => void }): VNode {
  const [text, setText] = useState('');
  return (
    <form class="row grow search" role="search" onSubmit={(e) => { e.preventDefault(); onFind(text.trim()); }}>
      <input type="search" value={text} placeholder="Search passages" aria-label="Search passages"
             onInput={(e) => { setText(e.currentTarget.value); if (!e.currentTarget.value) onFind(''); }} />
      <button disabled={!text.trim()}>Search</button>
    </form>
  );
}

// -- collections ----------------------------------------------------------------------------------

function Collections({ list, chosen, again: reload }: { list: Collection[]; chosen: string; again: () => void }): VNode {
  const [asked, setAsked] = useState<'' | 'new' | 'rename'>('');
  const one = list.find((c) => c.id === chosen);
  const all = list.reduce((sum, c) => sum + c.documents, 0);
  const remove = async () => {
    if (!await confirmed(`Delete the collection ${chosen}?`,
      `${plural(one!.documents, 'document')} in it will be removed for every reader.`, 'Delete')) return;
    try {
      await call(`/v1/collections/${encodeURIComponent(chosen)}`, { method: 'DELETE' });
      toast('Collection deleted.');
      go('knowledge');
      reload();
    } catch (error) { toast((error as Error).message); }
  };
  return (
    <aside class="side" aria-label="Collections">
      <div class="row"><h2>Collections</h2><span class="grow" />
        {one ? <><IconButton icon="edit" label="Rename collection" onClick={() => setAsked('rename')} />
          <IconButton icon="trash" label="Delete collection" onClick={remove} /></> : null}
        <IconButton icon="plus" label="New collection" onClick={() => setAsked('new')} />
      </div>
      <nav aria-label="Collections">
        <a class="item" href={href('knowledge')} aria-current={chosen ? undefined : 'page'}>
          <span>All documents</span><span class="faint num">{count(all)}</span></a>
        {list.map((c) => (
          <a key={c.id} class="item" href={href('knowledge', [c.id])} aria-current={c.id === chosen ? 'page' : undefined}
             title={`${plural(c.chunks, 'passage')}, ${bytes(c.bytes)}`}>
            <span class="cut">{c.id}</span><span class="faint num">{count(c.documents)}</span></a>
        ))}
      </nav>
      {one ? <p class="faint small pad">{plural(one.chunks, 'passage')}, {bytes(one.bytes)}
        {one.newest_at ? `, newest ${ago(one.newest_at, now.value)}` : ''}</p> : null}
      {asked ? <NameDialog was={asked === 'rename' ? chosen : ''} onClose={() => setAsked('')}
                           onDone={(id) => { setAsked(''); reload(); go('knowledge', [id]); }} /> : null}
    </aside>
  );
}

function NameDialog({ was, onClose, onDone }: { was: string; onClose: () => void; onDone: (id: string) => void }): VNode {
  const [text, setText] = useState(was);
  const [run, busy, error] = useAction();
  const submit = (event: Event) => {
    event.preventDefault();
    const id = text.trim();
    const path = was ? `/v1/collections/${encodeURIComponent(was)}` : '/v1/collections';
    void run(async () => { await call(path, { body: { id } }); onDone(id); });
  };
  return (
    <Dialog title={was ? 'Rename collection' : 'New collection'} onClose={onClose}>
      <form onSubmit={submit}>
        <label>Name<input value={text} maxLength={128} required onInput={(e) => setText(e.currentTarget.value)} /></label>
        <ErrorNote error={error} />
        <div class="row end"><button class="primary" disabled={busy || !text.trim()}>{was ? 'Rename' : 'Create'}</button></div>
      </form>
    </Dialog>
  );
}

/** How far the vectors are that a search by meaning needs. Nothing where there is no such model. */
function Meaning({ of, again: look }: { of?: MeaningState | null; again: () => void }): VNode | null {
  const open = of && of.state !== 'whole';
  useEffect(() => {
    if (!open) return undefined;
    const timer = setInterval(() => { if (!document.hidden) look(); }, 2000);
    return () => clearInterval(timer);
  }, [open]);
  if (!of) return null;
  if (!open) return <p class="faint">Searched by words and by meaning, with {of.model}.</p>;
  const done = `${count(of.done)} of ${plural(of.documents, 'document')}`;
  const until = of.serves === of.model ? '' : `Until all are, searches use ${of.serves ?? 'words alone'}.`;
  return (
    <section class={`note ${of.state === 'waiting' ? 'warn' : ''}`} aria-label="Search by meaning">
      <p>{of.state === 'waiting' ? `${of.model} does not answer and is asked again; ${done} are indexed by meaning.` :
        `${of.model} indexes the documents by meaning: ${done}.`} {until}</p>
      <Meter value={of.share} label="Documents indexed by meaning" text={done} tone="busy" />
    </section>
  );
}

// -- uploads --------------------------------------------------------------------------------------

function Uploader({ collection }: { collection: string }): VNode {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const add = (files: FileList | null | undefined) => {
    const list = [...files ?? []];
    if (!list.length) return;
    addFiles(list, collection);
    announce(`${plural(list.length, 'file')} on the way.`);
  };
  const list = uploads.value;
  const ended = list.some((one) => one.stage === 'ready' || one.stage === 'failed' || one.stage === 'cancelled');
  return (
    <section class="card" aria-label="Upload">
      <div class={`drop ${over ? 'over' : ''}`} onDragOver={(e) => { e.preventDefault(); setOver(true); }}
           onDragLeave={() => setOver(false)}
           onDrop={(e) => { e.preventDefault(); setOver(false); add(e.dataTransfer?.files); }}>
        <input ref={input} type="file" multiple hidden tabIndex={-1} aria-hidden="true" data-test="files"
               onChange={(e) => { add(e.currentTarget.files); e.currentTarget.value = ''; }} />
        <button type="button" class="primary" onClick={() => input.current!.click()}><Icon name="plus" />Add files</button>
        <span class="faint">or drop them here{collection ? `, into ${collection}` : ''}. Text, Markdown, HTML, CSV, JSON lines, PDF.</span>
        {ended ? <button type="button" class="quiet" onClick={clearEnded}>Clear ended</button> : null}
      </div>
      {list.length ? <ul class="uploads">{list.map((one) => <UploadRow key={one.id} one={one} />)}</ul> : null}
    </section>
  );
}

const STAGE_TONE: Record<string, Tone> = { ready: 'ok', failed: 'bad', sending: 'busy', reading: 'busy' };

function UploadRow({ one }: { one: Upload }): VNode {
  const runs = one.stage === 'waiting' || one.stage === 'sending' || one.stage === 'reading';
  return (
    <li data-stage={one.stage}>
      <span class="cut">{one.name}</span>
      <span class="faint num">{bytes(one.size)}</span>
      <Chip tone={STAGE_TONE[one.stage] ?? 'plain'}>{stageText(one.stage, one.done)}</Chip>
      <span class="faint small says">{one.error ? <span class="bad">{one.error.message}</span> : one.says}</span>
      {runs ? <Meter value={one.stage === 'waiting' ? 0 : one.done} label={`${one.name}: ${one.stage}`} tone="busy" /> : null}
      {runs ? <IconButton icon="close" label={`Cancel ${one.name}`} onClick={() => cancel(one.id)} /> : null}
      {one.stage === 'failed' ? <IconButton icon="again" label={`Send ${one.name} again`} onClick={() => again(one.id)} /> : null}
    </li>
  );
}

// -- documents ------------------------------------------------------------------------------------

const DOCUMENTS = 500;

function Documents({ collection, any, changed }: { collection: string; any: boolean; changed: () => void }): VNode {
  const path = `/v1/documents${collection ? `?collection=${encodeURIComponent(collection)}` : ''}`;
  const [grown, setGrown] = useState({ path, most: DOCUMENTS });
  const most = grown.path === path ? grown.most : DOCUMENTS;
  const list = useLoad(() => callAll<Document>(path, most), [path, most, me.value?.user, arrived.value]);
  const rows = list.data?.data;
  const remove = async (one: Document) => {
    if (!await confirmed(`Delete ${one.title || one.source || 'this document'}?`,
      'It will not be found or cited any more.', 'Delete')) return;
    try {
      await call(`/v1/documents/${one.id}`, { method: 'DELETE' });
      toast('Document deleted.');
      list.again();
      changed();
    } catch (error) { toast((error as Error).message); }
  };
  if (rows?.length === 0 && !list.error) {
    return any && collection ? <Empty title="No documents here"><p>Add files above; they go into {collection}.</p></Empty> :
      <Empty title="Nothing to search yet"><p>Add files above. When they are read, search them here, or ask about them in Chat and choose their collection there.</p></Empty>;
  }
  return (
    <section>
      <ErrorNote error={list.error} again={list.again} />
      <Grid label="Documents" heads={['Document', 'Collection', '>Size', '>Passages', 'Added', '']}>{rows?.map((one) => (
            <tr key={one.id}>
              <td class="main"><a href={href('knowledge', collection ? [collection] : [], { document: one.id })}>{one.title || one.source || one.id}</a>
                {one.tags?.map((tag) => <span class="tag">{tag}</span>)}</td>
              <td>{one.collection}</td><td class="right num">{bytes(one.bytes)}</td>
              <td class="right num">{count(one.chunks)}</td><td class="num">{day(one.created_at)}</td>
              <td class="right"><IconButton icon="trash" label={`Delete ${one.title || one.source}`} onClick={() => remove(one)} /></td>
            </tr>
          ))}</Grid>
      {rows && list.data?.more ? <div class="row pad">
        <button type="button" disabled={list.busy} onClick={() => setGrown({ path, most: most + DOCUMENTS })}>Show more</button>
        <span class="faint small num">{plural(rows.length, 'document')} shown; there are more.</span></div> : null}
    </section>
  );
}

interface Part { number: number; heading: string; text: string; page?: number }
const PARTS = 50;

function DocumentView({ id, at, onClose }: { id: string; at: number; onClose: () => void }): VNode {
  const facts = useLoad((by) => call<Document>(`/v1/documents/${encodeURIComponent(id)}`, { signal: by }), [id]);
  const [parts, setParts] = useState<Part[]>([]);
  const [total, setTotal] = useState(0);
  const [wanted, setWanted] = useState(-1);
  const [run, busy, error] = useAction();
  const first = parts[0]?.number ?? 0;
  const next = first + parts.length;
  const get = async (query: string) => {
    const got = await call<{ data: Part[]; total: number }>(`/v1/documents/${encodeURIComponent(id)}/passages?${query}`);
    setTotal(got.total);
    return got.data;
  };
  const before = async (end: number, most: number) => {
    const from = Math.max(0, end - most);
    return end ? get(`from=${from}&limit=${end - from}`) : [];
  };
  useEffect(() => {
    void run(async () => {
      if (at < 0) return setParts(await get(`limit=${PARTS}`));
      const found = await get(`at=${at}&limit=${PARTS}`);
      setParts([...await before(found[0]?.number ?? 0, 5), ...found]);
      setWanted(found[0]?.number ?? -1);
    });
  }, [id, at]);
  const mark = useRef<HTMLElement>(null);
  useEffect(() => { mark.current?.scrollIntoView({ block: 'center' }); }, [wanted]);
  const one = facts.data;
  return (
    <Dialog title={one?.title || one?.source || 'Document'} onClose={onClose} wide>
      <ErrorNote error={facts.error ?? error} />
      {one ? <p class="faint">{[one.collection, one.media_type, bytes(one.bytes), plural(one.chunks, 'passage'), day(one.created_at)].join(' · ')}</p> : null}
      <div class="parts">
        {first > 0 ? <button type="button" disabled={busy} onClick={() => run(async () => setParts([...await before(first, PARTS), ...parts]))}>Show earlier</button> : null}
        {parts.map((part, i) => (
          <section key={part.number} ref={part.number === wanted ? mark : undefined} class={part.number === wanted ? 'wanted' : ''}>
            {part.heading && part.heading !== parts[i - 1]?.heading ? <h3>{part.heading}</h3> : null}
            {part.page && part.page !== parts[i - 1]?.page ? <span class="tag">page {part.page}</span> : null}
            <p>{part.text}</p>
          </section>
        ))}
        {next < total ? <button type="button" disabled={busy} onClick={() => run(async () => setParts([...parts, ...await get(`from=${next}&limit=${PARTS}`)]))}>Show more</button> : null}
        {total ? <p class="faint small num">Passages {first + 1} to {next} of {count(total)}</p> : busy ? <p class="faint">Loading</p> : null}
      </div>
    </Dialog>
  );
}

// -- search ---------------------------------------------------------------------------------------

interface Found { data: Passage[]; corrected?: { word: string; instead: string[] }[] }

function Results({ query, collection, onClose }: { query: string; collection: string; onClose: () => void }): VNode {
  const got = useLoad((by) => call<Found>('/v1/search',
    { body: { query, limit: 10, ...(collection ? { collection } : {}) }, signal: by }), [query, collection]);
  const instead = (got.data?.corrected ?? []).flatMap((one) => one.instead);
  useEffect(() => { if (got.data) announce(`${plural(got.data.data.length, 'passage')} found.`); }, [got.data]);
  return (
    <section class="card results" aria-label="Search results">
      <div class="row"><h2>{got.data ? plural(got.data.data.length, 'passage') : 'Searching'}</h2>
        <span class="faint">{collection ? `in ${collection}` : 'in all collections'}</span><span class="grow" />
        <IconButton icon="close" label="Close results" onClick={onClose} /></div>
      <ErrorNote error={got.error} again={got.again} />
      {got.data?.corrected?.map((one) => <p class="faint">No document holds “{one.word}”. Searched for {one.instead.join(', ')} instead.</p>)}
      {got.data?.data.length === 0 ? <p>Nothing found. Try fewer or other words{collection ? ', or all documents' : ''}.</p> : null}
      <ol>{got.data?.data.map((one) => (
        <li>
          <a href={href('knowledge', collection ? [collection] : [], { document: one.document, at: String(one.position.start) })}>
            {one.title || one.source || one.document}</a>
          <span class="faint small"> {[one.collection, one.heading, one.page ? `page ${one.page}` : ''].filter(Boolean).join(' · ')}</span>
          <p class="passage">{marked(one.text, query, instead).map((piece) => (piece.hit ? <mark>{piece.text}</mark> : piece.text))}</p>
        </li>
      ))}</ol>
    </section>
  );
}
