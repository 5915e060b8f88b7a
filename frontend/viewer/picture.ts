/** A frame as pixels for the screen: painted once for a look, drawn as often as it is moved, and through a lens. */

import { coloursOf } from './colours';
import type { Frame } from './frame';
import { matrixOf, type Point, type View } from './geometry';
import { markMissing, paint, plainly } from './grey';
import type { Look } from './look';
import type { Placed } from './screen';
import { shapeOf } from './stance';

const PIXELATED_FROM = 8;
const LENS = { radius: 90, factor: 2.5 };
const OPAQUE = 1;
const KEPT_PIXELS = 4 << 20; // as stacks have that are scrolled; larger pictures are seen one by one
const SURE = { pixels: 4096 * 4096, edge: 16_384 }; // what every browser's canvas holds

/** Rows of a picture on a canvas of their own; one more row lies under each next strip, so that no seam is seen. */
interface Strip {
  canvas: HTMLCanvasElement;
  context: CanvasRenderingContext2D;
  top: number;
}

function stripOf(width: number, height: number, top: number): Strip {
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { alpha: false });
  if (!context) throw new Error('this browser draws on no canvas');
  canvas.width = width;
  canvas.height = height;
  return { canvas, context, top };
}

/** Whether a canvas keeps what is drawn: one that is too large for the browser stays empty without a word. */
function holds({ canvas: { width, height }, context }: Strip): boolean {
  if (width * height <= SURE.pixels && Math.max(width, height) <= SURE.edge) return true;
  try {
    context.fillStyle = '#fff';
    context.fillRect(width - 1, height - 1, 1, 1);
    return context.getImageData(width - 1, height - 1, 1, 1).data[0] === 255;
  } catch {
    return false;
  }
}

function stripsFor(width: number, height: number): Strip[] {
  const whole = stripOf(width, height, 0);
  if (holds(whole)) return [whole];
  whole.canvas.width = whole.canvas.height = 0; // gives its memory back
  const rows = Math.max(2, Math.min(SURE.edge, Math.floor(SURE.pixels / width)));
  const strips: Strip[] = [];
  for (let top = 0; top === 0 || top + 1 < height; top += rows - 1) strips.push(stripOf(width, Math.min(rows, height - top), top));
  return strips;
}

export class Picture {
  #strips: Strip[] = [];
  #size = { columns: 0, rows: 0 };
  #frame: Frame | null = null;
  /** What is painted into, of the size. */
  #image: ImageData | null = null;

  get frame(): Frame | null {
    return this.#frame;
  }

  /** Paints a frame afresh. `apart`: to be taken away, so without what corrects this display. */
  fill(shown: Placed, look: Look, apart = false): void {
    const { frame } = shown;
    const { rows, columns } = frame;
    this.#frame = frame;
    if (this.#size.columns !== columns || this.#size.rows !== rows) {
      this.#release();
      this.#size = { columns, rows };
      this.#strips = stripsFor(columns, rows);
    }
    const image = this.#image ?? new ImageData(columns, rows);
    if (columns * rows <= KEPT_PIXELS) this.#image = image; // 1 MB of rubbish for each CT picture otherwise
    const words = new Uint32Array(image.data.buffer);
    const voi = { window: look.windowFor(shown), invert: look.invert, colours: look.colours && coloursOf(look.colours) };
    paint(frame, apart ? plainly(voi) : voi, words);
    markMissing(frame, words);
    for (const { context, top } of this.#strips) context.putImageData(image, 0, -top);
  }

  clear(): void {
    this.#frame = null;
    this.#release();
  }

  /** Gives the memory back at once: an iPhone counts canvases that are only forgotten. */
  #release(): void {
    for (const { canvas } of this.#strips) canvas.width = canvas.height = 0;
    this.#strips = [];
    this.#image = null;
    this.#size = { columns: 0, rows: 0 };
  }

  /** The painted frame, one pixel for one sample. */
  readback(): ImageData | null {
    const { columns, rows } = this.#size;
    if (!this.#frame) return null;
    const image = new ImageData(columns, rows);
    for (const { canvas, context, top } of this.#strips) {
      image.data.set(context.getImageData(0, 0, columns, canvas.height).data, 4 * columns * top);
    }
    return image;
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
    const { facts } = frame;
    const [wide, high] = [facts.columns / this.#size.columns, facts.rows / this.#size.rows]; // a coarse one covers the same
    for (const { canvas, top } of this.#strips) context.drawImage(canvas, 0, top * high, canvas.width * wide, canvas.height * high);
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
