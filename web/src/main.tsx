// The shell: navigation, who is signed in, the page of the address. One bundle: in parts it would be
// a tenth larger in all.
import { render, type FunctionComponent, type VNode } from 'preact';
import { effect } from '@preact/signals';
import './style.css';
import { offline, signInWanted } from './lib/api';
import * as chat from './lib/chat';
import * as jobfeed from './lib/jobfeed';
import { reset } from './lib/live';
import { go, href, route } from './lib/router';
import { administrator, may, me, meError, refresh } from './lib/session';
import * as uploads from './lib/uploads';
import * as voice from './lib/voice';
import { ChatPage } from './pages/chat';
import { DashboardPage } from './pages/dashboard';
import { JobsPage } from './pages/jobs';
import { KnowledgePage } from './pages/knowledge';
import { OperatePage } from './pages/operate';
import { SignInPage } from './pages/sign-in';
import { VoicePage } from './pages/voice';
import { Announcer, Bar, Empty, ErrorNote, Icon, IconButton, Questions } from './ui/kit';
import { start as startTheme, theme, toggle } from './ui/theme';

const PAGES: Record<string, FunctionComponent> = {
  chat: ChatPage, voice: VoicePage, knowledge: KnowledgePage, jobs: JobsPage, dashboard: DashboardPage,
  operate: OperatePage,
};

const NAV: [string, string, () => boolean][] = [
  ['chat', 'Chat', () => may.value.chat],
  ['voice', 'Voice', () => may.value.chat],
  ['knowledge', 'Knowledge', () => may.value.knowledge],
  ['jobs', 'Jobs', () => may.value.jobs || may.value.look],
  ['dashboard', 'Dashboard', () => may.value.look],
  ['operate', 'Operate', () => may.value.look],
];

function App(): VNode {
  const page = route.value.page;
  return (
    <>
      <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); document.querySelector<HTMLElement>('#main h1')?.focus(); }}>Skip to the page</a>
      <Side page={page} />
      <main id="main">
        {offline.value ? <p class="note bad banner" role="alert">The server cannot be reached. This page tries again by itself.</p> : null}
        <Shown page={page} />
      </main>
      <Announcer />
      <Questions />
    </>
  );
}

function Shown({ page }: { page: string }): VNode {
  if (page === 'sign-in') return <SignInPage />;
  const allowed = NAV.find(([id]) => id === page)?.[2]() ?? false;
  if (!me.value && !meError.value) return <div class="page" aria-busy="true" />;
  if (!allowed) return <NotAllowed page={page} />;
  const Found = PAGES[page]!;
  return <Found key={page} />;
}

/** Why a page is not shown, and what to do about it. */
function NotAllowed({ page }: { page: string }): VNode {
  const name = NAV.find(([id]) => id === page)?.[1] ?? page;
  const admin = page === 'dashboard' || page === 'operate';
  if (!admin && meError.value && meError.value.status !== 401) {
    return <div class="page"><Bar title={name} /><ErrorNote error={meError.value} again={refresh} /></div>;
  }
  return (
    <div class="page"><Bar title={name} />
      <Empty title={admin ? 'An administrator’s page' : meError.value ? 'A key is needed' : 'Not with this key'}>
        <p>{admin ? 'Sign in with the admin key, or with one that has the scope admin:read to look on.' :
          meError.value ? 'This server answers who shows a key. mainstay keys new makes one.' :
            `The key you signed in with lacks the scope for ${name}.`}</p>
        <a class="button primary" href={href('sign-in')}>Sign in</a>
      </Empty>
    </div>
  );
}

function Side({ page }: { page: string }): VNode {
  const busy: Record<string, boolean> = {
    chat: chat.answer.value !== null,
    knowledge: uploads.uploads.value.some((one) => one.stage === 'sending' || one.stage === 'reading'),
  };
  const user = me.value?.how === 'local' ? 'Local' : me.value?.user;
  const who = [user, administrator.value && 'admin'].filter(Boolean).join(', ') || 'Sign in';
  return (
    <header class="side-nav">
      <a class="brand" href={href('chat')} aria-label="Mainstay, to the chat"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 2v20M12 3 4 20M12 3l8 17M7.5 13h9" /></svg><span>Mainstay</span></a>
      <nav aria-label="Pages">
        {NAV.map(([id, text, shown]) => (shown() || id === 'chat' || id === 'dashboard' ? (
          <a key={id} href={href(id)} aria-current={page === id ? 'page' : undefined}>
            <Icon name={id} /><span>{text}</span>{busy[id] && page !== id ? <i class="dot" aria-label="busy" /> : null}</a>
        ) : null))}
      </nav>
      <div class="foot">
        <a href={href('sign-in')} aria-current={page === 'sign-in' ? 'page' : undefined} aria-label={who}>
          <Icon name="user" /><span class="cut">{who}</span></a>
        <IconButton icon={theme.value === 'dark' ? 'sun' : 'moon'} label={theme.value === 'dark' ? 'Light colours' : 'Dark colours'} onClick={toggle} />
      </div>
    </header>
  );
}

/** A new page is told to those who hear it, unless one of its fields has the focus already. */
function titleTakesFocus(): void {
  if (document.activeElement?.closest('#main')) return;
  document.querySelector<HTMLElement>('#main h1')?.focus({ preventScroll: true });
}

function begin(): void {
  startTheme();
  const root = document.getElementById('app')!;
  root.textContent = '';
  render(<App />, root);
  void refresh();
  // While the server is away, or refused us, look again: the page comes back by itself.
  setInterval(() => { if ((offline.value || (meError.value && meError.value.status !== 401)) && !document.hidden) void refresh(); }, 2000);
  let shown = '';
  effect(() => {
    const page = route.value.page;
    const name = NAV.find(([id]) => id === page)?.[1] ?? 'Sign in';
    document.title = `${name} · Mainstay`;
    if (shown && shown !== page) setTimeout(titleTakesFocus, 50);
    shown = page;
  });
  let user = '';
  effect(() => {
    const now = me.value ? `${me.value.tenant} ${me.value.user}` : '';
    if (!now) return;
    if (user && user !== now) {
      for (const part of [chat, uploads, jobfeed, voice]) part.forget();
      if (route.peek().page === 'chat') go('chat');
    }
    user = now;
  });
  let admin = '';
  effect(() => {
    const now = administrator.value?.key ?? administrator.value?.how ?? '';
    if (now !== admin) reset();
    admin = now;
  });
  // A key that is refused while it is used: look who we are now.
  effect(() => { if (signInWanted.value) void refresh(); });
}

begin();
