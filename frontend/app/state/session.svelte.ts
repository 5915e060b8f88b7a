/** Who is logged in, or came with a link. When a login ends in mid-work, the login form stands over the hidden page and nothing is lost. */

import { ApiProblem, onAcceptanceWanted, onSessionEnded, setCsrfToken } from '../api/client';
import * as api from '../api/endpoints';
import type { Account, SessionAnswer } from '../api/types';
import { readAs } from './router.svelte';

interface State {
  account: Account | null;
  ended: boolean;
  asked: boolean;
  mayDownload: boolean;
  linkOver: boolean;
}

const state = $state<State>({ account: null, ended: false, asked: false, mayDownload: true, linkOver: false });

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
  get isAdmin() {
    return state.account?.role === 'admin';
  },
  /** Somebody came with a link, and sees what that shows. */
  get isVisitor() {
    return state.account?.role === 'link';
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
  state.account = answer.account;
  state.mayDownload = answer.shared?.may_download ?? true;
  state.ended = state.linkOver = false;
}

export async function readSession(): Promise<void> {
  onSessionEnded(() => {
    if (state.account) state.ended = true;
  });
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
  const before = state.account?.username;
  const { logIn } = await import('../identity/login');
  const answer = await logIn(username, password);
  if (before !== undefined && before !== answer.account.username) return location.replace('/');
  take(answer);
}

export async function changePassword(current: string, next: string): Promise<void> {
  const { setPassword } = await import('../identity/login');
  const answer = await setPassword(state.account?.username ?? '', current, next);
  if (answer?.account) take(answer);
  else if (state.account) state.account = { ...state.account, must_change_password: false };
}

/** Logs out and loads afresh: no image and no header stays in the page's memory. */
export async function logout(): Promise<void> {
  try {
    await api.session.logout();
  } catch (cause) {
    if (!(cause instanceof ApiProblem && cause.status === 401)) throw cause;
  }
  location.replace('/');
}
