/** What a pane is given to show, and what it tells of itself to whoever listens. */

import type { ColourMap } from './colours';
import { probe, type Frame } from './frame';
import type { Point, Size, View } from './geometry';
import type { Window } from './grey';
import type { FrameState } from './loader';
import type { Look } from './look';
import { edgesOf, type Edges } from './orientation';
import { scaleBar, type ScaleBar } from './scale';
import type { Placed } from './screen';
import type { Span } from './starts';
import type { Tool } from './steering';

/**
 * What is scrolled through. It is asked for places as they are needed, never listed: a header of some kilobytes may
 * name thousands of millions of frames. A place without an address has nothing to draw; the page explains why.
 */
export interface Pictures {
  readonly count: number;
  /** Tells what its values mean. */
  readonly modality?: string;
  address: (place: number) => string | null;
  /** The places of the object that has a place. None: each is one's own. */
  objectAt?: (place: number) => Span;
}

export const NONE: Pictures = { count: 0, address: () => null };

export interface ViewerState {
  index: number;
  count: number;
  tool: Tool;
  /** The window in use; none for colour or while the object's own lookup table is. */
  window: Window | null;
  /** The reader chose the window; otherwise it is what the series starts with. */
  chosen: boolean;
  /** Chosen was: each frame as it was sent. */
  asSent: boolean;
  invert: boolean;
  colours: ColourMap | null;
  scale: number;
  fitted: boolean;
  /** Degrees clockwise, after left and right changed sides. */
  angle: number;
  mirrored: boolean;
  playing: boolean;
  rate: number;
  frameState: FrameState;
  share: number;
  failure: unknown;
  /** The frame on screen; while another one is under way it is the last one, dimmed. */
  frame: Frame | null;
  isCurrent: boolean;
  /** Letters of the patient's sides at the picture's edges, and a bar of known length, where the object tells. */
  edges: Edges | null;
  bar: ScaleBar | null;
  probe: { x: number; y: number; value: number | [number, number, number] } | null;
}

/** How the reader had a pane's pictures, while something else has the say. */
export interface Kept {
  /** The reader's window for a picture; null: it was shown as it comes. */
  chosenFor: (shown: Placed) => Window | null;
  /** Has them looked at so again; `standing`: turned, zoomed and placed so, too. */
  giveBack: (standing: boolean) => void;
}

export interface ViewerOptions {
  budget: number;
  atOnce: number;
  tool: Tool;
  onState: (state: ViewerState) => void;
  /** Frames came or went; for a sign of what is there. */
  onLoaded?: () => void;
  /** The server no longer knows who asks for frames. */
  onStranger?: () => void;
}

const BAR_SHARE = 0.2; // of the pane's height

/** How values become greys, as it is told. */
export function lookedAt(look: Look, shown: Placed | null): Pick<ViewerState, 'window' | 'chosen' | 'asSent' | 'invert' | 'colours'> {
  const { invert, colours, asSent } = look;
  const chosen = shown ? look.chosenFor(shown) : look.chosen;
  return { window: shown && look.windowFor(shown), chosen: chosen !== null || asSent, asSent, invert, colours };
}

/** What stands at a picture's edges. */
export function around(frame: Frame | null, view: View, pane: Size): Pick<ViewerState, 'edges' | 'bar'> {
  if (!frame) return { edges: null, bar: null };
  return { edges: edgesOf(frame.facts, view), bar: scaleBar(frame.facts, view.scale, pane.height * BAR_SHARE) };
}

/** The value at a point of the picture; none beside it. */
export function probed(frame: Frame, at: Point): ViewerState['probe'] {
  const [x, y] = [Math.floor(at.x), Math.floor(at.y)];
  const value = probe(frame, x, y);
  return value === null ? null : { x, y, value };
}
