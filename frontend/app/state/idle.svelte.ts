/**
 * When the login ends because nobody uses the pages. Use is what a hand does: touching, typing, moving the mouse; neither
 * what pages ask by themselves nor a key that something lies on. The server is told of it now and then, with how long ago
 * it was; other tabs follow. A minute before the end a warning stands, which wants an answer.
 */

import { use } from '../api/account';
import { announceSessionEnd, ApiProblem } from '../api/client';
import { session as api } from '../api/endpoints';
import type { SessionAnswer } from '../api/types';
import { onTabs, tellTabs } from './tabs';

const TICK_MS = 500;
const WARN_MS = 60_000;
const MOST_QUIET_MS = 60_000;
/** Each answer tells anew how long the login lasts, and takes a moment to come. */
const SAME_MS = 10_000;
const USES = ['pointerdown', 'pointermove', 'wheel', 'keydown', 'touchstart'] as const;

interface Warning {
  seconds: number;
  /** It ends however much it is used. */
  last: boolean;
}

const state = $state<{ warning: Warning | null }>({ warning: null });
let idleUntil = Infinity;
let until = Infinity;
let total = Infinity;
let usedAt = 0;
let toldAt = 0;
let asking = false;
/** It has been read that the login ends at `until` however much it is used. */
let readFor = 0;

export function warning(): Warning | null {
  return state.warning;
}

function take(answer: SessionAnswer, tell: boolean): void {
  if (answer.idle_left_s == null || answer.left_s == null) return;
  idleUntil = Date.now() + answer.idle_left_s * 1000;
  until = Date.now() + answer.left_s * 1000;
  if (tell) tellTabs({ kind: 'used', idleUntil, until });
}

async function ask(question: () => Promise<SessionAnswer>, tell: boolean): Promise<void> {
  if (asking) return;
  asking = true;
  try {
    take(await question(), tell);
  } catch (cause) {
    if (!(cause instanceof ApiProblem)) throw cause;
    if (cause.status === 401) announceSessionEnd();
  } finally {
    asking = false;
  }
}

async function tellUse(): Promise<void> {
  toldAt = Date.now();
  const idleS = Math.max(0, (toldAt - usedAt) / 1000);
  await ask(() => use(idleS), true);
}

/** Somebody answers the warning. */
export async function stay(): Promise<void> {
  usedAt = Date.now();
  await tellUse();
  tick();
}

/** Somebody has read that the login ends, and works on until it does. */
export function workOn(): void {
  readFor = until;
  tick();
}

function noteUse(event: Event): void {
  if (!event.isTrusted || state.warning) return;
  if (event instanceof KeyboardEvent && event.repeat) return;
  usedAt = Date.now();
}

function tick(): void {
  const now = Date.now();
  const end = Math.min(idleUntil, until);
  const warnAt = end - Math.min(WARN_MS, total / 3);
  const untold = usedAt > toldAt;
  if (untold && (now - toldAt >= Math.min(MOST_QUIET_MS, total / 6) || now >= warnAt)) void tellUse();
  const last = until <= idleUntil;
  const stands = now >= warnAt && (last ? until - readFor > SAME_MS : !untold);
  state.warning = stands ? { seconds: Math.max(0, Math.ceil((end - now) / 1000)), last } : null;
  if (now >= end) void ask(api.read, false); // another tab, or another clock, may know better
}

/** Watches until the way out is called. */
export function watchIdle(): () => void {
  usedAt = Date.now();
  const begun = tellUse().then(() => {
    total = idleUntil - Date.now();
  });
  void begun;
  const timer = setInterval(tick, TICK_MS);
  const quit = onTabs((told) => {
    if (told.kind !== 'used') return;
    idleUntil = Math.max(idleUntil, told.idleUntil);
    until = told.until;
  });
  for (const kind of USES) addEventListener(kind, noteUse, { capture: true, passive: true });
  return () => {
    clearInterval(timer);
    quit();
    for (const kind of USES) removeEventListener(kind, noteUse, { capture: true });
    state.warning = null;
    idleUntil = until = total = Infinity;
  };
}
