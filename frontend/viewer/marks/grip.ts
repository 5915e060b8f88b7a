/** What a pointer that is down does to a mark: moves it, an end of it, a stretch of its outline, or its label. */

import type { Seen, Touch } from '../layer';
import { clamped, movedBy, straightened, withHandle } from './edits';
import { spotOf, type Box, type Hit } from './hit';
import type { Mark, Spot } from './mark';
import { scaleOf } from './measure';
import { spotAt } from './outline';
import { pulledOutline } from './reshaping';
import { minus, plus } from './shapes';

export interface GripOptions {
  /** Where the mark's label is drawn. */
  label: Box | undefined;
  /** The mark was selected before: a finger moves nothing else. */
  firm: boolean;
}

export class Grip {
  readonly firm: boolean;
  moved = false;
  /** The mark as it is while it is held; none: nothing moved. */
  preview: Mark | null = null;
  readonly #pane: Spot;
  readonly #image: Spot;
  readonly #labelFrom: Spot | null;
  /** Where the middle of a pulled stretch is. */
  #pulledTo: Spot | null = null;

  constructor(
    readonly hit: Hit,
    touch: Touch,
    { label, firm }: GripOptions,
  ) {
    this.firm = firm;
    this.#pane = spotOf(touch.pane);
    this.#image = spotOf(touch.image);
    this.#labelFrom = label ? [label.x + label.width / 2, label.y + label.height / 2] : null;
  }

  /** The image point that is moved. */
  get active(): Spot | null {
    const { hit, preview } = this;
    if (hit.part === 'outline') return this.#pulledTo ?? spotAt(hit.mark.points, hit.place);
    return (hit.part === 'handle' && (preview ?? hit.mark).points[hit.handle]) || null;
  }

  /** Follows the pointer. Only labels are anybody's to move. */
  pull(touch: Touch, seen: Seen, { coarse, mayMark }: { coarse: boolean; mayMark: boolean }): void {
    const { hit } = this;
    if (hit.part === 'label') return this.#pullLabel(hit.mark, touch, seen);
    if (!mayMark || (coarse && !this.firm)) return;
    this.moved = true;
    const way = minus(spotOf(touch.image), this.#image);
    const { mark } = hit;
    if (hit.part === 'outline') {
      const { points, to } = pulledOutline(hit, way, seen, coarse);
      [this.preview, this.#pulledTo] = [{ ...mark, points }, to];
    } else if (hit.part === 'body') this.preview = { ...mark, points: movedBy(mark.points, way, sizeOf(seen)) };
    else this.preview = { ...mark, points: handled(mark, hit.handle, way, touch, seen) };
  }

  #pullLabel(mark: Mark, touch: Touch, seen: Seen): void {
    const first = mark.points[0];
    if (!this.#labelFrom || !first) return;
    const [x, y] = plus(this.#labelFrom, minus(spotOf(touch.pane), this.#pane));
    this.preview = { ...mark, label: minus(spotOf(seen.toImage({ x, y })), first) };
    this.moved = true;
  }
}

/** Columns and rows of the picture that a pane shows. */
export function sizeOf({ frame }: Seen): { width: number; height: number } {
  return { width: frame.facts.columns, height: frame.facts.rows };
}

function handled(mark: Mark, handle: number, way: Spot, touch: Touch, seen: Seen): Spot[] {
  const metric = scaleOf(mark, seen.frame);
  const to = plus(mark.points[handle] ?? [0, 0], way);
  const other = mark.kind === 'length' || mark.kind === 'arrow' ? mark.points[1 - handle] : undefined;
  const straight = touch.shift && other ? straightened(mark.kind, other, to, metric) : to;
  return withHandle(mark.kind, mark.points, handle, clamped(straight, sizeOf(seen)), metric);
}
