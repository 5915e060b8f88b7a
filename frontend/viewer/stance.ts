/** How the picture of a pane stands: fitted or as the reader has put it, and turned. */

import { atEdge, centred, fit, kept, moved, toImage, toPane, turned, UPRIGHT, zoomAt, type Point, type Shape, type Size, type View } from './geometry';
import { pixelAspect, type FrameFacts } from './frame';

export function shapeOf(facts: FrameFacts): Shape {
  return { columns: facts.columns, rows: facts.rows, aspect: pixelAspect(facts) };
}

const NOWHERE: View = { scale: 1, x: 0, y: 0, ...UPRIGHT };
const SAME = 1e-6; // of a pixel's aspect

const isSame = (one: Shape, other: Shape): boolean =>
  one.rows === other.rows && one.columns === other.columns && Math.abs(one.aspect - other.aspect) < SAME;

export class Stance {
  #view = NOWHERE;
  #shape: Shape | null = null;
  #pane: Size = { width: 0, height: 0 };
  #fitted = true;
  #edge: 'left' | 'right' | null = null;

  get view(): View {
    return this.#view;
  }

  get shape(): Shape | null {
    return this.#shape;
  }

  get pane(): Size {
    return this.#pane;
  }

  get fitted(): boolean {
    return this.#fitted;
  }

  /** Takes a picture of the next place: one of another shape is fitted afresh; its turn stays, as the stack is turned. */
  take(shape: Shape): void {
    const before = this.#shape;
    this.#shape = shape;
    if (!before || !isSame(before, shape)) this.#fitted = true;
    this.#settle();
  }

  resize(pane: Size): void {
    const [across, down] = [pane.width - this.#pane.width, pane.height - this.#pane.height];
    this.#pane = pane;
    if (!this.#fitted) this.#view = moved(this.#view, across / 2, down / 2); // what was in the middle stays there
    this.#settle();
  }

  pan(dx: number, dy: number): void {
    this.#put(moved(this.#view, dx, dy));
  }

  zoom(factor: number, at: Point): void {
    this.#put(zoomAt(this.#view, factor, at));
  }

  scaleTo(scale: number): void {
    this.#put(centred(this.#pane, scale, this.#view));
  }

  turn(by: { angle?: number; mirror?: boolean }): void {
    this.#view = turned(this.#view, by, this.#pane);
    this.#settle();
  }

  fit(): void {
    this.#fitted = true;
    this.#settle();
  }

  /** Lets the fitted picture lie at an edge of the pane, as breasts do with their chest walls. */
  align(edge: 'left' | 'right' | null): void {
    this.#edge = edge;
    this.#settle();
  }

  /** Fitted and upright again; of another stack, nothing of the last one's stays. */
  reset(): void {
    this.#edge = null;
    this.#fitted = true;
    this.#view = { ...this.#view, ...UPRIGHT };
    this.#settle();
  }

  /** Keeps how the picture stands now; gives what has it stand so again, where a picture of another shape is fitted. */
  keep(): () => void {
    const [view, shape, pane, fitted, edge] = [this.#view, this.#shape, this.#pane, this.#fitted, this.#edge];
    return () => {
      const same = this.#shape === shape || (shape !== null && this.#shape !== null && isSame(shape, this.#shape));
      const [across, down] = [this.#pane.width - pane.width, this.#pane.height - pane.height];
      this.#edge = edge;
      this.#fitted = fitted || !same;
      this.#view = moved(view, across / 2, down / 2); // what was in the middle is there again
      this.#settle();
    };
  }

  toPane = (at: Point): Point => (this.#shape ? toPane(this.#view, this.#shape, at) : at);

  toImage = (at: Point): Point => (this.#shape ? toImage(this.#view, this.#shape, at) : at);

  #put(view: View): void {
    if (!this.#shape) return;
    this.#fitted = false;
    this.#view = kept(view, this.#shape, this.#pane);
  }

  #settle(): void {
    if (!this.#fitted || !this.#shape || this.#pane.width <= 0) return;
    this.#view = fit(this.#shape, this.#pane, this.#view);
    if (this.#edge) this.#view = atEdge(this.#view, this.#shape, this.#pane, this.#edge);
  }
}
