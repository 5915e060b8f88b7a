/**
 * A mark while it is made. It grows by strokes: a line (pressed, drawn and let go; or two clicks), or a single point.
 * What a stroke began is undone when the pointer is lost.
 */

import type { Size } from '../geometry';
import { betweenCorners, clamped, ordered, squared, straightened } from './edits';
import type { MarkKind, PictureName, Spot } from './mark';
import { apart, simplified, type Metric } from './shapes';

/** The points that each stroke sets: two for a line, one for a point; freehand takes as many as come. */
const STROKES: Readonly<Record<Exclude<MarkKind, 'key'>, readonly (readonly [number, number?])[]>> = {
  length: [[0, 1]],
  arrow: [[0, 1]],
  ellipse: [[0, 1]],
  rectangle: [[0, 1]],
  bidirectional: [[0, 1], [2, 3]],
  cobb: [[0, 1], [2, 3]],
  angle: [[0, 1], [2]],
  freehand: [[0]],
  text: [[0]],
  point: [[0]],
  counter: [[0]],
};

const SIMPLIFIED = 0.35; // image pixels that a drawn outline may differ from its path
const MOST_POINTS = 2_000;
const FEWEST = 3; // points of an outline
const SMALLEST = 0.5; // image pixels; less than this was a slip

export type NextStep = 'end' | 'vertex' | 'third' | 'second' | 'outline';
export type DraftKind = Exclude<MarkKind, 'key'>;

/** Where a pointer is: in the image, and how lengths are measured there. */
export interface At {
  spot: Spot;
  size: Size;
  metric: Metric;
  straight: boolean;
  /** Image pixels within which a spot is on another: an outline that is set point by point ends on its first one. */
  reach?: number;
}

/** What a draft goes back to. */
interface Past {
  set: Spot[];
  stroke: number;
  begun: boolean;
}

export class Draft {
  #set: Spot[] = [];
  #stroke = 0;
  /** The stroke's first point stands and its end follows the pointer. */
  #begun = false;
  #before: Past | null = null;
  readonly #past: Past[] = [];
  #metric: Metric = { column: 1, row: 1 };
  #reach = 0;

  /** `pointwise`: an outline is not drawn but set point by point. */
  constructor(
    readonly kind: DraftKind,
    readonly picture: PictureName,
    readonly pointwise = false,
  ) {}

  get #isDrawn(): boolean {
    return this.kind === 'freehand' && !this.pointwise;
  }

  get #isSet(): boolean {
    return this.kind === 'freehand' && this.pointwise;
  }

  get #ends(): readonly [number, number?] {
    if (this.#isSet) return [this.#stroke];
    return STROKES[this.kind][this.#stroke] ?? [0];
  }

  /** Nothing of it was set yet. */
  get isEmpty(): boolean {
    return this.#stroke === 0 && !this.#begun;
  }

  /** What comes next while it is unfinished: a line's other end, an angle's vertex or third point, the second line. */
  get next(): NextStep | null {
    if (this.isEmpty || this.#before) return null;
    if (this.kind === 'angle') return this.#stroke === 0 ? 'vertex' : 'third';
    if (this.#isSet) return 'outline';
    return this.#begun ? 'end' : 'second';
  }

  /** How many points stand. */
  get count(): number {
    return this.#past.length;
  }

  /** The point that is being set. */
  get active(): Spot | undefined {
    return this.#isDrawn ? this.#set.at(-1) : this.#set[this.#ends[1] ?? this.#ends[0]];
  }

  #settle({ spot, size, metric, straight, reach = 0 }: At, from?: Spot): Spot {
    this.#metric = metric;
    this.#reach = reach;
    const [a, b] = this.#set;
    if (this.kind === 'bidirectional' && this.#stroke === 1 && from && a && b) {
      return clamped(squared(from, spot, [a, b], metric), size);
    }
    return clamped(straight && from ? straightened(this.kind, from, spot, metric) : spot, size);
  }

  press(at: At): void {
    this.#before = { set: [...this.#set], stroke: this.#stroke, begun: this.#begun };
    const [from, to] = this.#ends;
    if (this.#isDrawn) {
      this.#set = [this.#settle(at)];
    } else if (to === undefined || this.#begun) {
      this.follow(at);
    } else {
      this.#set[from] = this.#set[to] = this.#settle(at);
    }
    this.#begun = true;
  }

  drag(at: At): void {
    if (!this.#isDrawn) return this.follow(at);
    const spot = this.#settle(at);
    const last = this.#set.at(-1);
    if (!last || apart(last, spot) > 0.2) this.#set.push(spot);
  }

  /** The pointer came up; `moved`: it was not a click. Tells whether the mark has all its points. */
  release(moved: boolean): boolean {
    const [, to] = this.#ends;
    const waits = to !== undefined && !moved && this.#before?.begun === false;
    const before = this.#before;
    this.#before = null;
    if (this.#isOnVertex()) {
      this.#begun = before?.begun ?? false;
      return false; // it opens no angle: the third point is still to come
    }
    if (before) this.#past.push(before);
    if (waits) return false; // the next click sets the line's end
    this.#stroke += 1;
    this.#begun = false;
    return this.#isSet ? this.#isClosed() : this.#stroke >= STROKES[this.kind].length;
  }

  /** The last point of an outline was set on its first one, or once more where it stands. */
  #isClosed(): boolean {
    const [first, last, before] = [this.#set[0], this.#set[this.#stroke - 1], this.#set[this.#stroke - 2]];
    if (!first || !last || !before || this.#stroke < FEWEST + 1) return false;
    return apart(last, first) <= this.#reach || apart(last, before) === 0;
  }

  /** Takes the last point back. Tells whether there was one. */
  back(): boolean {
    const past = this.#past.pop();
    if (past) ({ set: this.#set, stroke: this.#stroke, begun: this.#begun } = past);
    return past !== undefined;
  }

  #isOnVertex(): boolean {
    const [, vertex, third] = this.#set;
    return this.kind === 'angle' && this.#stroke === 1 && vertex !== undefined && third !== undefined && apart(vertex, third) < SMALLEST;
  }

  /** The pointer moves with no button down, or the end that is being set does. */
  follow(at: At): void {
    const [from, to] = this.#ends;
    if (to !== undefined && this.#set[from] && (this.#begun || this.#before)) this.#set[to] = this.#settle(at, this.#set[from]);
    else if (to === undefined && (this.#stroke > 0 || this.#before)) this.#set[from] = this.#settle(at, this.#set[from - 1]);
  }

  /** Takes back what the pointer that was lost had begun. */
  cancel(): void {
    if (!this.#before) return;
    ({ set: this.#set, stroke: this.#stroke, begun: this.#begun } = this.#before);
    this.#before = null;
  }

  /** The points as the mark will have them, as far as they are set. */
  get points(): readonly Spot[] {
    const [from, to] = this.#set;
    if ((this.kind === 'ellipse' || this.kind === 'rectangle') && from && to) {
      return betweenCorners(this.kind, from, to, this.#metric);
    }
    return this.#set;
  }

  /** The finished points; null if there is nothing to it. */
  finish(): readonly Spot[] | null {
    const points = this.points;
    if (this.#isSet) return isWide(points) ? points.slice(0, -1) : null; // but the one that closed it
    if (this.kind === 'freehand') return outline(points);
    const lines = STROKES[this.kind].filter(([, to]) => to !== undefined);
    const slipped = lines.some(([from, to]) => apart(this.#set[from] ?? [0, 0], this.#set[to ?? 0] ?? [0, 0]) < SMALLEST);
    const flat = (this.kind === 'ellipse' || this.kind === 'rectangle') && narrow(this.#set);
    return slipped || flat || points.includes(undefined as never) ? null : ordered(this.kind, points, this.#metric);
  }
}

function narrow([from = [0, 0], to = [0, 0]]: readonly Spot[]): boolean {
  return Math.abs(from[0] - to[0]) < SMALLEST || Math.abs(from[1] - to[1]) < SMALLEST;
}

function outline(path: readonly Spot[]): readonly Spot[] | null {
  let tolerance = SIMPLIFIED;
  let kept = simplified(path, tolerance);
  while (kept.length > MOST_POINTS) kept = simplified(path, (tolerance *= 2));
  if (kept.length > 3 && apart(kept[0] as Spot, kept.at(-1) as Spot) < 1) kept.pop(); // closed by hand
  return kept.length >= FEWEST && isWide(kept) ? kept : null;
}

function isWide(points: readonly Spot[]): boolean {
  return [0, 1].every((axis) => {
    const along = points.map((one) => one[axis] ?? 0);
    return Math.max(...along) - Math.min(...along) >= 1;
  });
}
