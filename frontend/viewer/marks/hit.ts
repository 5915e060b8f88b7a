/** What of the marks lies under a pointer. In CSS pixels of the pane; a finger is taken less exactly than a mouse. */

import type { Point } from '../geometry';
import type { Seen } from '../layer';
import { isCoarse } from '../steering';
import type { Mark, MarkContent, Spot } from './mark';
import { centreOf, outlineAt, singly, type OutlinePlace } from './outline';
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
  /** A place of an outline that was drawn freely: dragged, it is pulled. */
  | { mark: Mark; part: 'outline'; place: OutlinePlace }
  | { mark: Mark; part: 'label' };

interface Tolerance {
  handle: number;
  body: number;
  label: number;
}

/** CSS pixels between points of an outline that are taken one by one; nearer ones are reached by zooming in. */
const APART = { fine: 14, coarse: 48 } as const;

/** 44 px across for a finger's handle (WCAG 2.5.5). */
const TOLERANCES: Readonly<Record<'fine' | 'coarse', Tolerance>> = {
  fine: { handle: 9, body: 6, label: 0 },
  coarse: { handle: 24, body: 18, label: 8 },
};

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

/** The points of a mark that can be taken hold of: of an outline those that stand apart on the pane. */
export function handlesOf({ kind, points }: Pick<MarkContent, 'kind' | 'points'>, seen: Pick<Seen, 'toPane'>, coarse: boolean): readonly number[] {
  if (kind !== 'freehand') return points.map((_, place) => place);
  return singly(points.map((one) => onPane(seen, one)), coarse ? APART.coarse : APART.fine);
}

/** The handle nearest to a place, if it is within reach. */
export function handleAt(mark: Mark, seen: Seen, at: Spot, pointerType: string): number | null {
  let [found, near]: [number | null, number] = [null, toleranceOf(pointerType).handle];
  for (const place of handlesOf(mark, seen, isCoarse(pointerType))) {
    const away = apart(at, onPane(seen, mark.points[place] ?? [0, 0]));
    if (away <= near) [found, near] = [place, away];
  }
  return found;
}

/** A free outline is pulled by its line and moved by its middle. */
function lineHit(mark: Mark, seen: Seen, at: Spot): Hit {
  if (mark.kind !== 'freehand') return { mark, part: 'body' };
  const { x, y } = seen.toImage({ x: at[0], y: at[1] });
  return { mark, part: 'outline', place: outlineAt(mark.points, [x, y]) };
}

function isAtCentre(mark: Mark, seen: Seen, at: Spot, reach: number): boolean {
  return mark.kind === 'freehand' && apart(at, onPane(seen, centreOf(mark.points))) <= reach;
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
  const handle = chosen ? handleAt(chosen, seen, at, pointerType) : null;
  if (chosen && handle !== null) return { mark: chosen, part: 'handle', handle };
  if (chosen && isAtCentre(chosen, seen, at, reach.handle)) return { mark: chosen, part: 'body' };
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
  const grip = pointerType === 'mouse' ? handleAt(nearest, seen, at, pointerType) : null; // a finger selects first
  return grip === null ? lineHit(nearest, seen, at) : { mark: nearest, part: 'handle', handle: grip };
}
