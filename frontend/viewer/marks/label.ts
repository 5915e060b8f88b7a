/** Where labels stand: beside their mark, off its lines and off each other, inside the pane. In CSS pixels. */

import type { Size } from '../geometry';
import type { Box } from './hit';
import type { Spot } from './mark';
import { apart, nearestOn } from './shapes';

const GAP = 14;
const EDGE = 6;
const SIDES = ['right', 'below', 'above', 'left'] as const;
type Side = (typeof SIDES)[number];

export type Line = readonly [Spot, Spot];

/** What a label must keep off. */
export interface Occupied {
  pane: Size;
  boxes: readonly Box[];
  /** Lines of its own mark and of others. */
  lines: readonly Line[];
}

export function around(points: readonly Spot[]): Box {
  const columns = points.map(([x]) => x);
  const rows = points.map(([, y]) => y);
  const [x, y] = [Math.min(...columns), Math.min(...rows)];
  return { x, y, width: Math.max(...columns) - x, height: Math.max(...rows) - y };
}

function overlap(one: Box, other: Box): number {
  const width = Math.min(one.x + one.width, other.x + other.width) - Math.max(one.x, other.x);
  const height = Math.min(one.y + one.height, other.y + other.height) - Math.max(one.y, other.y);
  return width > 0 && height > 0 ? width * height : 0;
}

/** The length of a line's part within a box (Liang and Barsky). */
export function lengthWithin(box: Box, [from, to]: Line): number {
  let [start, end] = [0, 1];
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const sides = [
    [-dx, from[0] - box.x], [dx, box.x + box.width - from[0]], [-dy, from[1] - box.y], [dy, box.y + box.height - from[1]],
  ] as const;
  for (const [way, room] of sides) {
    if (way === 0 && room < 0) return 0;
    if (way < 0) start = Math.max(start, room / way);
    if (way > 0) end = Math.min(end, room / way);
  }
  return start < end ? (end - start) * Math.hypot(dx, dy) : 0;
}

function at(side: Side, shape: Box, { width, height }: Size, shift: number): Box {
  const [cx, cy] = [shape.x + shape.width / 2, shape.y + shape.height / 2];
  const x = cx - width / 2 + (shift * (shape.width + width)) / 2;
  const y = cy - height / 2 + (shift * (shape.height + height)) / 2;
  switch (side) {
    case 'right':
      return { x: shape.x + shape.width + GAP, y, width, height };
    case 'left':
      return { x: shape.x - GAP - width, y, width, height };
    case 'above':
      return { x, y: shape.y - GAP - height, width, height };
    case 'below':
      return { x, y: shape.y + shape.height + GAP, width, height };
  }
}

export function keptIn(box: Box, pane: Size): Box {
  const x = Math.max(EDGE, Math.min(pane.width - EDGE - box.width, box.x));
  const y = Math.max(EDGE, Math.min(pane.height - EDGE - box.height, box.y));
  return { ...box, x, y };
}

/** How bad a place is: over lines most, then over labels, then far from where it wanted to be. */
function cost(box: Box, wanted: Box, occupied: Occupied): number {
  const covered = occupied.boxes.reduce((sum, one) => sum + overlap(one, box), 0);
  const roomy = { x: box.x - 3, y: box.y - 3, width: box.width + 6, height: box.height + 6 };
  const crossed = occupied.lines.reduce((sum, line) => sum + lengthWithin(roomy, line), 0);
  return crossed * 6 + covered + Math.hypot(box.x - wanted.x, box.y - wanted.y) * 2;
}

/** The best place for a label of that size beside a shape. `last`: the one it had, kept while it is nearly as good. */
export function placed(size: Size, points: readonly Spot[], occupied: Occupied, last = ''): { box: Box; name: string } {
  const shape = around(points);
  let best: { box: Box; name: string; cost: number } | null = null;
  for (const [order, side] of SIDES.entries()) {
    for (const shift of [0, 0.5, -0.5]) {
      const wanted = at(side, shape, size, shift);
      const box = keptIn(wanted, occupied.pane);
      const name = side + shift;
      const bias = order * 8 + Math.abs(shift) * 16 - (name === last ? 40 : 0);
      const found = { box, name, cost: cost(box, wanted, occupied) + bias };
      if (!best || found.cost < best.cost) best = found;
    }
  }
  return best ?? { box: keptIn({ x: shape.x, y: shape.y, ...size }, occupied.pane), name: '' };
}

/** The line from a label to its mark: from the box's nearest edge to the nearest place of the mark's lines or points. */
export function leader(box: Box, lines: readonly Line[], points: readonly Spot[]): Line | null {
  const centre: Spot = [box.x + box.width / 2, box.y + box.height / 2];
  const ends = lines.length > 0 ? lines.map(([from, to]) => nearestOn(from, to, centre)) : points;
  const target = ends.reduce<Spot | null>((near, one) => (!near || apart(one, centre) < apart(near, centre) ? one : near), null);
  if (!target) return null;
  const from: Spot = [
    Math.max(box.x, Math.min(box.x + box.width, target[0])),
    Math.max(box.y, Math.min(box.y + box.height, target[1])),
  ];
  return apart(from, target) > 4 ? [from, target] : null;
}
