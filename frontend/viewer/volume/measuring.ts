/**
 * Lengths and angles in the planes, in mm of the patient: made, taken hold of, moved. Those that a keeper has are kept
 * by it; what it does not take stays for the moment.
 */

import type { Point } from '../geometry';
import type { Facing } from './planes';
import { along, dot, length, minus, type Vec } from './vectors';

export interface Measure {
  /** None while it is being made. */
  id: string;
  kind: 'length' | 'angle';
  /** Two ends; or an end, the vertex, an end. */
  points: readonly Vec[];
  /** The reader made it. */
  own: boolean;
}

/** What arrow keys move of the selected measure: one of its points, or all of it. */
export type MeasureHandle = number | 'whole';

/** Where measures are kept: it shows those that lie in the volume's frame of reference. */
export interface MeasureKeeper {
  readonly measures: readonly Measure[];
  /** The reader may make and change them. */
  readonly mayChange: boolean;
  /** Returns the new one's id. */
  add: (kind: Measure['kind'], points: readonly Vec[]) => string;
  /** Changes named alike by `joins` within a moment are one step back. */
  change: (id: string, points: readonly Vec[], joins?: string) => void;
  remove: (id: string) => void;
}

/** A measure, and which of its points a pointer takes; none: its line. */
export interface MeasureHit {
  measure: Measure;
  place: number | null;
}

const NEAR_MM = 0.75;
const SMALLEST_MM = 0.1;
const REACH = { point: 12, line: 7 } as const; // CSS pixels

/** In mm, or in degrees. */
export function valueOf({ kind, points }: Pick<Measure, 'kind' | 'points'>): number {
  const [a, b, c] = points;
  if (!a || !b) return 0;
  if (kind === 'length') return length(minus(b, a));
  if (!c) return 0;
  const [one, other] = [minus(a, b), minus(c, b)];
  const cos = dot(one, other) / (length(one) * length(other) || 1);
  return (Math.acos(Math.min(1, Math.max(-1, cos))) * 180) / Math.PI;
}

/** A measure is seen in a plane that all of its points lie in, or so near that no nearer one can be scrolled to. */
export function isIn({ points }: Pick<Measure, 'points'>, view: Facing, cursor: Vec, reach: { slab: number; step: number }): boolean {
  const near = Math.max(NEAR_MM, reach.step / 2) + reach.slab / 2;
  return points.every((point) => Math.abs(dot(minus(point, cursor), view.normal)) <= near);
}

const apart = (a: Point, b: Point): number => Math.hypot(a.x - b.x, a.y - b.y);

function fromLine(at: Point, a: Point, b: Point): number {
  const way = { x: b.x - a.x, y: b.y - a.y };
  const share = ((at.x - a.x) * way.x + (at.y - a.y) * way.y) / (way.x ** 2 + way.y ** 2 || 1);
  const held = Math.min(1, Math.max(0, share));
  return apart(at, { x: a.x + way.x * held, y: a.y + way.y * held });
}

/** What of the measures lies under a pointer; `toPane` says where their points are. */
export function measureAt(measures: readonly Measure[], toPane: (point: Vec) => Point, at: Point): MeasureHit | null {
  let [found, near]: [MeasureHit | null, number] = [null, REACH.point];
  for (const measure of measures) {
    measure.points.forEach((point, place) => {
      const away = apart(toPane(point), at);
      if (away <= near) [found, near] = [{ measure, place }, away];
    });
  }
  if (found) return found;
  const touched = measures.find(({ points }) =>
    points.slice(1).some((point, k) => fromLine(at, toPane(points[k] as Vec), toPane(point)) <= REACH.line),
  );
  return touched ? { measure: touched, place: null } : null;
}

export class Measuring {
  #open: Measure | null = null;
  #moving: MeasureHit | null = null;
  #passing: readonly Measure[] = [];
  #keeper: MeasureKeeper | null = null;
  #selected: string | null = null;
  #handle: MeasureHandle | null = null;
  #made = 0;

  constructor(readonly onChange: () => void) {}

  /** Those that are kept and those of the moment, as they are while one is moved. */
  get all(): readonly Measure[] {
    const all = [...(this.#keeper?.measures ?? []), ...this.#passing];
    const moving = this.#moving?.measure;
    return moving ? all.map((one) => (one.id === moving.id ? moving : one)) : all;
  }

  /** Some are for the moment only. */
  get isPassing(): boolean {
    return this.#passing.length > 0;
  }

  get open(): Measure | null {
    return this.#open;
  }

  get selected(): string | null {
    return this.all.some(({ id }) => id === this.#selected) ? this.#selected : null;
  }

  /** What was chosen of the selected one. */
  get handle(): MeasureHandle | null {
    return this.selected === null ? null : this.#handle;
  }

  keepWith(keeper: MeasureKeeper | null): void {
    this.#keeper = keeper;
    this.onChange();
  }

  select(id: string | null, handle: MeasureHandle | null = null): void {
    this.#selected = id;
    this.#handle = handle;
    this.onChange();
  }

  /** A pointer went down: an end, or the second arm of an angle whose first is there. */
  press(kind: Measure['kind'], at: Vec): void {
    const going = this.#open?.kind === 'angle' && kind === 'angle' && this.#open.points.length === 2;
    this.#selected = this.#handle = null;
    this.#open = going && this.#open ? { ...this.#open, points: [...this.#open.points, at] } : { id: '', kind, points: [at, at], own: true };
  }

  /** A pointer takes what is there; tells whether it may be moved. */
  take(hit: MeasureHit): boolean {
    this.select(hit.measure.id);
    const may = hit.place !== null && this.mayChange(hit.measure.id);
    this.#moving = may ? hit : null;
    return may;
  }

  /** A point that is moved goes across the plane that is looked at and keeps its depth, which may be another than the plane's. */
  drag(at: Vec, normal: Vec): void {
    const moving = this.#moving;
    if (moving) {
      const to = (point: Vec): Vec => along(at, normal, dot(minus(point, at), normal));
      const points = moving.measure.points.map((point, place) => (place === moving.place ? to(point) : point));
      this.#moving = { ...moving, measure: { ...moving.measure, points } };
    } else if (this.#open) {
      this.#open = { ...this.#open, points: [...this.#open.points.slice(0, -1), at] };
    }
  }

  mayChange(id: string): boolean {
    return this.#keeper?.mayChange === true || this.#isPassing(id);
  }

  /** Moves what was chosen of the selected one by mm, if all of it may then stand where it does. */
  nudge(way: Vec, mayStand: (before: Vec, after: Vec) => boolean): void {
    const [measure, handle] = [this.all.find(({ id }) => id === this.#selected), this.#handle];
    if (!measure || handle === null || !this.mayChange(measure.id)) return;
    const points = measure.points.map((point, place) => (handle === 'whole' || place === handle ? along(point, way, 1) : point));
    if (measure.points.every((point, place) => mayStand(point, points[place] ?? point))) this.#change({ ...measure, points }, 'nudge');
  }

  /** The pointer came up: what is whole is kept; an angle waits for its second arm. */
  release(): void {
    const [moving, open] = [this.#moving, this.#open];
    this.#moving = null;
    if (moving) return this.#change(moving.measure);
    const [a, b, c] = open?.points ?? [];
    if (!open || !a || !b) return;
    if (length(minus(a, b)) < SMALLEST_MM || (c && length(minus(c, b)) < SMALLEST_MM)) {
      this.#open = null;
    } else if (open.kind === 'length' || c) {
      this.#open = null;
      this.#selected = this.#add(open);
    }
    this.onChange();
  }

  /** Takes back the point of what is being made that was set last. Tells whether there was one. */
  back(): boolean {
    const open = this.#open;
    if (!open) return false;
    this.#open = open.points.length > 2 ? { ...open, points: open.points.slice(0, -1) } : null;
    this.onChange();
    return true;
  }

  /** The pointer was lost. */
  cancel(): void {
    this.#open = this.#moving = null;
  }

  /** Removes what is selected; tells whether there was anything. */
  remove(): boolean {
    const id = this.selected;
    this.#open = null;
    if (id === null) return false;
    if (this.#isPassing(id)) this.#passing = this.#passing.filter((one) => one.id !== id);
    else if (this.#keeper?.mayChange) this.#keeper.remove(id);
    else return false;
    this.select(null);
    return true;
  }

  /** Another volume is looked at. */
  forget(): void {
    this.cancel();
    this.#passing = [];
    this.#selected = null;
  }

  #isPassing(id: string): boolean {
    return this.#passing.some((one) => one.id === id);
  }

  #add({ kind, points }: Measure): string {
    if (this.#keeper?.mayChange) return this.#keeper.add(kind, points);
    const id = `passing-${(this.#made += 1)}`;
    this.#passing = [...this.#passing, { id, kind, points, own: true }];
    return id;
  }

  #change(changed: Measure, joins = ''): void {
    if (this.#isPassing(changed.id)) this.#passing = this.#passing.map((one) => (one.id === changed.id ? changed : one));
    else this.#keeper?.change(changed.id, changed.points, joins);
    this.onChange();
  }
}
