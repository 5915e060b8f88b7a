/** What of the marks lies under a pointer. In CSS pixels of the pane; a finger is taken less exactly than a mouse. */

import type { Point } from '../geometry';
import type { Seen } from '../layer';
import { handlesOf } from './edits';
import type { Mark, MarkContent, Spot } from './mark';
import { apart, nearestOn, outlineOf } from './shapes';

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export type Hit =
  | { mark: Mark; part: 'handle'; handle: number }
  | { mark: Mark; part: 'body' }
  | { mark: Mark; part: 'label' };

interface Tolerance {
  handle: number;
  body: number;
  label: number;
}

/** 44 px across for a finger's handle (WCAG 2.5.5). */
const TOLERANCES: Readonly<Record<'fine' | 'coarse', Tolerance>> = {
  fine: { handle: 9, body: 6, label: 0 },
  coarse: { handle: 24, body: 18, label: 8 },
};

export const isCoarse = (pointerType: string): boolean => pointerType === 'touch';
export const toleranceOf = (pointerType: string): Tolerance => TOLERANCES[isCoarse(pointerType) ? 'coarse' : 'fine'];

export const spotOf = ({ x, y }: Point): Spot => [x, y];

/** A point of the image on the pane. */
export function onPane(seen: Pick<Seen, 'toPane'>, [x, y]: Spot): Spot {
  return spotOf(seen.toPane({ x, y }));
}

/** The lines that make up a mark, in image points; none for what is a point. */
export function linesOf({ kind, points }: Pick<MarkContent, 'kind' | 'points'>): (readonly [Spot, Spot])[] {
  const [a, b, c, d] = points;
  if (kind === 'length' || kind === 'arrow') return a && b ? [[a, b]] : [];
  if (kind === 'bidirectional' || kind === 'cobb') {
    return [...(a && b ? [[a, b] as const] : []), ...(c && d ? [[c, d] as const] : [])];
  }
  if (kind === 'angle') return [...(a && b ? [[a, b] as const] : []), ...(b && c ? [[b, c] as const] : [])];
  if (kind === 'ellipse' || kind === 'rectangle' || kind === 'freehand') {
    const around = outlineOf(kind, points);
    return around.map((one, at) => [one, around[(at + 1) % around.length] ?? one] as const);
  }
  return [];
}

/** How far a mark's lines and points are from a place of the pane. */
export function distanceTo(mark: Pick<MarkContent, 'kind' | 'points'>, seen: Seen, at: Spot): number {
  const lines = linesOf(mark).map(([from, to]) => {
    const [start, end] = [onPane(seen, from), onPane(seen, to)];
    return apart(at, nearestOn(start, end, at));
  });
  const single = mark.kind === 'point' || mark.kind === 'counter' || mark.kind === 'text';
  const points = single ? mark.points.map((one) => apart(at, onPane(seen, one))) : [];
  return Math.min(Infinity, ...lines, ...points);
}

/** The handle nearest to a place, if it is within reach. */
export function handleAt(mark: Mark, seen: Seen, at: Spot, reach: number): number | null {
  let [found, near]: [number | null, number] = [null, reach];
  handlesOf(mark).forEach((one, place) => {
    const away = apart(at, onPane(seen, one));
    if (away <= near) [found, near] = [place, away];
  });
  return found;
}

export function inBox({ x, y, width, height }: Box, [px, py]: Spot, margin: number): boolean {
  return px >= x - margin && px <= x + width + margin && py >= y - margin && py <= y + height + margin;
}

export interface Searched {
  marks: readonly Mark[];
  selected: string | null;
  labels: ReadonlyMap<string, Box>;
}

/** Looks first at the handles of what is selected, then at labels, then at lines; the nearest line counts. */
export function hitAt({ marks, selected, labels }: Searched, seen: Seen, at: Spot, pointerType: string): Hit | null {
  const reach = toleranceOf(pointerType);
  const chosen = marks.find((one) => one.id === selected);
  const handle = chosen ? handleAt(chosen, seen, at, reach.handle) : null;
  if (chosen && handle !== null) return { mark: chosen, part: 'handle', handle };
  const labelled = marks.findLast((one) => {
    const box = labels.get(one.id);
    return box && inBox(box, at, reach.label);
  });
  if (labelled) return { mark: labelled, part: 'label' };
  let [nearest, near]: [Mark | null, number] = [null, reach.body];
  for (const one of marks) {
    const away = distanceTo(one, seen, at);
    if (away <= near) [nearest, near] = [one, away];
  }
  if (!nearest) return null;
  const grip = pointerType === 'mouse' ? handleAt(nearest, seen, at, reach.handle) : null; // a finger selects first
  return grip === null ? { mark: nearest, part: 'body' } : { mark: nearest, part: 'handle', handle: grip };
}
