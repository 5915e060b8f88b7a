/** Who is logged in, or came with a link. When a login ends in mid-work, the login form stands over the hidden page and nothing is lost. */

import { ApiProblem, onAcceptanceWanted, onSessionEnded, setCsrfToken } from '../api/client';
import * as api from '../api/endpoints';
import type { Account, FactorsReset, SessionAnswer, Stage } from '../api/types';
import type { PasskeyGiven } from '../factors/api';
import { readAs } from './router.svelte';
import { onTabs, tellTabs } from './tabs';

/** Whose place this tab shows; a reload after the end of a login keeps the address, and it is for them alone. */
const READER = 'radrelay-reader';

interface State {
  account: Account | null;
  ended: boolean;
  asked: boolean;
  mayDownload: boolean;
  program: string | null;
  linkOver: boolean;
  stage: Stage;
  reset: FactorsReset | null;
}

const state = $state<State>({
  account: null, ended: false, asked: false, mayDownload: true, program: null, linkOver: false, stage: 'open', reset: null,
});
/** This page has been shown behind the login: when that ends, it is kept. */
let inside = false;

export const session = {
  get account() {
    return state.account;
  },
  /** A login was there and is over; the page behind it is kept. */
  get ended() {
    return state.ended;
  },
  get asked() {
    return state.asked;
  },
  /** How far the login has come: all the way, up to the second factor, or up to setting one up. */
  get stage() {
    return state.stage;
  },
  /** An administrator took this person's second factors away, and they have not read of it. */
  get reset() {
    return state.reset;
  },
  get isAdmin() {
    return state.account?.role === 'admin';
  },
  /** Somebody came with a link, and sees what that shows. */
  get isVisitor() {
    return state.account?.role === 'link';
  },
  /** Another program has opened the viewer in this person's name; its name. */
  get isLaunched() {
    return state.program !== null;
  },
  get program() {
    return state.program ?? '';
  },
  /** Somebody sees what a link or another program has opened, and nothing else of the house. */
  get isGuest() {
    return state.account?.role === 'link' || state.program !== null;
  },
  /** A link may only let look. */
  get mayDownload() {
    return state.mayDownload;
  },
  /** Somebody came with a link, and what it opened is closed. */
  get linkOver() {
    return state.linkOver;
  },
};

function take(answer: SessionAnswer): void {
  setCsrfToken(answer.csrf_token);
  readAs(answer.account.id);
  if (answer.account.role !== 'link') sessionStorage.setItem(READER, answer.account.id);
  state.account = answer.account;
  state.mayDownload = answer.shared?.may_download ?? true;
  state.program = answer.launched?.program ?? null;
  state.stage = answer.stage ?? 'open';
  state.reset = answer.reset ?? null;
  state.linkOver = false;
  if (state.stage !== 'open') return; // the page that waits behind an ended login waits on
  state.ended = false;
  inside = true;
}

function over(): void {
  state.stage = 'open';
  if (inside) state.ended = state.account !== null;
  else state.account = null; // there is nothing to come back to
}

/** Hides the page at once and loads afresh. That may take a while, or wait for an answer about what is not saved. */
function leave(address: string): void {
  sessionStorage.removeItem(READER);
  over();
  location.replace(address);
}

/** What another tab tells: all follow a log-out and a login; somebody else gets a fresh page. */
function follow(kind: 'in' | 'out', account: string): void {
  if (kind === 'out' || (state.account && state.account.id !== account)) leave('/');
  else if (state.ended) void readSession();
}

let follows = false;

function followTabs(): void {
  if (follows) return;
  follows = true;
  onTabs((told) => {
    if (told.kind !== 'used' && state.account?.role !== 'link') follow(told.kind, told.kind === 'in' ? told.account : '');
  });
}

export async function readSession(): Promise<void> {
  followTabs();
  onSessionEnded(over);
  onAcceptanceWanted(() => {
    if (state.account) state.account = { ...state.account, must_accept: true };
  });
  try {
    take(await api.session.read());
  } catch (cause) {
    if (!(cause instanceof ApiProblem && cause.status === 401)) throw cause;
    state.linkOver = cause.code === 'link-over';
  } finally {
    state.asked = true;
  }
}

/** Logs in. Somebody else than before gets a fresh page, so that nothing of the last person stays. */
export async function login(username: string, password: string): Promise<void> {
  const { logIn } = await import('../identity/login');
  takeAnswer(await logIn(username, password));
}

/** Logs in with a passkey alone. */
export async function loginByPasskey(given: PasskeyGiven): Promise<void> {
  const { entry } = await import('../factors/api');
  takeAnswer(await entry.logIn(given));
}

/** Takes a new login, or one that has come further. */
export function takeAnswer(answer: SessionAnswer): void {
  const before = state.account?.username;
  const reader = sessionStorage.getItem(READER);
  if ((before !== undefined && before !== answer.account.username) || (reader && reader !== answer.account.id)) {
    sessionStorage.removeItem(READER);
    return location.replace('/');
  }
  take(answer);
  if (state.stage === 'open') tellTabs({ kind: 'in', account: answer.account.id });
}

/** The person has read that an administrator took their second factors away. */
export function resetRead(): void {
  state.reset = null;
}

export async function changePassword(current: string, next: string): Promise<void> {
  const { setPassword } = await import('../identity/login');
  const answer = await setPassword(state.account?.username ?? '', current, next);
  if (answer?.account) take(answer);
  else if (state.account) state.account = { ...state.account, must_change_password: false };
}

/** Logs out and loads afresh: no image and no header stays in the page's memory. */
export async function logout(): Promise<void> {
  let onward: string | null | undefined; // to log out at the provider of single sign-on, too
  try {
    onward = await api.session.logout();
  } catch (cause) {
    if (!(cause instanceof ApiProblem && cause.status === 401)) throw cause;
  }
  tellTabs({ kind: 'out' });
  leave(onward || '/');
}
