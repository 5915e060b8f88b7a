/** Shapes of the patient where the plane of a picture meets them: outlines that lie in it, lines where it cuts them. */

import type { Point } from '../geometry';
import { along, cross, dot, minus, onPlane, type Plane, type Vector } from '../planes';
import type { DrawnShape } from './content';

/** A line over the picture, in its image points. */
export interface Section {
  points: readonly Point[];
  closed: boolean;
  /** Each point stands for itself. */
  dots: boolean;
}

const ROUND = 72; // corners of what is round
const SQUARE = 1e-9;

export function vectorsOf(points: readonly number[]): Vector[] {
  const found: Vector[] = [];
  for (let at = 0; at + 2 < points.length; at += 3) found.push([points[at] ?? 0, points[at + 1] ?? 0, points[at + 2] ?? 0]);
  return found;
}

/** A shape's points, its middle, and how far from there it reaches, so that what lies elsewhere is passed by. */
export class Body {
  readonly points: readonly Vector[];
  readonly middle: Vector;
  readonly reach: number;

  constructor(readonly shape: DrawnShape) {
    const given = vectorsOf(shape.points);
    this.points = shape.kind === 'ellipse' ? ellipse(given) : given;
    this.middle = mean(given);
    this.reach = given.reduce((most, point) => Math.max(most, length(minus(point, this.middle))), 0) * (shape.kind === 'ellipse' || shape.kind === 'ellipsoid' ? 1.01 : 1);
  }

  /** What of it is seen in a plane; what lies within `near` mm of the plane, and along it, counts as in it. */
  on(plane: Plane, near: number): Section[] {
    const off = dot(minus(this.middle, plane.position), plane.normal);
    if (Math.abs(off) > this.reach + near) return [];
    if (this.shape.kind === 'ellipsoid') return ellipsoidOn(this.points, plane);
    const sides = this.points.map((point) => dot(minus(point, plane.position), plane.normal));
    const closed = this.shape.kind === 'polygon' || this.shape.kind === 'ellipse';
    if (this.shape.kind === 'point') {
      const seen = this.points.filter((_, at) => Math.abs(sides[at] ?? Infinity) <= near);
      return seen.length > 0 ? [{ points: seen.map((point) => onPlane(plane, point)), closed: false, dots: true }] : [];
    }
    if (sides.every((side) => Math.abs(side - off) <= Math.max(near, SQUARE)) && Math.abs(off) <= near) {
      return [{ points: this.points.map((point) => onPlane(plane, point)), closed, dots: false }];
    }
    return cut(this.points, sides, closed, plane);
  }
}

/** Where a line goes through a plane: stretches between each two points if it is closed, else the points. */
function cut(points: readonly Vector[], sides: readonly number[], closed: boolean, plane: Plane): Section[] {
  const met: Vector[] = [];
  const last = closed ? points.length : points.length - 1;
  for (let at = 0; at < last; at += 1) {
    const next = (at + 1) % points.length;
    const [from, to] = [sides[at] ?? 0, sides[next] ?? 0];
    const [start, end] = [points[at], points[next]];
    if (from > 0 === to > 0 || !start || !end) continue;
    met.push(along(start, minus(end, start), from / (from - to)));
  }
  const seen = met.map((point) => onPlane(plane, point));
  if (seen.length === 0) return [];
  if (!closed) return [{ points: seen, closed: false, dots: true }];
  seen.sort((one, other) => one.x - other.x || one.y - other.y);
  const first = seen[0] as Point;
  const end = seen[seen.length - 1] as Point;
  if (Math.abs(end.y - first.y) > Math.abs(end.x - first.x)) seen.sort((one, other) => one.y - other.y);
  const stretches: Section[] = [];
  for (let at = 0; at + 1 < seen.length; at += 2) {
    stretches.push({ points: [seen[at] as Point, seen[at + 1] as Point], closed: false, dots: false });
  }
  return stretches;
}

const length = (vector: Vector): number => Math.hypot(...vector);

function mean(points: readonly Vector[]): Vector {
  const sum = points.reduce<Vector>((total, point) => along(total, point, 1), [0, 0, 0]);
  const count = Math.max(1, points.length);
  return [sum[0] / count, sum[1] / count, sum[2] / count];
}

const half = (one: Vector, other: Vector): Vector => {
  const [x, y, z] = minus(one, other);
  return [x / 2, y / 2, z / 2];
};

/** Corners around the ends of the longer and of the shorter axis (PS3.3 C.18.9.1.2). */
function ellipse([a, b, c, d]: readonly Vector[]): Vector[] {
  if (!a || !b || !c || !d) return [];
  const middle = mean([a, b]);
  return around(middle, half(b, a), half(d, c));
}

function around(middle: Vector, one: Vector, other: Vector): Vector[] {
  return Array.from({ length: ROUND }, (_, at) => {
    const angle = (2 * Math.PI * at) / ROUND;
    return along(along(middle, one, Math.cos(angle)), other, Math.sin(angle));
  });
}

/** Where a plane cuts an ellipsoid, given by the ends of its three axes: turned over into a circle on a sphere. */
function ellipsoidOn([a, b, c, d, e, f]: readonly Vector[], plane: Plane): Section[] {
  if (!a || !b || !c || !d || !e || !f) return [];
  const middle = mean([a, b, c, d, e, f]);
  const axes = [half(b, a), half(d, c), half(f, e)] as const;
  const normal: Vector = [dot(axes[0], plane.normal), dot(axes[1], plane.normal), dot(axes[2], plane.normal)];
  const size = length(normal);
  const off = dot(minus(plane.position, middle), plane.normal) / size;
  if (!(Math.abs(off) < 1)) return [];
  const unit: Vector = [normal[0] / size, normal[1] / size, normal[2] / size];
  const [u, v] = beside(unit);
  const radius = Math.sqrt(1 - off * off);
  const turn = ([x, y, z]: Vector): Vector => along(along(along(middle, axes[0], x), axes[1], y), axes[2], z);
  const scaled = ([x, y, z]: Vector): Vector => [x * radius, y * radius, z * radius];
  const ring = around([unit[0] * off, unit[1] * off, unit[2] * off], scaled(u), scaled(v));
  return [{ points: ring.map((point) => onPlane(plane, turn(point))), closed: true, dots: false }];
}

/** Two directions at right angles to another and to each other. */
function beside(unit: Vector): [Vector, Vector] {
  const other: Vector = Math.abs(unit[0]) < 0.9 ? [1, 0, 0] : [0, 1, 0];
  const [x, y, z] = cross(unit, other);
  const size = Math.hypot(x, y, z);
  const first: Vector = [x / size, y / size, z / size];
  return [first, cross(unit, first)];
}
