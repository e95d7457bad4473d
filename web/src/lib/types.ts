// What the API answers with, as far as the pages use it.

export interface Citation {
  document: string; title: string; source?: string; text: string; score: number; page?: number;
  heading?: string; position: { start: number; end: number };
}
export interface Passage extends Citation { collection?: string }
export interface Conversation {
  id: string; title: string; created_at: number; updated_at: number; message_count: number;
  has_more?: boolean; messages?: StoredMessage[];
}
export interface StoredMessage {
  id: string; created_at: number; role: string; content: unknown; citations?: Citation[] | null;
  reasoning_content?: string; degraded?: boolean; model?: string;
}
export interface Model {
  id: string; owned_by: string; loaded: boolean; state: string; capabilities: string[];
  context_window?: number;
}
export interface Collection {
  id: string; documents: number; chunks: number; bytes: number; newest_at?: number | null;
}
export interface MeaningState {
  state: 'whole' | 'filling' | 'waiting'; model: string; serves: string | null; documents: number; done: number; share: number;
}
export interface Document {
  id: string; collection: string; title: string; source: string; media_type: string; bytes: number;
  chunks: number; created_at: number; state?: string; tags?: string[];
}
export interface JobRow {
  id: string; kind: string; state: string; priority: string; attempts: number; attempts_max: number;
  created_at: number; run_at?: number | null; started_at?: number | null; finished_at: number | null;
  expires_at?: number | null; repeat_every?: number | null;
  error: { code: string; message: string | null } | null;
  user?: string; tenant?: string; worker?: string | null;
}
export interface Job extends JobRow { input: unknown; result: unknown }
export interface Alert {
  name: string; severity: string; sentence: string; raised_at: string; cleared_at: string | null;
}
export interface Provider { name: string; up: boolean; breaker: string; why: string }
