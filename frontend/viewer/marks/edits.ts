/** Moving a mark, or one of its handles, so that it stays what it is: axes at right angles, rectangles with corners. */

import type { Size } from '../geometry';
import type { MarkKind, Spot } from './mark';
import {
  apart, distance, ellipseOf, ellipsePoints, fromMetric, inMetric, middle, minus, plus, times, turned, type Metric,
} from './shapes';

export function clamped([x, y]: Spot, { width, height }: Size): Spot {
  return [Math.min(width, Math.max(0, x)), Math.min(height, Math.max(0, y))];
}

/** Moves all points by the same way, not farther than the picture reaches. */
export function movedBy(points: readonly Spot[], way: Spot, size: Size): Spot[] {
  const within = (step: number, at: readonly number[], end: number): number => {
    const [least, most] = [Math.min(...at), Math.max(...at)];
    return Math.max(Math.min(0, -least), Math.min(Math.max(0, end - most), step));
  };
  const dx = within(way[0], points.map(([x]) => x), size.width);
  const dy = within(way[1], points.map(([, y]) => y), size.height);
  return points.map(([x, y]) => [x + dx, y + dy]);
}

/** The unit direction at a right angle to a line, as lengths are measured. */
function acrossOf(from: Spot, to: Spot, metric: Metric): Spot {
  const [x, y] = turned(inMetric(minus(to, from), metric));
  const length = Math.hypot(x, y) || 1;
  return [x / length, y / length];
}

const along = (direction: Spot, [x, y]: Spot): number => direction[0] * x + direction[1] * y;

/** The end of a line from `from` at a right angle to `base`, as near to `at` as it can be. */
export function squared(from: Spot, at: Spot, base: readonly [Spot, Spot], metric: Metric): Spot {
  const across = acrossOf(...base, metric);
  return plus(from, fromMetric(times(across, along(across, inMetric(minus(at, from), metric))), metric));
}

/** Turns and stretches the short axis with the long one. */
function withLongAxis(points: readonly Spot[], end: number, at: Spot, metric: Metric): Spot[] {
  const [a, b, c, d] = points as [Spot, Spot, Spot, Spot];
  const [from, to] = end === 0 ? [at, b] : [a, at];
  const [before, after] = [acrossOf(a, b, metric), acrossOf(from, to, metric)];
  const long = minus(inMetric(b, metric), inMetric(a, metric));
  const length = along(long, long) || 1;
  const carried = [c, d].map((one) => {
    const off = minus(inMetric(one, metric), inMetric(a, metric));
    const share = along(long, off) / length;
    const foot = plus(from, times(minus(to, from), share));
    return plus(foot, fromMetric(times(after, along(before, off)), metric));
  });
  return [from, to, ...carried];
}

/** Takes the short axis along the long one, and this end of it out or in. */
function withShortAxis(points: readonly Spot[], end: number, at: Spot, metric: Metric): Spot[] {
  const [a, b, c, d] = points as [Spot, Spot, Spot, Spot];
  const across = acrossOf(a, b, metric);
  const other = end === 2 ? d : c;
  const off = inMetric(minus(at, other), metric);
  const shift = minus(off, times(across, along(across, off)));
  const moved = plus(other, fromMetric(shift, metric));
  return end === 2 ? [a, b, at, moved] : [a, b, moved, at];
}

function withAxisOfEllipse(points: readonly Spot[], end: number, at: Spot, metric: Metric): Spot[] {
  const { centre, u, v } = ellipseOf(points);
  const pulled = minus(at, centre);
  const other = Math.hypot(...inMetric(end < 2 ? v : u, metric));
  const across = fromMetric(times(acrossOf([0, 0], pulled, metric), other), metric);
  return ellipsePoints({ centre, u: pulled, v: across }, metric);
}

/** Keeps the corner across and the directions of the sides. */
function withCorner(points: readonly Spot[], corner: number, at: Spot, metric: Metric): Spot[] {
  const held = points[(corner + 2) % 4] as Spot;
  const next = points[(corner + 1) % 4] as Spot;
  const side = minus(points[corner] as Spot, next);
  const direction: Spot = apart([0, 0], side) > 0 ? side : [1, 0]; // of one side; the other is at a right angle to it
  const from = minus(at, held);
  const [ux, uy] = inMetric(direction, metric);
  const length = ux * ux + uy * uy;
  const [fx, fy] = inMetric(from, metric);
  const share = (ux * fx + uy * fy) / length;
  const along: Spot = times(direction, share);
  const moved: Spot[] = [];
  moved[corner] = at;
  moved[(corner + 2) % 4] = held;
  moved[(corner + 1) % 4] = minus(at, along);
  moved[(corner + 3) % 4] = plus(held, along);
  return moved;
}

/** Moves one handle. Where a kind orders its axes by length, they may come back in another order. */
export function withHandle(kind: MarkKind, points: readonly Spot[], handle: number, at: Spot, metric: Metric): Spot[] {
  if (kind === 'bidirectional') return (handle < 2 ? withLongAxis : withShortAxis)(points, handle, at, metric);
  if (kind === 'ellipse') return withAxisOfEllipse(points, handle, at, metric);
  if (kind === 'rectangle') return withCorner(points, handle, at, metric);
  return points.map((one, place) => (place === handle ? at : one));
}

/** The longer of two crossing lines first. */
export function ordered(kind: MarkKind, points: readonly Spot[], metric: Metric): readonly Spot[] {
  const [a, b, c, d] = points;
  if (kind !== 'bidirectional' || !a || !b || !c || !d) return points;
  return distance(c, d, metric) > distance(a, b, metric) ? [c, d, a, b] : points;
}

/** An ellipse or a rectangle between two corners; its sides run as the picture's do. */
export function betweenCorners(kind: MarkKind, from: Spot, to: Spot, metric: Metric): Spot[] {
  if (kind === 'rectangle') return [from, [to[0], from[1]], to, [from[0], to[1]]];
  const half = times(minus(to, from), 0.5);
  return ellipsePoints({ centre: middle(from, to), u: [Math.abs(half[0]), 0], v: [0, Math.abs(half[1])] }, metric);
}

/** Takes an end to the nearest of eight directions, or two corners to a square, as lengths are measured. */
export function straightened(kind: MarkKind, from: Spot, to: Spot, metric: Metric): Spot {
  const [x, y] = inMetric(minus(to, from), metric);
  if (kind === 'ellipse' || kind === 'rectangle') {
    const side = Math.max(Math.abs(x), Math.abs(y));
    return plus(from, fromMetric([Math.sign(x) * side, Math.sign(y) * side], metric));
  }
  const turn = (Math.round(Math.atan2(y, x) / (Math.PI / 4)) * Math.PI) / 4;
  const length = x * Math.cos(turn) + y * Math.sin(turn);
  return plus(from, fromMetric([length * Math.cos(turn), length * Math.sin(turn)], metric));
}
