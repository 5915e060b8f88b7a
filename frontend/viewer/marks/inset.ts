/** A magnified piece of the picture beside a finger, so that the finger does not hide the end that it moves. */

import type { Seen } from '../layer';
import { COLOURS, type Pen } from './draw';
import { onPane } from './hit';
import type { Spot } from './mark';

const DIAMETER = 124;
const TIMES = 2.5;
const AWAY = 104;
const EDGE = 6;

export class Inset {
  #piece: HTMLCanvasElement | null = null;

  /** Takes the piece under `at` from what is painted so far: the picture without marks. */
  take(pen: Pen, at: Spot): void {
    const ratio = pen.getTransform().a;
    const [side, size] = [(DIAMETER / TIMES) * ratio, Math.round(DIAMETER * ratio)];
    this.#piece ??= document.createElement('canvas');
    if (this.#piece.width !== size) this.#piece.width = this.#piece.height = size;
    const piece = this.#piece.getContext('2d');
    if (!piece) return;
    piece.fillStyle = '#000';
    piece.fillRect(0, 0, size, size);
    piece.imageSmoothingQuality = 'high';
    piece.drawImage(pen.canvas, at[0] * ratio - side / 2, at[1] * ratio - side / 2, side, side, 0, 0, size, size);
  }

  /** Where it stands: above the finger, or beside it where there is no room. */
  #centre({ pane }: Seen, [x, y]: Spot): Spot {
    const half = DIAMETER / 2 + EDGE;
    const above = y - AWAY;
    const beside = x < pane.width / 2 ? x + AWAY : x - AWAY;
    const free = above >= half;
    const within = (one: number, end: number): number => Math.max(half, Math.min(end - half, one));
    return [within(free ? x : beside, pane.width), within(free ? above : y, pane.height)];
  }

  /** Draws it beside the finger at `finger`, around the place `at` of the pane; `shapes` draws the marks in it. */
  draw(pen: Pen, seen: Seen, at: Spot, finger: Spot, shapes: (seen: Pick<Seen, 'toPane'>) => void): void {
    const [x, y] = this.#centre(seen, finger);
    const radius = DIAMETER / 2;
    pen.save();
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.clip();
    if (this.#piece) pen.drawImage(this.#piece, x - radius, y - radius, DIAMETER, DIAMETER);
    shapes({
      toPane: (spot) => {
        const [px, py] = onPane(seen, [spot.x, spot.y]);
        return { x: x + (px - at[0]) * TIMES, y: y + (py - at[1]) * TIMES };
      },
    });
    pen.restore();
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.lineWidth = 4;
    pen.strokeStyle = COLOURS.edge;
    pen.stroke();
    pen.lineWidth = 2;
    pen.strokeStyle = COLOURS.handle;
    pen.stroke();
  }
}
