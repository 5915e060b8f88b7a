/** How many marks the server does not have yet, of all studies: one that was left goes on being saved. */

import { SvelteMap } from 'svelte/reactivity';

const kept = new SvelteMap<object, { count: number; failing: boolean }>();

/** Takes note of how many are unsaved of one store; `failing`: at least one was tried in vain. */
export function noteUnsaved(store: object, count: number, failing: boolean): void {
  if (count === 0) kept.delete(store);
  else kept.set(store, { count, failing });
}

/** Of all, or of those stores where saving has failed. */
export function unsaved(all: boolean): number {
  return [...kept.values()].reduce((sum, { count, failing }) => sum + (all || failing ? count : 0), 0);
}
