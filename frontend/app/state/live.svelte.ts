/** The server's events: which study, parcel or delivery changed. After a break the listeners read anew. */

export type LiveKind = 'study' | 'parcel' | 'delivery';
export interface LiveEvent {
  id: string;
  change?: string;
}

type Listener = (event: LiveEvent) => void;

const kinds: readonly LiveKind[] = ['study', 'parcel', 'delivery'];
const listeners: Record<LiveKind, Set<Listener>> = { study: new Set(), parcel: new Set(), delivery: new Set() };
const resyncs = new Set<() => void>();
const state = $state({ connected: false });
let source: EventSource | null = null;
let retry: ReturnType<typeof setTimeout> | undefined;
let broken = false;

export function isLive(): boolean {
  return state.connected;
}

function hear(kind: LiveKind, event: MessageEvent<string>): void {
  const said = JSON.parse(event.data) as LiveEvent;
  for (const listener of listeners[kind]) listener(said);
}

export function startLive(): void {
  stopLive();
  source = new EventSource('/api/events');
  source.onopen = () => {
    state.connected = true;
    if (broken) for (const resync of resyncs) resync();
    broken = false;
  };
  source.onerror = () => {
    state.connected = false;
    broken = true;
    if (source?.readyState === EventSource.CLOSED) retry = setTimeout(startLive, 5_000);
  };
  for (const kind of kinds) source.addEventListener(kind, (event) => hear(kind, event as MessageEvent<string>));
}

export function stopLive(): void {
  clearTimeout(retry);
  source?.close();
  source = null;
  state.connected = false;
}

/** Listens to changes of a kind; `resync` is called when events may have been missed. Returns the way out. */
export function onLive(kind: LiveKind, listener: Listener, resync: () => void): () => void {
  listeners[kind].add(listener);
  resyncs.add(resync);
  return () => {
    listeners[kind].delete(listener);
    resyncs.delete(resync);
  };
}
