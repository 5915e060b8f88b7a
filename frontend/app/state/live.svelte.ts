/**
 * The server's events name the lists that changed; who shows one reads it anew. After a break all are read anew. Whether
 * they flow tells whether the server answers; and it says that a login, or what a link opened, is over.
 */

import { announceSessionEnd, ApiProblem, mayPass } from '../api/client';
import { session } from '../api/endpoints';

export type LiveList = 'studies' | 'parcels' | 'deliveries' | 'fetches' | 'imports' | 'quarantine' | 'marks' | 'analyses' | 'links';

const lists: readonly LiveList[] = ['studies', 'parcels', 'deliveries', 'fetches', 'imports', 'quarantine', 'marks', 'analyses', 'links'];
const listeners: Record<LiveList, Set<() => void>> = {
  studies: new Set(),
  parcels: new Set(),
  deliveries: new Set(),
  fetches: new Set(),
  imports: new Set(),
  quarantine: new Set(),
  marks: new Set(),
  analyses: new Set(),
  links: new Set(),
};
const RETRY_MS = 5_000;
/** A stream that is renewed within this is no news. */
const AWAY_AFTER_MS = 2_000;
/** The server says every 15 s that it is there; a line may break in silence, and a laptop sleep. */
const SILENCE_MS = 40_000;
const state = $state({ connected: false, away: false });
const waiting = new Set<() => void>();
let source: EventSource | null = null;
let retry: ReturnType<typeof setTimeout> | undefined;
let absent: ReturnType<typeof setTimeout> | undefined;
let silent: ReturnType<typeof setTimeout> | undefined;
let asking: ReturnType<typeof setTimeout> | undefined;
let broken = false;

export function isLive(): boolean {
  return state.connected;
}

/** The server does not answer, and has not for a moment. */
export function isAway(): boolean {
  return state.away;
}

/**
 * Calls `again` once the server may answer again: when its events flow, or in a while where none are heard. Whoever gets
 * no answer even then asks once more. Returns the way out.
 */
export function onceBack(again: () => void): () => void {
  waiting.add(again);
  asking ??= setTimeout(askAgain, RETRY_MS);
  return () => waiting.delete(again);
}

function askAgain(): void {
  clearTimeout(asking);
  asking = undefined;
  const all = [...waiting];
  waiting.clear();
  for (const again of all) again();
}

function tell(changed: readonly LiveList[]): void {
  for (const list of changed) for (const listener of listeners[list]) listener();
}

function hear(event: MessageEvent<string>): void {
  const { lists: named } = JSON.parse(event.data) as { lists: string[] };
  tell(lists.filter((list) => named.includes(list)));
}

/** Something was heard: the next silence begins now. */
function heard(): void {
  clearTimeout(silent);
  silent = setTimeout(() => {
    lost();
    startLive();
  }, SILENCE_MS);
}

function present(): void {
  clearTimeout(absent);
  absent = undefined;
  state.away = false;
}

function lost(): void {
  state.connected = false;
  broken = true;
  absent ??= setTimeout(() => (state.away = true), AWAY_AFTER_MS);
}

/** There are no events, but perhaps an answer: who may not listen any more is told so, and who finds no room is told too. */
async function askInstead(): Promise<void> {
  const mine = source;
  try {
    await session.read();
  } catch (cause) {
    if (!(cause instanceof ApiProblem)) throw cause;
    if (mayPass(cause)) return;
    if (cause.status === 401 && source === mine) announceSessionEnd();
  }
  if (source === mine) present();
}

export function startLive(): void {
  close();
  source = new EventSource('/api/events');
  source.onopen = () => {
    state.connected = true;
    present();
    heard();
    if (broken) {
      tell(lists);
      askAgain();
    }
    broken = false;
  };
  source.onerror = () => {
    lost();
    clearTimeout(silent);
    if (source?.readyState !== EventSource.CLOSED) return;
    void askInstead();
    clearTimeout(retry);
    retry = setTimeout(startLive, RETRY_MS);
  };
  source.addEventListener('changed', (event) => {
    heard();
    hear(event as MessageEvent<string>);
  });
  source.addEventListener('here', heard);
  source.addEventListener('ended', () => {
    stopLive();
    announceSessionEnd();
  });
}

function close(): void {
  clearTimeout(retry);
  clearTimeout(silent);
  source?.close();
  source = null;
  state.connected = false;
}

export function stopLive(): void {
  close();
  present();
}

/** Calls `listener` when a list changed, a moment after the first of several changes. Returns the way out. */
export function onLive(list: LiveList, listener: () => void, gatherMs = 400): () => void {
  let gathering: ReturnType<typeof setTimeout> | undefined;
  const soon = (): void => {
    gathering ??= setTimeout(() => {
      gathering = undefined;
      listener();
    }, gatherMs);
  };
  listeners[list].add(soon);
  return () => {
    clearTimeout(gathering);
    listeners[list].delete(soon);
  };
}
