/** Shapes of an image as lines and words on a pane. */

import type { Point } from '../geometry';
import type { Seen } from '../layer';
import type { DrawnArea, DrawnShape, Unit } from './content';
import type { Section } from './sections';

const SHADOW = 'rgb(0 0 0 / 65%)';
const WIDTH = 1.6;
const DOT = 3.5;
const FONT = 13;

/** From a unit of a shape to a pane. */
export type Way = (unit: Unit, x: number, y: number) => Point;

/** Points of the display are parts of the area that a presentation state shows, else of the whole image. */
export function wayOf(seen: Seen, area: DrawnArea | null): Way {
  const { rows, columns } = seen.frame.facts;
  const [left, top] = area ? [(area.first[0] ?? 1) - 1, (area.first[1] ?? 1) - 1] : [0, 0];
  const [right, bottom] = area ? [area.last[0] ?? columns, area.last[1] ?? rows] : [columns, rows];
  return (unit, x, y) =>
    seen.toPane(unit === 'display' ? { x: left + x * (right - left), y: top + y * (bottom - top) } : { x, y });
}

export function pairs(points: readonly number[]): [number, number][] {
  const found: [number, number][] = [];
  for (let at = 0; at + 1 < points.length; at += 2) found.push([points[at] ?? 0, points[at + 1] ?? 0]);
  return found;
}

const ROUND = 64;

/** A shape's outline in its own unit: what is round has corners enough to look so. */
export function outlineOf(shape: Pick<DrawnShape, 'kind' | 'points'>): [number, number][] {
  const [a, b, c, d] = pairs(shape.points);
  if (shape.kind === 'circle' && a && b) {
    const radius = Math.hypot(b[0] - a[0], b[1] - a[1]);
    return round((cos, sin) => [a[0] + radius * cos, a[1] + radius * sin]);
  }
  if (shape.kind === 'ellipse' && a && b && c && d) {
    const middle = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] as const;
    const [long, broad] = [[(b[0] - a[0]) / 2, (b[1] - a[1]) / 2] as const, [(d[0] - c[0]) / 2, (d[1] - c[1]) / 2] as const];
    return round((cos, sin) => [middle[0] + long[0] * cos + broad[0] * sin, middle[1] + long[1] * cos + broad[1] * sin]);
  }
  return shape.kind === 'spline' ? smooth(pairs(shape.points)) : pairs(shape.points);
}

function round(at: (cos: number, sin: number) => [number, number]): [number, number][] {
  return Array.from({ length: ROUND + 1 }, (_, step) => at(Math.cos((2 * Math.PI * step) / ROUND), Math.sin((2 * Math.PI * step) / ROUND)));
}

const STEPS = 8;

/** A line through all points without corners (Catmull-Rom); closed if it ends where it begins. */
function smooth(points: [number, number][]): [number, number][] {
  const last = points.length - 1;
  const [first, end] = [points[0], points[last]];
  if (!first || !end || points.length < 3) return points;
  const closed = first[0] === end[0] && first[1] === end[1];
  const at = (place: number): [number, number] => {
    if (place < 0) return (closed ? points[last - 1] : first) ?? first;
    if (place > last) return (closed ? points[1] : end) ?? end;
    return points[place] ?? first;
  };
  const found: [number, number][] = [];
  for (let place = 0; place < last; place += 1) {
    const [p, q, r, s] = [at(place - 1), at(place), at(place + 1), at(place + 2)];
    for (let step = 0; step < STEPS; step += 1) {
      const t = step / STEPS;
      const mix = (a: number, b: number, c: number, d: number): number =>
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t * t * t);
      found.push([mix(p[0], q[0], r[0], s[0]), mix(p[1], q[1], r[1], s[1])]);
    }
  }
  return [...found, end];
}

/** Draws a line light on dark, so that it is seen on every grey. */
export function stroke(context: CanvasRenderingContext2D, path: Path2D, colour: string, width = WIDTH): void {
  context.lineJoin = 'round';
  context.lineCap = 'round';
  for (const [style, thick] of [[SHADOW, width + 1.8], [colour, width]] as const) {
    context.strokeStyle = style;
    context.lineWidth = thick;
    context.stroke(path);
  }
}

export function dot(context: CanvasRenderingContext2D, at: Point, colour: string): void {
  const path = new Path2D();
  path.arc(at.x, at.y, DOT, 0, 2 * Math.PI);
  stroke(context, path, colour);
}

export function lineThrough(points: readonly Point[], closed: boolean): Path2D {
  const path = new Path2D();
  points.forEach(({ x, y }, at) => path[at === 0 ? 'moveTo' : 'lineTo'](x, y));
  if (closed) path.closePath();
  return path;
}

/** Draws a shape of an image; `fill` is how much of what lies under a filled one is covered. */
export function drawShape(context: CanvasRenderingContext2D, shape: DrawnShape, way: Way, colour: string, fill: number): void {
  const points = outlineOf(shape).map(([x, y]) => way(shape.unit, x, y));
  if (shape.kind === 'text') return drawText(context, shape, points, way, colour);
  if (shape.kind === 'point') return points.forEach((at) => dot(context, at, colour));
  const path = lineThrough(points, shape.kind === 'polygon');
  if (shape.filled) {
    context.save();
    context.globalAlpha = fill;
    context.fillStyle = colour;
    context.fill(path);
    context.restore();
  }
  stroke(context, path, colour);
}

export function drawSection(context: CanvasRenderingContext2D, section: Section, seen: Seen, colour: string): void {
  const points = section.points.map(seen.toPane);
  if (section.dots) points.forEach((at) => dot(context, at, colour));
  else stroke(context, lineThrough(points, section.closed), colour);
}

function drawText(context: CanvasRenderingContext2D, shape: DrawnShape, points: readonly Point[], way: Way, colour: string): void {
  const left = Math.min(...points.map(({ x }) => x));
  const top = Math.min(...points.map(({ y }) => y));
  if (shape.anchor && points.length === 2) {
    const to = way(shape.anchor_unit, shape.anchor[0] ?? 0, shape.anchor[1] ?? 0);
    const from = { x: (points[0]!.x + points[1]!.x) / 2, y: (points[0]!.y + points[1]!.y) / 2 };
    stroke(context, lineThrough([from, to], false), colour, 1);
  }
  write(context, shape.text.split(/\r\n|\r|\n/), { x: left, y: top }, colour);
}

/** Writes lines of text that stay within sight: upright whatever way the picture is turned. */
export function write(context: CanvasRenderingContext2D, lines: readonly string[], at: Point, colour: string): void {
  context.font = `500 ${FONT}px ui-sans-serif, system-ui, sans-serif`;
  context.textBaseline = 'top';
  context.lineJoin = 'round';
  context.strokeStyle = 'rgb(0 0 0 / 80%)';
  context.fillStyle = colour;
  context.lineWidth = 3;
  lines.forEach((line, row) => {
    const y = at.y + row * (FONT + 3);
    context.strokeText(line, at.x, y);
    context.fillText(line, at.x, y);
  });
}
