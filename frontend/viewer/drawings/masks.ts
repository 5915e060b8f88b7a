/** The masks of one drawing: fetched as they are looked at, kept packed, and turned into outlines when drawn. */

import type { DrawingContent, DrawnFrame, DrawnMasks, Target } from './content';
import { names, reaches } from './content';
import { onPlane, areParallel, dot, minus, planeOf, toPatient, type Plane } from '../planes';
import { outlines } from './outlines';
import { readMasks, unpackBits, unpackValues } from './runs';

const AT_ONCE = 48;
const KEPT_BYTES = 48 << 20;
const KEPT_OUTLINES = 512;
const KEPT_PLACES = 64;
const THIN = 0.5; // mm, of what names no thickness

/** From pixels of a mask to columns and rows of an image. */
export interface Placing {
  a: number;
  b: number;
  c: number;
  d: number;
  e: number;
  f: number;
}

export interface PlacedMask {
  frame: DrawnFrame;
  placing: Placing;
}

const SAME: Placing = { a: 1, b: 0, c: 0, d: 1, e: 0, f: 0 };

export class MaskStore {
  readonly masks: DrawnMasks;
  readonly #order: readonly DrawnFrame[];
  readonly #ranks: ReadonlyMap<number, number>;
  readonly #packed = new Map<number, Uint8Array>();
  readonly #asked = new Set<number>();
  readonly #outlines = new Map<string, Path2D>();
  readonly #groups = new Map<number, readonly number[]>();
  readonly #planes = new Map<number, Plane | null>();
  readonly #placed = new Map<string, readonly PlacedMask[]>();
  #bytes = 0;
  /** The last fetch failed with this; asked for again when the reader says so. */
  problem: unknown;

  /** `fetchFrames` gets packed masks by frame numbers; `onCame` is told when some are there, or could not be had. */
  constructor(
    readonly content: DrawingContent & { masks: DrawnMasks },
    readonly fetchFrames: (numbers: readonly number[]) => Promise<ArrayBuffer>,
    readonly onCame: () => void,
  ) {
    this.masks = content.masks;
    this.#order = this.masks.frames.toSorted((one, other) => depth(one) - depth(other) || one.number - other.number);
    this.#ranks = new Map(this.#order.map((frame, rank) => [frame.number, rank]));
  }

  /** The masks that lie on a picture, and how. */
  on(target: Target, plane: Plane | null, columns: number, rows: number): readonly PlacedMask[] {
    const key = `${target.instance} ${target.frame} ${plane !== null}`;
    const known = this.#placed.get(key);
    if (known) return known;
    if (this.#placed.size >= KEPT_PLACES) this.#placed.clear();
    const found = this.#find(target, plane, columns, rows);
    this.#placed.set(key, found);
    return found;
  }

  #find(target: Target, plane: Plane | null, columns: number, rows: number): PlacedMask[] {
    const { frames } = this.masks;
    const cited = frames.some((frame) => reaches(this.content, frame.on, target.series));
    const shared = this.masks.space !== null && this.content.spaces[this.masks.space]?.includes(target.series);
    if (!cited && !shared) return [];
    const found: PlacedMask[] = [];
    for (const frame of frames) {
      if (cited && !names(this.content, frame.on, target)) continue;
      const placing = this.#placing(frame, plane, columns, rows, cited);
      if (placing) found.push({ frame, placing });
    }
    return found;
  }

  /** How a frame lies on a picture: by both planes where they are known; without, only on the grid it was drawn on. */
  #placing(frame: DrawnFrame, plane: Plane | null, columns: number, rows: number, cited: boolean): Placing | null {
    const own = this.#planeOf(frame);
    if (!own || !plane) {
      // Overlays of a presentation state begin at the image's first pixel, however far they reach.
      const sameGrid = this.content.kind === 'presentation' || (columns === this.masks.columns && rows === this.masks.rows);
      return cited && sameGrid && !frame.tile ? SAME : null;
    }
    const off = Math.abs(dot(minus(own.position, plane.position), plane.normal));
    const near = Math.max(this.masks.thickness ?? THIN, THIN) / 2;
    if (!areParallel(own, plane) || off > near) return null;
    const [origin, right, down] = [{ x: 0, y: 0 }, { x: 1, y: 0 }, { x: 0, y: 1 }].map((at) => onPlane(plane, toPatient(own, at)));
    if (!origin || !right || !down) return null;
    return { a: right.x - origin.x, b: right.y - origin.y, c: down.x - origin.x, d: down.y - origin.y, e: origin.x, f: origin.y };
  }

  #planeOf(frame: DrawnFrame): Plane | null {
    const known = this.#planes.get(frame.number);
    if (known !== undefined) return known;
    const made = planeOf(frame, this.masks.rows, this.masks.columns);
    this.#planes.set(frame.number, made);
    return made;
  }

  /** The packed mask of a frame; what is not here is asked for, with what lies beside it. */
  #runs(frame: DrawnFrame): Uint8Array | undefined {
    const here = this.#packed.get(frame.number);
    if (!here && !this.#asked.has(frame.number) && this.problem === undefined) void this.#fetch(frame);
    return here;
  }

  async #fetch(frame: DrawnFrame): Promise<void> {
    const rank = this.#ranks.get(frame.number) ?? 0;
    const start = Math.max(0, rank - AT_ONCE / 4);
    const wanted = this.#order
      .slice(start, start + AT_ONCE)
      .map(({ number }) => number)
      .filter((number) => !this.#packed.has(number) && !this.#asked.has(number));
    if (!wanted.includes(frame.number)) wanted.push(frame.number);
    for (const number of wanted) this.#asked.add(number);
    try {
      const found = readMasks(await this.fetchFrames(wanted));
      if (!found.size) throw new Error('no masks came');
      for (const [number, runs] of found) this.#keep(number, runs);
    } catch (cause) {
      this.problem = cause;
    } finally {
      for (const number of wanted) this.#asked.delete(number);
      this.onCame();
    }
  }

  #keep(number: number, runs: Uint8Array): void {
    this.#packed.set(number, runs);
    this.#bytes += runs.length;
    for (const [oldest, packed] of this.#packed) {
      if (this.#bytes <= KEPT_BYTES || oldest === number) break;
      this.#packed.delete(oldest);
      this.#bytes -= packed.length;
    }
  }

  /** Asks again for what could not be had. */
  retry(): void {
    this.problem = undefined;
  }

  /** Tells which groups a frame holds; nothing until it is here. */
  groupsIn(frame: DrawnFrame): readonly number[] {
    if (frame.group !== 0) return [frame.group];
    const runs = this.#runs(frame);
    if (!runs) return [];
    if (this.masks.form !== 'numbers') return [0];
    const known = this.#groups.get(frame.number);
    if (known) return known;
    const found = new Set(this.#pixels(runs));
    found.delete(0);
    const made = [...found];
    this.#groups.set(frame.number, made);
    return made;
  }

  /** The outline of a group in a frame, in pixels of the mask; null until it is here. Of shares: what is half or more. */
  outline(frame: DrawnFrame, group: number): Path2D | null {
    const key = `${frame.number} ${group}`;
    const known = this.#outlines.get(key);
    if (known) return known;
    const runs = this.#runs(frame);
    if (!runs) return null;
    const { form, most, rows, columns } = this.masks;
    const is = form === 'bits' ? (value: number) => value !== 0 : form === 'shares' ? (value: number) => value * 2 >= most : (value: number) => value === group;
    const path = new Path2D();
    for (const loop of outlines(this.#pixels(runs), rows, columns, is)) {
      for (let at = 0; at < loop.length; at += 2) path[at === 0 ? 'moveTo' : 'lineTo'](loop[at] ?? 0, loop[at + 1] ?? 0);
      path.closePath();
    }
    if (this.#outlines.size >= KEPT_OUTLINES) this.#outlines.delete(this.#outlines.keys().next().value ?? '');
    this.#outlines.set(key, path);
    return path;
  }

  #pixels(runs: Uint8Array): Uint8Array | Uint16Array {
    const size = this.masks.rows * this.masks.columns;
    return this.masks.form === 'bits' ? unpackBits(runs, size) : unpackValues(runs, size);
  }
}

/** How far along its own normal a frame lies: frames that are looked at one after the other come together. */
function depth(frame: DrawnFrame): number {
  const plane = planeOf(frame, 1, 1);
  return plane ? dot(plane.position, plane.normal) : 0;
}
