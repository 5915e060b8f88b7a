/** Code that comes behind the first picture: asked for until it is here, and the reader is told while it is not. */

import { notifyUntilRead } from '../state/notices.svelte';

const AGAIN_MS = 1_500;
const LONGEST_MS = 30_000;
const TOLD_FROM = 3; // tries: before, the line may just be away for a moment

/**
 * Asks for a part of the page, ever more slowly, until it comes. After some tries a notice says what is missing: of a
 * version that is no longer served it never comes. Returns how to give it up.
 */
export function bring<Part>(ask: () => Promise<Part>, come: (part: Part) => void, missing: () => string): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let putAway: (() => void) | undefined;
  let given = false;
  let tries = 0;
  const failed = (): void => {
    if (given) return;
    tries += 1;
    if (tries >= TOLD_FROM) putAway ??= notifyUntilRead(missing(), 'danger');
    timer = setTimeout(next, Math.min(LONGEST_MS, AGAIN_MS * 2 ** (tries - 1)));
  };
  const stop = (): void => {
    given = true;
    clearTimeout(timer);
    putAway?.();
  };
  const next = (): void =>
    void ask().then((part) => {
      if (given) return;
      stop();
      come(part);
    }, failed);
  next();
  return stop;
}

/** The same as a promise, for what waits in the markup: it is kept once the line is back. */
export const brought = <Part>(ask: () => Promise<Part>, missing: () => string): Promise<Part> =>
  new Promise((come) => void bring(ask, come, missing));
