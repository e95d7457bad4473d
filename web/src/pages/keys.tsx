// Operate, keys: who may call, with which limits; new keys and the end of old ones.
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { call } from '../lib/api';
import { ago, day, moment } from '../lib/format';
import { may, type Limits } from '../lib/session';
import { Chip, confirmed, copyText, Dialog, Empty, ErrorNote, Grid, now, toast, useAction, useLoad } from '../ui/kit';

interface Key {
  id: string; prefix: string; name: string; state: string; scopes: string[]; tenant: string; user: string;
  most_urgent: string; created_at: number; expires_at: number | null; last_used_at: number | null;
  revoked_at: number | null; limits: Limits; key?: string;
}

export function KeysPage(): VNode {
  const got = useLoad((by) => call<{ data: Key[] }>('/admin/keys', { signal: by }), [], 15_000);
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<Key | null>(null);
  const revoke = async (one: Key) => {
    if (!await confirmed(`Revoke the key ${one.name || one.id}?`,
      'Whoever uses it is refused from now on. A revoked key does not come back.', 'Revoke')) return;
    try {
      await call(`/admin/keys/${one.id}/revoke`, { method: 'POST', body: {} });
      toast('Key revoked.');
    } catch (error) { toast((error as Error).message); }
    got.again();
  };
  return (
    <div class="stack">
      <div class="row"><button type="button" class="primary" disabled={!may.value.change} onClick={() => setMaking(true)}>New key</button></div>
      <ErrorNote error={got.error} again={got.again} />
      {got.data?.data.length === 0 ? <Empty title="No keys yet"><p>On this machine none is needed. Make one for each program or person that comes from elsewhere; it is shown once.</p></Empty> : null}
      {got.data?.data.length ? (
        <Grid label="Keys" heads={['Name', 'State', 'Scopes', 'User', 'Begins with', 'Last used', 'Expires', '']}>{got.data.data.map((one) => (
            <tr key={one.id} title={`${one.id}, made ${moment(one.created_at)}`}>
              <td class="main">{one.name || one.id}<Special of={one} /></td>
              <td><Chip tone={one.state === 'active' ? 'ok' : one.state === 'expired' ? 'warn' : 'plain'}>{one.state}</Chip></td>
              <td>{one.scopes.join(', ')}</td><td>{one.user}</td><td><code>{one.prefix}</code></td>
              <td class="num">{one.last_used_at ? ago(one.last_used_at, now.value) : 'never'}</td>
              <td class="num">{one.expires_at ? day(one.expires_at) : 'never'}</td>
              <td class="right">{one.state === 'active' ? <button type="button" class="small" disabled={!may.value.change} onClick={() => revoke(one)}>Revoke</button> : null}</td>
            </tr>
          ))}</Grid>
      ) : null}
      {making ? <NewKey onClose={() => setMaking(false)} onMade={(key) => { setMaking(false); setMade(key); got.again(); }} /> : null}
      {made ? <ShowKey of={made} onClose={() => setMade(null)} /> : null}
    </div>
  );
}

/** Limits of its own, if the key has any. */
function Special({ of }: { of: Key }): VNode | null {
  const own = Object.entries(of.limits).filter(([, value]) => value > 0);
  return own.length ? <span class="faint small"> {own.map(([name, value]) => `${name.replace(/_/g, ' ')} ${value}`).join(', ')}</span> : null;
}

const SCOPES: [string, string][] = [['chat', 'chat'], ['jobs', 'jobs'], ['knowledge', 'knowledge'],
  ['admin:read', 'look at administration'], ['admin', 'administration']];
const TERMS: [string, string][] = [['', 'never'], ['604800', 'in a week'], ['7776000', 'in 90 days'], ['31536000', 'in a year']];

function NewKey({ onClose, onMade }: { onClose: () => void; onMade: (key: Key) => void }): VNode {
  const [name, setName] = useState('');
  const [user, setUser] = useState('');
  const [scopes, setScopes] = useState(['chat', 'jobs', 'knowledge']);
  const [term, setTerm] = useState('7776000');
  const [rate, setRate] = useState('');
  const [run, busy, error] = useAction();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const body: Record<string, unknown> = { name: name.trim(), scopes };
      if (user.trim()) body['user'] = user.trim();
      if (term) body['expires_in_seconds'] = Number(term);
      if (Number(rate) > 0) body['limits'] = { requests_per_minute: Number(rate) };
      onMade(await call<Key>('/admin/keys', { body }));
    });
  };
  const flip = (id: string) => setScopes(scopes.includes(id) ? scopes.filter((s) => s !== id) : [...scopes, id]);
  return (
    <Dialog title="New key" onClose={onClose}>
      <form class="stack" onSubmit={submit}>
        <label>Name<input required maxLength={100} value={name} placeholder="laptop" onInput={(e) => setName(e.currentTarget.value)} /></label>
        <fieldset><legend>May use</legend>
          {SCOPES.map(([id, words]) => <label class="check" key={id}><input type="checkbox" checked={scopes.includes(id)} onChange={() => flip(id)} />{words}</label>)}
        </fieldset>
        <label>User whose data it works on<input maxLength={256} value={user} placeholder="a user of its own" onInput={(e) => setUser(e.currentTarget.value)} /></label>
        <div class="pair">
          <label>Expires<select value={term} onChange={(e) => setTerm(e.currentTarget.value)}>{TERMS.map(([v, words]) => <option value={v}>{words}</option>)}</select></label>
          <label>Requests a minute<input type="number" min="1" value={rate} placeholder="as for everybody" onInput={(e) => setRate(e.currentTarget.value)} /></label>
        </div>
        <ErrorNote error={error} />
        <div class="row end"><button class="primary" disabled={busy || !name.trim() || scopes.length === 0}>Make key</button></div>
      </form>
    </Dialog>
  );
}

function ShowKey({ of, onClose }: { of: Key; onClose: () => void }): VNode {
  return (
    <Dialog title={`Key ${of.name}`} onClose={onClose}>
      <div class="stack">
        <p>Copy it now: it is shown this once, and the server keeps nothing it could be made from again.</p>
        <code class="secret" data-test="new-key">{of.key}</code>
        <div class="row end"><button type="button" class="primary" onClick={() => copyText(of.key ?? '', 'Key copied.')}>Copy</button></div>
      </div>
    </Dialog>
  );
}
