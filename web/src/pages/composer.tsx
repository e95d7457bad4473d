// Where a question is written: text, attachments, the collection to answer from, the model.
import type { VNode } from 'preact';
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import * as chat from '../lib/chat';
import { ApiError, call, freshId } from '../lib/api';
import { bytes } from '../lib/format';
import { addFiles, settled, uploads } from '../lib/uploads';
import type { Collection, Model } from '../lib/types';
import { announce, Chip, ErrorNote, Icon, IconButton, toast, type Tone } from '../ui/kit';

const PICTURE_MAX = 4 * 1024 * 1024;
const CHOSEN = 'mainstay.choices';

/** What the reader chose last; kept in the browser, because it names no content. */
export const chosen = signal<{ model: string; collection: string }>(read());
function read() {
  try {
    return { model: '', collection: '', ...JSON.parse(localStorage.getItem(CHOSEN) ?? '{}') };
  } catch {
    return { model: '', collection: '' };
  }
}
function choose(what: Partial<{ model: string; collection: string }>): void {
  chosen.value = { ...chosen.value, ...what };
  localStorage.setItem(CHOSEN, JSON.stringify(chosen.value));
}

export const models = signal<Model[]>([]);
export const collections = signal<Collection[]>([]);

/** Reads anew what can be chosen. */
export function refreshChoices(): void {
  call<{ data: Model[] }>('/v1/models').then((got) => { models.value = got.data; }, () => {});
  call<{ data: Collection[] }>('/v1/collections').then((got) => { collections.value = got.data; }, () => {});
}

interface Picture { name: string; url: string }

export function Composer({ onAsk }: { onAsk: (wanted: chat.Wanted) => void }): VNode {
  const [text, setText] = useState('');
  const [pictures, setPictures] = useState<Picture[]>([]);
  const [sent, setSent] = useState<string[]>([]);
  const [error, setError] = useState<ApiError | null>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const busy = chat.answer.value !== null;
  useEffect(() => { if (matchMedia('(hover: hover)').matches) field.current?.focus(); }, [chat.conversation.value]);
  useEffect(() => grow(field.current!), [text]);

  const attach = async (files: File[]) => {
    setError(null);
    const documents = files.filter((one) => !one.type.startsWith('image/'));
    for (const file of files) if (file.type.startsWith('image/')) await addPicture(file);
    if (!documents.length) return;
    const collection = chosen.value.collection || `chat-${freshId().slice(0, 8)}`;
    choose({ collection });
    const ids = addFiles(documents, collection);
    setSent((old) => [...old, ...ids]);
    if (await settled(ids)) announce('The attached documents can be asked about now.');
  };
  const addPicture = async (file: File) => {
    if (file.size > PICTURE_MAX) {
      return setError(new ApiError(413, 'picture_too_large',
        `${file.name} has ${bytes(file.size)}; a picture in a question may have ${bytes(PICTURE_MAX)}.`));
    }
    const url = await dataUrl(file);
    setPictures((old) => [...old, { name: file.name, url }].slice(0, 4));
  };
  const submit = (event?: Event) => {
    event?.preventDefault();
    if (busy || !text.trim()) return;
    onAsk({ text: text.trim(), pictures: pictures.map((one) => one.url), model: chosen.value.model,
            collection: chosen.value.collection });
    setText('');
    setPictures([]);
    setSent([]);
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) submit(event);
    if (event.key === 'Escape' && busy) stop();
  };
  const stop = () => { chat.stop(); toast('Stopped.'); field.current?.focus(); };
  return (
    <form class="composer" onSubmit={submit} onDragOver={(e) => e.preventDefault()}
          onDrop={(e) => { e.preventDefault(); void attach([...e.dataTransfer?.files ?? []]); }}>
      <ErrorNote error={error} />
      <Attached pictures={pictures} ids={sent} onDrop={(i) => setPictures(pictures.filter((_, n) => n !== i))} />
      <textarea ref={field} rows={1} value={text} placeholder="Ask something" aria-label="Your question"
                onInput={(e) => setText(e.currentTarget.value)} onKeyDown={pressed}
                onPaste={(e) => {
                  const files = [...e.clipboardData?.files ?? []];
                  if (files.length) { e.preventDefault(); void attach(files); }
                }} />
      <div class="row">
        <AttachButton onFiles={attach} />
        <CollectionPicker />
        <ModelPicker />
        <span class="grow" />
        {busy ?
          <button type="button" class="primary" onClick={stop} aria-label="Stop the answer"><Icon name="stop" />Stop</button> :
          <button class="primary" disabled={!text.trim()} aria-label="Send"><Icon name="send" />Send</button>}
      </div>
    </form>
  );
}

function grow(field: HTMLTextAreaElement): void {
  field.style.height = 'auto';
  field.style.height = `${Math.min(field.scrollHeight + 2, 220)}px`;
}

function dataUrl(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

function AttachButton({ onFiles }: { onFiles: (files: File[]) => void }): VNode {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input ref={input} type="file" multiple hidden tabIndex={-1} aria-hidden="true"
             onChange={(e) => { onFiles([...e.currentTarget.files ?? []]); e.currentTarget.value = ''; }} />
      <IconButton icon="attach" label="Attach documents or pictures" onClick={() => input.current!.click()} />
    </>
  );
}

function Attached({ pictures, ids, onDrop }:
    { pictures: Picture[]; ids: string[]; onDrop: (at: number) => void }): VNode | null {
  const documents = uploads.value.filter((one) => ids.includes(one.id));
  if (!pictures.length && !documents.length) return null;
  return (
    <ul class="attached">
      {pictures.map((one, i) => (
        <li><img src={one.url} alt="" /><span class="cut">{one.name}</span>
          <IconButton icon="close" label={`Remove ${one.name}`} onClick={() => onDrop(i)} /></li>
      ))}
      {documents.map((one) => (
        <li key={one.id}><span class="cut">{one.name}</span>
          <span class={one.error ? 'bad' : 'faint'}>{one.error?.message ?? stageText(one.stage, one.done)}</span></li>
      ))}
    </ul>
  );
}

export function stageText(stage: string, done: number): string {
  const part = ` ${Math.round(done * 100)} %`;
  if (stage === 'sending') return `sending${part}`;
  if (stage === 'reading') return done > 0 ? `reading${part}` : 'reading';
  return stage;
}

export function CollectionPicker(): VNode {
  const now = chosen.value.collection;
  const names = collections.value.map((one) => one.id);
  if (now && !names.includes(now)) names.push(now);
  return (
    <select class="quiet" aria-label="Answer from" value={now} onChange={(e) => choose({ collection: e.currentTarget.value })}>
      <option value="">Without documents</option>
      {names.map((name) => <option key={name} value={name}>From {name}</option>)}
    </select>
  );
}

export function ModelPicker(): VNode {
  const now = chosen.value.model;
  const known = models.value.find((one) => one.id === now);
  return (
    <>
      <select class="quiet" aria-label="Model" value={now} onChange={(e) => choose({ model: e.currentTarget.value })}>
        <option value="">Best model available</option>
        {now && !known ? <option value={now}>{now} (not there)</option> : null}
        {models.value.map((one) => (
          <option key={one.id} value={one.id}>{one.id}{one.state === 'ready' && one.loaded ? '' : ` (${one.loaded || one.state !== 'ready' ? one.state : 'not loaded'})`}</option>
        ))}
      </select>
      <ModelChip model={known} />
    </>
  );
}

const MODEL_TONE: Record<string, Tone> = { ready: 'ok', loaded: 'ok', loading: 'busy', starting: 'busy', degraded: 'warn' };

function ModelChip({ model }: { model: Model | undefined }): VNode | null {
  if (!model) return null;
  const cold = model.state === 'ready' && !model.loaded;
  return <Chip tone={cold ? 'warn' : MODEL_TONE[model.state] ?? 'bad'}>{cold ? 'not loaded yet' : model.state}</Chip>;
}
