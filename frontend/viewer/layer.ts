/**
 * What lies over a pane's picture: marks, outlines of other objects, lines of other planes. Points of an image are in
 * columns and rows from the outer corner of its first pixel (PS3.3 C.18.6.1); points of a pane are CSS pixels.
 */

import type { Frame } from './frame';
import type { Point, Size } from './geometry';

/** What a pane shows at the moment. */
export interface Seen {
  /** Of the stack, from 0. */
  place: number;
  frame: Frame;
  pane: Size;
  /** CSS pixels per image column. */
  scale: number;
  toPane: (at: Point) => Point;
  toImage: (at: Point) => Point;
}

/** Draws over the picture, each time that it is drawn; units of the context are CSS pixels of the pane. */
export interface Layer {
  draw: (context: CanvasRenderingContext2D, seen: Seen) => void;
}

/** A pointer that went down, moved or came up. */
export interface Touch {
  /** In image columns and rows. */
  image: Point;
  pane: Point;
  pointerType: string;
  shift: boolean;
}

/** Takes the pointer before the pane's own tools do. */
export interface Taker {
  /** Tells whether it takes this pointer until it comes up. */
  press: (touch: Touch, seen: Seen) => boolean;
  drag: (touch: Touch, seen: Seen) => void;
  release: (touch: Touch, seen: Seen) => void;
  /** The pointer was lost, or a second finger came: what was begun is undone. */
  cancel: () => void;
  /** A mouse over the pane with no button down; names the cursor to show, if it has one. */
  hover?: (touch: Touch | null, seen: Seen) => string | null;
}
