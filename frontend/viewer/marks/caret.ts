/**
 * The cross that keys move over a picture, where a mouse would point: it sets the points of a mark, takes them back, and
 * carries the lens. It stays at its place of the picture; at the pane's edge the picture moves along.
 */

import type { Seen, Touch } from '../layer';
import { drawCross, type Pen } from './draw';
import { clamped } from './edits';
import { sizeOf } from './grip';
import { onPane, spotOf } from './hit';
import type { Spot } from './mark';

/** Names the keyboard where a pointer has its type. */
export const BY_KEYS = 'keyboard';

/** CSS pixels of the pane. */
export const STEPS = { fine: 1, usual: 5, large: 50 } as const;
const BROUGHT_IN = 0.15; // of the pane, where the cross went beyond its edge

export interface CaretOptions {
  /** Points at a place, as a pointer does that is not pressed. */
  point: (touch: Touch, seen: Seen) => void;
  /** Moves the picture in the pane, by CSS pixels. */
  pan: (dx: number, dy: number) => void;
  redraw: () => void;
}

export class Caret {
  readonly #options: CaretOptions;
  #at: Spot | null = null;

  constructor(options: CaretOptions) {
    this.#options = options;
  }

  /** Stands in the middle of what the pane shows again. */
  reset(seen: Seen): void {
    this.#at = null;
    this.#options.point(this.touch(seen), seen);
    this.#options.redraw();
  }

  /** In image columns and rows: the pane's middle, until it was moved, and again where the picture was moved away. */
  #place(seen: Seen): Spot {
    const { width, height } = seen.pane;
    const isSeen = (at: Spot): boolean => {
      const [x, y] = onPane(seen, at);
      return x >= -1 && y >= -1 && x <= width + 1 && y <= height + 1;
    };
    const at = this.#at && isSeen(this.#at) ? this.#at : spotOf(seen.toImage({ x: width / 2, y: height / 2 }));
    return clamped(at, sizeOf(seen));
  }

  touch(seen: Seen): Touch {
    const [x, y] = this.#place(seen);
    return { image: { x, y }, pane: seen.toPane({ x, y }), pointerType: BY_KEYS, shift: false };
  }

  /** Goes on by CSS pixels, not beyond the picture. */
  move(right: number, down: number, seen: Seen): void {
    const { pane } = this.touch(seen);
    const at = clamped(spotOf(seen.toImage({ x: pane.x + right, y: pane.y + down })), sizeOf(seen));
    const [x, y] = onPane(seen, at);
    this.#at = at;
    const beyond = (one: number, end: number): number => {
      if (one >= 0 && one <= end) return 0;
      return one < 0 ? end * BROUGHT_IN - one : end * (1 - BROUGHT_IN) - one;
    };
    const [dx, dy] = [beyond(x, seen.pane.width), beyond(y, seen.pane.height)];
    if (dx !== 0 || dy !== 0) this.#options.pan(dx, dy);
    this.#options.point({ image: { x: at[0], y: at[1] }, pane: { x: x + dx, y: y + dy }, pointerType: BY_KEYS, shift: false }, seen);
    this.#options.redraw();
  }

  draw(pen: Pen, seen: Seen): void {
    drawCross(pen, spotOf(this.touch(seen).pane));
  }
}
