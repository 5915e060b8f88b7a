/** What a reader does to a drawn outline besides moving it: pulls it, adds a point, takes one out. */

import type { Seen } from '../layer';
import type { MarkBook } from './book';
import { clamped } from './edits';
import type { Hit } from './hit';
import type { Mark, MarkContent, Spot } from './mark';
import { pulled, spotAt, withoutPoint, withPoint } from './outline';
import { minus, plus } from './shapes';

const MOST_POINTS = 10_000; // that are kept
const PULL = { fine: 44, coarse: 64, step: 4 } as const; // CSS pixels along an outline

export type OutlineHit = Extract<Hit, { part: 'outline' }>;

/** Returns the outline with a stretch of it pulled by `way`, and where the middle of the stretch comes to lie. */
export function pulledOutline({ mark, place }: OutlineHit, way: Spot, seen: Seen, coarse: boolean): { points: Spot[]; to: Spot } {
  const { frame, scale } = seen;
  const size = { width: frame.facts.columns, height: frame.facts.rows };
  const from = spotAt(mark.points, place);
  const to = clamped(plus(from, way), size);
  const points = pulled(mark.points, { place, way: minus(to, from), reach: PULL[coarse ? 'coarse' : 'fine'] / scale, step: PULL.step / scale });
  return { points: points.length <= MOST_POINTS ? points.map((one) => clamped(one, size)) : [...mark.points], to };
}

export class Reshaping {
  constructor(
    readonly book: MarkBook,
    readonly valued: (mark: Mark, points: readonly Spot[], seen: Seen) => MarkContent['values'],
  ) {}

  /** A double click adds a point to an outline, or takes one out of it. Tells whether it is one. */
  double(hit: Hit, seen: Seen): boolean {
    const { mark } = hit;
    if (mark.kind !== 'freehand' || !this.book.mayMark) return false;
    if (hit.part === 'outline') this.#reshape(mark, withPoint(mark.points, hit.place), hit.place.edge + 1, seen);
    else if (hit.part === 'handle') this.#reshape(mark, withoutPoint(mark.points, hit.handle), null, seen);
    else return false;
    return true;
  }

  /** Adds a point after the chosen one of an outline. Tells whether there was one. */
  addPoint(seen: Seen): boolean {
    const chosen = this.#chosen();
    if (chosen) this.#reshape(chosen.mark, withPoint(chosen.mark.points, { edge: chosen.handle, share: 0.5 }), chosen.handle + 1, seen);
    return chosen !== null;
  }

  /** Takes the chosen point of an outline out of it. Tells whether there was one. */
  removePoint(seen: Seen): boolean {
    const chosen = this.#chosen();
    if (chosen) this.#reshape(chosen.mark, withoutPoint(chosen.mark.points, chosen.handle), Math.max(0, chosen.handle - 1), seen);
    return chosen !== null;
  }

  #chosen(): { mark: Mark; handle: number } | null {
    const { selected: mark, handle, mayMark } = this.book;
    return mark?.kind === 'freehand' && typeof handle === 'number' && mayMark ? { mark, handle } : null;
  }

  #reshape(mark: Mark, points: Spot[] | null, handle: number | null, seen: Seen): void {
    if (!points || points.length > MOST_POINTS) return;
    this.book.change(mark.id, { points, values: this.valued(mark, points, seen) });
    this.book.select(mark.id, handle);
  }
}
