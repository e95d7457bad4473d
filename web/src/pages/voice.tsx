// Voice: talk by holding a button (or the space bar), or hands-free; captions of both sides.
import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { href } from '../lib/router';
import * as voice from '../lib/voice';
import { announce, Bar, Choice, Empty, ErrorNote, Icon, Meter } from '../ui/kit';
import { Markdown } from '../ui/markdown';
import { chosen, CollectionPicker, ModelPicker, refreshChoices } from './composer';

const PHASES = { idle: 'Not listening', connecting: 'Opening the microphone', ready: 'Ready', hearing: 'Listening',
                 thinking: 'Thinking', speaking: 'Speaking' };

const wish = () => ({ ...chosen.value, speak: true });

export function VoicePage(): VNode {
  const free = voice.mode.value === 'hands_free';
  const phase = voice.phase.value;
  const open = phase !== 'idle' && phase !== 'connecting';
  useEffect(() => {
    refreshChoices();
    return voice.end;
  }, []);
  useEffect(() => { announce(PHASES[phase]); }, [phase]);
  const change = (mode: voice.Mode) => { voice.end(); voice.mode.value = mode; };
  const toggle = () => { if (open) voice.end(); else void voice.begin('hands_free', wish()); };
  return (
    <div class="page voice">
      <Bar title="Voice">
        <span class="grow" />
        <CollectionPicker /><ModelPicker />
        <Choice label="How to talk" value={voice.mode.value} onPick={change}
                options={[['push_to_talk', 'Hold to talk'], ['hands_free', 'Hands-free']]} />
      </Bar>
      <Captions />
      <div class="talker" data-phase={phase}>
        <ErrorNote error={voice.problem.value} />
        {free ?
          <button type="button" class={`mike ${open ? 'on' : ''}`} aria-pressed={open} onClick={toggle}>
            <Icon name={open ? 'stop' : 'voice'} /><span>{open ? 'Stop listening' : 'Start listening'}</span></button> :
          <HoldButton />}
        <Meter value={voice.level.value} label="Level of the microphone" />
        <p class="row"><b>{PHASES[phase]}</b>
          {phase === 'speaking' || phase === 'thinking' ? <button type="button" class="small" onClick={voice.interrupt}>Interrupt</button> : null}
          {open && !free ? <button type="button" class="small quiet" onClick={voice.end}>Close the microphone</button> : null}</p>
        <p class="faint small">{free ? 'Speak when you like; speaking interrupts the answer.' : 'Hold the button or the space bar while you speak. Speaking again interrupts the answer.'}</p>
      </div>
    </div>
  );
}

/** Held by pointer, or by the space bar anywhere on the page. */
function HoldButton(): VNode {
  const held = useRef(false);
  const down = async () => {
    if (held.current) return;
    held.current = true;
    if (await voice.begin('push_to_talk', wish()) && held.current) voice.start();
  };
  const up = () => {
    if (held.current) voice.stop();
    held.current = false;
  };
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      const on = event.target as HTMLElement;
      if (event.code !== 'Space' || /INPUT|TEXTAREA|SELECT/.test(on.tagName) || (on.tagName === 'BUTTON' && !on.classList.contains('mike'))) return;
      event.preventDefault();
      if (event.type === 'keydown') void down();
      else up();
    };
    addEventListener('keydown', key);
    addEventListener('keyup', key);
    addEventListener('blur', up);
    return () => { removeEventListener('keydown', key); removeEventListener('keyup', key); removeEventListener('blur', up); };
  }, []);
  return (
    <button type="button" class={`mike ${voice.phase.value === 'hearing' ? 'on' : ''}`}
            onPointerDown={(e) => { e.currentTarget.setPointerCapture(e.pointerId); void down(); }} onPointerUp={up} onPointerCancel={up}>
      <Icon name="voice" /><span>Hold to talk</span></button>
  );
}

function Captions(): VNode {
  const list = voice.said.value;
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => { box.current?.scrollTo(0, box.current.scrollHeight); }, [list, voice.partial.value]);
  if (!list.length && !voice.partial.value) {
    return <Empty title="Ask aloud"><p>What you say and what is answered appears here as captions while it is spoken. Choose a collection above and the answer comes from your documents.</p></Empty>;
  }
  return (
    <div class="captions" ref={box} tabIndex={0} role="log" aria-label="Captions">
      {list.map((one) => (
        <article class="turn">
          <div class="mine turn"><p class="said">{one.question}</p></div>
          <Markdown text={one.answer} />
          {one.citations.map((c, i) => <a class="small" href={href('knowledge', [], { document: c.document, at: String(c.position?.start ?? '') })}>{i + 1}. {c.title || c.source}</a>)}
          {one.ended ? <p class="faint small">{one.ended}</p> : null}
        </article>
      ))}
      {voice.partial.value ? <div class="mine turn"><p class="said faint">{voice.partial.value}</p></div> : null}
    </div>
  );
}
