// A spoken conversation: microphone to the WebSocket /v1/voice, its words and its sound back. The
// wire is docs/voice.md. The server hears where a question ends (hands-free) or is told (push-to-talk).
import { batch, signal } from '@preact/signals';
import { ApiError, errorOf, keys, signInWanted } from './api';
import type { Citation } from './types';
// A file of its own: it runs on the sound's thread. Gathers 2048 samples at a time.
import tap from './tap.worklet.js';

export type Mode = 'push_to_talk' | 'hands_free';
export interface Said { question: string; answer: string; citations: Citation[]; ended: string }

/** idle: nothing open; ready: connected, nobody speaks. */
export const phase = signal<'idle' | 'connecting' | 'ready' | 'hearing' | 'thinking' | 'speaking'>('idle');
export const mode = signal<Mode>('push_to_talk');
/** Loudness of the microphone, 0 to 1. */
export const level = signal(0);
export const said = signal<Said[]>([]);
export const partial = signal('');
export const problem = signal<ApiError | null>(null);
export const conversation = signal('');

export interface Wish { model: string; collection: string; speak: boolean }

let socket: WebSocket | null = null;
let microphone: MediaStream | null = null;
let context: AudioContext | null = null;
let wish: Wish = { model: '', collection: '', speak: true };
let sending = false;
/** Rate of the answer's sound, when the last piece of it ends, and what is playing. */
let rate = 22_050;
let until = 0;
let playing: AudioBufferSourceNode[] = [];
let written = true;

/** Opens microphone and connection; what the user does next begins a question. */
export async function begin(how: Mode, wanted: Wish): Promise<boolean> {
  if (phase.value !== 'idle') return true;
  batch(() => { phase.value = 'connecting'; problem.value = null; mode.value = how; });
  wish = wanted;
  try {
    await openMicrophone();
    await openSocket();
  } catch (error) {
    const failed = error instanceof ApiError ? error : new ApiError(0, 'no_microphone', why(error));
    end();
    problem.value = failed;
    return false;
  }
  phase.value = 'ready';
  if (how === 'hands_free') start();
  return true;
}

function why(error: unknown): string {
  const name = (error as Error).name;
  if (name === 'NotAllowedError') return 'The browser does not let this page use the microphone. Allow it in the address bar, then try again.';
  if (name === 'NotFoundError') return 'There is no microphone. Connect one, then try again.';
  if (!navigator.mediaDevices) return 'Browsers give the microphone only to pages over https or from this machine.';
  return 'The microphone cannot be used: another program may hold it.';
}

export function end(): void {
  silence();
  sending = false;
  const open = socket;
  socket = null;
  open?.close();
  microphone?.getTracks().forEach((track) => track.stop());
  microphone = null;
  void context?.close().catch(() => {});
  context = null;
  batch(() => { phase.value = 'idle'; level.value = 0; partial.value = ''; });
}

/** Another user: nothing of the one before stays. */
export function forget(): void {
  end();
  said.value = [];
  conversation.value = '';
}

/** From now on what the microphone hears is a question; an answer that is spoken ends. */
export function start(): void {
  silence();
  const order: Record<string, unknown> = { type: 'start', mode: mode.value, speak: wish.speak,
    sample_rate: sampleRate(), conversation_id: conversation.value || 'new' };
  if (wish.model) order['model'] = wish.model;
  if (wish.collection) order['collection'] = wish.collection;
  send(order);
  sending = true;
  if (mode.value === 'push_to_talk') phase.value = 'hearing';
}

/** The question is whole. */
export function stop(): void {
  if (!sending) return;
  sending = false;
  phase.value = 'thinking';
  send({ type: 'stop' });
}

/** Ends the answer under way. */
export function interrupt(): void {
  silence();
  send({ type: 'cancel' });
  if (phase.value !== 'idle') phase.value = 'ready';
}

function send(message: unknown): void {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

// -- the microphone -------------------------------------------------------------------------------

/** Every so many samples of the machine's become one of ours: 48,000 a second become 16,000. */
const step = () => Math.max(1, Math.floor(context!.sampleRate / 16_000));
const sampleRate = () => Math.round(context!.sampleRate / step());

async function openMicrophone(): Promise<void> {
  microphone = await navigator.mediaDevices.getUserMedia(
    { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 } });
  context = new AudioContext();
  await context.resume();
  const source = context.createMediaStreamSource(microphone);
  await context.audioWorklet.addModule(tap);
  const node = new AudioWorkletNode(context, 'tap', { numberOfOutputs: 0, channelCount: 1, channelCountMode: 'explicit' });
  node.port.onmessage = (event) => heard(event.data);
  source.connect(node);
}

function heard(input: Float32Array): void {
  if (!context) return;
  const n = step();
  const out = new Int16Array(Math.floor(input.length / n));
  let power = 0;
  for (let i = 0; i < out.length; i += 1) {
    let sum = 0;
    for (let j = 0; j < n; j += 1) sum += input[i * n + j]!;
    const value = Math.max(-1, Math.min(1, sum / n));
    power += value * value;
    out[i] = value * 32_767;
  }
  level.value = Math.min(1, Math.sqrt(power / out.length) * 4);
  if (sending && socket?.readyState === WebSocket.OPEN && socket.bufferedAmount < 1 << 20) socket.send(out.buffer);
  if (phase.value === 'speaking' && written && context.currentTime >= until) phase.value = 'ready';
}

// -- the connection -------------------------------------------------------------------------------

function openSocket(): Promise<void> {
  return new Promise((resolve, reject) => {
    const url = new URL('/v1/voice', location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    const key = keys.user.value;
    const one = new WebSocket(url, key ? ['mainstay.v1', `bearer.${key}`] : ['mainstay.v1']);
    one.binaryType = 'arraybuffer';
    socket = one;
    one.onmessage = (event) => {
      if (typeof event.data !== 'string') return play(event.data);
      const message = JSON.parse(event.data);
      if (message.type === 'ready') resolve();
      else take(message);
    };
    one.onclose = (event) => {
      reject(new ApiError(0, event.reason || 'closed', closing(event)));
      if (socket !== one) return;
      end();
      problem.value = new ApiError(0, event.reason || 'closed', closing(event));
    };
  });
}

function closing(event: CloseEvent): string {
  const reason = event.reason;
  if (/key|token/.test(reason)) {
    signInWanted.value = 'Voice needs a valid key.';
    return signInWanted.value;
  }
  if (reason === 'stopping') return 'The server stops. Talk on when it is back.';
  if (reason === 'session_over' || reason === 'idle') return 'Nobody has spoken for long: the connection was closed.';
  return 'The connection for voice cannot be opened, or was lost. The server may be restarting.';
}

function change(with_: Partial<Said>): void {
  const list = said.value;
  said.value = [...list.slice(0, -1), { ...list[list.length - 1]!, ...with_ }];
}

function take(message: any): void {
  const last = said.value[said.value.length - 1];
  switch (message.type) {
    case 'started':
      conversation.value = message.conversation_id ?? conversation.value;
      break;
    case 'speech_started':
      silence();
      phase.value = 'hearing';
      break;
    case 'transcript_partial':
      partial.value = message.text;
      break;
    case 'transcript':
      batch(() => {
        partial.value = '';
        problem.value = null;
        phase.value = 'thinking';
        said.value = [...said.value.slice(-49), { question: message.text, answer: '', citations: [], ended: '' }];
      });
      written = false;
      break;
    case 'token':
      if (last) change({ answer: last.answer + message.text });
      break;
    case 'citations':
      if (last) change({ citations: message.citations ?? [] });
      break;
    case 'audio':
      rate = message.audio?.sample_rate ?? rate;
      // While somebody speaks, it is what is left of an answer that was interrupted.
      if (phase.value !== 'hearing') phase.value = 'speaking';
      break;
    case 'speech_failed':
      if (last) change({ ended: `No more is spoken: ${message.error?.message ?? 'speech failed'}` });
      break;
    case 'done':
      written = true;
      if (last && message.answer) change({ answer: message.answer });
      if (phase.value !== 'speaking' && phase.value !== 'hearing') phase.value = 'ready';
      break;
    case 'interrupted':
      silence();
      if (last && !last.ended && !written) change({ ended: 'Interrupted.' });
      written = true;
      break;
    case 'error':
      written = true;
      batch(() => {
        partial.value = '';
        problem.value = errorOf(0, message, message.retry_after_ms ? Date.now() + message.retry_after_ms : 0);
        if (phase.value !== 'idle') phase.value = 'ready';
      });
      break;
  }
}

// -- the answer's sound ---------------------------------------------------------------------------

/** Each piece begins where the one before it ends. */
function play(bytes: ArrayBuffer): void {
  if (!context || phase.value === 'hearing') return;
  const samples = new Int16Array(bytes, 0, bytes.byteLength >> 1);
  const buffer = context.createBuffer(1, samples.length, rate);
  const into = buffer.getChannelData(0);
  for (let i = 0; i < samples.length; i += 1) into[i] = samples[i]! / 32_768;
  const node = context.createBufferSource();
  node.buffer = buffer;
  node.connect(context.destination);
  until = Math.max(until, context.currentTime + 0.05);
  node.start(until);
  until += buffer.duration;
  playing.push(node);
  node.onended = () => { playing = playing.filter((one) => one !== node); };
}

function silence(): void {
  for (const node of playing) node.stop();
  playing = [];
  until = 0;
}
