// Signing in: a user's key and an administrator's key, apart from each other, kept in this tab.
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { signInWanted, type Who } from '../lib/api';
import { administrator, may, me, meError, signIn, signOut, type Me } from '../lib/session';
import { Bar, Chip, ErrorNote, toast, useAction } from '../ui/kit';

const HOW: Record<string, string> = { local: 'this machine, without a key', key: 'a key', token: 'a token of the issuer', admin_key: 'the admin key' };

export function SignInPage(): VNode {
  const user = me.value;
  const served = (user ?? administrator.value)?.serves.admin ?? true;
  return (
    <div class="page">
      <Bar title="Sign in" />
      {signInWanted.value ? <p class="note warn" role="status">{signInWanted.value}</p> : null}
      {meError.value && meError.value.status !== 401 ? <ErrorNote error={meError.value} /> : null}
      <div class="cards">
        <Card who="user" title="You" found={user && user.how !== 'local' ? user : null}
              explains={user?.how === 'local' ? 'This machine needs no key. With one you work on that key’s data.' :
                'For chat, voice, knowledge and jobs. A key begins with ms_; a token of the issuer works, too.'} />
        {served ? <Card who="admin" title="Administration" found={administrator.value}
              explains="For the dashboard and Operate. The key of the first start lies in admin.key in the data folder." /> :
          <section class="card"><h2>Administration</h2><p>It is served at another address: server.admin_listen in the configuration.</p></section>}
        {user ? <Facts of={user} /> : null}
      </div>
      <p class="faint">Keys stay in this tab and go with its requests alone. There is no cookie: another page cannot use them. Closing the tab signs out.</p>
    </div>
  );
}

function Card({ who, title, explains, found }: { who: Who; title: string; explains: string; found: Me | null }): VNode {
  const [key, setKey] = useState('');
  const [run, busy, error] = useAction();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      await signIn(who, key.trim());
      setKey('');
      toast('Signed in.');
    });
  };
  return (
    <section class="card" aria-label={title}>
      <h2>{title} {found ? <Chip tone="ok">signed in</Chip> : null}
        {who === 'admin' && found && !may.value.change ? <Chip tone="warn">read only</Chip> : null}</h2>
      {found ? (
        <div class="stack">
          <p>As <b>{found.user}</b>, with {HOW[found.how] ?? found.how}{found.key ? ` (${found.key})` : ''}.</p>
          <div class="row"><button type="button" onClick={() => signOut(who)}>Sign out</button></div>
        </div>
      ) : (
        <form class="stack" onSubmit={submit}>
          <p class="faint">{explains}</p>
          <label>Key or token<input type="password" name={`${who}-key`} autocomplete="off" spellcheck={false} required value={key}
                                    onInput={(e) => setKey(e.currentTarget.value)} /></label>
          <ErrorNote error={error} />
          <div class="row"><button class="primary" disabled={busy || !key.trim()}>Sign in</button></div>
        </form>
      )}
    </section>
  );
}

function Facts({ of }: { of: Me }): VNode {
  const limit = (n: number) => (n > 0 ? String(n) : 'no limit');
  return (
    <section class="card" aria-label="What you may do">
      <h2>What you may do</h2>
      <dl class="facts">
        <dt>User</dt><dd>{of.user}</dd><dt>Tenant</dt><dd>{of.tenant}</dd>
        <dt>Scopes</dt><dd>{of.scopes.join(', ') || 'none'}</dd>
        <dt>Most urgent class</dt><dd>{of.most_urgent}</dd>
        <dt>Requests a minute</dt><dd>{limit(of.limits.requests_per_minute)}{of.limits.burst ? `, ${of.limits.burst} at once beyond it` : ''}</dd>
        <dt>Tokens a day</dt><dd>{limit(of.limits.tokens_per_day)}</dd>
        <dt>Messages that may wait</dt><dd>{limit(of.limits.queued)}</dd>
      </dl>
    </section>
  );
}
