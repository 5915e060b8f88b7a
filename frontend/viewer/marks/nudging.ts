/** What arrow keys do to the selected mark: they move a point of it, all of it, or its label. */

import type { Seen } from '../layer';
import type { Handle, MarkBook } from './book';
import { clamped, movedBy, withHandle } from './edits';
import { sizeOf } from './grip';
import { onPane, spotOf, type Box } from './hit';
import type { Mark, MarkContent, Spot } from './mark';
import { scaleOf } from './measure';
import { apart, minus } from './shapes';

export class Nudging {
  constructor(
    readonly book: MarkBook,
    readonly valued: (mark: Mark, points: readonly Spot[], seen: Seen) => MarkContent['values'],
    /** Where a mark's label is drawn. */
    readonly labelBox: (id: string) => Box | undefined,
  ) {}

  /** What of a mark is gone through: its points, all of it, its label. */
  handlesOf(mark: Mark): readonly Handle[] {
    const { points, id } = mark;
    const label: Handle[] = points.length > 0 && this.labelBox(id) ? ['label'] : [];
    if (!this.book.mayMark) return label; // which anybody moves
    return [...points.keys(), ...(points.length > 1 ? (['whole'] as const) : []), ...label];
  }

  /** Moves what was chosen of a mark by image pixels as the pane shows them. Tells whether there was anything to move. */
  move(mark: Mark, right: number, down: number, seen: Seen): boolean {
    const { handle } = this.book;
    const moved = ([x, y]: Spot): Spot => spotOf(seen.toImage({ x: x + right * seen.scale, y: y + down * seen.scale }));
    if (handle === 'label') return this.#moveLabel(mark, moved);
    const point = mark.points[handle === 'whole' ? 0 : (handle ?? -1)];
    if (handle === null || !point) return false;
    const to = moved(onPane(seen, point));
    if (handle === 'whole') {
      this.#change(mark, movedBy(mark.points, minus(to, point), sizeOf(seen)), seen);
      return true;
    }
    const at = clamped(to, sizeOf(seen));
    const points = withHandle(mark.kind, mark.points, handle, at, scaleOf(mark, seen.frame));
    this.#change(mark, points, seen);
    const nearest = points.reduce((near, one, place) => (apart(one, at) < apart(points[near] ?? one, at) ? place : near), 0);
    this.book.select(mark.id, nearest);
    return true;
  }

  #change(mark: Mark, points: Spot[], seen: Seen): void {
    this.book.change(mark.id, { points, values: this.valued(mark, points, seen) }, 'nudge');
  }

  #moveLabel(mark: Mark, moved: (at: Spot) => Spot): boolean {
    const [box, first] = [this.labelBox(mark.id), mark.points[0]];
    if (!box || !first) return false;
    this.book.moveLabel(mark.id, minus(moved([box.x + box.width / 2, box.y + box.height / 2]), first));
    return true;
  }
}
