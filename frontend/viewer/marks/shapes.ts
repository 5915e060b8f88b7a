/** Plane geometry of marks: ellipses, polygons, distances, and which pixels' centres a shape holds. All pure. */

import type { MarkKind, Spot } from './mark';

/** Lengths per column and per row; what is at right angles depends on it. */
export interface Metric {
  column: number;
  row: number;
}

export const minus = (one: Spot, other: Spot): Spot => [one[0] - other[0], one[1] - other[1]];
export const plus = (one: Spot, other: Spot): Spot => [one[0] + other[0], one[1] + other[1]];
export const times = (one: Spot, by: number): Spot => [one[0] * by, one[1] * by];
export const middle = (one: Spot, other: Spot): Spot => [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
export const apart = (one: Spot, other: Spot): number => Math.hypot(one[0] - other[0], one[1] - other[1]);

export const inMetric = ([x, y]: Spot, metric: Metric): Spot => [x * metric.column, y * metric.row];
export const fromMetric = ([x, y]: Spot, metric: Metric): Spot => [x / metric.column, y / metric.row];

export function distance(one: Spot, other: Spot, metric: Metric): number {
  return Math.hypot((one[0] - other[0]) * metric.column, (one[1] - other[1]) * metric.row);
}

const dot = (one: Spot, other: Spot): number => one[0] * other[0] + one[1] * other[1];
const cross = (one: Spot, other: Spot): number => one[0] * other[1] - one[1] * other[0];

/** The angle between two directions in degrees, 0…180. */
export function angleBetween(one: Spot, other: Spot): number {
  return (Math.atan2(Math.abs(cross(one, other)), dot(one, other)) * 180) / Math.PI;
}

/** A direction of the same length at a right angle. */
export const turned = ([x, y]: Spot): Spot => [-y, x];

/** The point of a segment that is nearest to a spot. */
export function nearestOn(from: Spot, to: Spot, spot: Spot): Spot {
  const way = minus(to, from);
  const length = dot(way, way);
  const along = length > 0 ? Math.min(1, Math.max(0, dot(minus(spot, from), way) / length)) : 0;
  return plus(from, times(way, along));
}

/** Centre and the two half axes; any two conjugate half axes make the same ellipse whatever the pixel's shape. */
export interface Ellipse {
  centre: Spot;
  u: Spot;
  v: Spot;
}

export function ellipseOf(points: readonly Spot[]): Ellipse {
  const [a = [0, 0], b = [0, 0], c = [0, 0], d = [0, 0]] = points;
  return { centre: times(plus(plus(a, b), plus(c, d)), 0.25), u: times(minus(b, a), 0.5), v: times(minus(d, c), 0.5) };
}

/** The four points of an ellipse, the longer axis first. */
export function ellipsePoints({ centre, u, v }: Ellipse, metric: Metric): Spot[] {
  const length = (one: Spot): number => Math.hypot(...inMetric(one, metric));
  const [major, minor] = length(u) >= length(v) ? [u, v] : [v, u];
  return [minus(centre, major), plus(centre, major), minus(centre, minor), plus(centre, minor)];
}

const SIDES = 96;

/** A shape's closed outline as a polygon. */
export function outlineOf(kind: MarkKind, points: readonly Spot[]): readonly Spot[] {
  if (kind !== 'ellipse') return points;
  const { centre, u, v } = ellipseOf(points);
  return Array.from({ length: SIDES }, (_, at) => {
    const turn = (at / SIDES) * 2 * Math.PI;
    return plus(centre, plus(times(u, Math.cos(turn)), times(v, Math.sin(turn))));
  });
}

export function ellipseArea({ u, v }: Ellipse, metric: Metric): number {
  return Math.PI * Math.abs(cross(inMetric(u, metric), inMetric(v, metric)));
}

/** Ramanujan's second approximation; its relative error stays below 1e-4 up to an axis ratio of 20. */
export function ellipsePerimeter({ u, v }: Ellipse, metric: Metric): number {
  const [p, q] = [inMetric(u, metric), inMetric(v, metric)];
  const sum = dot(p, p) + dot(q, q); // true half axes a, b: a² + b² and a·b are those of any conjugate pair
  const product = Math.abs(cross(p, q));
  const [a, b] = [Math.sqrt(Math.max(0, sum + 2 * product)), Math.sqrt(Math.max(0, sum - 2 * product))]; // a + b, a − b
  if (a === 0) return 0;
  const h = (b / a) ** 2;
  return Math.PI * a * (1 + (3 * h) / (10 + Math.sqrt(4 - 3 * h)));
}

export function polygonPerimeter(points: readonly Spot[], metric: Metric): number {
  return points.reduce((sum, one, at) => sum + distance(one, points[(at + 1) % points.length] ?? one, metric), 0);
}

function crosses(a: Spot, b: Spot, c: Spot, d: Spot): boolean {
  const side = (one: Spot, other: Spot, spot: Spot): number => Math.sign(cross(minus(other, one), minus(spot, one)));
  return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}

/** Tells whether an outline runs through itself. */
export function crossesItself(points: readonly Spot[]): boolean {
  const end = (at: number): Spot => points[at % points.length] as Spot;
  for (let one = 0; one < points.length; one += 1) {
    for (let other = one + 2; other < points.length; other += 1) {
      if (crosses(end(one), end(one + 1), end(other), end(other + 1))) return true;
    }
  }
  return false;
}

const LINES_PER_ROW = 16;

/** By the even-odd rule, as its pixels are counted: exact for a simple outline, by 16 lines a row for a knotted one. */
export function polygonArea(points: readonly Spot[], metric: Metric): number {
  const pixel = metric.column * metric.row;
  if (!crossesItself(points)) {
    const twice = points.reduce((sum, one, at) => sum + cross(one, points[(at + 1) % points.length] ?? one), 0);
    return (Math.abs(twice) / 2) * pixel;
  }
  const rows = points.map(([, y]) => y);
  const step = 1 / LINES_PER_ROW;
  let sum = 0;
  for (let y = Math.floor(Math.min(...rows)) + step / 2; y < Math.max(...rows); y += step) {
    const ends = crossings(points, y);
    for (let at = 0; at + 1 < ends.length; at += 2) sum += ((ends[at + 1] ?? 0) - (ends[at] ?? 0)) * step;
  }
  return sum * pixel;
}

/** Where a polygon's sides cross a horizontal line, from left to right. */
function crossings(points: readonly Spot[], y: number): number[] {
  const found: number[] = [];
  let [x0, y0] = points[points.length - 1] ?? [0, 0];
  for (const [x1, y1] of points) {
    if (y0 <= y !== y1 <= y) found.push(x0 + ((y - y0) / (y1 - y0)) * (x1 - x0));
    [x0, y0] = [x1, y1];
  }
  return found.sort((one, other) => one - other);
}

/** The columns of a row whose centres a shape holds, as pairs of the first and the last one; they may lie outside. */
export type Spans = (row: number) => readonly number[];

export interface Shape {
  firstRow: number;
  lastRow: number;
  spans: Spans;
}

/** Even-odd; a centre on a left or upper side counts, one on a right or lower side does not. */
export function polygonShape(points: readonly Spot[]): Shape {
  const rows = points.map(([, y]) => y);
  return {
    firstRow: Math.ceil(Math.min(...rows) - 0.5),
    lastRow: Math.floor(Math.max(...rows) - 0.5),
    spans: (row) => {
      const ends = crossings(points, row + 0.5);
      const found: number[] = [];
      for (let at = 0; at + 1 < ends.length; at += 2) {
        const [first, last] = [Math.ceil((ends[at] ?? 0) - 0.5), Math.ceil((ends[at + 1] ?? 0) - 0.5) - 1];
        if (last >= first) found.push(first, last);
      }
      return found;
    },
  };
}

const NONE: readonly number[] = [];

/** A centre on the line counts. */
export function ellipseShape(ellipse: Ellipse): Shape {
  const { centre, u, v } = ellipse;
  const area = cross(u, v);
  const height = Math.hypot(u[1], v[1]);
  const within = (column: number, row: number): boolean => {
    const [dx, dy] = [column + 0.5 - centre[0], row + 0.5 - centre[1]];
    return ((dx * v[1] - dy * v[0]) / area) ** 2 + ((u[0] * dy - u[1] * dx) / area) ** 2 <= 1;
  };
  const spans = (row: number): readonly number[] => {
    const dy = row + 0.5 - centre[1];
    const a = u[1] ** 2 + v[1] ** 2;
    const half = (dy * (u[0] * u[1] + v[0] * v[1])) / a;
    const root = Math.sqrt(Math.max(0, half * half - (dy * dy * (u[0] ** 2 + v[0] ** 2) - area * area) / a));
    let first = Math.floor(centre[0] + half - root - 0.5); // the rule decides at the ends, not a rounded root
    let last = Math.ceil(centre[0] + half + root - 0.5);
    while (first <= last && !within(first, row)) first += 1;
    while (last >= first && !within(last, row)) last -= 1;
    return last >= first ? [first, last] : NONE;
  };
  if (area === 0) return { firstRow: 0, lastRow: -1, spans: () => NONE };
  return { firstRow: Math.floor(centre[1] - height - 0.5), lastRow: Math.ceil(centre[1] + height - 0.5), spans };
}

export function shapeOf(kind: MarkKind, points: readonly Spot[]): Shape {
  return kind === 'ellipse' ? ellipseShape(ellipseOf(points)) : polygonShape(points);
}

function farthest(points: readonly Spot[], from: number, to: number): { at: number; off: number } {
  let [at, off] = [from, 0];
  for (let one = from + 1; one < to; one += 1) {
    const spot = points[one] as Spot;
    const away = apart(spot, nearestOn(points[from] as Spot, points[to] as Spot, spot));
    if (away > off) [at, off] = [one, away];
  }
  return { at, off };
}

/** Leaves out points of a path that lie within `tolerance` of the line between those kept (Douglas and Peucker). */
export function simplified(points: readonly Spot[], tolerance: number): Spot[] {
  if (points.length < 3) return [...points];
  const kept = new Uint8Array(points.length);
  kept[0] = kept[points.length - 1] = 1;
  const open: [number, number][] = [[0, points.length - 1]];
  for (let pair = open.pop(); pair; pair = open.pop()) {
    const { at, off } = farthest(points, ...pair);
    if (off <= tolerance) continue;
    kept[at] = 1;
    open.push([pair[0], at], [at, pair[1]]);
  }
  return points.filter((_, at) => kept[at]);
}
