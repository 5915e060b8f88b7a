/** Who is logged in, or came with a link. When a login ends in mid-work, the login form stands over the hidden page and nothing is lost. */

import { ApiProblem, onAcceptanceWanted, onSessionEnded, onTokenOld, setCsrfToken } from '../api/client';
import * as api from '../api/endpoints';
import type { Account, FactorsReset, SessionAnswer, Stage } from '../api/types';
import type { PasskeyGiven } from '../factors/api';
import { named } from './house';
import { kept, keptInTab } from './kept';
import { readAs } from './router.svelte';
import { onTabs, tellTabs } from './tabs';

/** Whose place this tab shows; a reload after the end of a login keeps the address, and it is for them alone. */
const READER = 'radrelay-reader';
/** Somebody has logged out of this browser while the server was away: whoever opens it next does so to the end first. */
const LEAVING = 'radrelay-leaving';
const LEAVE_AGAIN_MS = 4_000;
const PATIENCE_MS = 2_000;
/** A page that is still here after this has been kept from going: by somebody who has something to save. */
const GOES_WITHIN_MS = 2_000;

interface State {
  account: Account | null;
  ended: boolean;
  asked: boolean;
  mayDownload: boolean;
  sharedBy: string;
  sharedById: string;
  program: string | null;
  linkOver: boolean;
  stage: Stage;
  reset: FactorsReset | null;
  leaving: boolean;
  going: boolean;
}

const state = $state<State>({
  account: null, ended: false, asked: false, mayDownload: true, sharedBy: '', sharedById: '', program: null, linkOver: false, stage: 'open', reset: null,
  leaving: false, going: false,
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
  /** Somebody has logged out, and the server has not heard of it yet. */
  get leaving() {
    return state.leaving;
  },
  /** The page goes, and nothing is begun on it any more: WebKit spins on code that is asked for meanwhile. */
  get going() {
    return state.going;
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
  /** Whose link it is that somebody came with; empty where that has no name. */
  get sharedBy() {
    return state.sharedBy;
  },
  /** The id of that. */
  get sharedById() {
    return state.sharedById;
  },
  /** Somebody came with a link, and what it opened is closed. */
  get linkOver() {
    return state.linkOver;
  },
};

function take(answer: SessionAnswer): void {
  setCsrfToken(answer.csrf_token);
  readAs(answer.account.id);
  if (answer.account.role !== 'link') keptInTab.setItem(READER, answer.account.id);
  state.account = answer.account;
  state.mayDownload = answer.shared?.may_download ?? true;
  state.sharedBy = named(answer.shared?.organisation ?? '');
  state.sharedById = answer.shared?.organisation_id ?? '';
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
  keptInTab.removeItem(READER);
  state.going = true;
  setTimeout(() => (state.going = false), GOES_WITHIN_MS);
  over();
  location.replace(address);
}

/** What another tab tells: all follow a log-out and a login; somebody else gets a fresh page. */
function follow(kind: 'in' | 'out', account: string): void {
  const reader = state.account?.id ?? keptInTab.getItem(READER) ?? account;
  if (kind === 'out' || reader !== account) leave('/');
  else if (state.ended || !inside) void readSession();
}

let looking: Promise<void> | null = null;

/** Goes on with the login that the browser has by now: another tab may have renewed it, as a new password does. */
function goOn(): Promise<void> {
  looking ??= takePresent().finally(() => (looking = null));
  return looking;
}

async function takePresent(): Promise<void> {
  if (!state.account || session.isGuest) return;
  try {
    const answer = await api.session.read();
    if (answer.shared || answer.launched) return;
    if (answer.account.id === state.account.id) take(answer);
    else leave('/');
  } catch (cause) {
    if (!(cause instanceof ApiProblem)) throw cause; // it is over, then
  }
}

/** Hides the page at once; it is there again where only the login's place has been taken by another. */
function endOrGoOn(): void {
  over();
  if (state.ended) void goOn();
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
  onSessionEnded(endOrGoOn);
  onTokenOld(goOn);
  onAcceptanceWanted(() => {
    if (state.account) state.account = { ...state.account, must_accept: true };
  });
  try {
    const answer = await api.session.read();
    if (kept.getItem(LEAVING) !== null) return await leaveAtLast(answer);
    take(answer);
    tellOthers();
  } catch (cause) {
    if (!(cause instanceof ApiProblem && cause.status === 401)) throw cause;
    kept.removeItem(LEAVING);
    state.linkOver = cause.code === 'link-over';
  } finally {
    state.asked = true;
  }
}

/** Asks whether this browser still shows what this tab's link opened: another link may have been opened in it since. */
export async function checkVisit(): Promise<void> {
  const mine = state.account?.id;
  const { account } = await api.session.read();
  if (account.id !== mine) state.linkOver = true;
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
  const reader = keptInTab.getItem(READER);
  if ((before !== undefined && before !== answer.account.username) || (reader && reader !== answer.account.id)) {
    keptInTab.removeItem(READER);
    return location.replace('/');
  }
  take(answer);
  tellOthers();
}

/** The other tabs of this browser go on with the same login, however it came: by single sign-on a page is loaded anew. */
function tellOthers(): void {
  if (state.account && state.stage === 'open' && !session.isGuest) tellTabs({ kind: 'in', account: state.account.id });
}

/** The person has read that an administrator took their second factors away. */
export function resetRead(): void {
  state.reset = null;
}

export async function changePassword(current: string, next: string): Promise<void> {
  const { setPassword } = await import('../identity/login');
  const answer = await setPassword(state.account?.username ?? '', current, next);
  if (answer?.account) takeAnswer(answer);
  else if (state.account) state.account = { ...state.account, must_change_password: false };
}

/** Logs out and loads afresh: no image and no header stays in the page's memory. Without the server, the page goes at
 * once all the same, and logs out as soon as it is back. */
export async function logout(): Promise<void> {
  const slow = setTimeout(hide, PATIENCE_MS);
  try {
    const onward = await api.session.logout();
    clearTimeout(slow);
    gone(onward);
  } catch (cause) {
    clearTimeout(slow);
    if (cause instanceof ApiProblem && cause.status === 401) return gone();
    hide();
    setTimeout(() => void tryToLeave(), LEAVE_AGAIN_MS);
  }
}

/** Takes everything off the screen and out of the browser, though the server has not heard of it. */
function hide(): void {
  kept.setItem(LEAVING, '1');
  keptInTab.removeItem(READER);
  tellTabs({ kind: 'out' });
  state.leaving = true;
}

/** `onward` leads to where one logs out of single sign-on, too. */
function gone(onward?: string | null): void {
  kept.removeItem(LEAVING);
  tellTabs({ kind: 'out' });
  leave(onward || '/');
}

async function leaveAtLast(answer: SessionAnswer): Promise<void> {
  setCsrfToken(answer.csrf_token);
  gone(await api.session.logout());
}

/** Asks who is logged in first: the login may have gone on under another token, or be over. */
async function tryToLeave(): Promise<void> {
  try {
    await leaveAtLast(await api.session.read());
  } catch (cause) {
    if (cause instanceof ApiProblem && cause.status === 401) return gone();
    setTimeout(() => void tryToLeave(), LEAVE_AGAIN_MS);
  }
}
