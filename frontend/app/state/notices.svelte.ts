/** Short notices at the page's edge: what was done, what went wrong. */

import { ApiProblem } from '../api/client';
import { t } from '../i18n/index.svelte';
import { troubleText } from '../i18n/trouble';

export interface Notice {
  id: number;
  text: string;
  tone: 'info' | 'danger';
  /** It stays until it is put away. */
  lasting: boolean;
}

const state = $state<{ all: Notice[] }>({ all: [] });
let last = 0;

export function notices(): Notice[] {
  return state.all;
}

export function dismiss(id: number): void {
  state.all = state.all.filter((notice) => notice.id !== id);
}

function add(notice: Omit<Notice, 'id'>): number {
  const id = ++last;
  const passing = state.all.filter(({ lasting }) => !lasting).slice(-3);
  state.all = [...state.all.filter((one) => one.lasting || passing.includes(one)), { id, ...notice }];
  return id;
}

/** Says what must not be missed: it stays until it is put away. Returns how to do so. */
export function notifyUntilRead(text: string, tone: Notice['tone'] = 'info'): () => void {
  const id = add({ text, tone, lasting: true });
  return () => dismiss(id);
}

export function notify(text: string, tone: Notice['tone'] = 'info'): void {
  const id = add({ text, tone, lasting: false });
  setTimeout(() => dismiss(id), tone === 'danger' ? 12_000 : 5_000);
}

/** Says an error in words: the server's own, or that it cannot be reached. */
export function problemText(cause: unknown): string {
  if (cause instanceof ApiProblem) {
    if (cause.code === 'unreachable') return t('problem.unreachable');
    return troubleText({ code: cause.code, detail: cause.message, facts: cause.facts });
  }
  return t('problem.unexpected');
}

/** Runs an action of the user; a failure becomes a notice. Returns whether it worked. */
export async function attempt(action: () => Promise<unknown>, done = ''): Promise<boolean> {
  try {
    await action();
    if (done) notify(done);
    return true;
  } catch (cause) {
    notify(problemText(cause), 'danger');
    return false;
  }
}

/** Runs a background reading whose failure the next one makes up; errors of the program itself still surface. */
export async function attemptQuietly(action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (cause) {
    if (!(cause instanceof ApiProblem)) throw cause;
  }
}
