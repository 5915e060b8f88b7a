/** The present, moving every half minute, for what is said relative to it. */

const state = $state({ now: Date.now() });

setInterval(() => (state.now = Date.now()), 30_000);

export function now(): number {
  return state.now;
}
