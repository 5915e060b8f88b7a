/** The server's events name the lists that changed; who shows one reads it anew. After a break all are read anew. */

import { announceSessionEnd } from '../api/client';

export type LiveList = 'studies' | 'parcels' | 'deliveries' | 'quarantine' | 'marks' | 'links';

const lists: readonly LiveList[] = ['studies', 'parcels', 'deliveries', 'quarantine', 'marks', 'links'];
const listeners: Record<LiveList, Set<() => void>> = {
  studies: new Set(),
  parcels: new Set(),
  deliveries: new Set(),
  quarantine: new Set(),
  marks: new Set(),
  links: new Set(),
};
const RETRY_MS = 5_000;
const state = $state({ connected: false });
let source: EventSource | null = null;
let retry: ReturnType<typeof setTimeout> | undefined;
let broken = false;

export function isLive(): boolean {
  return state.connected;
}

function tell(changed: readonly LiveList[]): void {
  for (const list of changed) for (const listener of listeners[list]) listener();
}

function hear(event: MessageEvent<string>): void {
  const { lists: named } = JSON.parse(event.data) as { lists: string[] };
  tell(lists.filter((list) => named.includes(list)));
}

export function startLive(): void {
  stopLive();
  source = new EventSource('/api/events');
  source.onopen = () => {
    state.connected = true;
    if (broken) tell(lists);
    broken = false;
  };
  source.onerror = () => {
    state.connected = false;
    broken = true;
    if (source?.readyState === EventSource.CLOSED) retry = setTimeout(startLive, RETRY_MS);
  };
  source.addEventListener('changed', hear);
  source.addEventListener('ended', () => {
    stopLive();
    announceSessionEnd();
  });
}

export function stopLive(): void {
  clearTimeout(retry);
  source?.close();
  source = null;
  state.connected = false;
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
