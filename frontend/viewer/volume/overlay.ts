/** What is drawn over a plane: lines of the other planes with their handles, gaps, measures. CSS pixels. */

import type { Point, Size } from '../geometry';
import type { Grid } from './grid';
import { isIn, valueOf, type Measure, type MeasureHandle } from './measuring';
import { lineOf, PLANES, toPane, type PlaneName, type PlaneView } from './planes';
import { along, dot, type Vec } from './vectors';

export const PLANE_COLOURS: Readonly<Record<PlaneName, string>> = { axial: '#f08a7a', coronal: '#8fd08a', sagittal: '#e8cf6a' };
const AMBER = '#e9a23b';
const HOLE = 14; // around the cross's middle, so that what is looked at is not covered
const HANDLE_SHARE = 0.36; // of the shorter side, from the middle
const HANDLE = 5;
const GRASP = 16;

export interface Shown {
  name: PlaneName;
  views: Readonly<Record<PlaneName, PlaneView>>;
  cursor: Vec;
  pane: Size;
  slabThickness: number;
  /** mm from one plane that can be scrolled to, to the next. */
  step: number;
}

interface Line {
  of: PlaneName;
  middle: Point;
  way: Point;
}

function linesIn({ name, views, cursor, pane }: Shown): Line[] {
  const view = views[name];
  const middle = toPane(view, pane, cursor);
  return PLANES.filter((other) => other !== name).map((other) => {
    const way = lineOf(view, views[other]);
    return { of: other, middle, way: { x: dot(way, view.right), y: dot(way, view.down) } };
  });
}

const on = ({ middle, way }: Line, far: number): Point => ({ x: middle.x + way.x * far, y: middle.y + way.y * far });
const handleFar = (pane: Size): number => Math.min(pane.width, pane.height) * HANDLE_SHARE;
const apart = (a: Point, b: Point): number => Math.hypot(a.x - b.x, a.y - b.y);

/** What of the cross lies under a point: its middle, an end that turns, a line that moves its plane. */
export function graspAt(shown: Shown, at: Point): { part: 'middle' } | { part: 'end' } | { part: 'line'; of: PlaneName } | null {
  const lines = linesIn(shown);
  const [first] = lines;
  if (!first) return null;
  if (apart(first.middle, at) < GRASP) return { part: 'middle' };
  const far = handleFar(shown.pane);
  if (lines.some((line) => apart(on(line, far), at) < GRASP || apart(on(line, -far), at) < GRASP)) return { part: 'end' };
  const near = lines.find(({ middle, way }) => Math.abs((at.x - middle.x) * way.y - (at.y - middle.y) * way.x) < GRASP / 2);
  return near ? { part: 'line', of: near.of } : null;
}

export function drawCross(context: CanvasRenderingContext2D, shown: Shown): void {
  const far = shown.pane.width + shown.pane.height;
  for (const line of linesIn(shown)) {
    context.strokeStyle = PLANE_COLOURS[line.of];
    context.lineWidth = 1.25;
    context.beginPath();
    for (const side of [-1, 1]) {
      const [from, to] = [on(line, side * HOLE), on(line, side * far)];
      context.moveTo(from.x, from.y);
      context.lineTo(to.x, to.y);
    }
    context.stroke();
    if (shown.slabThickness > 0) drawSlab(context, shown, line, far);
    for (const side of [-1, 1]) {
      const handle = on(line, side * handleFar(shown.pane));
      context.beginPath();
      context.arc(handle.x, handle.y, HANDLE, 0, 2 * Math.PI);
      context.fillStyle = '#000b';
      context.fill();
      context.stroke();
    }
  }
}

/** The faces of the other panes' slabs, dashed beside their lines. */
function drawSlab(context: CanvasRenderingContext2D, shown: Shown, line: Line, far: number): void {
  const half = (shown.slabThickness / 2) * shown.views[shown.name].scale;
  if (half < 2) return;
  context.save();
  context.setLineDash([4, 4]);
  context.globalAlpha = 0.6;
  context.beginPath();
  for (const side of [-1, 1]) {
    const aside = { x: -line.way.y * half * side, y: line.way.x * half * side };
    const [from, to] = [on(line, -far), on(line, far)];
    context.moveTo(from.x + aside.x, from.y + aside.y);
    context.lineTo(to.x + aside.x, to.y + aside.y);
  }
  context.stroke();
  context.restore();
}

/** Hatches where no slice was taken: what is seen there is only between its neighbours. */
export function drawGaps(context: CanvasRenderingContext2D, shown: Shown, grid: Grid, gaps: readonly (readonly [number, number])[]): void {
  const view = shown.views[shown.name];
  const depthOf = (point: Vec): number => grid.toGrid(point)[2];
  const base = depthOf(shown.cursor);
  const perRight = depthOf(along(shown.cursor, view.right, 1)) - base;
  const perDown = depthOf(along(shown.cursor, view.down, 1)) - base;
  const steep = Math.hypot(perRight, perDown);
  const middle = toPane(view, shown.pane, shown.cursor);
  for (const [from, to] of gaps) {
    if (steep < 0.02) {
      if (base > from + 1e-6 && base < to - 1e-6) band(context, { x: 0, y: 0 }, { x: 1, y: 0 }, -1e5, 1e5);
      continue;
    }
    const way = { x: perRight / steep, y: perDown / steep };
    const place = (depth: number): number => ((depth - base) / steep) * view.scale;
    band(context, middle, way, place(from), place(to));
  }
}

function band(context: CanvasRenderingContext2D, middle: Point, way: Point, from: number, to: number): void {
  const FAR = 4_000;
  const at = (forth: number, aside: number): [number, number] => [middle.x + way.x * forth - way.y * aside, middle.y + way.y * forth + way.x * aside];
  context.save();
  context.beginPath();
  context.moveTo(...at(from, -FAR));
  context.lineTo(...at(from, FAR));
  context.lineTo(...at(to, FAR));
  context.lineTo(...at(to, -FAR));
  context.closePath();
  context.strokeStyle = AMBER;
  context.globalAlpha = 0.7;
  context.setLineDash([6, 4]);
  context.stroke();
  context.clip();
  context.setLineDash([]);
  context.globalAlpha = 0.35;
  context.beginPath();
  for (let x = -FAR; x < FAR; x += 12) {
    context.moveTo(x, 0);
    context.lineTo(x + FAR, FAR);
  }
  context.stroke();
  context.restore();
}

/** The measures that a plane shows. */
export function shownMeasures({ name, views, cursor, slabThickness, step }: Shown, measures: readonly Measure[]): readonly Measure[] {
  return measures.filter((one) => isIn(one, views[name], cursor, { slab: slabThickness, step }));
}

const OWN = '#ffe27a';
const OTHERS = '#7cc8ff';
const CHOSEN = 6; // CSS pixels from the middle of a point that keys move

export interface MeasureLook {
  selected: string | null;
  /** What arrow keys move of it. */
  handle: MeasureHandle | null;
  /** Puts a value into words. */
  text: (value: number, kind: Measure['kind']) => string;
}

/** Draws measures: the selected one is stronger, what keys move of it is full. */
export function drawMeasures(context: CanvasRenderingContext2D, shown: Shown, measures: readonly Measure[], look: MeasureLook): void {
  const { selected, handle, text } = look;
  const view = shown.views[shown.name];
  context.font = '600 13px ui-sans-serif, system-ui, sans-serif';
  for (const measure of shownMeasures(shown, measures)) {
    const points = measure.points.map((point) => toPane(view, shown.pane, point));
    const [first, second] = points;
    if (!first || !second) continue;
    const strong = measure.id === selected;
    const end = strong ? 4.5 : 2.5;
    for (const [colour, width] of [['#000', strong ? 5 : 4], [measure.own ? OWN : OTHERS, strong ? 2.4 : 1.6]] as const) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      points.forEach(({ x, y }, at) => (at === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
      context.stroke();
      for (const { x, y } of points) context.strokeRect(x - end, y - end, 2 * end, 2 * end);
    }
    if (strong && handle !== null) {
      context.fillStyle = measure.own ? OWN : OTHERS;
      for (const { x, y } of handle === 'whole' ? points : points.slice(handle, handle + 1)) context.fillRect(x - CHOSEN, y - CHOSEN, 2 * CHOSEN, 2 * CHOSEN);
    }
    if (measure.kind === 'angle' && points.length < 3) continue;
    label(context, text(valueOf(measure), measure.kind), { x: second.x + 9, y: second.y - 7 }, measure.own ? OWN : OTHERS);
  }
}

function label(context: CanvasRenderingContext2D, text: string, at: Point, colour: string): void {
  context.lineWidth = 4;
  context.strokeStyle = '#000d';
  context.strokeText(text, at.x, at.y);
  context.fillStyle = colour;
  context.fillText(text, at.x, at.y);
}
