/** What the tabs of one browser tell each other: that somebody uses the pages, has logged in, or out. */

export type Told = { kind: 'used'; idleUntil: number; until: number } | { kind: 'in'; account: string } | { kind: 'out' };

const channel = 'BroadcastChannel' in globalThis ? new BroadcastChannel('radrelay-login') : null;
const listeners = new Set<(told: Told) => void>();

channel?.addEventListener('message', ({ data }: MessageEvent<Told>) => {
  for (const listener of listeners) listener(data);
});

export function tellTabs(told: Told): void {
  channel?.postMessage(told);
}

/** Returns the way out. */
export function onTabs(listener: (told: Told) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
