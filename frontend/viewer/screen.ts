/** What of a pane is on the canvas: the picture, what lies over it, a lens; and the same drawn apart, for taking away. */

import type { Frame } from './frame';
import { toImage, toPane, type Point, type Shape, type Size, type View } from './geometry';
import type { Layer, Seen } from './layer';
import type { Look } from './look';
import { Picture } from './picture';
import { squarePixel } from './scale';
import { shapeOf, type Stance } from './stance';
import { around, lookedAt, type ViewerState } from './state';

const DIMMED = 0.28;
const LARGEST_SNAPSHOT = 4_096;
const SNAPSHOT_FROM = 1_000; // pixels of the longer edge, below which texts would cover what they stand beside
/** Pixels of an edge on which marks and texts have the size that they have on screen. */
export const SNAPSHOT_WRITTEN = 1_024;

/** A frame at a place of the stack. */
export interface Placed {
  place: number;
  frame: Frame;
}

/** A picture to take away, and what is to be said beside it. */
export interface Snapshot extends Pick<ViewerState, 'window' | 'edges' | 'bar' | 'angle' | 'mirrored' | 'invert'> {
  canvas: HTMLCanvasElement;
  frame: Frame;
  /** The width of its pixels, which are square, in the patient, where it is known. */
  millimetres: number | null;
}

/** Pixels of a snapshot for a column: a whole number for small pictures, less than one for what no canvas holds. */
export function snapshotScale({ columns, rows, aspect }: Shape): number {
  const longer = Math.max(columns, rows * aspect);
  return longer > LARGEST_SNAPSHOT ? LARGEST_SNAPSHOT / longer : Math.max(1, Math.ceil(SNAPSHOT_FROM / longer));
}

export class Screen {
  readonly #context: CanvasRenderingContext2D;
  readonly #picture = new Picture();
  #stale = true;
  layers: readonly Layer[] = [];
  lens: Point | null = null;

  constructor(readonly canvas: HTMLCanvasElement) {
    const context = canvas.getContext('2d', { alpha: false });
    if (!context) throw new Error('this browser draws on no canvas');
    this.#context = context;
  }

  /** The picture is to be painted afresh before it is drawn again. */
  outdate(): void {
    this.#stale = true;
  }

  clear(): void {
    this.#picture.clear();
  }

  /** Gives all of its memory back: nothing is drawn any more. */
  close(): void {
    this.clear();
    this.canvas.width = this.canvas.height = 0;
  }

  /** Takes the size of its place on the page. */
  measure(): Size {
    const pane = { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
    this.canvas.width = Math.max(1, Math.round(pane.width * devicePixelRatio));
    this.canvas.height = Math.max(1, Math.round(pane.height * devicePixelRatio));
    return pane;
  }

  /** Draws all; a picture that is not the current place's is dimmed, and nothing lies over it. */
  paint(shown: Placed | null, isCurrent: boolean, look: Look, stance: Stance): void {
    const context = this.#context;
    context.resetTransform();
    context.globalAlpha = 1;
    context.fillStyle = '#000';
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    if (!shown) return;
    this.#fill(shown, look);
    context.scale(devicePixelRatio, devicePixelRatio);
    this.#picture.draw(context, stance.view, devicePixelRatio, isCurrent ? 1 : DIMMED);
    if (isCurrent) this.#drawLayers(context, seenAs(shown, stance.view, stance.pane));
    if (this.lens && isCurrent) this.#picture.drawLens(context, stance.view, devicePixelRatio, this.lens);
  }

  /** The samples as they are painted, one pixel each. */
  readback(shown: Placed | null, look: Look): ImageData | null {
    if (shown) this.#fill(shown, look);
    return this.#picture.readback();
  }

  /**
   * A picture of the stack turned and smoothed as it is seen, at its own resolution or larger. `written`: as on how many
   * pixels of a screen what lies over it is drawn; null: not at all.
   */
  snapshot(shown: Placed, look: Look, turn: View, written: number | null): Snapshot | null {
    const canvas = document.createElement('canvas');
    const context = canvas.getContext('2d', { alpha: false });
    if (!context) return null;
    const picture = new Picture();
    picture.fill(shown, look, true);
    const shape = shapeOf(shown.frame.facts);
    const scale = snapshotScale(shape);
    const view = { ...turn, scale, x: 0, y: 0 };
    const corners = [[0, 0], [shape.columns, 0], [0, shape.rows], [shape.columns, shape.rows]] as const;
    const at = corners.map(([x, y]) => toPane(view, shape, { x, y }));
    const [left, top] = [Math.min(...at.map(({ x }) => x)), Math.min(...at.map(({ y }) => y))];
    canvas.width = Math.max(1, Math.round(Math.max(...at.map(({ x }) => x)) - left));
    canvas.height = Math.max(1, Math.round(Math.max(...at.map(({ y }) => y)) - top));
    const placed = { ...view, x: -left, y: -top };
    picture.draw(context, placed, scale < 1 ? 1 : (turn.scale * devicePixelRatio) / scale, 1);
    if (written !== null) this.#drawLarge(context, shown, placed, written);
    picture.clear();
    const { angle, mirrored } = turn;
    const { window, invert } = lookedAt(look, shown);
    const width = squarePixel(shown.frame.facts);
    return { canvas, frame: shown.frame, millimetres: width ? width / scale : null, window, angle, mirrored, invert, ...around(shown.frame, placed, canvas) };
  }

  #fill(shown: Placed, look: Look): void {
    if (this.#stale || this.#picture.frame !== shown.frame) this.#picture.fill(shown, look);
    this.#stale = false;
  }

  /** Draws the layers as large beside the picture as they are on so many pixels of a screen that show all of it. */
  #drawLarge(context: CanvasRenderingContext2D, shown: Placed, view: View, written: number): void {
    const { width, height } = context.canvas;
    const unit = Math.max(1, Math.max(width, height) / written);
    context.scale(unit, unit);
    const smaller = { ...view, scale: view.scale / unit, x: view.x / unit, y: view.y / unit };
    this.#drawLayers(context, seenAs(shown, smaller, { width: width / unit, height: height / unit }));
    context.resetTransform();
  }

  #drawLayers(context: CanvasRenderingContext2D, seen: Seen): void {
    for (const layer of this.layers) {
      context.save();
      layer.draw(context, seen);
      context.restore();
    }
  }
}

export function seenAs({ place, frame }: Placed, view: View, pane: Size): Seen {
  const shape = shapeOf(frame.facts);
  return {
    place,
    frame,
    pane,
    scale: view.scale,
    toPane: (at) => toPane(view, shape, at),
    toImage: (at) => toImage(view, shape, at),
  };
}
