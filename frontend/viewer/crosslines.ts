/** A line over the picture where the picture of another pane crosses it. */

import type { Layer, Seen } from './layer';
import { crossing, type Plane } from './planes';

const SHADOW = 'rgb(0 0 0 / 70%)';
const LINE = '#e8b54d';

export class CrossLines implements Layer {
  /** `here`: the plane at a place of this pane; `there`: the plane that is looked at elsewhere, if it may be shown. */
  constructor(
    readonly here: (place: number) => Plane | null,
    readonly there: () => Plane | null,
  ) {}

  draw(context: CanvasRenderingContext2D, seen: Seen): void {
    const [here, there] = [this.here(seen.place), this.there()];
    const line = here && there && crossing(here, there);
    if (!line) return;
    const [from, to] = line.map(seen.toPane) as [{ x: number; y: number }, { x: number; y: number }];
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    for (const [style, width] of [[SHADOW, 3], [LINE, 1.25]] as const) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.stroke();
    }
  }
}
