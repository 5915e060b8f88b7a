/** Lengths and angles in the planes, in mm of the patient. They are for the moment: nothing of them is kept. */

import type { Point } from '../geometry';
import type { Facing } from './planes';
import { dot, length, minus, type Vec } from './vectors';

export interface Measure {
  kind: 'length' | 'angle';
  /** Two ends; or an end, the vertex, an end. */
  points: readonly Vec[];
  normal: Vec;
}

const SAME_PLANE = 0.9999;
const NEAR_MM = 0.75;

/** In mm, or in degrees. */
export function valueOf({ kind, points }: Measure): number {
  const [a, b, c] = points;
  if (!a || !b) return 0;
  if (kind === 'length') return length(minus(b, a));
  if (!c) return 0;
  const [one, other] = [minus(a, b), minus(c, b)];
  const cos = dot(one, other) / (length(one) * length(other) || 1);
  return (Math.acos(Math.min(1, Math.max(-1, cos))) * 180) / Math.PI;
}

/** A measure is seen in the plane in which it was taken, and in those close to it. */
export function isIn(measure: Measure, view: Facing, cursor: Vec, reach: number): boolean {
  if (Math.abs(dot(measure.normal, view.normal)) < SAME_PLANE) return false;
  return measure.points.every((point) => Math.abs(dot(minus(point, cursor), view.normal)) <= NEAR_MM + reach / 2);
}

/** What is being measured, until it is whole. */
export class Measuring {
  #open: Measure | null = null;

  get open(): Measure | null {
    return this.#open;
  }

  /** A pointer went down: an end, or the second arm of an angle whose first is there. */
  press(kind: Measure['kind'], at: Vec, normal: Vec): void {
    const going = this.#open?.kind === 'angle' && kind === 'angle' && this.#open.points.length === 2;
    this.#open = going && this.#open ? { ...this.#open, points: [...this.#open.points, at] } : { kind, points: [at, at], normal };
  }

  drag(at: Vec): void {
    if (this.#open) this.#open = { ...this.#open, points: [...this.#open.points.slice(0, -1), at] };
  }

  /** Returns what is whole; an angle waits for its second arm. */
  release(): Measure | null {
    const open = this.#open;
    if (!open) return null;
    const [a, b] = open.points;
    if (!a || !b || length(minus(a, b)) < 0.1) {
      this.#open = null;
      return null;
    }
    if (open.kind === 'angle' && open.points.length < 3) return null;
    this.#open = null;
    return open;
  }

  cancel(): void {
    this.#open = null;
  }
}

export const middleOf = (a: Point, b: Point): Point => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
