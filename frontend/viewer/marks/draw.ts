/**
 * Drawing marks: thin lines on a dark edge, so that they are read on white and on black, and ends that leave free what
 * they point at. Colours are told apart by all kinds of colour vision (Okabe and Ito); none carries meaning alone.
 */

import type { Seen } from '../layer';
import type { Handle } from './book';
import { handlesOf, linesOf, onPane, type Box } from './hit';
import type { Line } from './label';
import type { MarkContent, Spot } from './mark';
import { centreOf } from './outline';
import { apart, middle, minus, outlineOf, plus, times, turned } from './shapes';

export const COLOURS = { own: '#ffd84a', other: '#7cc8ff', handle: '#ffffff', edge: 'rgb(0 0 0 / 78%)' } as const;
const FONT = 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif';
export const LABEL_FONT = `500 13px ${FONT}`;
const NUMBER_FONT = `700 13px ${FONT}`;
export const LINE_HEIGHT = 17;
export const PADDING = { x: 8, y: 4 } as const;

const TICK = 6;
const BARB = 10;
const HEAD = 13;
const GAP = 4;
const ARM = 9;

export type Pen = CanvasRenderingContext2D;

/** How a mark is to look. */
export interface Look {
  colour: string;
  strong: boolean;
}

/** Strokes a path twice: its dark edge, then itself. */
function stroke(pen: Pen, { colour, strong }: Look, dash: number[] = []): void {
  const width = strong ? 2 : 1.5;
  pen.lineCap = 'round';
  pen.lineJoin = 'round';
  pen.setLineDash([]);
  pen.strokeStyle = COLOURS.edge;
  pen.lineWidth = width + 2.5;
  pen.globalAlpha = dash.length > 0 ? 0.5 : 1;
  pen.stroke();
  pen.globalAlpha = 1;
  pen.setLineDash(dash);
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.stroke();
  pen.setLineDash([]);
}

function path(pen: Pen, lines: readonly Line[]): void {
  pen.beginPath();
  for (const [from, to] of lines) {
    pen.moveTo(...from);
    pen.lineTo(...to);
  }
}

/** Short bars across a line's ends: the end is where the bar crosses. */
function ticks([from, to]: Line): Line[] {
  const length = apart(from, to) || 1;
  const across = times(turned(minus(to, from)), Math.min(TICK, length / 3) / length);
  return [from, to].map((end) => [minus(end, across), plus(end, across)] as const);
}

/** An open head at a line's end: it says in which direction the line is taken. */
function heads([from, to]: Line): Line[] {
  const length = apart(from, to) || 1;
  const back = times(minus(from, to), Math.min(BARB, length / 3) / length);
  const across = times(turned(back), 0.5);
  return [[to, plus(plus(to, back), across)], [to, minus(plus(to, back), across)]];
}

/** The angle between the directions of two lines: both carried to the middle between them, with the arc that is measured. */
function drawAngleBetween(pen: Pen, one: Line, other: Line, look: Look): void {
  const thin = { ...look, strong: false };
  const [from, to] = [middle(...one), middle(...other)];
  const centre = middle(from, to);
  const size = Math.max(18, Math.min(46, 0.4 * apart(from, to)));
  const [first, second] = [one, other].map(([a, b]) => plus(centre, times(minus(b, a), size / (apart(a, b) || 1)))) as [Spot, Spot];
  path(pen, [[from, to]]);
  stroke(pen, thin, [3, 5]);
  path(pen, [[centre, first], [centre, second]]);
  stroke(pen, thin);
  drawArc(pen, first, centre, second, look);
}

function cross([x, y]: Spot): Line[] {
  return [
    [[x - ARM, y], [x - GAP, y]], [[x + GAP, y], [x + ARM, y]], [[x, y - ARM], [x, y - GAP]], [[x, y + GAP], [x, y + ARM]],
  ];
}

function drawArrow(pen: Pen, head: Spot, tail: Spot, look: Look): void {
  const length = apart(head, tail) || 1;
  const size = Math.min(HEAD, length * 0.6);
  const back = times(minus(tail, head), size / length);
  const across = times(turned(back), 0.42);
  const base = plus(head, back);
  path(pen, [[plus(head, times(back, 0.8)), tail]]);
  stroke(pen, look);
  pen.beginPath();
  pen.moveTo(...head);
  pen.lineTo(...plus(base, across));
  pen.lineTo(...plus(head, times(back, 0.78)));
  pen.lineTo(...minus(base, across));
  pen.closePath();
  pen.strokeStyle = COLOURS.edge;
  pen.lineWidth = 2.5;
  pen.stroke();
  pen.fillStyle = look.colour;
  pen.fill();
}

function drawArc(pen: Pen, end: Spot, vertex: Spot, other: Spot, look: Look): void {
  const radius = Math.min(30, 0.4 * Math.min(apart(end, vertex), apart(other, vertex)));
  if (radius < 6) return;
  const angleOf = (spot: Spot): number => Math.atan2(spot[1] - vertex[1], spot[0] - vertex[0]);
  const [from, to] = [angleOf(end), angleOf(other)];
  const sweep = ((to - from + 3 * Math.PI) % (2 * Math.PI)) - Math.PI;
  pen.beginPath();
  pen.arc(...vertex, radius, from, from + sweep, sweep < 0);
  stroke(pen, { ...look, strong: false });
}

function drawOutline(pen: Pen, points: readonly Spot[], look: Look, closed: boolean): void {
  pen.beginPath();
  points.forEach((one, at) => (at === 0 ? pen.moveTo(...one) : pen.lineTo(...one)));
  if (closed) pen.closePath();
  stroke(pen, look);
}

function drawCounter(pen: Pen, points: readonly Spot[], look: Look): void {
  points.forEach((one, at) => {
    path(pen, cross(one));
    stroke(pen, look);
    pen.font = NUMBER_FONT;
    pen.textAlign = 'left';
    pen.textBaseline = 'alphabetic';
    pen.lineWidth = 3.5;
    pen.strokeStyle = COLOURS.edge;
    pen.strokeText(String(at + 1), one[0] + 8, one[1] - 7);
    pen.fillStyle = look.colour;
    pen.fillText(String(at + 1), one[0] + 8, one[1] - 7);
  });
}

/** Draws a mark's lines. `open`: it is being drawn and not closed yet. */
export function drawShape(pen: Pen, mark: Pick<MarkContent, 'kind' | 'points'>, seen: Pick<Seen, 'toPane'>, look: Look, open = false): void {
  const points = mark.points.filter(Boolean);
  const at = points.map((one) => onPane(seen, one));
  const lines = linesOf({ ...mark, points }).map(([from, to]) => [onPane(seen, from), onPane(seen, to)] as const);
  const [a, b, c, d] = at;
  switch (mark.kind) {
    case 'length':
    case 'bidirectional':
      path(pen, [...lines, ...lines.flatMap(ticks)]);
      return stroke(pen, look);
    case 'cobb':
      if (a && b && c && d) drawAngleBetween(pen, [a, b], [c, d], look);
      path(pen, [...lines, ...lines.flatMap(heads)]);
      return stroke(pen, look);
    case 'angle':
      path(pen, lines);
      stroke(pen, look);
      return a && b && c ? drawArc(pen, a, b, c, look) : undefined;
    case 'ellipse':
    case 'rectangle':
    case 'freehand': {
      const around = outlineOf(mark.kind, points).map((one) => onPane(seen, one));
      return drawOutline(pen, around, look, !open);
    }
    case 'arrow':
      return a && b ? drawArrow(pen, a, b, look) : undefined;
    case 'point':
      path(pen, at.flatMap(cross));
      return stroke(pen, look);
    case 'counter':
      return drawCounter(pen, at, look);
    case 'text':
      if (a) drawDot(pen, a, look.colour, 2.5);
  }
}

function drawDot(pen: Pen, at: Spot, colour: string, radius: number): void {
  pen.beginPath();
  pen.arc(...at, radius, 0, 2 * Math.PI);
  pen.strokeStyle = COLOURS.edge;
  pen.lineWidth = 2.5;
  pen.stroke();
  pen.fillStyle = colour;
  pen.fill();
}

/** Rings around what can be taken hold of; what lies within stays to be seen. What keys move has a second ring. */
export function drawHandles(pen: Pen, mark: Pick<MarkContent, 'kind' | 'points'>, seen: Seen, colour: string, chosen: Handle | null, coarse: boolean): void {
  const radius = coarse ? 9 : 5;
  const places = new Set(handlesOf(mark, seen, coarse));
  if (typeof chosen === 'number') places.add(chosen);
  for (const place of places) {
    const at = onPane(seen, mark.points[place] ?? [0, 0]);
    const moves = place === chosen || chosen === 'whole';
    for (const ring of moves ? [radius, radius + 4] : [radius]) {
      pen.beginPath();
      pen.arc(...at, ring, 0, 2 * Math.PI);
      stroke(pen, { colour: moves && ring === radius ? colour : COLOURS.handle, strong: false });
    }
  }
  if (mark.kind === 'freehand') drawMover(pen, onPane(seen, centreOf(mark.points)), coarse);
}

/** Four arrows in the middle of an outline, where it is taken to be moved as a whole. */
function drawMover(pen: Pen, [x, y]: Spot, coarse: boolean): void {
  const reach = coarse ? 13 : 9;
  const arms = ([[1, 0], [-1, 0], [0, 1], [0, -1]] as const).map(([dx, dy]): Line => [[x, y], [x + dx * reach, y + dy * reach]]);
  path(pen, [...arms, ...arms.flatMap(([from, to]) => heads([from, to]))]);
  stroke(pen, { colour: COLOURS.handle, strong: false });
}

export function labelSize(pen: Pen, lines: readonly string[]): { width: number; height: number } {
  pen.font = LABEL_FONT;
  const width = Math.max(...lines.map((line) => pen.measureText(line).width));
  return { width: Math.ceil(width) + 2 * PADDING.x + 2, height: lines.length * LINE_HEIGHT + 2 * PADDING.y };
}

/** How a label looks: another's has a hollow bar at its edge, one's own a full one. */
export interface LabelLook extends Look {
  own: boolean;
  /** Keys move it. */
  held: boolean;
}

export function drawLabel(pen: Pen, box: Box, lines: readonly string[], link: Line | null, look: LabelLook): void {
  if (link) {
    path(pen, [link]);
    stroke(pen, { colour: look.colour, strong: false }, [1.5, 4]);
  }
  pen.beginPath();
  pen.roundRect(box.x, box.y, box.width, box.height, 4);
  pen.fillStyle = look.strong ? 'rgb(10 16 22 / 88%)' : 'rgb(10 16 22 / 66%)';
  pen.fill();
  if (look.strong) {
    pen.lineWidth = look.held ? 3 : 1;
    pen.strokeStyle = look.held ? COLOURS.handle : look.colour;
    pen.stroke();
  }
  pen.beginPath();
  pen.roundRect(box.x + 2, box.y + 3, 3, box.height - 6, 1.5);
  pen.fillStyle = look.colour;
  pen.strokeStyle = look.colour;
  pen.lineWidth = 1;
  if (look.own) pen.fill();
  else pen.stroke();
  pen.font = LABEL_FONT;
  pen.textAlign = 'left';
  pen.textBaseline = 'middle';
  pen.fillStyle = '#f5f8fa';
  lines.forEach((line, at) => pen.fillText(line, box.x + PADDING.x + 2, box.y + PADDING.y + (at + 0.5) * LINE_HEIGHT + 0.5));
}

const REACH = 24;
const FREE = 6;

/** The cross that keys move; what it points at stays to be seen. */
export function drawCross(pen: Pen, [x, y]: Spot): void {
  const ways = [[1, 0], [-1, 0], [0, 1], [0, -1]] as const;
  path(pen, ways.map(([dx, dy]): Line => [[x + dx * FREE, y + dy * FREE], [x + dx * REACH, y + dy * REACH]]));
  stroke(pen, { colour: COLOURS.handle, strong: true });
  path(pen, [[[x, y], [x, y]]]);
  stroke(pen, { colour: COLOURS.handle, strong: false });
}

const FLAG = 26;

/** The sign of a key image, at the pane's upper edge beside its middle. */
export function drawFlag(pen: Pen, seen: Seen, look: LabelLook): Box {
  const box = { x: seen.pane.width / 2 + 14, y: 8, width: FLAG, height: FLAG };
  pen.beginPath();
  pen.roundRect(box.x, box.y, FLAG, FLAG, 5);
  pen.fillStyle = 'rgb(10 16 22 / 72%)';
  pen.fill();
  pen.lineWidth = look.strong ? 2 : 1;
  pen.strokeStyle = look.colour;
  pen.stroke();
  const [x, y] = [box.x + 8, box.y + 6];
  pen.beginPath();
  pen.moveTo(x, y + 15);
  pen.lineTo(x, y);
  pen.lineTo(x + 11, y + 1);
  pen.lineTo(x + 8.5, y + 4.5);
  pen.lineTo(x + 11, y + 8);
  pen.lineTo(x, y + 8);
  pen.lineWidth = 1.75;
  pen.lineJoin = 'round';
  pen.stroke();
  if (look.own) {
    pen.fillStyle = look.colour;
    pen.fill();
  }
  return box;
}
