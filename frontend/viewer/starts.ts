/**
 * Windows of series and of runs of frames whose objects bring none: over pictures spread over the whole, so that they
 * do not depend on which is looked at first, nor on what came first. The first picture's stands in until those are here.
 */

import { isColour, type Frame } from './frame';
import { initialWindow, type Window } from './grey';

/** Places of a stack that are seen with one window. */
export interface Span {
  first: number;
  count: number;
}

/** Pictures that tell what a span's window is to be. */
export interface Spread {
  places: readonly number[];
  /** Takes those that could be had; tells whether the window is another one now. */
  take: (frames: readonly (Frame | null)[]) => boolean;
}

const SHARES = [0.5, 0.25, 0.75]; // of the way through a span: its ends are often air
const MOST_TRIES = 3;

interface Start {
  window: Window;
  /** Of a picture that was not whole. */
  coarse: boolean;
  stage: 'open' | 'asked' | 'made';
  tries: number;
}

export class Starts {
  readonly #known = new Map<number, Start>();

  /** The window of a span, a picture of which is here. */
  windowFor({ first, count }: Span, frame: Frame): Window {
    if (count < 2) return initialWindow(frame);
    const known = this.#known.get(first);
    if (known && !(known.coarse && !frame.coarse)) return known.window;
    const made: Start = { stage: 'open', tries: 0, ...known, window: initialWindow(frame), coarse: frame.coarse };
    this.#known.set(first, made);
    return made.window;
  }

  /** What is to be brought for the window of a span; none where that is made or being made. `has`: there is a picture. */
  wanted(span: Span, has: (place: number) => boolean): Spread | null {
    const start = this.#known.get(span.first);
    if (!start || start.stage !== 'open' || span.count < 2) return null;
    start.stage = 'asked';
    const places = new Set(SHARES.map((share) => span.first + Math.round(share * (span.count - 1))));
    return { places: [...places].filter(has), take: (frames) => settle(start, frames) };
  }
}

/** Makes the window of what came; what could not be had is asked for again, and done without in the end. */
function settle(start: Start, frames: readonly (Frame | null)[]): boolean {
  start.tries += 1;
  if (frames.includes(null) && start.tries < MOST_TRIES) {
    start.stage = 'open';
    return false;
  }
  start.stage = 'made';
  const grey = frames.filter((frame) => frame !== null && !isColour(frame)) as Frame[];
  if (grey.length === 0) return false;
  const ends = grey.map(initialWindow).map(({ center, width }) => [center - width / 2, center + width / 2] as const);
  const [low, high] = [Math.min(...ends.map(([end]) => end)), Math.max(...ends.map(([, end]) => end))];
  start.window = { center: (low + high) / 2, width: high - low, kind: 'LINEAR_EXACT' };
  start.coarse = false;
  return true;
}
