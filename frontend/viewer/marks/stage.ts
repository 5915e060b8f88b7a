/** A pane without a browser, for the tests of marks: 100 × 80 pixels at 4 CSS pixels per column. */

import { expect } from 'vitest';
import { readFrame, type FrameFacts } from '../frame';
import type { Seen, Touch } from '../layer';
import { MarkBook, type Edit } from './book';
import { MarksLayer } from './layer';
import type { Mark, MarkKind, PictureName, Spot } from './mark';
import type { MarkWords } from './words';

const facts: FrameFacts = {
  rows: 80, columns: 100, samples: 1, bits_allocated: 16, bits_stored: 12, signed: false, photometric: 'MONOCHROME2',
  intercept: -1024, pixel_spacing: [1, 0.5],
};
const frame = readFrame(facts, new Uint16Array(8000).fill(1064).buffer);
const ZOOM = 4;
const ASPECT = 2; // a row is twice as high as a column is wide

/** The picture as it is, or turned by a quarter. */
export function seen(place = 0, turned = false): Seen {
  const [dx, dy] = [30, 10];
  return {
    place, frame, pane: { width: 900, height: 900 }, scale: ZOOM,
    toPane: ({ x, y }) => (turned ? { x: 880 - y * ZOOM * ASPECT, y: dy + x * ZOOM } : { x: dx + x * ZOOM, y: dy + y * ZOOM * ASPECT }),
    toImage: ({ x, y }) =>
      turned ? { x: (y - dy) / ZOOM, y: (880 - x) / ZOOM / ASPECT } : { x: (x - dx) / ZOOM, y: (y - dy) / ZOOM / ASPECT },
  };
}

export const me = { id: 'me', name: 'Dr. Katharina Weber' };
export const pictureAt = (place: number): PictureName => ({ instanceId: `picture-${place}`, frame: 1 });
export const words: MarkWords = {
  number: (value, digits) => value.toFixed(digits).replace('.', ','), name: (value) => value, atDetector: 'am Detektor', noScale: 'ohne Maß',
  textHidden: 'verborgen',
};

export interface Stage {
  book: MarkBook;
  layer: MarksLayer;
  edits: Edit[];
  texts: (string | null)[];
  /** What the hint says at each time. */
  hints: (string | null)[];
}

export function stage(tool: MarkKind | null = null): Stage {
  const edits: Edit[] = [];
  const texts: (string | null)[] = [];
  const hints: (string | null)[] = [];
  let id = 0;
  const book = new MarkBook({ me, onEdit: (edit) => edits.push(edit), newId: () => `mark-${++id}` });
  book.mayMark = true;
  book.tool = tool;
  const layer = new MarksLayer({
    book, pictureAt, words, redraw: () => undefined, about: () => ({ modality: 'CT' }),
    askText: (_, done) => done(texts.shift() ?? null),
    onNext: (next) => hints.push(next),
  });
  return { book, layer, edits, texts, hints };
}

export function touch([x, y]: Spot, on: Seen, { shift = false, pointerType = 'mouse' } = {}): Touch {
  return { image: { x, y }, pane: on.toPane({ x, y }), pointerType, shift };
}

export function pull({ layer }: Stage, from: Spot, to: Spot, options: { shift?: boolean; pointerType?: string; on?: Seen } = {}): boolean {
  const on = options.on ?? seen();
  const taken = layer.press(touch(from, on, options), on);
  const half: Spot = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2];
  for (const spot of [half, to]) if (taken) layer.drag(touch(spot, on, options), on);
  if (taken) layer.release(touch(to, on, options), on);
  return taken;
}

export function click(on: Stage, at: Spot, pointerType = 'mouse'): boolean {
  on.layer.hover(touch(at, seen()), seen());
  return pull(on, at, at, { pointerType });
}

export const only = ({ book }: Stage): Mark => book.all[0] as Mark;
export const near = (points: readonly Spot[]): unknown => points.map((spot) => spot.map((one) => expect.closeTo(one, 6)));

/** A pen that draws nowhere; seven pixels for a letter. */
export function pen(): CanvasRenderingContext2D & { texts: string[] } {
  const texts: string[] = [];
  const known: Record<string, unknown> = {
    texts, measureText: (text: string) => ({ width: text.length * 7 }), fillText: (text: string) => texts.push(text),
  };
  return new Proxy(known, {
    get: (at, name: string) => at[name] ?? (() => undefined),
    set: () => true,
  }) as unknown as CanvasRenderingContext2D & { texts: string[] };
}
