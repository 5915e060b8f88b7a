/** Shutters of a presentation state (PS3.3 C.7.6.11, C.7.6.15): what lies outside of all of them is covered. */

import type { Point } from '../geometry';
import type { Seen } from '../layer';
import { names, type DrawnShutter, type Target } from './content';
import type { ShownDrawing } from './layer';
import { lineThrough, outlineOf, pairs } from './strokes';

export function shade(context: CanvasRenderingContext2D, drawing: ShownDrawing, target: Target, seen: Seen): void {
  const { content, masks } = drawing;
  if (!content.presentation || !names(content, content.of, target)) return;
  for (const shutter of content.presentation.shutters) {
    if (shutter.kind === 'bitmap') {
      if (masks) coverBitmap(context, drawing, shutter, target, seen);
      continue;
    }
    const covered = new Path2D();
    covered.rect(0, 0, seen.pane.width, seen.pane.height);
    covered.addPath(lineThrough(cornersOf(shutter).map(([x, y]) => seen.toPane({ x, y })), true));
    context.fillStyle = shutter.colour;
    context.fill(covered, 'evenodd');
  }
}

function cornersOf(shutter: DrawnShutter): [number, number][] {
  const points = pairs(shutter.points);
  if (shutter.kind === 'circle') return outlineOf({ kind: 'circle', points: shutter.points });
  const [first, last] = points;
  if (shutter.kind === 'rectangle' && first && last) {
    return [first, [last[0], first[1]], last, [first[0], last[1]]];
  }
  return points;
}

/** Covers what is set in the shutter's own overlay. */
function coverBitmap(context: CanvasRenderingContext2D, { masks }: ShownDrawing, shutter: DrawnShutter, target: Target, seen: Seen): void {
  const { rows, columns } = seen.frame.facts;
  for (const { frame } of masks?.on(target, null, columns, rows) ?? []) {
    const path = frame.group === shutter.group ? masks?.outline(frame, frame.group) : null;
    if (!path) continue;
    const [origin, right, down] = [{ x: 0, y: 0 }, { x: 1, y: 0 }, { x: 0, y: 1 }].map(seen.toPane) as [Point, Point, Point];
    const here = new Path2D();
    here.addPath(path, new DOMMatrix([right.x - origin.x, right.y - origin.y, down.x - origin.x, down.y - origin.y, origin.x, origin.y]));
    context.fillStyle = shutter.colour;
    context.fill(here, 'evenodd');
  }
}
