// Who is signed in, as a user and as an administrator, and what that lets the pages show.
import { computed, signal } from '@preact/signals';
import { ApiError, asError, call, keepKey, keys, signInWanted, type Who } from './api';

export interface Limits {
  requests_per_minute: number; burst: number; concurrent: number; queued: number;
  tokens_per_minute: number; tokens_per_day: number;
}

export interface Me {
  user: string; tenant: string; how: 'local' | 'key' | 'token' | 'admin_key'; key: string | null;
  scopes: string[]; most_urgent: string;
  may: { chat: boolean; jobs: boolean; knowledge: boolean; look: boolean; change: boolean };
  limits: Limits;
  serves: { api: boolean; admin: boolean };
  version: string;
  server_time: number;
}

export const me = signal<Me | null>(null);
export const administrator = signal<Me | null>(null);
/** Why /v1/me could not be read; null while all is well. */
export const meError = signal<ApiError | null>(null);

export const may = computed(() => {
  const admin = administrator.value?.may ?? me.value?.may;
  return {
    chat: me.value?.may.chat ?? false,
    jobs: me.value?.may.jobs ?? false,
    knowledge: me.value?.may.knowledge ?? false,
    look: admin?.look ?? false,
    change: admin?.change ?? false,
  };
});

export async function refresh(): Promise<void> {
  try {
    me.value = await call<Me>('/v1/me', { as: 'user' });
    meError.value = null;
    signInWanted.value = '';
  } catch (error) {
    me.value = null;
    meError.value = asError(error);
  }
  if (!keys.admin.value) {
    administrator.value = null;
    return;
  }
  try {
    administrator.value = await call<Me>('/v1/me', { as: 'admin' });
  } catch (error) {
    administrator.value = null;
    // A key that the server does not know any more is of no use; while it is away we keep it.
    if (asError(error).status === 401) keepKey('admin', '');
  }
}

/** Tries a key and keeps it when it is right. Throws ApiError. */
export async function signIn(who: Who, key: string): Promise<void> {
  if (!/^[\x21-\x7e]{1,8192}$/.test(key)) {
    throw new ApiError(400, 'not_a_key', 'A key is one word of letters, digits and signs. Paste it whole.');
  }
  const found = await call<Me>('/v1/me', { headers: { authorization: `Bearer ${key}` }, as: 'admin' });
  if (who === 'admin' && !found.may.look) {
    throw new ApiError(403, 'no_admin_scope',
      'This key is right, but it does not allow administration. Use the admin key or one with the scope admin:read.');
  }
  keepKey(who, key);
  await refresh();
}

export async function signOut(who: Who): Promise<void> {
  keepKey(who, '');
  await refresh();
}
