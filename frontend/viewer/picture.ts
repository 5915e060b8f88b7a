/** A frame as pixels for the screen: painted once for a look, drawn as often as it is moved, and through a lens. */

import { coloursOf } from './colours';
import type { Frame } from './frame';
import { matrixOf, type Point, type View } from './geometry';
import { markMissing, paint, PLAIN } from './grey';
import type { Look } from './look';
import { shapeOf } from './stance';

const PIXELATED_FROM = 8;
const LENS = { radius: 90, factor: 2.5 };
const OPAQUE = 1;

export class Picture {
  readonly #bitmap = document.createElement('canvas');
  #frame: Frame | null = null;

  get frame(): Frame | null {
    return this.#frame;
  }

  /** Paints a frame afresh. `apart`: to be taken away, so without what corrects this display. */
  fill(frame: Frame, look: Look, apart = false): void {
    const { rows, columns } = frame;
    this.#frame = frame;
    if (this.#bitmap.width !== columns || this.#bitmap.height !== rows) {
      this.#bitmap.width = columns;
      this.#bitmap.height = rows;
    }
    const context = this.#bitmap.getContext('2d', { alpha: false });
    if (!context) return;
    const image = context.createImageData(columns, rows);
    const words = new Uint32Array(image.data.buffer);
    const colours = look.colours ? coloursOf(look.colours) : apart ? PLAIN : null;
    paint(frame, { window: look.windowFor(frame), invert: look.invert, colours }, words);
    markMissing(frame, words);
    context.putImageData(image, 0, 0);
  }

  clear(): void {
    this.#frame = null;
  }

  /** The painted frame, one pixel for one sample. */
  readback(): ImageData | null {
    const { width, height } = this.#bitmap;
    return this.#frame && (this.#bitmap.getContext('2d')?.getImageData(0, 0, width, height) ?? null);
  }

  /** Draws in CSS pixels; `ratio`: pixels of the screen for each. */
  draw(context: CanvasRenderingContext2D, view: View, ratio: number, alpha: number): void {
    const frame = this.#frame;
    if (!frame) return;
    context.save();
    context.transform(...matrixOf(view, shapeOf(frame.facts)));
    context.globalAlpha = alpha;
    context.imageSmoothingEnabled = frame.coarse || view.scale * ratio < PIXELATED_FROM;
    context.imageSmoothingQuality = 'high';
    context.drawImage(this.#bitmap, 0, 0, frame.facts.columns, frame.facts.rows);
    context.restore();
  }

  /** Draws what lies around a point of the pane again, larger, in a circle there. */
  drawLens(context: CanvasRenderingContext2D, view: View, ratio: number, at: Point): void {
    if (!this.#frame) return;
    const { radius, factor } = LENS;
    const nearer = { ...view, scale: view.scale * factor, x: at.x + (view.x - at.x) * factor, y: at.y + (view.y - at.y) * factor };
    context.save();
    context.beginPath();
    context.arc(at.x, at.y, radius, 0, 2 * Math.PI);
    context.clip();
    context.fillStyle = '#000';
    context.fill();
    this.draw(context, nearer, ratio, OPAQUE);
    context.restore();
    context.beginPath();
    context.arc(at.x, at.y, radius, 0, 2 * Math.PI);
    context.lineWidth = 3;
    context.strokeStyle = '#9fb6c4';
    context.stroke();
  }
}
